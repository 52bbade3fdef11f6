"""What a store is: objects under keys, one counter of revisions, and the changes after any revision still kept.

Called by `kube.server` only, on one event loop. A write is decided at once against the newest state, gets its revision,
and is on disk before its future is done, before any watcher and any reader sees it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

from tiphys.kit.codec import Struct, field

__all__ = ["Change", "ChangeType", "Decision", "Delete", "Key", "Put", "Record", "Store", "Watching"]

ChangeType = Literal["ADDED", "MODIFIED", "DELETED"]


class Key(NamedTuple):
    """Where an object is kept; namespace is "" for a cluster-scoped one."""

    group: str
    resource: str
    namespace: str
    name: str


class Record(Struct, frozen=True):
    """An object as it is kept.

    Attributes:
        revision: of its last change; also its metadata.resourceVersion.
        created: the revision it was created at.
        value: the object as JSON, with its resourceVersion, without its parts.
        parts: what is kept a row each because it changes piecemeal (a Workflow's status.nodes): id to JSON.
            Shared and live: it shows the newest committed parts, not those of this revision, so that a change of one
            part costs one part. Read it, never write it.
    """

    key: Key
    revision: int
    created: int
    uid: str
    labels: Mapping[str, str]
    value: bytes
    parts: Mapping[str, bytes] = field(default_factory=dict)


class Put(Struct, frozen=True):
    """Decision to write: the object without its parts; `parts` only those that change, None for one that goes."""

    value: dict[str, Any]
    parts: Mapping[str, bytes | None] = field(default_factory=dict)


class Delete(Struct, frozen=True):
    """Decision to remove; `value`, if given, is the last state watchers are shown."""

    value: dict[str, Any] | None = None


Decision = Put | Delete | None  # None: leave it as it is; the future gives the present record


class Change(Struct, frozen=True):
    """One committed change; `before` is None for ADDED."""

    type: ChangeType
    record: Record
    before: Record | None


class Watching(Protocol):
    """A watch under way: batches of changes, until it is closed."""

    def __aiter__(self) -> AsyncIterator[Sequence[Change]]:
        """Itself."""
        ...

    async def __anext__(self) -> Sequence[Change]:
        """The next batch; ApiError 410 when the reader fell too far behind."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class Store(Protocol):
    """See the module. `sqlite.SqliteStore` is the real one, `memory.MemoryStore` its twin for tests."""

    @property
    def revision(self) -> int:
        """The newest committed revision."""
        ...

    @property
    def compacted(self) -> int:
        """Changes up to and including this revision can no longer be watched."""
        ...

    def get(self, key: Key) -> Record | None:
        """The committed record."""
        ...

    def list(self, group: str, resource: str, namespace: str = "") -> list[Record]:
        """The committed records of a resource, ordered by (namespace, name); "" is every namespace."""
        ...

    def mutate(self, key: Key, decide: Callable[[Record | None], Decision]) -> asyncio.Future[Record | None]:
        """Change one object.

        `decide` is called before this returns, with the newest record (its commit may still be under way). The future
        is done when the change is on disk: the new record, after a Delete the last. A TiphysError of `decide` is raised
        here where the record is committed, else by the future once it is: nobody hears of a state before readers can
        see it.

        Raises:
            StoreError: the disk is full or read-only; nothing was changed (through the future).
        """
        ...

    def tell(self, group: str, committed: Callable[[Key], None]) -> None:
        """Call `committed` for each change of an API group from now on: when readers see it, before watchers do."""
        ...

    def watch(self, group: str, resource: str, namespace: str = "", *, after: int) -> Watching:
        """Committed changes after a revision, in order, in batches as they come.

        Raises:
            ApiError: 410 Expired, when `after` is older than `compacted`, or the reader fell too far behind.
        """
        ...

    async def close(self) -> None:
        """Write what is under way and let go of the file."""
        ...
