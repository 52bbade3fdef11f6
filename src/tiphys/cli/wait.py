"""`tiphys wait`: until workflows have ended. Exit code 1 if one failed."""

from __future__ import annotations

from tiphys.cli.command import Command, any_number
from tiphys.cli.following import wait_for
from tiphys.cli.grammar import Flag, Options
from tiphys.cli.session import Session

__all__ = ["COMMAND", "run"]


def run(options: Options, session: Session) -> int:
    """Wait for all of them."""
    return wait_for(session, options.arguments, ignore_missing=options.on("ignore-not-found"))


COMMAND = Command(
    "wait [WORKFLOW...]",
    "waits for workflows to complete",
    (Flag("ignore-not-found", "bool", "Ignore the wait if the workflow is not found"),),
    run,
    any_number,
    "  tiphys wait my-wf\n  tiphys wait @latest\n",
)
