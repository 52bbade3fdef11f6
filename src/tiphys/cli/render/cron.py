"""CronWorkflows as `argo cron get` and `argo cron list` print them, but for the next time, which is not reckoned."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from tiphys.cli.render.columns import columns
from tiphys.cli.render.humanize import moment, short, timestamp
from tiphys.cli.render.workflow import field, text

__all__ = ["cron_table", "cron_text"]

_Object = Mapping[str, Any]
_WIDTH = 30


def cron_text(cron: _Object, now: dt.datetime) -> str:
    """The block of one."""
    meta, spec, status = cron["metadata"], cron["spec"], cron.get("status") or {}
    rows: list[tuple[str, object]] = [
        ("Name:", meta["name"]),
        ("Namespace:", meta["namespace"]),
        ("Created:", timestamp(moment(meta.get("creationTimestamp")), now)),
        ("Schedules:", _schedules(spec)),
        ("Suspended:", text(bool(spec.get("suspend")))),
    ]
    for name, key in (
        ("Timezone:", "timezone"),
        ("StartingDeadlineSeconds:", "startingDeadlineSeconds"),
        ("ConcurrencyPolicy:", "concurrencyPolicy"),
    ):
        if spec.get(key) not in (None, ""):
            rows.append((name, spec[key]))
    if last := moment(status.get("lastScheduledTime")):
        rows.append(("LastScheduledTime:", timestamp(last, now)))
    if status.get("active"):
        rows.append(("Active Workflows:", ", ".join(one.get("name", "") for one in status["active"])))
    parameters = ((spec.get("workflowSpec") or {}).get("arguments") or {}).get("parameters") or ()
    if parameters:
        rows.append(("Workflow Parameters:", ""))
        rows += [(f"  {one['name']}:", text(one["value"])) for one in parameters if one.get("value") is not None]
    return "".join(field(name, value, _WIDTH) for name, value in rows)


def cron_table(crons: Sequence[_Object], now: dt.datetime, *, namespaces: bool = False) -> str:
    """A line each."""
    rows = [["NAMESPACE"] * namespaces + ["NAME", "AGE", "LAST RUN", "NEXT RUN", "SCHEDULES", "TIMEZONE", "SUSPENDED"]]
    for cron in crons:
        meta, spec = cron["metadata"], cron["spec"]
        last = moment((cron.get("status") or {}).get("lastScheduledTime"))
        rows.append(
            [meta["namespace"]] * namespaces
            + [
                meta["name"],
                short(moment(meta.get("creationTimestamp")), now, now),
                short(last, now, now) if last else "N/A",
                "N/A",
                _schedules(spec),
                spec.get("timezone") or "",
                text(bool(spec.get("suspend"))),
            ]
        )
    return columns(rows, 3)


def _schedules(spec: _Object) -> str:
    return ",".join(spec.get("schedules") or ([spec["schedule"]] if spec.get("schedule") else []))
