"""The tree of nodes: the one owner of nodes, their links, their tallies, and of what must be written after an event.

Executions create nodes and change them here; nobody else keeps a list of what changed. A row is written after every
event that changed what a reopened run needs of it. What can be reckoned again (links to children, progress) waits, for
nodes with much below them, until it has grown by a sixty-fourth: a group of 10,000 is not written 10,000 times.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tiphys.workflow.engine import names
from tiphys.workflow.engine.nodes import EXECUTABLE, Node, Tally
from tiphys.workflow.engine.totals import final_figures

__all__ = ["Tree"]

_WRITTEN_AT_ONCE: Final = 64  # children, or leaves below, up to which every change is written
_PARTS: Final = 64


class Tree:
    """The nodes of one workflow."""

    def __init__(self, workflow: str, rows: Mapping[str, Mapping[str, Any]]) -> None:
        self.workflow = workflow
        self.nodes: dict[str, Node] = {node_id: Node.from_api(node_id, row) for node_id, row in rows.items()}
        self.tally = Tally()
        self._changed: dict[str, None] = {}
        self._later: dict[str, int] = {}  # changes of each row that may wait
        self._found_inside: dict[str, list[Node]] = {}
        for node in self.nodes.values():
            self._found_inside.setdefault(node.boundary_id, []).append(node)
            node.parent = self._parent_of(node)
        for node in self.nodes.values():
            self._count(node)
        self._later.clear()  # they were written when they were counted first
        for node in self.nodes.values():
            if node.tally is not None and not node.fulfilled and node.progress != node.tally.progress:
                node.progress = node.tally.progress
                self._changed[node.id] = None

    # -- reading ------------------------------------------------------------------------------------------------------

    def named(self, name: str) -> Node | None:
        """The node of this name."""
        return self.nodes.get(names.node_id(self.workflow, name))

    def children(self, node: Node) -> Iterator[Node]:
        """The children that are there (a retry by a user may have taken some away)."""
        return (self.nodes[child] for child in node.children if child in self.nodes)

    def found_inside(self, boundary: Node) -> list[Node]:
        """The nodes directly within a Steps or DAG node that were there when the run was opened."""
        return self._found_inside.get(boundary.id, [])

    def attempts(self, retry: Node) -> list[Node]:
        """The attempts under a Retry node, first to last."""
        return [child for child in self.children(retry) if child.retried]

    def outbound(self, node: Node) -> list[str]:
        """Ids of the nodes after which comes what follows this one."""
        match node.type:
            case "Steps" | "DAG":
                return [last for child in node.outbound or () for last in self._outbound_of_id(child)]
            case "TaskGroup" if node.children:
                return [last for child in node.children for last in self._outbound_of_id(child)]
            case "Retry":
                return [next(reversed(node.children))] if node.children else []
            case _:
                return [node.id]

    def _outbound_of_id(self, node_id: str) -> list[str]:
        node = self.nodes.get(node_id)
        return self.outbound(node) if node is not None else []

    # -- changing -----------------------------------------------------------------------------------------------------

    def add(self, node: Node, parent: Node | None) -> None:
        """A new node; `parent` is the one whose tally counts it."""
        node.parent = parent
        self.nodes[node.id] = node
        self._changed[node.id] = None
        self._count(node)

    def touch(self, node: Node) -> None:
        """Fields of this node have changed."""
        self._changed[node.id] = None

    def link(self, parent: Node, child: Node) -> None:
        """`child` comes after, or is within, `parent`."""
        if child.id not in parent.children:
            parent.children[child.id] = None
            self._may_wait(parent)

    def ended(self, node: Node) -> list[Node]:
        """Reckon a node as fulfilled that was not; returns the nodes above it under which nothing is open any more."""
        self._changed[node.id] = None
        work = node.type in EXECUTABLE
        done = work and node.phase == "Succeeded"
        used = node.resources if node.type == "Pod" else None
        if done:
            node.progress = "1/1"
        quiet = []
        for above, tally in self._tallies(node):
            tally.open -= 1
            tally.done += done
            if used:
                tally.use(used)
            if above is not None:
                if work:
                    self._may_wait(above)
                if not tally.open:
                    quiet.append(above)
        if node.tally is not None and not work:
            node.progress = node.tally.progress
            node.resources = {**node.tally.used} or None
        return quiet

    # -- writing ------------------------------------------------------------------------------------------------------

    def take_changes(self) -> dict[str, dict[str, Any]]:
        """The rows to write now, by id."""
        for node_id, count in list(self._later.items()):
            node = self.nodes[node_id]
            size = max(len(node.children), node.tally.total if node.tally is not None else 0)
            if node_id in self._changed or count * _PARTS >= size or size <= _WRITTEN_AT_ONCE:
                self._changed[node_id] = None
        rows = {}
        for node_id in self._changed:
            node = self.nodes[node_id]
            self._later.pop(node_id, None)
            if not node.fulfilled and node.tally is not None:
                node.progress = node.tally.progress
            rows[node_id] = row = node.to_api()
            if node.said and not node.message:
                row["message"] = None  # a row is merged into the one there is
            node.said = bool(node.message)
        self._changed = {}
        return rows

    def settle(self) -> None:
        """The run is over: give every node its final figures, and leave no row waiting."""
        for node, progress, resources in final_figures(self.nodes):
            if node.progress != progress or (node.resources or {}) != resources:
                node.progress, node.resources = progress, resources or None
                self._changed[node.id] = None
        self._changed |= dict.fromkeys(self._later)
        self._later = {}

    # -- tallies ------------------------------------------------------------------------------------------------------

    def _tallies(self, node: Node) -> Iterator[tuple[Node | None, Tally]]:
        above = node.parent
        while above is not None:
            if above.tally is None:
                above.tally = Tally()
            yield above, above.tally
            above = above.parent
        yield None, self.tally

    def _count(self, node: Node) -> None:
        work, is_open = node.type in EXECUTABLE, not node.fulfilled
        if work and not node.progress:
            node.progress = "0/1"
        if not (work or is_open):
            return
        done = work and node.phase == "Succeeded"
        used = node.resources if node.type == "Pod" and not is_open else None
        for above, tally in self._tallies(node):
            tally.open += is_open
            tally.total += work
            tally.done += done
            if used:
                tally.use(used)
            if above is not None and work:
                self._may_wait(above)

    def _may_wait(self, node: Node) -> None:
        self._later[node.id] = self._later.get(node.id, 0) + 1

    def _parent_of(self, node: Node) -> Node | None:
        """The node that `add` was given as parent, found again by its name."""
        boundary = self.nodes.get(node.boundary_id)
        if node.hooked and not node.retried:
            return self._parent_of_hook(node)
        if node.retried:
            return self._named_by_cutting(node.name, "(")
        if boundary is None or node.type == "StepGroup":
            return boundary
        if boundary.type == "Steps":
            head = node.name[len(boundary.name) :].partition("]")[0]
            return self.named(f"{boundary.name}{head}]")
        group = self.named(node.name[: len(boundary.name)] + node.name[len(boundary.name) :].partition("(")[0])
        return group if group is not None and group is not node and group.type == "TaskGroup" else boundary

    def _parent_of_hook(self, node: Node) -> Node | None:
        """An exit handler counts under its node, other hooks beside theirs; those of the workflow under nothing."""
        if not node.boundary_id:
            return None
        if node.name.endswith(".onExit") and (subject := self._named_by_cutting(node.name, ".onExit")) is not None:
            return subject
        subject = self._named_by_cutting(node.name, ".hooks.")
        return self._parent_of(subject) if subject is not None else None

    def _named_by_cutting(self, name: str, at: str) -> Node | None:
        head, found, _ = name.rpartition(at)
        return self.named(head) if found else None
