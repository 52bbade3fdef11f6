"""The functions Argo adds to expr-lang: asInt, asFloat, string, jsonpath, toJson and sprig."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from tiphys.workflow.expr.golang import format_value, marshal
from tiphys.workflow.expr.lang import jsonpath, sprig
from tiphys.workflow.expr.lang.functions import FUNCTIONS, Function, from_json

__all__ = ["functions"]


def _jsonpath(text: str, path: str) -> Any:
    return jsonpath.query(path, from_json(text))


_ARGO = {
    "asInt": FUNCTIONS["int"],
    "asFloat": FUNCTIONS["float"],
    "string": Function(format_value, ("any",)),
    "toJson": Function(marshal, ("any",)),
    "jsonpath": Function(_jsonpath, ("string", "string")),
}


def functions(now: dt.datetime | None) -> Mapping[str, Any]:
    """What every environment holds besides its variables; without a time, what asks for it is refused."""
    known = {**_ARGO, "sprig": sprig.functions(now)}
    return known if now is None else {**known, "now": Function(lambda: now, ())}
