"""JSON patch (RFC 6902), JSON merge patch (RFC 7386) and strategic merge patch. Pure: inputs are never changed.

Results share what did not change with their inputs. Called by the API server, and by `workflow.spec` to merge specs.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from tiphys.errors import ApiError
from tiphys.kube.objects.status import failure

__all__ = ["KUBERNETES_KEYS", "json_patch", "merge_patch", "strategic_merge"]

KUBERNETES_KEYS: Mapping[str, str] = {
    "conditions": "type",
    "containers": "name",
    "env": "name",
    "ephemeralContainers": "name",
    "hostAliases": "ip",
    "imagePullSecrets": "name",
    "initContainers": "name",
    "ownerReferences": "uid",
    "ports": "containerPort",
    "secrets": "name",
    "topologySpreadConstraints": "topologyKey",
    "volumeDevices": "devicePath",
    "volumeMounts": "mountPath",
    "volumes": "name",
}
"""The patchMergeKey of each list of the built-in kinds that has one; lists not named here are replaced whole."""

_SETS = frozenset(("finalizers",))  # lists of plain values that merge


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386: maps merge, null removes, anything else replaces."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


# -- JSON patch -------------------------------------------------------------------------------------------------------


def json_patch(target: Any, operations: Sequence[Mapping[str, Any]]) -> Any:
    """RFC 6902, whole: add, remove, replace, move, copy, test.

    Raises:
        ApiError: 422, an operation does not apply (as a failed `test`); 400, the patch is malformed.
    """
    document = copy.deepcopy(target)
    for operation in operations:
        document = _apply(document, operation)
    return document


def _refused(why: str) -> ApiError:
    return failure(422, "Invalid", f"the server rejected our request due to an error in our request: {why}")


def _apply(document: Any, operation: Mapping[str, Any]) -> Any:
    if not isinstance(operation, Mapping) or not isinstance(operation.get("path"), str):
        raise failure(400, "BadRequest", "a JSON patch is a list of operations, each with op and path")
    kind, path = operation.get("op"), _pointer(operation["path"])
    if kind in ("add", "replace", "test") and "value" not in operation:
        raise failure(400, "BadRequest", f"the operation {kind!r} of the JSON patch has no value")
    if kind in ("move", "copy"):
        source = _pointer(str(operation.get("from", "")))
        if kind == "move" and path[: len(source)] == source and path != source:
            raise _refused("a value cannot be moved into itself")
        value = copy.deepcopy(_look(document, source))
        if kind == "move":
            document = _write(document, source, None, "remove")
        return _write(document, path, value, "add")
    if kind == "test":
        if not _same(_look(document, path), operation["value"]):
            raise _refused(f"testing value {operation['path']} failed")
        return document
    if kind in ("add", "replace", "remove"):
        return _write(document, path, copy.deepcopy(operation.get("value")), kind)
    raise failure(400, "BadRequest", f"unexpected kind of JSON patch operation: {kind!r}")


def _same(a: Any, b: Any) -> bool:
    return bool(a == b) and isinstance(a, bool) == isinstance(b, bool)


def _pointer(text: str) -> list[str]:
    if text and not text.startswith("/"):
        raise failure(400, "BadRequest", f"{text!r} is not a JSON pointer")
    return [step.replace("~1", "/").replace("~0", "~") for step in text.split("/")[1:]]


def _index(here: list[Any], step: str, limit: int) -> int:
    if not step.isdigit() or (len(step) > 1 and step[0] == "0") or int(step) > limit:
        raise _refused(f"there is no index {step!r} in a list of {len(here)}")
    return int(step)


def _look(document: Any, path: Sequence[str]) -> Any:
    for step in path:
        if isinstance(document, dict) and step in document:
            document = document[step]
        elif isinstance(document, list):
            document = document[_index(document, step, len(document) - 1)]
        else:
            raise _refused(f"there is no {step!r} on the path /{'/'.join(path)}")
    return document


def _write(document: Any, path: Sequence[str], value: Any, kind: str) -> Any:
    if not path:
        return value
    parent, last = _look(document, path[:-1]), path[-1]
    if isinstance(parent, list):
        if kind == "add":
            parent.insert(len(parent) if last == "-" else _index(parent, last, len(parent)), value)
        elif kind == "replace":
            parent[_index(parent, last, len(parent) - 1)] = value
        else:
            del parent[_index(parent, last, len(parent) - 1)]
        return document
    if not isinstance(parent, dict) or (kind != "add" and last not in parent):
        raise _refused(f"there is nothing at /{'/'.join(path)}")
    if kind == "remove":
        del parent[last]
    else:
        parent[last] = value
    return document


# -- strategic merge --------------------------------------------------------------------------------------------------


def strategic_merge(target: Any, patch: Any, keys: Mapping[str, str] = KUBERNETES_KEYS) -> Any:
    """Strategic merge patch: as a merge patch, but lists named in `keys` merge by that field of their items.

    `$patch: delete|replace|merge`, `$deleteFromPrimitiveList/…`, `$setElementOrder/…` and `$retainKeys` are honoured.
    """
    return _merge_map(target if isinstance(target, dict) else {}, patch, keys)


def _merge_map(target: Mapping[str, Any], patch: Mapping[str, Any], keys: Mapping[str, str]) -> dict[str, Any]:
    if patch.get("$patch") == "replace":
        return {key: value for key, value in patch.items() if key != "$patch"}
    if patch.get("$patch") == "delete":
        return {}
    result = dict(target)
    if "$retainKeys" in patch:
        result = {key: value for key, value in result.items() if key in patch["$retainKeys"]}
    for key, value in patch.items():
        if key.startswith("$deleteFromPrimitiveList/"):
            field = key.partition("/")[2]
            result[field] = [item for item in result.get(field) or [] if item not in value]
        elif key.startswith("$"):
            continue
        elif value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            before = result.get(key)
            result[key] = _merge_map(before if isinstance(before, dict) else {}, value, keys)
        elif isinstance(value, list):
            result[key] = _merge_list(key, result.get(key), value, patch.get("$setElementOrder/" + key), keys)
        else:
            result[key] = value
    return result


def _merge_list(
    field: str, target: Any, patch: list[Any], order: list[Any] | None, keys: Mapping[str, str]
) -> list[Any]:
    before = target if isinstance(target, list) else []
    if field in _SETS:
        return [*before, *(item for item in patch if item not in before)]
    key = keys.get(field)
    if key is None or not all(isinstance(item, dict) for item in (*before, *patch)):
        return patch
    if any(item.get("$patch") == "replace" for item in patch):
        return [item for item in patch if item.get("$patch") != "replace"]
    merged = {item.get(key): item for item in before}
    for item in patch:
        name = item.get(key)
        if item.get("$patch") == "delete":
            merged.pop(name, None)
        else:
            merged[name] = _merge_map(merged.get(name) or {}, item, keys)
    if order:
        rank = {item.get(key): index for index, item in enumerate(order)}
        return sorted(merged.values(), key=lambda item: rank.get(item.get(key), len(rank)))
    return list(merged.values())
