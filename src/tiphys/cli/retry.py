"""`tiphys retry`: run the failed steps of workflows again."""

from __future__ import annotations

from tiphys.cli.command import Command
from tiphys.cli.following import FOLLOW, check_follow, follow
from tiphys.cli.grammar import Flag, Options
from tiphys.cli.listing import FIELD_SELECTOR, SELECTOR, named_or_selected
from tiphys.cli.output import OUTPUT, workflow_output
from tiphys.cli.session import PODS, WORKFLOWS, Object, RefusalError, Session, say, style_of, warn
from tiphys.errors import ApiError, UsageError
from tiphys.kit.clock import rfc3339
from tiphys.workflow.operations.labels import PREVIOUS_NAME
from tiphys.workflow.operations.submit import ParameterError

__all__ = ["COMMAND", "run"]


def run(options: Options, session: Session) -> int:
    """Retry them one after the other, and print each."""
    style = style_of(options, ())
    check_follow(options, 1)
    names = []
    for name in named_or_selected(session, options):
        fresh = _retry(session, name, options)
        say(workflow_output(fresh, options.text("output"), session.now(), style=style))
        names.append(fresh["metadata"]["name"])
    return follow(session, options, names, style) if len(names) == 1 else 0


def _retry(session: Session, name: str, options: Options) -> Object:
    from tiphys.workflow.operations.retry import retried

    workflow = session.workflow(name)
    parameters = options.texts("parameter")
    if parameters and PREVIOUS_NAME in (workflow["metadata"].get("labels") or {}):
        warn("Overriding parameters on resubmitted workflows may have unexpected results")
    try:
        fresh, pods = retried(
            workflow,
            rfc3339(session.now()),
            restart_successful=options.on("restart-successful"),
            selector=options.text("node-field-selector"),
            parameters=parameters,
        )
    except ParameterError as error:
        raise RefusalError(str(error), "Internal") from error
    except UsageError as error:
        raise RefusalError(str(error)) from error
    if len(fresh["status"]["nodes"]) == _outside_of_exit_handler(workflow):
        warn(
            f"nothing in {name} is run again: only pods and HTTP requests that failed are, and nothing of what came "
            f"after them may have succeeded. To run all of it again: tiphys resubmit {name}"
        )
    for pod in pods:
        try:
            session.client.delete(PODS, pod, session.namespace)
        except ApiError as error:
            if error.code != 404:
                raise
    return session.client.update(WORKFLOWS, fresh).object


def _outside_of_exit_handler(workflow: Object) -> int:
    nodes = (workflow.get("status") or {}).get("nodes") or {}
    return sum(not node["name"].startswith(f"{workflow['metadata']['name']}.onExit") for node in nodes.values())


def _arguments(options: Options) -> str:
    given = options.arguments or options.text("selector") or options.text("field-selector")
    return "" if given else "requires either node field selector or workflow"


COMMAND = Command(
    "retry [WORKFLOW...]",
    "retry zero or more workflows",
    (
        FIELD_SELECTOR,
        Flag(
            "node-field-selector",
            "string",
            "selector of nodes to reset, eg: --node-field-selector inputs.paramaters.myparam.value=abc",
        ),
        OUTPUT,
        Flag("parameter", "array", "input parameter to override on the original workflow spec", short="p"),
        Flag(
            "restart-successful",
            "bool",
            "indicates to restart successful nodes matching the --node-field-selector",
        ),
        SELECTOR,
        *FOLLOW,
    ),
    run,
    _arguments,
    "  tiphys retry my-wf\n  tiphys retry --wait @latest\n"
    "  tiphys retry my-wf --restart-successful --node-field-selector displayName=my-step\n",
)
