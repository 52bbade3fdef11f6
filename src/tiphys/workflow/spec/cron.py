"""Cron schedules as Argo's controller reads them (robfig/cron's standard form): five fields, names, steps, descriptors.

Called by `validate`. Nothing computes times from a schedule here.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tiphys.errors import SpecError

__all__ = ["check_schedule"]


@dataclass(frozen=True, slots=True)
class _Field:
    """The numbers a field may hold, and names for some of them."""

    lowest: int
    highest: int
    names: Mapping[str, int] = field(default_factory=dict)


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: Final = (
    _Field(0, 59),
    _Field(0, 23),
    _Field(1, 31),
    _Field(1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    _Field(0, 6, {name: number for number, name in enumerate(_DAYS)}),
)
_DESCRIPTORS: Final = ("@annually", "@daily", "@hourly", "@midnight", "@monthly", "@weekly", "@yearly")
_DURATION: Final = re.compile(r"[-+]?(0|((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)")


def check_schedule(schedule: str) -> None:
    """Refuse what is no schedule.

    Raises:
        SpecError: in the words of robfig/cron.
    """
    if not schedule:
        raise SpecError("empty spec string")
    if schedule.startswith(("TZ=", "CRON_TZ=")):
        zone, _, schedule = schedule.partition("=")[2].partition(" ")
        _check_zone(zone)
        schedule = schedule.strip()
    if schedule.startswith("@"):
        _check_descriptor(schedule)
        return
    fields = schedule.split()
    if len(fields) != len(_FIELDS):
        raise SpecError(f"expected exactly {len(_FIELDS)} fields, found {len(fields)}: [{' '.join(fields)}]")
    for text, bounds in zip(fields, _FIELDS, strict=True):
        for part in filter(None, text.split(",")):
            _check_range(part, bounds)


def _check_zone(zone: str) -> None:
    try:
        zoneinfo.ZoneInfo(zone or "UTC")
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise SpecError(f"provided bad location {zone}: unknown time zone {zone}") from error


def _check_descriptor(text: str) -> None:
    if text.startswith("@every "):
        duration = text.removeprefix("@every ")
        if not _DURATION.fullmatch(duration):
            raise SpecError(f'failed to parse duration {text}: time: invalid duration "{duration}"')
    elif text not in _DESCRIPTORS:
        raise SpecError(f"unrecognized descriptor: {text}")


def _check_range(text: str, bounds: _Field) -> None:
    """`number`, `number-number` or `*`, and maybe `/step`."""
    span, *steps = text.split("/")
    low, *high = span.split("-")
    if low in ("*", "?"):
        start, end = bounds.lowest, bounds.highest
    else:
        start = _number(low, bounds.names)
        if len(high) > 1:
            raise SpecError(f"too many hyphens: {text}")
        end = _number(high[0], bounds.names) if high else start
    if len(steps) > 1:
        raise SpecError(f"too many slashes: {text}")
    step = _number(steps[0], {}) if steps else 1
    if steps and not high:
        end = bounds.highest
    if start < bounds.lowest:
        raise SpecError(f"beginning of range ({start}) below minimum ({bounds.lowest}): {text}")
    if end > bounds.highest:
        raise SpecError(f"end of range ({end}) above maximum ({bounds.highest}): {text}")
    if start > end:
        raise SpecError(f"beginning of range ({start}) beyond end of range ({end}): {text}")
    if step == 0:
        raise SpecError(f"step of range should be a positive number: {text}")


def _number(text: str, names: Mapping[str, int]) -> int:
    if text.lower() in names:
        return names[text.lower()]
    if not re.fullmatch(r"[-+]?[0-9]+", text):
        raise SpecError(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax')
    if int(text) < 0:
        raise SpecError(f"negative number ({int(text)}) not allowed: {text}")
    return int(text)
