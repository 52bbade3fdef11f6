"""Label and field selectors, as they stand in queries and in specs, made predicates. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from tiphys.errors import ApiError
from tiphys.kube.objects.status import bad_request

__all__ = ["Labels", "field_value", "fields", "from_object", "labels"]

Labels = Callable[[Mapping[str, str]], bool]

_TOKEN = re.compile(r"\s*(?:(?P<op>==|!=|=|!|>|<)|(?P<sep>[(),])|(?P<word>[A-Za-z0-9_./-]+))")
_SET = {"in", "notin"}


def labels(text: str) -> Labels | None:
    """The predicate of a label selector; None for the empty one, which selects all.

    Raises:
        ApiError: 400, the selector cannot be parsed.
    """
    if not text.strip():
        return None
    tests = [_requirement(part.strip(), text) for part in _split(text)]
    return lambda have: all(test(have) for test in tests)


def from_object(selector: Mapping[str, Any] | None) -> Labels | None:
    """The predicate of a metav1.LabelSelector (matchLabels, matchExpressions); None where it selects all."""
    if not selector:
        return None
    parts = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or []:
        key, operator = expression["key"], expression["operator"]
        values = ",".join(expression.get("values") or [])
        form = {
            "In": f"{key} in ({values})",
            "NotIn": f"{key} notin ({values})",
            "Exists": key,
            "DoesNotExist": f"!{key}",
        }
        if operator not in form:
            raise bad_request(f'"{operator}" is not a valid label selector operator')
        parts.append(form[operator])
    return labels(",".join(parts))


def _split(text: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for index, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append(text[start:index])
            start = index + 1
    return [*parts, text[start:]]


def _tokens(part: str, whole: str) -> list[str]:
    tokens, at = [], 0
    while at < len(part):
        found = _TOKEN.match(part, at)
        if found is None:
            raise _unparsable(whole)
        tokens.append(found[0].strip())
        at = found.end()
    return tokens


def _unparsable(text: str) -> ApiError:
    return bad_request(f'unable to parse requirement: the label selector "{text}" is not valid')


def _requirement(part: str, whole: str) -> Labels:
    tokens = _tokens(part, whole)
    match tokens:
        case ["!", key]:
            return lambda have: key not in have
        case [key] if key not in _SET:
            return lambda have: key in have
        case [key, "=" | "=="]:
            return lambda have: have.get(key) == ""
        case [key, "!="]:
            return lambda have: have.get(key) != ""
        case [key, "=" | "==", value]:
            return lambda have: have.get(key) == value
        case [key, "!=", value]:
            return lambda have: have.get(key) != value
        case [key, ">" | "<" as operator, value] if value.isdigit():
            return lambda have: _compare(have.get(key), operator, int(value))
        case [key, "in" | "notin" as operator, "(", *inner, ")"]:
            values = frozenset(word for word in inner if word != ",") or frozenset(("",))
            if operator == "in":
                return lambda have: have.get(key) in values
            return lambda have: have.get(key) not in values
    raise _unparsable(whole)


def _compare(have: str | None, operator: str, limit: int) -> bool:
    if have is None or not have.lstrip("-").isdigit():
        return False
    return int(have) > limit if operator == ">" else int(have) < limit


def fields(text: str) -> list[tuple[str, bool, str]]:
    """A field selector as (path, equal, value) rows; all must hold. [] for the empty one.

    Raises:
        ApiError: 400.
    """
    rows = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        for operator, equal in (("!=", False), ("==", True), ("=", True)):
            path, found, value = part.partition(operator)
            if found:
                rows.append((path.strip(), equal, value.strip()))
                break
        else:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{part}'")
    return rows


def field_value(value: Mapping[str, Any], path: str) -> str:
    """The field as a selector compares it: "" where it is absent."""
    here: Any = value
    for step in path.split("."):
        here = here.get(step) if isinstance(here, Mapping) else None
    if here is None:
        return ""
    return str(here).lower() if isinstance(here, bool) else str(here)
