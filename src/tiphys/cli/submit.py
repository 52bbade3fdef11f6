"""`tiphys submit`: workflows from files, from standard input, or from a template."""

from __future__ import annotations

from collections.abc import Sequence

from tiphys.cli.checking import check
from tiphys.cli.command import Command
from tiphys.cli.following import FOLLOW, check_follow, follow
from tiphys.cli.grammar import Flag, Options
from tiphys.cli.output import NODE_SELECTOR, OUTPUT, STATUS, node_filter, workflow_output
from tiphys.cli.session import (
    CRON_WORKFLOWS,
    WORKFLOWS,
    Object,
    RefusalError,
    Session,
    in_argos_words,
    say,
    style_of,
    warn,
)
from tiphys.errors import ApiError, UsageError
from tiphys.kit.clock import from_rfc3339, rfc3339
from tiphys.workflow.operations.labels import INSTANCE, SCHEDULED_TIME
from tiphys.workflow.operations.submit import SubmitOptions, from_cron_workflow, from_template, with_options

__all__ = ["COMMAND", "run"]

_TEMPLATE_KINDS = frozenset(("workflowtemplate", "workflowtemplates", "wftmpl", "WorkflowTemplate"))
_CLUSTER_KINDS = frozenset(
    ("clusterworkflowtemplate", "clusterworkflowtemplates", "cwftmpl", "ClusterWorkflowTemplate")
)
_CRON_KINDS = frozenset(("cronworkflow", "cronworkflows", "cronwf", "cwf", "CronWorkflow"))


def run(options: Options, session: Session) -> int:
    """Create them, print each, and do what --log, --wait and --watch ask for."""
    if options.text("status") and not options.on("watch"):
        warn("--status should only be used with --watch")
    submitted = _submit_options(options)
    if source := options.text("from"):
        check_follow(options, 1)
        workflows = [_from_resource(session, source)]
    else:
        workflows = _from_files(options)
        check_follow(options, len(workflows))
    if not workflows:
        raise UsageError("No Workflow found in given files")
    shown, style = node_filter(options), style_of(options, ())
    names: dict[str, list[str]] = {}
    for workflow in workflows:
        created = _create(session, options, with_options(workflow, submitted))
        bare = bool(source) if options.on("dry-run") else not options.on("server-dry-run")
        say(workflow_output(created, options.text("output"), session.now(), style=style, shown=shown, bare=bare))
        meta = created["metadata"]
        names.setdefault(meta.get("namespace") or session.namespace, []).append(meta.get("name", ""))
    # A manifest may name a namespace of its own: argo 3.6 then waits in the wrong one, and reports a failure.
    codes = [follow(session.within(place), options, made, style, shown) for place, made in names.items()]
    return max(codes)


def _submit_options(options: Options) -> SubmitOptions:
    scheduled = options.text("scheduled-time")
    if scheduled:
        try:
            from_rfc3339(scheduled)
        except ValueError as error:
            raise UsageError(
                "scheduled-time contains invalid time.RFC3339 format. (e.g.: `2006-01-02T15:04:05-07:00`)"
            ) from error
    path = options.text("parameter-file")
    return SubmitOptions(
        name=options.text("name"),
        generate_name=options.text("generate-name"),
        entrypoint=options.text("entrypoint"),
        parameters=[*options.texts("parameter"), *(_parameters_of(path) if path else ())],
        service_account=options.text("serviceaccount"),
        labels=options.text("labels"),
        annotations=f"{SCHEDULED_TIME}={scheduled}" if scheduled else "",
        priority=options.number("priority") if options.given("priority") else None,
    )


def _parameters_of(path: str) -> list[str]:
    """`NAME=VALUE` for each key of a YAML or JSON file; values that are no strings as JSON."""
    from tiphys.cli.manifests import read
    from tiphys.kit import yaml
    from tiphys.kit.plainjson import encode

    (source,) = read([path])
    try:
        values = yaml.load(source.text)
    except UsageError as error:
        raise UsageError(f"{path} is not YAML: {error}") from error
    if values is None:
        return []  # nothing but comments
    if not isinstance(values, dict):
        raise UsageError(f"{path} is no map of parameters: write one `name: value` a line")
    return [f"{key}={value if isinstance(value, str) else encode(value).decode()}" for key, value in values.items()]


