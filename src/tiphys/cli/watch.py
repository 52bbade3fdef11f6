"""`tiphys watch`: a workflow drawn again and again, until it has ended."""

from __future__ import annotations

from tiphys.cli.command import Command, exactly
from tiphys.cli.following import watch
from tiphys.cli.grammar import Options
from tiphys.cli.output import NODE_SELECTOR, STATUS, node_filter
from tiphys.cli.session import Session, style_of

__all__ = ["COMMAND", "run"]


def run(options: Options, session: Session) -> int:
    """Watch it."""
    watch(session, options.arguments[0], style_of(options, ()), node_filter(options))
    return 0


COMMAND = Command(
    "watch WORKFLOW",
    "watch a workflow until it completes",
    (NODE_SELECTOR, STATUS),
    run,
    exactly(1),
    "  tiphys watch my-wf\n  tiphys watch @latest\n",
)
