"""Dates of sprig. The zone "Local" is UTC: the machine's own zone is not the workflow's."""

from __future__ import annotations

import datetime as dt
from typing import Any

from tiphys.errors import ExpressionError
from tiphys.workflow.expr import duration, gotime
from tiphys.workflow.expr.lang.functions import Function
from tiphys.workflow.expr.lang.sprig.numeric import to_int
from tiphys.workflow.expr.lang.values import FaultError, as_integer, is_number

__all__ = ["FUNCTIONS", "at"]

_ZERO = dt.datetime(1, 1, 1, tzinfo=dt.UTC)
_UNITS = (("y", 365 * 86400), ("mo", 30 * 86400), ("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def _moment(value: Any, now: dt.datetime | None) -> dt.datetime:
    """A time, seconds since 1970, or (as in sprig) now for everything else."""
    if isinstance(value, dt.datetime):
        return value
    if is_number(value):
        return dt.datetime.fromtimestamp(as_integer(value), dt.UTC)
    return _known(now)


def _known(now: dt.datetime | None) -> dt.datetime:
    if now is None:
        raise FaultError("the time is not known here")
    return now


def _format(layout: str, value: Any, zone: str, now: dt.datetime | None) -> str:
    try:
        location = gotime.load_location(zone)
    except ExpressionError:
        location = dt.UTC
    return gotime.format_time(layout, _moment(value, now).astimezone(location))


def _modify(text: str, moment: dt.datetime) -> dt.datetime:
    try:
        return moment + duration.parse_go(text)
    except ExpressionError:
        return moment


def _to_date(layout: str, text: str) -> dt.datetime:
    try:
        return gotime.parse_time(layout, text)
    except ExpressionError:
        return _ZERO


def _rounded(span: dt.timedelta) -> str:
    seconds = abs(span).total_seconds()
    return next((f"{int(seconds // size)}{unit}" for unit, size in _UNITS if seconds > size), "0s")


def _round_duration(value: Any, now: dt.datetime | None) -> str:
    if isinstance(value, dt.datetime):
        return _rounded(_known(now) - value)
    if isinstance(value, str):
        try:
            return _rounded(duration.parse_go(value))
        except ExpressionError:
            return "0s"
    return _rounded(dt.timedelta(microseconds=as_integer(value) // 1000)) if is_number(value) else "0s"


def _ago(value: Any, now: dt.datetime | None) -> str:
    span = _known(now) - _moment(value, now)
    return duration.format_duration(dt.timedelta(seconds=round(span.total_seconds())))


FUNCTIONS: dict[str, Function] = {
    "dateModify": Function(_modify, ("string", "time")),
    "date_modify": Function(_modify, ("string", "time")),
    "mustDateModify": Function(lambda text, moment: moment + duration.parse_go(text), ("string", "time")),
    "must_date_modify": Function(lambda text, moment: moment + duration.parse_go(text), ("string", "time")),
    "toDate": Function(_to_date, ("string", "string")),
    "mustToDate": Function(gotime.parse_time, ("string", "string")),
    "unixEpoch": Function(lambda moment: str(int(moment.timestamp())), ("time",)),
    "duration": Function(
        lambda value: duration.format_duration(dt.timedelta(seconds=0 if isinstance(value, float) else to_int(value))),
        ("any",),
    ),
}


def at(now: dt.datetime | None) -> dict[str, Function]:
    """Those that ask for the time, at this moment."""

    def date(layout: str, value: Any, zone: str = "Local") -> str:
        return _format(layout, value, zone, now)

    def html_date(value: Any, zone: str = "Local") -> str:
        return _format("2006-01-02", value, zone, now)

    return {
        "now": Function(lambda: _known(now), ()),
        "ago": Function(lambda value: _ago(value, now), ("any",)),
        "date": Function(date, ("string", "any")),
        "dateInZone": Function(date, ("string", "any", "string")),
        "date_in_zone": Function(date, ("string", "any", "string")),
        "htmlDate": Function(html_date, ("any",)),
        "htmlDateInZone": Function(html_date, ("any", "string")),
        "durationRound": Function(lambda value: _round_duration(value, now), ("any",)),
    }
