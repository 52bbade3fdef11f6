"""Lists of workflows and templates, as `argo` prints them. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from tiphys.cli.render.columns import columns
from tiphys.cli.render.humanize import moment, short
from tiphys.cli.render.workflow import status_text, text

__all__ = ["template_table", "workflow_table"]

_Object = Mapping[str, Any]

_PADDING = 3
_MANY = 100
_ENDED = frozenset(("Succeeded", "Failed", "Error"))
_DONE = _ENDED | {"Skipped", "Omitted"}


def workflow_table(
    workflows: Sequence[_Object],
    now: dt.datetime,
    *,
    wide: bool = False,
    namespaces: bool = False,
    headers: bool = True,
) -> str:
    """NAME, STATUS, AGE, … a line a workflow; many of them earn argo's word on costs."""
    head = ["NAMESPACE"] * namespaces + ["NAME", "STATUS", "AGE", "DURATION", "PRIORITY", "MESSAGE"]
    rows = [head + ["P/R/C", "PARAMETERS"] * wide] if headers else []
    rows += [_row(one, now, wide, namespaces) for one in workflows]
    return columns(rows, _PADDING) + _costs(workflows)


def template_table(templates: Sequence[_Object], *, namespaces: bool = False) -> str:
    """NAME, a line a template."""
    rows = [["NAMESPACE"] * namespaces + ["NAME"]]
    for one in templates:
        meta = one["metadata"]
        rows.append([meta.get("namespace", "")] * namespaces + [meta["name"], ""])
    return columns(rows, _PADDING)


def _row(one: _Object, now: dt.datetime, wide: bool, namespaces: bool) -> list[str]:
    meta, spec, status = one["metadata"], one.get("spec") or {}, one.get("status") or {}
    # argo lists without the nodes, but for -o wide: a workflow that waits in a node is shown as running.
    shown = one if wide else {**one, "status": {**status, "nodes": {}}}
    row = [meta["namespace"]] * namespaces + [
        meta["name"],
        status_text(shown),
        short(moment(meta.get("creationTimestamp")), now, now),
        short(moment(status.get("startedAt")), moment(status.get("finishedAt")), now),
        str(spec.get("priority") or 0),
        status.get("message") or "",
    ]
    if wide:
        parameters = (spec.get("arguments") or {}).get("parameters") or ()
        given = (f"{p['name']}={_cut(text(p['value']))}" for p in parameters if p.get("value") is not None)
        row += [_counts(status), ",".join(given)]
    return row


def _counts(status: _Object) -> str:
    """Pods pending, running, completed."""
    phases = [node.get("phase") for node in (status.get("nodes") or {}).values() if node.get("type") == "Pod"]
    done, running = sum(phase in _DONE for phase in phases), phases.count("Running")
    return f"{len(phases) - done - running}/{running}/{done}"


def _cut(value: str) -> str:
    """To 50 characters, of which 15 are the value's last."""
    return value if len(value) <= 50 else f"{value[:32]}...{value[-15:]}"


def _costs(workflows: Sequence[_Object]) -> str:
    completed = sum((one.get("status") or {}).get("phase") in _ENDED for one in workflows)
    counts = ((len(workflows) - completed, "incomplete"), (completed, "completed"))
    many = [f"{count} {what} " for count, what in counts if count > _MANY]
    if not many:
        return ""
    return (
        f"\nYou have at least {'and '.join(many)}workflows. Reducing the total number of workflows will reduce your "
        "costs.\nLearn more at https://argo-workflows.readthedocs.io/en/latest/cost-optimisation/\n"
    )
