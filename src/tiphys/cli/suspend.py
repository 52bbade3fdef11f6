"""`tiphys suspend`: let workflows start nothing new."""

from __future__ import annotations

from tiphys.cli.command import Command, at_least
from tiphys.cli.grammar import Options
from tiphys.cli.session import Object, Session, in_argos_words, say
from tiphys.cli.writing import changed
from tiphys.errors import ApiError, TiphysError, UsageError

__all__ = ["COMMAND", "run"]


def run(options: Options, session: Session) -> int:
    """Suspend them one after the other."""
    for name in options.arguments:
        try:
            changed(session, name, _suspended, "InvalidArgument")
        except TiphysError as error:
            if isinstance(error, ApiError) and error.code == 403:
                raise  # with the rule that would allow it
            raise UsageError(f"failed to suspend {name}: {in_argos_words(error)}") from error
        say(f"workflow {name} suspended\n")
    return 0


def _suspended(workflow: Object) -> Object | None:
    from tiphys.workflow.operations.suspension import suspended

    try:
        return suspended(workflow)
    except UsageError as error:  # argo has tried again and again before it says so
        raise UsageError(f"timed out waiting for the condition: {error}") from error


COMMAND = Command(
    "suspend WORKFLOW1 WORKFLOW2...",
    "suspend zero or more workflows (opposite of resume)",
    (),
    run,
    at_least(1),
    "  tiphys suspend my-wf\n  tiphys suspend @latest\n",
)
