"""Retrying a workflow that has ended: what is run again, what stays, which pods go. Pure.

A failed leaf is taken out of the nodes, so that the controller runs it anew; what encloses it is set running; what has
succeeded stays. The nodes of the exit handler go: it runs again at the end. With `restart_successful`, the nodes a
selector names and all that follows them are run again as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from tiphys.errors import UsageError
from tiphys.workflow.names import pod_name
from tiphys.workflow.operations import labels
from tiphys.workflow.operations.selection import matching, template_of_node
from tiphys.workflow.operations.submit import with_parameters

__all__ = ["Retried", "retried"]

Object = dict[str, Any]
Node = Mapping[str, Any]

_GROUPS = frozenset(("DAG", "Steps", "StepGroup", "TaskGroup"))
_HOLDERS = frozenset(("StepGroup", "TaskGroup", "Retry"))
"""Types whose children are within them; those of others follow them."""
_BAD = frozenset(("Failed", "Error", "Omitted"))
_GOOD = frozenset(("Succeeded", "Skipped"))


class Retried(NamedTuple):
    """The workflow to send back, and the pods to delete before that."""

    workflow: Object
    pods: list[str]


def retried(
    workflow: Mapping[str, Any],
    now: str,
    *,
    restart_successful: bool = False,
    selector: str = "",
    parameters: Sequence[str] = (),
) -> Retried:
    """A workflow that has ended, made ready to go on.

    Args:
        workflow: the whole object.
        now: RFC 3339; what is set running begins then.
        restart_successful: also run again what `selector` names, though it has succeeded.
        selector: of nodes, as for --node-field-selector.
        parameters: arguments to override, `NAME=VALUE` each.

    Raises:
        UsageError: it has not ended, or has succeeded and no nodes are named.
        ApiError: the selector cannot be understood.
    """
    status = workflow.get("status") or {}
    phase = status.get("phase") or ""
    if phase == "Succeeded" and not (restart_successful and selector):
        raise UsageError("To retry a succeeded workflow, set the options restartSuccessful and nodeFieldSelector")
    if phase not in ("Succeeded", "Failed", "Error"):
        raise UsageError(f"Cannot retry a workflow in phase {phase}")
    nodes: Mapping[str, Node] = status.get("nodes") or {}
    forced = _with_descendants(nodes, filter(matching(selector), nodes.values())) if restart_successful else set()
    plan = _Plan(workflow, nodes, forced if selector else set())
    for node in nodes.values():
        plan.decide(node)
    fresh = with_parameters(_running(workflow, now), parameters)
    fresh["status"] = {**fresh["status"], "nodes": plan.nodes(now)}
    return Retried(fresh, plan.pods())


class _Plan:
    """What becomes of each node: removed, set running, or (in neither set) left as it is."""

    def __init__(self, workflow: Mapping[str, Any], nodes: Mapping[str, Node], forced: set[str]) -> None:
        self._name: str = workflow["metadata"]["name"]
        annotations = workflow["metadata"].get("annotations") or {}
        self._pods_by_id = annotations.get(labels.POD_NAME_FORMAT) == "v1"
        self._nodes = nodes
        self._holders: dict[str, list[str]] = {}
        for id, node in nodes.items():
            if node["type"] in _HOLDERS:
                for child in node.get("children") or ():
                    self._holders.setdefault(child, []).append(id)
        self._forced = forced
        self._removed: set[str] = set()
        self._running: set[str] = set()

    def decide(self, node: Node) -> None:
        """About one node, and what depends on it.

        Raises:
            UsageError: the node has not ended.
        """
        id, phase = node["id"], node.get("phase") or ""
        if phase not in _BAD and phase not in _GOOD:
            raise UsageError(f"Workflow cannot be retried with node {node['name']} in {phase} phase")
        if node["name"].startswith(f"{self._name}.onExit"):
            self._removed.add(id)
        elif id in self._forced:
            self._force(node)
        elif phase in _BAD and node["type"] in _GROUPS:
            self._running.add(id)
        elif phase in _BAD and not self._was_allowed(node):
            self._removed.add(id)

    def _force(self, node: Node) -> None:
        self._run_enclosing(node)
        if node["type"] in _GROUPS or node["type"] == "Retry":
            self._running.add(node["id"])
            return
        if node["type"] == "Suspend":
            self._running.add(node["id"])
        else:
            self._removed.add(node["id"])
        self._removed |= _with_descendants(self._nodes, [node]) - {node["id"]}

    def _run_enclosing(self, node: Node) -> None:
        """All that a node is within has to go on as well, up to the entry node."""
        pending = self._enclosing(node)
        while pending:
            id = pending.pop()
            if id not in self._running:
                self._running.add(id)
                pending += self._enclosing(self._nodes[id])

    def _enclosing(self, node: Node) -> list[str]:
        boundary = node.get("boundaryID")
        return [*self._holders.get(node["id"], ()), *([boundary] if boundary in self._nodes else ())]

    def _was_allowed(self, node: Node) -> bool:
        """The failure did no harm: what holds it has succeeded, or something that came after it, and stays."""
        holders = set(self._holders.get(node["id"], ())) - self._forced
        if any(self._nodes[id].get("phase") == "Succeeded" for id in holders):
            return True
        if node["type"] == "Retry":
            return False
        after = _with_descendants(self._nodes, [node]) - {node["id"]} - self._forced
        return any(self._nodes[id].get("phase") == "Succeeded" for id in after)

    def nodes(self, now: str) -> dict[str, Object]:
        """The nodes of the retried workflow."""
        kept = {id: node for id, node in self._nodes.items() if id not in self._removed}
        fresh = {}
        for id, node in kept.items():
            fresh[id] = _set_running(node, now) if id in self._running else dict(node)
            for key in ("children", "outboundNodes"):
                if node.get(key):
                    fresh[id][key] = [other for other in node[key] if other in kept]
        return fresh

    def pods(self) -> list[str]:
        """The pods of the removed nodes."""
        gone = (node for id, node in self._nodes.items() if id in self._removed and node["type"] == "Pod")
        return [
            node["id"] if self._pods_by_id else pod_name(self._name, node["name"], template_of_node(node))
            for node in gone
        ]


def _with_descendants(nodes: Mapping[str, Node], roots: Iterable[Node]) -> set[str]:
    """The ids of nodes, and of all that are below them or came after them."""
    found: set[str] = set()
    pending = [node["id"] for node in roots]
    while pending:
        id = pending.pop()
        if id in nodes and id not in found:
            found.add(id)
            pending.extend(nodes[id].get("children") or ())
    return found


def _set_running(node: Node, now: str) -> Object:
    fresh = {key: value for key, value in node.items() if key != "message"}
    if node["type"] == "Suspend" and (node.get("outputs") or {}).get("parameters"):
        waiting = [{"name": one["name"], "valueFrom": {"supplied": {}}} for one in node["outputs"]["parameters"]]
        fresh["outputs"] = {**node["outputs"], "parameters": waiting}
    phase = "Skipped" if node.get("phase") == "Skipped" else "Running"
    return {**fresh, "phase": phase, "startedAt": now, "finishedAt": None}


def _running(workflow: Mapping[str, Any], now: str) -> Object:
    """The workflow without the marks of its end."""
    meta, status = workflow["metadata"], workflow.get("status") or {}
    ended = (labels.COMPLETED, labels.ARCHIVING_STATUS)
    own = {key: value for key, value in (meta.get("labels") or {}).items() if key not in ended}
    spec = {key: value for key, value in workflow["spec"].items() if key != "shutdown"}
    if spec.get("activeDeadlineSeconds") == 0:  # that is how a workflow was once terminated
        del spec["activeDeadlineSeconds"]
    fresh = {key: value for key, value in status.items() if key not in ("message", "persistentVolumeClaims")}
    if stored := status.get("storedWorkflowTemplateSpec"):
        fresh["storedWorkflowTemplateSpec"] = {key: value for key, value in stored.items() if key != "shutdown"}
    completed = {"type": "Completed", "status": "False"}
    others = [one for one in status.get("conditions") or () if one.get("type") != "Completed"]
    fresh.update(phase="Running", startedAt=now, finishedAt=None, conditions=[*others, completed])
    return {
        **workflow,
        "metadata": {**meta, "labels": {**own, labels.PHASE: "Running"}},
        "spec": spec,
        "status": fresh,
    }
