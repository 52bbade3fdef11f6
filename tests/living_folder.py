"""Looking into a folder in which things come and go meanwhile."""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Iterator


def contents(folder: pathlib.Path) -> Iterator[tuple[pathlib.Path, bytes]]:
    """Every regular file that is still there when its turn comes, and what is in it; links are not followed."""
    for parent, _, names in os.walk(folder):  # passes over folders that have gone
        for path in (pathlib.Path(parent, name) for name in names):
            with contextlib.suppress(FileNotFoundError):
                if path.is_file() and not path.is_symlink():
                    yield path, path.read_bytes()
