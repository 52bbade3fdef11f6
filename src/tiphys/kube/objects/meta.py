"""What the API does to `metadata` when objects are created, updated and deleted. Pure: the moment and the ids come in.

Called by the API's verbs only. Every function returns a new object (sharing what did not change); none changes its
arguments. resourceVersion is the store's to give.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from tiphys.errors import ApiError
from tiphys.kit.clock import from_rfc3339, rfc3339
from tiphys.kube.objects import status, validation
from tiphys.kube.objects.resources import Resource
from tiphys.kube.objects.status import Cause

__all__ = ["FOREGROUND", "ORPHAN", "Object", "finished", "for_create", "for_delete", "for_update", "same"]

Object = dict[str, Any]

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"

_GENERATED_BASE = 58  # generateName is cut to this, so that base and suffix are a DNS label of 63
_NEVER_KEPT = ("managedFields", "selfLink")
_FROM_OLD = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generateName",
    "generation",
    "uid",
)


def for_create(
    resource: Resource, value: Object, *, namespace: str, name: str = "", now: dt.datetime, uid: str, suffix: str
) -> Object:
    """The object as it is to be stored for the first time.

    Args:
        resource: what it is.
        value: as the client sent it.
        namespace: of the request; "" for a cluster-scoped resource.
        name: of the request's path, where it has one.
        now: becomes creationTimestamp.
        uid: the new object's id.
        suffix: what follows `generateName`; a collision is the caller's to try again with another.

    Raises:
        ApiError: 400 or 422, as Kubernetes words them.
    """
    given = _metadata(value)
    meta = {k: v for k, v in given.items() if k not in _NEVER_KEPT and k not in _FROM_OLD and k != "resourceVersion"}
    _place(meta, namespace)
    if name and meta.setdefault("name", name) != name:
        raise status.bad_request(f"the name of the object ({meta['name']}) does not match the name on the URL ({name})")
    if base := given.get("generateName") or "":
        meta["generateName"] = base
        if not meta.get("name"):
            meta["name"] = base[:_GENERATED_BASE] + suffix
    errors = _name_errors(resource, meta) + _common_errors(meta)
    if errors:
        raise status.invalid(resource.kind, resource.group, meta.get("name") or "", errors)
    meta["uid"] = uid
    meta["creationTimestamp"] = rfc3339(now)
    if _counts_generations(resource):
        meta["generation"] = 1
    return {**value, "metadata": meta}


def for_update(resource: Resource, new: Object, old: Object, *, parts_changed: bool = False) -> Object:
    """The object as it is to be stored in place of `old`.

    Args:
        resource: what it is.
        new: as the client sent it, or as a patch made it.
        old: as it is stored.
        parts_changed: a change that is not in `new` but in what is kept apart from it (a Workflow's nodes).

    Raises:
        ApiError: 400, 409 (another uid) or 422, as Kubernetes words them.
    """
    given, before = _metadata(new), old["metadata"]
    if (uid := given.get("uid")) and uid != before.get("uid"):
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {before.get('uid', '')}"
        raise status.conflict(resource, before["name"], why)
    meta = {k: v for k, v in given.items() if k not in _NEVER_KEPT and k not in _FROM_OLD and k != "resourceVersion"}
    _place(meta, before.get("namespace", ""))
    if meta.setdefault("name", before["name"]) != before["name"]:
        raise status.bad_request(
            f"the name of the object ({meta['name']}) does not match the name on the URL ({before['name']})"
        )
    # What is as it was, was judged when it was written.
    errors = _common_errors({key: member for key, member in meta.items() if member != before.get(key)})
    errors += _finalizer_errors(meta, before)
    if errors:
        raise status.invalid(resource.kind, resource.group, meta["name"], errors)
    meta |= {key: before[key] for key in _FROM_OLD if key in before}
    if "resourceVersion" in before:
        meta["resourceVersion"] = before["resourceVersion"]
    if "generation" in before and (parts_changed or _spec(resource, new) != _spec(resource, old)):
        meta["generation"] = before["generation"] + 1
    return {**new, "metadata": meta}


def same(new: Object, old: Object) -> bool:
    """Whether an update changes nothing, so that it needs no new revision (as in Kubernetes)."""
    if new.keys() != old.keys():
        return False
    return all(new[key] == old[key] for key in new if key != "metadata") and {
        k: v for k, v in new["metadata"].items() if k != "resourceVersion"
    } == {k: v for k, v in old["metadata"].items() if k != "resourceVersion"}


def for_delete(
    resource: Resource, old: Object, *, now: dt.datetime, propagation: str = "", grace_seconds: int | None = None
) -> Object | None:
    """The object as it is to be stored while its deletion is under way; None where it can be removed at once.

    What holds it: finalizers (its own, and those that `propagation` asks for), a Namespace's spec.finalizers, and
    for a Pod on a node the time its processes are given to end (the kubelet then deletes it with grace 0).
    """
    before = old["metadata"]
    finalizers = _deletion_finalizers(before.get("finalizers") or [], propagation)
    grace = _grace(resource, old, grace_seconds)
    if not finalizers and not grace and not _spec_finalizers(resource, old):
        return None
    meta = {**before, "finalizers": finalizers}
    if not finalizers:
        del meta["finalizers"]
    moment = now + dt.timedelta(seconds=grace)
    if "deletionTimestamp" not in before or moment < from_rfc3339(before["deletionTimestamp"]):
        meta["deletionTimestamp"] = rfc3339(moment)
        meta["deletionGracePeriodSeconds"] = grace
        if "generation" in before:
            meta["generation"] = before["generation"] + 1
    marked = {**old, "metadata": meta}
    if resource.plural == "namespaces":
        marked["status"] = {**(old.get("status") or {}), "phase": "Terminating"}
    return marked


def finished(resource: Resource, value: Object) -> bool:
    """Whether an object under deletion is held by nothing any more: the write that made it so removes it."""
    meta = value["metadata"]
    if "deletionTimestamp" not in meta or meta.get("finalizers") or _spec_finalizers(resource, value):
        return False
    return not meta.get("deletionGracePeriodSeconds")


def _metadata(value: Object) -> Mapping[str, Any]:
    meta = value.get("metadata")
    if meta is None:
        return {}
    if not isinstance(meta, dict):
        raise _wrong_type(meta, "metadata", "ObjectMeta")
    for field in ("name", "generateName", "namespace", "uid", "resourceVersion"):
        if meta.get(field) is not None and not isinstance(meta[field], str):
            raise _wrong_type(meta[field], f"metadata.{field}", "string")
    for field in ("labels", "annotations"):
        members = meta.get(field)
        if members is None:
            continue
        if not isinstance(members, dict):
            raise _wrong_type(members, f"metadata.{field}", "map[string]string")
        for member in members.values():
            if member is not None and not isinstance(member, str):
                raise _wrong_type(member, f"metadata.{field}", "string")
        if None in members.values():  # as Go decodes it into a map of strings
            meta = {**meta, field: {key: "" if member is None else member for key, member in members.items()}}
    for finalizer in _list(meta, "finalizers"):
        if not isinstance(finalizer, str):
            raise _wrong_type(finalizer, "metadata.finalizers", "string")
    for owner in _list(meta, "ownerReferences"):
        _check_owner(owner)
    return meta


def _list(meta: Mapping[str, Any], field: str) -> list[Any]:
    members = meta.get(field)
    if members is not None and not isinstance(members, list):
        raise _wrong_type(members, f"metadata.{field}", "list")
    return members or []


def _check_owner(owner: Any) -> None:
    if not isinstance(owner, dict):
        raise _wrong_type(owner, "metadata.ownerReferences", "OwnerReference")
    for kind, fields in ((str, ("apiVersion", "kind", "name", "uid")), (bool, ("blockOwnerDeletion", "controller"))):
        for field in fields:
            if owner.get(field) is not None and not isinstance(owner[field], kind):
                wanted = "string" if kind is str else "bool"
                raise _wrong_type(owner[field], f"metadata.ownerReferences.{field}", wanted)


_GO_NAMES = {dict: "object", list: "array", str: "string", bool: "bool", int: "number", float: "number"}


def _wrong_type(value: Any, path: str, wanted: str) -> ApiError:
    found = _GO_NAMES.get(type(value), "null")
    return status.bad_request(f"json: cannot unmarshal {found} into Go struct field .{path} of type {wanted}")


def _place(meta: Object, namespace: str) -> None:
    if (meta.get("namespace") or namespace) != namespace:
        raise status.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    if namespace:
        meta["namespace"] = namespace
    else:
        meta.pop("namespace", None)


def _name_errors(resource: Resource, meta: Object) -> list[Cause]:
    rule = validation.name_rule(resource)
    name, base = meta.get("name") or "", meta.get("generateName") or ""
    if not name:
        return [status.required_field("metadata.name", "name or generateName is required")]
    if base:
        # The base may end in what a name may not: a suffix follows.
        errors = [
            status.invalid_field("metadata.generateName", base, text) for text in rule(base[:_GENERATED_BASE] + "a")
        ]
        if errors:
            return errors
    return [status.invalid_field("metadata.name", name, text) for text in rule(name)]


def _common_errors(meta: Object) -> list[Cause]:
    errors = validation.label_errors(meta.get("labels") or {})
    errors += validation.annotation_errors(meta.get("annotations") or {})
    for finalizer in meta.get("finalizers") or ():
        errors += [
            status.invalid_field("metadata.finalizers", finalizer, t) for t in validation.qualified_name(finalizer)
        ]
    return errors + _owner_errors(meta.get("ownerReferences") or [])


def _owner_errors(owners: list[Any]) -> list[Cause]:
    errors = []
    for index, owner in enumerate(owners):
        path = f"metadata.ownerReferences[{index}]"
        for key in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(key):
                what = "version" if key == "apiVersion" else key
                errors.append(status.invalid_field(f"{path}.{key}", owner.get(key) or "", f"{what} must not be empty"))
        if owner.get("apiVersion") == "v1" and owner.get("kind") == "Event":
            errors.append(status.invalid_field(path, owner, "/v1, Kind=Event is disallowed from being an owner"))
    controllers = [owner for owner in owners if owner.get("controller")]
    if len(controllers) > 1:
        first, second = (f"{o.get('kind')}/{o.get('name')}" for o in controllers[:2])
        text = (
            f'Only one reference can have Controller set to true. Found "true" in references for {first} and {second}'
        )
        errors.append(status.invalid_field("metadata.ownerReferences", owners, text))
    return errors


def _finalizer_errors(meta: Object, before: Mapping[str, Any]) -> list[Cause]:
    if "deletionTimestamp" not in before:
        return []
    had = before.get("finalizers") or []
    if added := [name for name in meta.get("finalizers") or () if name not in had]:
        told = ", ".join(f'"{name}"' for name in added)
        text = f"no new finalizers can be added if the object is being deleted, found new finalizers []string{{{told}}}"
        return [status.forbidden_field("metadata.finalizers", text)]
    return []


def _counts_generations(resource: Resource) -> bool:
    """Custom resources do; of the built-in kinds served here none does."""
    return resource.custom


def _spec(resource: Resource, value: Object) -> Object:
    """What a generation counts changes of: all but metadata, and but status where that is written by a subresource."""
    apart = ("metadata", "status") if "status" in resource.subresources else ("metadata",)
    return {key: member for key, member in value.items() if key not in apart}


def _deletion_finalizers(present: list[str], propagation: str) -> list[str]:
    if not propagation:
        return list(present)
    kept = [name for name in present if name not in (FOREGROUND, ORPHAN)]
    return kept + {"Foreground": [FOREGROUND], "Orphan": [ORPHAN]}.get(propagation, [])


def _spec_finalizers(resource: Resource, value: Object) -> bool:
    return resource.plural == "namespaces" and bool((value.get("spec") or {}).get("finalizers"))


def _grace(resource: Resource, pod: Object, asked: int | None) -> int:
    if resource.plural != "pods":
        return 0
    spec, phase = pod.get("spec") or {}, (pod.get("status") or {}).get("phase")
    if not spec.get("nodeName") or phase in ("Succeeded", "Failed"):
        return 0
    if asked is None:
        asked = spec.get("terminationGracePeriodSeconds", 30)
    return max(0, asked)
