"""A watch as clients see it: selectors decide what is ADDED or DELETED; a slow reader of parts gets the newest.

Called by `api`. Events carry records; `streams` and `inprocess` make of them what their side reads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from tiphys.kube.store.api import Change, Record, Watching

__all__ = ["ObjectWatch", "RecordEvent"]


class RecordEvent(NamedTuple):
    """One event of a watch. BOOKMARK has no record: what there was at the start has been shown, see `ObjectWatch`."""

    type: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
    record: Record | None


class ObjectWatch:
    """Batches of events; the first may be what was there at the start.

    Attributes:
        start: the revision the watch began at; a BOOKMARK is of this revision.
    """

    def __init__(
        self,
        watch: Watching,
        start: int,
        present: Sequence[Record] = (),
        accepts: Callable[[Record], bool] | None = None,
        *,
        tell_start: bool = False,
    ) -> None:
        self._watch = watch
        self._accepts = accepts
        self._first = [RecordEvent("ADDED", r) for r in present if accepts is None or accepts(r)]
        if tell_start:
            self._first.append(RecordEvent("BOOKMARK", None))
        self.start = start

    def __aiter__(self) -> ObjectWatch:
        return self

    async def __anext__(self) -> list[RecordEvent]:
        if self._first:
            first, self._first = self._first, []
            return first
        while True:
            changes = await anext(self._watch)
            events = [event for change in changes if (event := self._event(change)) is not None]
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
