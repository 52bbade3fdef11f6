"""`tiphys obm …`: work on BMCs, alone or as a step of the WorkflowTemplates.

The contract (options, outputs, outcomes, exit codes) is `src/tiphys/obm/README.md`. Secrets come from files only; they
are in no argument, no environment variable, no output and no log line.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from tiphys.cli.obm import many
from tiphys.obm.outcomes import OUTCOMES

__all__ = ["GROUPS", "register", "run"]

GROUPS = {
    "creds": "accounts and their passwords",
    "firmware": "the BMC's own firmware",
    "identity": "which BMC is a device's, after it was replaced or its certificate renewed",
}
"""Each is a module of this package."""


def register(parser: argparse.ArgumentParser, words: Sequence[str] | None = None) -> None:
    """Arguments of `tiphys obm`.

    Args:
        words: of the command line: a group and an operation that are not among them are only named, as a third of the
            command's start is spent on the others; None = all are wanted.
    """
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = outcomes()
    groups = parser.add_subparsers(dest="group", metavar="GROUP", required=True)
    for name, what in GROUPS.items():
        group = groups.add_parser(name, help=what, description=what)
        if words is not None and name not in words:
            continue
        commands = group.add_subparsers(dest="operation", metavar="OPERATION", required=True)
        for word, about, add, work in importlib.import_module(f"tiphys.cli.obm.{name}").OPERATIONS:
            command = commands.add_parser(
                word,
                help=about,
                description=about,
                epilog=parser.epilog,
                formatter_class=argparse.RawDescriptionHelpFormatter,
            )
            if words is None or word in words:
                add(command)
                command.set_defaults(work=work)


def outcomes() -> str:
    """The outcomes and their exit codes, for --help."""
    rows = [f"  {name:<20} {outcome.exit_code:>2}  {outcome.meaning}" for name, outcome in OUTCOMES.items()]
    return "outcomes and exit codes:\n" + "\n".join(rows)


def run(options: argparse.Namespace) -> int:
    """Do it; the exit code."""
    hosts = getattr(options, "hosts", "")
    level = logging.WARNING if hosts else logging.INFO  # of many at once, the single steps would tell nobody anything
    logging.basicConfig(stream=sys.stderr, level=level, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    if hosts:
        return many.run(options)
    signal.signal(signal.SIGTERM, _terminated)
    try:
        code: int = options.work(options)
    except KeyboardInterrupt:
        sys.stderr.write(
            "Interrupted. What a BMC was sent, it goes on with; what was sent is on record: run this again\n"
        )
        raise
    return code


def _terminated(*_: object) -> NoReturn:
    """SIGTERM: log out and let go of the BMC on the way out; what is pending is on record."""
    raise SystemExit(143)
