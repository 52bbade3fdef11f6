"""Server-side apply: what an applied configuration makes of an object, and who owns which of its fields. Pure.

Called by the API's verbs. Owners are kept in metadata.managedFields, as in Kubernetes, from the first apply on: what an
object was before then belongs to `before-first-apply`, and objects that nobody applies carry nothing of this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tiphys.errors import ApiError
from tiphys.kit.codec import DecodeError, decode, encode
from tiphys.kube.objects import status
from tiphys.kube.objects.fieldsets import Fields, Path, changes, fields_of, from_v1, remove, shown, to_v1
from tiphys.kube.objects.patches import KUBERNETES_KEYS, strategic_merge
from tiphys.kube.objects.resources import Resource

__all__ = ["LONGEST_NAME", "Applier", "applied", "tracked"]

_BEFORE = "before-first-apply"
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
LONGEST_NAME = 128
"""Bytes of a fieldManager."""

_NOT_OWNED = {"apiVersion", "kind"}
_NOT_OWNED_METADATA = {
    "creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation", "managedFields", "name",
    "namespace", "resourceVersion", "selfLink", "uid",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Applier:
    """Who writes, and when.

    Attributes:
        name: the fieldManager.
        now: RFC 3339.
        subresource: "" or "status".
        force: take fields that others own.
    """

    name: str
    now: str
    subresource: str = ""
    force: bool = False


@dataclass(frozen=True, slots=True)
class _Manager:
    """A row of managedFields."""

    name: str
    operation: str
    version: str
    time: str
    subresource: str
    fields: Fields

    @property
    def identity(self) -> tuple[str, str, str]:
        return self.name, self.operation, self.subresource

    @property
    def told(self) -> str:
        """As a conflict names it."""
        below = f' with subresource "{self.subresource}"' if self.subresource else ""
        by = f" using {self.version}" + (f" at {self.time}" if self.time else "") if self.operation == "Update" else ""
        return f'"{self.name}"{below}{by}'


def applied(
    resource: Resource, live: Mapping[str, Any] | None, config: Mapping[str, Any], by: Applier
) -> dict[str, Any]:
    """The object an applied configuration makes of the live one (None: it is not there yet), its owners noted.

    Raises:
        ApiError: 409, fields that others own would get another value, and it is not forced; 400, the configuration
            brings managedFields.
    """
    if (config.get("metadata") or {}).get("managedFields"):
        raise status.bad_request("metadata.managedFields must be nil")
    keys, config = _keys(resource), _without_nulls(config)
    own = _Manager(by.name, "Apply", resource.api_version, by.now, by.subresource, _owned(resource, config, by, keys))
    if live is None:
        return _noted(config, [own])
    managers = _managers(live) or [_first(resource, live, keys)]
    before = next((one for one in managers if one.identity == own.identity), None)
    others = [one for one in managers if one.identity != own.identity]
    merged = _merged(live, config, by.subresource, keys)
    dropped = (before.fields if before else frozenset()) - own.fields
    kept = own.fields.union(*(one.fields for one in others))
    merged = remove(merged, dropped - kept, kept, keys)
    written, gone = changes(_written(resource, live, by), _written(resource, merged, by), keys)
    conflicts = [(one, path) for one in others for path in sorted(one.fields & written)]
    if conflicts and not by.force and not _brought_by_kubectl(live, conflicts, by.name, keys):
        raise _conflict(resource, str(live["metadata"]["name"]), conflicts)
    if before is not None and before.fields == own.fields:
        own = replace(own, time=before.time)
    left = [replace(one, fields=one.fields - written - gone) for one in others]
    return _noted(_last_applied(merged, live, config, by.name), [own, *left])


def tracked(resource: Resource, old: Mapping[str, Any], new: dict[str, Any], sent: Any, by: Applier) -> dict[str, Any]:
    """An object that was written otherwise, its owners brought up to date; as it is where nobody ever applied it.

    Args:
        resource: what it is.
        old: as it was.
        new: as it is to be stored.
        sent: the managedFields of the request: `[{}]` ends the tracking, others replace those that are kept.
        by: who writes.

    Raises:
        ApiError: 422, what was sent are no managedFields.
    """
    managers = _managers(old)
    if not managers:
        return new
    if sent == [{}]:
        return new
    if sent and sent != old["metadata"].get("managedFields"):
        managers = _managers({"metadata": {"managedFields": sent, "name": old["metadata"]["name"]}}, resource)
    keys = _keys(resource)
    written, gone = changes(_written(resource, old, by), _written(resource, new, by), keys)
    identity = (by.name, "Update", by.subresource)
    had = next((one.fields for one in managers if one.identity == identity), frozenset())
    left = [replace(o, fields=o.fields - written - gone) for o in managers if o.identity != identity]
    mine = (had | written) - gone
    if mine == had:
        left = [*left, *(one for one in managers if one.identity == identity)]
    else:
        left.append(_Manager(*identity[:2], resource.api_version, by.now, by.subresource, mine))
    return _noted(new, left)


# -- values -----------------------------------------------------------------------------------------------------------


def _keys(resource: Resource) -> Mapping[str, str]:
    """Custom resources have no lists that merge, but in their metadata."""
    return {"ownerReferences": "uid"} if resource.custom else KUBERNETES_KEYS


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(member) for key, member in value.items() if member is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _written(resource: Resource, value: Mapping[str, Any], by: Applier) -> dict[str, Any]:
    """The part of an object that a write through the subresource can change, and that has owners."""
    if by.subresource:
        return {"status": value["status"]} if "status" in value else {}
    apart = {*_NOT_OWNED, "status"} if "status" in resource.subresources else _NOT_OWNED
    kept = {key: member for key, member in value.items() if key not in apart}
    about = {k: v for k, v in (value.get("metadata") or {}).items() if k not in _NOT_OWNED_METADATA}
    kept.pop("metadata", None)
    return {**kept, "metadata": about} if about else kept


def _owned(resource: Resource, config: Mapping[str, Any], by: Applier, keys: Mapping[str, str]) -> Fields:
    return fields_of(_written(resource, config, by), keys)


def _merged(live: Mapping[str, Any], config: Mapping[str, Any], subresource: str, keys: Mapping[str, str]) -> Any:
    given = {"status": config.get("status", {})} if subresource else config
    return strategic_merge(dict(live), given, keys)


# -- kubectl apply without --server-side, and then with it ------------------------------------------------------------


def _brought_by_kubectl(
    live: Mapping[str, Any], conflicts: Sequence[tuple[_Manager, Path]], name: str, keys: Mapping[str, str]
) -> bool:
    """Whether all that conflicts was set by kubectl's own client-side apply, and is as that left it."""
    text = (live["metadata"].get("annotations") or {}).get(_LAST_APPLIED)
    if name != "kubectl" or not text:
        return False
    try:
        last = decode(text)
    except DecodeError:
        return False
    changed, _ = changes(live, last, keys)
    return {path for _, path in conflicts} <= fields_of(last, keys) - changed


