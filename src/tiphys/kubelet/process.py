"""Start the process of a container, and find and end all that descends from it. Runs in the shim.

A container is a session of its own. It starts as a vfork and exec, which copies nothing of the shim (measured: a fork
costs half a millisecond and makes the shim copy its memory once more), or, where its command is this environment's
Python, as a fork of the warm interpreter (`Become` carries it up to the interpreter's first frame, so that a script
sees an empty stack below it).
"""

from __future__ import annotations

import errno
import os
import resource
import signal
import time

from tiphys.kubelet import sandbox, syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from tiphys.kubelet.warm import Invocation

__all__ = ["Become", "Command", "StartError", "born", "end_children", "find_executable", "start"]

_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_KILL_SECONDS = 5.0
# Those that Python or the shim handle or ignore.
_SIGNALS = (signal.SIGCHLD, signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT)


class StartError(Exception):
    """The container cannot be started; in the words of a container runtime."""


class Become(BaseException):
    """Raised in a forked child only: unwind to the top of the zygote and run this as `__main__`."""

    def __init__(self, invocation: Invocation, env: dict[str, str]) -> None:
        super().__init__()
        self.invocation = invocation
        self.env = env


class Command:
    """What to run: the file found for argv[0], its arguments, environment and directory; and what it may.

    Attributes:
        capabilities: those that it keeps of its parent's, as bits; -1: all.
        apart: a descriptor of /proc where it gets a user namespace of its own; -1: it does not.
        processes: how many there may be in that namespace.
    """

    __slots__ = (
        "apart",
        "argv",
        "capabilities",
        "cwd",
        "env",
        "executable",
        "no_new_privileges",
        "processes",
        "python",
    )

    def __init__(self, executable: str, argv: list[str], env: dict[str, str], cwd: str) -> None:
        self.executable = executable
        self.argv = argv
        self.env = env
        self.cwd = cwd
        self.python: Invocation | None = None
        self.no_new_privileges = False
        self.capabilities = -1
        self.apart = -1
        self.processes = 0

    @property
    def restricted(self) -> bool:
        """Whether something must be given up between fork and exec; root's exec gives up what the zygote has bound."""
        return self.apart >= 0 or self.no_new_privileges or (self.capabilities == 0 and os.geteuid() == 0)


def find_executable(name: str, env: dict[str, str], cwd: str) -> str:
    """The file that `name` means in the container.

    Raises:
        StartError: there is none, or it may not be executed.
    """
    if "/" in name:
        path = os.path.join(cwd, name)
        if not os.path.exists(path):
            raise StartError(f'unable to start container process: exec: "{name}": stat {name}: {_text(errno.ENOENT)}')
        if os.path.isdir(path):
            raise StartError(f'unable to start container process: exec: "{name}": is a directory')
        if not os.access(path, os.X_OK):
            raise StartError(f'unable to start container process: exec: "{name}": {_text(errno.EACCES)}')
        return path
    for directory in env.get("PATH", _DEFAULT_PATH).split(":"):
        path = os.path.join(cwd, directory, name)
        if os.access(path, os.X_OK) and not os.path.isdir(path):
            return path
    raise StartError(f'unable to start container process: exec: "{name}": executable file not found in $PATH')


def _text(number: int) -> str:
    return os.strerror(number).lower()


def start(command: Command, stdout: int, stderr: int) -> int:
    """Start the container's process; returns its pid when the program is running.

    Raises:
        StartError: the working directory or the program cannot be used.
    """
    if command.python is None and not command.restricted:
        return _spawn(command, stdout, stderr)
    return _fork(command, stdout, stderr)


def _spawn(command: Command, stdout: int, stderr: int) -> int:
    doing = f"chdir to cwd ({command.cwd!r}) set in config.json failed"
    stdin = _nothing()
    files = [
        (os.POSIX_SPAWN_DUP2, stdin, 0),
        (os.POSIX_SPAWN_DUP2, stdout, 1),
        (os.POSIX_SPAWN_DUP2, stderr, 2),
    ]
    try:
        os.chdir(command.cwd)
        doing = f'exec: "{command.argv[0]}"'
        return os.posix_spawn(
            command.executable,
            command.argv,
            command.env,
            file_actions=files,
            setsid=True,
            setsigmask=(),
            setsigdef=_SIGNALS,
        )
    except OSError as error:
        raise StartError(f"unable to start container process: {doing}: {_text(error.errno or 0)}") from error
    finally:
        os.close(stdin)
        os.chdir("/")


