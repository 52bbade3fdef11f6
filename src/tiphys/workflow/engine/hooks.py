"""Exit handlers of steps and tasks: run once their node has completed; whoever waits for the node waits for them too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tiphys.workflow.engine.launch import launch
from tiphys.workflow.engine.nodes import Node
from tiphys.workflow.engine.scopes import of_node, of_outputs
from tiphys.workflow.engine.state import Call, Execution, State
from tiphys.workflow.engine.substitution import Pattern
from tiphys.workflow.engine.templates import Base, Use
from tiphys.workflow.expr import lang
from tiphys.workflow.spec.types import LifecycleHook, WorkflowStep

__all__ = ["ExitHandler", "ExitUse", "exit_of", "run_exit_handler"]


class ExitUse:
    """The exit handler of a step, task or workflow, as its manifest says.

    Attributes:
        arguments: raw.
        expression: runs only if it is true; "" for always.
    """

    def __init__(self, use: Use, arguments: Mapping[str, Any], expression: str) -> None:
        self.use = use
        self.arguments = arguments
        self.expression = expression


def exit_of(
    on_exit: str, hooks: Mapping[str, LifecycleHook], raw: Mapping[str, Any], given: Mapping[str, Any]
) -> ExitUse | None:
    """The exit handler, if there is one; `given` are the workflow's arguments, for a handler that names none."""
    if on_exit:
        return ExitUse(Use(template=on_exit), given, "")
    hook = hooks.get("exit")
    if hook is None:
        return None
    arguments = ((raw.get("hooks") or {}).get("exit") or {}).get("arguments") or {}
    used = arguments if arguments.get("parameters") or arguments.get("artifacts") else given
    return ExitUse(Use(template=hook.template, ref=hook.template_ref), used, hook.expression)


class ExitHandler:
    """Waits for the exit handler of one node, on behalf of that node's owner."""

    def __init__(self, owner: Execution, done: Callable[[], None]) -> None:
        self._owner = owner
        self._done = done

    @property
    def over(self) -> bool:
        """The owner waits for nothing any more."""
        return self._owner.over

    def child_ended(self, node: Node, error: str | None) -> None:
        """The handler has ended; how, does not matter to the node it handled."""
        self._done()


def run_exit_handler(
    state: State,
    handler: ExitUse | None,
    subject: Node,
    owner: Execution,
    *,
    base: Base,
    boundary: Node,
    prefix: str,
    scope: Mapping[str, Any],
    depth: int,
    done: Callable[[], None],
) -> bool:
    """Run the exit handler of a node that has completed; False where there is none to run.

    Args:
        prefix: "steps.NAME" or "tasks.NAME", under which the handler speaks of the node.
        scope: the variables that hold around the step.

    Raises:
        ExpressionError: the handler's expression or arguments cannot be evaluated.
    """
    if handler is None or not subject.completed or not state.limits.allows(on_exit=True):
        return False
    own = of_node(state.tree, prefix, subject) | of_outputs(prefix, subject.outputs)
    known = {**scope, **own, f"{prefix}.status": subject.phase}
    if handler.expression and not lang.evaluate(handler.expression, lang.environment(known)):
        return False
    call = Call(
        name=f"{subject.name}.onExit",
        use=handler.use,
        base=base,
        owner=ExitHandler(owner, done),
        boundary=boundary,
        parent=subject,
        parents=(subject,),
        arguments=Pattern(handler.arguments).fill(known),
        on_exit=True,
        flag={"hooked": True},
        depth=depth,
    )
    launch(state, call)
    return True


def exit_of_step(step: WorkflowStep, raw: Mapping[str, Any], given: Mapping[str, Any]) -> ExitUse | None:
    """The exit handler of a step or task."""
    return exit_of(step.on_exit, step.hooks, raw, given)
