"""A run of a workflow: events in, changes and commands out. The engine's public face; the controller holds one of these
for each workflow that is going on.

The same events at the same moments give the same changes. A run opened again from the object, in whatever state it was
left, goes on as if it had never been away, and gives the commands once more that may not have been carried out.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from tiphys.workflow.engine.dag import start_dag
from tiphys.workflow.engine.leaves import HttpExecution, OrphanedPod, PodExecution, start_http, start_pod, start_suspend
from tiphys.workflow.engine.nodes import Node
from tiphys.workflow.engine.opening import Refusal, Validate, open_spec
from tiphys.workflow.engine.protocol import (
    Begin,
    Changes,
    Event,
    Fetched,
    HttpDone,
    PodGone,
    PodReport,
    Tick,
    WakeAt,
)
from tiphys.workflow.engine.retry import start_retry
from tiphys.workflow.engine.root import Root, mark_workflow
from tiphys.workflow.engine.state import Kind, Kinds, State
from tiphys.workflow.engine.steps import start_steps
from tiphys.workflow.engine.templates import Missing
from tiphys.workflow.spec.validate import problems

__all__ = ["Run"]

_POD = Kind("Pod", "Pending", start_pod)
_KINDS = Kinds(
    by_field={
        "container": _POD,
        "script": _POD,
        "steps": Kind("Steps", "Running", start_steps),
        "dag": Kind("DAG", "Running", start_dag),
        "suspend": Kind("Suspend", "Pending", start_suspend),
        "http": Kind("HTTP", "Pending", start_http),
    },
    retry=Kind("Retry", "Running", start_retry),
)


class Run:
    """One workflow, from where its object stands to its end."""

    def __init__(self, workflow: Mapping[str, Any], validate: Validate) -> None:
        self._workflow = workflow
        self._validate = validate
        self._state = State(workflow, _KINDS)
        self._root: Root | None = None
        self._begun = False
        self._looked_at = bool(self._state.status.phase)

    @classmethod
    def open(cls, workflow: dict[str, Any], validate: Validate = problems) -> Run:
        """A run from an API object: a new one, or one that was begun before (restart, retry, resume, an edit).

        The object is not kept in step; it must not be changed while the run is in use.

        Args:
            validate: says why a new workflow cannot run; what it lets pass is an error where it is met.
        """
        return cls(workflow, validate)

    @property
    def name(self) -> str:
        """The workflow's name."""
        return self._state.name

    @property
    def namespace(self) -> str:
        """The workflow's namespace."""
        return self._state.namespace

    @property
    def uid(self) -> str:
        """The workflow's uid."""
        return str(self._workflow["metadata"].get("uid", ""))

    @property
    def finished(self) -> bool:
        """It has its final phase; no event changes anything any more."""
        return self._state.status.finished

    @property
    def phase(self) -> str:
        """The workflow's phase."""
        return self._state.status.phase

    @property
    def nodes(self) -> dict[str, dict[str, Any]]:
        """All nodes as they stand, as in the API."""
        return {node_id: node.to_api() for node_id, node in self._state.tree.nodes.items()}

    @property
    def variables(self) -> Mapping[str, str]:
        """The values of `workflow.*` as they stand."""
        return self._state.variables.values

    @property
    def spec(self) -> Mapping[str, Any]:
        """The spec that is executed: merged with its WorkflowTemplate; {} before that is known."""
        return self._root.spec if self._root is not None else {}

    def handle(self, event: Event, now: dt.datetime) -> Changes:
        """What this event changes, and what is to be done then.

        Args:
            now: the moment at which it happens, aware; never earlier than that of the event before.
        """
        state = self._state
        if state.status.finished:
            return Changes(finished=True)
        state.at(now)
        self._set_duration()
        self._take(event)
        state.work()
        for action in state.timers.take_due(now):
            action()
            state.work()
        if self._root is not None:
            self._root.look()
            state.work()
            self._adopt_orphans()
            self._root.conclude()
        return self._changes()

    # -- events -------------------------------------------------------------------------------------------------------

    def _take(self, event: Event) -> None:
        match event:
            case Begin():
                self._open()
            case Fetched(kind=kind, name=name, value=value, error=error):
                self._state.library.put(kind, name, value, error)
                self._state.fetched(kind, name)
                self._state.work()
                if not self._state.fetching:
                    self._state.library.forget_config_maps()
            case PodReport(node_id=node_id):
                execution = self._state.executions.get(node_id)
                if isinstance(execution, PodExecution | OrphanedPod):
                    execution.report(event)
            case PodGone(node_id=node_id):
                execution = self._state.executions.get(node_id)
                if isinstance(execution, PodExecution | OrphanedPod):
                    execution.gone()
            case HttpDone(node_id=node_id):
                execution = self._state.executions.get(node_id)
                if isinstance(execution, HttpExecution):
                    execution.done(event)
            case Tick():
                pass

    def _open(self) -> None:
        """Get ready, as far as all objects are there, and start."""
        state = self._state
        try:
            opened = open_spec(state, self._workflow, self._validate)
        except Missing as missing:
            for one in (missing, *missing.others):
                state.fetch(one.kind, one.name, self._open_when_complete)
            return
        except Refusal as refusal:
            mark_workflow(state, refusal.phase, refusal.message)
            return
        if not state.status.phase or state.status.phase == "Pending":
            mark_workflow(state, "Running")
        self._set_deadline(opened.lens.active_deadline_seconds)
        state.limits.limit_pods(opened.lens.parallelism, state.tree.nodes.values())
        self._root = Root(state, opened.spec, opened.lens)
        self._root.begin()

    def _open_when_complete(self) -> None:
        if not self._state.fetching:
            self._open()

    def _set_deadline(self, seconds: int | None) -> None:
        state = self._state
        if seconds is not None:
            state.limits.deadline = state.moment(state.status.get("startedAt"), dt.timedelta(seconds=seconds))
            state.timers.at(state.limits.deadline, self._overdue)

    def _overdue(self) -> None:
        for execution in list(self._state.executions.values()):
            execution.overdue()

    def _adopt_orphans(self) -> None:
        """Pods that were left over when what they were part of ended in error: somebody must note their end."""
        if self._begun or self._state.fetching:
            return
        self._begun = True
        for node in list(self._state.tree.nodes.values()):
            waits = node.type == "Pod" and not node.fulfilled and node.id not in self._state.executions
            if waits and self._left_over(node):
                OrphanedPod(self._state, node, None)

    def _left_over(self, node: Node) -> bool:
        """Something around the node has ended; that an exit handler's subject has, means nothing."""
        nodes, above = self._state.tree.nodes, node
        while True:
            beyond = nodes.get(above.boundary_id) if above.hooked and not above.retried else above.parent
            if beyond is None or beyond.fulfilled:
                return beyond is not None
            above = beyond

    # -- changes ------------------------------------------------------------------------------------------------------

    def _set_duration(self) -> None:
        state, started = self._state, self._state.status.get("startedAt")
        seconds = (state.now - state.moment(started, dt.timedelta())).total_seconds()
        state.variables.set("duration", f"{max(0.0, seconds):f}")

    def _changes(self) -> Changes:
        state, status = self._state, self._state.status
        if self._root is not None:
            if self._looked_at:
                status.condition("PodRunning", "True" if state.pods_running else "False")
            self._looked_at = True
        if status.phase:
            status.set("progress", state.tree.tally.progress or "0/0")
            if state.tree.tally.used:
                status.set("resourcesDuration", {**state.tree.tally.used})
        status.merge("storedTemplates", state.library.take_added())
        if not status.finished and (moment := state.timers.announce()) is not None:
            state.commands.append(WakeAt(moment))
        commands, state.commands = tuple(state.commands), []
        changed, labels, annotations = status.take_changes()
        return Changes(
            nodes=state.tree.take_changes(),
            status=changed,
            labels=labels,
            annotations=annotations,
            commands=commands,
            finished=status.finished,
        )
