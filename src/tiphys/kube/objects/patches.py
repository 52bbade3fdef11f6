"""JSON patch (RFC 6902), JSON merge patch (RFC 7386) and strategic merge patch. Pure: inputs are never changed.

Results share what did not change with their inputs. Called by the API server, and by `workflow.spec` to merge specs.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tiphys.kit.codec import encode
from tiphys.kube.objects.status import bad_request, too_large, unprocessable

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
    "podIPs": "ip",
    "ports": "containerPort",
    "resourceClaims": "name",
    "secrets": "name",
    "topologySpreadConstraints": "topologyKey",
    "volumeDevices": "devicePath",
    "volumeMounts": "mountPath",
    "volumes": "name",
}
"""The patchMergeKey of each list of the built-in kinds that has one; lists not named here are replaced whole."""

_SETS = frozenset(("finalizers",))  # lists of plain values that merge

# As the real API server limits a JSON patch: a dozen `copy`s of a map into itself would fill any memory.
_MAX_OPERATIONS = 10_000
_MAX_COPIED = 3 * 2**20


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386: maps merge, null removes, anything else replaces."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value) if isinstance(value, dict) else value
    return result


# -- JSON patch -------------------------------------------------------------------------------------------------------


def json_patch(target: Any, operations: Sequence[Mapping[str, Any]]) -> Any:
    """RFC 6902, whole: add, remove, replace, move, copy, test.

    Raises:
        ApiError: 422, an operation does not apply (as a failed `test`); 400, the patch is malformed;
            413, it has too many operations or copies too much.
    """
    if len(operations) > _MAX_OPERATIONS:
        raise too_large(_MAX_OPERATIONS)
    document, copied = copy.deepcopy(target), 0
    for operation in operations:
        document = _apply(document, operation)
        if operation["op"] == "copy":
            copied += len(encode(_look(document, _pointer(operation["path"].removesuffix("/-")))))
            if copied > _MAX_COPIED:
                raise too_large(_MAX_COPIED)
    return document


def _apply(document: Any, operation: Mapping[str, Any]) -> Any:
    if not isinstance(operation, Mapping) or not isinstance(operation.get("path"), str):
        raise bad_request("a JSON patch is a list of operations, each with op and path")
    kind, path = operation.get("op"), _pointer(operation["path"])
    if kind in ("add", "replace", "test") and "value" not in operation:
        raise bad_request(f"the operation {kind!r} of the JSON patch has no value")
    if kind in ("move", "copy") and not isinstance(operation.get("from"), str):
        raise bad_request(f"the operation {kind!r} of the JSON patch has no from")
    if kind in ("move", "copy"):
        source = _pointer(operation["from"])
        if kind == "move" and path[: len(source)] == source and path != source:
            raise unprocessable("a value cannot be moved into itself")
        value = copy.deepcopy(_look(document, source))
        if kind == "move":
            document = _write(document, source, None, "remove")
        return _write(document, path, value, "add")
    if kind == "test":
        if not _same(_look(document, path), operation["value"]):
            raise unprocessable(f"testing value {operation['path']} failed")
        return document
    if kind in ("add", "replace", "remove"):
        return _write(document, path, copy.deepcopy(operation.get("value")), kind)
    raise bad_request(f"unexpected kind of JSON patch operation: {kind!r}")


def _same(a: Any, b: Any) -> bool:
    """Equal as JSON: Python's True is 1, JSON's is not."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(value, b[key]) for key, value in a.items())
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_same, a, b))
    return bool(a == b) and isinstance(a, bool) == isinstance(b, bool)


def _pointer(text: str) -> list[str]:
    if text and not text.startswith("/"):
        raise bad_request(f"{text!r} is not a JSON pointer")
    return [step.replace("~1", "/").replace("~0", "~") for step in text.split("/")[1:]]


