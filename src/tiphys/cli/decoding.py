"""A manifest as Argo's own decoder reads it from YAML, which is kinder than the API is.

A null is a field left out; a number or a truth value where text belongs is that text (`value: 3`, `args: [sh, 5]`).
Source: sigs.k8s.io/yaml, which is told the Go type it decodes for. In JSON only nulls are forgiven.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tiphys.workflow.expr.golang import format_value
from tiphys.workflow.spec.fields import KINDS, fields_of

__all__ = ["decoded"]

_EMPTY: dict[str, Any] = {"any": None, "boolean": False, "integer": 0, "number": 0, "string": ""}


def decoded(obj: dict[str, Any], *, from_json: bool = False) -> dict[str, Any]:
    """The object without nulls, with text where text belongs; one of a kind that is not Argo's as it is."""
    kind = obj.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        return obj
    read: dict[str, Any] = _read(kind, obj, from_json)
    return read


def _read(type_: str, value: Any, from_json: bool) -> Any:
    if type_ == "string":
        return value if from_json or not isinstance(value, bool | int | float) else format_value(value)
    inner = type_[1:]
    if type_.startswith("[") and isinstance(value, list):
        return [_read(inner, _empty(inner) if item is None else item, from_json) for item in value]
    if type_.startswith("{") and isinstance(value, dict):
        return {key: _read(inner, _empty(inner) if item is None else item, from_json) for key, item in value.items()}
    if isinstance(value, dict) and (fields := _fields(type_)) is not None:
        return {
            key: _read(fields[key], item, from_json) if key in fields else item
            for key, item in value.items()
            if item is not None or key not in fields
        }
    return value


def _fields(type_: str) -> Mapping[str, str] | None:
    try:
        return fields_of(type_)
    except KeyError:
        return None  # a scalar, or anything


def _empty(type_: str) -> Any:
    """What a null among others stands for."""
    if type_.startswith("["):
        return []
    return _EMPTY[type_] if type_ in _EMPTY else {} if _fields(type_) is not None or type_.startswith("{") else None
