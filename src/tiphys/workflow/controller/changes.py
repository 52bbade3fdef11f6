"""Several `Changes` of one workflow made one, so that a burst of events costs one write. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tiphys.workflow.engine.protocol import Changes, Command

__all__ = ["together"]


def together(changes: Iterable[Changes]) -> Changes:
    """One change that does what these do in their order; commands keep theirs."""
    nodes: dict[str, dict[str, Any]] = {}
    status: dict[str, Any] = {}
    labels: dict[str, str | None] = {}
    annotations: dict[str, str | None] = {}
    commands: list[Command] = []
    finished = False
    for change in changes:
        for node_id, node in change.nodes.items():
            before = nodes.get(node_id)
            # Nodes are given whole, but a key of the earlier patch that only said "remove" must be said still.
            removals = {key: None for key, value in (before or {}).items() if value is None}
            nodes[node_id] = {**removals, **node} if removals else node
        _lay_over(status, change.status)
        labels |= change.labels
        annotations |= change.annotations
        commands += change.commands
        finished = change.finished
    return Changes(nodes, status, labels, annotations, tuple(commands), finished)


def _lay_over(under: dict[str, Any], over: Mapping[str, Any]) -> None:
    """Merge patch `over` into merge patch `under`: unlike a merge of values, null stays as the word for removal."""
    for key, value in over.items():
        before = under.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            _lay_over(before, value)
        else:
            under[key] = {**value} if isinstance(value, dict) else value
