"""The workflow's own status, labels and annotations, apart from its nodes: what they are, and what an event changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["COMPLETED_LABEL", "FINAL", "PHASE_LABEL", "Status"]

PHASE_LABEL: Final = "workflows.argoproj.io/phase"
COMPLETED_LABEL: Final = "workflows.argoproj.io/completed"
FINAL: Final = frozenset(("Succeeded", "Failed", "Error"))


class Status:
    """Reads as the status stands; `take_changes` gives what differs from what was taken last, as merge patches."""

    def __init__(self, workflow: Mapping[str, Any]) -> None:
        meta, status = workflow["metadata"], workflow.get("status") or {}
        self._fields: dict[str, Any] = {key: value for key, value in status.items() if key != "nodes"}
        self.labels: dict[str, str] = dict(meta.get("labels") or {})
        self.annotations: dict[str, str] = dict(meta.get("annotations") or {})
        self._changed: dict[str, Any] = {}
        self._labels: dict[str, str | None] = {}
        self._annotations: dict[str, str | None] = {}

    @property
    def phase(self) -> str:
        """ "" for a workflow nobody has looked at yet."""
        return self._fields.get("phase") or ""

    @property
    def finished(self) -> bool:
        """The phase is a final one."""
        return self.phase in FINAL

    def get(self, field: str) -> Any:
        """A field of the status; None where there is none."""
        return self._fields.get(field)

    def set(self, field: str, value: Any) -> None:
        """A field of the status; None takes it away."""
        if self._fields.get(field) != value:
            self._fields[field] = value
            self._changed[field] = value

    def merge(self, field: str, entries: Mapping[str, Any]) -> None:
        """More entries for a map in the status, e.g. storedTemplates."""
        if entries:
            self._fields[field] = {**(self._fields.get(field) or {}), **entries}
            self._changed[field] = {**(self._changed.get(field) or {}), **entries}

    def label(self, name: str, value: str) -> None:
        """A label of the workflow."""
        if self.labels.get(name) != value:
            self.labels[name] = self._labels[name] = value

    def annotate(self, name: str, value: str) -> None:
        """An annotation of the workflow."""
        if self.annotations.get(name) != value:
            self.annotations[name] = self._annotations[name] = value

    def condition(self, kind: str, value: str) -> None:
        """A condition, `value` "True" or "False", in the place where it stood."""
        conditions = self._fields.get("conditions") or []
        row = {"type": kind, "status": value}
        if any(known.get("type") == kind for known in conditions):
            conditions = [row if known.get("type") == kind else known for known in conditions]
        else:
            conditions = [*conditions, row]
        self.set("conditions", conditions)

    def take_changes(self) -> tuple[dict[str, Any], dict[str, str | None], dict[str, str | None]]:
        """What changed of status, labels and annotations since the last call."""
        changed = self._changed, self._labels, self._annotations
        self._changed, self._labels, self._annotations = {}, {}, {}
        return changed
