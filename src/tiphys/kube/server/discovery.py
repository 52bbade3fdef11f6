"""What is served, as clients ask for it: groups, resources, the version. All from one table; pure."""

from __future__ import annotations

import platform
from typing import Any

from tiphys import __version__
from tiphys.kit.codec import encode
from tiphys.kube.objects.resources import RESOURCES, Resource

__all__ = ["AGGREGATED", "health", "respond"]

AGGREGATED = "apidiscovery.k8s.io"
_HEALTH = ("healthz", "livez", "readyz")
_CHECKS = ("ping", "etcd")
"""etcd is the store here: a server that has lost it does not answer."""

_KUBERNETES = "33"  # the API's age: kubectl warns beyond one minor version of its own


def respond(path: str, accept: str) -> tuple[bytes, str] | None:
    """The document at a path and its media type; None where there is none."""
    if path in ("/api", "/apis"):
        if AGGREGATED in accept:
            version = "v2" if "v=v2;" in accept + ";" or "v=v2," in accept else "v2beta1"
            kind = f"application/json;g={AGGREGATED};v={version};as=APIGroupDiscoveryList"
            return encode(_aggregated(path == "/api", version)), kind
        return encode(_core() if path == "/api" else _groups()), "application/json"
    found: dict[str, Any] | None = None
    parts = path.strip("/").split("/")
    if path == "/":
        found = {"paths": _paths()}
    elif path == "/version":
        found = _version()
    elif parts[0] == "api" and len(parts) == 2:
        found = _resources("", parts[1])
    elif parts[0] == "apis" and len(parts) == 2:
        found = next((group for group in _groups()["groups"] if group["name"] == parts[1]), None)
        found = found and {"kind": "APIGroup", "apiVersion": "v1", **found}
    elif parts[0] == "apis" and len(parts) == 3:
        found = _resources(parts[1], parts[2])
    return (encode(found), "application/json") if found is not None else None


def health(path: str, *, verbose: bool) -> bytes | None:
    """The text at a path of the health checks; None elsewhere. Whoever is asked and answers is well."""
    name, _, check = path.strip("/").partition("/")
    if name not in _HEALTH or check not in ("", *_CHECKS):
        return None
    if not verbose or check:
        return b"ok"
    return "".join((*(f"[+]{one} ok\n" for one in _CHECKS), f"{name} check passed\n")).encode()


def _paths() -> list[str]:
    groups = {f"/apis/{group}" for group, _ in _versions() if group}
    versions = {f"/apis/{group}/{version}" if group else f"/api/{version}" for group, version in _versions()}
    checks = {f"/{name}{check}" for name in _HEALTH for check in ("", *(f"/{one}" for one in _CHECKS))}
    return sorted({"/api", "/apis", "/openapi/v2", "/openapi/v3", "/version", *groups, *versions, *checks})


def _version() -> dict[str, Any]:
    return {
        "major": "1",
        "minor": _KUBERNETES,
        "gitVersion": f"v1.{_KUBERNETES}.0+tiphys.{__version__}",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": f"python{platform.python_version()}",
        "compiler": platform.python_implementation().lower(),
        "platform": f"linux/{platform.machine()}",
    }


def _versions() -> list[tuple[str, str]]:
    return list(dict.fromkeys((resource.group, version) for resource in RESOURCES for version in resource.versions))


def _served(group: str, version: str) -> list[Resource]:
    return [resource for resource in RESOURCES if resource.group == group and version in resource.versions]


def _core() -> dict[str, Any]:
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}


def _groups() -> dict[str, Any]:
    groups: dict[str, list[dict[str, str]]] = {}
    for group, version in _versions():
        if group:
            groups.setdefault(group, []).append({"groupVersion": f"{group}/{version}", "version": version})
    listed = [{"name": name, "versions": found, "preferredVersion": found[0]} for name, found in groups.items()]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}


def _resources(group: str, version: str) -> dict[str, Any] | None:
    rows = []
    for resource in _served(group, version):
        row: dict[str, Any] = {
            "name": resource.plural,
            "singularName": resource.singular,
            "namespaced": resource.namespaced,
            "kind": resource.kind,
            "verbs": list(resource.verbs),
        }
        if resource.short_names:
            row["shortNames"] = list(resource.short_names)
        if resource.categories:
            row["categories"] = list(resource.categories)
        rows.append(row)
        for name in resource.subresources:
            below = {**row, "name": f"{resource.plural}/{name}", "singularName": "", "verbs": _verbs(name)}
            below.pop("shortNames", None), below.pop("categories", None)
            if name == "token":
                below.update(group="authentication.k8s.io", version="v1", kind="TokenRequest")
            rows.append(below)
    if not rows:
        return None
    place = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": place, "resources": rows}


def _verbs(subresource: str) -> list[str]:
    return {"log": ["get"], "token": ["create"], "finalize": ["update"]}.get(subresource, ["get", "patch", "update"])


def _aggregated(core: bool, version: str) -> dict[str, Any]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for group, served in _versions():
        if (group == "") is core:
            rows = [_aggregated_resource(resource, served) for resource in _served(group, served)]
            groups.setdefault(group, []).append({"version": served, "resources": rows, "freshness": "Current"})
    items = [{"metadata": {"name": name} if name else {}, "versions": versions} for name, versions in groups.items()]
    place = f"{AGGREGATED}/{version}"
    return {"kind": "APIGroupDiscoveryList", "apiVersion": place, "metadata": {}, "items": items}


def _aggregated_resource(resource: Resource, version: str) -> dict[str, Any]:
    kind = {"group": resource.group, "version": version, "kind": resource.kind}
    below = [{"subresource": name, "responseKind": kind, "verbs": _verbs(name)} for name in resource.subresources]
    row: dict[str, Any] = {
        "resource": resource.plural,
        "responseKind": kind,
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        row["shortNames"] = list(resource.short_names)
    if resource.categories:
        row["categories"] = list(resource.categories)
    if below:
        row["subresources"] = below
    return row
