"""Source text to tokens. Called by the parser only."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from tiphys.errors import ExpressionError

__all__ = ["Kind", "Token", "located", "tokenize"]

Kind = Literal["Identifier", "Number", "String", "Bytes", "Operator", "Bracket", "EOF"]

_WORD_OPERATORS = frozenset(
    {"not", "in", "or", "and", "matches", "contains", "startsWith", "endsWith", "let", "if", "else"}
)

_LEXEME = re.compile(
    r"""
    (?P<space>\s+ | //[^\n]* | /\*.*?\*/)
  | (?P<number> 0[xX][0-9a-fA-F_]+ | 0[oO][0-7_]+ | 0[bB][01_]+
              | (?:[0-9][0-9_]*(?:\.(?!\.)[0-9_]*)? | \.[0-9][0-9_]*)(?:[eE][+-]?[0-9_]*)? )(?P<junk>[^\W\d]|\$)?
  | (?P<bytes>[bB](?:'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"))
  | (?P<string>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")
  | (?P<raw>`(?:[^`]|``)*`)
  | (?P<word>[^\W\d]\w*|\$\w*)
  | (?P<bracket>[()\[\]{}])
  | (?P<operator>\.\.|\?\.|\?\?|\|\||::|\#\#?|&&|[!=<>]=|\*\*|[-.?|:,;+%^!=*<>]|/(?!\*))
    """,
    re.VERBOSE | re.DOTALL,
)

_LONGEST_SHOWN = 1000
"""Characters of a line: a message goes into the status of each node it concerns."""

_ESCAPE = re.compile(
    r"\\(?:([0-7]{3})|x([0-9a-fA-F]{2})|u\{([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL
)
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", "'": "'", '"': '"'}


@dataclass(frozen=True, slots=True)
class Token:
    """One token; `at` is the index of its first character in the source."""

    kind: Kind
    value: str
    at: int

    def __str__(self) -> str:
        return "EOF" if self.kind == "EOF" else f'{self.kind}("{self.value}")'


def located(message: str, source: str, at: int) -> ExpressionError:
    """An error with the place as expr-lang gives it: line and column from 1, the line, a mark under the place."""
    start = source.rfind("\n", 0, at) + 1
    end = source.find("\n", start)
    line = source[start : end if end >= 0 else len(source)].replace("\t", " ")
    if not line:
        return ExpressionError(message)
    shown = f"\n | {line}\n | {'.' * (at - start)}^" if len(line) <= _LONGEST_SHOWN else ""
    return ExpressionError(f"{message} ({source.count(chr(10), 0, at) + 1}:{at - start + 1}){shown}")


def tokenize(source: str) -> list[Token]:
    """All tokens, an EOF at the end.

    Raises:
        ExpressionError: a character or literal that is none of the language, with its place.
    """
    tokens: list[Token] = []
    position = 0
    while position < len(source):
        match = _LEXEME.match(source, position)
        if match is None:
            raise _unreadable(source, position)
        group, text = match.lastgroup, match[0]
        if group == "junk":
            raise located(f'bad number syntax: "{text}"', source, position)
        if group != "space":
            tokens.append(_token(group or "", text, source, position))
        position = match.end()
    tokens.append(Token("EOF", "", max(len(source) - 1, 0)))
    return tokens


def _token(group: str, text: str, source: str, at: int) -> Token:
    match group:
        case "word":
            return Token("Operator" if text in _WORD_OPERATORS else "Identifier", text, at)
        case "number":
            return Token("Number", text, at)
        case "string":
            return Token("String", _unescape(text[1:-1], source, at), at)
        case "bytes":
            return Token("Bytes", _unescape(text[2:-1], source, at), at)
        case "raw":
            return Token("String", text[1:-1].replace("``", "`"), at)
        case "bracket":
            return Token("Bracket", text, at)
        case _:
            return Token("Operator", text, at)


def _unescape(text: str, source: str, at: int) -> str:
    if "\\" not in text:
        return text

    def one(match: re.Match[str]) -> str:
        octal, hexadecimal, braced, short, long, simple = match.groups()
        if simple is not None:
            if simple not in _SIMPLE:
                raise located("invalid char escape", source, at)
            return _SIMPLE[simple]
        point = int(octal, 8) if octal else int(hexadecimal or braced or short or long, 16)
        if point > 0x10FFFF or 0xD800 <= point < 0xE000:
            raise located("unable to unescape string", source, at)
        return chr(point)

    return _ESCAPE.sub(one, text)


def _unreadable(source: str, at: int) -> ExpressionError:
    character = source[at]
    if character in "'\"`" or (character in "bB" and source[at + 1 : at + 2] in ("'", '"')):
        return located("literal not terminated", source, len(source))
    if source.startswith("/*", at):
        return located("unclosed comment", source, len(source))
    return located(f"unrecognized character: U+{ord(character):04X} '{character}'", source, at)
