"""Looking into JSON that may have any form: what is not as it should be counts as not there. Pure.

Its objects are dicts, as `kit.codec` reads them: asking for any Mapping takes ten times as long, and it is asked often.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["Json", "line", "mappings", "part", "texts", "whole"]

Json = Mapping[str, Any]


def part(value: Any, *names: str) -> Json:
    """An object inside an object; empty where something on the way is not there."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def line(value: Any, longest: int = 300) -> str:
    """A text of the BMC's as one line that a terminal and a log can bear; "" where it is none."""
    text = value[: 4 * longest] if isinstance(value, str) else ""
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(text.split())[:longest]


def mappings(value: Any) -> list[Json]:
    """The objects of a list."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def texts(value: Any) -> list[str]:
    """The strings of a list."""
    return [entry for entry in value if isinstance(entry, str)] if isinstance(value, list) else []


def whole(value: Any) -> int | None:
    """A whole number of a sane size."""
    good = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 31
    return value if good else None
