"""Maintenance windows: when an update may be begun. Pure.

`01:00-05:00`, `Sat,Sun 22:00-04:00`, `Mon-Fri 01:00-05:00 Europe/Berlin`: days of its beginning (default: all), hours,
and a time zone by its IANA name (default: UTC). One that ends before it begins ends on the next day.
"""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass

from tiphys.errors import UsageError

__all__ = ["Window", "next_opening", "window_of"]

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_FORM = re.compile(r"(?:([A-Za-z,-]+)\s+)?(\d\d?):(\d\d)\s*-\s*(\d\d?):(\d\d)(?:\s+([\w/+-]+))?")


@dataclass(frozen=True, slots=True)
class Window:
    """Days (0 = Monday) on which it begins, when it begins and ends, and where these hours are counted."""

    days: frozenset[int]
    begins: dt.time
    ends: dt.time
    zone: zoneinfo.ZoneInfo

    def opening(self, now: dt.datetime) -> dt.datetime:
        """The moment at which it is next open: `now` where it is, else later."""
        local = now.astimezone(self.zone)
        for offset in range(-1, 9):
            day = local.date() + dt.timedelta(days=offset)
            if day.weekday() not in self.days:
                continue
            begin = dt.datetime.combine(day, self.begins, self.zone)
            last = day + dt.timedelta(days=1) if self.ends <= self.begins else day
            if now < dt.datetime.combine(last, self.ends, self.zone):
                return max(now, begin)
        raise AssertionError("every window opens within eight days")


def window_of(text: str) -> Window:
    """A window as it is written.

    Raises:
        UsageError: it is no window.
    """
    found = _FORM.fullmatch(text.strip())
    try:
        if not found:
            raise ValueError("its form")
        days, *hours, zone = found.groups()
        begin, end = dt.time(int(hours[0]), int(hours[1])), dt.time(int(hours[2]) % 24, int(hours[3]))
        return Window(_days(days or ""), begin, end, zoneinfo.ZoneInfo(zone or "UTC"))
    except (ValueError, KeyError, OSError, zoneinfo.ZoneInfoNotFoundError) as error:
        raise UsageError(
            f"{text!r} is no maintenance window ({error}); write [DAYS ]HH:MM-HH:MM[ ZONE], "
            "e.g. Sat,Sun 22:00-04:00 UTC"
        ) from error


def next_opening(windows: Sequence[Window], now: dt.datetime) -> dt.datetime:
    """When an update may next be begun: `now` where it may, or where there are no windows."""
    return min((window.opening(now) for window in windows), default=now)


def _days(text: str) -> frozenset[int]:
    found: set[int] = set()
    for entry in text.casefold().split(",") if text else ["mon-sun"]:
        first, _, last = entry.partition("-")
        begin, end = _day(first), _day(last or first)
        found |= {day % 7 for day in range(begin, end + 1 if end >= begin else end + 8)}
    return frozenset(found)


def _day(name: str) -> int:
    """A day by its name, of which three letters are enough."""
    fits = [number for number, day in enumerate(_DAYS) if len(name) > 2 and day.startswith(name)]
    if not fits:
        raise ValueError(f"{name!r} is no day")
    return fits[0]
