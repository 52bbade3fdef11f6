"""What Steps and DAG nodes have in common: a template whose pieces call templates, and the variables within it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tiphys.errors import ExpressionError
from tiphys.workflow.engine.arguments import outputs_from, scope_within
from tiphys.workflow.engine.hooks import ExitHandler, HookUse, Watch
from tiphys.workflow.engine.launch import launch
from tiphys.workflow.engine.loops import Ready, ScopeOf
from tiphys.workflow.engine.nodes import Node
from tiphys.workflow.engine.scopes import mentioned, of_loop, of_node, of_skipped
from tiphys.workflow.engine.state import Call, Execution, Owner, State, Task
from tiphys.workflow.engine.templates import Missing, TemplateError, Use
from tiphys.workflow.spec.types import WorkflowStep

__all__ = ["Enclosing", "use_of"]


def use_of(step: WorkflowStep, name: str) -> Use:
    """How a step or task names its template."""
    return Use(name, step.template, step.template_ref, step.inline)


class Enclosing(Execution):
    """A node that encloses others: their boundary.

    Attributes:
        role: "steps" or "tasks".
    """

    role = "steps"

    def __init__(self, state: State, node: Node, task: Task) -> None:
        super().__init__(state, node, task.call.owner)
        self.task = task
        self.template = task.template
        lens = task.template.lens
        state.limits.limit_boundary(node, lens.parallelism, bool(lens.fail_fast), state.tree.found_inside(node))

    # -- variables ----------------------------------------------------------------------------------------------------

    def scope(self, names: frozenset[str], everything: bool = False) -> dict[str, Any]:
        """The variables these names may speak of; outputs only of the steps that are named."""
        task, state = self.task, self.state
        scope = scope_within(state.variables.values, task.template, self.node.inputs, task.locals, names)
        wanted = None if everything else mentioned(names, self.role)
        for name in self.known() if wanted is None else wanted:
            scope |= self.outputs_of(name)
        return scope

    def known(self) -> Iterable[str]:
        """The names of the steps that may be spoken of now."""
        raise NotImplementedError(type(self).__name__)

    def outputs_of(self, name: str) -> dict[str, Any]:
        """All variables of one step; none where it has no node."""
        raise NotImplementedError(type(self).__name__)

    def scope_of_step(self, name: str, node: Node | None, items: list[Node], step: Mapping[str, Any]) -> dict[str, Any]:
        """The variables of a step, out of its node, or of the nodes of its loop."""
        prefix = f"{self.role}.{name}"
        scope = of_loop(prefix, items) if items else {}
        if node is None:
            return scope
        if node.phase in ("Skipped", "Omitted") and (
            step.get("template") or step.get("templateRef") or step.get("inline")
        ):
            scope |= self._declared_by(prefix, node, step)
        return scope | of_node(self.state.tree, prefix, node)

    def _declared_by(self, prefix: str, node: Node, step: Mapping[str, Any]) -> dict[str, Any]:
        ref = node.template_ref
        use = Use(name=node.display_name, template=node.template_name)
        if ref is not None:
            use = Use.of_reference(ref, node.display_name)
        elif step.get("inline") is not None:
            use = Use(name=node.display_name, inline=step["inline"])
        try:
            return of_skipped(prefix, self.state.library.resolve(use, self.template.base).lens)
        except (Missing, TemplateError):
            return {}

    # -- calls --------------------------------------------------------------------------------------------------------

    def call(self, ready: Ready, owner: Owner, name: str, parent: Node, parents: tuple[Node, ...]) -> Call:
        """The use of a template by one of the steps."""
        return Call(
            name=name,
            use=use_of(ready.step, ready.name),
            base=self.template.base,
            owner=owner,
            boundary=self.node,
            parent=parent,
            parents=parents,
            arguments=ready.arguments,
            on_exit=self.task.call.on_exit,
            role=self.role,
            depth=self.task.call.depth + 1,
            captured=self.template.results,
        )

    def launch(self, call: Call) -> None:
        """Run it."""
        launch(self.state, call)

    def run_exit_handler(
        self,
        handler: HookUse | None,
        subject: Node,
        name: str,
        owner: ExitHandler,
        scope_of: ScopeOf,
    ) -> bool:
        """Run the exit handler of a step's node, for `owner` to wait for. False where there is none to run.

        Raises:
            ExpressionError: its expression cannot be evaluated.
            TemplateError: what it speaks of cannot be told.
        """
        node_name = f"{subject.name}.onExit"
        begun = self.state.tree.named(node_name) is not None  # then it is seen through to its end
        if handler is None or not subject.completed or not (begun or self.state.limits.allows(on_exit=True)):
            return False
        return self._run_hook(handler, subject, name, node_name, owner, scope_of, on_exit=True)

    def watch(
        self,
        uses: Mapping[str, HookUse],
        subject: str,
        name: str,
        owner: Owner,
        scope_of: ScopeOf,
        failed: Callable[[str], None],
        *,
        pending: bool = True,
    ) -> Watch | None:
        """Watch over the hooks of the node `subject` of the step `name`; None where it has none.

        Args:
            pending: they are looked at from when the node is there, not only once it runs.
        """
        if not uses:
            return None

        def start(hook: str, use: HookUse, watch: Owner) -> bool:
            node = self.state.tree.named(subject)
            if node is None or (node.phase == "Pending" and not pending):
                return False
            return self._run_hook(use, node, name, f"{subject}.hooks.{hook}", watch, scope_of, on_exit=False)

        return Watch(self.state, subject, uses, owner, start, failed)

    def _run_hook(
        self, use: HookUse, subject: Node, name: str, node_name: str, owner: Owner, scope_of: ScopeOf, *, on_exit: bool
    ) -> bool:
        """Run a hook if its expression lets it; one that was begun is seen through to its end."""
        scope = dict(scope_of(use.names, use.everything))
        prefix = f"{self.role}.{name}"
        scope[f"{prefix}.status"] = subject.phase  # all that an expression may ask of the node itself, as in Argo
        if self.state.tree.named(node_name) is None and not use.wanted(scope, self.state.now):
            return False
        own = of_node(self.state.tree, prefix, subject)
        scope |= {name: value for name, value in own.items() if name.startswith(f"{prefix}.outputs.parameters.")}
        call = Call(
            name=node_name,
            use=use.use,
            base=self.template.base,
            owner=owner,
            boundary=self.node,
            parent=subject if on_exit else subject.parent,
            parents=(subject,),
            arguments=use.arguments.fill(scope, now=self.state.now),
            on_exit=on_exit,
            flag={"hooked": True},
            depth=self.task.call.depth + 1,
        )
        launch(self.state, call)
        return True

    # -- the end ------------------------------------------------------------------------------------------------------

    def succeed(self) -> None:
        """The steps are done: tell the outputs, and end."""
        try:
            declared = self.template.pattern("outputs", self.template.raw.get("outputs") or {})
            outputs = None
            if declared.raw.get("parameters"):
                outputs = outputs_from(self.template, self.scope(frozenset(), everything=True))
        except (TemplateError, ExpressionError) as error:
            self.end("Error", str(error), str(error))
            return
        if outputs is not None:
            self.node.outputs = outputs
        self.export(outputs)
        self.end("Succeeded")

    def export(self, outputs: dict[str, Any] | None) -> None:
        """Take over what is named globally."""
        self.state.export(outputs)
