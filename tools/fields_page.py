#!/usr/bin/env python3
"""Print docs/reference/fields.md: every field of Argo's manifests, and what becomes of it here.

    python tools/fields_page.py > docs/reference/fields.md

Made from the table that refuses fields at create, so that the page cannot say anything else; a test compares them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from tiphys.workflow.spec import fields
from tiphys.workflow.spec.support import ROOTS, Support, rows

_HEAD = """\
# Which fields of a workflow work

Every field that Argo Workflows v3.6 to v4.1 knows in a Workflow, WorkflowTemplate, ClusterWorkflowTemplate or
CronWorkflow, and what becomes of it on `tiphys up`. (On a cluster, the real Argo runs the manifests: there all of them
work.) This page is made by `tools/fields_page.py` from the table that the API server goes by.

- **works**: as in Argo.
- **kept**: taken and stored; on one machine it has no effect.
- **refused**: the object is not created; the error names the field, e.g.
  `not supported yet: spec.templates[2].containerSet`. A field left empty (`false`, `""`, `[]`) asks for nothing and is
  let pass.

A field that Argo does not have (`unknown field "spec.foo"`) is refused by `kubectl create` and `apply`, which ask for
strictness unless told otherwise; with `--validate=warn` it is kept, with a warning. A value of another type is refused
always.
"""
_WORDS = {Support.HONOURED: "works", Support.KEPT: "kept", Support.REFUSED: "refused"}


def page() -> str:
    """The page as it should be."""
    return "\n".join([_HEAD, *_sections()]) + "\n"


def _sections() -> Iterator[str]:
    table = rows()
    for name in _reached():
        yield f"## {name}\n"
        if not table[name]:
            yield "No fields of its own.\n"
            continue
        yield "| field | type | here | note |\n|---|---|---|---|"
        for field, row in sorted(table[name].items()):
            limits = [f"only `{'`, `'.join(row.values)}`"] if row.values else []
            note = "; ".join(filter(None, [*limits, row.note]))
            yield f"| `{field}` | {_shown(name, field)} | {_WORDS[row.support]} | {note} |"
        yield ""


def _reached() -> list[str]:
    """The types in the order in which a reader meets them."""
    table, found, pending = rows(), dict[str, None](), list(dict.fromkeys(ROOTS.values()))
    pending.sort(reverse=True)  # a Workflow's spec before that of a CronWorkflow
    while pending:
        name = pending.pop(0)
        if name not in found:
            found[name] = None
            below = [(fields.type_of(name, field) or "").lstrip("[{") for field in sorted(table[name])]
            pending += [type_ for type_ in below if type_ in table]
    return list(found)


def _shown(name: str, field: str) -> str:
    type_ = fields.type_of(name, field) or ""
    base = type_.lstrip("[{")
    shown = f"[{base}](#{base.lower()})" if base in rows() else base
    return type_.replace(base, "").replace("[", "list of ").replace("{", "map of ") + shown


if __name__ == "__main__":
    sys.stdout.write(page())
