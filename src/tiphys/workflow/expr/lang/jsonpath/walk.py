"""From a value along a path to what it leads to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from tiphys.errors import ExpressionError
from tiphys.workflow.expr.golang import type_name
from tiphys.workflow.expr.lang.frame import Frame
from tiphys.workflow.expr.lang.jsonpath.steps import (
    Expression,
    Filter,
    Index,
    Key,
    Member,
    Path,
    Range,
    Recursive,
    Step,
    Union,
    Wildcard,
)
from tiphys.workflow.expr.lang.values import FaultError, as_integer, is_number

__all__ = ["Walk"]

_MAX_VISITS: Final = 200_000


class Walk:
    """One query: its root, and how many members it may still visit."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._left = _MAX_VISITS

    def follow(self, steps: tuple[Step, ...], value: Any) -> Any:
        """What the steps lead to from this value.

        Raises:
            FaultError: they lead nowhere, or too much would be visited.
        """
        for at, step in enumerate(steps):
            rest = steps[at + 1 :]
            match step:
                case Wildcard():
                    return self._each(self._members(value), rest)
                case Recursive():
                    return self._below(rest, value)
                case Filter() | Range() | Union():
                    found = self._several(step, value)
                    if rest and not isinstance(rest[0], Index):
                        return self._each(found, rest)
                    value = found
                case _:
                    value = self._one(step, value)
        return value

    def _each(self, values: Iterable[Any], rest: tuple[Step, ...]) -> list[Any]:
        """The rest of the path from each value; those from which it leads nowhere are left out."""
        if not rest:
            return list(values)
        found = []
        for value in values:
            try:
                result = self.follow(rest, value)
            except NowhereError:
                continue
            if result is not None:
                found.append(result)
        return found

    def _below(self, rest: tuple[Step, ...], value: Any) -> list[Any]:
        found: list[Any] = []
        pending = [value]
        while pending:
            value = pending.pop()
            if value is None:
                continue
            try:
                result = self.follow(rest, value)
            except NowhereError:
                result = None
            if isinstance(result, list) and rest:
                found += result
            elif result is not None:
                found.append(result)
            if isinstance(value, list | dict):
                pending += reversed(self._members(value))
        return found

    def _members(self, value: Any) -> list[Any]:
        """The elements of a list, the values of a map in the order of its keys."""
        if isinstance(value, Mapping):
            members = [value[key] for key in sorted(value)]
        elif isinstance(value, list):
            members = value
        else:
            raise NowhereError(f"expected an array or a map, got {type_name(value)}")
        self._left -= len(members) + 1
        if self._left < 0:
            raise FaultError("memory budget exceeded")
        return members

    def _one(self, step: Member, value: Any) -> Any:
        if isinstance(step, Expression):
            result = self._evaluate(step, value)
            step = Key(result) if isinstance(result, str) else Index(self._whole(result))
        if isinstance(step, Index):
            if not isinstance(value, list):
                raise NowhereError(f"index: expected an array, got {type_name(value)}")
            at = step.at + len(value) if step.at < 0 else step.at
            if not 0 <= at < len(value):
                raise NowhereError(f"index: {step.at} is out of range")
            return value[at]
        if step.name == "length" and isinstance(value, list | str):
            return len(value)
        if not isinstance(value, Mapping):
            raise NowhereError(f"key: expected a map, got {type_name(value)}")
        if step.name == "length":
            return value.get("length", len(value))
        if step.name not in value:
            raise NowhereError(f"key: '{step.name}' not found")
        return value[step.name]

    def _several(self, step: Filter | Range | Union, value: Any) -> list[Any]:
        match step:
            case Filter(expression=expression):
                return [member for member in self._members(value) if self._chosen(expression, member)]
            case Range():
                return self._range(step, value)
            case Union(members=members):
                found = []
                for member in members:
                    try:
                        found.append(self._one(member, value))
                    except NowhereError:
                        continue
                return found

    def _range(self, step: Range, value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise NowhereError(f"range: expected an array, got {type_name(value)}")
        stride = 1 if step.step is None else self._bound(step.step, value)
        if stride == 0:
            raise NowhereError("range: a step of 0")
        start = None if step.start is None else self._bound(step.start, value)
        end = None if step.end is None else self._bound(step.end, value)
        part = value[start:end]
        return part[::stride]

    def _bound(self, bound: Index | Expression, value: Any) -> int:
        return bound.at if isinstance(bound, Index) else self._whole(self._evaluate(bound, value))

    @staticmethod
    def _whole(value: Any) -> int:
        if not is_number(value) or float(value) != as_integer(value):
            raise NowhereError(f"script: expected an int or a string, got {type_name(value)}")
        return as_integer(value)

    def _chosen(self, expression: Expression, member: Any) -> bool:
        try:
            return bool(self._evaluate(expression, member))
        except NowhereError:
            return False

    def _evaluate(self, expression: Expression, current: Any) -> Any:
        frame = Frame({"null": None, **{name: self._begin(path, current) for name, path in expression.paths.items()}})
        frame.left = self._left
        try:
            return expression.code(frame)
        except (FaultError, ExpressionError) as fault:
            raise NowhereError(str(fault)) from fault
        finally:
            self._left = frame.left - 1

    def _begin(self, path: Path, current: Any) -> Any:
        return self.follow(path.steps, self._root if path.absolute else current)


class NowhereError(FaultError):
    """The path leads nowhere from here; other branches of it may lead on."""
