"""Objects kept in parts: a Workflow's spec and stored templates, and of its status.nodes a row each. Pure.

From whole objects to parts and back. What changes at every step of a workflow is then small, however large the workflow
is: the object's own row holds its metadata and the rest of its status. A part is named by the node's id, or by its path
from `/`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tiphys.kit.codec import Raw, decode, encode
from tiphys.kube.objects import status
from tiphys.kube.objects.patches import merge_patch
from tiphys.kube.objects.resources import Resource
from tiphys.kube.store.api import Record

__all__ = ["SPEC", "assembled", "difference", "json_of", "kept_in_parts", "merged", "replaces", "spec_of", "take_parts"]

SPEC = "/spec"
_IN_STATUS = ("storedTemplates", "storedWorkflowTemplateSpec")


def kept_in_parts(resource: Resource) -> bool:
    """Whether objects of the kind are kept so: Workflows are."""
    return (resource.group, resource.plural) == ("argoproj.io", "workflows")


def assembled(record: Record) -> dict[str, Any]:
    """The whole object, decoded; the caller owns it."""
    value: dict[str, Any] = decode(record.value)
    return _joined(value, record.parts, decode) if record.parts else value


def json_of(record: Record) -> bytes:
    """The whole object as JSON; an object without parts is not even looked into."""
    return encode(_joined(decode(record.value), record.parts, Raw)) if record.parts else record.value


def spec_of(record: Record) -> Any:
    """The spec alone, decoded; None where there is none."""
    part = record.parts.get(SPEC)
    return None if part is None else decode(part)


def _joined(value: dict[str, Any], kept: Mapping[str, bytes], load: Callable[[bytes], Any]) -> dict[str, Any]:
    whole = {key: member for key, member in value.items() if key != "status"}
    if SPEC in kept:
        whole["spec"] = load(kept[SPEC])
    state: dict[str, Any] = value.get("status") or {}
    nodes = {name: load(part) for name, part in kept.items() if name[:1] != "/"}
    if nodes:
        state["nodes"] = nodes
    for field in _IN_STATUS:
        if (part := kept.get(f"/status/{field}")) is not None:
            state[field] = load(part)
    if state or "status" in value:
        whole["status"] = state
    return whole


def take_parts(resource: Resource, value: dict[str, Any]) -> dict[str, Any]:
    """Take the parts out of an object, or out of a merge patch that does not `replace`, in place; by their names.

    Raises:
        ApiError: 422, a node has an id that none can have.
    """
    if not kept_in_parts(resource):
        return {}
    taken: dict[str, Any] = {}
    if isinstance(value.get("spec"), dict):
        taken[SPEC] = value.pop("spec")
    state = value.get("status")
    if not isinstance(state, dict):
        return taken
    value["status"] = state = dict(state)
    if isinstance(state.get("nodes"), dict):
        nodes = state.pop("nodes")
        for name in nodes:
            if name[:1] == "/":
                cause = status.invalid_field("status.nodes", name, "a node's id does not begin with a slash")
                raise status.invalid(resource.kind, resource.group, "", [cause])
        taken.update(nodes)
    for field in _IN_STATUS:
        if field in state and (state[field] is None or isinstance(state[field], dict)):
            taken[f"/status/{field}"] = state.pop(field)
    return taken


def replaces(resource: Resource, patch: Mapping[str, Any]) -> bool:
    """Whether a merge patch takes parts away without naming them (`status: null`): it needs the whole object."""
    if not kept_in_parts(resource):
        return False
    if not isinstance(patch.get("spec", {}), dict) or not isinstance(patch.get("status", {}), dict):
        return True
    state = patch.get("status") or {}
    return not isinstance(state.get("nodes", {}), dict) or any(
        not isinstance(state.get(field, {}), dict | None) for field in _IN_STATUS
    )


def difference(before: Mapping[str, bytes], now: Mapping[str, Any]) -> dict[str, bytes | None]:
    """From the parts that are kept to those an object has: only what changes."""
    wanted = {name: encode(part) for name, part in now.items() if part is not None or name[:1] != "/"}
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
        new = encode(merge_patch(None if old is None else decode(old), part))
        if new != old:
            changed[name] = new
    return changed
