"""`tiphys get`: a workflow and its nodes."""

from __future__ import annotations

from tiphys.cli.command import Command, at_least
from tiphys.cli.grammar import Flag, Options
from tiphys.cli.output import NODE_SELECTOR, STATUS, node_filter, workflow_output
from tiphys.cli.session import Session, say, style_of

__all__ = ["COMMAND", "run"]

_OUTPUTS = ("name", "json", "yaml", "short", "wide")


def run(options: Options, session: Session) -> int:
    """Print them one after the other."""
    style, shown = style_of(options), node_filter(options)
    for name in options.arguments:
        workflow = session.workflow(name)
        say(workflow_output(workflow, options.text("output"), session.now(), style=style, shown=shown))
    return 0


COMMAND = Command(
    "get WORKFLOW...",
    "display details about a workflow",
    (
        Flag("no-color", "bool", "Disable colorized output"),
        Flag("no-utf8", "bool", "Use plain 7-bits ascii characters"),
        NODE_SELECTOR,
        Flag("output", "string", "Output format", short="o", choices=_OUTPUTS),
        STATUS,
    ),
    run,
    at_least(1),
    "  tiphys get my-wf\n  tiphys get @latest\n",
)
