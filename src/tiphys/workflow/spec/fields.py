"""Which fields the kinds of argoproj.io/v1alpha1 have, and of what types: misspelt fields, wrong values, schemas.

The table (data/fields.json) is made of Argo's and Kubernetes' Go types by tools/fields, and read at the first question.
What a status holds is not looked at: the controller writes it. Called by the API server through seams:

* `unknown(kind, obj)` — paths for `Warning: unknown field "spec.foo"`, or for the refusal with fieldValidation=Strict;
* `wrong(kind, obj)` — causes for a 422, in the words of kube-apiserver; `spec.admit` asks it;
* `openapi(kind)` — component schemas for /openapi/v3.

A kind that is not in `KINDS` has no table: nothing of it is unknown or wrong. Nothing here raises, whatever JSON comes.
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from tiphys.kit.codec import decode

__all__ = ["KINDS", "fields_of", "openapi", "type_of", "types", "unknown", "unreadable", "wrong"]

KINDS: Final = frozenset(
    {
        "ClusterWorkflowTemplate",
        "CronWorkflow",
        "Workflow",
        "WorkflowTaskResult",
        "WorkflowTaskSet",
        "WorkflowTemplate",
    }
)
"""The kinds of argoproj.io/v1alpha1 that are in the table."""

_NAMELESS: Final = re.compile(r"\.initContainers\[\d+\]\.name$")
_COMPONENT: Final = "io.argoproj.v1alpha1."
_TEXT: Final = frozenset({str})
_INTEGER: Final = frozenset({int})
_NUMBER: Final = frozenset({int, float})
_SCHEMAS: Final[Mapping[str, dict[str, Any]]] = {
    "any": {"x-kubernetes-preserve-unknown-fields": True},
    "boolean": {"type": "boolean"},
    "bytes": {"type": "string", "format": "byte"},
    "int32": {"type": "integer", "format": "int32"},
    "integer": {"type": "integer", "format": "int64"},
    "intorstring": {"x-kubernetes-int-or-string": True},
    "number": {"type": "number"},
    "quantity": {"x-kubernetes-int-or-string": True},
    "scalar": {"oneOf": [{"type": "string"}, {"type": "number"}, {"type": "boolean"}]},
    "string": {"type": "string"},
    "time": {"type": "string", "format": "date-time"},
}
_PYTHON: Final[Mapping[str, frozenset[type]]] = {
    "boolean": frozenset({bool}),
    "bytes": _TEXT,
    "int32": _INTEGER,
    "integer": _INTEGER,
    "intorstring": _INTEGER | _TEXT,
    "number": _NUMBER,
    "quantity": _NUMBER | _TEXT,
    "scalar": _NUMBER | _TEXT | {bool},
    "string": _TEXT,
    "time": _TEXT | {type(None)},
}
_BITS: Final = {"int32": 32, "integer": 64, "intorstring": 32}
"""How many Go reads a number into: one that is too large keeps its clients from reading any list with it in."""

_WORDS: Final = {
    "bytes": "string",
    "int32": "integer",
    "intorstring": "integer,string",
    "quantity": "integer,string",
    "time": "string",
}
_NAMES: Final = {bool: "boolean", dict: "object", float: "number", int: "integer", list: "array", str: "string"}


def unknown(kind: str, obj: Mapping[str, Any]) -> list[str]:
    """The paths of the fields that a kind does not have, e.g. "spec.templates[0].contaner"."""
    return [path for path, what in _findings(kind, obj) if what is None]


def wrong(kind: str, obj: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The fields of another type than theirs, and those missing: path, and what is wrong in kube-apiserver's words.

    A null is of no type but a time's: whoever means "not there" leaves the field out.
    """
    return [(path, what) for path, what in _findings(kind, obj) if what is not None]


def unreadable(kind: str, obj: Mapping[str, Any]) -> list[tuple[str, str]]:
    """As `wrong`, but for an init container without a name: Argo's validation, which reads it, has its own words."""
    return [one for one in wrong(kind, obj) if one[1] != "Required value" or not _NAMELESS.search(one[0])]


def types() -> tuple[str, ...]:
    """The names of the types in the table."""
    return tuple(_table())


