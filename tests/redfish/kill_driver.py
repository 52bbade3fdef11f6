"""Runs `tiphys` again and again, each time in a fork that SIGKILL ends at one boundary of a durable write or a request.

Standard input: a line of JSON a run, `{"boundary": N, "words": [...], "folder": DIR}`; N = 1, 2, …, and past the last
boundary (or 0) the command simply ends. Its outputs go to DIR/stdout and DIR/stderr, its exit code to our standard
output.

Not a test: `test_obm_kills` starts it. Forked and not started, because a start costs more than the whole command.
"""

import itertools
import json
import os
import pathlib
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

from tiphys.cli import obm  # noqa: F401 - loaded before the forks
from tiphys.cli.main import main
from tiphys.cli.obm.rewrite import CredentialsFile
from tiphys.credentials.kept import KeptStore
from tiphys.obm.transport import Transport

_boundaries = itertools.count(1)
_last = 0


def _boundary() -> None:
    if next(_boundaries) == _last:
        os.kill(os.getpid(), signal.SIGKILL)


def _between(work: Callable[..., Any]) -> Callable[..., Any]:
    def run(*arguments: Any, **options: Any) -> Any:
        _boundary()
        result = work(*arguments, **options)
        _boundary()
        return result

    return run


def _run(words: list[str], folder: pathlib.Path) -> int:
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), descriptor)
    try:
        return main(words)
    except Exception:  # noqa: BLE001 - what the interpreter would do
        traceback.print_exc()
        return 1


KeptStore._save = _between(KeptStore._save)  # type: ignore[method-assign]
Transport.send = _between(Transport.send)  # type: ignore[method-assign]
CredentialsFile.put = _between(CredentialsFile.put)  # type: ignore[method-assign]

for line in sys.stdin:
    task = json.loads(line)
    child = os.fork()
    if not child:
        _last = task["boundary"]
        code = _run(task["words"], pathlib.Path(task["folder"]))
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    sys.stdout.write(f"{code}\n")
    sys.stdout.flush()
