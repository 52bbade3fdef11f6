"""Templates of kind `dag`: each task as soon as those it depends on are settled.

A task is settled when its node is fulfilled and its exit handlers have ended. An index from each task to those that
wait for it, and a count of what each still waits for, make the work after an event that of the tasks it touches.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from tiphys.errors import ExpressionError
from tiphys.workflow.engine.branches import outcome
from tiphys.workflow.engine.graph import Graph
from tiphys.workflow.engine.hooks import ExitHandler, HookUse, Watch, exit_of_step, lifecycle_of
from tiphys.workflow.engine.launch import add_group, add_skipped
from tiphys.workflow.engine.leaves import TIMEOUT
from tiphys.workflow.engine.loops import Ready, loops, prepare
from tiphys.workflow.engine.nodes import Node
from tiphys.workflow.engine.scopes import mentioned
from tiphys.workflow.engine.state import Execution, State, Task
from tiphys.workflow.engine.templates import TemplateError
from tiphys.workflow.engine.within import Enclosing, use_of
from tiphys.workflow.expr.depends import TaskResult, TaskState

__all__ = ["DagExecution", "start_dag"]

_RESULTS = {
    "Succeeded": TaskResult.SUCCEEDED,
    "Failed": TaskResult.FAILED,
    "Error": TaskResult.ERRORED,
    "Skipped": TaskResult.SKIPPED,
    "Omitted": TaskResult.OMITTED,
}


def start_dag(state: State, node: Node, task: Task) -> None:
    """A DAG node, new or taken up again."""
    state.later(DagExecution(state, node, task).begin)


class DagExecution(Enclosing):
    """A DAG node: which tasks wait for which."""

    role = "tasks"

    def __init__(self, state: State, node: Node, task: Task) -> None:
        super().__init__(state, node, task)
        self.graph = Graph({})
        self._waiters: dict[str, list[str]] = {}
        self._missing: dict[str, int] = {}
        self._unsettled: set[str] = set()
        self._spoilt: dict[str, str] = {}  # loops whose results make no list, and why

    def begin(self) -> None:
        """Find out what depends on what, and start what depends on nothing."""
        try:
            self._read()
        except (ExpressionError, TemplateError) as error:
            self.end("Error", str(error), str(error))
            return
        for name in [name for name in self.graph.tasks if name in self._unsettled]:
            self._missing[name] = len(self.graph.depends[name].tasks)
            for before in self.graph.depends[name].tasks:
                self._waiters.setdefault(before, []).append(name)
        for name in [name for name in self.graph.tasks if name in self._unsettled]:
            if not self._missing[name]:
                self.state.later(TaskExecution(self, name).begin)
        self.quiet()

    def _read(self) -> None:
        """The tasks, their conditions, the targets."""
        dag = self.template.raw["dag"]
        scope = self.scope(frozenset())
        shape = [
            {key: task[key] for key in ("name", "depends", "dependencies") if key in task} for task in dag["tasks"]
        ]
        pattern = self.template.pattern("shape", {"tasks": shape, "target": dag.get("target") or ""})
        filled = pattern.fill(scope, now=self.state.now)
        tasks = {task["name"]: {**raw, **task} for raw, task in zip(dag["tasks"], filled["tasks"], strict=True)}
        self.graph = Graph(tasks, filled["target"])
        self._unsettled = self.graph.wanted()

    # -- variables ----------------------------------------------------------------------------------------------------

    def task_node(self, name: str) -> Node | None:
        """The node of a task."""
        return self.state.tree.named(f"{self.node.name}.{name}")

    def known(self) -> Iterable[str]:
        """All tasks that are settled."""
        return [name for name in self.graph.tasks if name not in self._unsettled]

    def outputs_of(self, name: str) -> dict[str, Any]:
        """All variables of a task that is settled."""
        node = self.task_node(name)
        if node is None or not node.fulfilled or name not in self.graph.tasks:
            return {}
        items = list(self.state.tree.children(node)) if node.type == "TaskGroup" else []
        return self.scope_of_step(name, node, items, self.graph.tasks[name])

    # -- the course of things -----------------------------------------------------------------------------------------

    def settled(self, name: str) -> None:
        """A task is settled: those that waited for it only can begin."""
        self._unsettled.discard(name)
        if loops(self.graph.tasks[name]) and name in self.template.results:
            try:
                self.outputs_of(name)
            except TemplateError as error:
                self._spoilt[name] = str(error)
        for waiter in self._waiters.get(name, ()):
            if waiter not in self._missing:
                continue
            self._missing[waiter] -= 1
            if not self._missing[waiter] and not self.over:
                self.state.later(TaskExecution(self, waiter).begin)
        if not self._unsettled:
            self.state.later(self.quiet)

    def spoilt(self, name: str) -> str:
        """Why a task has no variables: a loop before it has results that make no list; "" where that is not so."""
        return next((self._spoilt[loop] for loop in self.graph.ancestors(name, frozenset(self._spoilt))), "")

    def quiet(self) -> None:
        """Nothing is open below, so that it may be over."""
        if not self.over and not self._unsettled and not (self.node.tally and self.node.tally.open):
            self._conclude()

    def may_run(self, name: str) -> bool:
        """Whether the condition of a task holds.

        Raises:
            ExpressionError: it is none.
        """
        states = {before: self._state_of(before) for before in self.graph.depends[name].tasks}
        return self.graph.depends[name].evaluate(states)

    def _state_of(self, name: str) -> TaskState:
        node, on = self.task_node(name), self.graph.tasks[name].get("continueOn") or {}
        results = set[TaskResult]()
        if node is not None:
            results.add(_RESULTS[node.phase])
            if node.type == "TaskGroup":
                phases = [child.phase for child in self.state.tree.children(node) if not child.hooked]
                if "Succeeded" in phases:
                    results.add(TaskResult.ANY_SUCCEEDED)
                if phases and all(phase == "Failed" for phase in phases):
                    results.add(TaskResult.ALL_FAILED)
        return TaskState(frozenset(results), bool(on.get("error")), bool(on.get("failed")))

    def parents_of(self, name: str) -> tuple[Node, ...]:
        """The nodes after which a task's node comes."""
        tree, before = self.state.tree, self.graph.depends[name].tasks
        if not before:
            return (self.node,)
        nodes = [node for other in before if (node := self.task_node(other)) is not None]
        ids = dict.fromkeys(last for node in nodes for last in tree.outbound(node))
        return tuple(tree.nodes[last] for last in ids if last in tree.nodes)

    # -- the end ------------------------------------------------------------------------------------------------------

    def fail_fast(self, message: str) -> None:
        """The loops that run end with their template."""
        for name in self._unsettled:
            if (node := self.task_node(name)) is not None and node.type == "TaskGroup":
                self.state.mark(node, "Failed", message)
        self.end("Failed", message)

    def _set_outbound(self) -> None:
        nodes = [node for name in self.graph.targets if (node := self.task_node(name)) is not None]
        self.node.outbound = [last for node in nodes for last in self.state.tree.outbound(node)]

    def export(self, outputs: dict[str, Any] | None) -> None:
        """What its tasks export, in their order; its own outputs are left to the DAG around it."""
        for name in self.graph.tasks:
            if (node := self.task_node(name)) is not None:
                self.state.export(node.outputs)

    def _conclude(self) -> None:
        phase = self._assess()
        self._set_outbound()
        if phase == "Succeeded":
            self.succeed()
        else:
            self.end(phase)

    def _assess(self) -> str:
        """The phase: that of the first target whose branch failed and is not forgiven."""
        limits = self.state.limits
        if limits.shutdown and not (self.task.call.on_exit and limits.allows(on_exit=True)):
            return "Failed"
        targets = {
            node.id: self.graph.tasks[name].get("continueOn") or {}
            for name in self.graph.targets
            if (node := self.task_node(name)) is not None
        }
        fail_fast = self.template.raw["dag"].get("failFast") is not False
        return outcome(self.state.tree, self.node, targets, fail_fast=fail_fast)


