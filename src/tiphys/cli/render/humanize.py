"""Moments and durations for people, in the words `argo` uses (its own, and those of go-humanize). Pure.

`None` stands for a moment that the API does not have yet (Go's zero time).
"""

from __future__ import annotations

import datetime as dt

from tiphys.kit.clock import from_rfc3339

__all__ = ["ago", "between", "duration", "go_duration", "moment", "short", "timestamp"]

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_WEEK, _MONTH, _YEAR = 7 * _DAY, 30 * _DAY, 360 * _DAY
_FOREVER = (2**63 - 1) // 10**9
"""The longest duration Go can tell; one from no moment to another is as long."""

# Below so many seconds: the words, and what the number in them counts. The last row is for all that is longer.
_Row = tuple[int, str, int]
_WORDS: tuple[_Row, ...] = (
    (2, "1 second", 1),
    (_MINUTE, "{} seconds", 1),
    (2 * _MINUTE, "1 minute", 1),
    (_HOUR, "{} minutes", _MINUTE),
    (2 * _HOUR, "1 hour", 1),
    (_DAY, "{} hours", _HOUR),
    (2 * _DAY, "1 day", 1),
    (_WEEK, "{} days", _DAY),
    (2 * _WEEK, "1 week", 1),
    (_MONTH, "{} weeks", _WEEK),
    (2 * _MONTH, "1 month", 1),
    (_YEAR, "{} months", _MONTH),
    (_YEAR + _YEAR // 2, "1 year", 1),
    (2 * _YEAR, "2 years", 1),
    (37 * _YEAR, "{} years", _YEAR),
    (_FOREVER, "a long while", 1),
)
_SHORT: tuple[_Row, ...] = ((_MINUTE, "{}s", 1), (_HOUR, "{}m", _MINUTE), (_DAY, "{}h", _HOUR), (_FOREVER, "{}d", _DAY))


def moment(text: object) -> dt.datetime | None:
    """A moment of an object; None where there is none."""
    return from_rfc3339(text) if isinstance(text, str) and text else None


def timestamp(when: dt.datetime | None, now: dt.datetime) -> str:
    """`Mon Nov 23 12:26:02 +0000 (8 seconds ago)`, in the time zone of the machine."""
    if when is None:
        return "Mon Jan 01 00:00:00 +0000 (a long while ago)"
    return f"{when.astimezone():%a %b %d %H:%M:%S %z} ({ago(when, now)})"


def ago(when: dt.datetime, now: dt.datetime) -> str:
    """`now`, `8 seconds ago`, `15 hours from now`."""
    seconds = (now - when).total_seconds()
    if abs(seconds) < 1:
        return "now"
    return f"{_told(int(abs(seconds)), _WORDS)} {'ago' if seconds > 0 else 'from now'}"


def between(start: dt.datetime | None, end: dt.datetime | None, now: dt.datetime) -> str:
    """How long something took, or takes until now: `10 seconds`, `1 minute 30 seconds`."""
    return duration(_seconds(start, end, now))


def short(start: dt.datetime | None, end: dt.datetime | None, now: dt.datetime) -> str:
    """The same for tables: `0s`, `59s`, `1m`, `15h`, `3d`."""
    return _told(abs(_seconds(start, end, now)), _SHORT)


def duration(seconds: int) -> str:
    """`0 seconds`, `1 second`, `1 minute 30 seconds`, `1 hour 0 minutes`, `1 day 0 hours`."""
    if seconds < 1:
        return "0 seconds"
    told = _told(seconds, _WORDS)
    if seconds < _MINUTE:
        return told
    if seconds < _HOUR:
        return f"{told} {seconds % _MINUTE} seconds"
    if seconds < _DAY:
        return f"{told} {seconds // _MINUTE % 60} minutes"
    return f"{told} {seconds // _HOUR % 24} hours"


def go_duration(seconds: int) -> str:
    """As Go prints whole seconds: `0s`, `1m5s`, `2h0m0s`."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{rest}s"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def _seconds(start: dt.datetime | None, end: dt.datetime | None, now: dt.datetime) -> int:
    if start is None:
        return 0 if end is None else _FOREVER
    return int(((end or now) - start).total_seconds())


def _told(seconds: int, rows: tuple[_Row, ...]) -> str:
    words, unit = next(((words, unit) for below, words, unit in rows if seconds < below), rows[-1][1:])
    return words.format(seconds // unit)
