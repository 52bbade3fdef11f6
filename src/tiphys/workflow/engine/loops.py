"""A step or task made ready: its `when` decided, its references resolved, its loop spread out. Pure.

Called for each step of a group, and each task of a DAG whose dependencies are met; the scope is what it may speak of.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tiphys.errors import ExpressionError
from tiphys.kit.codec import DecodeError, convert, decode
from tiphys.workflow.engine.arguments import ABSENT
from tiphys.workflow.engine.substitution import Pattern
from tiphys.workflow.engine.templates import Resolved, TemplateError
from tiphys.workflow.engine.values import item_text
from tiphys.workflow.expr import condition, gojson
from tiphys.workflow.expr.golang import format_value, sprintf
from tiphys.workflow.spec.types import WorkflowStep

__all__ = ["ItemsError", "Ready", "loops", "prepare"]

ScopeOf = Callable[[frozenset[str], bool], Mapping[str, Any]]
"""Gives the variables for these names; for all that there are if the second is True."""

_MAX_ITEMS: Final = 100_000  # of a sequence: a slip of the pen must not fill the memory
_LOOPS: Final = ("withItems", "withParam", "withSequence")
_LATER: Final = ("when", "hooks", "onExit")  # what of a step is resolved at another time than its arguments
_ROLES: Final = ("steps", "tasks")
_NOT_RUN: Final = ("Skipped", "Omitted")


class ItemsError(TemplateError):
    """What a loop is to go over is no list, or one of its turns cannot be made of its item."""


@dataclass(frozen=True, slots=True)
class Ready:
    """One step to run, or to skip.

    Attributes:
        name: of the step, within a loop with its item: `name(0:item)`.
        raw: the step with its references resolved; where it does not run, what its node shows.
        step: the lens over it.
        skipped: why it does not run; "" if it does.
        error: its `when` cannot be evaluated.
    """

    name: str
    raw: Mapping[str, Any]
    step: WorkflowStep
    skipped: str = ""
    error: str = ""

    @property
    def arguments(self) -> Mapping[str, Any]:
        """For its template, raw."""
        return self.raw.get("arguments") or {}

    @classmethod
    def to_skip(cls, raw: Mapping[str, Any], why: str, *, name: str = "", error: str = "") -> Ready:
        """A step that does not run; it needs nothing resolved but what its node shows."""
        shown = {key: raw[key] for key in ("name", "template", "templateRef", "inline") if key in raw}
        return cls(name or raw.get("name", ""), shown, convert(shown, WorkflowStep), why, error)


def loops(raw: Mapping[str, Any]) -> bool:
    """Whether the step is one for each item of something."""
    return any(raw.get(key) for key in _LOOPS)


def prepare(template: Resolved, key: Any, raw: Mapping[str, Any], scope_of: ScopeOf, now: dt.datetime) -> list[Ready]:
    """The steps that one step of a manifest stands for; none for a loop over nothing.

    Args:
        template: the one that holds the step; keeps what has been found out about the step under `key`.
        now: for expressions that ask for the time.

    Raises:
        ItemsError: its loop cannot be spread out.
        ExpressionError, TemplateError: the step cannot be resolved.
    """
    when_pattern = template.pattern((key, "when"), raw.get("when") or "")
    pattern = template.pattern((key, "step"), {name: value for name, value in raw.items() if name != "when"})
    needed = template.pattern((key, "needed"), {name: value for name, value in raw.items() if name not in _LATER}).plain
    when = when_pattern.raw
    if when_pattern.tagged:
        when = when_pattern.fill(scope_of(when_pattern.names, when_pattern.nested), now=now)
    if loops(raw):
        return _spread(pattern, needed, raw, when, scope_of, now)
    if when and not condition.evaluate(when):
        return [Ready.to_skip(raw, _when_false(when))]
    return [_ready(_resolve(pattern, needed, scope_of, now))]


def _when_false(when: str) -> str:
    return f"when '{when}' evaluated false"


def _ready(raw: Mapping[str, Any], name: str = "") -> Ready:
    try:
        return Ready(name or raw.get("name", ""), raw, convert(raw, WorkflowStep))
    except DecodeError as error:
        raise TemplateError(f"step {raw.get('name', '')!r} cannot be read: {error}") from error


def _resolve(pattern: Pattern, needed: frozenset[str], scope_of: ScopeOf, now: dt.datetime) -> dict[str, Any]:
    """The step filled in; of an argument that is nothing but a reference to an absent output, only that is left.

    Raises:
        TemplateError: a step that has run has not what is needed of it. (Argo 4 waits for it, for ever.)
    """
    if not pattern.tagged:
        return dict(pattern.raw)
    scope = dict(scope_of(pattern.names, pattern.nested))
    for name in sorted(needed):
        _require(name, scope)
    absent = [name for name in pattern.names if name in scope and scope[name] is None]
    if not absent:
        return dict(pattern.fill(scope, now=now))
    raw = dict(pattern.raw)
    arguments = dict(raw.get("arguments") or {})
    references = {f"{{{{{name}}}}}": name for name in absent}
    arguments["parameters"] = [
        {"name": parameter["name"], ABSENT: references[text]}
        if (text := _compact(parameter.get("value"))) in references
        else parameter
        for parameter in arguments.get("parameters") or ()
    ]
    raw["arguments"] = arguments
    rest = Pattern(raw)
    for name in absent:
        if name in rest.names and f"{{{{{name}}}}}" in _compact(str(raw)):
            why = "absent optional: the step did not run, and its output has no default"
            raise TemplateError(f"failed to resolve {{{{{name}}}}}: {why}")
    return dict(rest.fill(scope, now=now))


def _require(name: str, scope: dict[str, Any]) -> None:
    """Of a step that did not run, what it has not is absent."""
    root, _, rest = name.partition(".")
    if root not in _ROLES or name in scope or "." not in rest:
        return
    status = f"{root}.{rest.partition('.')[0]}.status"
    if scope.get(status) not in _NOT_RUN:
        raise TemplateError(f"failed to resolve {{{{{name}}}}}: that step has no such value")
    scope[name] = None


def _compact(value: Any) -> str:
    return value.replace(" ", "") if isinstance(value, str) else ""


def _spread(
    pattern: Pattern, needed: frozenset[str], raw: Mapping[str, Any], when: str, scope_of: ScopeOf, now: dt.datetime
) -> list[Ready]:
    """A loop: the step once for each item."""
    never = _known_false(when)
    body = _resolve(pattern, frozenset() if never else needed, scope_of, now)
    try:
        items = _items(body)
    except ItemsError:
        if not never:
            raise
        items = []
    for key in _LOOPS:
        body.pop(key, None)
    each, each_when = Pattern(body), Pattern(when)
    # What speaks of the item and of something else, in one expression, has waited for the item.
    around = {
        name: value
        for one in (each, each_when)
        for name, value in scope_of(one.names, one.nested).items()
        if value is not None
    }
    return [_one(each, each_when, raw, index, item, around, never=never, now=now) for index, item in enumerate(items)]


def _known_false(when: str) -> bool:
    """False whatever the item: then nothing of the step need resolve."""
    if not when or "{{" in when:
        return False
    try:
        return not condition.evaluate(when)
    except ExpressionError:
        return False


def _one(
    each: Pattern,
    each_when: Pattern,
    raw: Mapping[str, Any],
    index: int,
    item: Any,
    around: Mapping[str, Any],
    *,
    never: bool,
    now: dt.datetime,
) -> Ready:
    name = f"{raw['name']}({index}:{_describe(item)})"
    variables = {**around, **_variables(item)}
    when = each_when.fill(variables, now=now)
    try:
        if never or (when and not condition.evaluate(when)):
            return Ready.to_skip(raw, _when_false(when), name=name)
    except ExpressionError as error:
        return Ready.to_skip(raw, "", name=name, error=str(error))
    try:
        filled = each.fill(variables, strict=True, now=now)
    except ExpressionError as error:
        raise ItemsError(str(error)) from error
    return _ready(filled, name)


def _items(body: Mapping[str, Any]) -> list[Any]:
    if body.get("withItems"):
        return list(body["withItems"])
    if (text := body.get("withParam")) is not None and text != "":
        try:
            items = decode(text)
        except DecodeError as error:
            raise ItemsError(_no_list(text, gojson.syntax_error(text) or str(error))) from error
        if not isinstance(items, list | None):
            kind = gojson.kind_of(items)
            raise ItemsError(_no_list(text, f"json: cannot unmarshal {kind} into Go value of type []v1alpha1.Item"))
        return items or []
    return _sequence(body["withSequence"])


def _no_list(text: str, why: str) -> str:
    return f"withParam value could not be parsed as a JSON list: {text.strip()}: {why}"


def _sequence(sequence: Mapping[str, Any]) -> list[Any]:
    start = _whole(sequence.get("start"), 0)
    if sequence.get("end") is not None:
        end = _whole(sequence["end"], 0)
    elif sequence.get("count") is not None:
        count = _whole(sequence["count"], 0)
        if count == 0:
            return []
        end = start + count - 1
    else:
        raise ItemsError("neither end nor count was specified in withSequence")
    numbers = range(start, end + 1) if start <= end else range(start, end - 1, -1)
    if len(numbers) > _MAX_ITEMS:
        raise ItemsError(f"withSequence asks for {len(numbers)} items; at most {_MAX_ITEMS} are allowed")
    form = sequence.get("format") or "%d"
    return [sprintf(form, number) for number in numbers]


def _whole(value: Any, default: int) -> int:
    if value is None:
        return default
    try:
        return int(str(value))
    except ValueError as error:
        raise ItemsError(f'strconv.Atoi: parsing "{value}": invalid syntax') from error


def _variables(item: Any) -> dict[str, Any]:
    variables: dict[str, Any] = {"item": item_text(item)}
    if isinstance(item, dict):
        variables |= {f"item.{key}": item_text(value) for key, value in item.items()}
    return variables


def _describe(item: Any) -> str:
    """What the node's name says of the item; parentheses would be taken for a loop's."""
    if isinstance(item, dict):
        text = ",".join(sorted(f"{key}:{item_text(value)}" for key, value in item.items()))
    elif isinstance(item, list):
        text = format_value([item_text(value) for value in item])
    else:
        text = item_text(item)
    return text.replace("(", "").replace(")", "")
