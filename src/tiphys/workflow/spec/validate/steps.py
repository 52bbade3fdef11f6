"""Steps templates: each step by itself, and what it may know of those before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tiphys.workflow.spec.validate.arguments import Supplied, check_arguments
from tiphys.workflow.spec.validate.context import Template, Walk
from tiphys.workflow.spec.validate.rules import InvalidError, wrong_field_name
from tiphys.workflow.spec.validate.scope import Scope, add_items, add_outputs, loop_aggregates

__all__ = ["check_hooks", "check_steps", "has_exit_hook", "of_inline", "only_leaf_fields"]


def check_steps(walk: Walk, template: Template, scope: Scope) -> None:
    """All steps in their order; what they make known is added to `scope`.

    Raises:
        InvalidError
    """
    only_leaf_fields(template)
    names: set[str] = set()
    for index, group in enumerate(template.raw["steps"]):
        for step in group:
            name, where = step.get("name") or "", f"templates.{template.name}.steps[{index}]"
            _check_name(name, where, names)
            names.add(name)
            try:
                _check_step(walk, template, step, f"{where}.{name}", scope)
            except _InStepsError as error:
                raise InvalidError(f"templates.{template.name}.steps {error}") from error


class _InStepsError(Exception):
    """A tag of a step; Argo does not say of which."""


def _check_name(name: str, where: str, names: set[str]) -> None:
    if not name:
        raise InvalidError(f"{where}.name is required")
    if name in names:
        raise InvalidError(f"{where}.name '{name}' is not unique")
    if error := wrong_field_name(name):
        raise InvalidError(f"{where}.name '{name}' is invalid: {error}")


def _check_step(walk: Walk, template: Template, step: Mapping[str, Any], where: str, scope: Scope) -> None:
    prefix = f"steps.{step['name']}"
    scope.add(f"{prefix}.status")
    try:
        add_items(step, scope)
    except InvalidError as error:
        raise InvalidError(f"{where} {error}") from error
    check_arguments(step.get("arguments") or {}, f"{where}.arguments.", may_be_empty=False)
    try:
        used = walk.use(step, template, scope)
    except InvalidError as error:
        raise InvalidError(f"{where} {error}") from error
    if has_exit_hook(step):
        add_outputs(used, prefix, scope, walk.known, aggregated=False)
    check_hooks(step.get("hooks"), where)
    try:
        walk.check_tags(step, Scope(of_inline(step), scope))
    except InvalidError as error:
        raise _InStepsError(str(error)) from error
    add_outputs(used, prefix, scope, walk.known, aggregated=loop_aggregates(step))
    try:
        walk.use(step, template, scope, Supplied.of(step.get("arguments") or {}))
    except InvalidError as error:
        raise InvalidError(f"{where} {error}") from error


def only_leaf_fields(template: Template) -> None:
    """What only leaves may have.

    Raises:
        InvalidError
    """
    if template.raw.get("activeDeadlineSeconds") is not None:
        raise InvalidError(f"templates.{template.name}.activeDeadlineSeconds is only valid for leaf templates")


def has_exit_hook(step: Mapping[str, Any]) -> bool:
    """Whether something runs when the step has ended."""
    return bool(step.get("onExit") or "exit" in (step.get("hooks") or {}))


def check_hooks(hooks: Mapping[str, Any] | None, where: str) -> None:
    """A hook other than `exit` says when.

    Raises:
        InvalidError
    """
    for name, hook in (hooks or {}).items():
        if name != "exit" and not hook.get("expression"):
            raise InvalidError(f"{where}.{name} Expression required")


def of_inline(step: Mapping[str, Any]) -> set[str]:
    """The input parameters of a step's inline template, which are spoken of in the step's own text."""
    inputs = (step.get("inline") or {}).get("inputs") or {}
    return {f"inputs.parameters.{parameter['name']}" for parameter in inputs.get("parameters") or ()}
