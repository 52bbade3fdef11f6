"""Which variables hold where: those of the whole workflow, of a loop, of a step that has run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from tiphys.workflow.spec.resolve import kinds_of
from tiphys.workflow.spec.validate.rules import PLACEHOLDER, InvalidError, is_tag
from tiphys.workflow.spec.validate.tags import ANY_ARTIFACT, ANY_ITEM, ANY_PARAMETER

__all__ = ["LEAVES", "POD_LEAVES", "RETRY_VARIABLES", "Scope", "add_items", "add_outputs", "is_loop", "loop_aggregates"]

POD_LEAVES: Final = frozenset({"container", "containerSet", "data", "resource", "script"})
LEAVES: Final = POD_LEAVES | {"http", "plugin"}

RETRY_VARIABLES: Final = (
    "retries",
    "lastRetry.exitCode",
    "lastRetry.status",
    "lastRetry.duration",
    "lastRetry.message",
)

_WITH_RESULT: Final = ("container", "data", "http", "plugin", "script")


class Scope:
    """The variables that hold somewhere, on top of those that hold around it."""

    def __init__(self, names: Iterable[str] = (), around: Scope | None = None) -> None:
        self._names = set(names)
        self._around = around

    def __contains__(self, name: object) -> bool:
        return name in self._names or (self._around is not None and name in self._around)

    def add(self, *names: str) -> None:
        """These hold from here on."""
        self._names.update(names)


def is_loop(step: Mapping[str, Any]) -> bool:
    """Whether a step or task is expanded."""
    return bool(step.get("withItems") or step.get("withParam") or step.get("withSequence") is not None)


def loop_aggregates(step: Mapping[str, Any]) -> bool:
    """Whether its children's outputs come as lists; Argo's lint knows that of two of the three loops."""
    return bool(step.get("withItems") or step.get("withParam"))


def add_items(step: Mapping[str, Any], scope: Scope) -> None:
    """`item` and its parts, where a loop gives them.

    Raises:
        InvalidError: several loops at once, or a sequence with two ends.
    """
    items, parameter, sequence = step.get("withItems"), step.get("withParam"), step.get("withSequence")
    if bool(items) + bool(parameter) + (sequence is not None) > 1:
        raise InvalidError("only one of withItems, withParam, withSequence can be specified")
    for item in items or ():
        if isinstance(item, dict):
            scope.add(*(f"item.{key}" for key in item))
        elif isinstance(item, list):
            scope.add(*(f"item.[{index}]" for index in range(len(item))))
        elif item is None:
            raise InvalidError("unsupported withItems type: null")
        else:
            scope.add("item")
    if parameter:
        scope.add("item", ANY_ITEM)
    if sequence is not None:
        if sequence.get("count") is not None and sequence.get("end") is not None:
            raise InvalidError("only one of count or end can be defined in withSequence")
        scope.add("item")


def add_outputs(
    template: Mapping[str, Any] | None,
    prefix: str,
    scope: Scope,
    known: dict[str, str],
    *,
    aggregated: bool,
) -> None:
    """What a step makes known of itself.

    Args:
        template: the step's; None where only the run can tell.
        prefix: "steps.NAME" or "tasks.NAME".
        known: the variables of the whole workflow, to which globally named outputs are added.
        aggregated: it is a loop's.
    """
    scope.add(*(f"{prefix}.{name}" for name in ("id", "startedAt", "finishedAt", "hostNodeName")))
    if template is None:
        return
    if template.get("daemon"):
        scope.add(f"{prefix}.ip")
    kind = next(iter(kinds_of(template)), "")
    if kind in _WITH_RESULT or (kind == "containerSet" and _has_main(template["containerSet"])):
        scope.add(f"{prefix}.outputs.result", f"{prefix}.exitCode")
    outputs = template.get("outputs") or {}
    for field, wild in (("parameters", ANY_PARAMETER), ("artifacts", ANY_ARTIFACT)):
        for output in outputs.get(field) or ():
            scope.add(f"{prefix}.outputs.{field}.{output['name']}")
            name = output.get("globalName") or ""
            if is_tag(name):
                scope.add(wild)
            elif name:
                scope.add(f"workflow.outputs.{field}.{name}")
                known[f"workflow.outputs.{field}.{name}"] = PLACEHOLDER
    if aggregated:
        scope.add(f"{prefix}.outputs.parameters")
        if kind in ("script", "containerSet"):
            scope.add(f"{prefix}.outputs.result", f"{prefix}.exitCode")


def _has_main(container_set: Mapping[str, Any]) -> bool:
    return any(container.get("name") == "main" for container in container_set.get("containers") or ())
