"""Comparing versions as vendors write them. Pure."""

from __future__ import annotations

import re

__all__ = ["older", "same"]


def same(one: str, other: str) -> bool:
    """Whether two versions are equal: numbers as numbers (`6.00.30` is `6.0.30`), the rest by its letters."""
    return bool(one and other) and _words(one) == _words(other)


def older(one: str, other: str) -> bool:
    """Whether `one` is older than `other`; False where they cannot be compared."""
    mine, theirs = _words(one), _words(other)
    numbers = [word for word in (*mine, *theirs) if isinstance(word, int)]
    if len(numbers) < len(mine) + len(theirs):
        return False
    return [int(word) for word in mine] < [int(word) for word in theirs]


def _words(version: str) -> list[int | str]:
    found = re.findall(r"\d+|[a-z]+", version.strip().casefold().removeprefix("v"))
    return [int(word) if word.isdigit() else word for word in found]
