"""The command `tiphys`: finds the command's module, hands it the words, and turns errors into one line.

A module of this package is a command; only that of the command that runs is loaded. There are two kinds: those of
`argo`'s grammar have a `COMMAND` (see `grammar`), and those of Tiphys itself have `register` and `run` on argparse.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable, Sequence

from tiphys import __version__
from tiphys.cli.globals import GLOBAL, command_index
from tiphys.cli.grammar import parse
from tiphys.errors import ApiError, TiphysError, UsageError

__all__ = ["COMMANDS", "WORKFLOW_COMMANDS", "main"]

COMMANDS = {
    "up": "start a cluster on this machine, in one process",
    "down": "stop it; what is stored stays",
    "status": "say whether it runs, and where",
    "kubeconfig": "print the kubeconfig, or merge it into your own",
    "demo": "show the main job on this machine, with simulated BMCs",
    "doctor": "say what this machine can do, and what follows",
    "obm": "bring a BMC to the password and the firmware on record",
    "simulate": "serve simulated BMCs to try things on",
}
"""Tiphys' own."""

WORKFLOW_COMMANDS = {
    "submit": "submit a workflow",
    "get": "display details about a workflow",
    "list": "list workflows",
    "logs": "view logs of a pod or workflow",
    "wait": "waits for workflows to complete",
    "watch": "watch a workflow until it completes",
    "retry": "retry zero or more workflows",
    "resubmit": "resubmit one or more workflows",
    "stop": "stop zero or more workflows allowing all exit handlers to run",
    "terminate": "terminate zero or more workflows immediately",
    "suspend": "suspend zero or more workflows (opposite of resume)",
    "resume": "resume zero or more workflows (opposite of suspend)",
    "node": "perform action on a node in a workflow",
    "delete": "delete workflows",
    "lint": "validate files or directories of manifests",
    "template": "manipulate workflow templates",
    "cluster-template": "manipulate cluster workflow templates",
    "cron": "look at cron workflows",
    "completion": "output shell completion code for the specified shell (bash, zsh or fish)",
    "version": "print version information",
}
"""Those of `argo`'s grammar, on whatever cluster the kubeconfig names."""

_ALIASES = {"cwft": "cluster-template", "cwftmpl": "cluster-template"}
_ELSEWHERE = {
    "archive": "the archive needs an Argo Server; finished workflows stay in `tiphys list` until they are deleted",
    "auth": "there is no Argo Server to log in to; `kubectl create token` makes tokens",
    "cp": "artifacts need an Argo Server; `tiphys logs` and outputs of `tiphys get -o yaml` do not",
    "executor-plugin": "executor plugins are not supported",
    "server": "there is no Argo Server; `tiphys up` starts a cluster on this machine",
}


_BROKEN_PIPE, _INTERRUPTED = 141, 130
"""As a shell tells the end by SIGPIPE and SIGINT."""


_UNWRITTEN = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF))
"""Errors of standard output that is a file; others are told where they happen."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    _open_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that has no ✔ shows a question mark
    try:
        code = _run(words)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # who read our output has had enough
        return _BROKEN_PIPE
    except OSError as error:
        if error.errno not in _UNWRITTEN or error.filename is not None:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # else the rest is tried again at exit
        sys.stderr.write(f"Error: the output cannot be written: {(error.strerror or '').lower()}\n")
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    return code


def _open_streams() -> None:
    """Where a stream was closed by who called us, nothing is read or written; no other file takes its number."""
    if None not in (sys.stdin, sys.stdout, sys.stderr):
        return
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < 3:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    sys.stdin = sys.stdin or os.fdopen(0, "r")
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")


def _run(words: list[str]) -> int:
    index = command_index(words)
    name = _ALIASES.get(words[index], words[index]) if index < len(words) else ""
    told: Callable[[TiphysError], str] = str
    try:
        _check_text(words)
        if name in COMMANDS:
            return _run_own(name, words)
        if name == "help" and index + 1 < len(words):
            return _run([*words[:index], *words[index + 1 :], "--help"])
        if not name or name == "help":
            return _introduce(words)
        if name not in WORKFLOW_COMMANDS:
            raise UsageError(_unknown(name))
        from tiphys.cli.runner import run_workflow_command
        from tiphys.cli.session import in_argos_words

        told = in_argos_words
        return run_workflow_command(name, words[:index] + words[index + 1 :])
    except TiphysError as error:
        sys.stdout.flush()
        notes = "".join(f"{note}\n" for note in getattr(error, "__notes__", ()))
        sys.stderr.write(f"Error: {told(error)}\n{notes}{_hint(error)}")
        return error.exit_code


def _check_text(words: Sequence[str]) -> None:
    """Bytes that are no UTF-8 come in as halves of characters: nothing can be done with them but to write them back."""
    for word in words:
        if not word.isascii() and any("\ud800" <= sign <= "\udfff" for sign in word):
            shown = word.encode(errors="backslashreplace").decode()
            raise UsageError(f"the argument {shown} is not UTF-8: give it in UTF-8, files by another name")


def _run_own(name: str, words: list[str]) -> int:
    from tiphys.cli.own import run_own_command

    index = words.index(name)
    return run_own_command(name, COMMANDS[name], words[:index] + words[index + 1 :])


def _introduce(words: Sequence[str]) -> int:
    if "--version" in words:
        sys.stdout.write(f"tiphys {__version__}\n")
        return 0
    from tiphys.cli.help import introduction

    parse([word for word in words if word != "help"], GLOBAL)
    sys.stdout.write(introduction(WORKFLOW_COMMANDS, COMMANDS))
    return 0


def _unknown(name: str) -> str:
    if name in _ELSEWHERE:
        return f'unknown command "{name}" for "tiphys": {_ELSEWHERE[name]}'
    import difflib

    near = difflib.get_close_matches(name, [*WORKFLOW_COMMANDS, *COMMANDS], n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else "'tiphys --help' lists them"
    return f'unknown command "{name}" for "tiphys"; {hint}'


def _hint(error: TiphysError) -> str:
    if not isinstance(error, ApiError) or error.code != 403:
        return ""
    from tiphys.kube.objects.denial import missing_rule

    rule = missing_rule(error.message)
    return f"This would allow it (kubectl apply -f -):\n{rule}" if rule else ""


if __name__ == "__main__":
    sys.exit(main())
