"""A watch as clients see it: selectors decide what is ADDED or DELETED; a slow reader of parts gets the newest.

Called by `api`. Events carry records; `http` and `inprocess` make of them what their side reads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from tiphys.kube.store.api import Change, Record, Watching

__all__ = ["ObjectWatch", "RecordEvent"]


class RecordEvent(NamedTuple):
    """One event of a watch."""

    type: Literal["ADDED", "MODIFIED", "DELETED"]
    record: Record


class ObjectWatch:
    """Batches of events; the first may be what was there at the start."""

    def __init__(
        self, watch: Watching, present: Sequence[Record], accepts: Callable[[Record], bool] | None = None
    ) -> None:
        self._watch = watch
        self._accepts = accepts
        self._present = [RecordEvent("ADDED", r) for r in present if accepts is None or accepts(r)]
        self._started = False
        self.revision = max((r.revision for r in present), default=0)

    def __aiter__(self) -> ObjectWatch:
        return self

    async def __anext__(self) -> list[RecordEvent]:
        if not self._started:
            self._started = True
            if self._present:
                return self._present
        while True:
            changes = await anext(self._watch)
            self.revision = changes[-1].record.revision
            events = [event for change in _newest(changes) if (event := self._event(change)) is not None]
            if events:
                return events

    def close(self) -> None:
        """End it."""
        self._watch.close()

    def _event(self, change: Change) -> RecordEvent | None:
        if self._accepts is None:
            return RecordEvent(change.type, change.record)
        was = change.before is not None and self._accepts(change.before)
        now = change.type != "DELETED" and self._accepts(change.record)
        if was and now:
            return RecordEvent("MODIFIED", change.record)
        if now:
            return RecordEvent("ADDED", change.record)
        return RecordEvent("DELETED", change.record) if was else None


def _newest(changes: Sequence[Change]) -> Sequence[Change]:
    """Of several MODIFIED in a row of one object in parts, only the last: its parts are those of the last anyway."""
    if not any(change.record.parts for change in changes):
        return changes
    last = {change.record.key: index for index, change in enumerate(changes)}
    return [
        change
        for index, change in enumerate(changes)
        if change.type != "MODIFIED" or not change.record.parts or last[change.record.key] == index
    ]
