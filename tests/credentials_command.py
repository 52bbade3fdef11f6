"""URLs of a program as `command:` takes it (tests/unit/credentials/command_store.py)."""

from __future__ import annotations

import pathlib
import sys
from urllib.parse import urlencode

PROGRAM = pathlib.Path(__file__).parent / "unit" / "credentials" / "command_store.py"


def command(path: pathlib.Path, *more: str, **options: str) -> str:
    """One that keeps its documents in a file; `more` makes it behave otherwise."""
    words = ["-I", "-S", str(PROGRAM), str(path), *more]
    return f"command:{sys.executable}?" + urlencode([*(("arg", word) for word in words), *options.items()])
