"""The state of a run: each part has one owner, put side by side here for the executions that work with them.

Work is done in small pieces from one queue (`later`), never by deep recursion: a step that ends tells its owner, the
owner starts what comes next, and so on until nothing is left to do for this event.
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from tiphys.kit.clock import from_rfc3339, rfc3339
from tiphys.workflow.engine.limits import Limits
from tiphys.workflow.engine.nodes import FULFILLED, Node
from tiphys.workflow.engine.protocol import Command, Fetch, FetchKind
from tiphys.workflow.engine.status import Status
from tiphys.workflow.engine.templates import Base, Library, Resolved, Use
from tiphys.workflow.engine.timers import Timers
from tiphys.workflow.engine.tree import Tree
from tiphys.workflow.engine.variables import Variables

__all__ = ["Call", "Execution", "Kind", "Kinds", "Owner", "Start", "State", "Task"]

_FAILED_FAST = "template has failed or errored children and failFast enabled"


class Owner(Protocol):
    """Who waits for a node."""

    @property
    def over(self) -> bool:
        """It waits for nothing any more."""

    def child_ended(self, node: Node, error: str | None) -> None:
        """The node is fulfilled; `error` if its template could not be run to a proper end."""


@dataclass(slots=True)
class Call:
    """One use of a template.

    Attributes:
        name: of the node it gets.
        use: which template.
        base: where its name is looked up.
        owner: is told when the node is fulfilled; None for nobody.
        boundary: the Steps or DAG node that encloses it; None at the top.
        parent: the node whose tally counts it.
        parents: nodes that get it as a child.
        arguments: as in the step, filled in.
        on_exit: it belongs to an exit handler, so it may run during a shutdown and past the deadline.
        flag: nodeFlag.
        role: "steps" or "tasks": whose `.name` its template may ask for.
        depth: how many templates enclose it, itself included.
        captured: the steps around it whose standard output is spoken of.
    """

    name: str
    use: Use
    base: Base
    owner: Owner | None
    boundary: Node | None = None
    parent: Node | None = None
    parents: tuple[Node, ...] = ()
    arguments: Mapping[str, Any] = field(default_factory=dict)
    on_exit: bool = False
    flag: dict[str, bool] | None = None
    role: str = "steps"
    depth: int = 1
    captured: frozenset[str] = frozenset()


@dataclass(slots=True)
class Task:
    """What an execution is made from.

    Attributes:
        locals: the variables that speak of the node itself.
        deadline: set by retries (maxDuration); None for none.
        new: its node has been created just now; else it was there when the run was opened.
    """

    call: Call
    template: Resolved
    locals: dict[str, Any]
    deadline: dt.datetime | None = None
    new: bool = True


class Start(Protocol):
    """Makes the execution of a node, new or taken up again, and sets it going."""

    def __call__(self, state: State, node: Node, task: Task) -> None:
        """Begin, or go on."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How templates of one kind run: their nodes' type and first phase, and what runs them."""

    node_type: str
    phase: str
    start: Start


@dataclass(frozen=True, slots=True)
class Kinds:
    """All that can run: by the field of the template (`container`, `steps`, …); and the attempts of any of them."""

    by_field: Mapping[str, Kind]
    retry: Kind


class Execution:
    """A node that is not fulfilled, and how it goes on. Subclasses say what happens when something under it ends."""

    def __init__(self, state: State, node: Node, owner: Owner | None) -> None:
        self.state = state
        self.node = node
        self.owner = owner
        state.executions[node.id] = self

    @property
    def over(self) -> bool:
        """The node is fulfilled."""
        return self.node.fulfilled

    def child_ended(self, node: Node, error: str | None) -> None:
        """A node this one waits for is fulfilled; `error` if its template could not be run to a proper end."""
        raise NotImplementedError(type(self).__name__)

    def quiet(self) -> None:
        """Nothing under this node is open any more."""

    def fail_fast(self, message: str) -> None:
        """A child has failed, and the template wants no more of them."""
        self.end("Failed", message)

    def overdue(self) -> None:
        """The workflow's time is over."""

    def abandon(self) -> None:
        """Nobody waits for the node any more: a node above it has ended in error."""
        self.state.mark(self.node, "Failed", "abandoned: what it was part of has ended")

    def end(self, phase: str, message: str | None = None, error: str | None = None) -> None:
        """The node is fulfilled; `error` if that was no proper end of its template."""
        if self.node.fulfilled:
            return
        self.state.mark(self.node, phase, message)
        if self.node.tally is not None and self.node.tally.open:
            self.state.abandon_below(self.node)
        self.state.tell(self.owner, self.node, error)


