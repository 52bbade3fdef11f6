"""Suspending and resuming a workflow, and giving suspended nodes an end or a value. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from tiphys.errors import UsageError
from tiphys.workflow.operations import labels
from tiphys.workflow.operations.selection import matching

__all__ = ["NodeValues", "is_completed", "is_waiting", "resumed", "suspended", "with_node_values"]

Object = dict[str, Any]

_ENDED = frozenset(("Succeeded", "Failed", "Error", "Skipped", "Omitted"))


class NodeValues(NamedTuple):
    """What `node set` writes into nodes; "" and {} leave things as they are."""

    phase: str = ""
    message: str = ""
    outputs: Mapping[str, str] = {}


def is_completed(workflow: Mapping[str, Any]) -> bool:
    """The controller has marked it as done."""
    return bool((workflow["metadata"].get("labels") or {}).get(labels.COMPLETED) == "true")


def is_waiting(node: Mapping[str, Any]) -> bool:
    """A suspend node that has begun and waits."""
    return bool(node.get("type") == "Suspend" and node.get("phase") == "Running")


def suspended(workflow: Mapping[str, Any]) -> Object | None:
    """The workflow told to start nothing new; None where it is told already.

    Raises:
        UsageError: it has completed.
    """
    if is_completed(workflow):
        raise UsageError("cannot suspend completed workflows")
    if workflow["spec"].get("suspend"):
        return None
    return {**workflow, "spec": {**workflow["spec"], "suspend": True}}


def resumed(workflow: Mapping[str, Any], now: str) -> Object | None:
    """The workflow going on, its waiting suspend nodes succeeded at `now`; None where nothing waits.

    Raises:
        UsageError: a node waits for an output parameter that has neither been set nor a default.
    """
    nodes = (workflow.get("status") or {}).get("nodes") or {}
    changed = {
        id: {**_with_message(_with_defaults(node)), "phase": "Succeeded", "finishedAt": now}
        for id, node in nodes.items()
        if is_waiting(node)
    }
    if not changed and not workflow["spec"].get("suspend"):
        return None
    spec = {key: value for key, value in workflow["spec"].items() if key != "suspend"}
    return _with_nodes({**workflow, "spec": spec}, changed)


def _with_message(node: Object) -> Object:
    """argo joins the node's message with the name of the user; directly on the API nothing is known of whom."""
    return {**node, "message": f"{node['message']}; "} if node.get("message") else node


def with_node_values(workflow: Mapping[str, Any], selector: str, values: NodeValues, now: str) -> Object:
    """The workflow with the waiting suspend nodes that match changed.

    Raises:
        UsageError: none matches, or one does not wait for such an output.
        ApiError: the selector cannot be understood.
    """
    shown = matching(selector)
    nodes = (workflow.get("status") or {}).get("nodes") or {}
    wanted = [(id, node) for id, node in nodes.items() if is_waiting(node) and shown(node)]
    changed: dict[str, Object] = {}
    given: dict[str, str] = {}  # output parameters with a global name
    for id, node in wanted:
        fresh = dict(node)
        if values.phase:
            fresh["phase"] = values.phase
            if values.phase in _ENDED:
                fresh["finishedAt"] = now
        if values.message:
            fresh["message"] = values.message
        for name, value in values.outputs.items():
            fresh = _supplied(fresh, name, value, given)
        changed[id] = fresh
    if not changed or values == NodeValues():
        raise UsageError(
            f"currently, set only targets suspend nodes: no suspend nodes matching nodeFieldSelector: {selector}"
        )
    return _with_nodes(_with_globals(workflow, given), changed)


def _supplied(node: Object, name: str, value: str, given: dict[str, str]) -> Object:
    outputs = node.get("outputs")
    if not outputs:
        raise UsageError("cannot set output parameters because node is not expecting any raw parameters")
    parameters = list(outputs.get("parameters") or ())
    for index, parameter in enumerate(parameters):
        if parameter["name"] != name:
            continue
        if (parameter.get("valueFrom") or {}).get("supplied") is None:
            raise UsageError(
                f"cannot set output parameter '{name}' because it does not use valueFrom.raw or it was already set"
            )
        parameters[index] = {**{k: v for k, v in parameter.items() if k != "valueFrom"}, "value": value}
        if parameter.get("globalName"):
            given[parameter["globalName"]] = value
        return {**node, "outputs": {**outputs, "parameters": parameters}}
    raise UsageError(f"node is not expecting output parameter '{name}'")


def _with_defaults(node: Mapping[str, Any]) -> Object:
    outputs = node.get("outputs")
    if not outputs or not outputs.get("parameters"):
        return dict(node)
    parameters = []
    for parameter in outputs["parameters"]:
        source = parameter.get("valueFrom") or {}
        if source.get("supplied") is None:
            parameters.append(parameter)
            continue
        if source.get("default") is None:
            raise UsageError(
                f"raw output parameter '{parameter['name']}' has not been set and does not have a default value"
            )
        parameters.append({**{k: v for k, v in parameter.items() if k != "valueFrom"}, "value": source["default"]})
    return {**node, "outputs": {**outputs, "parameters": parameters}}


def _with_globals(workflow: Mapping[str, Any], given: Mapping[str, str]) -> Object:
    if not given:
        return dict(workflow)
    status = workflow["status"]
    outputs = status.get("outputs") or {}
    kept = [one for one in outputs.get("parameters") or () if one["name"] not in given]
    parameters = [*kept, *({"name": name, "value": value} for name, value in given.items())]
    return {**workflow, "status": {**status, "outputs": {**outputs, "parameters": parameters}}}


def _with_nodes(workflow: Mapping[str, Any], changed: Mapping[str, Object]) -> Object:
    if not changed:
        return dict(workflow)
    status = workflow["status"]
    return {**workflow, "status": {**status, "nodes": {**status["nodes"], **changed}}}
