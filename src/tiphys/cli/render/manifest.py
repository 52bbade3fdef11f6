"""Objects as JSON and YAML, as `argo` prints them. Pure.

JSON has the fields in the order of Argo's Go types; `fieldorder.txt` has these: a type, then its fields, those of
another type with its name ("{" before it: a map of such). Fields that are not in it follow. What Go's types print
though it is not set is added.
"""

from __future__ import annotations

import functools
import json
import pkgutil
from collections.abc import Mapping, Sequence
from typing import Any

from tiphys.kit import yaml

__all__ = ["as_json", "as_yaml", "without_kind"]

_Object = Mapping[str, Any]

_ENDS: _Object = {"startedAt": None, "finishedAt": None}
_ALWAYS: Mapping[str, _Object] = {
    "Workflow": {"status": _ENDS},
    "WorkflowSpec": {"arguments": {}},
    "WorkflowStatus": _ENDS,
    "NodeStatus": _ENDS,
    "Template": {"inputs": {}, "outputs": {}, "metadata": {}},
    "Container": {"name": "", "resources": {}},
    "ScriptTemplate": {"name": "", "resources": {}},
    "UserContainer": {"resources": {}},
    "WorkflowStep": {"arguments": {}},
    "DAGTask": {"arguments": {}},
    "LifecycleHook": {"arguments": {}},
}


def as_json(value: _Object | Sequence[_Object], kind: str = "Workflow", indent: int = 4) -> str:
    """JSON of an object or a list of them, with a line end."""
    return json.dumps(_typed(value, kind), indent=indent, ensure_ascii=False) + "\n"


def as_yaml(value: _Object | Sequence[_Object], kind: str = "Workflow") -> str:
    """YAML of an object or a list of them, keys sorted."""
    return yaml.dump(_typed(value, kind))


def without_kind(value: _Object) -> dict[str, Any]:
    """As argo prints what it has got from the API: without apiVersion and kind."""
    return {key: part for key, part in value.items() if key not in ("apiVersion", "kind")}


@functools.cache
def _types() -> dict[str, dict[str, str]]:
    data = pkgutil.get_data("tiphys.cli.render", "fieldorder.txt") or b""
    types = {}
    for line in data.decode().splitlines():
        name, *fields = line.split()
        types[name] = dict((field + ":").split(":")[:2] for field in fields)
    for name in ("WorkflowTemplate", "ClusterWorkflowTemplate"):
        types[name] = {key: field for key, field in types["Workflow"].items() if key != "status"}
    return types


def _typed(value: Any, kind: str) -> Any:
    """The value of a type with its keys in order, those of maps by name."""
    if isinstance(value, list):
        return [_typed(one, kind) for one in value]
    if not isinstance(value, dict):
        return value
    if kind.startswith("{"):
        return {key: _typed(value[key], kind[1:]) for key in sorted(value)}
    fields = _types().get(kind, {})
    whole = {**_ALWAYS.get(kind, {}), **value}
    keys = [*(key for key in fields if key in whole), *sorted(key for key in whole if key not in fields)]
    return {key: _typed(whole[key], fields.get(key, "")) for key in keys}