def _nothing() -> int:
    """A descriptor with nothing to read: /dev/null, or where a volume at /dev hides it, a pipe nobody writes to."""
    try:
        return os.open(os.devnull, os.O_RDONLY)
    except FileNotFoundError:
        reader, writer = os.pipe()
        os.close(writer)
        return reader


def _fork(command: Command, stdout: int, stderr: int) -> int:
    reader, writer = os.pipe2(os.O_CLOEXEC)
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _in_child(command, parent, (stdout, stderr), writer)
    os.close(writer)
    with open(reader, "rb") as told:
        failure = told.read().decode(errors="replace")
    if failure:
        os.waitpid(pid, 0)
        raise StartError(failure)
    return pid


def _in_child(command: Command, parent: int, output: tuple[int, int], writer: int) -> None:
    """From fork to exec; every failure is told through `writer`."""
    doing = f"chdir to cwd ({command.cwd!r}) set in config.json failed"
    try:
        os.setsid()
        os.dup2(_nothing(), 0)
        os.dup2(output[0], 1)
        os.dup2(output[1], 2)
        os.chdir(command.cwd)
        if command.apart >= 0:
            doing = "a user namespace of its own"
            _come_apart(command)
        doing = f'exec: "{command.argv[0]}"'
        if command.no_new_privileges:
            syscalls.forbid_new_privileges()
        if command.capabilities == 0 and os.geteuid() == 0:
            syscalls.bound_capabilities(0)  # else root's exec gets them back
        if command.capabilities >= 0:
            syscalls.drop_capabilities(command.capabilities)
        syscalls.kill_with_parent(signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(128 + signal.SIGKILL)
        _reset_signals()
        if command.python is None:
            os.execve(command.executable, command.argv, command.env)  # noqa: S606 - what a kubelet is for
    except OSError as error:
        os.write(writer, f"unable to start container process: {doing}: {_text(error.errno or 0)}".encode())
        os._exit(128)
    assert command.python is not None  # noqa: S101 - execve does not return
    syscalls.close_from(3)
    raise Become(command.python, command.env)


def _come_apart(command: Command) -> None:
    """Away from the other pods: without it one user's processes may look into each other (their environment, their
    memory, their files by /proc/PID/root). Root's may; no namespace keeps root from that.
    """
    sandbox.become_user_apart(command.apart)
    # Counted in each user namespace for itself (Linux 5.14), and not for root.
    most = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    limit = command.processes if most == resource.RLIM_INFINITY else min(command.processes, most)
    resource.setrlimit(resource.RLIMIT_NPROC, (limit, limit))


def _reset_signals() -> None:
    """As a process finds them that a container runtime starts: nothing handled, ignored or blocked."""
    signal.set_wakeup_fd(-1)
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def born(pid: int) -> int:
    """When a process was started, in clock ticks since the machine was: tells it from a later one of its number."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        return int(file.read().rpartition(b")")[2].split()[19])


def _children() -> list[int]:
    me = os.getpid()
    try:
        with open(f"/proc/{me}/task/{me}/children") as file:
            return [int(pid) for pid in file.read().split()]
    except FileNotFoundError:
        return [int(name) for name in os.listdir("/proc") if name.isdigit() and _parent(name) == me]


def _parent(pid: str) -> int:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def end_children(which: Callable[[int], bool], reaped: Callable[[int, int], None]) -> bool:
    """Kill every child that `which` picks, their orphans as they come up, and so on; False when some would not go.

    Args:
        which: tells of a pid whether it is to be ended.
        reaped: gets pid and wait status of every child that ended meanwhile, whoever it was.
    """
    until = time.monotonic() + _KILL_SECONDS
    while chosen := [pid for pid in _children() if which(pid)]:
        for pid in chosen:
            os.kill(pid, signal.SIGKILL)  # a child cannot vanish before it is waited for
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            if time.monotonic() > until:
                return False
            time.sleep(0.0005)
        while pid:
            reaped(pid, status)
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
    return True
