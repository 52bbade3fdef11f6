"""One container of a pod, in the shim: its view of the file system, its process, its output, its end and what is kept.

`state` is the container's entry in the pod's record, ready to be written. Times are seconds since the epoch.
"""

from __future__ import annotations

import binascii
import os
import select
import stat
import time

from tiphys.kubelet import records, sandbox, syscalls, warm
from tiphys.kubelet.logwriter import LogWriter
from tiphys.kubelet.payload import remove_tree
from tiphys.kubelet.process import Command, StartError, born, find_executable, start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Container", "Host"]

_DRAIN_SECONDS = 1.0
_MESSAGE_BYTES = 4096
_FALLBACK_BYTES = 2048
_FALLBACK_LINES = 80
_READ = 65536
_TMP = "/tmp"  # noqa: S108 - the container's own


class Host:
    """What the zygote knows of the place: how containers are kept apart, and where things lie."""

    def __init__(self, root: str, namespaces: bool, kept: list[str], hidden: str, python: bool) -> None:
        self.root = root
        self.stage = f"{root}/stage"
        self.namespaces = namespaces
        self.kept = kept
        self.hidden = hidden
        self.python = python
        self.survey = sandbox.Survey()
        self.survey.renew()
        self.ordinary = namespaces and os.geteuid() != 0
        self.proc = os.open("/proc", os.O_PATH | os.O_CLOEXEC) if self.ordinary else -1
        self.capabilities = -1 if not namespaces else 0 if self.ordinary else syscalls.CONTAINER_CAPABILITIES
        self._base = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC) if namespaces else -1

    def leave(self) -> None:
        """Back to the namespace the shim was forked in, where the host's paths mean what they say."""
        if self.namespaces:
            syscalls.setns(self._base)


