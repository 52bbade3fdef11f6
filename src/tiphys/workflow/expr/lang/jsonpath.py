"""JSONPath as `jsonpath(text, path)` of Argo's expressions has it: `$.a['b'][0].*..c[1:3][?(@.d > 10)][(@.length-1)]`.

A path that can lead to one value only gives that value, any other a list. Filters and scripts are expressions of the
language around it, in which `@` and `$` begin paths of their own. Called by `argofunctions`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tiphys.errors import ExpressionError
from tiphys.workflow.expr.golang import type_name
from tiphys.workflow.expr.lang.compiler import compile_tree
from tiphys.workflow.expr.lang.frame import Code, Frame
from tiphys.workflow.expr.lang.parser import parse
from tiphys.workflow.expr.lang.values import FaultError, as_integer, is_number

__all__ = ["query"]

_MAX_STEPS: Final = 100
_MAX_VISITS: Final = 200_000


@dataclass(frozen=True, slots=True)
class _Key:
    name: str


@dataclass(frozen=True, slots=True)
class _Index:
    at: int


@dataclass(frozen=True, slots=True)
class _Wildcard:
    """`*`: every member."""


@dataclass(frozen=True, slots=True)
class _Recursive:
    """`..`: the value and all below it."""


@dataclass(frozen=True, slots=True)
class _Expression:
    """The source of a filter or script, its paths taken out and put into variables."""

    code: Code
    paths: Mapping[str, _Path]


@dataclass(frozen=True, slots=True)
class _Filter:
    expression: _Expression


_Member = _Key | _Index | _Expression  # an expression gives a key or an index


@dataclass(frozen=True, slots=True)
class _Range:
    start: _Index | _Expression | None
    end: _Index | _Expression | None
    step: _Index | _Expression | None


@dataclass(frozen=True, slots=True)
class _Union:
    members: tuple[_Member, ...]


_Step = _Member | _Wildcard | _Recursive | _Filter | _Range | _Union


@dataclass(frozen=True, slots=True)
class _Path:
    """`absolute`: it begins with `$`, not with `@`."""

    absolute: bool
    steps: tuple[_Step, ...]


def query(path: str, root: Any) -> Any:
    """What the path leads to.

    Raises:
        FaultError: it is no path, or leads nowhere, or would visit too much.
    """
    return _Walk(root).follow(_compiled(path).steps, root)


@functools.lru_cache(maxsize=512)
def _compiled(source: str) -> _Path:
    reader = _Reader(source.strip(), within=False)
    path = reader.path()
    if reader.at < len(reader.text):
        raise reader.fault()
    return path


# -- walking ----------------------------------------------------------------------------------------------------------


class _Walk:
    """One query: its root, and how many members it may still visit."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._left = _MAX_VISITS

    def follow(self, steps: tuple[_Step, ...], value: Any) -> Any:
        for at, step in enumerate(steps):
            rest = steps[at + 1 :]
            match step:
                case _Wildcard():
                    return self._each(self._members(value), rest)
                case _Recursive():
                    return self._below(rest, value)
                case _Filter() | _Range() | _Union():
                    found = self._several(step, value)
                    if rest and not isinstance(rest[0], _Index):
                        return self._each(found, rest)
                    value = found
                case _:
                    value = self._one(step, value)
        return value

    def _each(self, values: Iterable[Any], rest: tuple[_Step, ...]) -> list[Any]:
        """The rest of the path from each value; those from which it leads nowhere are left out."""
        if not rest:
            return list(values)
        found = []
        for value in values:
            try:
                result = self.follow(rest, value)
            except _NowhereError:
                continue
            if result is not None:
                found.append(result)
        return found

    def _below(self, rest: tuple[_Step, ...], value: Any) -> list[Any]:
        found: list[Any] = []
        pending = [value]
        while pending:
            value = pending.pop()
            if value is None:
                continue
            try:
                result = self.follow(rest, value)
            except _NowhereError:
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
            raise _NowhereError(f"expected an array or a map, got {type_name(value)}")
        self._left -= len(members) + 1
        if self._left < 0:
            raise FaultError("memory budget exceeded")
        return members

    def _one(self, step: _Member, value: Any) -> Any:
        if isinstance(step, _Expression):
            result = self._evaluate(step, value)
            step = _Key(result) if isinstance(result, str) else _Index(self._whole(result))
        if isinstance(step, _Index):
            if not isinstance(value, list):
                raise _NowhereError(f"index: expected an array, got {type_name(value)}")
            at = step.at + len(value) if step.at < 0 else step.at
            if not 0 <= at < len(value):
                raise _NowhereError(f"index: {step.at} is out of range")
            return value[at]
        if step.name == "length" and isinstance(value, list | str):
            return len(value)
        if not isinstance(value, Mapping):
            raise _NowhereError(f"key: expected a map, got {type_name(value)}")
        if step.name == "length":
            return value.get("length", len(value))
        if step.name not in value:
            raise _NowhereError(f"key: '{step.name}' not found")
        return value[step.name]

    def _several(self, step: _Filter | _Range | _Union, value: Any) -> list[Any]:
        match step:
            case _Filter(expression=expression):
                return [member for member in self._members(value) if self._chosen(expression, member)]
            case _Range():
                return self._range(step, value)
            case _Union(members=members):
                found = []
                for member in members:
                    try:
                        found.append(self._one(member, value))
                    except _NowhereError:
                        continue
                return found

    def _range(self, step: _Range, value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise _NowhereError(f"range: expected an array, got {type_name(value)}")
        stride = 1 if step.step is None else self._bound(step.step, value)
        if stride == 0:
            raise _NowhereError("range: a step of 0")
        start = None if step.start is None else self._bound(step.start, value)
        end = None if step.end is None else self._bound(step.end, value)
        part = value[start:end]
        return part[::stride]

    def _bound(self, bound: _Index | _Expression, value: Any) -> int:
        return bound.at if isinstance(bound, _Index) else self._whole(self._evaluate(bound, value))

    @staticmethod
    def _whole(value: Any) -> int:
        if not is_number(value) or float(value) != as_integer(value):
            raise _NowhereError(f"script: expected an int or a string, got {type_name(value)}")
        return as_integer(value)

    def _chosen(self, expression: _Expression, member: Any) -> bool:
        try:
            return bool(self._evaluate(expression, member))
        except _NowhereError:
            return False

    def _evaluate(self, expression: _Expression, current: Any) -> Any:
        frame = Frame({"null": None, **{name: self._begin(path, current) for name, path in expression.paths.items()}})
        frame.left = self._left
        try:
            return expression.code(frame)
        except (FaultError, ExpressionError) as fault:
            raise _NowhereError(str(fault)) from fault
        finally:
            self._left = frame.left - 1

    def _begin(self, path: _Path, current: Any) -> Any:
        return self.follow(path.steps, self._root if path.absolute else current)


class _NowhereError(FaultError):
    """The path leads nowhere from here; other branches of it may lead on."""


# -- reading ----------------------------------------------------------------------------------------------------------

_STOPS: Final = frozenset(".[")


class _Reader:
    """Reads a path from a place in a text.

    Args:
        within: it is part of an expression, where a name holds only letters, digits and underscores.
    """

    def __init__(self, text: str, *, within: bool, at: int = 0) -> None:
        self.text = text
        self.at = at
        self._within = within

    def fault(self) -> FaultError:
        """The text is no path."""
        return FaultError(f"invalid JSONPath selector '{self.text}' at index {self.at}")

    def path(self) -> _Path:
        """The path that begins here."""
        if self._peek() not in ("$", "@"):
            raise self.fault()
        absolute = self._peek() == "$"
        self.at += 1
        steps: list[_Step] = []
        while self._peek() in (".", "["):
            if len(steps) > _MAX_STEPS:
                raise FaultError(f"JSONPath selector has more than {_MAX_STEPS} steps")
            if self.text.startswith("..", self.at):
                steps.append(_Recursive())
                self.at += 2
                if self._peek() in ("", "["):
                    continue
            elif self._peek() == ".":
                self.at += 1
                if self._peek() == "[":
                    continue
            else:
                steps.append(self._subscript())
                continue
            name = self._name()
            steps.append(_Wildcard() if name == "*" else _Key(name))
        return _Path(absolute, tuple(steps))

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _name(self) -> str:
        start = self.at
        if self._within and self._peek() == "*":
            self.at += 1
        else:
            while (char := self._peek()) and ((char.isalnum() or char == "_") if self._within else char not in _STOPS):
                self.at += 1
        if start == self.at:
            raise self.fault()
        return self.text[start : self.at].strip()

    def _subscript(self) -> _Step:
        self.at += 1
        self._skip_space()
        if self._peek() == "*":
            self.at += 1
            step: _Step = _Wildcard()
        elif self._peek() == "?":
            self.at += 1
            step = _Filter(self._expression())
        else:
            step = self._members()
        self._skip_space()
        if self._peek() != "]":
            raise self.fault()
        self.at += 1
        return step

    def _members(self) -> _Step:
        """`0`, `'a'`, `0,1`, `1:3`, each part maybe an expression."""
        parts: list[_Member | None] = [self._member()]
        separator = self._peek() if self._peek() in (",", ":") else ""
        while separator and self._peek() == separator:
            self.at += 1
            parts.append(self._member())
        if separator == ":" and len(parts) <= 3:
            start, end, step = [*parts, None][:3]
            if not any(isinstance(part, _Key) for part in (start, end, step)):
                return _Range(start, end, step)  # type: ignore[arg-type]  # no key among them
            raise self.fault()
        members = tuple(part for part in parts if part is not None)
        if len(members) != len(parts) or separator == ":":
            raise self.fault()
        return members[0] if len(members) == 1 else _Union(members)

    def _member(self) -> _Member | None:
        self._skip_space()
        start, char = self.at, self._peek()
        member: _Member | None = None
        if char in ("'", '"') and char:
            member = _Key(self._quoted(char))
        elif char == "(":
            member = self._expression()
        else:
            self.at += char == "-"
            while self._peek().isdecimal():
                self.at += 1
            digits = self.text[start : self.at]
            if digits:
                if digits == "-" or len(digits) > 18:
                    raise self.fault()
                member = _Index(int(digits))
        self._skip_space()
        return member

    def _quoted(self, quote: str) -> str:
        name, self.at = "", self.at + 1
        while (char := self._peek()) != quote:
            if not char:
                raise self.fault()
            if char == "\\" and self.text.startswith(quote, self.at + 1):
                char, self.at = quote, self.at + 1
            name, self.at = name + char, self.at + 1
        self.at += 1
        return name

    def _skip_space(self) -> None:
        while self._peek() == " ":
            self.at += 1

    def _expression(self) -> _Expression:
        """From an opening bracket to the one that closes it."""
        if self._peek() != "(":
            raise self.fault()
        self.at += 1
        source, paths, depth = "", dict[str, _Path](), 1
        while True:
            char = self._peek()
            if char in ("'", '"') and char:
                start = self.at
                self._quoted(char)
                source += self.text[start : self.at]
                continue
            if char in ("@", "$") and char:
                inner = _Reader(self.text, within=True, at=self.at)
                name = f"path{len(paths)}"
                paths[name] = inner.path()
                self.at = inner.at
                source += name
                continue
            if self.text.startswith("=~", self.at):
                source, self.at = f"{source} matches ", self.at + 2
                continue
            depth += (char == "(") - (char == ")")
            self.at += 1
            if not char or not depth:
                break
            source += char
        if not char or not source.strip():
            raise self.fault()
        return _Expression(compile_tree(source, parse(source)), paths)
