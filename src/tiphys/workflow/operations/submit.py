"""From a manifest or a template to the workflow that is created: options of `submit` applied. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tiphys.errors import UsageError
from tiphys.workflow.operations import labels

__all__ = [
    "ParameterError",
    "SubmitOptions",
    "from_cron_workflow",
    "from_template",
    "parse_labels",
    "parse_parameters",
    "with_options",
    "with_parameters",
]

Object = dict[str, Any]


class ParameterError(UsageError):
    """A parameter that is not of the form NAME=VALUE."""


class SubmitOptions(NamedTuple):
    """What `submit` overrides; "" and None leave the manifest as it is.

    Attributes:
        parameters: as `NAME=VALUE`.
        labels, annotations: as `NAME=VALUE,NAME=VALUE`.
    """

    name: str = ""
    generate_name: str = ""
    entrypoint: str = ""
    parameters: Sequence[str] = ()
    service_account: str = ""
    labels: str = ""
    annotations: str = ""
    priority: int | None = None


def from_template(name: str, *, cluster_scope: bool = False) -> Object:
    """A workflow that runs a WorkflowTemplate (or ClusterWorkflowTemplate)."""
    ref: Object = {"name": name, "clusterScope": True} if cluster_scope else {"name": name}
    label = labels.CLUSTER_TEMPLATE if cluster_scope else labels.TEMPLATE
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"generateName": f"{name}-", "labels": {label: name}},
        "spec": {"arguments": {}, "workflowTemplateRef": ref},
    }


def from_cron_workflow(cron: Mapping[str, Any], scheduled: str) -> Object:
    """A workflow as the CronWorkflow would have started it at `scheduled` (RFC 3339)."""
    meta, spec = cron["metadata"], cron["spec"]
    extra = spec.get("workflowMetadata") or {}
    instance = (meta.get("labels") or {}).get(labels.INSTANCE)
    own: Object = {
        "generateName": f"{meta['name']}-",
        "labels": {
            **({labels.INSTANCE: instance} if instance else {}),
            labels.CRON_WORKFLOW: meta["name"],
            **(extra.get("labels") or {}),
        },
        "annotations": {labels.SCHEDULED_TIME: scheduled, **(extra.get("annotations") or {})},
        "ownerReferences": [
            {
                "apiVersion": "argoproj.io/v1alpha1",
                "kind": "CronWorkflow",
                "name": meta["name"],
                "uid": meta["uid"],
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }
    if extra.get("finalizers"):
        own["finalizers"] = list(extra["finalizers"])
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": own,
        "spec": dict(spec.get("workflowSpec") or {}),
    }


def with_options(workflow: Mapping[str, Any], options: SubmitOptions) -> Object:
    """The workflow with the options applied.

    Raises:
        UsageError: a parameter or label that is not of the form NAME=VALUE.
    """
    meta, spec = dict(workflow.get("metadata") or {}), dict(workflow.get("spec") or {})
    meta |= _given(name=options.name, generateName=options.generate_name)
    spec |= _given(entrypoint=options.entrypoint, serviceAccountName=options.service_account)
    if options.priority is not None:
        spec["priority"] = options.priority
    for key, given, what in (("labels", options.labels, "labels"), ("annotations", options.annotations, "annotations")):
        if given:
            meta[key] = {**(meta.get(key) or {}), **parse_labels(given, what)}
    return with_parameters({**workflow, "metadata": meta, "spec": spec}, options.parameters)


def _given(**values: str) -> dict[str, str]:
    return {key: value for key, value in values.items() if value}


def with_parameters(workflow: Mapping[str, Any], given: Sequence[str]) -> Object:
    """The workflow with these arguments first, and those of its own that they do not override after them.

    Raises:
        UsageError: a parameter that is not of the form NAME=VALUE.
    """
    if not given:
        return dict(workflow)
    changed = {**workflow, "spec": _overridden(workflow.get("spec") or {}, given)}
    status = workflow.get("status") or {}
    if stored := status.get("storedWorkflowTemplateSpec"):
        arguments = {**(stored.get("arguments") or {}), "parameters": changed["spec"]["arguments"]["parameters"]}
        changed["status"] = {**status, "storedWorkflowTemplateSpec": {**stored, "arguments": arguments}}
    return changed


def _overridden(spec: Mapping[str, Any], given: Sequence[str]) -> Object:
    passed = [{"name": name, "value": value} for name, value in parse_parameters(given)]
    names = {parameter["name"] for parameter in passed}
    arguments = spec.get("arguments") or {}
    kept = [own for own in arguments.get("parameters") or () if own.get("name") not in names]
    return {**spec, "arguments": {**arguments, "parameters": [*passed, *kept]}}


def parse_parameters(given: Sequence[str]) -> list[tuple[str, str]]:
    """`NAME=VALUE` each; a value may hold further equals signs.

    Raises:
        ParameterError: one without an equals sign.
    """
    parsed = []
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise ParameterError(f"expected parameter of the form: NAME=VALUE. Received: {text}")
        parsed.append((name, value))
    return parsed


def parse_labels(text: str, what: str = "labels") -> dict[str, str]:
    """`NAME=VALUE,NAME=VALUE`.

    Raises:
        UsageError: one that is not of this form.
    """
    found = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        complaint = "unexpected empty label key" if equals and not name else f"unexpected label spec: {part}"
        if not equals or not name or "=" in value:
            raise UsageError(f"expected {what} of the form: NAME1=VALUE2,NAME2=VALUE2. Received: {text}: {complaint}")
        found[name] = value
    return found
