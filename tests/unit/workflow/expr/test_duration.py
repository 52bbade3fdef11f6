"""Durations as Go reads and writes them."""

from __future__ import annotations

import datetime as dt

import pytest

from tiphys.errors import ExpressionError
from tiphys.workflow.expr.duration import format_duration, nanoseconds, parse, parse_go


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1m30s", 90), ("250ms", 0.25), ("1.5h", 5400), (".5s", 0.5), ("-2s", -2), ("+1h", 3600), ("0", 0),
     ("100us", 0.0001),     ("1h2m3s4ms", 3723.004), ("999ns", 0)],
)  # fmt: skip
def test_go_durations(text: str, seconds: float) -> None:
    assert parse_go(text).total_seconds() == seconds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'time: invalid duration ""'),
        ("5", 'time: missing unit in duration "5"'),
        ("5 s", 'time: unknown unit " s" in duration "5 s"'),
        ("5d", 'time: unknown unit "d" in duration "5d"'),
        ("s", 'time: invalid duration "s"'),
        ("9999999999h", 'time: invalid duration "9999999999h"'),
    ],
)
def test_what_is_none_is_told_in_gos_words(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_go(text)
    assert str(caught.value) == message


def test_a_bare_number_of_a_manifest_is_seconds() -> None:
    assert [parse(value).total_seconds() for value in ("90", 90, "-1", "1m")] == [90, 90, -1, 60]


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (dt.timedelta(), "0s"),
        (dt.timedelta(microseconds=5), "5µs"),
        (dt.timedelta(milliseconds=1, microseconds=500), "1.5ms"),
        (dt.timedelta(seconds=90), "1m30s"),
        (dt.timedelta(hours=1), "1h0m0s"),
        (dt.timedelta(seconds=-1.25), "-1.25s"),
    ],
)
def test_it_is_written_as_go_does(span: dt.timedelta, text: str) -> None:
    assert format_duration(span) == text


def test_nanoseconds() -> None:
    assert nanoseconds(dt.timedelta(microseconds=3)) == 3000
