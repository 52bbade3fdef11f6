"""/openapi: what `kubectl explain` shows, and what `kubectl apply` needs to leave the check of fields to the server.

Called by `http`. Version 3 is a document a group and version; version 2, for kubectl up to 1.27 and other old clients,
is made of all of them, as JSON or in protobuf.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from tiphys import __version__
from tiphys.kit.codec import encode
from tiphys.kube.objects.resources import RESOURCES, Resource
from tiphys.kube.server import openapi2
from tiphys.kube.server.fields import Catalogue

__all__ = ["OpenApi"]

_INFO = {"title": "Tiphys", "version": __version__}
_WRITING = [
    {"name": name, "in": "query", "schema": {"type": "string"}}
    for name in ("dryRun", "fieldManager", "fieldValidation")
]
"""Parameters of writes. Old clients do not ask for what does not stand here: `--dry-run=server`, say."""


class OpenApi:
    """The documents, made at the first question."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def respond(self, path: str, accept: str) -> tuple[bytes, str] | None:
        """The document at a path and its media type; None where there is none."""
        if path == "/openapi/v2":
            if openapi2.PROTOBUF in accept:
                return self._version2_protobuf, openapi2.PROTOBUF_ANSWER
            return self._version2, "application/json"
        if path == "/openapi/v3":
            paths = {place: {"serverRelativeURL": _url(place, data)} for place, data in self._encoded.items()}
            return encode({"paths": paths}), "application/json"
        data = self._encoded.get(path.removeprefix("/openapi/v3/"))
        return None if data is None else (data, "application/json")

    @cached_property
    def _encoded(self) -> dict[str, bytes]:
        return {place: encode(document) for place, document in self._documents().items()}

    @cached_property
    def _version2(self) -> bytes:
        return encode(openapi2.document(self._documents().values()))

    @cached_property
    def _version2_protobuf(self) -> bytes:
        return openapi2.to_protobuf(openapi2.document(self._documents().values()))

    def _documents(self) -> dict[str, dict[str, Any]]:
        places: dict[str, list[tuple[Resource, str]]] = {}
        for resource in RESOURCES:
            for version in resource.versions:
                place = f"apis/{resource.group}/{version}" if resource.group else f"api/{version}"
                places.setdefault(place, []).append((resource, version))
        return {place: self._document(place, resources) for place, resources in places.items()}

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
    writing = {**about, "parameters": _WRITING}
    yield f"/{place}{scope}/{resource.plural}", {"post": {**writing, "x-kubernetes-action": "post"}}
    if resource.stored:
        one = {"get": {**about, "x-kubernetes-action": "get"}}
        one |= {verb: {**writing, "x-kubernetes-action": verb} for verb in ("patch", "put")}
        yield f"/{place}{scope}/{resource.plural}/{{name}}", one


def _url(place: str, data: bytes) -> str:
    return f"/openapi/v3/{place}?hash={hashlib.sha256(data).hexdigest()[:32].upper()}"
