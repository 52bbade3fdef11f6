"""A new workflow out of one that has run, optionally with what has succeeded taken over. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tiphys.errors import UsageError
from tiphys.workflow.names import node_id
from tiphys.workflow.operations import labels
from tiphys.workflow.operations.submit import with_parameters

__all__ = ["resubmitted"]

Object = dict[str, Any]
Node = Mapping[str, Any]

_NOT_CARRIED = frozenset((*labels.CREATOR, labels.PHASE, labels.COMPLETED, labels.ARCHIVING_STATUS))


def resubmitted(
    workflow: Mapping[str, Any], now: str, suffix: str, *, memoized: bool = False, parameters: Sequence[str] = ()
) -> Object:
    """The workflow to create.

    Args:
        workflow: the whole object that has run.
        now: RFC 3339.
        suffix: of the name of a memoized one, which is made here: the ids of its nodes follow from it.
        memoized: take over the nodes that succeeded; they are not run again.
        parameters: arguments to override, `NAME=VALUE` each.

    Raises:
        UsageError: memoized, and it has not failed.
    """
    meta = workflow["metadata"]
    base = meta.get("generateName") or f"{meta['name']}-"
    spec = {key: value for key, value in workflow["spec"].items() if key != "shutdown"}
    if spec.get("activeDeadlineSeconds") == 0:  # that is how a workflow was once terminated
        del spec["activeDeadlineSeconds"]
    carried = {key: value for key, value in (meta.get("labels") or {}).items() if key not in _NOT_CARRIED}
    own: Object = {"generateName": base, "labels": {**carried, labels.PREVIOUS_NAME: meta["name"]}}
    for key in ("annotations", "ownerReferences"):
        if meta.get(key):
            own[key] = meta[key]
    if meta.get("namespace"):
        own["namespace"] = meta["namespace"]
    fresh: Object = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": own, "spec": spec}
    if memoized:
        status = workflow.get("status") or {}
        if status.get("phase") not in ("Failed", "Error"):
            raise UsageError("workflow must be Failed/Error to resubmit in memoized mode")
        own["name"] = base + suffix
        fresh["status"] = {
            "startedAt": None,
            "finishedAt": None,
            "conditions": [{"type": "Completed", "status": "False"}],
            "nodes": _carried_nodes(status.get("nodes") or {}, meta["name"], own["name"], now),
        }
        if status.get("storedTemplates"):
            fresh["status"]["storedTemplates"] = status["storedTemplates"]
    return with_parameters(fresh, parameters)


def _carried_nodes(nodes: Mapping[str, Node], old: str, new: str, now: str) -> dict[str, Object]:
    ids = {id: node_id(new, _renamed(node["name"], old, new)) for id, node in nodes.items()}
    carried = {}
    for id, node in nodes.items():
        if node["name"].startswith(f"{old}.onExit"):
            continue
        fresh = {**node, "name": _renamed(node["name"], old, new), "id": ids[id]}
        if node.get("boundaryID"):
            fresh["boundaryID"] = ids.get(node["boundaryID"], node["boundaryID"])
        for key in ("children", "outboundNodes"):
            if node.get(key):
                fresh[key] = [ids[other] for other in node[key] if other in ids]
        fresh["startedAt"] = fresh["finishedAt"] = now
        failed = node.get("phase") in ("Failed", "Error")
        if node["type"] == "Pod" and failed:
            fresh["startedAt"] = fresh["finishedAt"] = None
        if node["type"] == "Pod" and not failed:
            fresh.update(phase="Skipped", type="Skipped", message=f"original pod: {id}")
        elif node["type"] == "Skipped" and not _led_to_success(nodes, node):
            continue
        else:
            fresh["phase"] = "Pending"
            fresh.pop("message", None)
        carried[fresh["id"]] = fresh
    return carried


def _renamed(name: str, old: str, new: str) -> str:
    return new + name.removeprefix(old) if name.startswith(old) else name


def _led_to_success(nodes: Mapping[str, Node], node: Node) -> bool:
    pending, seen = list(node.get("children") or ()), set()
    while pending:
        id = pending.pop()
        if id in seen or id not in nodes:
            continue
        seen.add(id)
        if nodes[id].get("phase") == "Succeeded":
            return True
        pending.extend(nodes[id].get("children") or ())
    return False