def type_of(name: str, field: str) -> str | None:
    """The type of a field of a type, as the table writes it ("[Template" is a list of them); None for no such field."""
    return _table()[name].get(field)


def fields_of(name: str) -> Mapping[str, str]:
    """The fields of a type, with their types."""
    return _table()[name]


def openapi(kind: str) -> dict[str, dict[str, Any]]:
    """The component schemas of a kind and of all it is made of, by their names; that of the kind comes first."""
    schemas: dict[str, dict[str, Any]] = {}
    pending = [kind]
    while pending:
        name = pending.pop()
        if _COMPONENT + name in schemas:
            continue
        fields = _table()[name]
        schemas[_COMPONENT + name] = _object_schema(name)
        pending += [base for base in (type_.lstrip("[{") for type_ in fields.values()) if base not in _SCHEMAS]
    group = {"group": "argoproj.io", "version": "v1alpha1", "kind": kind}
    schemas[_COMPONENT + kind]["x-kubernetes-group-version-kind"] = [group]
    return schemas


def _object_schema(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {field: _schema(type_) for field, type_ in _table()[name].items()},
    }
    if required := _required()[name]:
        schema["required"] = list(required)
    return schema


def _schema(type_: str) -> dict[str, Any]:
    if type_.startswith("["):
        return {"type": "array", "items": _schema(type_[1:])}
    if type_.startswith("{"):
        return {"type": "object", "additionalProperties": _schema(type_[1:])}
    return dict(_SCHEMAS[type_]) if type_ in _SCHEMAS else {"$ref": f"#/components/schemas/{_COMPONENT}{type_}"}


@cache
def _written() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = decode(pkgutil.get_data("tiphys.workflow.spec", "data/fields.json") or b"")
    return found


@cache
def _table() -> dict[str, dict[str, str]]:
    return {
        name: {field: type_.removesuffix("!") for field, type_ in fields.items()} for name, fields in _written().items()
    }


@cache
def _required() -> dict[str, tuple[str, ...]]:
    return {
        name: tuple(field for field, type_ in fields.items() if type_.endswith("!"))
        for name, fields in _written().items()
    }


def _findings(kind: str, obj: Any) -> Iterator[tuple[str, str | None]]:
    """Paths of unknown fields with None, of others with what is wrong. No recursion: the object may be of any depth."""
    if kind not in KINDS:
        return
    table, required = _table(), _required()
    pending: list[tuple[str, Any, str]] = [(kind, obj, "")]
    while pending:
        type_, value, path = pending.pop()
        if type_ in _PYTHON:
            if type(value) not in _PYTHON[type_] and not (_WORDS.get(type_, type_) == "integer" and _is_whole(value)):
                yield path, _mismatch(path, _WORDS.get(type_, type_), value)
            elif type_ in _BITS and type(value) is not str and not _held(value, _BITS[type_]):
                yield path, f"Invalid value: {value}: {path} in body must be an integer of {_BITS[type_]} bits"
        elif type_ == "any":
            continue
        elif type_.startswith("["):
            if type(value) is list:
                pending += [(type_[1:], item, f"{path}[{index}]") for index, item in reversed([*enumerate(value)])]
            else:
                yield path, _mismatch(path, "array", value)
        elif type(value) is not dict:
            yield path, _mismatch(path, "object", value)
        elif type_.startswith("{"):
            pending += [(type_[1:], item, f"{path}.{key}") for key, item in reversed(value.items())]
        else:
            fields, inner, start = table[type_], [], f"{path}." if path else ""
            for key, item in value.items():
                if (field := fields.get(key)) is None:
                    yield f"{start}{key}", None
                elif type(item) not in _PYTHON.get(field, ()) or (field in _BITS and type(item) is int):
                    inner.append((field, item, f"{start}{key}"))
            yield from ((f"{start}{key}", "Required value") for key in required[type_] if key not in value)
            pending += reversed(inner)


def _is_whole(value: Any) -> bool:
    return type(value) is float and value.is_integer()


def _held(value: float, bits: int) -> bool:
    most: int = 1 << (bits - 1)
    return -most <= value < most


def _mismatch(path: str, wanted: str, value: Any) -> str:
    found = _NAMES.get(type(value), "null")
    return f'Invalid value: "{found}": {path} in body must be of type {wanted}: "{found}"'
