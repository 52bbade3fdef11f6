"""Retrying a workflow that has ended: what is run again, what stays, which pods go. Pure.

As Argo Workflows 4 does it. What has failed is what runs by itself: pods, their containers, HTTP requests. It is taken
out together with all that came after it, and what lies on the way from it up to the entry node is set running; what
is not on such a way stays as it is. So a suspended step that was stopped stays Failed; version 3.6 set it running.
The nodes of the exit handler go: it runs again at the end. With `restart_successful`, the nodes a selector names are
run again as if they had failed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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
_EXPANDED = frozenset(("StepGroup", "TaskGroup"))
_EXECUTED = frozenset(("Container", "HTTP", "Plugin", "Pod"))
_BAD = frozenset(("Failed", "Error"))


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
        parameters: arguments to override, `NAME=VALUE` each; what was expanded by the old ones is expanded anew.

    Raises:
        UsageError: it has not ended, has succeeded and no nodes are named, or its nodes are no tree.
        ApiError: the selector cannot be understood.
    """
    status = workflow.get("status") or {}
    phase = status.get("phase") or ""
    if phase == "Succeeded" and not (restart_successful and selector):
        raise UsageError("To retry a succeeded workflow, set the options restartSuccessful and nodeFieldSelector")
    if phase not in ("Succeeded", "Failed", "Error"):
        raise UsageError(f"Cannot retry a workflow in phase {phase}")
    tree = _Tree(workflow["metadata"]["name"], status.get("nodes") or {})
    named = matching(selector) if restart_successful and selector else lambda _: False
    plan = _Plan(tree, {id for id, node in tree.nodes.items() if named(node)})
    if parameters:
        plan.expand_anew()
    fresh = with_parameters(_unended(workflow, now), parameters)
    fresh["status"] = {**fresh["status"], "nodes": plan.nodes(now)}
    by_id = (workflow["metadata"].get("annotations") or {}).get(labels.POD_NAME_FORMAT) == "v1"
    pods = [node["id"] if by_id else pod_name(tree.name, node["name"], template_of_node(node)) for node in plan.pods()]
    return Retried(fresh, pods)


class _Tree:
    """The nodes of a workflow, and ways through them. `children` are what is within a node, and what came after it."""

    def __init__(self, name: str, nodes: Mapping[str, Node]) -> None:
        self.name = name
        self.nodes = nodes
        self.root = next((id for id, node in nodes.items() if node["name"] == name), None)
        parents: dict[str, list[str]] = {}
        for id, node in nodes.items():
            for child in node.get("children") or ():
                if child not in nodes:
                    raise UsageError(f"node {node['name']} has the child {child}, which is not among the nodes")
                parents.setdefault(child, []).append(id)
        self._parents = {child: min(ids, key=self._nearness(child)) for child, ids in parents.items()}
        self._check()

    def _nearness(self, child: str) -> Callable[[str], tuple[bool, str]]:
        """Of several parents Argo takes any; ours is one beside the node, so that no other group is on the way up."""
        beside = self.nodes[child].get("boundaryID")
        return lambda id: (self.nodes[id].get("boundaryID") != beside, id)

    def of_exit_handler(self, node: Node) -> bool:
        """It is part of the workflow's exit handler."""
        return str(node["name"]).startswith(f"{self.name}.onExit")

    def parent(self, id: str) -> str | None:
        """What the node is within or comes after; None at the top."""
        return self._parents.get(id)

    def type(self, id: str | None) -> str:
        """The node's type; "" of no node."""
        return str(self.nodes[id]["type"]) if id is not None else ""

    def below(self, id: str) -> Iterator[str]:
        """The ids of all that is within a node or came after it, nearest first."""
        seen, row = {id}, [id]
        for each in row:
            for child in self.nodes[each].get("children") or ():
                if child not in seen:
                    seen.add(child)
                    row.append(child)
                    yield child

    def above(self, id: str) -> Iterator[str]:
        """What the node is in or came after, nearest first, up to the top."""
        parent = self.parent(id)
        while parent is not None:
            yield parent
            parent = self.parent(parent)

    def _check(self) -> None:
        """Every way up ends: at the entry node or in the exit handler."""
        ends: set[str] = set()
        for id, node in self.nodes.items():
            if id != self.root and id not in self._parents and not self.of_exit_handler(node):
                raise UsageError(f"couldn't find parent node for {id}")
            way: dict[str, None] = {}
            above: str | None = id
            while above is not None and above not in ends:
                if above in way:
                    raise UsageError(f"node {self.nodes[above]['name']} is above itself")
                way[above] = None
                above = self.parent(above)
            ends.update(way)


