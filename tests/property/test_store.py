"""Both stores do what a page of plain Python does, whatever happens to them: a restart and a full disk included."""

import asyncio
import dataclasses
import pathlib
import tempfile
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tiphys.errors import StoreError
from tiphys.kit.codec import decode
from tiphys.kube.store.api import Decision, Delete, Key, Put, Record, Store
from tiphys.kube.store.memory import MemoryStore
from tiphys.kube.store.sqlite import SqliteStore

SEALED = frozenset({("", "secrets")})
KEYS = st.builds(
    Key, st.just(""), st.sampled_from(("pods", "secrets")), st.sampled_from(("a", "b")), st.sampled_from("xy")
)
PARTS = st.dictionaries(st.sampled_from(("n1", "n2", "n3")), st.sampled_from((b"1", b"2", None)), max_size=3)
PUT = st.tuples(st.just("put"), KEYS, st.integers(0, 9), PARTS)
WRITE = st.one_of(PUT, PUT, st.tuples(st.sampled_from(("delete", "look")), KEYS, st.just(0), st.just({})))


@dataclasses.dataclass(frozen=True)
class Kept:
    """An object as the model keeps it."""

    revision: int
    created: int
    data: int
    parts: dict[str, bytes]


class Model:
    """What a store is, without what makes it fast or durable."""

    def __init__(self) -> None:
        self.objects: dict[Key, Kept] = {}
        self.history: list[tuple[str, Key, int, int]] = []  # type, key, revision, revision before
        self.last = 0

    def write(self, what: str, key: Key, data: int, parts: dict[str, bytes | None]) -> Kept | None:
        before = self.objects.get(key)
        if what == "look" or (what == "delete" and before is None):
            return before
        self.last += 1
        if what == "delete":
            assert before is not None
            self.history.append(("DELETED", key, self.last, before.revision))
            del self.objects[key]
            return dataclasses.replace(before, revision=self.last)
        merged = {**(before.parts if before else {}), **parts}
        now = {name: part for name, part in merged.items() if part is not None}
        created, was = (before.created, before.revision) if before else (self.last, 0)
        self.objects[key] = Kept(self.last, created, data, now)
        self.history.append(("MODIFIED" if before else "ADDED", key, self.last, was))
        return self.objects[key]

    def listed(self, resource: str, namespace: str) -> list[tuple[Key, Kept]]:
        keys = sorted(k for k in self.objects if k.resource == resource and namespace in ("", k.namespace))
        return [(key, self.objects[key]) for key in keys]


def kept(record: Record | None) -> Kept | None:
    """A record in the model's words; checks what the record says twice."""
    if record is None:
        return None
    value = decode(record.value)
    assert value["metadata"]["resourceVersion"] == str(record.revision)
    assert (value["metadata"]["uid"], value["metadata"]["labels"]) == (record.uid, record.labels)
    return Kept(record.revision, record.created, value["data"], dict(record.parts))


class Stores(RuleBasedStateMachine):
    """One loop, two stores and the model, the same decisions."""

    @initialize()
    def open(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.folder.name) / "db"
        self.model, self.memory, self.disk = Model(), MemoryStore(), SqliteStore(self.path, SEALED)

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self.loop.run_until_complete(self.disk.close())
            self.loop.close()
            self.folder.cleanup()

    def stores(self) -> tuple[Store, Store]:
        return self.memory, self.disk

    async def apply(self, store: Store, writes: list[Any]) -> tuple[list[Kept | None], list[Any]]:
        """What each decision saw, and what each future gave; all are decided before the first is committed."""
        seen: list[Kept | None] = []

        def decide(before: Record | None, what: str, key: Key, data: int, parts: dict[str, bytes | None]) -> Decision:
            seen.append(kept(before))
            if what == "put":
                meta = {"name": key.name, "uid": f"u{data}", "labels": {"l": str(data)}}
                return Put({"metadata": meta, "data": data}, parts)
            return Delete() if what == "delete" else None

        committed = [kept(record) for record in store.list("", "pods")]
        futures = [store.mutate(w[1], lambda before, w=w: decide(before, *w)) for w in writes]
        assert [kept(record) for record in store.list("", "pods")] == committed
        return seen, await asyncio.gather(*futures, return_exceptions=True)

    @rule(writes=st.lists(WRITE, min_size=1, max_size=6))
    def write(self, writes: list[Any]) -> None:
        saw, results = [], []
        for write in writes:
            saw.append(self.model.objects.get(write[1]))
            results.append(self.model.write(*write))
        for store in self.stores():
            seen, got = self.loop.run_until_complete(self.apply(store, writes))
            assert seen == saw
            assert [r and (r.revision, r.created) for r in results] == [r and (r.revision, r.created) for r in got]

    @rule(writes=st.lists(WRITE, min_size=1, max_size=4), after=PUT)
    def write_to_a_full_disk(self, writes: list[Any], after: Any) -> None:
        self.memory.fail = StoreError("full")
        self.disk._database.execute("PRAGMA query_only = ON")
        for store in self.stores():
            _, got = self.loop.run_until_complete(self.apply(store, writes))
            changing = any(write[0] == "put" for write in writes)
            assert not changing or any(isinstance(result, StoreError) for result in got)
        self.memory.fail = None
        self.disk._database.execute("PRAGMA query_only = OFF")
        # What was lost took its revisions with it.
        self.model.last = self.memory._last
        self.write([after])

    @rule()
    def restart(self) -> None:
        self.loop.run_until_complete(self.disk.close())
        self.disk = SqliteStore(self.path, SEALED)

    @precondition(lambda self: self.model.last)
    @rule(data=st.data(), namespace=st.sampled_from(("", "a")))
    def watch(self, data: st.DataObject, namespace: str) -> None:
        after = data.draw(st.integers(0, self.model.last))
        wanted = [
            change
            for change in self.model.history
            if change[2] > after and change[1].resource == "pods" and namespace in ("", change[1].namespace)
        ]

        async def past(store: Store) -> list[Any]:
            watch = store.watch("", "pods", namespace, after=after)
            watch.close()
            return [change async for batch in watch for change in batch]

        for store in self.stores():
            got = [
                (c.type, c.record.key, c.record.revision, c.before.revision if c.before else 0)
                for c in self.loop.run_until_complete(past(store))
            ]
            # Of an object in parts only the newest of several MODIFIED comes: no other change may be missing.
            assert [c for c in got if c[0] != "MODIFIED"] == [c for c in wanted if c[0] != "MODIFIED"]
            assert {c[:3] for c in got} <= {c[:3] for c in wanted}
            assert {(c[1], c[2]) for c in wanted if c[2] == self.last_of(wanted, c[1])} <= {(c[1], c[2]) for c in got}

    @staticmethod
    def last_of(changes: list[Any], key: Key) -> int:
        return max(change[2] for change in changes if change[1] == key)

    @invariant()
    def all_show_the_same(self) -> None:
        if not hasattr(self, "model"):
            return
        for store in self.stores():
            assert store.revision == (self.model.history[-1][2] if self.model.history else 0)
            for resource in ("pods", "secrets"):
                for namespace in ("", "a"):
                    listed = [(record.key, kept(record)) for record in store.list("", resource, namespace)]
                    assert listed == self.model.listed(resource, namespace)


Stores.TestCase.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
TestStores = Stores.TestCase
