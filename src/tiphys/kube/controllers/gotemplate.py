"""What templates of Secrets use of Go's text/template: `{{ .key }}`, literals, pipelines and ten functions. Pure.

Called by `externalsecrets`. What is beyond it (if, range, variables, other functions) is refused by name. An error
never shows a value, as the values are secrets.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tiphys.errors import SpecError
from tiphys.kit.codec import DecodeError, decode, encode

__all__ = ["FUNCTIONS", "render"]

_ACTION = re.compile(
    r"""(?P<before>\s*(?=\{\{-\s))?\{\{(?P<left>-(?=\s))?
        (?P<body>(?:"(?:\\.|[^"\\])*"|`[^`]*`|[^"`}]|\}(?!\}))*?)
        (?P<right>(?<=\s)-)?\}\}(?P<after>(?<=-\}\})\s*)?""",
    re.VERBOSE | re.DOTALL,
)
_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:\\.|[^"\\\n])*"|`[^`]*`)|(?P<number>[+-]?\d+(?:\.\d+)?)|(?P<field>(?:\.[A-Za-z_]\w*)+)
        |(?P<word>[A-Za-z_]\w*)|(?P<mark>[.()|]))""",
    re.VERBOSE,
)
_CONTROL = ("block", "break", "continue", "define", "else", "end", "if", "range", "template", "with")


def render(template: str, data: Mapping[str, str]) -> str:
    """The template filled in; a key that `data` lacks is an error, as with External Secrets.

    Raises:
        SpecError: the template cannot be parsed, uses what is not known here, or names a key that is not there.
    """
    out, at = [], 0
    for found in _ACTION.finditer(template):
        out.append(_plain(template[at : found.start()]))
        body = found["body"].strip()
        if not (body.startswith("/*") and body.endswith("*/")):
            out.append(_printed(_Parser(body, dict(data)).pipeline_to_end(), body))
        at = found.end()
    out.append(_plain(template[at:]))
    return "".join(out)


def _plain(text: str) -> str:
    if "{{" in text:
        raise SpecError("the template has an action that is not closed: }} is missing")
    return text


def _printed(value: Any, body: str) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return "<no value>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) else str(value)
    raise SpecError(f"{{{{ {body} }}}} gives an object or a list: add `| toJson`")


class _Parser:
    """Parses and evaluates one action at once: there are no loops that would need it twice."""

    def __init__(self, body: str, data: dict[str, Any]) -> None:
        self.body = body
        self.data = data
        self.tokens: list[tuple[str, str]] = []
        at = 0
        while body[at:].strip():
            found = _TOKEN.match(body, at)
            if found is None:
                raise self.wrong(f"{body[at:].lstrip()[0]!r} is not known here")
            self.tokens.append((found.lastgroup or "", found[found.lastgroup or ""]))
            at = found.end()
        self.at = 0

    def wrong(self, why: str) -> SpecError:
        return SpecError(f"the template's {{{{ {self.body} }}}}: {why}")

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("", "")

    def pipeline_to_end(self) -> Any:
        value = self.pipeline()
        if self.peek() != ("", ""):
            raise self.wrong(f"unexpected {self.peek()[1]}")
        return value

    def pipeline(self) -> Any:
        value = self.command(())
        while self.peek() == ("mark", "|"):
            self.at += 1
            if self.peek()[0] != "word":
                raise self.wrong("after | comes a function")
            value = self.command((value,))
        return value

    def command(self, last: tuple[Any, ...]) -> Any:
        kind, text = self.peek()
        if kind != "word" or text in ("true", "false", "nil"):
            value = self.operand()
            if self.peek()[0] not in ("", "mark") or self.peek() in (("mark", "."), ("mark", "(")):
                raise self.wrong("what is not a function takes no arguments")
            return value
        self.at += 1
        if text in _CONTROL:
            raise self.wrong(f"{text} is not supported here; only {{{{ .key }}}} and functions are")
        function = FUNCTIONS.get(text)
        if function is None:
            raise self.wrong(f"the function {text} is not known here: {', '.join(sorted(FUNCTIONS))}")
        arguments = []
        while self.peek()[0] and self.peek() not in (("mark", "|"), ("mark", ")")):
            arguments.append(self.operand())
        arguments += last
        if not function.least <= len(arguments) <= function.most:
            raise self.wrong(f"{text} does not take {len(arguments)} arguments")
        try:
            return function.call(*arguments)
        except (DecodeError, ValueError, TypeError):
            # Its text may quote the value: it is not shown, nor chained.
            raise self.wrong(f"{text} cannot use the value it is given ({function.wants})") from None

    def operand(self) -> Any:
        kind, text = self.peek()
        self.at += 1
        if kind == "text":
            return text[1:-1] if text[0] == "`" else self.unquoted(text)
        if kind == "number":
            return float(text) if "." in text else int(text)
        if kind == "field":
            return self.walk(self.data, text)
        if (kind, text) == ("mark", "."):
            return self.data
        if (kind, text) == ("mark", "("):
            value = self.pipeline()
            if self.peek() != ("mark", ")"):
                raise self.wrong("a ) is missing")
            self.at += 1
            if self.peek()[0] == "field":
                self.at += 1
                return self.walk(value, self.tokens[self.at - 1][1])
            return value
        if kind == "word" and text in ("true", "false", "nil"):
            return {"true": True, "false": False}.get(text)
        raise self.wrong(f"unexpected {text}" if text else "a value is missing")

    def unquoted(self, text: str) -> str:
        try:
            value: str = decode(text)
        except DecodeError as error:
            raise self.wrong(f"{text} is not a string") from error
        return value

    def walk(self, value: Any, path: str) -> Any:
        for key in path[1:].split("."):
            if not isinstance(value, dict) or key not in value:
                raise self.wrong(f'map has no entry for key "{key}"')
            value = value[key]
        return value


@dataclass(frozen=True, slots=True)
class _Function:
    call: Callable[..., Any]
    wants: str
    least: int = 1
    most: int = 1


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a string")
    return value


def _b64dec(value: Any) -> str:
    try:
        return base64.b64decode(_text(value), validate=True).decode()
    except binascii.Error as error:
        raise ValueError("not base64") from error


def _quote(*values: Any) -> str:
    return " ".join(encode(_printed(value, "quote")).decode() for value in values if value is not None)


FUNCTIONS: Mapping[str, _Function] = {
    "b64dec": _Function(_b64dec, "base64 of text"),
    "b64enc": _Function(lambda value: base64.b64encode(_text(value).encode()).decode(), "text"),
    "default": _Function(lambda instead, value=None: value or instead, "a default and a value", 1, 2),
    "fromJson": _Function(lambda value: decode(_text(value)), "JSON"),
    "lower": _Function(lambda value: _text(value).lower(), "text"),
    "quote": _Function(_quote, "text", 0, 9),
    "toJson": _Function(lambda value: encode(value, sort=True).decode(), "anything"),
    "toString": _Function(lambda value: _printed(value, "toString"), "text or a number"),
    "trim": _Function(lambda value: _text(value).strip(), "text"),
    "upper": _Function(lambda value: _text(value).upper(), "text"),
}
"""What a template may call, as sprig defines them."""
