"""Which `tiphys up` a command is about: its data directory, and whether it runs."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

__all__ = ["add_data_dir", "data_dir", "default_data_dir", "holder", "server_of"]


def add_data_dir(parser: argparse.ArgumentParser) -> None:
    """The flag --data-dir."""
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        default="",
        help="where everything is kept (default: $TIPHYS_DATA_DIR, else ~/.local/share/tiphys)",
    )


def data_dir(options: argparse.Namespace) -> Path:
    """The flag, $TIPHYS_DATA_DIR, or the default."""
    return Path(options.data_dir).absolute() if options.data_dir else default_data_dir()


def default_data_dir() -> Path:
    """$TIPHYS_DATA_DIR, or the one below $XDG_DATA_HOME."""
    if named := os.environ.get("TIPHYS_DATA_DIR"):
        return Path(named).absolute()
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "tiphys"


def holder(folder: Path) -> int:
    """The pid of the process that has the data directory; 0 if nobody has. The kernel knows: it is a lock."""
    try:
        descriptor = os.open(folder / "tiphys.db.lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
        return int(text) if text.isdigit() else 0
    finally:
        os.close(descriptor)
    return 0


def server_of(folder: Path) -> str:
    """The address of the API, as it was at the last start."""
    port = (folder / "port").read_text().strip() if (folder / "port").exists() else "?"
    return f"https://127.0.0.1:{port}"
