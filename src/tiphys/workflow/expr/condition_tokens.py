"""The tokens of govaluate's language, and which may follow which. Called by `condition`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from tiphys.errors import ExpressionError
from tiphys.workflow.expr import gotext, gotime
from tiphys.workflow.expr.golang import format_value

__all__ = ["Token", "as_strings", "check_order", "tokenize"]

_PREFIXES = frozenset({"-", "!", "~"})
_SYMBOLS = {
    **dict.fromkeys(("+", "-", "*", "/", "%", "**", "&", "|", "^", ">>", "<<"), "MODIFIER"),
    **dict.fromkeys(("&&", "||"), "LOGICALOP"),
    **dict.fromkeys(("==", "!=", ">", ">=", "<", "<=", "=~", "!~"), "COMPARATOR"),
    **dict.fromkeys(("?", ":", "??"), "TERNARY"),
}

_OPERANDS = frozenset({"PREFIX", "NUMERIC", "BOOLEAN", "VARIABLE", "ACCESSOR", "STRING", "TIME", "CLAUSE"})
_AFTER_VALUE = frozenset({"MODIFIER", "COMPARATOR", "LOGICALOP", "CLAUSE_CLOSE", "TERNARY", "SEPARATOR"})
_NEXT: dict[str, frozenset[str]] = {
    "UNKNOWN": _OPERANDS,
    "CLAUSE": _OPERANDS | {"CLAUSE_CLOSE"},
    "CLAUSE_CLOSE": _AFTER_VALUE | {"NUMERIC", "BOOLEAN", "VARIABLE", "STRING", "TIME", "CLAUSE"},
    **dict.fromkeys(("NUMERIC", "BOOLEAN", "STRING", "VARIABLE"), _AFTER_VALUE),
    "TIME": _AFTER_VALUE - {"TERNARY"},
    "ACCESSOR": _AFTER_VALUE | {"CLAUSE"},
    "MODIFIER": (_OPERANDS | {"CLAUSE_CLOSE"}) - {"TIME"},
    "COMPARATOR": _OPERANDS | {"CLAUSE_CLOSE"},
    "LOGICALOP": _OPERANDS | {"CLAUSE_CLOSE"},
    "PREFIX": frozenset({"NUMERIC", "BOOLEAN", "VARIABLE", "ACCESSOR", "CLAUSE", "CLAUSE_CLOSE"}),
    "TERNARY": _OPERANDS | {"SEPARATOR"},
    "SEPARATOR": _OPERANDS,
}
_MAY_END = frozenset({"CLAUSE_CLOSE", "NUMERIC", "BOOLEAN", "STRING", "TIME", "VARIABLE", "ACCESSOR"})

_DATES = (
    *(gotime.LAYOUTS[name] for name in ("ANSIC", "UnixDate", "RubyDate", "Kitchen", "RFC3339")),
    "2006-01-02",
    "2006-01-02 15:04",
    "2006-01-02 15:04:05",
    "2006-01-02 15:04:05-07:00",
    "2006-01-02T15Z0700",
    "2006-01-02T15:04Z0700",
    "2006-01-02T15:04:05Z0700",
)


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is govaluate's name of it; a TIME's value is a datetime."""

    kind: str
    value: Any

    def __str__(self) -> str:
        # govaluate prints a bracket as the number of its character.
        return f"{self.kind} [{ord(self.value) if self.kind.startswith('CLAUSE') else format_value(self.value)}]"


def tokenize(text: str) -> list[Token]:
    """All tokens, in an order that makes an expression.

    Raises:
        ExpressionError: with govaluate's words.
    """
    tokens: list[Token] = []
    reader = _Reader(text)
    while (token := reader.read(tokens[-1].kind if tokens else "UNKNOWN")) is not None:
        tokens.append(token)
    opened = sum(token.kind == "CLAUSE" for token in tokens)
    if opened != sum(token.kind == "CLAUSE_CLOSE" for token in tokens):
        raise ExpressionError("Unbalanced parenthesis")
    check_order(tokens)
    return tokens


