"""A node of a workflow: its row in `status.nodes`, as attributes. Read and written by `tree` and the executions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final

__all__ = ["COMPLETED", "EXECUTABLE", "FAILED", "FULFILLED", "Node", "Tally"]

FAILED: Final = frozenset(("Failed", "Error"))
COMPLETED: Final = FAILED | {"Succeeded"}
FULFILLED: Final = COMPLETED | {"Skipped", "Omitted"}
EXECUTABLE: Final = frozenset(("Pod", "HTTP", "Suspend", "Plugin", "Container"))
"""Types that do work of their own; progress counts these."""

_FIELDS: Final = {
    "id": "id",
    "name": "name",
    "displayName": "display_name",
    "type": "type",
    "templateName": "template_name",
    "templateRef": "template_ref",
    "templateScope": "template_scope",
    "phase": "phase",
    "boundaryID": "boundary_id",
    "message": "message",
    "startedAt": "started_at",
    "finishedAt": "finished_at",
    "progress": "progress",
    "resourcesDuration": "resources",
    "nodeFlag": "flag",
    "podIP": "pod_ip",
    "hostNodeName": "host",
    "taskResultSynced": "synced",
    "inputs": "inputs",
    "outputs": "outputs",
}
_VALUES: Final = attrgetter(*_FIELDS.values())


@dataclass(slots=True)
class Tally:
    """What has been done under a node: steps done and known of, nodes not fulfilled yet, resources used."""

    done: int = 0
    total: int = 0
    open: int = 0
    used: dict[str, int] = field(default_factory=dict)

    @property
    def progress(self) -> str:
        """As in `status.progress`; "" where there is nothing to do."""
        return f"{self.done}/{self.total}" if self.total else ""

    def use(self, resources: Mapping[str, int]) -> None:
        """Add what one pod used."""
        for name, amount in resources.items():
            self.used[name] = self.used.get(name, 0) + amount


@dataclass(slots=True, eq=False)
class Node:
    """One node. Moments are text, as in the API, so that a reopened run reckons with the same ones.

    Attributes:
        children: ids in the order they were linked (the values mean nothing).
        outbound: ids of the last nodes within a Steps or DAG node; None until it has ended.
        flag: nodeFlag; None where the API has none, {} where it shows an empty one.
        extra: fields of the row that this engine does not read; they are written back.
        parent: the node whose tally counts this one; None for those directly under the workflow.
        tally: of what is below; None while there is nothing.
        said: the row as last written has a message.
    """

    id: str
    name: str
    display_name: str
    type: str
    phase: str
    started_at: str
    template_name: str = ""
    template_ref: dict[str, Any] | None = None
    template_scope: str = ""
    boundary_id: str = ""
    message: str = ""
    finished_at: str = ""
    progress: str = ""
    resources: dict[str, int] | None = None
    flag: dict[str, bool] | None = None
    pod_ip: str = ""
    host: str = ""
    synced: bool | None = None
    inputs: dict[str, Any] | None = None
    outputs: dict[str, Any] | None = None
    children: dict[str, None] = field(default_factory=dict)
    outbound: list[str] | None = None
    extra: dict[str, Any] | None = None
    parent: Node | None = None
    tally: Tally | None = None
    said: bool = False

    @property
    def fulfilled(self) -> bool:
        """It has ended, or never had to begin."""
        return self.phase in FULFILLED

    @property
    def completed(self) -> bool:
        """It has run and ended."""
        return self.phase in COMPLETED

    @property
    def failed(self) -> bool:
        """Failed or Error."""
        return self.phase in FAILED

    @property
    def hooked(self) -> bool:
        """It belongs to a hook of its parent."""
        return bool(self.flag and self.flag.get("hooked"))

    @property
    def retried(self) -> bool:
        """It is one of the attempts of a Retry node. (Argo gives the flag to the Retry nodes of hooks, too.)"""
        return self.type != "Retry" and bool(self.flag and self.flag.get("retried"))

    @classmethod
    def from_api(cls, node_id: str, row: Mapping[str, Any]) -> Node:
        """A node out of `status.nodes`, where it stands as `node_id`; a client may have left out any of its fields."""
        known = {name: row[key] for key, name in _FIELDS.items() if row.get(key) is not None}
        name = known.setdefault("name", node_id)
        missing = {"display_name": name, "type": "", "phase": "Pending", "started_at": ""}
        known = {**missing, **known, "id": node_id}
        known["children"] = dict.fromkeys(row.get("children") or ())
        known["outbound"] = row.get("outboundNodes")
        extra = {key: value for key, value in row.items() if key not in _FIELDS}
        extra.pop("children", None)
        extra.pop("outboundNodes", None)
        return cls(**known, extra=extra or None, said="message" in known)

    def to_api(self) -> dict[str, Any]:
        """The row, a value of its own: later changes of the node do not reach it."""
        row = {
            key: value
            for key, value in zip(_FIELDS, _VALUES(self), strict=True)
            if value or value is False or (key == "nodeFlag" and value is not None)
        }
        if self.extra:
            row = {**self.extra, **row}
        if self.children:
            row["children"] = list(self.children)
        if self.outbound:
            row["outboundNodes"] = self.outbound
        return row
