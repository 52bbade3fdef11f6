"""Query parameters of GET: `only`, $filter, $skip, $top, $expand, $select; and pages that nobody asked for.

Pure but for `fetch`, which answers a GET of another resource in the name of the same client. What a personality
does not support is refused when it begins with `$`, and ignored else, as the specification says.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any

from tiphys_simulators.http import Json, Request
from tiphys_simulators.redfish.messages import Message, RedfishError

__all__ = ["FEATURES", "Fetch", "Filter", "answer", "asked", "supported"]

Fetch = Callable[[str], Json]
FEATURES = ("only", "$filter", "$skip", "$top", "$expand", "$select")
_Test = Callable[[Json], bool]


def supported(features: tuple[str, ...]) -> Json:
    """ProtocolFeaturesSupported of the service root."""
    expands = "$expand" in features
    return {
        "DeepOperations": {"DeepPATCH": False, "DeepPOST": False},
        "ExcerptQuery": False,
        "ExpandQuery": {
            "ExpandAll": expands, "Levels": expands, "Links": expands, "NoLinks": expands,
            **({"MaxLevels": 1} if expands else {}),
        },
        "FilterQuery": "$filter" in features,
        "OnlyMemberQuery": "only" in features,
        "SelectQuery": "$select" in features,
        "TopSkipQuery": "$top" in features,
    }  # fmt: skip


def asked(request: Request, features: tuple[str, ...]) -> dict[str, str]:
    """The parameters that change the answer.

    Raises:
        RedfishError: 501, one that begins with `$` is not supported.
    """
    for name in request.query:
        if name.startswith("$") and name not in features and name != "$skip":
            raise RedfishError(501, Message("QueryNotSupported", (name,)))
    return {name: values[0] for name, values in request.query.items() if name in (*features, "$skip")}


def answer(path: str, body: Json, query: dict[str, str], page_size: int, fetch: Fetch) -> Json:
    """A resource as the parameters want it.

    Raises:
        RedfishError: 400, a parameter does not fit this resource or cannot be read.
    """
    if query.get("only"):
        raise _malformed("only", query["only"])
    members = body.get("Members")
    if not isinstance(members, list):
        for name in ("only", "$filter", "$skip", "$top"):
            if name in query:
                raise RedfishError(400, Message("QueryNotSupportedOnResource", (name,)))
    elif "only" in query and len(members) == 1:
        return fetch(members[0]["@odata.id"])
    else:
        body = _part_of(path, body, members, query, page_size, fetch)
    if "$expand" in query:
        body = _expanded(body, query["$expand"], fetch)
    if "$select" in query:
        body = _selected(body, query["$select"])
    return body


def _part_of(path: str, body: Json, members: list[Json], query: dict[str, str], page_size: int, fetch: Fetch) -> Json:
    if "$filter" in query:
        test = Filter(query["$filter"]).test
        members = [member for member in members if test(fetch(member["@odata.id"]))]
    count, skip = len(members), _number(query, "$skip", 0)
    top = _number(query, "$top", page_size or count)
    body = {**body, "Members": members[skip : skip + top], "Members@odata.count": count}
    if page_size and skip + top < count and "$top" not in query:
        body["Members@odata.nextLink"] = f"{path.rstrip('/')}?$skip={skip + top}"
    return body


def _number(query: dict[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isdigit():
        raise _malformed(name, text)
    return int(text)


def _malformed(name: str, text: str) -> RedfishError:
    return RedfishError(400, Message("QueryParameterValueFormatError", (text, name)))


def _expanded(body: Json, text: str, fetch: Fetch) -> Json:
    """One level; `.` what is subordinate, `~` what stands in Links, `*` both."""
    if not re.fullmatch(r"[*.~](\(\$levels=1\))?", text):
        raise _malformed("$expand", text)
    inside, outside = text[0] in "*~", text[0] in "*."
    return {
        name: _filled(value, fetch) if (inside if name == "Links" else outside) else value
        for name, value in body.items()
    }


def _filled(value: Any, fetch: Fetch) -> Any:
    """A reference becomes what it refers to; one that leads nowhere stays."""
    if isinstance(value, list):
        return [_filled(item, fetch) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"@odata.id"}:
        try:
            return fetch(value["@odata.id"])
        except RedfishError:
            return value
    return {name: _filled(item, fetch) for name, item in value.items()}


def _selected(body: Json, text: str) -> Json:
    wanted = {part.strip().partition("/")[0] for part in text.split(",")}
    if "" in wanted:
        raise _malformed("$select", text)
    always = ("@odata.id", "@odata.type", "@odata.context", "@odata.etag")
    return {name: value for name, value in body.items() if name in always or name.partition("@")[0] in wanted}


class Filter:
    """$filter: comparisons with and, or, not and parentheses.

    Raises:
        RedfishError: 400, it cannot be read.
    """

    _OPERATORS: dict[str, Callable[[Any, Any], Any]] = {  # noqa: RUF012 - never changed
        "eq": operator.eq,
        "ne": operator.ne,
        "gt": operator.gt,
        "ge": operator.ge,
        "lt": operator.lt,
        "le": operator.le,
    }
    _WORDS: dict[str, Any] = {"true": True, "false": False, "null": None}  # noqa: RUF012 - never changed

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = re.findall(r"'(?:[^']|'')*'|[()]|[^\s()']+", text)
        self._test = self._or(0)
        if self._tokens:
            raise _malformed("$filter", text)

    def test(self, body: Json) -> bool:
        """Whether a member passes."""
        return self._test(body)

    def _or(self, depth: int) -> _Test:
        one = self._and(depth)
        while self._take("or"):
            one = _either(one, self._and(depth))
        return one

    def _and(self, depth: int) -> _Test:
        one = self._not(depth)
        while self._take("and"):
            one = _both(one, self._not(depth))
        return one

    def _not(self, depth: int) -> _Test:
        if depth > 20:
            raise _malformed("$filter", self._text)
        if self._take("not"):
            inner = self._not(depth + 1)
            return lambda body: not inner(body)
        if self._take("("):
            inner = self._or(depth + 1)
            if not self._take(")"):
                raise _malformed("$filter", self._text)
            return inner
        return self._comparison()

    def _comparison(self) -> _Test:
        if len(self._tokens) < 3 or self._tokens[1] not in self._OPERATORS:
            raise _malformed("$filter", self._text)
        name, word, literal = self._tokens[:3]
        del self._tokens[:3]
        compare, wanted = self._OPERATORS[word], self._value(literal)
        kind = int | float if isinstance(wanted, float) else type(wanted)

        def test(body: Json) -> bool:
            found: Any = body
            for part in name.split("/"):
                found = found.get(part) if isinstance(found, dict) else None
            if word in ("eq", "ne"):
                return bool(compare(found, wanted))
            return isinstance(found, kind) and bool(compare(found, wanted))

        return test

    def _value(self, literal: str) -> Any:
        if literal.startswith("'"):
            return literal[1:-1].replace("''", "'")
        if literal in self._WORDS:
            return self._WORDS[literal]
        try:
            return float(literal)
        except ValueError as error:
            raise _malformed("$filter", self._text) from error

    def _take(self, word: str) -> bool:
        if self._tokens and self._tokens[0] == word:
            del self._tokens[0]
            return True
        return False


def _either(one: _Test, other: _Test) -> _Test:
    return lambda body: one(body) or other(body)


def _both(one: _Test, other: _Test) -> _Test:
    return lambda body: one(body) and other(body)