def check_order(tokens: list[Token]) -> None:
    """Each token may follow the one before it.

    Raises:
        ExpressionError: one may not, or the expression stops early.
    """
    last: Token | None = None
    for token in tokens:
        kind = last.kind if last is not None else "UNKNOWN"
        if token.kind not in _NEXT[kind]:
            if last is not None and kind == "VARIABLE" and token.kind == "CLAUSE":
                raise ExpressionError(f"Undefined function {last.value}")
            before = str(last) if last is not None else "UNKNOWN [<nil>]"
            raise ExpressionError(f"Cannot transition token types from {before} to {token}")
        last = token
    if last is None or last.kind not in _MAY_END:
        raise ExpressionError("Unexpected end of expression")


def as_strings(tokens: list[Token]) -> list[Token]:
    """Argo's rule: a bare word is a string."""
    return [replace(token, kind="STRING") if token.kind == "VARIABLE" else token for token in tokens]


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def read(self, before: str) -> Token | None:
        text = self._text
        while self._at < len(text) and text[self._at].isspace():
            self._at += 1
        if self._at >= len(text):
            return None
        character = text[self._at]
        if character.isdigit() or character == ".":
            return self._number()
        if character in ",()":
            self._at += 1
            return Token({",": "SEPARATOR", "(": "CLAUSE", ")": "CLAUSE_CLOSE"}[character], character)
        if character == "[":
            return Token("VARIABLE", self._until("]", "Unclosed parameter bracket"))
        if character.isalpha():
            return self._word()
        if character in "'\"":
            return self._string()
        return self._symbol(before)

    def _take(self, allowed: re.Pattern[str]) -> str:
        """A run of allowed characters, up to white space; a backslash lets any character in."""
        taken = ""
        text = self._text
        while self._at < len(text):
            character = text[self._at]
            if character == "\\" and self._at + 1 < len(text):
                taken += text[self._at + 1]
                self._at += 2
            elif allowed.fullmatch(character):
                taken += character
                self._at += 1
            else:
                break
        return taken

    def _until(self, closing: str, complaint: str) -> str:
        """What stands up to one of the closing characters, which is passed over."""
        taken = ""
        position = self._at + 1
        while position < len(self._text):
            character = self._text[position]
            if character == "\\" and position + 1 < len(self._text):
                taken += self._text[position + 1]
                position += 2
                continue
            position += 1
            if character in closing:
                self._at = position
                return taken
            taken += character
        raise ExpressionError(complaint)

    def _number(self) -> Token:
        if self._text.startswith("0x", self._at):
            self._at += 2
            digits = self._take(_HEXADECIMAL)
            if not digits:
                raise ExpressionError(f"Unable to parse hex value '{digits}' to uint64")
            return Token("NUMERIC", float(int(digits, 16)))
        digits = self._take(_NUMERIC)
        try:
            return Token("NUMERIC", gotext.parse_float(digits))
        except ExpressionError as error:
            raise ExpressionError(f"Unable to parse numeric value '{digits}' to float64") from error

    def _word(self) -> Token:
        word = self._take(_WORD)
        if word in ("true", "false"):
            return Token("BOOLEAN", word == "true")
        if word in ("in", "IN"):
            return Token("COMPARATOR", "in")
        if "." in word[1:]:
            if word.endswith("."):
                raise ExpressionError(f"Hanging accessor on token '{word}'")
            for part in word.split(".")[1:]:
                if part[:1] != part[:1].upper():
                    raise ExpressionError(f"Unable to access unexported field '{part}' in token '{word}'")
            return Token("ACCESSOR", word)
        return Token("VARIABLE", word)

    def _string(self) -> Token:
        text = self._until("'\"", "Unclosed string literal")
        if text[:1].isalnum():
            for layout in _DATES:
                try:
                    return Token("TIME", gotime.parse_time(layout, text))
                except ExpressionError:
                    continue
        return Token("STRING", text)

    def _symbol(self, before: str) -> Token:
        symbol = self._take(_SYMBOL)
        if symbol in _PREFIXES and "PREFIX" in _NEXT[before]:
            return Token("PREFIX", symbol)
        if symbol not in _SYMBOLS:
            raise ExpressionError(f"Invalid token: '{symbol}'")
        return Token(_SYMBOLS[symbol], symbol)


_HEXADECIMAL = re.compile(r"[0-9a-fA-F]")
_NUMERIC = re.compile(r"[\d.]")
_WORD = re.compile(r"[\w.]")
_SYMBOL = re.compile(r"[^\w\s()\[\]'\"]|_")
