"""Is everything in this manifest honoured? What is not is named with its path, and refused: nothing is passed over.

The judgement on each field is in data/support.txt, the types are those of `fields`. Called by `admit` when an object is
created, and by the generator of docs/reference/fields.md. Fields that Argo does not have, and values of
another type, are no matter of this module.
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Final

from tiphys.errors import SpecError
from tiphys.workflow.spec.fields import type_of

__all__ = ["ROOTS", "Row", "Support", "not_honoured", "rows"]

ROOTS: Final[Mapping[str, str]] = {
    "ClusterWorkflowTemplate": "WorkflowSpec",
    "CronWorkflow": "CronWorkflowSpec",
    "Workflow": "WorkflowSpec",
    "WorkflowTemplate": "WorkflowSpec",
}
"""The type of `spec` for each kind the table speaks of."""


_NAME: Final = re.compile(r"(\w+)(?:\(([^)]*)\))?")


class Support(StrEnum):
    """What becomes of a field."""

    HONOURED = "yes"
    KEPT = "kept"
    REFUSED = "no"


@dataclass(frozen=True, slots=True)
class Row:
    """What is said of one field of one type.

    Attributes:
        note: why it is kept or refused, or what to know of it.
        values: those that are honoured; None for all.
    """

    support: Support
    note: str = ""
    values: tuple[str, ...] | None = None


def not_honoured(kind: str, obj: Mapping[str, Any]) -> list[SpecError]:
    """Every field of the object's spec that this release does not honour, each error with its path.

    What is left empty (null, false, "", []) asks for nothing and is let pass.

    Args:
        kind: Workflow, WorkflowTemplate, ClusterWorkflowTemplate or CronWorkflow; others have no such fields.
        obj: the object as it came in; any JSON.
    """
    return [
        SpecError(f"not supported yet: {what}" + (f" ({note})" if note else ""), what.partition(": ")[0])
        for what, note in _refused(kind, obj)
    ]


@cache
def rows() -> Mapping[str, Mapping[str, Row]]:
    """The table: type, field, what is said of it."""
    table: dict[str, dict[str, Row]] = {}
    current: dict[str, Row] = {}
    text = (pkgutil.get_data("tiphys.workflow.spec", "data/support.txt") or b"").decode()
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if not line.startswith(" "):
            name, _, base = line.partition(":")
            current = table[name.strip()] = dict(table[base.strip()]) if base else {}
            continue
        head, _, note = line.partition("|")
        mark, *names = head.split()
        for name in names:
            found = _NAME.fullmatch(name)
            if found is None:
                raise ValueError(f"data/support.txt: {name!r} is no field")
            current[found[1]] = Row(Support(mark), note.strip(), _listed(found[2]))
    return table


def _listed(text: str | None) -> tuple[str, ...] | None:
    return tuple(text.split(",")) if text else None


def _refused(kind: str, obj: Any) -> Iterator[tuple[str, str]]:
    """Path (and value), and note, of each field that is refused. No recursion: the object may be of any depth."""
    spec = obj.get("spec") if isinstance(obj, dict) else None
    if kind not in ROOTS:
        return
    table = rows()
    pending: list[tuple[str, Any, str]] = [(ROOTS[kind], spec, "spec")]
    while pending:
        type_, value, path = pending.pop()
        if type_.startswith("["):
            items = enumerate(value) if isinstance(value, list) else ()
            pending += reversed([(type_[1:], item, f"{path}[{index}]") for index, item in items])
        elif type_.startswith("{"):
            entries = value.items() if isinstance(value, dict) else ()
            pending += reversed([(type_[1:], item, f"{path}.{key}") for key, item in entries])
        elif type_ in table and isinstance(value, dict):
            inner: list[tuple[str, Any, str]] = []
            for name, item in value.items():
                row = table[type_].get(name)
                if row is None or row.support is Support.KEPT or _is_empty(item):
                    continue
                here = f"{path}.{name}"
                if row.support is Support.REFUSED:
                    yield here, row.note
                    continue
                if row.values is not None and isinstance(item, str) and "{{" not in item and item not in row.values:
                    yield f"{here}: {item}", f"only {', '.join(row.values)} are"
                inner.append((type_of(type_, name) or "any", item, here))
            pending += reversed(inner)


def _is_empty(value: Any) -> bool:
    return value is None or value is False or value == "" or value == []
