"""The store: revisions, watches, durability, and what can go wrong with a disk."""

import asyncio
import contextlib
import os
import pathlib
import random
import sqlite3
from collections.abc import Callable

import pytest

from tiphys.errors import ApiError, StoreError
from tiphys.kit.codec import decode
from tiphys.kube.store.api import Decision, Delete, Key, Put, Record, Store
from tiphys.kube.store.memory import MemoryStore
from tiphys.kube.store.sqlite import SqliteStore

SEALED = frozenset({("", "secrets")})


def key(name: str, resource: str = "configmaps", namespace: str = "default") -> Key:
    return Key("", resource, namespace, name)


def put(name: str, data: str = "", **parts: bytes | None) -> Callable[[Record | None], Decision]:
    return lambda _: Put({"metadata": {"name": name, "uid": "u-" + name, "labels": {"l": data}}, "data": data}, parts)


def gone(_: Record | None) -> Decision:
    return Delete()


@pytest.fixture(params=["memory", "sqlite"])
def opened(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Callable[[], Store]:
    return MemoryStore if request.param == "memory" else lambda: SqliteStore(tmp_path / "db", SEALED)


def test_revisions_grow_and_are_the_resource_version(opened: Callable[[], Store]) -> None:
    async def scenario() -> None:
        store = opened()
        first, second = await store.mutate(key("a"), put("a")), await store.mutate(key("a"), put("a", "2"))
        assert first is not None
        assert second is not None
        assert (first.revision, second.revision, second.created) == (1, 2, 1)
        assert decode(second.value)["metadata"]["resourceVersion"] == "2"
        assert store.get(key("a")) == second
        assert store.revision == 2
        await store.close()

    asyncio.run(scenario())


def test_a_refusal_is_told_when_readers_can_see_what_it_rests_on(opened: Callable[[], Store]) -> None:
    async def scenario() -> None:
        store = opened()
        await store.mutate(key("a"), put("a"))

        def refuse(record: Record | None) -> Decision:
            assert record is None
            raise ApiError(404, "NotFound", "gone")

        deleted = store.mutate(key("a"), gone)
        refused = store.mutate(key("a"), refuse)
        assert store.get(key("a")) is not None
        assert not refused.done()
        with pytest.raises(ApiError, match="gone"):
            await refused
        assert deleted.done()
        assert store.get(key("a")) is None
        with pytest.raises(ApiError, match="gone"):
            store.mutate(key("a"), refuse)  # of what is committed, at once
        await store.close()

    asyncio.run(scenario())


def test_a_refusal_that_rests_on_what_is_lost_is_lost_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        store = MemoryStore()
        await store.mutate(key("a"), put("a"))
        monkeypatch.setattr(store, "_keep", lambda rows, done: done(StoreError("full")))
        deleted, refused = store.mutate(key("a"), gone), store.mutate(key("a"), _not_found)
        for future in (deleted, refused):
            with pytest.raises(StoreError, match="full"):
                await future
        assert store.get(key("a")) is not None

    asyncio.run(scenario())


def _not_found(_: Record | None) -> Decision:
    raise ApiError(404, "NotFound", "gone")


def test_a_decision_sees_what_is_not_yet_committed_and_readers_do_not(opened: Callable[[], Store]) -> None:
    async def scenario() -> None:
        store = opened()
        seen: list[Record | None] = []

        def look(record: Record | None) -> Decision:
            seen.append(record)
            return None

        future = store.mutate(key("a"), put("a"))
        looked = store.mutate(key("a"), look)
        assert store.get(key("a")) is None
        assert seen[0] is not None
        assert seen[0].revision == 1
        await asyncio.gather(future, looked)
        assert store.get(key("a")) is not None
        await store.close()

    asyncio.run(scenario())


def test_a_watch_gives_every_change_after_a_revision_in_order(opened: Callable[[], Store]) -> None:
    async def scenario() -> None:
        store = opened()
        await store.mutate(key("a"), put("a"))
        watch = store.watch("", "configmaps", after=1)
        past = store.watch("", "configmaps", "default", after=0)
        other = store.watch("", "configmaps", "elsewhere", after=0)
        await asyncio.gather(store.mutate(key("a"), put("a", "2")), store.mutate(key("b"), put("b")))
        await store.mutate(key("a"), gone)
        for reader, wanted in ((watch, "MODIFIED ADDED DELETED"), (past, "ADDED MODIFIED ADDED DELETED")):
            got: list[str] = []
            while len(got) < len(wanted.split()):
                got += [change.type for change in await asyncio.wait_for(anext(reader), 5)]
            assert got == wanted.split()
        other.close()
        with pytest.raises(StopAsyncIteration):
            await anext(other)
        await store.close()

    asyncio.run(scenario())


def test_parts_change_one_by_one_and_go_with_their_object(opened: Callable[[], Store]) -> None:
    async def scenario() -> None:
        store = opened()
        await store.mutate(key("w"), put("w", n1=b"1", n2=b"2"))
        record = await store.mutate(key("w"), put("w", n1=None, n3=b"3"))
        assert record is not None
        assert dict(record.parts) == {"n2": b"2", "n3": b"3"}
        await store.mutate(key("w"), gone)
        again = await store.mutate(key("w"), put("w"))
        assert again is not None
        assert dict(again.parts) == {}
        await store.close()

    asyncio.run(scenario())


def test_everything_is_there_after_a_restart_and_secrets_are_not_readable(tmp_path: pathlib.Path) -> None:
    async def scenario() -> None:
        store = SqliteStore(tmp_path / "db", SEALED)
        await store.mutate(key("a"), put("a", n1=b"1", n2=b"2"))
        await store.mutate(key("a"), put("a", "new", n1=b"9"))
        await store.mutate(key("s", "secrets"), put("s", "hunter2-plain"))
        await store.mutate(key("b"), put("b"))
        await store.mutate(key("b"), gone)
        await store.close()
        for file in tmp_path.iterdir():
            assert b"hunter2-plain" not in file.read_bytes()
        assert (tmp_path / "db.key").stat().st_mode & 0o777 == 0o600
        store = SqliteStore(tmp_path / "db", SEALED)
        assert [r.key.name for r in store.list("", "configmaps")] == ["a"]
        kept, secret = store.get(key("a")), store.get(key("s", "secrets"))
        assert kept is not None
        assert secret is not None
        assert dict(kept.parts) == {"n1": b"9", "n2": b"2"}
        assert decode(secret.value)["data"] == "hunter2-plain"
        watch = store.watch("", "configmaps", after=1)
        assert [c.type for c in await anext(watch)] == ["MODIFIED", "ADDED", "DELETED"]
        assert (await store.mutate(key("c"), put("c"))).revision == 6  # type: ignore[union-attr]
        await store.close()

    asyncio.run(scenario())


def test_a_commit_that_fails_changes_nothing(tmp_path: pathlib.Path) -> None:
    async def scenario() -> None:
        store = MemoryStore()
        await store.mutate(key("a"), put("a", n1=b"1"))
        store.fail = StoreError("the disk is full")
        failing = [store.mutate(key("a"), put("a", "2", n1=b"2")), store.mutate(key("b"), put("b"))]
        for result in await asyncio.gather(*failing, return_exceptions=True):
            assert isinstance(result, StoreError)
        kept = store.get(key("a"))
        assert kept is not None
        assert (kept.revision, dict(kept.parts), store.get(key("b"))) == (1, {"n1": b"1"}, None)
        store.fail = None
        assert await store.mutate(key("a"), put("a", "3")) is not None

    asyncio.run(scenario())


def test_a_disk_that_is_full_is_an_error_and_room_mends_it(tmp_path: pathlib.Path) -> None:
    async def scenario() -> None:
        store = SqliteStore(tmp_path / "db")
        await store.mutate(key("a"), put("a"))
        store._database.execute("PRAGMA max_page_count = 1")  # SQLite's own way to a full disk
        with pytest.raises(StoreError, match="full"):
            await store.mutate(key("b"), put("b", "x" * 100_000))
        store._database.execute("PRAGMA max_page_count = 100000")
        assert await store.mutate(key("b"), put("b", "x" * 100_000)) is not None
        await store.close()

    asyncio.run(scenario())


def test_a_commit_of_many_is_whole_and_so_is_its_compaction(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiphys.kube.store.sqlite.HISTORY", 10)
    names = [f"o{number}" for number in range(300)]

    async def scenario() -> None:
        store = SqliteStore(tmp_path / "db", SEALED)
        for data in ("1", "2", "3"):
            await asyncio.gather(*(store.mutate(key(name), put(name, data)) for name in names))
        await store.close()
        store = SqliteStore(tmp_path / "db", SEALED)
        records = [store.get(key(name)) for name in names]
        assert [decode(record.value)["data"] for record in records if record is not None] == ["3"] * len(names)
        await store.close()

    asyncio.run(scenario())
    with contextlib.closing(sqlite3.connect(tmp_path / "db")) as database:
        (rows,) = database.execute("SELECT count(*) FROM log").fetchone()
    assert rows < 3 * len(names) - 200


def test_the_log_is_compacted_and_old_watches_are_told(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tiphys.kube.store.sqlite.HISTORY", 10)
    monkeypatch.setattr("tiphys.kube.store.hub.HISTORY", 10)

    async def scenario() -> None:
        store = SqliteStore(tmp_path / "db")
        for n in range(100):
            await store.mutate(key("a"), put("a", str(n), node=str(n).encode()))
        with pytest.raises(ApiError, match="too old resource version"):
            store.watch("", "configmaps", after=1)
        await store.close()
        rows = sqlite3.connect(tmp_path / "db").execute("SELECT count(*) FROM log").fetchone()[0]
        assert rows < 30
        store = SqliteStore(tmp_path / "db")
        with pytest.raises(ApiError, match="too old resource version"):
            store.watch("", "configmaps", after=1)
        kept = store.get(key("a"))
        assert kept is not None
        assert decode(kept.value)["data"] == "99"
        await store.close()

    asyncio.run(scenario())


def test_a_second_process_is_told_who_has_it(tmp_path: pathlib.Path) -> None:
    async def scenario() -> None:
        store = SqliteStore(tmp_path / "db")
        with pytest.raises(StoreError, match=f"in use by process {os.getpid()}"):
            SqliteStore(tmp_path / "db")
        await store.close()
        await SqliteStore(tmp_path / "db").close()

    asyncio.run(scenario())


def test_newer_damaged_and_foreign_files_are_left_alone(tmp_path: pathlib.Path) -> None:
    async def scenario() -> None:
        path = tmp_path / "db"
        await SqliteStore(path).close()
        with sqlite3.connect(path) as database:
            database.execute("PRAGMA user_version = 99")
        database.close()
        with pytest.raises(StoreError, match="newer Tiphys"):
            SqliteStore(path)
        path.write_bytes(b"this is no database at all, " * 100)
        with pytest.raises(StoreError, match="damaged"):
            SqliteStore(path)
        assert path.read_bytes().startswith(b"this is no database")
        path.unlink()
        with sqlite3.connect(path) as database:
            database.execute("CREATE TABLE t (x)")
        database.close()
        with pytest.raises(StoreError, match="not a database of Tiphys"):
            SqliteStore(path)

    asyncio.run(scenario())


def test_a_key_file_others_can_read_is_refused(tmp_path: pathlib.Path) -> None:
    async def scenario() -> None:
        await SqliteStore(tmp_path / "db", SEALED).close()
        (tmp_path / "db.key").chmod(0o644)
        with pytest.raises(StoreError, match="chmod 600"):
            SqliteStore(tmp_path / "db", SEALED)

    asyncio.run(scenario())


@pytest.mark.parametrize("seed", range(40))
def test_a_database_with_a_damaged_byte_opens_or_is_refused_and_stays_as_it_is(
    tmp_path: pathlib.Path, seed: int
) -> None:
    async def fill() -> None:
        store = SqliteStore(tmp_path / "db", SEALED)
        for number in range(60):
            resource = ("configmaps", "secrets")[number % 2]
            await store.mutate(key(f"o{number}", resource), put(f"o{number}", "v" * number * 9, n=b'{"a":1}'))
        await store.close()

    async def reopen() -> None:
        await SqliteStore(tmp_path / "db", SEALED).close()

    asyncio.run(fill())
    path, chance = tmp_path / "db", random.Random(seed)
    data = bytearray(path.read_bytes())
    for _ in range(10):
        data[chance.randrange(len(data))] = chance.randrange(256)
    path.write_bytes(data)
    with contextlib.suppress(StoreError):
        asyncio.run(reopen())
        return  # what was hit is not looked at, or a letter became another one
    assert path.read_bytes() == data
