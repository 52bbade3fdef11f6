"""What Tiphys makes of each field of Argo's specs: honoured, kept on the pod without effect here, or refused.

The rows are in `fieldrows`; this module reads them. `support` checks manifests by them, docs/reference/fields.md is made
from them, and a test holds them against Argo's own schema, so that no field is forgotten.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tiphys.workflow.spec.fieldrows import ROWS

__all__ = ["ANY", "ROOTS", "Field", "Support", "fields_of", "types"]

ANY = "*"
"""In a type whose keys are free (hooks): every key that has no row of its own."""

ROOTS: Mapping[str, str] = {
    "Workflow": "WorkflowSpec",
    "WorkflowTemplate": "WorkflowSpec",
    "ClusterWorkflowTemplate": "WorkflowSpec",
    "CronWorkflow": "CronWorkflowSpec",
}
"""The type of `spec` for each kind the table speaks of."""


class Support(StrEnum):
    """What becomes of a field."""

    HONOURED = "honoured"
    KEPT = "kept"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of one type.

    Attributes:
        type: the type of what it holds where the table goes on there; "" where it does not.
        note: why it is kept or refused, or what to know of it.
    """

    name: str
    support: Support
    type: str = ""
    note: str = ""


_MARKS = {"yes": Support.HONOURED, "kept": Support.KEPT, "no": Support.REFUSED}


def _read(rows: str) -> dict[str, dict[str, Field]]:
    table: dict[str, dict[str, Field]] = {}
    current: dict[str, Field] = {}
    for line in rows.splitlines():
        if not line.strip():
            continue
        if not line.startswith(" "):
            name, _, base = line.partition(":")
            current = table[name.strip()] = dict(table[base.strip()]) if base else {}
            continue
        head, _, note = line.partition("|")
        name, mark, *kind = head.split()
        current[name] = Field(name, _MARKS[mark], kind[0] if kind else "", note.strip())
    return table


@functools.cache
def _table() -> dict[str, dict[str, Field]]:
    return _read(ROWS)


def fields_of(kind: str) -> Mapping[str, Field]:
    """The fields of a type of the table, by name."""
    return _table()[kind]


def types() -> tuple[str, ...]:
    """The names of the types in the table, in its order."""
    return tuple(_table())
