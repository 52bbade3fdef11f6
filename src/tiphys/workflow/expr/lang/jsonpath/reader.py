"""Text to a path, by hand: a path ends within an expression where no step can go on."""

from __future__ import annotations

from typing import Final

from tiphys.workflow.expr.lang.compiler import compile_tree
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
from tiphys.workflow.expr.lang.parser import parse
from tiphys.workflow.expr.lang.values import FaultError

__all__ = ["Reader"]

_MAX_STEPS: Final = 100
_STOPS: Final = frozenset(".[")


class Reader:
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

    def path(self) -> Path:
        """The path that begins here."""
        if self._peek() not in ("$", "@"):
            raise self.fault()
        absolute = self._peek() == "$"
        self.at += 1
        steps: list[Step] = []
        while self._peek() in (".", "["):
            if len(steps) > _MAX_STEPS:
                raise FaultError(f"JSONPath selector has more than {_MAX_STEPS} steps")
            if self.text.startswith("..", self.at):
                steps.append(Recursive())
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
            steps.append(Wildcard() if name == "*" else Key(name))
        return Path(absolute, tuple(steps))

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

    def _subscript(self) -> Step:
        self.at += 1
        self._skip_space()
        if self._peek() == "*":
            self.at += 1
            step: Step = Wildcard()
        elif self._peek() == "?":
            self.at += 1
            step = Filter(self._expression())
        else:
            step = self._members()
        self._skip_space()
        if self._peek() != "]":
            raise self.fault()
        self.at += 1
        return step

    def _members(self) -> Step:
        """`0`, `'a'`, `0,1`, `1:3`, each part maybe an expression."""
        parts: list[Member | None] = [self._member()]
        separator = self._peek() if self._peek() in (",", ":") else ""
        while separator and self._peek() == separator:
            self.at += 1
            parts.append(self._member())
        if separator == ":" and len(parts) <= 3:
            start, end, step = [*parts, None][:3]
            if not any(isinstance(part, Key) for part in (start, end, step)):
                return Range(start, end, step)  # type: ignore[arg-type]  # no key among them
            raise self.fault()
        members = tuple(part for part in parts if part is not None)
        if len(members) != len(parts) or separator == ":":
            raise self.fault()
        return members[0] if len(members) == 1 else Union(members)

    def _member(self) -> Member | None:
        self._skip_space()
        start, char = self.at, self._peek()
        member: Member | None = None
        if char in ("'", '"') and char:
            member = Key(self._quoted(char))
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
                member = Index(int(digits))
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

    def _expression(self) -> Expression:
        """From an opening bracket to the one that closes it."""
        if self._peek() != "(":
            raise self.fault()
        self.at += 1
        source, paths, depth = "", dict[str, Path](), 1
        while True:
            char = self._peek()
            if char in ("'", '"') and char:
                start = self.at
                self._quoted(char)
                source += self.text[start : self.at]
                continue
            if char in ("@", "$") and char:
                inner = Reader(self.text, within=True, at=self.at)
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
        return Expression(compile_tree(source, parse(source)), paths)
