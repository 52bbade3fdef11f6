"""Durations as Go writes them (`1h30m`, `250ms`, `0`): what metav1.Duration is in a manifest. Pure."""

from __future__ import annotations

import re

from tiphys.errors import SpecError

__all__ = ["seconds"]

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_LONGEST = 2.0**63 * 1e-9
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")


def seconds(text: str) -> float:
    """A duration in seconds.

    Raises:
        SpecError: it is no duration, or longer than Go's, which counts nanoseconds in 64 bits.
    """
    body = text.removeprefix("-").removeprefix("+")
    parts = _PART.findall(body)
    if body != "0" and (not parts or "".join(number + unit for number, unit in parts) != body):
        raise SpecError(f"{text!r} is not a duration such as 1h, 30m or 1m30s")
    total = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if total >= _LONGEST:
        raise SpecError(f"{text!r} is longer than any duration, 2562047h")
    return -total if text.startswith("-") else total