def _last_applied(merged: dict[str, Any], live: Mapping[str, Any], config: Any, name: str) -> dict[str, Any]:
    """kubectl's annotation, where there is one, goes with what kubectl applies."""
    about = merged.get("metadata") or {}
    if name != "kubectl" or _LAST_APPLIED not in ((live.get("metadata") or {}).get("annotations") or {}):
        return merged
    annotations = {**(about.get("annotations") or {}), _LAST_APPLIED: encode(config, sort=True).decode() + "\n"}
    return {**merged, "metadata": {**about, "annotations": annotations}}


# -- managedFields ----------------------------------------------------------------------------------------------------


def _first(resource: Resource, live: Mapping[str, Any], keys: Mapping[str, str]) -> _Manager:
    fields = fields_of(_written(resource, live, Applier("", "")), keys)
    return _Manager(_BEFORE, "Update", resource.api_version, str(live["metadata"]["creationTimestamp"]), "", fields)


def _managers(value: Mapping[str, Any], resource: Resource | None = None) -> list[_Manager]:
    """Those of an object; `resource` where a client sent them."""
    rows = value["metadata"].get("managedFields") or []
    try:
        return [
            _Manager(
                str(row.get("manager", ""))[:LONGEST_NAME],
                row["operation"],
                str(row.get("apiVersion", "")),
                str(row.get("time", "")),
                str(row.get("subresource", "")),
                from_v1(row.get("fieldsV1") or {}),
            )
            for row in rows
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if resource is None:
            raise
        cause = status.invalid_field("metadata.managedFields", None, f"cannot be read: {error!r}")
        raise status.invalid(resource.kind, resource.group, value["metadata"]["name"], [cause]) from error


def _noted(value: Mapping[str, Any], managers: Sequence[_Manager]) -> dict[str, Any]:
    rows = [_row(one) for one in managers if one.fields]
    about = {key: member for key, member in (value.get("metadata") or {}).items() if key != "managedFields"}
    return {**value, "metadata": {**about, "managedFields": rows} if rows else about}


def _row(one: _Manager) -> dict[str, Any]:
    row: dict[str, Any] = {"manager": one.name, "operation": one.operation, "apiVersion": one.version, "time": one.time}
    row |= {"fieldsType": "FieldsV1", "fieldsV1": to_v1(one.fields)}
    return {**row, "subresource": one.subresource} if one.subresource else row


def _conflict(resource: Resource, name: str, conflicts: Sequence[tuple[_Manager, Path]]) -> ApiError:
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {one.told}", "field": shown(path)}
        for one, path in conflicts
    ]
    if len(conflicts) == 1:
        one, path = conflicts[0]
        text = f"Apply failed with 1 conflict: conflict with {one.told}: {shown(path)}"
    else:
        by_manager: dict[str, list[str]] = {}
        for one, path in conflicts:
            by_manager.setdefault(one.told, []).append(f"- {shown(path)}")
        told = [line for who, paths in sorted(by_manager.items()) for line in (f"conflicts with {who}:", *paths)]
        text = f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(told)
    return status.failure(409, "Conflict", text, {"causes": causes})
