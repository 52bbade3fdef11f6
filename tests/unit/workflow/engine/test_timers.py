"""Moments in order."""

from __future__ import annotations

import datetime as dt

from tiphys.workflow.engine.timers import Timers

NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)


def test_what_is_due_comes_earliest_first_and_once() -> None:
    done: list[str] = []
    timers = Timers()
    for name, minutes in (("b", 2), ("a", 1), ("c", 3), ("a too", 1)):
        timers.at(NOON + minutes * MINUTE, lambda name=name: done.append(name))  # type: ignore[misc]
    for action in timers.take_due(NOON + 2 * MINUTE):
        action()
    assert done == ["a", "a too", "b"]
    assert timers.take_due(NOON + 2 * MINUTE) == []


def test_only_an_earlier_moment_is_news() -> None:
    timers = Timers()
    assert timers.announce() is None
    timers.at(NOON + MINUTE, lambda: None)
    assert timers.announce() == NOON + MINUTE
    timers.at(NOON + 2 * MINUTE, lambda: None)
    assert timers.announce() is None
    timers.at(NOON, lambda: None)
    assert timers.announce() == NOON
    timers.take_due(NOON)
    assert timers.announce() == NOON + MINUTE
