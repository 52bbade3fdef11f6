"""Just enough GraphQL for the Nautobot stand-in: one query, fields with list arguments, variables.

An argument filters the rows of its field by equality, as Nautobot's do; an empty one filters nothing, which is the trap
that the inventory client must not step into.
"""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["GraphqlError", "execute"]

_TOKEN = re.compile(r'\s*(?:#[^\n]*\s*)*(?:([{}()\[\]:!=,])|(\$?\w+)|("(?:[^"\\]|\\.)*"))')
_Fields = list[tuple[str, dict[str, Any], "_Fields | None"]]


class GraphqlError(ValueError):
    """A query that cannot be read or asks for what is not there."""


def execute(query: str, variables: dict[str, Any], roots: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Answer a query.

    Raises:
        GraphqlError: see its text.
    """
    if not query.strip():
        raise GraphqlError("Must provide query string.")
    parser = _Parser(query, variables)
    return {
        name: _rows(_known(roots, name, "Query"), arguments, fields) for name, arguments, fields in parser.operation()
    }


def _known(row: dict[str, Any], name: str, kind: str) -> Any:
    if name not in row:
        raise GraphqlError(f"Cannot query field '{name}' on type '{kind}'.")
    return row[name]


def _rows(rows: list[dict[str, Any]], arguments: dict[str, Any], fields: _Fields | None) -> list[Any]:
    for name, value in arguments.items():
        wanted = value if isinstance(value, list) else [value]
        if wanted and wanted != [None] and wanted != [""]:
            rows = [row for row in rows if _known(row, name, "Type") in wanted]
    return [_row(row, fields) for row in rows]


def _row(row: dict[str, Any], fields: _Fields | None) -> dict[str, Any]:
    if fields is None:
        raise GraphqlError("A field of an object type must have a selection of subfields.")
    shown: dict[str, Any] = {}
    for name, arguments, inner in fields:
        value = _known(row, name, "Type")
        if isinstance(value, list):
            shown[name] = _rows(value, arguments, inner)
        else:
            shown[name] = _row(value, inner) if isinstance(value, dict) else value
    return shown


class _Parser:
    def __init__(self, query: str, variables: dict[str, Any]) -> None:
        self._tokens: list[str] = []
        self._variables = variables
        position = 0
        while query[position:].strip():
            match = _TOKEN.match(query, position)
            if match is None:
                raise GraphqlError(f"Syntax Error: cannot read {query[position : position + 10]!r}.")
            self._tokens.append(next(group for group in match.groups() if group))
            position = match.end()
        self._tokens.append("")

    def operation(self) -> _Fields:
        while self._tokens[0] not in ("{", ""):  # `query Name($h: [String])`: types are not looked at
            self._tokens.pop(0)
        fields = self._selection()
        if self._tokens != [""]:
            raise GraphqlError(f"Syntax Error: Unexpected {self._tokens[0]!r}.")
        return fields

    def _take(self, expected: str) -> None:
        if self._tokens[0] != expected:
            raise GraphqlError(f"Syntax Error: Expected {expected!r}, found {self._tokens[0]!r}.")
        self._tokens.pop(0)

    def _selection(self) -> _Fields:
        self._take("{")
        fields: _Fields = []
        while self._tokens[0] != "}":
            name = self._tokens[0]
            if not re.fullmatch(r"\w+", name):
                raise GraphqlError(f"Syntax Error: Unexpected {name!r}.")
            self._tokens.pop(0)
            arguments: dict[str, Any] = {}
            if self._tokens[0] == "(":
                arguments = self._arguments()
            fields.append((name, arguments, self._selection() if self._tokens[0] == "{" else None))
        self._take("}")
        return fields

    def _arguments(self) -> dict[str, Any]:
        self._take("(")
        arguments = {}
        while self._tokens[0] != ")":
            name = self._tokens.pop(0)
            self._take(":")
            arguments[name] = self._value()
            if self._tokens[0] == ",":
                self._tokens.pop(0)
        self._take(")")
        return arguments

    def _value(self) -> Any:
        word = self._tokens.pop(0)
        if word == "[":
            items = []
            while self._tokens[0] != "]":
                items.append(self._value())
                if self._tokens[0] == ",":
                    self._tokens.pop(0)
            self._take("]")
            return items
        if word.startswith("$"):
            return self._variables.get(word[1:])
        try:
            return json.loads(word)
        except ValueError as error:
            raise GraphqlError(f"Syntax Error: Unexpected {word!r}.") from error
