"""The one clock of a simulator: every penalty, timeout, task and reboot is measured on it.

It runs `speed` times faster than the wall and can be moved forward by hand; with speed 0 it stands still until it is
moved, which makes a test of a 600-second penalty exact and instant.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import time

__all__ = ["SimulatedClock", "iso"]


class SimulatedClock:
    """Seconds since the epoch, simulated; lives on one event loop.

    Args:
        speed: simulated seconds per real second; 0 = stands still until `advance`.
    """

    def __init__(self, speed: float = 1.0) -> None:
        if speed < 0:
            raise ValueError(f"speed {speed}: the clock does not run backwards")
        self.speed = speed
        self._started = time.monotonic()
        self._base = time.time()
        self._advanced = asyncio.Event()

    def now(self) -> float:
        """The simulated moment, in seconds since the epoch."""
        return self._base + (time.monotonic() - self._started) * self.speed

    def advance(self, seconds: float) -> None:
        """Move forward by hand and wake everyone whose moment has come."""
        if seconds < 0:
            raise ValueError(f"{seconds} seconds: the clock does not run backwards")
        self._base += seconds
        waking, self._advanced = self._advanced, asyncio.Event()
        waking.set()

    async def sleep_until(self, moment: float) -> None:
        """Return when the simulated moment has come."""
        while (remaining := moment - self.now()) > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._advanced.wait(), remaining / self.speed if self.speed else None)


def iso(moment: float) -> str:
    """As Redfish writes a date and time: `2026-11-23T12:26:02+00:00`."""
    return dt.datetime.fromtimestamp(int(moment), dt.UTC).isoformat()
