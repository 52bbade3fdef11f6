"""Hooks: what a manifest says of them, and who waits for them. Run by the owners of the nodes they belong to.

The hook `exit` is an exit handler and runs when its node has ended; each other one once its expression holds.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from tiphys.errors import ExpressionError
from tiphys.workflow.engine.nodes import Node
from tiphys.workflow.engine.state import Owner, State
from tiphys.workflow.engine.substitution import Pattern
from tiphys.workflow.engine.templates import TemplateError, Use
from tiphys.workflow.expr import lang
from tiphys.workflow.spec.types import LifecycleHook, WorkflowStep

__all__ = ["ExitHandler", "HookUse", "Watch", "exit_of", "exit_of_step", "lifecycle_of"]


class HookUse:
    """A hook of a step, task or workflow, as its manifest says.

    Attributes:
        arguments: raw, to be filled in when it runs.
        names: the variables that arguments and expression speak of.
        everything: they may speak of others, too.
    """

    def __init__(self, use: Use, arguments: Mapping[str, Any], expression: str) -> None:
        self.use = use
        self.expression = expression
        self.arguments = Pattern(arguments)
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
        return not self.expression or lang.evaluate_bool(self.expression, lang.environment(scope, now=now))


def exit_of(
    on_exit: str, hooks: Mapping[str, LifecycleHook], raw: Mapping[str, Any], given: Mapping[str, Any]
) -> HookUse | None:
    """The exit handler, if there is one; `given` are the workflow's arguments, for a handler that names none."""
    if on_exit:
        return HookUse(Use(template=on_exit), given, "")
    hook = hooks.get("exit")
    if hook is None:
        return None
    own = ((raw.get("hooks") or {}).get("exit") or {}).get("arguments") or {}
    arguments = own if own.get("parameters") or own.get("artifacts") else given
    return HookUse(Use(template=hook.template, ref=hook.template_ref), arguments, hook.expression)


def exit_of_step(step: WorkflowStep, raw: Mapping[str, Any], given: Mapping[str, Any]) -> HookUse | None:
    """The exit handler of a step or task."""
    return exit_of(step.on_exit, step.hooks, raw, given)


def lifecycle_of(hooks: Mapping[str, LifecycleHook], raw: Mapping[str, Any]) -> dict[str, HookUse]:
    """The hooks other than `exit`, by name."""
    given = raw.get("hooks") or {}
    return {
        name: HookUse(
            Use(template=hook.template, ref=hook.template_ref),
            (given.get(name) or {}).get("arguments") or {},
            hook.expression,
        )
        for name, hook in hooks.items()
        if name != "exit"
    }


class ExitHandler:
    """Waits for the exit handler of one node, on behalf of that node's owner."""

    def __init__(self, owner: Owner, done: Callable[[], None], failed: Callable[[str], None]) -> None:
        self._owner = owner
        self._done = done
        self._failed = failed

    @property
    def over(self) -> bool:
        """The owner waits for nothing any more."""
        return self._owner.over

    def child_ended(self, node: Node, error: str | None) -> None:
        """The handler has ended; how, does not matter to the node it handled, unless it could not be run."""
        if error is None:
            self._done()
        elif not self.over:
            self._failed(error)


class Watch:
    """The hooks of one node other than `exit`: each starts when its expression holds, and what has begun is waited for.

    Looked at whenever the node has another phase.
    """

    def __init__(
        self,
        state: State,
        subject: str,
        uses: Mapping[str, HookUse],
        owner: Owner,
        start: Callable[[str, HookUse, Owner], bool],
        failed: Callable[[str], None],
    ) -> None:
        """Begin to watch.

        Args:
            subject: the name of the node, which need not be there yet.
            owner: waits for the node.
            start: runs a hook if its expression holds, and tells whether it does.
            failed: is told why a hook cannot be run.
        """
        self._subject = subject
        self._uses = dict(uses)  # those that have not begun
        self._owner = owner
        self._start = start
        self._failed = failed
        self._open = 0
        self._then: Callable[[], None] | None = None
        state.watch(subject, self.look)

    @property
    def over(self) -> bool:
        """The owner waits for nothing any more."""
        return self._owner.over

    def look(self) -> None:
        """Start the hooks whose time has come."""
        if self.over:
            return
        for name, use in list(self._uses.items()):
            try:
                if not use.expression:
                    raise TemplateError(f"Expression required for hook {self._subject}.hooks.{name}")
                if self._start(name, use, self):
                    self._uses.pop(name)
                    self._open += 1
            except (ExpressionError, TemplateError) as error:
                self._break(str(error))
                return

    def settle(self, then: Callable[[], None]) -> bool:
        """The node has ended: whether hooks must be waited for; `then` is called when the last of them has ended."""
        self.look()
        if self._open:
            self._then = then
        return self._open > 0 or self.over

    def child_ended(self, node: Node, error: str | None) -> None:
        """A hook has ended; how, does not matter to its node, unless it could not be run."""
        self._open -= 1
        if error is not None and not self.over:
            self._break(error)
        if not self._open and self._then is not None and not self.over:
            then, self._then = self._then, None
            then()

    def _break(self, why: str) -> None:
        self._uses = {}
        self._failed(why)
