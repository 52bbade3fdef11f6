"""Keys that a JSON object has twice: a decoder keeps the last and says nothing, the API tells or refuses it.

Called by `http` with bodies that could be decoded.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

__all__ = ["duplicates"]


class _Twice(dict[str, Any]):
    """An object with the keys it had more than once."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        counted = Counter(key for key, _ in pairs)
        self.twice = frozenset(key for key, times in counted.items() if times > 1)


def duplicates(data: bytes) -> list[str]:
    """The paths of such keys, e.g. `data.a` or `spec.templates[0].name`; [] in nearly every body."""
    found = False

    def made(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal found
        plain = dict(pairs)
        if len(plain) == len(pairs):
            return plain
        found = True
        return _Twice(pairs)

    # Its numbers are of no interest here, and Python reads none of more than 4,300 digits.
    value = json.loads(data, object_pairs_hook=made, parse_int=str, parse_float=str)
    return list(_paths(value, "")) if found else []


def _paths(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _paths(item, f"{path}[{index}]")
    elif isinstance(value, dict):
        twice = value.twice if isinstance(value, _Twice) else ()
        for key, member in value.items():
            where = f"{path}.{key}" if path else key
            if key in twice:
                yield where
            yield from _paths(member, where)