class Container:
    """See the module."""

    def __init__(self, host: Host, plan: dict[str, Any], spec: dict[str, Any], pod_dir: int, *, init: bool) -> None:
        self._host = host
        self._plan = plan
        self._spec = spec
        self._pod_dir = pod_dir
        self._namespace = -1
        self._pipes: dict[int, str] = {}
        self._log: LogWriter | None = None
        self._tail = bytearray()
        self._captures = [capture for capture in plan["captures"] if capture["container"] == spec["name"]]
        self._tail_limit = max([0, *(c["limit"] for c in self._captures if c["stdout"])])
        self._tail_cut = False
        self._log_tail = b""  # of both streams: the termination message of last resort
        self._delay = 0.0
        self._began = 0.0
        self._tmp = f"{host.root}/pods/{plan['uid']}/{spec['name']}.tmp"
        self._message = f"{host.root}/pods/{plan['uid']}/{spec['name']}.message"
        self._own_tmp = all(mount["path"] != _TMP for mount in spec["mounts"])
        # A file on the container's own /dev costs less than one on the disk.
        self._message_fd = -1
        self._message_in_dev = (
            host.namespaces
            and not spec["read_only_root"]
            and spec["termination_path"] == sandbox.TERMINATION_LOG
            and not any(
                f"{sandbox.TERMINATION_LOG}/".startswith(f"{mount['path'].rstrip('/')}/") for mount in spec["mounts"]
            )
        )
        self.again_at: float | None = None
        self.name: str = spec["name"]
        self.state: dict[str, Any] = {
            "name": self.name,
            "init": init,
            "attempt": -1,
            "state": "waiting",
            "reason": "",
            "message": "",
            "last": None,
        }

    # -- what it is ---------------------------------------------------------------------------------------------------

    @property
    def waiting(self) -> bool:
        """Not started yet, or to be started again."""
        return bool(self.state["state"] == "waiting")

    @property
    def running(self) -> bool:
        """Its process lives."""
        return bool(self.state["state"] == "running")

    @property
    def ended(self) -> bool:
        """It ran and has ended."""
        return bool(self.state["state"] == "terminated")

    @property
    def succeeded(self) -> bool:
        """It ended with exit code 0."""
        return bool(self.ended and self.state["exit_code"] == 0)

    @property
    def pid(self) -> int:
        """Of its process; -1 before there is one."""
        return int(self.state.get("pid", -1))

    def made(self, pid: int) -> bool:
        """Whether a process descends from this container: by its mount namespace, else by its session."""
        try:
            if self._host.namespaces:
                return bool(os.stat(f"/proc/{pid}/ns/mnt").st_ino == self.state["namespace"])
            return os.getsid(pid) == self.pid
        except OSError:
            return False

    def signal(self, number: int) -> None:
        """To its process, as a container runtime does; what descends from it is ended with it."""
        if self.running:
            os.kill(self.pid, number)

    # -- start --------------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """All that can be done and recorded before the program runs."""
        attempt = self.state["attempt"] + 1
        self._began = time.monotonic()
        self.again_at = None
        self.state |= {
            "attempt": attempt,
            "state": "running",
            "started": time.time(),
            "reason": "",
            "message": "",
            "id": os.urandom(32).hex(),
            "pid": -1,
        }
        self._tail.clear()
        self._tail_cut = False
        self._log_tail = b""
        limits = self._plan["logs"]
        name = records.log_name(self.name, attempt)
        self._log = LogWriter(self._pod_dir, name, limits["max_bytes"], limits["max_files"])
        self._host.leave()  # the container before this one may have another /tmp, and our directory below the real one
        if attempt:
            remove_tree(self._tmp)
        os.mkdir(self._tmp)
        os.chmod(self._tmp, 0o1777)  # noqa: S103 - as /tmp is
        if not self._message_in_dev:
            os.close(os.open(self._message, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        if self._host.namespaces:
            syscalls.unshare(syscalls.CLONE_NEWNS)
            if self._namespace >= 0:
                os.close(self._namespace)
            self._namespace = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
            self.state["namespace"] = os.fstat(self._namespace).st_ino

    def start(self) -> list[int]:
        """Run the program; returns its output's pipes. Where it cannot be run, the container has ended thereby."""
        try:
            if self._host.namespaces:
                syscalls.setns(self._namespace)
            self._build_view()
            command = self._command()
            out, err = os.pipe2(os.O_CLOEXEC), os.pipe2(os.O_CLOEXEC)
            self._pipes = {out[0]: "stdout", err[0]: "stderr"}
            # No `finally`: the fork of a Python step passes here too, on its way up, with its descriptors closed.
            try:
                self.state["pid"] = start(command, out[1], err[1])
                if not self._host.namespaces:
                    self.state["born"] = born(self.pid)
            except (StartError, OSError):
                os.close(out[1])
                os.close(err[1])
                raise
            os.close(out[1])
            os.close(err[1])
        except StartError as error:
            self._not_started("StartError", str(error))
        except OSError as error:
            self._not_started("ContainerCannotRun", error.strerror or str(error))
        except ValueError as error:  # of a path that no path can be
            self._not_started("ContainerCannotRun", str(error))
        for fd in self._pipes:
            os.set_blocking(fd, False)
        return list(self._pipes)

    def _not_started(self, reason: str, message: str) -> None:
        self.state |= {
            "state": "terminated",
            "reason": reason,
            "message": message,
            "exit_code": 128,
            "finished": time.time(),
        }

    def _build_view(self) -> None:
        mounts = [(_below(mount["source"], mount["sub_path"]), mount) for mount in self._spec["mounts"]]
        if not self._host.namespaces:
            return
        read_only = self._spec["read_only_root"]
        own_message = self._message_in_dev
        binds = [] if own_message else [sandbox.Bind(self._message, self._spec["termination_path"])]
        if self._own_tmp:
            binds.append(sandbox.Bind(self._tmp, _TMP, read_only))
        binds += [sandbox.Bind(source, mount["path"], mount["read_only"]) for source, mount in mounts]
        host, size = self._host, self._plan["root_bytes"]
        apart = {"read_only": read_only, "own_message": own_message}
        sandbox.build(host.survey, host.stage, binds, host.kept, host.hidden, size, **apart)
        if own_message:
            self._close_message()
            self._message_fd = os.open(sandbox.TERMINATION_LOG, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)

    def _command(self) -> Command:
        spec = self._spec
        argv, env, cwd = spec["argv"], spec["env"], spec["cwd"]
        _check_words(argv, env, cwd)
        try:
            os.makedirs(cwd, exist_ok=True)
        except OSError as error:
            raise StartError(f"unable to start container process: chdir to cwd ({cwd!r}): {error.strerror}") from error
        executable = find_executable(argv[0], env, cwd)
        command = Command(executable, argv, env, cwd)
        if self._host.python:
            command.python = warm.understand(executable, argv, env, cwd)
        command.no_new_privileges = spec["no_new_privileges"]
        command.capabilities = 0 if spec["drop_capabilities"] else self._host.capabilities
        command.apart, command.processes = self._host.proc, self._plan["processes"]
        return command

    # -- output -------------------------------------------------------------------------------------------------------

    def owns(self, fd: int) -> bool:
        """Whether a pipe is this container's."""
        return fd in self._pipes

    def pump(self, fd: int) -> bool:
        """Take what a pipe holds; False at its end (the caller closes it)."""
        try:
            data = os.read(fd, _READ)
        except BlockingIOError:
            return True
        stream = self._pipes[fd]
        if not data:
            del self._pipes[fd]
            return False
        if self._log is not None:
            self._log.write(stream, data)
        self._log_tail = (self._log_tail + data)[-_FALLBACK_BYTES:]
        if stream == "stdout" and self._tail_limit:
            self._tail += data
            if len(self._tail) > self._tail_limit:
                del self._tail[: -self._tail_limit]
                self._tail_cut = True
        return True

    def drain(self) -> list[int]:
        """Take all that is left, after the processes have ended; returns the pipes to close.

        A process that got away from the container (it cannot, in a namespace) might hold a pipe for ever: it is not
        waited for longer than a second.
        """
        closed = []
        poll = select.poll()
        for fd in self._pipes:
            poll.register(fd, select.POLLIN)
        until = time.monotonic() + _DRAIN_SECONDS
        while self._pipes and (left := until - time.monotonic()) > 0:
            for fd, _event in poll.poll(left * 1000):
                if not self.pump(fd):
                    poll.unregister(fd)
                    closed.append(fd)
        closed += self._pipes
        self._pipes = {}
        return closed

    # -- the end ------------------------------------------------------------------------------------------------------

    def exited(self, status: int) -> None:
        """The process has ended, with this wait status."""
        code = os.waitstatus_to_exitcode(status)
        self.state |= {
            "state": "terminated",
            "exit_code": 128 - code if code < 0 else code,
            "reason": "Error" if code else "Completed",
            "finished": max(time.time(), self.state["started"]),  # the clock may have been set back meanwhile
        }

    def lost(self, message: str) -> None:
        """Its end was not seen."""
        if self.running:
            self._not_started("ContainerStatusUnknown", message)

    def conclude(self) -> dict[str, Any]:
        """After the end: close the log, read the termination message and what is to be captured."""
        if self._log is not None:
            self._log.close()
            if self._log.lost:
                self.state["message"] = f"{self._log.lost} bytes of the log could not be written (disk full?)"
            self._log = None
        if self.state["reason"] in ("StartError", "ContainerCannotRun"):
            return {c["name"]: _nothing("the container was not started") for c in self._captures}
        if self._message_in_dev:
            said = os.pread(self._message_fd, _MESSAGE_BYTES, 0)
        else:
            self._host.leave()
            said = _read(self._message, _MESSAGE_BYTES)[0]
            if self._host.namespaces:
                syscalls.setns(self._namespace)
        if not said and self._spec["termination_policy"] == "FallbackToLogsOnError" and self.state["exit_code"]:
            said = b"".join(self._log_tail.splitlines(keepends=True)[-_FALLBACK_LINES:])
        if said:
            self.state["message"] = said.decode(errors="replace")
        return {capture["name"]: self._capture(capture) for capture in self._captures}

    def _capture(self, capture: dict[str, Any]) -> dict[str, Any]:
        limit = capture["limit"]
        if capture["stdout"]:
            cut = self._tail_cut or len(self._tail) > limit
            return {"data": _encoded(bytes(self._tail[-limit:])), "truncated": cut, "error": ""}
        data, error = _read(capture["file"], limit + 1)
        if error:
            return _nothing(error)
        return {"data": _encoded(data[:limit]), "truncated": len(data) > limit, "error": ""}

    def close(self) -> None:
        """Let go of its namespace and of what lies there."""
        self._close_message()
        if self._namespace >= 0:
            os.close(self._namespace)

    def _close_message(self) -> None:
        if self._message_fd >= 0:
            os.close(self._message_fd)
            self._message_fd = -1

    def plan_restart(self, policy: str, backoff: dict[str, float]) -> None:
        """Wait for another attempt where the policy says so, as Kubernetes: 10 s, doubled up to five minutes."""
        wanted = policy == "Always" if self.succeeded else policy in ("Always", "OnFailure")
        if self.state["init"] and self.succeeded:
            wanted = False
        if not wanted:
            return
        if time.monotonic() - self._began > 2 * backoff["longest"]:
            self._delay = 0.0
        self._delay = min(self._delay * 2, backoff["longest"]) or backoff["first"]
        self.again_at = time.monotonic() + self._delay
        kept = ("reason", "message", "exit_code", "started", "finished", "id")
        self.state |= {
            "last": {key: self.state[key] for key in kept},
            "state": "waiting",
            "reason": "CrashLoopBackOff",
            "message": f"back-off {self._delay:g}s restarting failed container={self.name}",
        }


def _check_words(argv: list[str], env: dict[str, str], cwd: str) -> None:
    """Refuse what the kernel takes for the end of a word: a binary value of a Secret, mostly.

    Raises:
        StartError: names where it is, never the value.
    """
    named = {"its command line": "".join(argv), "its working directory": cwd}
    named |= {f"the environment variable {name!r}": name + value for name, value in env.items()}
    for what, text in named.items():
        if "\0" in text:
            raise StartError(f"unable to start container process: {what} contains a NUL byte")
    if wrong := [name for name in env if not name or "=" in name]:  # by way of a prefix
        raise StartError(f"unable to start container process: no environment variable can be called {wrong[0]!r}")


def _below(source: str, sub_path: str) -> str:
    """A subPath of a volume, made when missing.

    Raises:
        StartError: it leads out of the volume.
    """
    if not sub_path:
        return source
    path = os.path.realpath(f"{source}/{sub_path}")
    root = os.path.realpath(source)
    if path != root and not path.startswith(root + "/"):
        raise StartError(f"subPath {sub_path!r} leads out of its volume")
    os.makedirs(path, exist_ok=True) if not os.path.lexists(path) else None
    return path


def _read(path: str, limit: int) -> tuple[bytes, str]:
    """The first `limit` bytes of a regular file, and why there are none."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO must not hold the supervision up
        with open(fd, "rb", buffering=0) as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                return b"", "not a regular file"
            data = b""
            while len(data) < limit and (more := file.read(limit - len(data))):
                data += more
            return data, ""
    except OSError as error:
        return b"", (error.strerror or str(error)).lower()
    except ValueError as error:  # of a path that no path can be
        return b"", str(error)


def _nothing(why: str) -> dict[str, Any]:
    return {"data": None, "truncated": False, "error": why}


def _encoded(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode()
