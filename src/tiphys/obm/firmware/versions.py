"""Comparing versions as vendors write them. Pure."""

from __future__ import annotations

import re

__all__ = ["older", "order", "same"]


def same(one: str, other: str) -> bool:
    """Whether two versions are equal: numbers as numbers (`6.00.30` is `6.0.30`, and `7.10.30` is `7.10.30.00`, as Dell
    writes the same release in two places), the rest by its letters.
    """
    return bool(one and other) and _words(one) == _words(other)


def older(one: str, other: str) -> bool:
    """Whether `one` is older than `other`; False where they cannot be compared."""
    return order(one, other) == -1


def order(one: str, other: str) -> int | None:
    """-1, 0 or 1 as `one` is older than, equal to or newer than `other`; None where they cannot be compared.

    The first word in which they differ decides; words of letters (a build, a hash, a machine) have no order.
    """
    mine, theirs = _words(one), _words(other)
    if not mine or not theirs:
        return None
    for left, right in zip(mine, theirs, strict=False):
        if left != right:
            return _sign(left - right) if isinstance(left, int) and isinstance(right, int) else None
    rest = [*mine[len(theirs) :], *theirs[len(mine) :]]
    if any(isinstance(word, str) for word in rest):
        return None
    return _sign(len(mine) - len(theirs))


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)


def _words(version: str) -> list[int | str]:
    """Its numbers and words of letters but zeros at the end; Python refuses to read a number of thousands of digits."""
    found = re.findall(r"\d{1,18}|[a-z]+", version.strip().casefold().removeprefix("v"))
    words: list[int | str] = [int(word) if word.isdigit() else word for word in found]
    while len(words) > 1 and words[-1] == 0:
        words.pop()
    return words
