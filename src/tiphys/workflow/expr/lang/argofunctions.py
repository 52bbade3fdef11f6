"""The functions Argo adds to expr-lang: asInt, asFloat, string, jsonpath, toJson and sprig."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from tiphys.workflow.expr import gotext
from tiphys.workflow.expr.golang import format_value, marshal, type_name
from tiphys.workflow.expr.lang import jsonpath, sprig
from tiphys.workflow.expr.lang.functions import Function, from_json
from tiphys.workflow.expr.lang.values import FaultError, as_integer, is_number

__all__ = ["functions"]


def _as_int(value: Any) -> int:
    if isinstance(value, str):
        return gotext.parse_int(value)
    if not is_number(value):
        raise FaultError(f"asInt() not supported on {type_name(value)} {format_value(value)}")
    return as_integer(value)


def _as_float(value: Any) -> float:
    if isinstance(value, str):
        return gotext.parse_float(value)
    if not is_number(value):
        raise FaultError(f"asFloat() not supported on {type_name(value)} {format_value(value)}")
    return float(value)


def _jsonpath(text: str, path: str) -> Any:
    return jsonpath.query(path, from_json(text))


_ARGO = {
    "asInt": Function(_as_int, ("any",)),
    "asFloat": Function(_as_float, ("any",)),
    "string": Function(format_value, ("any",)),
    "toJson": Function(marshal, ("any",)),
    "jsonpath": Function(_jsonpath, ("string", "string")),
}


def functions(now: dt.datetime | None) -> Mapping[str, Any]:
    """What every environment holds besides its variables; without a time, what asks for it is refused."""
    known = {**_ARGO, "sprig": sprig.functions(now)}
    return known if now is None else {**known, "now": Function(lambda: now, ())}