def _index(here: list[Any], step: str, limit: int) -> int:
    if not (step.isascii() and step.isdigit()) or (len(step) > 1 and step[0] == "0") or int(step) > limit:
        raise unprocessable(f"there is no index {step!r} in a list of {len(here)}")
    return int(step)


def _look(document: Any, path: Sequence[str]) -> Any:
    for step in path:
        if isinstance(document, dict) and step in document:
            document = document[step]
        elif isinstance(document, list):
            document = document[_index(document, step, len(document) - 1)]
        else:
            raise unprocessable(f"there is no {step!r} on the path /{'/'.join(path)}")
    return document


def _write(document: Any, path: Sequence[str], value: Any, kind: str) -> Any:
    if not path:
        if kind == "remove":
            raise unprocessable("the whole object cannot be removed by a patch")
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
        raise unprocessable(f"there is nothing at /{'/'.join(path)}")
    if kind == "remove":
        del parent[last]
    else:
        parent[last] = value
    return document


# -- strategic merge --------------------------------------------------------------------------------------------------


def strategic_merge(target: Any, patch: Any, keys: Mapping[str, str] = KUBERNETES_KEYS) -> Any:
    """Strategic merge patch: as a merge patch, but lists named in `keys` merge by that field of their items.

    `$patch: delete|replace|merge`, `$deleteFromPrimitiveList/…`, `$setElementOrder/…` and `$retainKeys` are honoured.
    The order of a merged list is that of the patch (or of its $setElementOrder); what only the target has keeps its
    place among its neighbours.

    Raises:
        ApiError: 422, an item of a list that merges by a field lacks this field.
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
        directive, slash, field = key.partition("/")
        if slash and directive == "$deleteFromPrimitiveList":
            result[field] = [item for item in result.get(field) or [] if item not in value]
        elif slash and directive == "$setElementOrder":
            if field in result and field not in patch:
                result[field] = _merge_list(field, result[field], [], value, keys)
        elif key in ("$patch", "$retainKeys"):
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
    key = keys.get(field)
    if field in _SETS and all(isinstance(item, str) for item in (*before, *patch, *(order or ()))):
        merged = [*before, *(item for item in patch if item not in before)]
        return _ordered(merged, before, patch if order is None else order, lambda item: item)
    if key is None or not all(isinstance(item, dict) for item in (*before, *patch)):
        return patch if order is None or patch else before
    if any(item.get("$patch") == "replace" for item in patch):
        return [item for item in patch if item.get("$patch") != "replace"]

    def name(item: Mapping[str, Any]) -> Any:
        return item.get(key)

    for item in patch:
        if not isinstance(name(item), str | int):
            raise unprocessable(f"an item of the list {field} has no {key}, by which its items merge")
    gone = {name(item) for item in patch if item.get("$patch") == "delete"}
    merged = [item for item in before if name(item) not in gone]
    places = {name(item): at for at, item in reversed(list(enumerate(merged)))}
    kept = [item for item in patch if item.get("$patch") != "delete"]
    for item in kept:
        at = places.setdefault(name(item), len(merged))
        if at == len(merged):
            merged.append({})
        merged[at] = _merge_map(merged[at], item, keys)
    return _ordered(merged, before, kept if order is None else order, name)


def _ordered(merged: list[Any], before: list[Any], order: list[Any], name: Callable[[Any], Any]) -> list[Any]:
    """What `order` names in that order; the others stay in front of what they stood in front of in `before`.

    What is new comes before the others, as it does in Kubernetes.
    """
    rank = {name(item): at for at, item in enumerate(order)}
    places = {name(item): at for at, item in enumerate(before)}
    named = deque(sorted((item for item in merged if name(item) in rank), key=lambda item: rank[name(item)]))
    others = deque(item for item in merged if name(item) not in rank)
    result: list[Any] = []
    while named and others:
        first, other = places.get(name(named[0])), places.get(name(others[0]))
        waits = first is not None and other is not None and other < first
        result.append((others if waits else named).popleft())
    return [*result, *named, *others]
