"""Is everything in this manifest honoured? By the table of fields: what is not is an error with its path.

Called by admission when a workflow or template is created, by `lint`, and (for warnings) by both. A field of another
name than Argo's is no matter of this module: `unknown` finds those.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tiphys.errors import SpecError
from tiphys.workflow.spec.fields import ANY, ROOTS, Field, Support, fields_of

__all__ = ["unknown", "unsupported", "warnings"]

_EMPTY = (None, False, "", [])
_MAX_DEPTH = 64  # inline templates in inline templates


def unsupported(kind: str, obj: Mapping[str, Any]) -> list[SpecError]:
    """Every field of the object's spec that this release does not honour.

    Args:
        kind: Workflow, WorkflowTemplate, ClusterWorkflowTemplate or CronWorkflow; others have no such fields.
        obj: the object as it came in.
    """
    return [
        SpecError(f"not supported yet: {path}" + (f" ({field.note})" if field.note else ""), path)
        for path, field, value in _walk(kind, obj)
        if field is not None and field.support is Support.REFUSED and not _is_empty(value)
    ]


def unknown(kind: str, obj: Mapping[str, Any]) -> list[str]:
    """The paths of fields that Argo does not have, e.g. misspelt ones."""
    return [path for path, field, _ in _walk(kind, obj) if field is None]


def warnings(kind: str, obj: Mapping[str, Any]) -> list[str]:
    """What is worth a word although the object is taken: unknown fields, each with its path."""
    found = []
    for path in unknown(kind, obj):
        hint = ""
        if path.endswith(".secret") and ".parameters[" in path:
            hint = ": Argo has no secret parameters, and the value is seen in the workflow's status; pass a Secret's name"
        found.append(f'unknown field "{path}"{hint}')
    return found


def _is_empty(value: Any) -> bool:
    return any(value is empty or (type(value) is type(empty) and value == empty) for empty in _EMPTY)


def _walk(kind: str, obj: Mapping[str, Any]) -> Iterator[tuple[str, Field | None, Any]]:
    """Every field that is there, with its path and its row; None for one that the table does not have."""
    root, spec = ROOTS.get(kind), obj.get("spec")
    if root is not None and isinstance(spec, dict):
        yield from _fields(root, spec, "spec", 0)


def _fields(type_name: str, value: Mapping[str, Any], path: str, depth: int) -> Iterator[tuple[str, Field | None, Any]]:
    rows = fields_of(type_name)
    rest = rows.get(ANY)
    for name, item in value.items():
        field = rows.get(name, rest)
        here = f"{path}.{name}"
        yield here, field, item
        if field is not None and field.type and field.support is not Support.REFUSED and depth < _MAX_DEPTH:
            for inner, at in _items(item, here, depth, _free(field.type)):
                yield from _fields(field.type, inner, at, depth + 1)


def _free(type_name: str) -> bool:
    return type_name == "LabelValueFrom"


def _items(value: Any, path: str, depth: int, free: bool) -> Iterator[tuple[Mapping[str, Any], str]]:
    """The maps in a field: itself, those of a list (of lists), or the values of a map with free keys."""
    if isinstance(value, dict):
        if free:
            yield from ((item, f"{path}.{key}") for key, item in value.items() if isinstance(item, dict))
        else:
            yield value, path
    elif isinstance(value, list) and depth < _MAX_DEPTH:
        for index, item in enumerate(value):
            yield from _items(item, f"{path}[{index}]", depth + 1, free)
