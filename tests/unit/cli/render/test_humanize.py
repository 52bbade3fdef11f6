"""Moments and durations, in the words of argo and go-humanize."""

from __future__ import annotations

import datetime as dt

import pytest

from tiphys.cli.render import humanize

NOW = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
MINUTE, HOUR, DAY = 60, 3600, 86400


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "now"),
        (0.9, "now"),
        (1, "1 second ago"),
        (59, "59 seconds ago"),
        (MINUTE, "1 minute ago"),
        (2 * MINUTE, "2 minutes ago"),
        (HOUR, "1 hour ago"),
        (5 * HOUR, "5 hours ago"),
        (DAY, "1 day ago"),
        (7 * DAY, "1 week ago"),
        (30 * DAY, "1 month ago"),
        (360 * DAY, "1 year ago"),
        (600 * DAY, "2 years ago"),
        (-15 * HOUR - 1, "15 hours from now"),
    ],
)
def test_ago(seconds: float, words: str) -> None:
    assert humanize.ago(NOW - dt.timedelta(seconds=seconds), NOW) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "1 minute 0 seconds"),
        (90, "1 minute 30 seconds"),
        (HOUR, "1 hour 0 minutes"),
        (2 * HOUR + 61, "2 hours 1 minutes"),
        (DAY, "1 day 0 hours"),
        (8 * DAY + 2 * HOUR, "1 week 2 hours"),
    ],
)
def test_durations(seconds: int, words: str) -> None:
    assert humanize.duration(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0s"), (1, "1s"), (59, "59s"), (90, "1m"), (5400, "1h"), (DAY, "1d"), (20 * DAY, "20d")]
)
def test_short_durations(seconds: int, words: str) -> None:
    start = NOW - dt.timedelta(seconds=seconds)
    assert humanize.short(start, NOW, NOW) == words
    assert humanize.short(start, None, NOW) == words


def test_what_never_began_took_no_time_unless_it_ended() -> None:
    assert humanize.short(None, None, NOW) == "0s"
    assert humanize.short(None, NOW, NOW) == "106751d"


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (65, "1m5s"), (7200, "2h0m0s")])
def test_gos_durations(seconds: int, text: str) -> None:
    assert humanize.go_duration(seconds) == text
