"""Runs `tiphys` with its own words and ends it by SIGKILL at one boundary: before or after a durable write or request.

    python kill_driver.py N obm sync-creds …    N = 1, 2, …; past the last boundary the command simply ends

Not a test: `test_obm_kills` starts it.
"""

import itertools
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from tiphys.cli.main import main
from tiphys.credentials.directory import DirectoryStore
from tiphys.obm.transport import Transport

_boundaries = itertools.count(1)


def _boundary() -> None:
    if next(_boundaries) == int(sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)


def _between(work: Callable[..., Any]) -> Callable[..., Any]:
    def run(*arguments: Any, **options: Any) -> Any:
        _boundary()
        result = work(*arguments, **options)
        _boundary()
        return result

    return run


DirectoryStore._save = _between(DirectoryStore._save)  # type: ignore[method-assign]
Transport.send = _between(Transport.send)  # type: ignore[method-assign]

if __name__ == "__main__":
    sys.exit(main(sys.argv[2:]))
