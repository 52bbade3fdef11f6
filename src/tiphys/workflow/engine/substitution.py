"""Pieces of manifests with tags: found once, filled in as often as needed. Pure.

A template that a thousand nodes run is walked once; each node costs only the strings that hold tags.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from tiphys.workflow.expr import tags

__all__ = ["Pattern", "fill_text"]

_NESTED: Final = re.compile(r"\{\{[^{}]*\{\{")
_DEEPEST: Final = 50  # tags in tags in tags
_NO_NAMES: Final[frozenset[str]] = frozenset()


class Pattern:
    """A value of a manifest.

    Attributes:
        raw: the value as it stands; never changed, and returned itself where it holds no tag.
        names: the variables its tags speak of; those of an inner tag only, where tags are nested.
        plain: those of them that are not spoken of in expressions only.
        nested: some tag holds another one, so that `names` is not all.
    """

    __slots__ = ("_plan", "names", "nested", "plain", "raw")

    def __init__(self, raw: Any) -> None:
        """Walk the value.

        Raises:
            ExpressionError: a tag is not closed.
        """
        self.raw = raw
        found: list[str] = []
        self._plan = _plan(raw, found)
        self.names = frozenset().union(*map(tags.names, found)) if found else _NO_NAMES
        self.plain = frozenset().union(*(tags.names(text, expressions=False) for text in found)) if found else _NO_NAMES
        self.nested = any(_NESTED.search(text) for text in found)

    @property
    def tagged(self) -> bool:
        """There is something to fill in."""
        return self._plan is not None

    def fill(self, scope: Mapping[str, Any], *, strict: bool = False, now: dt.datetime | None = None) -> Any:
        """The value with its tags replaced; it shares with `raw` what holds none.

        Args:
            now: for expressions that ask for the time.

        Raises:
            ExpressionError: `strict`, and a tag cannot be resolved; otherwise such tags stay as they are.
        """
        if self._plan is None:
            return self.raw
        return _fill(self.raw, self._plan, lambda text: fill_text(text, scope, strict=strict, now=now))


def fill_text(text: str, scope: Mapping[str, Any], *, strict: bool = False, now: dt.datetime | None = None) -> str:
    """One string with its tags replaced; where tags are nested, from the inside out."""
    if "{{" not in text:
        return text
    filled = tags.substitute(text, scope, strict=strict, now=now)
    for _ in range(_DEEPEST):
        if filled == text or not _NESTED.search(text):
            break
        text, filled = filled, tags.substitute(filled, scope, strict=strict, now=now)
    return filled


def _plan(value: Any, found: list[str]) -> Any:
    """Where the tags are: True for a string, a dict or list of plans for what holds some, None for what holds none."""
    match value:
        case str() if "{{" in value:
            found.append(value)
            return True
        case dict():
            plans = {}
            for key, item in value.items():
                plan = _plan(item, found)
                in_key = isinstance(key, str) and "{{" in key
                if in_key:
                    found.append(key)
                if plan is not None or in_key:
                    plans[key] = (plan, in_key)
            return plans or None
        case list():
            listed = [(at, plan) for at, item in enumerate(value) if (plan := _plan(item, found)) is not None]
            return listed or None
        case _:
            return None


def _fill(value: Any, plan: Any, replace: Callable[[str], str]) -> Any:
    if plan is True:
        return replace(value)
    if isinstance(plan, dict):
        filled = dict(value)
        for key, (inner, in_key) in plan.items():
            item = value[key] if inner is None else _fill(value[key], inner, replace)
            if in_key:
                del filled[key]
                filled[replace(key)] = item
            else:
                filled[key] = item
        return filled
    listed = list(value)
    for at, inner in plan:
        listed[at] = _fill(value[at], inner, replace)
    return listed
