"""Maintenance windows."""

import datetime as dt

import pytest

from tiphys.errors import UsageError
from tiphys.obm.firmware.window import next_opening, window_of


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("window", "now", "opens"),
    [
        ("01:00-05:00", "2026-06-01T02:00", "2026-06-01T02:00"),
        ("01:00-05:00", "2026-06-01T05:00", "2026-06-02T01:00"),
        ("22:00-04:00", "2026-06-01T03:59", "2026-06-01T03:59"),
        ("22:00-04:00", "2026-06-01T04:00", "2026-06-01T22:00"),
        ("Sat,Sun 22:00-04:00", "2026-06-01T03:00", "2026-06-01T03:00"),  # a Monday: Sunday's has not ended
        ("Sat,Sun 22:00-04:00", "2026-06-01T04:00", "2026-06-06T22:00"),
        ("Fri-Mon 10:00-11:00", "2026-06-02T09:00", "2026-06-05T10:00"),
        ("Mon 00:00-00:00", "2026-06-01T23:59", "2026-06-01T23:59"),
        ("01:00-05:00 Europe/Berlin", "2026-06-01T00:00", "2026-06-01T00:00"),
        ("01:00-05:00 Europe/Berlin", "2026-06-01T03:00", "2026-06-01T23:00"),
    ],
)
def test_when_a_window_is_open(window: str, now: str, opens: str) -> None:
    assert next_opening([window_of(window)], at(now)) == at(opens)


def test_the_first_of_several_and_none() -> None:
    windows = [window_of("20:00-21:00"), window_of("10:00-11:00")]
    assert next_opening(windows, at("2026-06-01T08:00")) == at("2026-06-01T10:00")
    assert next_opening([], at("2026-06-01T08:00")) == at("2026-06-01T08:00")


def test_a_day_may_be_written_in_full() -> None:
    assert window_of("Saturday,sunday 22:00-04:00") == window_of("Sat,Sun 22:00-04:00")


def test_what_is_no_day_is_named() -> None:
    with pytest.raises(UsageError, match="'monkey' is no day"):
        window_of("Monkey 01:00-02:00")


@pytest.mark.parametrize(
    "text", ["", "1-2", "25:00-26:00", "Someday 01:00-02:00", "Mo 01:00-02:00", "01:00-02:00 Mars/Base", "01:00"]
)
def test_what_is_no_window(text: str) -> None:
    with pytest.raises(UsageError, match="no maintenance window"):
        window_of(text)
