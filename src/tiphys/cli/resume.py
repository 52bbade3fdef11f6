"""`tiphys resume`: let suspended workflows, or their suspended nodes, go on."""

from __future__ import annotations

from tiphys.cli.command import Command
from tiphys.cli.grammar import Flag, Options
from tiphys.cli.session import Object, Session, in_argos_words, say
from tiphys.cli.writing import changed
from tiphys.errors import ApiError, TiphysError, UsageError
from tiphys.kit.clock import rfc3339

__all__ = ["COMMAND", "run"]


def run(options: Options, session: Session) -> int:
    """Resume them one after the other."""
    for name in options.arguments:
        try:
            changed(session, name, lambda workflow: _resumed(workflow, session, options))
        except TiphysError as error:
            if isinstance(error, ApiError) and error.code == 403:
                raise  # with the rule that would allow it
            raise UsageError(f"failed to resume {name}: {in_argos_words(error)}") from error
        say(f"workflow {name} resumed\n")
    return 0


def _resumed(workflow: Object, session: Session, options: Options) -> Object | None:
    from tiphys.workflow.operations.suspension import NodeValues, resumed, with_node_values

    selector, now = options.text("node-field-selector"), rfc3339(session.now())
    if not selector:
        return resumed(workflow, now)
    return with_node_values(workflow, selector, NodeValues(phase="Succeeded"), now)


def _arguments(options: Options) -> str:
    return "" if options.arguments else "requires a workflow"


COMMAND = Command(
    "resume WORKFLOW1 WORKFLOW2...",
    "resume zero or more workflows (opposite of suspend)",
    (
        Flag(
            "node-field-selector",
            "string",
            "selector of node to resume, eg: --node-field-selector inputs.paramaters.myparam.value=abc",
        ),
    ),
    run,
    _arguments,
    "  tiphys resume my-wf\n  tiphys resume @latest\n  tiphys resume my-wf --node-field-selector displayName=approve\n",
)
