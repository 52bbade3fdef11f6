"""Which fields the kinds have: for warnings about those they have not, and for the schemas of /openapi/v3.

Called by `api` and `openapi`. Of the built-in kinds the table of `protobuf` tells it; of others, those who know them
tell it through `Fields`, handed in by the composition root.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple, Protocol

from tiphys.kube.objects.resources import Resource
from tiphys.kube.server import protobuf

__all__ = ["Catalogue", "Fields"]

_GROUPS = {
    "": "core",
    "authentication.k8s.io": "authentication",
    "authorization.k8s.io": "authorization",
    "coordination.k8s.io": "coordination",
    "events.k8s.io": "events",
    "rbac.authorization.k8s.io": "rbac",
}
"""API groups to the packages their messages are in."""

_SCHEMAS: Mapping[str, dict[str, Any]] = {
    "@duration": {"type": "string"},
    "@intorstr": {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]},
    "@items": {"type": "array", "items": {"type": "string"}},
    "@microtime": {"type": "string", "format": "date-time"},
    "@quantity": {"type": "string"},
    "@raw": {"x-kubernetes-preserve-unknown-fields": True},
    "@time": {"type": "string", "format": "date-time"},
    "B": {"type": "string", "format": "byte"},
    "b": {"type": "boolean"},
    "i": {"type": "integer", "format": "int64"},
    "s": {"type": "string"},
}


class Fields(Protocol):
    """Who knows the kinds of an API group."""

    def unknown(self, kind: str, obj: Mapping[str, Any], /) -> list[str]:
        """Paths of the fields that the kind does not have, e.g. `spec.templates[0].contaner`."""
        ...

    def openapi(self, kind: str, /) -> dict[str, dict[str, Any]]:
        """The component schemas of the kind, its own first, and of all it is made of."""
        ...


class Catalogue:
    """All kinds.

    Args:
        known: who knows the kinds of groups that are not built in.
    """

    def __init__(self, known: Mapping[str, Fields]) -> None:
        self._known = known

    def unknown(self, resource: Resource, obj: Mapping[str, Any]) -> list[str]:
        """Paths of fields that the kind does not have; of a kind that nobody knows none."""
        if (fields := self._known.get(resource.group)) is not None:
            return fields.unknown(resource.kind, obj)
        message = _message_of(resource)
        return list(_unknown(message, obj)) if message else []

    def openapi(self, resource: Resource) -> dict[str, dict[str, Any]]:
        """Component schemas, that of the kind first; {} of a kind that nobody knows."""
        if (fields := self._known.get(resource.group)) is not None:
            return fields.openapi(resource.kind)
        message = _message_of(resource)
        return _openapi(message) if message else {}


class _Field(NamedTuple):
    type: str
    shape: str
    """"" for one, r for a list, m for a map."""


def _message_of(resource: Resource) -> str:
    name = f"{_GROUPS.get(resource.group)}/{resource.version}.{resource.kind}"
    return name if name in protobuf.table() else ""


@cache
def _fields_of(message: str) -> dict[str, _Field]:
    found: dict[str, _Field] = {}
    for _, name, kind, flags in protobuf.table()[message].values():
        if "i" in flags:
            found |= _fields_of(kind)
        else:
            found[name] = _Field(kind, "m" if "m" in flags else "r" if "r" in flags else "")
    return found


def _unknown(message: str, obj: Mapping[str, Any]) -> Iterator[str]:
    """No recursion: the object may be of any depth. What has another type than its field is not looked into."""
    pending: list[tuple[str, Any, str]] = [(message, obj, "")]
    while pending:
        kind, value, path = pending.pop()
        if not isinstance(value, dict):
            continue
        fields, inner = _fields_of(kind), list[tuple[str, Any, str]]()
        for key, member in value.items():
            where = f"{path}.{key}" if path else key
            field = fields.get(key)
            if field is None:
                if path or key not in ("apiVersion", "kind"):
                    yield where
            elif field.type not in _SCHEMAS:
                inner += _members(field, member, where)
        pending += reversed(inner)


def _members(field: _Field, value: Any, path: str) -> Iterator[tuple[str, Any, str]]:
    if field.shape == "r" and isinstance(value, list):
        yield from ((field.type, item, f"{path}[{index}]") for index, item in enumerate(value))
    elif field.shape == "m" and isinstance(value, dict):
        yield from ((field.type, item, f"{path}.{key}") for key, item in value.items())
    elif not field.shape:
        yield field.type, value, path


def _openapi(message: str) -> dict[str, dict[str, Any]]:
    schemas: dict[str, dict[str, Any]] = {}
    pending = [message]
    while pending:
        name = pending.pop()
        if _component(name) in schemas:
            continue
        fields = _fields_of(name)
        properties = {"apiVersion": _SCHEMAS["s"], "kind": _SCHEMAS["s"]} if name == message else {}
        properties |= {key: _schema(field) for key, field in fields.items()}
        schemas[_component(name)] = {"type": "object", "properties": properties}
        pending += [field.type for field in fields.values() if field.type not in _SCHEMAS]
    return schemas


def _schema(field: _Field) -> dict[str, Any]:
    one = _SCHEMAS.get(field.type) or {"$ref": f"#/components/schemas/{_component(field.type)}"}
    if field.shape == "r":
        return {"type": "array", "items": one}
    return {"type": "object", "additionalProperties": one} if field.shape == "m" else one


def _component(message: str) -> str:
    package, _, kind = message.partition("/")
    above = "io.k8s.apimachinery.pkg.apis" if package == "meta" else "io.k8s.api"
    return f"{above}.{package}.{kind}"
