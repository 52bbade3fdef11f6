"""Times by Go's reference layout ("Mon Jan 2 15:04:05 MST 2006"): format and parse.

Used by the date functions of expr-lang and sprig and by the dates of `when`.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tiphys.errors import ExpressionError
from tiphys.workflow.expr.regex import Pattern

__all__ = ["LAYOUTS", "format_time", "load_location", "parse_time"]

LAYOUTS = {
    "ANSIC": "Mon Jan _2 15:04:05 2006",
    "UnixDate": "Mon Jan _2 15:04:05 MST 2006",
    "RubyDate": "Mon Jan 02 15:04:05 -0700 2006",
    "RFC822": "02 Jan 06 15:04 MST",
    "RFC850": "Monday, 02-Jan-06 15:04:05 MST",
    "RFC1123": "Mon, 02 Jan 2006 15:04:05 MST",
    "RFC3339": "2006-01-02T15:04:05Z07:00",
    "Kitchen": "3:04PM",
    "DateOnly": "2006-01-02",
    "TimeOnly": "15:04:05",
    "DateTime": "2006-01-02 15:04:05",
}

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

# Longest first where one element is the beginning of another.
_ELEMENT = re.compile(
    r"January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|2006|__2|_2(?!006)|002|01|02|03|04|05|06|15|PM|pm"
    r"|Z07:00:00|Z070000|Z07:00|Z0700|Z07|-07:00:00|-070000|-07:00|-0700|-07"
    r"|[.,](?:0+|9+)(?!\d)|1|2|3|4|5"
)

_OFFSET = r"[+-]\d\d"
_PATTERNS = {
    "January": "(?P<month_name>[A-Za-z]+)",
    "Jan": "(?P<month_short>[A-Za-z]{3})",
    "Monday": "(?:" + "|".join(_DAYS) + ")",
    "Mon": "(?:" + "|".join(day[:3] for day in _DAYS) + ")",
    "MST": "(?P<zone_name>[A-Z]{3,5}|[+-]\\d\\d(?:\\d\\d)?)",
    "2006": "(?P<year>\\d{4})",
    "06": "(?P<year_short>\\d{2})",
    "__2": "(?P<year_day> {0,2}\\d{1,3})",
    "002": "(?P<year_day>\\d{3})",
    "_2": "(?P<day> ?\\d{1,2})",
    "01": "(?P<month>\\d{2})",
    "1": "(?P<month>\\d{1,2})",
    "02": "(?P<day>\\d{1,2})",
    "2": "(?P<day> ?\\d{1,2})",
    "15": "(?P<hour>\\d{1,2})",
    "03": "(?P<hour12>\\d{2})",
    "3": "(?P<hour12>\\d{1,2})",
    "04": "(?P<minute>\\d{2})",
    "4": "(?P<minute>\\d{1,2})",
    "05": "(?P<second>\\d{2})(?:[.,](?P<implied>\\d+))?",
    "5": "(?P<second>\\d{1,2})(?:[.,](?P<implied>\\d+))?",
    "PM": "(?P<half>AM|PM)",
    "pm": "(?P<half>am|pm)",
    "Z07:00": f"(?P<offset>Z|{_OFFSET}:\\d\\d)",
    "Z0700": f"(?P<offset>Z|{_OFFSET}\\d\\d)",
    "Z07": f"(?P<offset>Z|{_OFFSET})",
    "-07:00": f"(?P<offset>{_OFFSET}:\\d\\d)",
    "-0700": f"(?P<offset>{_OFFSET}\\d\\d)",
    "-07": f"(?P<offset>{_OFFSET})",
    "Z07:00:00": f"(?P<offset>Z|{_OFFSET}:\\d\\d:\\d\\d)",
    "Z070000": f"(?P<offset>Z|{_OFFSET}\\d{{4}})",
    "-07:00:00": f"(?P<offset>{_OFFSET}:\\d\\d:\\d\\d)",
    "-070000": f"(?P<offset>{_OFFSET}\\d{{4}})",
}


def load_location(name: str) -> dt.tzinfo:
    """`time.LoadLocation`; "" and "UTC" are UTC, so is "Local" (the machine's own zone is not the workflow's).

    Raises:
        ExpressionError: there is no such zone.
    """
    if name in ("", "UTC", "Local"):
        return dt.UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ExpressionError(f"unknown time zone {name}") from error


def format_time(layout: str, moment: dt.datetime) -> str:
    """`Time.Format`; a moment without a zone is taken as UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return _ELEMENT.sub(lambda match: _element(match[0], moment), layout)


