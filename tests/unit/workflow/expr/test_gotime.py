"""Times by Go's layouts."""

from __future__ import annotations

import datetime as dt

import pytest

from tiphys.errors import ExpressionError
from tiphys.workflow.expr.gotime import LAYOUTS, format_time, load_location, parse_time

MOMENT = dt.datetime(2026, 3, 5, 15, 4, 9, 120000, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("layout", "text"),
    [
        (LAYOUTS["RFC3339"], "2026-03-05T15:04:09Z"),
        (LAYOUTS["ANSIC"], "Thu Mar  5 15:04:09 2026"),
        (LAYOUTS["Kitchen"], "3:04PM"),
        (LAYOUTS["RFC1123"], "Thu, 05 Mar 2026 15:04:09 UTC"),
        ("Monday January 2 06 pm 03 002 __2", "Thursday March 5 26 pm 03 064  64"),
        ("15:04:05.000 .999 -0700 Z07:00", "15:04:09.120 .12 +0000 Z"),
        ("20060102-150405", "20260305-150409"),
        ("no elements", "no elements"),
    ],
)
def test_it_is_written_by_the_layout(layout: str, text: str) -> None:
    assert format_time(layout, MOMENT) == text


def test_zones_are_written_as_they_are() -> None:
    east = MOMENT.astimezone(dt.timezone(dt.timedelta(hours=5, minutes=30)))
    assert format_time("15:04 Z07:00 -0700 MST", east) == "20:34 +05:30 +0530 +0530"
    assert format_time("15:04 MST", MOMENT.astimezone(load_location("Europe/Berlin"))) == "16:04 CET"


@pytest.mark.parametrize("name", sorted(LAYOUTS.keys() - {"Kitchen", "TimeOnly", "DateOnly", "RFC822"}))
def test_what_was_written_can_be_read(name: str) -> None:
    assert parse_time(LAYOUTS[name], format_time(LAYOUTS[name], MOMENT)) == MOMENT.replace(microsecond=0)


def test_parts_that_are_not_told_are_the_first() -> None:
    assert parse_time("15:04", "07:08") == dt.datetime(1, 1, 1, 7, 8, tzinfo=dt.UTC)
    assert parse_time("2006-01-02", "2026-03-05", load_location("Europe/Berlin")).utcoffset() == dt.timedelta(hours=1)
    assert parse_time("2006-01-02T15:04:05", "2026-03-05T00:00:00.25").microsecond == 250000


@pytest.mark.parametrize(
    ("layout", "text"), [("2006-01-02", "2026-13-01"), ("2006-01-02", "yesterday"), ("15:04", "25:00")]
)
def test_what_is_no_time_is_told(layout: str, text: str) -> None:
    with pytest.raises(ExpressionError, match=f'parsing time "{text}"'):
        parse_time(layout, text)


def test_a_zone_that_is_none_is_told() -> None:
    with pytest.raises(ExpressionError, match="unknown time zone Mars/Olympus"):
        load_location("Mars/Olympus")
    assert load_location("Local") is load_location("") is dt.UTC
