"""The workflow as a whole: its entry node, its exit handler, its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tiphys.workflow.engine.hooks import exit_of
from tiphys.workflow.engine.launch import launch
from tiphys.workflow.engine.nodes import Node
from tiphys.workflow.engine.state import Call, State
from tiphys.workflow.engine.status import COMPLETED_LABEL, FINAL, PHASE_LABEL
from tiphys.workflow.engine.templates import Use
from tiphys.workflow.engine.variables import failures
from tiphys.workflow.spec.types import WorkflowSpec

__all__ = ["Root", "mark_workflow"]

_PHASES = {"Skipped": "Succeeded", "Omitted": "Succeeded"}


def mark_workflow(state: State, phase: str, message: str = "") -> None:
    """The workflow's phase, with the labels and moments that go with it."""
    status = state.status
    status.set("phase", phase)
    status.label(PHASE_LABEL, phase)
    if COMPLETED_LABEL not in status.labels:
        status.label(COMPLETED_LABEL, "false")
    if not status.get("startedAt"):
        status.set("startedAt", state.stamp)
    status.set("message", message or None)
    if phase in FINAL:
        status.set("finishedAt", state.stamp)
        status.label(COMPLETED_LABEL, "true")
        status.condition("Completed", "True")
        state.tree.settle()


class Root:
    """Owner of the entry node and of the workflow's exit handler."""

    def __init__(self, state: State, spec: Mapping[str, Any], lens: WorkflowSpec) -> None:
        self.state = state
        self.spec = spec
        self._lens = lens
        self._end: tuple[str, str] | None = None

    @property
    def over(self) -> bool:
        """The workflow has its final phase."""
        return self.state.status.finished

    def begin(self) -> None:
        """Run the entrypoint, or take it up again."""
        call = Call(
            name=self.state.name,
            use=Use(template=self._lens.entrypoint),
            base=self.state.library.local,
            owner=self,
            arguments=self.state.arguments,
        )
        launch(self.state, call)

    def child_ended(self, node: Node, error: str | None) -> None:
        """The entry node or the exit handler has ended."""
        if node.name != self.state.name:
            self._exited(node, error)
        elif error is not None:
            self._end = ("Error", f"error in entry template execution: {error}")
        elif not self.state.paused:
            self._run_exit_handler(node)

    def _run_exit_handler(self, entry: Node) -> None:
        state = self.state
        phase = _PHASES.get(entry.phase, entry.phase)
        handler = exit_of(self._lens.on_exit, self._lens.hooks, self.spec, state.arguments)
        name = f"{state.name}.onExit"  # whatever its expression says: Argo looks at those of steps and tasks only
        begun = state.tree.named(name) is not None  # then it is seen through to its end
        if handler is None or not (begun or state.limits.allows(on_exit=True)):
            self._end = self._outcome(entry, None)
            return
        variables = state.variables
        variables.set("status", phase)
        variables.set("failures", failures(state.tree.nodes.values(), state.name))
        call = Call(
            name=name,
            use=handler.use,
            base=state.library.local,
            owner=self,
            arguments=handler.arguments.fill(variables.values, now=state.now),
            on_exit=True,
            flag={"hooked": True},
        )
        launch(state, call)

    def _exited(self, node: Node, error: str | None) -> None:
        if error is not None:
            self._end = ("Error", f"error in exit template execution : {error}")
        else:
            self._end = self._outcome(self.state.tree.nodes[self.state.name], node)

    def _outcome(self, entry: Node, exit_node: Node | None) -> tuple[str, str]:
        """The final phase and message: those of the entry node, or of an exit handler that failed after a success."""
        shutdown = self.state.limits.shutdown
        if entry.failed:
            return entry.phase, f"Stopped with strategy '{shutdown}'" if shutdown else entry.message
        if exit_node is not None and exit_node.failed:
            return exit_node.phase, exit_node.message
        return "Succeeded", ""

    def conclude(self) -> None:
        """End the workflow, if all is decided and nothing runs any more."""
        if self._end is None or self.state.executions or self.state.paused or self.over:
            return
        for node in self.state.tree.nodes.values():
            if not node.fulfilled:  # out of reach since somebody edited the nodes
                self.state.mark(node, "Failed", "abandoned: what it was part of has ended")
        mark_workflow(self.state, *self._end)