class TaskExecution:
    """A task whose dependencies are settled: its node, or the nodes of its loop and their group."""

    def __init__(self, dag: DagExecution, name: str) -> None:
        self.dag = dag
        self.name = name
        self.raw = dag.graph.tasks[name]
        self.group: Node | None = None
        self._waiting = 0
        self._exits: dict[str, HookUse | None] = {}
        self._watch: Watch | None = None

    @property
    def over(self) -> bool:
        """The DAG is."""
        return self.dag.over

    @property
    def _node_name(self) -> str:
        return f"{self.dag.node.name}.{self.name}"

    def begin(self) -> None:
        """Decide whether the task runs, and start it, unless it is over already."""
        dag, node = self.dag, self.dag.task_node(self.name)
        if node is None and dag.state.paused:
            return
        self._watch_over()
        if node is not None and node.fulfilled:
            self._link_again(node)
            self._take_over(node)
            return
        try:
            if node is None and not dag.may_run(self.name):
                self._skip("Omitted", "omitted: depends condition not met")
                return
            if why := dag.spoilt(self.name):
                self._exits[self._node_name] = None
                self._skip("Error", why)
                if self.name in dag.graph.targets:
                    dag.end("Error", why, why)
                return
            ready = prepare(dag.template, ("task", self.name), self.raw, self._scope, dag.state.now)
        except (ExpressionError, TemplateError) as error:
            self._skip("Error", str(error))
            return
        if not loops(self.raw):
            self._start_one(ready[0])
        elif ready:
            self._start_all(ready)
        else:
            self._skip("Skipped", "Skipped, empty params")

    def _scope(self, names: frozenset[str], everything: bool) -> dict[str, Any]:
        """The variables of the DAG, of other tasks only those of ancestors."""
        scope = self.dag.scope(names - {name for name in names if name.partition(".")[0] == "tasks"})
        spoken = None if everything else mentioned(names, "tasks")
        for name in self.dag.graph.ancestors(self.name, spoken):
            scope |= self.dag.outputs_of(name)
        return scope

    def _start_one(self, ready: Ready) -> None:
        parents = self.dag.parents_of(self.name)
        call = self.dag.call(ready, self, self._node_name, self.dag.node, parents)
        self._exits[self._node_name] = exit_of_step(ready.step, ready.raw, self.dag.state.arguments)
        if ready.skipped or ready.error:
            node = add_skipped(
                self.dag.state, call, "Error" if ready.error else "Skipped", ready.error or ready.skipped
            )
            self._settle_skipped(node)
        else:
            self.dag.launch(call)

    def _start_all(self, ready: list[Ready]) -> None:
        """A loop: one node for each item under a TaskGroup."""
        dag, state = self.dag, self.dag.state
        shown = Ready.to_skip(self.raw, "")
        parents = dag.parents_of(self.name)
        group_call = dag.call(shown, self, self._node_name, dag.node, parents)
        group_call.use = use_of(shown.step, self.name)
        self.group = add_group(state, group_call, "TaskGroup")
        TaskGroupExecution(self, self.group)
        self._waiting = len(ready) + 1
        handler = self._exit_of_task()  # that of the task as it stands, for each item: it knows of none, as in Argo
        for one in ready:
            name = f"{dag.node.name}.{one.name}"
            call = dag.call(one, self, name, self.group, (self.group,))
            self._exits[name] = handler
            if one.skipped or one.error:
                if (known := state.tree.named(name)) is not None:
                    state.tree.link(self.group, known)
                else:
                    add_skipped(state, call, "Error" if one.error else "Skipped", one.error or one.skipped)
                self._waiting -= 1
            else:
                dag.launch(call)
        self._one_less()

    def _skip(self, phase: str, message: str) -> None:
        """The task does not run."""
        ready, dag = Ready.to_skip(self.raw, message), self.dag
        node = dag.task_node(self.name)
        if node is not None:
            dag.state.mark(node, phase, message)
        else:
            call = dag.call(ready, self, self._node_name, dag.node, dag.parents_of(self.name))
            node = add_skipped(dag.state, call, phase, message)
        self._settle_skipped(node)

    def _settle_skipped(self, node: Node) -> None:
        self._exits.setdefault(node.name, self._exit_of_task() if node.phase == "Error" else None)
        self._take_over(node)

    def _link_again(self, node: Node) -> None:
        for parent in self.dag.parents_of(self.name):
            self.dag.state.tree.link(parent, node)

    def child_ended(self, node: Node, error: str | None) -> None:
        """The node of the task, or one of its loop, has ended: its exit handler runs, if it has one."""
        if self.over:
            return
        if error is not None and error != TIMEOUT:
            self.dag.state.blame(node, f"task '{node.name}' errored: {error}")
        self._take_over(node)

    def _take_over(self, node: Node) -> None:
        """A node has ended: the hooks of the task go on to their end, then its exit handler runs."""
        watch = self._watch if node.name == self._node_name else None
        if watch is None or not watch.settle(partial(self._run_exit_handler, node)):
            self._run_exit_handler(node)

    def _run_exit_handler(self, node: Node) -> None:
        handler = self._exits[node.name] if node.name in self._exits else self._exit_of_task()
        owner = ExitHandler(self.dag, partial(self._handled, node), self._unhandled)
        try:
            handled = self.dag.run_exit_handler(handler, node, self.name, owner, self._scope)
        except (ExpressionError, TemplateError) as failure:
            self._unhandled(str(failure))
            return
        if not handled:
            self._handled(node)

    def _unhandled(self, why: str) -> None:
        """A hook of the task cannot be run."""
        self.dag.end("Error", why, why)

    def _watch_over(self) -> None:
        """The hooks of the task; a loop has them as a whole, not for each item."""
        ready = self._hooks_only()
        if ready is not None:
            hooks, targeted = lifecycle_of(ready.step.hooks, ready.raw), self.name in self.dag.graph.targets
            self._watch = self.dag.watch(
                hooks, self._node_name, self.name, self.dag, self._scope, self._unhandled, pending=targeted
            )

    def _exit_of_task(self) -> HookUse | None:
        """The exit handler of the task as a whole: of a TaskGroup, or of a node that was over at a reopening."""
        ready = self._hooks_only()
        return exit_of_step(ready.step, ready.raw, self.dag.state.arguments) if ready is not None else None

    def _hooks_only(self) -> Ready | None:
        """The task with nothing but its hooks; None where it has none, or they cannot be resolved."""
        dag = self.dag
        only = {key: self.raw[key] for key in ("name", "onExit", "hooks") if self.raw.get(key)}
        if len(only) == 1:
            return None
        try:
            return prepare(dag.template, ("exit", self.name), only, self._scope, dag.state.now)[0]
        except (ExpressionError, TemplateError):
            return None

    def _handled(self, node: Node) -> None:
        """The node has ended, and so has its exit handler."""
        if self.over:
            return
        if self.group is None or node is self.group:
            self.dag.settled(self.name)
        else:
            self._one_less()

    def _one_less(self) -> None:
        self._waiting -= 1
        if self._waiting or self.group is None:
            return
        phase = "Succeeded"
        for child in self.dag.state.tree.children(self.group):
            if child.failed and not child.hooked:
                phase = child.phase
        self.dag.state.mark(self.group, phase)
        self._take_over(self.group)


class TaskGroupExecution(Execution):
    """A TaskGroup node: it ends when its task says so."""

    def __init__(self, task: TaskExecution, node: Node) -> None:
        super().__init__(task.dag.state, node, task)
