"""`tiphys stop`: end workflows, their exit handlers run; or fail one suspended node."""

from __future__ import annotations

from tiphys.cli.command import Command
from tiphys.cli.grammar import Flag, Options
from tiphys.cli.listing import FIELD_SELECTOR, SELECTOR, named_or_selected
from tiphys.cli.session import Session, say
from tiphys.cli.writing import changed, shut_down
from tiphys.kit.clock import rfc3339

__all__ = ["COMMAND", "DRY_RUN", "named_or_selector", "run"]

DRY_RUN = Flag("dry-run", "bool", "If true, only print the workflows that would be stopped, without stopping them.")


def named_or_selector(options: Options) -> str:
    """Of the arguments of stop and terminate."""
    given = options.arguments or options.text("selector") or options.text("field-selector")
    return "" if given else "requires either selector or workflow"


def run(options: Options, session: Session) -> int:
    """Stop them one after the other."""
    for name in named_or_selected(session, options):
        if options.on("dry-run"):
            say(f"workflow {name} stopped (dry-run)\n")
        elif options.text("node-field-selector"):
            say(f"workflow {_fail_nodes(session, name, options)} stopped\n")
        else:
            say(f"workflow {shut_down(session, name, 'Stop')} stopped\n")
    return 0


def _fail_nodes(session: Session, name: str, options: Options) -> str:
    from tiphys.workflow.operations.suspension import NodeValues, with_node_values

    values = NodeValues(phase="Failed", message=options.text("message"))
    selector, now = options.text("node-field-selector"), rfc3339(session.now())
    fresh = changed(session, name, lambda workflow: with_node_values(workflow, selector, values, now))
    return str(fresh["metadata"]["name"])


COMMAND = Command(
    "stop WORKFLOW WORKFLOW2...",
    "stop zero or more workflows allowing all exit handlers to run",
    (
        DRY_RUN,
        FIELD_SELECTOR,
        Flag("message", "string", "Message to add to previously running nodes"),
        Flag(
            "node-field-selector",
            "string",
            "selector of node to stop, eg: --node-field-selector inputs.paramaters.myparam.value=abc",
        ),
        SELECTOR,
    ),
    run,
    named_or_selector,
    "  tiphys stop my-wf\n  tiphys stop @latest\n  tiphys stop -l workflows.argoproj.io/test=true\n",
)
