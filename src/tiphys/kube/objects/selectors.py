"""Label and field selectors, as they stand in queries and in specs, made predicates. Pure.

Called by list, watch and deletecollection, and for aggregated roles. The empty one is None (of fields: []), so
that callers can skip the test, and the decoding, of objects altogether.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tiphys.errors import ApiError
from tiphys.kube.objects.status import bad_request
from tiphys.kube.objects.validation import label_value, qualified_name

__all__ = ["Labels", "field_value", "fields", "from_object", "labels"]

Labels = Callable[[Mapping[str, str]], bool]
"""Does an object with these labels match?"""

_TOKEN = re.compile(r"\s*(?:(?P<op>==|!=|=|!|\(|\)|,|<|>)|(?P<word>[^\s=!(),<>]+))")


@dataclass(frozen=True, slots=True)
class _Requirement:
    """One condition on a label: `operator` is one of in, notin, exists, !, gt, lt."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels satisfy it; `notin` is also satisfied by the label's absence, as in Kubernetes."""
        value = labels.get(self.key)
        match self.operator:
            case "in":
                return value is not None and value in self.values
            case "notin":
                return value is None or value not in self.values
            case "exists":
                return value is not None
            case "!":
                return value is None
        try:
            number, bound = int(value or ""), int(next(iter(self.values)))
        except ValueError:
            return False
        return number > bound if self.operator == "gt" else number < bound


def _check(requirement: _Requirement) -> None:
    complaints = [
        f"<nil>: Invalid value: {_quoted(requirement.key)}: {text}" for text in qualified_name(requirement.key)
    ]
    for value in sorted(requirement.values):
        complaints += [
            f"values[0][{requirement.key}]: Invalid value: {_quoted(value)}: {t}" for t in label_value(value)
        ]
    if complaints:
        raise bad_request(f"unable to parse requirement: {', '.join(complaints)}")


def _quoted(text: str) -> str:
    return f'"{text}"'


class _Parser:
    """Recursive descent over the tokens of a label selector."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, bool]] = []  # (token, is an operator)
        at = 0
        while at < len(text.rstrip()):
            found = _TOKEN.match(text, at)
            if found is None:  # pragma: no cover - the two alternatives cover every character
                raise self.error(text[at:])
            at = found.end()
            self.tokens.append((found["op"] or found["word"], found["op"] is not None))
        self.at = 0

    def error(self, found: str, expected: str = "a label key") -> ApiError:
        return bad_request(f"unable to parse requirement: found '{found}', expected: {expected} (in {self.text!r})")

    def peek(self) -> str:
        return self.tokens[self.at][0] if self.at < len(self.tokens) else ""

    def take(self, *wanted: str) -> str:
        token = self.peek()
        if token not in wanted:
            quoted = [f"'{one}'" if one in ",()" else one for one in wanted]
            raise self.error(token, " or ".join(quoted) if len(wanted) < 3 else ", ".join(quoted))
        self.at += 1
        return token

    def word(self, expected: str) -> str:
        if self.at >= len(self.tokens) or self.tokens[self.at][1]:
            raise self.error(self.peek(), expected)
        self.at += 1
        return self.tokens[self.at - 1][0]

    def value(self) -> str:
        """A value may be empty: `a=` and `a=,b=c` and `a in (x,)`."""
        if self.peek() in ("", ",", ")"):
            return ""
        return self.word("a value")

    def requirement(self) -> _Requirement:
        if self.peek() == "!":
            self.at += 1
            return _Requirement(self.word("a label key"), "!")
        key = self.word("a label key")
        if self.peek() in ("", ","):
            return _Requirement(key, "exists")
        operator = self.take("=", "==", "!=", "in", "notin", "<", ">")
        if operator in ("in", "notin"):
            self.take("(")
            values = {self.value()}
            while self.take(",", ")") == ",":
                values.add(self.value())
            return _Requirement(key, operator, frozenset(values))
        value = self.value()
        if operator in "<>":
            if not value.lstrip("-").isdigit():
                raise self.error(value, "an integer")
            return _Requirement(key, "gt" if operator == ">" else "lt", frozenset((value,)))
        return _Requirement(key, "notin" if operator == "!=" else "in", frozenset((value,)))

    def all(self) -> list[_Requirement]:
        found = [self.requirement()]
        while self.peek():
            self.take(",")
            found.append(self.requirement())
        return found


def labels(text: str) -> Labels | None:
    """The predicate of a label selector `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1`; None for the empty one.

    Raises:
        ApiError: 400, naming what was found and what was expected.
    """
    if not text.strip():
        return None
    return _all(_Parser(text).all())


_OBJECT_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}


def from_object(selector: Mapping[str, Any] | None) -> Labels | None:
    """The predicate of a metav1.LabelSelector (matchLabels, matchExpressions); None where it selects all.

    Raises:
        ApiError: 400, naming the operator that does not exist or lacks its values.
    """
    selector = selector or {}
    found = [_Requirement(k, "in", frozenset((v,))) for k, v in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or ():
        name, values = expression.get("operator", ""), frozenset(expression.get("values") or ())
        operator = _OBJECT_OPERATORS.get(name)
        if operator is None:
            raise bad_request(f'"{name}" is not a valid label selector operator')
        if (operator in ("in", "notin")) is not bool(values):
            must = "must be specified when" if operator in ("in", "notin") else "may not be specified when"
            raise bad_request(f"matchExpressions: values {must} `operator` is '{name}'")
        found.append(_Requirement(expression.get("key", ""), operator, values))
    return _all(found) if found else None


def _all(requirements: Sequence[_Requirement]) -> Labels:
    for requirement in requirements:
        _check(requirement)
    if len(requirements) == 1:
        return requirements[0].matches
    return lambda have: all(requirement.matches(have) for requirement in requirements)


def fields(text: str) -> list[tuple[str, bool, str]]:
    r"""A field selector as (path, equal, value) rows; all must hold. [] for the empty one.

    A value's comma, equals sign and backslash are written `\,`, `\=` and `\\`.

    Raises:
        ApiError: 400, naming the term.
    """
    rows = []
    for term in filter(None, (term.strip() for term in re.split(r"(?<!\\),", text))):
        found = re.search(r"(?<!\\)(!=|==|=)", term)
        if found is None:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{term}'")
        value = re.sub(r"\\([\\,=])", r"\1", term[found.end() :].strip())
        rows.append((term[: found.start()].strip(), found[0] != "!=", value))
    return rows


def only_name(text: str) -> str:
    """The one name that a field selector leaves; "" where it leaves others, or cannot be read."""
    try:
        rows = fields(text)
    except ApiError:
        return ""
    return next((value for path, equal, value in rows if path == "metadata.name" and equal), "")


def field_value(value: Mapping[str, Any], path: str) -> str:
    """The field as a selector compares it: "" where it is absent."""
    here: Any = value
    for step in path.split("."):
        here = here.get(step) if isinstance(here, Mapping) else None
    if here is None:
        return ""
    return str(here).lower() if isinstance(here, bool) else str(here)