class _Plan:
    """What becomes of each node: deleted, set running, or (in neither set) left as it is; to delete counts for more."""

    def __init__(self, tree: _Tree, named: set[str]) -> None:
        self._tree = tree
        self._deleted: set[str] = set()
        self._running: set[str] = set()
        self._enclosed: set[str] = set()
        if tree.root is None:
            return
        again = named | {id for id, node in tree.nodes.items() if self._failed(node, named)}
        for id in (
            tree.root,
            *tree.below(tree.root),
        ):  # from the top: what is deleted with another sets nothing running
            if id in again and id not in self._deleted:
                self._run_again(id)

    def _failed(self, node: Node, named: set[str]) -> bool:
        """It has run and failed, and nothing that came after it has succeeded: that failure was not allowed for."""
        if node["type"] not in _EXECUTED or node.get("phase") not in _BAD:
            return False
        nodes, seen = self._tree.nodes, node["id"]
        if (node.get("nodeFlag") or {}).get("retried"):
            seen = next((id for id in self._tree.above(seen) if nodes[id]["type"] == "Retry"), seen)
        return not any(nodes[id].get("phase") == "Succeeded" and id not in named for id in self._tree.below(seen))

    def _run_again(self, id: str) -> None:
        self._delete(id)
        if id == self._tree.root:
            return
        above: str | None = id
        while above is not None:
            kind = self._tree.type(above)
            if kind in _GROUPS:
                above = self._run_enclosing(above)
            elif kind == "Container":
                above = self._first(above, lambda id: self._tree.type(id) == "Pod")
                self._delete(above)
            else:
                if kind == "Retry" and self._tree.nodes[above].get("phase") in _BAD:
                    self._running.add(above)
                above = self._tree.parent(above)

    def _run_enclosing(self, id: str) -> str | None:
        """A group and all that it is within; the node from which to go on."""
        self._running.add(id)
        while id not in self._enclosed:
            self._enclosed.add(id)
            if (parent := self._tree.parent(id)) is not None and self._tree.type(parent) == "Retry":
                self._running.add(parent)
                id = parent
            if (parent := self._tree.parent(id)) is not None and self._tree.type(parent) in _EXPANDED:
                self._running.add(parent)
            boundary = self._tree.nodes[id].get("boundaryID")
            if not boundary:
                return self._tree.parent(id)
            id = self._first(id, str(boundary).__eq__)
        return None  # been there, from another failure

    def _first(self, id: str, wanted: Callable[[str], bool]) -> str:
        """The nearest node above of a kind; it is set running.

        Raises:
            UsageError: there is none.
        """
        for above in self._tree.above(id):
            if wanted(above):
                self._running.add(above)
                return above
        raise UsageError(f"what encloses node {self._tree.nodes[id]['name']} is not above it")

    def _delete(self, id: str) -> None:
        self._deleted.update((id, *self._tree.below(id)))

    def expand_anew(self) -> None:
        """Groups that are set running begin with new arguments, so what they consisted of is no more."""
        for id in self._running - self._deleted:
            if self._tree.type(id) in _EXPANDED:
                self._deleted.update(self._tree.below(id))

    def nodes(self, now: str) -> dict[str, Object]:
        """The nodes of the retried workflow."""
        fresh = {}
        for id, node in self._tree.nodes.items():
            if id in self._deleted or self._tree.of_exit_handler(node):
                continue
            fresh[id] = _set_running(node, now) if id in self._running else dict(node)
            for key in ("children", "outboundNodes"):
                if node.get(key):
                    fresh[id][key] = [other for other in node[key] if other not in self._deleted]
        return fresh

    def pods(self) -> list[Node]:
        """The nodes whose pods are to be deleted."""
        return [
            node
            for id, node in self._tree.nodes.items()
            if node["type"] == "Pod" and (id in self._deleted or self._tree.of_exit_handler(node))
        ]


def _set_running(node: Node, now: str) -> Object:
    fresh = {key: value for key, value in node.items() if key != "message"}
    if node["type"] == "Suspend" and (node.get("outputs") or {}).get("parameters"):
        waiting = [{"name": one["name"], "valueFrom": {"supplied": {}}} for one in node["outputs"]["parameters"]]
        fresh["outputs"] = {**node["outputs"], "parameters": waiting}
    phase = "Skipped" if node.get("phase") == "Skipped" else "Running"
    return {**fresh, "phase": phase, "startedAt": now, "finishedAt": None}


def _unended(workflow: Mapping[str, Any], now: str) -> Object:
    """The workflow without the marks of its end: to the controller it is one that it has not looked at yet."""
    meta, status = workflow["metadata"], workflow.get("status") or {}
    ended = (labels.COMPLETED, labels.ARCHIVING_STATUS)
    own = {key: value for key, value in (meta.get("labels") or {}).items() if key not in ended}
    spec = {key: value for key, value in workflow["spec"].items() if key != "shutdown"}
    if spec.get("activeDeadlineSeconds") == 0:  # that is how a workflow was once terminated
        del spec["activeDeadlineSeconds"]
    fresh = {key: value for key, value in status.items() if key not in ("phase", "message", "persistentVolumeClaims")}
    if stored := status.get("storedWorkflowTemplateSpec"):
        fresh["storedWorkflowTemplateSpec"] = {key: value for key, value in stored.items() if key != "shutdown"}
    completed = {"type": "Completed", "status": "False"}
    others = [one for one in status.get("conditions") or () if one.get("type") != "Completed"]
    fresh.update(startedAt=now, finishedAt=None, conditions=[*others, completed])
    return {**workflow, "metadata": {**meta, "labels": own}, "spec": spec, "status": fresh}
