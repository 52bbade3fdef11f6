"""Which `tiphys up` a command is about: its data directory, and whether it runs."""

from __future__ import annotations

import fcntl
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from tiphys.errors import UsageError
from tiphys.kit.places import below_home

if TYPE_CHECKING:
    import argparse

__all__ = ["add_data_dir", "called", "data_dir", "default_data_dir", "holder", "server_of"]


def add_data_dir(parser: argparse.ArgumentParser) -> None:
    """The flag --data-dir."""
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        default=None,
        help="where everything is kept (default: $TIPHYS_DATA_DIR, else ~/.local/share/tiphys)",
    )


def data_dir(options: argparse.Namespace) -> Path:
    """The flag, $TIPHYS_DATA_DIR, or the default.

    Raises:
        UsageError: the flag is empty, or no file can have that name.
    """
    if options.data_dir == "":  # a variable of a script that is not set must not mean the user's own cluster
        raise UsageError("--data-dir is empty: name a directory, or leave it out")
    folder = Path(options.data_dir).absolute() if options.data_dir else default_data_dir()
    try:
        folder.exists()
    except OSError as error:
        raise UsageError(f"{folder} cannot be looked at: {error.strerror}; choose another --data-dir") from error
    return folder


def called(options: argparse.Namespace, words: str) -> str:
    """The command `words` about the same data directory, as a person types it."""
    flag = f" --data-dir {shlex.quote(options.data_dir)}" if options.data_dir else ""
    return f"tiphys {words}{flag}"


def default_data_dir() -> Path:
    """$TIPHYS_DATA_DIR, or the one below $XDG_DATA_HOME.

    Raises:
        UsageError: this user has no home.
    """
    if named := os.environ.get("TIPHYS_DATA_DIR"):
        return Path(named).absolute()
    return below_home(os.environ, "XDG_DATA_HOME", ".local/share", instead="--data-dir and KUBECONFIG") / "tiphys"


def holder(folder: Path) -> int:
    """The pid of the process that has the data directory; 0 if nobody has. The kernel knows: it is a lock.

    Raises:
        UsageError: this user may not know.
    """
    try:
        descriptor = os.open(folder / "tiphys.db.lock", os.O_RDWR | os.O_CLOEXEC)
    except PermissionError as error:
        raise UsageError(f"{folder} is another user's: do it as that user, or choose another --data-dir") from error
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
