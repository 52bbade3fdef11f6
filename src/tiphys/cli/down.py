"""`tiphys down`: stop the cluster of a data directory."""

from __future__ import annotations

import argparse
import os
import select
import signal
import sys

from tiphys.cli.instance import add_data_dir, data_dir, holder
from tiphys.errors import UsageError

__all__ = ["register", "run"]

_STOP_SECONDS = 15


def register(parser: argparse.ArgumentParser) -> None:
    """Arguments of `tiphys down`."""
    add_data_dir(parser)


def run(options: argparse.Namespace) -> int:
    """Ask it to stop, and wait until it has."""
    folder = data_dir(options)
    pid = holder(folder)
    if not pid:
        sys.stdout.write(f"tiphys does not run in {folder}\n")
        return 0
    try:
        process = os.pidfd_open(pid)
        signal.pidfd_send_signal(process, signal.SIGTERM)
    except ProcessLookupError:
        return 0
    except PermissionError as error:
        raise UsageError(f"process {pid} is another user's: stop it as that user") from error
    readable, _, _ = select.select([process], [], [], _STOP_SECONDS)
    os.close(process)
    if not readable:
        raise UsageError(f"process {pid} did not stop within {_STOP_SECONDS} s: see {folder / 'tiphys.log'}")
    sys.stdout.write("tiphys has stopped\n")
    return 0
