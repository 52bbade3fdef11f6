"""How many at once, until when, and whether at all: parallelism, failFast, deadline, shutdown."""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from tiphys.workflow.engine.nodes import Node

__all__ = ["STEP_DEADLINE", "Gate", "Limits"]

STEP_DEADLINE: Final = "Step exceeded its deadline"
_COUNTED: Final = frozenset(("Pod", "Steps", "DAG"))  # types that take a place under a template's parallelism
_UNCOUNTED: Final = frozenset(("StepGroup", "TaskGroup", "Skipped"))


class Gate:
    """So many at once; who comes later waits here in order.

    Attributes:
        limit: None for any number.
        fail_fast: nothing more starts once one has failed.
        shut: one has failed, and `fail_fast`.
    """

    def __init__(self, limit: int | None, *, fail_fast: bool = False) -> None:
        self.limit = limit if limit is not None and limit > 0 else None
        self.fail_fast = fail_fast
        self.shut = False
        self.active = 0
        self.busy = 0
        self._waiting: deque[Callable[[], None]] = deque()

    @property
    def closed(self) -> bool:
        """Whoever comes now must wait."""
        return self.shut or (self.limit is not None and self.active >= self.limit)

    @property
    def awaited(self) -> bool:
        """Somebody waits."""
        return bool(self._waiting)

    def wait(self, start: Callable[[], None]) -> None:
        """Start when there is a place."""
        self._waiting.append(start)

    def admit(self) -> None:
        """Let in who waits, as far as there are places; each takes its place as it starts, or needs none."""
        while self._waiting and not self.closed:
            self._waiting.popleft()()


class Limits:
    """The limits of one run.

    Attributes:
        shutdown: "", "Stop" (only exit handlers go on) or "Terminate".
        deadline: of the whole workflow, exit handlers aside.
    """

    def __init__(self) -> None:
        self.shutdown = ""
        self.deadline: dt.datetime | None = None
        self._pods: Gate | None = None
        self._boundaries: dict[str, Gate] = {}

    def limit_pods(self, parallelism: int | None, nodes: Iterable[Node]) -> None:
        """`spec.parallelism`, with the pods there are already."""
        if parallelism is not None:
            self._pods = Gate(parallelism)
            self._pods.active = sum(node.type == "Pod" and not node.fulfilled for node in nodes)

    def limit_boundary(self, node: Node, parallelism: int | None, fail_fast: bool, nodes: Iterable[Node]) -> None:
        """A template's `parallelism` and `failFast`, for the nodes directly in this one: these, and those to come."""
        if (parallelism is None and not fail_fast) or node.id in self._boundaries:
            return
        gate = self._boundaries[node.id] = Gate(parallelism, fail_fast=fail_fast)
        for inner in nodes:
            self._take_place(gate, inner)
            gate.shut |= fail_fast and _counts_as_failure(inner)

    def allows(self, *, on_exit: bool) -> bool:
        """Whether a pod may still be started."""
        return not self.shutdown or (self.shutdown == "Stop" and on_exit)

    def past_deadline(self, now: dt.datetime) -> bool:
        """The workflow's time is over."""
        return self.deadline is not None and now >= self.deadline

    def closed_gate(self, boundary_id: str) -> Gate | None:
        """The gate before which a new node directly in this boundary must wait."""
        for gate in (self._pods, self._boundaries.get(boundary_id)):
            if gate is not None and gate.closed:
                return gate
        return None

    def closed_to_pods(self) -> Gate | None:
        """The gate before which one more attempt must wait: it has its place in the boundary already."""
        return self._pods if self._pods is not None and self._pods.closed else None

    def began(self, node: Node) -> None:
        """A node was created."""
        if self._pods is not None and node.type == "Pod" and not node.fulfilled:
            self._pods.active += 1
        if (gate := self._boundaries.get(node.boundary_id)) is not None:
            self._take_place(gate, node)

    def ended(self, node: Node) -> list[Gate]:
        """A node is fulfilled that was not; returns the gates that have a place now, for somebody who waits."""
        gates = []
        if self._pods is not None and node.type == "Pod":
            self._pods.active -= 1
            gates.append(self._pods)
        if (gate := self._boundaries.get(node.boundary_id)) is not None:
            gate.active -= node.type in _COUNTED
            gate.busy -= node.type not in _UNCOUNTED
            gate.shut |= gate.fail_fast and _counts_as_failure(node)
            gates.append(gate)
        return [gate for gate in gates if gate.awaited and not gate.closed]

    def failed_fast(self, boundary_id: str) -> bool:
        """A failure under `failFast`, and nothing of the boundary runs any more."""
        gate = self._boundaries.get(boundary_id)
        return gate is not None and gate.shut and not gate.busy

    @staticmethod
    def _take_place(gate: Gate, node: Node) -> None:
        if not node.fulfilled:
            gate.active += node.type in _COUNTED
            gate.busy += node.type not in _UNCOUNTED


def _counts_as_failure(node: Node) -> bool:
    """A failed attempt is not yet a failure: its Retry node tells."""
    return node.failed and not node.retried and not node.hooked and node.type not in _UNCOUNTED
