"""Small text functions of Go's `strings` and `strconv`, where Python's differ."""

from __future__ import annotations

import re

from tiphys.errors import ExpressionError

__all__ = ["parse_float", "parse_int", "split", "trim"]

_INT = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|inf(?:inity)?|nan)", re.IGNORECASE)


def trim(text: str, cut: str | None = None) -> str:
    """`strings.TrimSpace`, or `strings.Trim` with the characters to cut."""
    return text.strip() if cut is None else text.strip(cut) if cut else text


def split(text: str, by: str, count: int = -1, *, keep: bool = False) -> list[str]:
    """`strings.SplitN` (`keep`: `SplitAfterN`): a negative count means all, an empty separator every character."""
    if count == 0:
        return []
    if by:
        parts = text.split(by, count - 1 if count > 0 else -1)
    else:
        parts = list(text) if count < 0 or count >= len(text) else [*text[: count - 1], text[count - 1 :]]
    return [part + by for part in parts[:-1]] + parts[-1:] if keep else parts


def parse_int(text: str) -> int:
    """`strconv.ParseInt(text, 10, 64)`.

    Raises:
        ExpressionError: with Go's words.
    """
    if not _INT.fullmatch(text):
        raise ExpressionError(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    if len(text) > 20 or not -(1 << 63) <= int(text) < 1 << 63:
        raise ExpressionError(f'strconv.ParseInt: parsing "{text}": value out of range')
    return int(text)


def parse_float(text: str) -> float:
    """`strconv.ParseFloat(text, 64)`.

    Raises:
        ExpressionError: with Go's words.
    """
    if not _FLOAT.fullmatch(text):
        raise ExpressionError(f'strconv.ParseFloat: parsing "{text}": invalid syntax')
    return float(text)
