"""`tiphys terminate`: end workflows at once, without their exit handlers."""

from __future__ import annotations

from tiphys.cli.command import Command
from tiphys.cli.grammar import Options
from tiphys.cli.listing import FIELD_SELECTOR, SELECTOR, named_or_selected
from tiphys.cli.session import Session, say
from tiphys.cli.stop import DRY_RUN, named_or_selector
from tiphys.cli.writing import shut_down

__all__ = ["COMMAND", "run"]


def run(options: Options, session: Session) -> int:
    """Terminate them one after the other."""
    for name in named_or_selected(session, options):
        if options.on("dry-run"):
            say(f"workflow {name} terminated (dry-run)\n")
        else:
            say(f"workflow {shut_down(session, name, 'Terminate')} terminated\n")
    return 0


COMMAND = Command(
    "terminate WORKFLOW WORKFLOW2...",
    "terminate zero or more workflows immediately",
    (DRY_RUN, FIELD_SELECTOR, SELECTOR),
    run,
    named_or_selector,
    "  tiphys terminate my-wf\n  tiphys terminate @latest\n",
)
