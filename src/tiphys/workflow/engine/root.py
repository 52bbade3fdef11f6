"""The workflow as a whole: its entry node, its exit handler, its end."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from tiphys.workflow.engine.hooks import HookUse, Watch, exit_of, lifecycle_of
from tiphys.workflow.engine.launch import launch
from tiphys.workflow.engine.nodes import Node
from tiphys.workflow.engine.state import Call, Owner, State
from tiphys.workflow.engine.status import COMPLETED_LABEL, FINAL, PHASE_LABEL
from tiphys.workflow.engine.templates import Use
from tiphys.workflow.engine.variables import failures
from tiphys.workflow.spec.types import WorkflowSpec

__all__ = ["Root", "mark_workflow"]

_PHASES = {"Skipped": "Succeeded", "Omitted": "Succeeded"}  # what a workflow is called whose entry node is so


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
    """Owner of the entry node and of the workflow's hooks."""

    def __init__(self, state: State, spec: Mapping[str, Any], lens: WorkflowSpec) -> None:
        self.state = state
        self.spec = spec
        self._lens = lens
        self._end: tuple[str, str] | None = None
        self._fault = ""  # why a hook could not be run
        self._watch: Watch | None = None

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
        if hooks := lifecycle_of(self._lens.hooks, self.spec):
            self._watch = Watch(self.state, self.state.name, hooks, self, self._start_hook, self._hook_failed)
        launch(self.state, call)

    def look(self) -> None:
        """Something has happened: the workflow's hooks may speak of it."""
        if self._watch is not None and self._end is None:
            self._watch.look()

    def child_ended(self, node: Node, error: str | None) -> None:
        """The entry node or the exit handler has ended."""
        if node.name != self.state.name:
            self._exited(node, error)
        elif error is not None:
            self._end = ("Error", f"error in entry template execution: {error}")
        elif not self.state.paused and (
            self._watch is None or not self._watch.settle(partial(self._run_exit_handler, node))
        ):
            self._run_exit_handler(node)

    def _start_hook(self, hook: str, use: HookUse, watch: Owner) -> bool:
        """Run one of the workflow's hooks if its expression holds, which speaks of the phase of the entry node."""
        state = self.state
        entry = state.tree.named(state.name)
        if entry is None:
            return False
        name = f"{state.name}.hooks.{hook}"
        state.variables.set("status", _PHASES.get(entry.phase, entry.phase))
        if use.everything or any(spoken.startswith("workflow.failures") for spoken in use.names):
            self._tell_failures()
        if state.tree.named(name) is None and not use.wanted(state.variables.values, state.now):
            return False
        self._tell_failures()
        call = Call(
            name=name,
            use=use.use,
            base=state.library.local,
            owner=watch,
            parents=(entry,),
            arguments=use.arguments.fill(state.variables.values, now=state.now),
            flag={"hooked": True},
        )
        launch(state, call)
        return True

    def _hook_failed(self, why: str) -> None:
        self._fault = why
        if (entry := self.state.executions.get(self.state.name)) is not None:
            entry.end("Error", why)

    def _tell_failures(self) -> None:
        self.state.variables.set("failures", failures(self.state.tree.nodes.values(), self.state.name))

    def _run_exit_handler(self, entry: Node) -> None:
        state = self.state
        phase = "Error" if self._fault else _PHASES.get(entry.phase, entry.phase)
        handler = exit_of(self._lens.on_exit, self._lens.hooks, self.spec, state.arguments)
        name = f"{state.name}.onExit"  # whatever its expression says: Argo looks at those of steps and tasks only
        begun = state.tree.named(name) is not None  # then it is seen through to its end
        if handler is None or not (begun or state.limits.allows(on_exit=True)):
            self._end = self._outcome(entry, None)
            return
        variables = state.variables
        variables.set("status", phase)
        self._tell_failures()
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
        if self._fault:
            return "Error", self._fault
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