class State:
    """What a run knows.

    Attributes:
        executions: the nodes that are not fulfilled and what goes on in them, by id.
        commands: to be carried out after the changes of this event have been written.
        paused: the workflow is suspended: results are taken, nothing new is created; a resume opens the run again.
        arguments: of the workflow, with its variables replaced.
        pods_running: how many Pod nodes are in phase Running.
        now, stamp: the moment of this event, and the same as text of the API.
    """

    def __init__(self, workflow: Mapping[str, Any], kinds: Kinds) -> None:
        meta, status = workflow["metadata"], workflow.get("status") or {}
        self.name: str = meta["name"]
        self.namespace: str = meta.get("namespace", "")
        self.kinds = kinds
        self.tree = Tree(self.name, status.get("nodes") or {})
        self.status = Status(workflow)
        self.library = Library(self.name, status.get("storedTemplates") or {})
        self.variables = Variables(status.get("outputs"))
        self.limits = Limits()
        self.timers = Timers()
        self.executions: dict[str, Execution] = {}
        self.commands: list[Command] = []
        self.paused = False
        self.arguments: Mapping[str, Any] = {}
        self.pods_running = sum(n.type == "Pod" and n.phase == "Running" for n in self.tree.nodes.values())
        self.now = dt.datetime.min.replace(tzinfo=dt.UTC)
        self.stamp = ""
        self._agenda: deque[Callable[[], None]] = deque()
        self._watches: dict[str, Callable[[], None]] = {}
        self._fetches: dict[tuple[str, str], list[Callable[[], None]]] = {}

    # -- the queue ----------------------------------------------------------------------------------------------------

    def at(self, now: dt.datetime) -> None:
        """This event happens now."""
        self.now, self.stamp = now, rfc3339(now)

    def later(self, action: Callable[[], None]) -> None:
        """Do this in its turn, within this event."""
        self._agenda.append(action)

    def work(self) -> None:
        """Do all there is to do."""
        while self._agenda:
            self._agenda.popleft()()

    def tell(self, owner: Owner | None, node: Node, error: str | None = None) -> None:
        """Let the owner of a node know, in its turn, that the node is fulfilled."""
        if owner is not None:
            self.later(partial(owner.child_ended, node, error))

    def fetch(self, kind: FetchKind, name: str, then: Callable[[], None]) -> None:
        """Ask for an object, once for all who wait for it; the library has it when `then` is called."""
        waiting = self._fetches.setdefault((kind, name), [])
        if not waiting:
            self.commands.append(Fetch(kind, name))
        waiting.append(then)

    def fetched(self, kind: str, name: str) -> None:
        """An object that was asked for is in the library."""
        for then in self._fetches.pop((kind, name), ()):
            self.later(then)

    @property
    def fetching(self) -> bool:
        """Some object is waited for."""
        return bool(self._fetches)

    # -- nodes --------------------------------------------------------------------------------------------------------

    def add(self, node: Node, parent: Node | None) -> None:
        """A new node, counted in `parent` and the limits."""
        if node.fulfilled and not node.finished_at:
            node.finished_at = node.started_at
        self.tree.add(node, parent)
        self.limits.began(node)
        self._show(node)

    def mark(self, node: Node, phase: str, message: str | None = None) -> None:
        """A node's phase and, unless None, its message; an end is final."""
        if node.fulfilled or (node.phase == phase and message in (None, node.message)):
            return
        if node.type == "Pod":
            self.pods_running += (phase == "Running") - (node.phase == "Running")
        if node.phase != phase:
            node.phase = phase
            self._show(node)
        if message is not None:
            node.message = message
        if phase not in FULFILLED:
            self.tree.touch(node)
            return
        if not node.finished_at:
            node.finished_at = self.stamp
        self.executions.pop(node.id, None)
        for above in self.tree.ended(node):
            if (execution := self.executions.get(above.id)) is not None:
                self.later(execution.quiet)
        for gate in self.limits.ended(node):
            self.later(gate.admit)
        if self.limits.failed_fast(node.boundary_id):
            self.later(partial(self._fail_fast, node.boundary_id))

    def watch(self, name: str, look: Callable[[], None]) -> None:
        """Do this whenever the node of this name has another phase, and now, if it is there."""
        self._watches[name] = look
        if (node := self.tree.named(name)) is not None:
            self._show(node)

    def _show(self, node: Node) -> None:
        if self._watches and (look := self._watches.get(node.name)) is not None:
            self.later(look)

    def abandon_below(self, node: Node) -> None:
        """A node has ended although something under it has not."""
        for execution in list(self.executions.values()):
            above = execution.node.parent
            while above is not None and above is not node:
                above = above.parent
            if above is node:
                execution.abandon()

    def blame(self, node: Node, message: str) -> None:
        """Say why a node ended in Error in the words of who used it."""
        node.message = message
        self.tree.touch(node)

    def export(self, outputs: Mapping[str, Any] | None) -> None:
        """Take over what is named globally."""
        if outputs and self.variables.export(outputs):
            self.status.set("outputs", self.variables.outputs)

    def moment(self, stamp: str, after: dt.timedelta) -> dt.datetime:
        """A while after a moment of the API; of now, where there is none."""
        return (from_rfc3339(stamp) if stamp else self.now) + after

    def _fail_fast(self, boundary_id: str) -> None:
        execution = self.executions.get(boundary_id)
        if execution is not None and self.limits.failed_fast(boundary_id):
            execution.fail_fast(_FAILED_FAST)
