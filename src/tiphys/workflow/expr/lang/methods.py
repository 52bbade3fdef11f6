"""Methods that Go's times and durations have, as far as expressions use them: `now().Year()`, `d.Hours()`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from tiphys.workflow.expr import duration, gotime
from tiphys.workflow.expr.golang import format_value
from tiphys.workflow.expr.lang.functions import Function

__all__ = ["method_of"]

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICRO = dt.timedelta(microseconds=1)


def _unix(scale: int) -> Callable[[dt.datetime], int]:
    return lambda moment: (moment - _EPOCH) // _MICRO * scale // 1_000_000


def _truncate(moment: dt.datetime, step: dt.timedelta) -> dt.datetime:
    zero = dt.datetime(1, 1, 1, tzinfo=dt.UTC)
    return moment - (moment - zero) % step if step > dt.timedelta() else moment


_TIME: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "Year": (lambda t: t.year, ()),
    "Month": (lambda t: t.month, ()),
    "Day": (lambda t: t.day, ()),
    "Hour": (lambda t: t.hour, ()),
    "Minute": (lambda t: t.minute, ()),
    "Second": (lambda t: t.second, ()),
    "Nanosecond": (lambda t: t.microsecond * 1000, ()),
    "YearDay": (lambda t: t.timetuple().tm_yday, ()),
    "Weekday": (lambda t: t.isoweekday() % 7, ()),
    "Unix": (_unix(1), ()),
    "UnixMilli": (_unix(1_000), ()),
    "UnixMicro": (_unix(1_000_000), ()),
    "UnixNano": (_unix(1_000_000_000), ()),
    "UTC": (lambda t: t.astimezone(dt.UTC), ()),
    "String": (format_value, ()),
    "IsZero": (lambda t: t == dt.datetime(1, 1, 1, tzinfo=dt.UTC), ()),
    "Format": (lambda t, layout: gotime.format_time(layout, t), ("string",)),
    "In": (lambda t, zone: t.astimezone(zone), ("zone",)),
    "Add": (lambda t, d: t + d, ("duration",)),
    "Sub": (lambda t, other: t - other, ("time",)),
    "AddDate": (lambda t, years, months, days: _add_date(t, years, months, days), ("int", "int", "int")),
    "After": (lambda t, other: t > other, ("time",)),
    "Before": (lambda t, other: t < other, ("time",)),
    "Equal": (lambda t, other: t == other, ("time",)),
    "Truncate": (_truncate, ("duration",)),
}

_DURATION: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "Hours": (lambda d: d.total_seconds() / 3600, ()),
    "Minutes": (lambda d: d.total_seconds() / 60, ()),
    "Seconds": (lambda d: d.total_seconds(), ()),
    "Milliseconds": (lambda d: duration.nanoseconds(d) // 1_000_000, ()),
    "Microseconds": (lambda d: duration.nanoseconds(d) // 1_000, ()),
    "Nanoseconds": (duration.nanoseconds, ()),
    "String": (duration.format_duration, ()),
    "Abs": (abs, ()),
}


def _add_date(moment: dt.datetime, years: int, months: int, days: int) -> dt.datetime:
    """`Time.AddDate`: an overflowing day runs on into the next month."""
    total = moment.year * 12 + moment.month - 1 + years * 12 + months
    start = moment.replace(year=total // 12, month=total % 12 + 1, day=1)
    return start + dt.timedelta(days=moment.day - 1 + days)


def method_of(value: Any, name: str) -> Function | None:
    """The method of that name, bound to the value; None where there is none."""
    if isinstance(value, dt.datetime):
        row = _TIME.get(name)
    elif isinstance(value, dt.timedelta):
        row = _DURATION.get(name)
    else:
        return None
    if row is None:
        return None
    run, parameters = row
    return Function(lambda *arguments: run(value, *arguments), parameters)
