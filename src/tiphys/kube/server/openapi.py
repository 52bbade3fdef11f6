"""/openapi: what `kubectl explain` shows, and what `kubectl apply` needs to leave the check of fields to the server.

Called by `discovery`. Version 3 holds a schema a kind; version 2 is but an empty document, which lets old clients go on
without a check of their own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from tiphys import __version__
from tiphys.kit.codec import encode
from tiphys.kube.objects.resources import RESOURCES, Resource
from tiphys.kube.server.fields import Catalogue

__all__ = ["OpenApi"]

_INFO = {"title": "Tiphys", "version": __version__}
_FIELD_VALIDATION = {"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}


class OpenApi:
    """The documents, made at the first question."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def respond(self, path: str, accept: str) -> tuple[bytes, str] | None:
        """The document at a path and its media type; None where there is none."""
        if path == "/openapi/v2":
            if "proto-openapi" in accept:
                return _empty_v2(), "application/octet-stream"  # the type asked for is none that Go can parse
            empty = {"swagger": "2.0", "info": _INFO, "paths": {}, "definitions": {}}
            return encode(empty), "application/json"
        if path == "/openapi/v3":
            paths = {place: {"serverRelativeURL": _url(place, data)} for place, data in self._documents.items()}
            return encode({"paths": paths}), "application/json"
        data = self._documents.get(path.removeprefix("/openapi/v3/"))
        return None if data is None else (data, "application/json")

    @cached_property
    def _documents(self) -> dict[str, bytes]:
        places: dict[str, list[tuple[Resource, str]]] = {}
        for resource in RESOURCES:
            for version in resource.versions:
                place = f"apis/{resource.group}/{version}" if resource.group else f"api/{version}"
                places.setdefault(place, []).append((resource, version))
        return {place: encode(self._document(place, resources)) for place, resources in places.items()}

    def _document(self, place: str, resources: list[tuple[Resource, str]]) -> dict[str, Any]:
        paths, schemas = dict[str, Any](), dict[str, Any]()
        for resource, version in resources:
            kind = {"group": resource.group, "version": version, "kind": resource.kind}
            found = self._catalogue.openapi(resource)
            own = next(iter(found), f"{resource.group}.{version}.{resource.kind}")
            schema = found.get(own, {"type": "object", "x-kubernetes-preserve-unknown-fields": True})
            schemas |= {**found, own: {**schema, "x-kubernetes-group-version-kind": [kind]}}
            paths |= _paths(place, resource, kind, f"#/components/schemas/{own}")
        return {"openapi": "3.0.0", "info": _INFO, "paths": paths, "components": {"schemas": schemas}}


def _paths(place: str, resource: Resource, kind: dict[str, str], schema: str) -> Iterator[tuple[str, Any]]:
    scope = "/namespaces/{namespace}" if resource.namespaced else ""
    answer = {"description": "OK", "content": {"application/json": {"schema": {"$ref": schema}}}}
    about = {"x-kubernetes-group-version-kind": kind, "responses": {"200": answer}}
    writing = {**about, "parameters": [_FIELD_VALIDATION]}
    yield f"/{place}{scope}/{resource.plural}", {"post": {**writing, "x-kubernetes-action": "post"}}
    if resource.stored:
        one = {"get": {**about, "x-kubernetes-action": "get"}}
        one |= {verb: {**writing, "x-kubernetes-action": verb} for verb in ("patch", "put")}
        yield f"/{place}{scope}/{resource.plural}/{{name}}", one


def _url(place: str, data: bytes) -> str:
    return f"/openapi/v3/{place}?hash={hashlib.sha256(data).hexdigest()[:32].upper()}"


def _empty_v2() -> bytes:
    """openapi.v2.Document of gnostic: swagger is its field 1, info 2 (title 1, version 2), paths 8, definitions 9."""
    info = _bytes(1, _INFO["title"].encode()) + _bytes(2, _INFO["version"].encode())
    return _bytes(1, b"2.0") + _bytes(2, info) + _bytes(8, b"") + _bytes(9, b"")


def _bytes(number: int, data: bytes) -> bytes:
    """A field of the wire type 2; all here are shorter than 128 bytes."""
    return bytes((number << 3 | 2, len(data))) + data
