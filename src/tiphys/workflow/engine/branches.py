"""How the branches of a DAG ended, and what follows for the whole. Called once, at its end."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from tiphys.workflow.engine.nodes import FAILED, Node
from tiphys.workflow.engine.tree import Tree

__all__ = ["outcome"]


def outcome(tree: Tree, boundary: Node, targets: Mapping[str, Mapping[str, Any]], *, fail_fast: bool) -> str:
    """The phase of a DAG: that of a target whose branch failed and is not forgiven.

    Args:
        targets: `continueOn` of each target, by the id of its node, in order.
        fail_fast: the first such target decides, else the last.
    """
    phases = _branch_phases(tree, boundary, frozenset(targets))
    result = "Succeeded"
    for node_id, on in targets.items():
        phase = phases.get(node_id) or tree.nodes[node_id].phase
        if phase in FAILED and not on.get("failed" if phase == "Failed" else "error"):
            result = phase
            if fail_fast:
                break
    return result


def _branch_phases(tree: Tree, boundary: Node, targets: frozenset[str]) -> dict[str, str]:
    """The phase with which each target is reached: its own, or, if it did not run, that of what it comes after.

    The way leads over the links of the tree, as in Argo, into the templates that tasks ran and out of them again.
    """
    phases: dict[str, str] = {}
    todo = deque((child, "Succeeded") for child in boundary.children)
    seen = set(todo)
    while todo:
        node_id, phase = todo.popleft()
        node = tree.nodes.get(node_id)
        if node is None:
            continue
        if node.completed:
            phase = node.phase
        if node_id in targets and phases.get(node_id) not in FAILED:
            phases[node_id] = phase
        for child in _onward(tree, node):
            if (child, phase) not in seen:
                seen.add((child, phase))
                todo.append((child, phase))
    return phases


def _onward(tree: Tree, node: Node) -> Iterable[str]:
    """What comes after a node; the attempts of a Retry node do not count, only what comes after them."""
    if node.type != "Retry":
        return node.children
    onward: list[str] = []
    for child in tree.children(node):
        if child.retried:
            onward += child.children
        else:
            onward.append(child.id)
    return onward
