"""Exit handlers: what a manifest says of them, and who waits for one. Run by the owners of the nodes they handle."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from tiphys.errors import ExpressionError
from tiphys.workflow.engine.nodes import Node
from tiphys.workflow.engine.state import Execution
from tiphys.workflow.engine.substitution import Pattern
from tiphys.workflow.engine.templates import Use
from tiphys.workflow.expr import lang
from tiphys.workflow.spec.types import LifecycleHook, WorkflowStep

__all__ = ["ExitHandler", "ExitUse", "exit_of", "exit_of_step"]


class ExitUse:
    """The exit handler of a step, task or workflow, as its manifest says.

    Attributes:
        arguments: raw, to be filled in when it runs.
        names: the variables that arguments and expression speak of.
        everything: they may speak of others, too.
    """

    def __init__(self, use: Use, arguments: Mapping[str, Any], expression: str) -> None:
        self.use = use
        self.arguments = Pattern(arguments)
        self._expression = expression
        self.names, self.everything = self.arguments.names, self.arguments.nested
        if expression:
            try:
                self.names |= lang.identifiers(expression)
            except ExpressionError:
                self.everything = True  # the evaluation will say why

    def wanted(self, scope: Mapping[str, Any], now: dt.datetime) -> bool:
        """Whether its expression, if it has one, lets it run.

        Raises:
            ExpressionError: that cannot be told.
        """
        return not self._expression or lang.evaluate_bool(self._expression, lang.environment(scope, now=now))


def exit_of(
    on_exit: str, hooks: Mapping[str, LifecycleHook], raw: Mapping[str, Any], given: Mapping[str, Any]
) -> ExitUse | None:
    """The exit handler, if there is one; `given` are the workflow's arguments, for a handler that names none."""
    if on_exit:
        return ExitUse(Use(template=on_exit), given, "")
    hook = hooks.get("exit")
    if hook is None:
        return None
    own = ((raw.get("hooks") or {}).get("exit") or {}).get("arguments") or {}
    arguments = own if own.get("parameters") or own.get("artifacts") else given
    return ExitUse(Use(template=hook.template, ref=hook.template_ref), arguments, hook.expression)


def exit_of_step(step: WorkflowStep, raw: Mapping[str, Any], given: Mapping[str, Any]) -> ExitUse | None:
    """The exit handler of a step or task."""
    return exit_of(step.on_exit, step.hooks, raw, given)


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
