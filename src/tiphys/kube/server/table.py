"""`kubectl get`: objects as rows of a meta.k8s.io/v1 Table, with the columns the real server prints. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tiphys.kit.clock import from_rfc3339
from tiphys.kube.objects.resources import Resource

__all__ = ["render"]

_Object = Mapping[str, Any]
_Cell = Callable[[_Object, dt.datetime], Any]


def _at(path: str) -> _Cell:
    steps = path.split(".")

    def cell(value: _Object, now: dt.datetime) -> Any:
        here: Any = value
        for step in steps:
            here = here.get(step) if isinstance(here, Mapping) else None
        return "" if here is None else here

    return cell


def _age_of(*paths: str) -> _Cell:
    """The age of the first moment that is there."""
    looks = [_at(path) for path in paths]

    def cell(value: _Object, now: dt.datetime) -> str:
        text = next(filter(None, (look(value, now) for look in looks)), "")
        try:
            return _age(now - from_rfc3339(str(text)))
        except ValueError:
            return "<unknown>"

    return cell


def _age(span: dt.timedelta) -> str:
    """As kubectl prints ages: two units while they matter."""
    seconds = max(int(span.total_seconds()), 0)
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 120:
        return f"{seconds}s"
    if minutes < 10:
        return f"{minutes}m{seconds % 60}s" if seconds % 60 else f"{minutes}m"
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
    if days < 365 * 2:
        return f"{days}d"
    return f"{days // 365}y{days % 365}d" if days < 365 * 8 and days % 365 else f"{days // 365}y"


def _count(*fields: str) -> _Cell:
    return lambda value, now: sum(len(value.get(field) or ()) for field in fields)


def _ready(value: _Object, now: dt.datetime) -> str:
    states = (value.get("status") or {}).get("containerStatuses") or ()
    return f"{sum(bool(s.get('ready')) for s in states)}/{len((value.get('spec') or {}).get('containers') or ())}"


def _pod_status(value: _Object, now: dt.datetime) -> str:
    state = value.get("status") or {}
    shown = str(state.get("reason") or state.get("phase") or "Unknown")
    for container in reversed(state.get("containerStatuses") or ()):  # the first one has the last word
        for kind in ("waiting", "terminated"):
            reason = ((container.get("state") or {}).get(kind) or {}).get("reason")
            shown = reason or shown
    return "Terminating" if "deletionTimestamp" in value["metadata"] else shown


def _restarts(value: _Object, now: dt.datetime) -> str:
    return str(sum(s.get("restartCount", 0) for s in (value.get("status") or {}).get("containerStatuses") or ()))


def _role(value: _Object, now: dt.datetime) -> str:
    ref = value.get("roleRef") or {}
    return f"{ref.get('kind')}/{ref.get('name')}"


def _condition(kind: str, field: str) -> _Cell:
    def cell(value: _Object, now: dt.datetime) -> str:
        for condition in (value.get("status") or {}).get("conditions") or ():
            if condition.get("type") == kind:
                return str(condition.get(field, ""))
        return ""

    return cell


def _involved(value: _Object, now: dt.datetime) -> str:
    about = value.get("involvedObject") or {}
    return f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}"


def _or_none(path: str) -> _Cell:
    look = _at(path)
    return lambda value, now: look(value, now) or "<none>"


def _nothing(value: _Object, now: dt.datetime) -> str:
    return "<none>"


def _subjects(kind: str) -> _Cell:
    def cell(value: _Object, now: dt.datetime) -> str:
        named = (one for one in value.get("subjects") or () if one.get("kind") == kind)
        return ", ".join("/".join(filter(None, (one.get("namespace"), one.get("name")))) for one in named)

    return cell


def _reporter(value: _Object, now: dt.datetime) -> str:
    source = value.get("source") or {}
    told = (source.get("component") or value.get("reportingComponent"), source.get("host"))
    return ", ".join(str(one) for one in told if one)


_NAME = ("Name", "string", 0, _at("metadata.name"))
_AGE = ("Age", "string", 0, _age_of("metadata.creationTimestamp"))
_Column = tuple[str, str, int, _Cell]

_STORE = (
    ("Age", "date", 0, _age_of("metadata.creationTimestamp")),
    ("Status", "string", 0, _condition("Ready", "reason")),
    ("Capabilities", "string", 0, _at("status.capabilities")),
    ("Ready", "string", 0, _condition("Ready", "status")),
)

_BINDING: tuple[_Column, ...] = (
    _NAME,
    ("Role", "string", 0, _role),
    _AGE,
    ("Users", "string", 1, _subjects("User")),
    ("Groups", "string", 1, _subjects("Group")),
    ("ServiceAccounts", "string", 1, _subjects("ServiceAccount")),
)

_COLUMNS: dict[str, tuple[_Column, ...]] = {
    "namespaces": (_NAME, ("Status", "string", 0, _at("status.phase")), _AGE),
    "configmaps": (_NAME, ("Data", "integer", 0, _count("data", "binaryData")), _AGE),
    "secrets": (_NAME, ("Type", "string", 0, _at("type")), ("Data", "integer", 0, _count("data")), _AGE),
    "serviceaccounts": (_NAME, ("Secrets", "integer", 0, _count("secrets")), _AGE),
    "pods": (
        _NAME,
        ("Ready", "string", 0, _ready),
        ("Status", "string", 0, _pod_status),
        ("Restarts", "string", 0, _restarts),
        _AGE,
        ("IP", "string", 1, _or_none("status.podIP")),
        ("Node", "string", 1, _or_none("spec.nodeName")),
        ("Nominated Node", "string", 1, _or_none("status.nominatedNodeName")),
        ("Readiness Gates", "string", 1, _nothing),
    ),
    "events": (
        ("Last Seen", "string", 0, _age_of("series.lastObservedTime", "lastTimestamp", "eventTime")),
        ("Type", "string", 0, _at("type")),
        ("Reason", "string", 0, _at("reason")),
        ("Object", "string", 0, _involved),
        ("Subobject", "string", 1, _at("involvedObject.fieldPath")),
        ("Source", "string", 1, _reporter),
        ("Message", "string", 0, _at("message")),
        ("First Seen", "string", 1, _age_of("firstTimestamp", "eventTime")),
        ("Count", "string", 1, lambda value, now: str(value.get("count") or 1)),
        ("Name", "string", 1, _at("metadata.name")),
    ),
    "roles": (_NAME, ("Created At", "string", 0, _at("metadata.creationTimestamp"))),
    "clusterroles": (_NAME, ("Created At", "string", 0, _at("metadata.creationTimestamp"))),
    "rolebindings": _BINDING,
    "clusterrolebindings": _BINDING,
    "leases": (_NAME, ("Holder", "string", 0, _at("spec.holderIdentity")), _AGE),
    "workflows": (
        _NAME,
        ("Status", "string", 0, _at("status.phase")),
        _AGE,
        ("Message", "string", 0, _at("status.message")),
    ),
    "externalsecrets": (
        _NAME,
        ("StoreType", "string", 0, _at("spec.secretStoreRef.kind")),
        ("Store", "string", 0, _at("spec.secretStoreRef.name")),
        ("Refresh Interval", "string", 0, _at("spec.refreshInterval")),
        ("Status", "string", 0, _condition("Ready", "reason")),
        ("Ready", "string", 0, _condition("Ready", "status")),
    ),
    "secretstores": (_NAME, *_STORE),
    "clustersecretstores": (_NAME, *_STORE),
}


def render(
    resource: Resource,
    objects: Sequence[dict[str, Any]],
    now: dt.datetime,
    *,
    include: str = "Metadata",
    columns: bool = True,
) -> dict[str, Any]:
    """A Table; `include` is None, Metadata or Object (includeObject of the query)."""
    found = _COLUMNS.get(resource.plural, (_NAME, _AGE))
    rows = []
    for value in objects:
        row: dict[str, Any] = {"cells": [cell(value, now) for _, _, _, cell in found]}
        if include == "Object":
            row["object"] = value
        elif include != "None":
            about = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": value["metadata"]}
            row["object"] = about
        rows.append(row)
    definitions = [
        {
            "name": name,
            "type": kind,
            "format": "name" if name == "Name" else "",
            "description": "",
            "priority": priority,
        }
        for name, kind, priority, _ in found
    ]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {},
        "columnDefinitions": definitions if columns else [],
        "rows": rows,
    }
