"""Templates of kind `steps`: groups one after another, the steps of a group at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from functools import partial
from typing import Any

from tiphys.errors import ExpressionError
from tiphys.workflow.engine.hooks import ExitHandler, HookUse, Watch, exit_of_step, lifecycle_of
from tiphys.workflow.engine.launch import add_group, add_skipped
from tiphys.workflow.engine.leaves import TIMEOUT
from tiphys.workflow.engine.loops import ItemsError, Ready, loops, prepare
from tiphys.workflow.engine.nodes import Node
from tiphys.workflow.engine.state import Call, Execution, State, Task
from tiphys.workflow.engine.templates import TemplateError, Use
from tiphys.workflow.engine.within import Enclosing
from tiphys.workflow.spec.types import ContinueOn

__all__ = ["StepsExecution", "start_steps"]


def start_steps(state: State, node: Node, task: Task) -> None:
    """A Steps node, new or taken up again."""
    state.later(StepsExecution(state, node, task).advance)


class StepsExecution(Enclosing):
    """A Steps node: which of its groups runs."""

    def __init__(self, state: State, node: Node, task: Task) -> None:
        super().__init__(state, node, task)
        self.groups: list[list[dict[str, Any]]] = [list(group) for group in task.template.raw["steps"]]
        self.at = 0
        self._group_of = {step.get("name", ""): at for at, group in enumerate(self.groups) for step in group}

    def group_name(self, at: int) -> str:
        """The name of the node of a group."""
        return f"{self.node.name}[{at}]"

    def known(self) -> Iterable[str]:
        """The steps of the groups that are over."""
        return [name for name, at in self._group_of.items() if at < self.at]

    def outputs_of(self, name: str) -> dict[str, Any]:
        """All variables of a step of a group that is over."""
        at = self._group_of.get(name, self.at)
        if at >= self.at:
            return {}
        tree = self.state.tree
        step = next(step for step in self.groups[at] if step.get("name") == name)
        node = tree.named(f"{self.group_name(at)}.{name}")
        items: list[Node] = []
        if node is None and (group := tree.named(self.group_name(at))) is not None:
            head = f"{self.group_name(at)}.{name}("
            items = [child for child in tree.children(group) if child.name.startswith(head)]
            node = group  # whose id, phase and moments are those of the loop
        return self.scope_of_step(name, node, items, step)

    def advance(self) -> None:
        """Begin the next group; those that were over when the run was opened are passed by."""
        while self.at < len(self.groups) and not self.over:
            group = self.state.tree.named(self.group_name(self.at))
            if group is None and self.state.paused:
                return
            if group is None or not group.fulfilled:
                GroupExecution(self, self._group_node()).begin()
                return
            if group.failed:
                self._fail(group)
                return
            self.at += 1
            try:
                self._check_results()
            except TemplateError as error:
                self.end("Error", str(error), str(error))
                return
        if not self.over:
            self._set_outbound()
            self.succeed()

    def _check_results(self) -> None:
        """The lists over the loops of the group that is over, whoever will ask for them.

        Raises:
            TemplateError: one cannot be made.
        """
        for step in self.groups[self.at - 1]:
            if loops(step) and step.get("name") in self.template.results:
                self.outputs_of(step["name"])

    def child_ended(self, node: Node, error: str | None) -> None:
        """A group is over: it is looked at as one that was over before."""
        if not self.over:
            self.advance()

    def fail_fast(self, message: str) -> None:
        """The group that runs ends with its template."""
        group = self.state.tree.named(self.group_name(self.at))
        if group is not None:
            self.state.mark(group, "Failed", message)
        self.end("Failed", message)

    def _group_node(self) -> Node:
        """The node of the group at hand, after the last nodes of the group before."""
        tree, before = self.state.tree, None
        if self.at:
            before = tree.named(self.group_name(self.at - 1))
        if before is None:
            parents = [self.node]
        elif before.children:
            ids = [last for child in tree.children(before) for last in tree.outbound(child)]
            parents = [tree.nodes[last] for last in ids if last in tree.nodes]
        else:
            parents = [before]
        call = Call(
            self.group_name(self.at),
            Use(),
            self.template.base,
            self,
            self.node,
            parent=self.node,
            parents=tuple(parents),
        )
        return add_group(self.state, call, "StepGroup")

    def _fail(self, group: Node) -> None:
        self._set_outbound()
        self.end("Failed", group.message)

    def _set_outbound(self) -> None:
        """The last nodes of the last group there is."""
        tree = self.state.tree
        for at in range(min(self.at, len(self.groups) - 1), -1, -1):
            if (group := tree.named(self.group_name(at))) is not None:
                self.node.outbound = [last for child in tree.children(group) for last in tree.outbound(child)]
                return


class GroupExecution(Execution):
    """A StepGroup node: the steps that run at once."""

    def __init__(self, steps: StepsExecution, node: Node) -> None:
        super().__init__(steps.state, node, steps)
        self.steps = steps
        self._waiting = 1  # the group itself, until all its steps have been started
        self._plans: dict[str, _Plan] = {}
        self._pending: deque[tuple[dict[str, Any], Ready | None]] = deque()

    def begin(self) -> None:
        """Resolve, spread out and start the steps."""
        ready = self._prepare()
        if ready is not None:
            self._pending.extend(ready)
            self._start_next()

    def _start_next(self) -> None:
        """One step, and then those after it, unless it could not begin: that ends the group."""
        if self.over:
            return
        if not self._pending:
            self._one_less()
            return
        self._start(*self._pending.popleft())
        self.state.later(self._start_next)

    def _prepare(self) -> list[tuple[dict[str, Any], Ready | None]] | None:
        """The steps to start, None for a loop over nothing; None for all if one of them cannot be resolved."""
        at, template = self.steps.at, self.steps.template
        ready: list[tuple[dict[str, Any], Ready | None]] = []
        for index, raw in enumerate(self.steps.groups[at]):
            try:
                some: list[Ready] = prepare(template, ("steps", at, index), raw, self.steps.scope, self.state.now)
            except ItemsError as error:
                self.end("Error", str(error))
                return None
            except (ExpressionError, TemplateError) as error:
                self.end("Error", f"failed to resolve references: {error}")
                return None
            ready += [(raw, one) for one in some] or [(raw, None)]
        return ready

    def _start(self, raw: dict[str, Any], one: Ready | None) -> None:
        name = f"{self.node.name}.{raw.get('name', '') if one is None else one.name}"
        if one is None:
            one = Ready.to_skip(raw, "Skipped, empty params")
        call = self.steps.call(one, self, name, self.node, (self.node,))
        if one.error or one.skipped:
            if (known := self.state.tree.named(name)) is not None:
                self.state.tree.link(self.node, known)
            else:
                add_skipped(self.state, call, "Error" if one.error else "Skipped", one.error or one.skipped)
            if one.error:
                self.end("Error", one.error)
            return
        self._waiting += 1
        step = one.step
        hooks = lifecycle_of(step.hooks, one.raw)
        watch = self.steps.watch(hooks, name, one.name, self, self.steps.scope, partial(self.end, "Error"))
        handler = exit_of_step(step, one.raw, self.state.arguments)
        self._plans[name] = _Plan(one.name, step.continue_on, handler, watch)
        self.steps.launch(call)

    def child_ended(self, node: Node, error: str | None) -> None:
        """A step has ended: its exit handler runs, if it has one, after its other hooks."""
        if self.over:
            return
        if error == TIMEOUT and node.phase == "Failed":
            self.end("Failed", error)
            return
        if error is not None:
            self.end("Error", f"step group deemed errored due to child {node.name} error: {error}")
            return
        plan = self._plans[node.name]
        if plan.watch is None or not plan.watch.settle(partial(self._run_exit_handler, node)):
            self._run_exit_handler(node)

    def _run_exit_handler(self, node: Node) -> None:
        plan = self._plans[node.name]
        owner = ExitHandler(self, self._one_less, self._unhandled)
        try:
            handled = self.steps.run_exit_handler(plan.exit, node, plan.name, owner, self.steps.scope)
        except (ExpressionError, TemplateError) as failure:
            self._unhandled(str(failure))
            return
        if not handled:
            self._one_less()

    def _unhandled(self, why: str) -> None:
        """An exit handler cannot be run: an error of the workflow, if these are its own steps, as in Argo."""
        self.end("Error", why)
        if self.steps.node.name == self.state.name:
            self.steps.end("Error", why)

    def _one_less(self) -> None:
        self._waiting -= 1
        if not self._waiting and not self.over:
            self._decide()

    def _decide(self) -> None:
        """All have ended: the first that failed, and was not to be forgiven, decides."""
        for child in self.state.tree.children(self.node):
            if child.failed and not self._forgiven(child):
                self.end("Failed", f"child '{child.id}' failed")
                return
        self.end("Succeeded")

    def _forgiven(self, child: Node) -> bool:
        plan = self._plans.get(child.name)
        on = plan.continue_on if plan is not None else None
        return on is not None and ((on.failed and child.phase == "Failed") or (on.error and child.phase == "Error"))


class _Plan:
    """What is to be done once a step has ended."""

    __slots__ = ("continue_on", "exit", "name", "watch")

    def __init__(
        self, name: str, continue_on: ContinueOn | None, exit_handler: HookUse | None, watch: Watch | None
    ) -> None:
        self.name = name
        self.continue_on = continue_on
        self.exit = exit_handler
        self.watch = watch
