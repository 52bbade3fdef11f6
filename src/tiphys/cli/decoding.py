"""A manifest as Argo's own decoder reads it: a null is a field left out, metadata that is not there is empty.

The API is stricter about nulls, so they must not reach it. A number where text belongs is refused by both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tiphys.workflow.spec.fields import KINDS, fields_of

__all__ = ["decoded"]

_EMPTY: dict[str, Any] = {"boolean": False, "int32": 0, "integer": 0, "number": 0, "string": ""}


def decoded(obj: dict[str, Any]) -> dict[str, Any]:
    """The object with metadata and without nulls; one of a kind that is not Argo's as it is."""
    kind = obj.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        return obj
    read: dict[str, Any] = _read(kind, obj)
    return read if "metadata" in read else {**read, "metadata": {}}


def _read(type_: str, value: Any) -> Any:
    inner = type_[1:]
    if type_.startswith("[") and isinstance(value, list):
        return [_read(inner, _empty(inner) if item is None else item) for item in value]
    if type_.startswith("{") and isinstance(value, dict):
        return {key: _read(inner, _empty(inner) if item is None else item) for key, item in value.items()}
    if isinstance(value, dict) and (fields := _fields(type_)) is not None:
        return {
            key: _read(fields[key], item) if key in fields else item
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
