"""`tiphys resubmit`: new workflows out of ones that have run."""

from __future__ import annotations

from tiphys.cli.checking import check
from tiphys.cli.command import Command
from tiphys.cli.following import FOLLOW, check_follow, follow
from tiphys.cli.grammar import Flag, Options
from tiphys.cli.listing import FIELD_SELECTOR, SELECTOR, named_or_selected
from tiphys.cli.output import OUTPUT, workflow_output
from tiphys.cli.session import WORKFLOWS, Object, RefusalError, Session, say, style_of, warn
from tiphys.errors import UsageError
from tiphys.kit.clock import rfc3339
from tiphys.kit.names import random_suffix
from tiphys.workflow.operations.labels import PREVIOUS_NAME
from tiphys.workflow.operations.submit import ParameterError

__all__ = ["COMMAND", "run"]


def run(options: Options, session: Session) -> int:
    """Resubmit them one after the other, and print each."""
    style = style_of(options, ())
    check_follow(options, 1)
    names = []
    for name in named_or_selected(session, options):
        created = _resubmit(session, name, options)
        say(workflow_output(created, options.text("output"), session.now(), style=style))
        names.append(created["metadata"]["name"])
    return follow(session, options, names, style) if len(names) == 1 else 0


def _resubmit(session: Session, name: str, options: Options) -> Object:
    from tiphys.workflow.operations.resubmit import resubmitted

    workflow = session.workflow(name)
    parameters, memoized = options.texts("parameter"), options.on("memoized")
    if parameters and (memoized or PREVIOUS_NAME in (workflow["metadata"].get("labels") or {})):
        warn("Overriding parameters on memoized or resubmitted workflows may have unexpected results")
    now = rfc3339(session.now())
    try:
        fresh = resubmitted(workflow, now, random_suffix(), memoized=memoized, parameters=parameters)
    except ParameterError as error:
        raise RefusalError(str(error), "Internal") from error
    except UsageError as error:
        raise RefusalError(str(error)) from error
    if options.given("priority"):
        fresh["spec"] = {**fresh["spec"], "priority": options.number("priority")}
    check(session, fresh, session.namespace, strict=False)
    return session.client.create(WORKFLOWS, fresh, session.namespace).object


def _arguments(options: Options) -> str:
    given = options.arguments or options.text("selector") or options.text("field-selector")
    return "" if given else "requires either selector or workflow"


COMMAND = Command(
    "resubmit [WORKFLOW...]",
    "resubmit one or more workflows",
    (
        FIELD_SELECTOR,
        Flag("memoized", "bool", "re-use successful steps & outputs from the previous run"),
        OUTPUT,
        Flag("parameter", "array", "input parameter to override on the original workflow spec", short="p"),
        Flag("priority", "int32", "workflow priority"),
        SELECTOR,
        *FOLLOW,
    ),
    run,
    _arguments,
    "  tiphys resubmit my-wf\n  tiphys resubmit --wait @latest\n  tiphys resubmit --memoized my-wf\n",
)
