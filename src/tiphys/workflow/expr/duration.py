"""Go durations: "1m30s", "250ms"; and Argo's rule that a bare number means seconds."""

from __future__ import annotations

import datetime as dt
import re
from fractions import Fraction

from tiphys.errors import ExpressionError

__all__ = ["format_duration", "nanoseconds", "parse", "parse_go"]

_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # U+00B5
    "μs": 1_000,  # U+03BC
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_TERM = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d+", re.ASCII)
_LIMIT = 1 << 63


def parse(text: str | int | float) -> dt.timedelta:
    """A duration of a manifest: a Go duration, or a whole number of seconds.

    Raises:
        ExpressionError: neither; the text is quoted in the message.
    """
    stripped = str(text).strip()
    if _NUMBER.fullmatch(stripped) and len(stripped) < 12:
        return dt.timedelta(seconds=int(stripped))
    return parse_go(str(text))


def parse_go(text: str) -> dt.timedelta:
    """`time.ParseDuration`; parts of a microsecond are dropped.

    Raises:
        ExpressionError: with Go's words.
    """
    body = text[1:] if text[:1] in ("+", "-") else text
    if body == "0":
        return dt.timedelta()
    total = Fraction(0)
    position = 0
    while position < len(body):
        term = _TERM.match(body, position)
        if term is None or len(term[1]) > 40:
            raise ExpressionError(_why(text, body, position))
        total += Fraction(term[1].rstrip(".")) * _UNITS[term[2]]
        position = term.end()
    if not body or total >= _LIMIT:
        raise ExpressionError(f'time: invalid duration "{text}"')
    return dt.timedelta(microseconds=int(total // 1000) * (-1 if text.startswith("-") else 1))


def _why(text: str, body: str, position: int) -> str:
    number = re.match(r"\d+\.?\d*|\.\d+", body[position:], re.ASCII)
    if number is None:
        return f'time: invalid duration "{text}"'
    unit = re.match(r"[^\d.]*", body[position + number.end() :])
    if unit is None or not unit[0]:
        return f'time: missing unit in duration "{text}"'
    return f'time: unknown unit "{unit[0]}" in duration "{text}"'


def nanoseconds(value: dt.timedelta) -> int:
    """The value of Go's time.Duration."""
    return (value // dt.timedelta(microseconds=1)) * 1000


def format_duration(value: dt.timedelta) -> str:
    """`Duration.String`: "1m30s", "250ms", "0s"."""
    micro = value // dt.timedelta(microseconds=1)
    sign, micro = ("-", -micro) if micro < 0 else ("", micro)
    if micro == 0:
        return "0s"
    if micro < 1_000:
        return f"{sign}{micro}µs"
    if micro < 1_000_000:
        return f"{sign}{_decimal(micro, 3)}ms"
    minutes, micro = divmod(micro, 60_000_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{_decimal(micro, 6)}s"
    if hours:
        return f"{sign}{hours}h{minutes}m{text}"
    return f"{sign}{minutes}m{text}" if minutes else f"{sign}{text}"


def _decimal(value: int, places: int) -> str:
    whole, fraction = divmod(value, 10**places)
    return f"{whole}.{fraction:0{places}d}".rstrip("0").rstrip(".")
