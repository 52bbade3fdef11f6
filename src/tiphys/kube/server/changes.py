"""What a write may change: of the newest state only, and with a subresource only that part of the object. Pure.

Called by `api` with what an update or a patch made of an object.
"""

from __future__ import annotations

from typing import Any

from tiphys.kube.objects import status
from tiphys.kube.objects.resources import Resource, served
from tiphys.kube.store.api import Record

__all__ = ["changed"]

_NAMESPACES = served("", "namespaces")


def changed(resource: Resource, subresource: str, new: Any, old: dict[str, Any], before: Record) -> dict[str, Any]:
    """What a change made of an object, as far as a write of the subresource ("" for the object) may change it.

    Raises:
        ApiError: 400, it is no object any more; 409, it was changed meanwhile, or is another one of the name.
    """
    name = before.key.name
    if not isinstance(new, dict) or not isinstance(new.setdefault("metadata", {}), dict):
        raise status.bad_request("the result is not an object with metadata")
    sent = new["metadata"].get("resourceVersion")
    if sent not in (None, "", str(before.revision)):
        raise status.conflict(resource, name)
    if (uid := new["metadata"].get("uid")) and uid != before.uid:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {before.uid}"
        raise status.conflict(resource, name, why)
    _check_kind(resource, new)
    written = _of_subresource(resource, subresource, old, new)
    written["apiVersion"], written["kind"] = resource.api_version, resource.kind
    return written


def _check_kind(resource: Resource, new: dict[str, Any]) -> None:
    """No write makes another kind of an object."""
    version, kind = new.get("apiVersion") or resource.api_version, new.get("kind") or resource.kind
    if version == resource.api_version and kind == resource.kind:
        return
    known = [f"{resource.group}/{one}" if resource.group else one for one in resource.versions]
    if version not in known or kind != resource.kind:
        why = f"the API version in the data ({version}, Kind={kind}) does not match the expected API version"
        raise status.bad_request(f"{why} ({resource.api_version}, Kind={resource.kind})")


def _of_subresource(resource: Resource, subresource: str, old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """A write of the object leaves status alone where status is a subresource; a write of status all the rest."""
    if subresource:
        field = "spec" if subresource == "finalize" else "status"
        kept = {key: value for key, value in old.items() if key != field}
        kept["metadata"] = dict(old["metadata"])
        if field in new:
            kept[field] = new[field]
        return kept
    taken: tuple[str, ...] = ("status",) if "status" in resource.subresources else ()
    if resource is _NAMESPACES:
        taken = ("spec", "status")  # its spec is but the finalizers: /finalize writes them
    kept = {key: value for key, value in new.items() if key not in taken}
    kept.update((field, old[field]) for field in taken if field in old)
    return kept
