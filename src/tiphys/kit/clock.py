"""Time as a parameter: the clock that the shells hand down, and Kubernetes' way to write a moment."""

from __future__ import annotations

import datetime as dt
import math
import time
from collections.abc import Callable
from functools import lru_cache

__all__ = ["Clock", "from_rfc3339", "rfc3339", "rfc3339_micro", "utc_now"]

Clock = Callable[[], dt.datetime]
"""Returns the present moment, aware, in UTC."""


def utc_now() -> dt.datetime:
    """The present moment, aware, in UTC."""
    return dt.datetime.fromtimestamp(time.time(), dt.UTC)


def rfc3339(moment: dt.datetime) -> str:
    """As metav1.Time is written: whole seconds, `2026-11-23T12:26:02Z`."""
    return _whole(math.floor(moment.timestamp()))


@lru_cache(256)
def _whole(second: int) -> str:
    """Most moments that are written are of the last few seconds."""
    return dt.datetime.fromtimestamp(second, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc3339_micro(moment: dt.datetime) -> str:
    """As metav1.MicroTime is written: `2026-11-23T12:26:02.000000Z`."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def from_rfc3339(text: str) -> dt.datetime:
    """The moment, aware, in UTC; nanoseconds are cut to microseconds.

    Raises:
        ValueError: not an RFC 3339 moment.
    """
    head, dot, tail = text.partition(".")
    if dot:
        digits = len(tail) - len(tail.lstrip("0123456789"))
        text = f"{head}.{tail[:digits][:6]:0<6}{tail[digits:]}"
    moment = dt.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moment.astimezone(dt.UTC)
