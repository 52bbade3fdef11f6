"""Values as Argo's types hold them: AnyString, JSON in Go's spelling, durations for people. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, Final

from tiphys.workflow.expr.golang import format_value, marshal

__all__ = ["any_string", "humanize", "item_text", "parameters_json"]

# The fields of Argo's Parameter and ValueFrom, in the order of its Go types.
_PARAMETER: Final = ("name", "default", "value", "valueFrom", "globalName", "enum", "description")
_VALUE_FROM: Final = ("path", "event", "parameter", "supplied", "configMapKeyRef", "default", "expression")


def any_string(value: Any) -> str:
    """A parameter's value: a manifest may say 1 or true, the status says "1" and "true"."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict | list) or value is None:
        return marshal(value)
    return format_value(value)


def parameters_json(parameters: Iterable[Mapping[str, Any]]) -> str:
    """`workflow.parameters` and `inputs.parameters`: a list of parameters as JSON."""
    return marshal([_ordered(parameter) for parameter in parameters], sort=False)


def _ordered(parameter: Mapping[str, Any]) -> dict[str, Any]:
    row = {key: parameter[key] for key in (*_PARAMETER, *parameter) if key in parameter}
    for key in ("default", "value"):
        if key in row:
            row[key] = any_string(row[key])
    if isinstance(source := row.get("valueFrom"), dict):
        row["valueFrom"] = {key: source[key] for key in (*_VALUE_FROM, *source) if key in source}
    return row


def item_text(item: Any) -> str:
    """`{{item}}`: text as it is, everything else as JSON."""
    return item if isinstance(item, str) else marshal(item, html=False)


def humanize(duration: dt.timedelta) -> str:
    """`1 second`, `1 minute 30 seconds`, `1 hour 0 minutes`, `1 day 0 hours`."""
    seconds = int(duration.total_seconds())
    if seconds < 60:
        return _count(seconds, "second")
    if seconds < 3600:
        return f"{_count(seconds // 60, 'minute')} {seconds % 60} seconds"
    if seconds < 86400:
        return f"{_count(seconds // 3600, 'hour')} {seconds // 60 % 60} minutes"
    days = seconds // 86400
    return f"{_count(days, 'day')} {seconds // 3600 % 24} hours"


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
