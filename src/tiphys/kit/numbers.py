"""Numbers of JSON as Go's encoder writes them, so that its decoders can read them into integers again."""

from __future__ import annotations

from decimal import Decimal

__all__ = ["as_go_writes"]

_POWERS_FROM = 1e21
"""From here on Go writes a power of ten (encoding/json), which it reads into no integer."""


def as_go_writes(value: float) -> int | float:
    """`1.0` and `1e3` are 1 and 1000 to whoever gets an object from a real API server, whatever was sent to it."""
    if not value.is_integer() or abs(value) >= _POWERS_FROM:
        return value
    return int(Decimal(repr(value)))  # as few digits as tell it from its neighbours, then zeros
