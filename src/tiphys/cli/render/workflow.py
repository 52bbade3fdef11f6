"""A workflow as `argo get` and `argo submit` print it: the block of its fields, then the tree of its nodes. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from tiphys.cli.render.artifacts import artifact
from tiphys.cli.render.humanize import between, duration, moment, timestamp
from tiphys.cli.render.resources import resources_duration
from tiphys.cli.render.style import PLAIN, Style
from tiphys.cli.render.tree import Format, node_tree

__all__ = ["field", "is_suspended", "status_text", "text", "workflow_text"]

_Object = Mapping[str, Any]


def field(name: str, value: object, width: int = 20) -> str:
    """A line of such a block."""
    return f"{name:<{width}} {value}\n"


def text(value: object) -> str:
    """A parameter's value, which a manifest may also give as a number or a boolean."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def workflow_text(
    workflow: _Object,
    now: dt.datetime,
    *,
    format: Format = "",
    style: Style = PLAIN,
    shown: Callable[[_Object], bool] | None = None,
) -> str:
    """The block and the tree; the tree alone for `-o short` (the block, while there is no tree)."""
    tree = node_tree(workflow, now, format=format, style=style, shown=shown)
    if format == "short" and tree:
        return tree
    return _block(workflow, now, style) + ("\n" + tree if tree else "")


def status_text(workflow: _Object) -> str:
    """The phase, with what people want to know beside it."""
    phase = (workflow.get("status") or {}).get("phase") or ""
    if phase == "Running" and is_suspended(workflow):
        return "Running (Suspended)"
    if phase == "Failed" and (workflow.get("spec") or {}).get("shutdown"):
        return "Failed (Terminated)"
    if phase in ("", "Pending"):
        return "Pending" if workflow["metadata"].get("creationTimestamp") else "Unknown"
    return str(phase)


def is_suspended(workflow: _Object) -> bool:
    """The whole, or a node of it, waits to be resumed."""
    nodes = (workflow.get("status") or {}).get("nodes") or {}
    return bool((workflow.get("spec") or {}).get("suspend")) or any(
        node.get("type") == "Suspend" and node.get("phase") == "Running" for node in nodes.values()
    )


def _block(workflow: _Object, now: dt.datetime, style: Style) -> str:
    meta, own, status = workflow["metadata"], workflow.get("spec") or {}, workflow.get("status") or {}
    by_reference = own.get("workflowTemplateRef") is not None
    # What is run: where a template is referred to, the controller has stored it merged with the workflow.
    spec = (status.get("storedWorkflowTemplateSpec") or own) if by_reference else own
    unset = "unset" if by_reference else "unset (will run with the default ServiceAccount)"
    out = [
        field("Name:", meta.get("name", "")),
        field("Namespace:", meta.get("namespace", "")),
        field("ServiceAccount:", spec.get("serviceAccountName") or unset),
        field("Status:", status_text(workflow)),
    ]
    if status.get("message"):
        out.append(field("Message:", status["message"]))
    if status.get("conditions"):
        out.append(field("Conditions:", ""))
        for condition in status["conditions"]:
            kind = condition.get("type", "")
            icon = style.condition(kind)
            out.append(field(f"{icon} {kind}", condition.get("message") or condition.get("status", "")))
    started, finished = moment(status.get("startedAt")), moment(status.get("finishedAt"))
    out.append(field("Created:", timestamp(moment(meta.get("creationTimestamp")), now)))
    if started:
        out.append(field("Started:", timestamp(started, now)))
    if finished:
        out.append(field("Finished:", timestamp(finished, now)))
    if started:
        out.append(field("Duration:", between(started, finished, now)))
    if status.get("phase") == "Running" and status.get("estimatedDuration"):
        out.append(field("EstimatedDuration:", duration(int(status["estimatedDuration"]))))
    out.append(field("Progress:", status.get("progress") or ""))
    if status.get("resourcesDuration"):
        out.append(field("ResourcesDuration:", resources_duration(status["resourcesDuration"])))
    if parameters := (spec.get("arguments") or {}).get("parameters"):
        out.append(_parameters("Parameters:", parameters))
    outputs = status.get("outputs") or {}
    if outputs.get("parameters"):
        out.append(_parameters("Output Parameters:", outputs["parameters"]))
    if outputs.get("artifacts"):
        out.append(field("Output Artifacts:", ""))
        out.extend(field(f"  {one.get('name', '')}:", told) for one in outputs["artifacts"] if (told := artifact(one)))
    return "".join(out)


def _parameters(head: str, parameters: list[_Object]) -> str:
    rows = [field(f"  {one['name']}:", text(one["value"])) for one in parameters if one.get("value") is not None]
    return field(head, "") + "".join(rows)
