"""Run a Python program in a fork of an interpreter that is warm already, as if `python …` had just been started.

The zygote's child calls `run` from its first frame; it does not return. What a fresh interpreter would not have is
undone (streams, argv, path, environment, `__main__`), and what it does at its end is done: threads are waited for, exit
handlers run, the program's objects are let go (so that a file that was never closed is written), streams flushed.
Command lines and environments that ask for another kind of interpreter are not taken (`understand` gives None): the
caller starts the real one.

What still differs: modules that are preloaded are in `sys.modules` (and win over files of their names beside a script),
`logging`'s exit handler is registered, all steps share one seed for the hashes of strings until the interpreter is
started again, and `inspect.stack()` shows the frames of this module below the program's.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import NoReturn

__all__ = ["Invocation", "run", "understand"]

# Environment variables of the interpreter that can be honoured after its start; any other asks for a fresh one.
_HONOURED = frozenset(("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONUNBUFFERED"))
_LOCALES = ("LC_ALL", "LC_CTYPE", "LANG")
_LENIENT = ("C", "POSIX", "C.UTF-8", "C.utf8", "UTF-8")


class Invocation:
    """A command line of the interpreter, understood. `how` is one of "-c", "-m", "file"."""

    __slots__ = ("argv", "how", "line", "target", "unbuffered")

    def __init__(self, how: str, target: str, argv: list[str], line: list[str], unbuffered: bool) -> None:
        self.how = how
        self.target = target
        self.argv = argv
        self.line = line
        self.unbuffered = unbuffered


def understand(executable: str, argv: list[str], env: dict[str, str], cwd: str) -> Invocation | None:
    """The invocation that a command is, when this very interpreter can run it in a fork; None otherwise.

    Args:
        executable: the file found for argv[0], in the container's view.
    """
    if not _same_kind(env):
        return None
    home = os.path.dirname(sys.executable)
    if os.path.dirname(executable) != home:
        return None
    if os.path.realpath(executable) != os.path.realpath(sys.executable):
        # A console script of this environment: the kernel would run `#!interpreter` with its path.
        return (
            Invocation(
                "file",
                executable,
                [executable, *argv[1:]],
                [sys.executable, executable, *argv[1:]],
                bool(env.get("PYTHONUNBUFFERED")),
            )
            if _is_script_of(executable, home)
            else None
        )
    unbuffered = bool(env.get("PYTHONUNBUFFERED"))
    rest = argv[1:]
    while rest and rest[0] == "-u":
        unbuffered = True
        del rest[0]
    if len(rest) >= 2 and rest[0] in ("-c", "-m"):
        return Invocation(rest[0], rest[1], [rest[0], *rest[2:]], argv, unbuffered)
    if rest and not rest[0].startswith("-") and os.path.isfile(os.path.join(cwd, rest[0])):
        return Invocation("file", rest[0], rest, argv, unbuffered)
    return None


def _same_kind(env: dict[str, str]) -> bool:
    for name in env:
        if name.startswith("PYTHON") and name not in _HONOURED and not name.startswith("PYTHON_VERSION"):
            return False
        if name.startswith("LD_"):
            return False
    locale = _locale(env)
    return locale in _LENIENT or locale.lower().replace("-", "").endswith("utf8")


def _locale(env: dict[str, str]) -> str:
    return next((env[name] for name in _LOCALES if env.get(name)), "C")


def _is_script_of(executable: str, home: str) -> bool:
    try:
        with open(executable, "rb") as file:
            first = file.readline(256)
    except OSError:
        return False
    interpreter = first.removeprefix(b"#!").strip().decode(errors="replace")
    return (
        first.startswith(b"#!")
        and os.path.dirname(interpreter) == home
        and os.path.realpath(interpreter) == os.path.realpath(sys.executable)
    )


def run(invocation: Invocation, env: dict[str, str], inherited: int, own: list[str]) -> NoReturn:
    """Become the program. Called once, in a child that has nothing else to do.

    Args:
        inherited: how many modules were loaded before the fork, without `own`.
        own: names of the modules that a program did not ask for and must not see: ours.
    """
    for name in own:
        del sys.modules[name]
    _prepare(invocation, env)
    status = 0
    try:
        _execute(invocation)
    except SystemExit as stop:
        status = _status_of(stop)
    except KeyboardInterrupt:
        status = -1
        _report(*sys.exc_info())
    except BaseException:  # noqa: BLE001 - the top of the program: what a fresh interpreter prints, and its status
        status = 1
        _report(*sys.exc_info())
    _leave(status, inherited)


def _prepare(invocation: Invocation, env: dict[str, str]) -> None:
    import gc
    import signal
    import types

    os.environ.clear()
    os.environ.update(env)
    if "TZ" in env:
        import time

        time.tzset()
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _open_streams(invocation.unbuffered, _locale(env) in _LENIENT)
    sys.dont_write_bytecode = bool(env.get("PYTHONDONTWRITEBYTECODE"))
    sys.argv = list(invocation.argv)
    sys.orig_argv = list(invocation.line)
    first = {"-c": "", "-m": os.getcwd()}.get(invocation.how)
    if first is None:
        first = os.path.dirname(os.path.realpath(invocation.target))
    more = [path for path in env.get("PYTHONPATH", "").split(":") if path]
    sys.path[:] = [first, *more, *sys.path[1:]]
    main = types.ModuleType("__main__")
    main.__dict__.update(__builtins__=sys.modules["builtins"], __annotations__={})
    sys.modules["__main__"] = main
    gc.enable()


def _open_streams(unbuffered: bool, lenient: bool) -> None:
    """As the interpreter opens them: stdout in blocks, stderr in lines, both at once with -u.

    Args:
        lenient: bytes that are no text pass through, as in the locales that say nothing about text (PEP 538).
    """
    import io

    for number, name in enumerate(("stdin", "stdout", "stderr")):
        at_once = unbuffered and number > 0
        raw = open(number, "rb" if number == 0 else "wb", buffering=0 if at_once else -1, closefd=False)  # noqa: SIM115
        setattr(getattr(raw, "raw", raw), "name", f"<{name}>")  # noqa: B010 - typed as read-only; it is not
        errors = "backslashreplace" if number == 2 else "surrogateescape" if lenient else "strict"
        stream = io.TextIOWrapper(raw, "utf-8", errors, line_buffering=number == 2, write_through=at_once)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _execute(invocation: Invocation) -> None:
    scope = sys.modules["__main__"].__dict__
    if invocation.how == "-m":
        import runpy

        runpy._run_module_as_main(invocation.target)  # type: ignore[attr-defined]  # what `python -m` itself calls
    elif invocation.how == "-c":
        exec(compile(invocation.target, "<string>", "exec", dont_inherit=True), scope)  # noqa: S102
    else:
        import importlib.machinery

        path = os.path.abspath(invocation.target)
        scope.update(__file__=path, __cached__=None, __loader__=importlib.machinery.SourceFileLoader("__main__", path))
        with open(path, "rb") as file:
            source = file.read()
        exec(compile(source, path, "exec", dont_inherit=True), scope)  # noqa: S102


def _status_of(stop: SystemExit) -> int:
    if stop.code is None:
        return 0
    if isinstance(stop.code, int):
        return stop.code & 0xFF
    sys.stdout.flush()
    print(stop.code, file=sys.stderr)  # noqa: T201 - as the interpreter does
    return 1


def _report(kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
    """The traceback, without the frames of this module."""
    if kind is None or error is None:
        return
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    error.__traceback__ = trace
    sys.last_type, sys.last_value, sys.last_traceback = kind, error, trace
    sys.excepthook(kind, error, trace)


def _leave(status: int, inherited: int) -> NoReturn:
    """What Py_FinalizeEx does for a program, without taking the interpreter apart."""
    try:
        if "threading" in sys.modules:
            sys.modules["threading"]._shutdown()
        import atexit

        atexit._run_exitfuncs()
    except BaseException:  # noqa: BLE001 - an exit handler's error is shown and changes nothing, as there
        _report(*sys.exc_info())
    flushed = _flush()
    _let_go(inherited)
    if not (_flush() and flushed):
        status = 120
    if status == -1:
        import signal

        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(status)


def _flush() -> bool:
    whole = True
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except (OSError, ValueError, AttributeError):
            whole = False
    return whole


def _let_go(inherited: int) -> None:
    """Clear what the program's own modules hold, so that destructors run and buffered files are written.

    Only the program's modules are looked at: a look at an inherited one copies the page it lies on.
    """
    import gc
    import itertools

    sys.modules["__main__"].__dict__.clear()
    gc.collect()
    added = list(itertools.islice(reversed(sys.modules.items()), max(0, len(sys.modules) - inherited)))
    own = [
        m
        for _, m in added
        if not (getattr(m, "__file__", None) or sys.prefix).startswith((sys.prefix, sys.base_prefix))
    ]
    for module in own:
        module.__dict__.clear()
    if own:
        gc.collect()
