"""`tiphys version`: which Tiphys this is, in the layout of `argo version`."""

from __future__ import annotations

import platform
import sys

from tiphys import __version__
from tiphys.cli.command import Command, any_number
from tiphys.cli.grammar import Flag, Options
from tiphys.cli.session import Session, say

__all__ = ["COMMAND", "run"]


def run(options: Options, _: Session) -> int:
    """Print it."""
    say(f"tiphys: v{__version__}\n")
    if not options.on("short"):
        say(
            f"  PythonVersion: {platform.python_version()}\n"
            f"  Platform: {sys.platform}/{platform.machine()}\n"
            "  Argo: v4.1 command line\n"
        )
    return 0


COMMAND = Command(
    "version",
    "print version information",
    (Flag("short", "bool", "print just the version number"),),
    run,
    any_number,
)