def _from_files(options: Options) -> list[Object]:
    from tiphys.cli.manifests import objects, read

    found: list[Object] = []
    for source in read(options.arguments):
        for one in objects(source):
            if one.get("kind") != "Workflow":
                name = (one.get("metadata") or {}).get("name", "an object")
                warn(f"{name} in {source.name} is not of kind Workflow. Ignoring...")
            elif not isinstance(one.get("spec"), dict):
                raise UsageError(f"the Workflow in {source.name} has no spec")
            else:
                found.append(one)
    return found


def _from_resource(session: Session, source: str) -> Object:
    kind, slash, name = source.partition("/")
    if not slash or not name:
        raise UsageError(
            f"resource identifier '{source}' is malformed. Should be `kind/name`, e.g. cronwf/hello-world-cwf"
        )
    if kind in _TEMPLATE_KINDS or kind in _CLUSTER_KINDS:
        return from_template(name, cluster_scope=kind in _CLUSTER_KINDS)
    if kind in _CRON_KINDS:
        try:
            cron = session.client.get(CRON_WORKFLOWS, name, session.namespace).object
        except ApiError as error:
            if error.code == 403:
                raise  # it is shown with the rule that would allow it
            raise UsageError(f"failed to submit workflow: {in_argos_words(error)}") from error
        return from_cron_workflow(cron, rfc3339(session.now()))
    raise UsageError(
        f"failed to submit workflow: rpc error: code = InvalidArgument desc = Resource kind '{kind}' is not supported "
        "for submitting; use workflowtemplate, clusterworkflowtemplate or cronworkflow"
    )


def _create(session: Session, options: Options, workflow: Object) -> Object:
    meta = {**workflow["metadata"]}
    if not options.text("from") or options.on("server-dry-run"):
        meta.setdefault("namespace", session.namespace)
    if session.instance:
        meta["labels"] = {**(meta.get("labels") or {}), INSTANCE: session.instance}
    workflow = {**workflow, "metadata": meta}
    namespace = meta.get("namespace") or session.namespace
    try:
        # What is there already was taken with a warning when it was made.
        check(session, workflow, namespace, strict=options.on("strict") and not options.text("from"))
        if options.on("dry-run"):
            return workflow
        created = session.client.create(WORKFLOWS, workflow, namespace, dry_run=options.on("server-dry-run")).object
    except (ApiError, RefusalError) as error:
        if isinstance(error, ApiError) and error.code == 403:
            raise  # with the rule that would allow it
        raise UsageError(f"failed to submit workflow: {in_argos_words(error)}") from error
    for text in session.client.warnings:
        warn(text)
    session.client.warnings.clear()
    return created


def _arguments(options: Options) -> str:
    if options.text("from") and options.arguments:
        return "cannot combine --from with file arguments"
    if not options.text("from") and not options.arguments:
        return "nothing to submit: give files, - for standard input, or --from kind/name"
    return ""


def _flags() -> Sequence[Flag]:
    return (
        Flag("dry-run", "bool", "modify the workflow on the client-side without creating it"),
        Flag("entrypoint", "string", "override entrypoint"),
        Flag(
            "from",
            "string",
            "Submit from an existing kind/name E.g., --from=cronwf/hello-world-cwf",
            value="kind/name",
        ),
        Flag("generate-name", "string", "override metadata.generateName"),
        Flag(
            "labels",
            "string",
            "Comma separated labels to apply to the workflow. Will override previous values.",
            short="l",
        ),
        Flag("name", "string", "override metadata.name"),
        NODE_SELECTOR,
        OUTPUT,
        Flag("parameter", "array", "pass an input parameter", short="p"),
        Flag("parameter-file", "string", "pass a file containing all input parameters", short="f"),
        Flag("priority", "int32", "workflow priority"),
        Flag(
            "scheduled-time",
            "string",
            "Override the workflow's scheduledTime parameter (useful for backfilling). The time must be RFC3339",
        ),
        Flag(
            "server-dry-run",
            "bool",
            "send request to server with dry-run flag which will modify the workflow without creating it",
        ),
        Flag("serviceaccount", "string", "run all pods in the workflow using specified serviceaccount"),
        STATUS,
        Flag("strict", "bool", "perform strict workflow validation", default="true"),
        *FOLLOW,
    )


COMMAND = Command(
    "submit [FILE... | --from kind/name]",
    "submit a workflow",
    tuple(_flags()),
    run,
    _arguments,
    "  tiphys submit my-wf.yaml\n"
    "  tiphys submit --wait my-wf.yaml\n"
    "  tiphys submit --from workflowtemplate/get-device-nautobot --parameter hostname=host.domain.local\n"
    "  cat my-wf.yaml | tiphys submit -\n",
)
