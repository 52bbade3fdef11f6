"""What is due when: the one queue of moments of a run. The shell is told the earliest by `WakeAt`."""

from __future__ import annotations

import datetime as dt
import heapq
from collections.abc import Callable
from itertools import count

__all__ = ["Timers"]


class Timers:
    """Moments and what to do then; what is done finds out by itself whether it still matters."""

    def __init__(self) -> None:
        self._due: list[tuple[dt.datetime, int, Callable[[], None]]] = []
        self._order = count()
        self._announced: dt.datetime | None = None

    def at(self, moment: dt.datetime, action: Callable[[], None]) -> None:
        """Do this once the moment has come."""
        heapq.heappush(self._due, (moment, next(self._order), action))

    def take_due(self, now: dt.datetime) -> list[Callable[[], None]]:
        """What has come due, earliest first."""
        due = []
        while self._due and self._due[0][0] <= now:
            due.append(heapq.heappop(self._due)[2])
        return due

    def announce(self) -> dt.datetime | None:
        """The earliest moment, if the shell does not know it yet."""
        earliest = self._due[0][0] if self._due else None
        if earliest == self._announced:
            return None
        self._announced = earliest
        return earliest
