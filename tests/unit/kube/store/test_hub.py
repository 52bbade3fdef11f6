"""Readers of a watch that do not keep up."""

import asyncio

import pytest

from tiphys.errors import ApiError, StoreError
from tiphys.kube.store.api import Decision, Delete, Key, Put, Record
from tiphys.kube.store.memory import MemoryStore
from tiphys.kube.store.sqlite import SqliteStore

WORKFLOW = Key("argoproj.io", "workflows", "ns", "w")


def put(value: int, **parts: bytes | None):
    def decide(_: Record | None) -> Decision:
        return Put({"metadata": {"name": "w", "uid": "u"}, "n": value}, parts)

    return decide


def test_changes_of_an_object_in_parts_collapse_but_never_across_its_deletion():
    async def scenario() -> None:
        store = MemoryStore()
        watch = store.watch("argoproj.io", "workflows", after=0)
        for n in range(3):
            await store.mutate(WORKFLOW, put(n, node=str(n).encode()))
        await store.mutate(WORKFLOW, lambda _: Delete())
        for n in range(3):
            await store.mutate(WORKFLOW, put(n, other=b"1"))
        batch = await anext(watch)
        assert [(c.type, c.record.revision, c.before and c.before.revision) for c in batch] == [
            ("ADDED", 1, None), ("MODIFIED", 3, 1), ("DELETED", 4, 3), ("ADDED", 5, None), ("MODIFIED", 7, 5),
        ]  # fmt: skip
        assert dict(batch[2].record.parts) == {"node": b"2"}
        assert dict(batch[4].record.parts) == {"other": b"1"}

    asyncio.run(scenario())


def test_a_reader_too_far_behind_is_told_and_costs_no_more_memory(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tiphys.kube.store.hub.BACKLOG", 10)

    async def scenario() -> None:
        store = MemoryStore()
        slow, kept_up = (store.watch("", "pods", after=0) for _ in range(2))
        for n in range(11):
            await store.mutate(Key("", "pods", "ns", f"p{n}"), put(n))
            assert len(await anext(kept_up)) == 1
        assert slow._waiting == []
        with pytest.raises(ApiError) as caught:
            await anext(slow)
        assert caught.value.code == 410

    asyncio.run(scenario())


def test_a_reader_is_too_far_behind_by_bytes_as_well(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tiphys.kube.store.hub.BACKLOG_BYTES", 1_000)
    pod = Key("", "pods", "ns", "p")

    async def scenario() -> None:
        store = MemoryStore()
        slow, kept_up = (store.watch("", "pods", after=0) for _ in range(2))
        record = await store.mutate(pod, put(0))
        assert record is not None
        times = 1_000 // len(record.value)
        for n in range(1, times):
            await store.mutate(pod, put(n % 10))
            assert await anext(kept_up)
        assert len(slow._waiting) == times
        await store.mutate(pod, put(1))
        assert slow._waiting == []
        with pytest.raises(ApiError) as caught:
            await anext(slow)
        assert caught.value.code == 410
        for n in range(times):  # what was taken does not count
            await store.mutate(pod, put(n % 10))
            assert await anext(kept_up)

    asyncio.run(scenario())


def test_parts_of_a_deleted_object_do_not_come_back_after_compaction(tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tiphys.kube.store.sqlite.HISTORY", 5)

    async def scenario() -> None:
        store = SqliteStore(tmp_path / "db")
        await store.mutate(WORKFLOW, put(1, a=b"1", b=b"2"))
        await store.mutate(WORKFLOW, lambda _: Delete())
        for n in range(10):
            await store.mutate(Key("", "pods", "ns", "p"), put(n))
        await store.close()
        store = SqliteStore(tmp_path / "db")
        record = await store.mutate(WORKFLOW, put(2, c=b"3"))
        assert record is not None
        assert dict(record.parts) == {"c": b"3"}
        await store.close()

    asyncio.run(scenario())


def test_readers_do_not_see_parts_before_they_are_committed():
    async def scenario() -> None:
        store = MemoryStore()
        await store.mutate(WORKFLOW, put(1, a=b"1"))
        future = store.mutate(WORKFLOW, put(2, a=b"2"))
        record = store.get(WORKFLOW)
        assert record is not None
        assert dict(record.parts) == {"a": b"1"}
        await future
        assert dict(record.parts) == {"a": b"2"}

    asyncio.run(scenario())


def test_a_closed_store_decides_nothing(tmp_path):
    async def scenario() -> None:
        store = SqliteStore(tmp_path / "db")
        last = store.mutate(WORKFLOW, put(1))
        await store.close()
        assert last.done()
        with pytest.raises(StoreError, match="the store is closed"):
            store.mutate(WORKFLOW, put(2))

    asyncio.run(scenario())