def _element(element: str, moment: dt.datetime) -> str:
    if element[0] in ".," and len(element) > 1:
        digits = f"{moment.microsecond:06d}000"[: len(element) - 1].ljust(len(element) - 1, "0")
        if element[1] == "9":
            digits = digits.rstrip("0")
        return element[0] + digits if digits else ""
    if element[0] in "Z-":
        return _offset(element, moment)
    hour12 = moment.hour % 12 or 12
    return {
        "January": _MONTHS[moment.month - 1],
        "Jan": _MONTHS[moment.month - 1][:3],
        "Monday": _DAYS[moment.weekday()],
        "Mon": _DAYS[moment.weekday()][:3],
        "MST": _zone_name(moment),
        "2006": f"{moment.year:04d}",
        "06": f"{moment.year % 100:02d}",
        "__2": f"{moment.timetuple().tm_yday:3d}",
        "002": f"{moment.timetuple().tm_yday:03d}",
        "_2": f"{moment.day:2d}",
        "01": f"{moment.month:02d}",
        "1": str(moment.month),
        "02": f"{moment.day:02d}",
        "2": str(moment.day),
        "15": f"{moment.hour:02d}",
        "03": f"{hour12:02d}",
        "3": str(hour12),
        "04": f"{moment.minute:02d}",
        "4": str(moment.minute),
        "05": f"{moment.second:02d}",
        "5": str(moment.second),
        "PM": "PM" if moment.hour >= 12 else "AM",
        "pm": "pm" if moment.hour >= 12 else "am",
    }[element]


def _zone_name(moment: dt.datetime) -> str:
    name = moment.tzname() or "UTC"
    return _offset("-0700", moment) if name.startswith("UTC") and name != "UTC" else name


def _offset(element: str, moment: dt.datetime) -> str:
    seconds = int((moment.utcoffset() or dt.timedelta()).total_seconds())
    if seconds == 0 and element[0] == "Z":
        return "Z"
    sign, seconds = ("-", -seconds) if seconds < 0 else ("+", seconds)
    parts = [seconds // 3600, seconds // 60 % 60, seconds % 60]
    body = element[1:]
    colon = ":" if ":" in body else ""
    count = len(body.replace(":", "")) // 2
    return sign + colon.join(f"{part:02d}" for part in parts[:count])


@functools.lru_cache(maxsize=256)
def _compiled(layout: str) -> Pattern | None:
    pattern, position, names = "", 0, set[str]()
    for match in _ELEMENT.finditer(layout):
        pattern += re.escape(layout[position : match.start()])
        element = match[0]
        if element[0] in ".,":
            piece = "(?P<fraction>[.,]\\d+)" + ("?" if element[1] == "9" else "")
        else:
            piece = _PATTERNS[element]
        repeated = set(re.findall(r"\?P<(\w+)>", piece)) & names
        for name in repeated:
            piece = piece.replace(f"?P<{name}>", "?:")
        names |= set(re.findall(r"\?P<(\w+)>", piece))
        pattern += piece
        position = match.end()
    try:
        return Pattern(f"^(?:{pattern}{re.escape(layout[position:])})$")
    except ExpressionError:
        return None


def parse_time(layout: str, text: str, zone: dt.tzinfo = dt.UTC) -> dt.datetime:
    """`time.ParseInLocation`.

    Raises:
        ExpressionError: the text is not of that layout.
    """
    failure = f'parsing time "{text}" as "{layout}": cannot parse "{text}" as "{layout}"'
    pattern = _compiled(layout)
    found = pattern.groups(text) if pattern is not None else None
    if found is None:
        raise ExpressionError(failure)
    try:
        return _moment(found, zone)
    except (ValueError, OverflowError) as error:
        raise ExpressionError(f'parsing time "{text}": {error}') from error


def _moment(found: dict[str, str], zone: dt.tzinfo) -> dt.datetime:
    year = int(found.get("year", 1))
    if "year_short" in found:
        short = int(found["year_short"])
        year = short + (1900 if short >= 69 else 2000)
    month, day = int(found.get("month", 1)), int(found.get("day", 1))
    names = [name[:3] for name in _MONTHS] if "month_short" in found else list(_MONTHS)
    name = found.get("month_name") or found.get("month_short")
    if name is not None:
        month = names.index(name.capitalize()) + 1
    hour = int(found.get("hour", 0))
    if "hour12" in found:
        hour = int(found["hour12"]) % 12
        hour += 12 if found.get("half", "").upper() == "PM" else 0
    fraction = (found.get("fraction", ".")[1:] or found.get("implied", ""))[:6].ljust(6, "0")
    moment = dt.datetime(  # noqa: DTZ001 - the zone follows
        max(year, 1), month, day, hour, int(found.get("minute", 0)), int(found.get("second", 0)), int(fraction)
    )
    if "year_day" in found:
        moment += dt.timedelta(days=int(found["year_day"]) - 1)
    return moment.replace(tzinfo=_zone(found, zone))


def _zone(found: dict[str, str], default: dt.tzinfo) -> dt.tzinfo:
    offset = found.get("offset")
    if offset is None:
        return dt.UTC if found.get("zone_name") in ("UTC", "GMT") else default
    if offset == "Z":
        return dt.UTC
    digits = offset[1:].replace(":", "").ljust(6, "0")
    span = dt.timedelta(hours=int(digits[:2]), minutes=int(digits[2:4]), seconds=int(digits[4:]))
    return dt.timezone(-span if offset[0] == "-" else span)
