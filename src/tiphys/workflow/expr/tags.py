"""`{{name}}` and `{{=expression}}` in manifests: find them, fill them in. Called by the engine and by validation.

One pass, as Argo's: a tag runs from "{{" to the next "}}"; of tags in tags the inner one is replaced, and the outer one
is left for another pass. The engine works on the strings of a template one by one; `json=True` is for a text that is
JSON as a whole, where values are escaped on the way in.
"""

from __future__ import annotations

import datetime as dt
import functools
import json as json_library
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tiphys.errors import ExpressionError
from tiphys.kit.codec import DecodeError, decode
from tiphys.workflow.expr import lang
from tiphys.workflow.expr.golang import format_value, marshal, quote

__all__ = ["names", "substitute"]

_CACHED_LENGTH = 16 * 1024  # longer texts are parsed each time rather than kept


@dataclass(frozen=True, slots=True)
class _Tag:
    """A tag as it stands between its braces.

    Attributes:
        text: what stands there.
        name: the variable of a simple tag.
        inner: of a simple tag with another one in it, the inner variable; "" else.
        head: what stands before the inner tag.
        expression: the source of an expression tag, None for a simple one.
        needs: the variables an expression cannot do without; None where it does not parse.
    """

    text: str
    name: str = ""
    inner: str = ""
    head: str = ""
    expression: str | None = None
    needs: frozenset[str] | None = None


def substitute(
    text: str,
    scope: Mapping[str, Any],
    *,
    strict: bool = True,
    keep: Callable[[str], bool] | None = None,
    json: bool = False,
    now: dt.datetime | None = None,
) -> str:
    """The text with its tags replaced.

    Args:
        text: one string of a manifest; or, with `json`, a manifest as JSON.
        scope: variables by dotted name. A None counts as not there.
        strict: a tag that cannot be resolved is an error; else it stays as it is.
        keep: names that may stay unresolved although `strict` is set, e.g. `retries` before the first try.
        json: escape values so that the text stays JSON.
        now: the time, for expressions that ask for it.

    Raises:
        ExpressionError: a tag is not closed; or `strict`, and one cannot be resolved or evaluated.
    """
    if "{{" not in text:
        return text
    pieces = _pieces(text, json) if len(text) <= _CACHED_LENGTH else _pieces.__wrapped__(text, json)
    filled: list[str] = []
    env: dict[str, Any] | None = None
    for piece in pieces:
        if isinstance(piece, str):
            filled.append(piece)
        elif piece.expression is None:
            filled.append(_simple(piece, scope, strict, keep, json))
        else:
            if env is None:
                env = lang.environment(scope, now=now)
            filled.append(_expression(piece, env, strict, keep, json))
    return "".join(filled)


def names(text: str, *, expressions: bool = True) -> frozenset[str]:
    """The variables that the tags of a text speak of; of an expression, those it cannot do without.

    Args:
        expressions: count what expressions speak of.

    Raises:
        ExpressionError: a tag is not closed.
    """
    if "{{" not in text:
        return frozenset()
    found: set[str] = set()
    for piece in _pieces(text, False) if len(text) <= _CACHED_LENGTH else _pieces.__wrapped__(text, False):
        if isinstance(piece, str):
            continue
        if piece.expression is not None:
            found |= (piece.needs or frozenset()) if expressions else frozenset()
        else:
            found.add(piece.inner or piece.name)
    return frozenset(found)


@functools.lru_cache(maxsize=2048)
def _pieces(text: str, json: bool) -> tuple[str | _Tag, ...]:
    """The text cut into what stays and what is replaced."""
    pieces: list[str | _Tag] = []
    position = 0
    while (start := text.find("{{", position)) >= 0:
        end = text.find("}}", start + 2)
        if end < 0:
            raise ExpressionError(
                f'Cannot find end tag="}}}}" of the tag that starts with {quote(text[start : start + 60])}'
            )
        if start > position:
            pieces.append(text[position:start])
        pieces.append(_tag(text[start + 2 : end], json))
        position = end + 2
    if position < len(text):
        pieces.append(text[position:])
    return tuple(pieces)


def _tag(text: str, json: bool) -> _Tag:
    if text.startswith("="):
        return _expression_tag(text, json)
    inner = text.rfind("{{")
    if inner > 0:
        return _Tag(text, text.strip(), inner=text[inner + 2 :], head=text[:inner])
    return _Tag(text, text.strip())


def _expression_tag(text: str, json: bool) -> _Tag:
    source = text[1:]
    if json and "\\" in source:
        try:
            source = decode(f'"{source}"')
        except DecodeError:
            return _Tag(text, expression=source)
    try:
        return _Tag(text, expression=source, needs=lang.identifiers(source))
    except ExpressionError:
        return _Tag(text, expression=source)  # the evaluation will say why


def _simple(tag: _Tag, scope: Mapping[str, Any], strict: bool, keep: Callable[[str], bool] | None, json: bool) -> str:
    value = scope.get(tag.name)
    if value is not None:
        return _text(value, json)
    if tag.inner:
        value = scope.get(tag.inner)
        if value is not None:
            return "{{" + tag.head + _text(value, json)
    if strict and not (keep is not None and keep(tag.inner or tag.name)):
        raise ExpressionError(f"failed to resolve {{{{{tag.text}}}}}")
    return "{{" + tag.text + "}}"


def _text(value: Any, json: bool) -> str:
    text = value if isinstance(value, str) else format_value(value)
    return json_library.dumps(text, ensure_ascii=False)[1:-1] if json else text


def _expression(tag: _Tag, env: Mapping[str, Any], strict: bool, keep: Callable[[str], bool] | None, json: bool) -> str:
    missing = sorted(name for name in tag.needs or () if _is_missing(name, env))
    if missing and (not strict or (keep is not None and any(keep(name) for name in missing))):
        return "{{" + tag.text + "}}"
    if missing:
        raise ExpressionError(f"failed to evaluate expression: {missing[0]} is missing")
    source = tag.expression or ""
    try:
        value = lang.evaluate(source, env)
        if value is None:
            raise ExpressionError(quote(source))
        text = value if isinstance(value, str) else marshal(value)
    except ExpressionError as error:
        if not strict:
            return "{{" + tag.text + "}}"
        joint = " " if error.args == (quote(source),) else ": "
        raise ExpressionError(f"failed to evaluate expression{joint}{error}") from error
    return json_library.dumps(text, ensure_ascii=False)[1:-1] if json else text


def _is_missing(name: str, env: Mapping[str, Any]) -> bool:
    """No variable of that name, nor one that it is a part or a parent of."""
    value: Any = env
    for part in name.split("."):
        if not isinstance(value, dict):
            return False  # a member of a value: the evaluation finds out
        if part not in value or value[part] is None:
            return True
        value = value[part]
    return False
