"""Objects kept in parts: a Workflow's status.nodes, a row a node. From whole objects to parts and back. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tiphys.kit.codec import Raw, decode, encode
from tiphys.kube.objects.patches import merge_patch
from tiphys.kube.objects.resources import Resource
from tiphys.kube.store.api import Record

__all__ = ["assembled", "difference", "json_of", "merged", "replaces", "take_parts"]

_NODES = ("argoproj.io", "workflows")


def _parted(resource: Resource) -> bool:
    return (resource.group, resource.plural) == _NODES


def assembled(record: Record) -> dict[str, Any]:
    """The whole object, decoded; the caller owns it."""
    value: dict[str, Any] = decode(record.value)
    if record.parts:
        value.setdefault("status", {})["nodes"] = {name: decode(part) for name, part in record.parts.items()}
    return value


def json_of(record: Record) -> bytes:
    """The whole object as JSON; an object without parts is not even looked into."""
    if not record.parts:
        return record.value
    value = decode(record.value)
    value.setdefault("status", {})["nodes"] = {name: Raw(part) for name, part in record.parts.items()}
    return encode(value)


def take_parts(resource: Resource, value: dict[str, Any]) -> dict[str, Any] | None:
    """Take the parts out of an object or a merge patch, in place; None where it names none."""
    if not _parted(resource) or not isinstance(value.get("status"), dict) or "nodes" not in value["status"]:
        return None
    nodes = value["status"].pop("nodes")
    return nodes if isinstance(nodes, dict) else {}


def replaces(resource: Resource, patch: dict[str, Any]) -> bool:
    """Whether a merge patch takes parts away without naming them (`status: null`): it needs the whole object."""
    if not _parted(resource) or "status" not in patch:
        return False
    state = patch["status"]
    return not isinstance(state, dict) or ("nodes" in state and not isinstance(state["nodes"], dict))


def difference(before: Mapping[str, bytes], now: Mapping[str, Any] | None) -> dict[str, bytes | None]:
    """From the parts that are kept to those an object has: only what changes."""
    wanted = {name: encode(part) for name, part in (now or {}).items()}
    changed: dict[str, bytes | None] = {name: None for name in before if name not in wanted}
    changed.update((name, part) for name, part in wanted.items() if before.get(name) != part)
    return changed


def merged(before: Mapping[str, bytes], patch: Mapping[str, Any]) -> dict[str, bytes | None]:
    """A merge patch of parts: the work is that of the parts it names."""
    changed: dict[str, bytes | None] = {}
    for name, part in patch.items():
        if part is None:
            if name in before:
                changed[name] = None
            continue
        old = before.get(name)
        new = encode(merge_patch(decode(old), part) if old is not None else merge_patch({}, part))
        if new != old:
            changed[name] = new
    return changed
