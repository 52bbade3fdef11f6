"""Images kept between runs."""

import concurrent.futures
import errno
import fcntl
import hashlib
import os
import pathlib
import threading
from typing import BinaryIO

import pytest

from tiphys.errors import UsageError
from tiphys.obm.errors import ChecksumMismatch
from tiphys.obm.firmware.cache import Cache, cache_folder


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Origin:
    """Where an image comes from, counting how often."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.fetched = 0
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def __call__(self, file: BinaryIO) -> None:
        self.fetched += 1
        self.may_go_on.wait(10)
        file.write(self.data)


def take(folder: pathlib.Path, origin: Origin, *, most: int = 1 << 20, name: str = "fw.bin") -> bytes:
    cache = Cache(folder, lambda _: threading.Event().wait(0.01) or None, most=most)
    with cache.image(digest(origin.data), name, origin, lambda: None) as image:
        assert (image.name, image.size) == (name, len(origin.data))
        return b"".join(image.portions())


def test_an_image_is_fetched_once(tmp_path: pathlib.Path) -> None:
    origin = Origin(b"x" * 1000)
    assert take(tmp_path / "a", origin) == take(tmp_path / "a", origin, name="other.d9") == origin.data
    assert origin.fetched == 1
    assert Cache(tmp_path / "a", lambda _: None).find(digest(origin.data)) == 1000


def test_many_at_once_fetch_it_once(tmp_path: pathlib.Path) -> None:
    origin = Origin(b"y" * 300_000)
    origin.may_go_on.clear()
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        takes = [pool.submit(take, tmp_path, origin) for _ in range(6)]
        origin.may_go_on.set()
        assert {one.result(20) for one in takes} == {origin.data}
    assert origin.fetched == 1


def test_a_full_disk_is_told_with_the_way_out_and_leaves_nothing(tmp_path: pathlib.Path) -> None:
    def fetch(file: BinaryIO) -> None:
        file.write(b"x" * 100_000)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    cache = Cache(tmp_path, lambda _: None)
    with (
        pytest.raises(UsageError, match=r"cannot be kept in .*: No space left on device; --cache names another"),
        cache.image("0" * 64, "fw.bin", fetch, lambda: None),
    ):
        pass
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".lock"]


def test_what_was_spoilt_is_fetched_again(tmp_path: pathlib.Path) -> None:
    origin = Origin(b"z" * 1000)
    take(tmp_path, origin)
    (tmp_path / digest(origin.data)).write_bytes(b"spoilt")
    assert take(tmp_path, origin) == origin.data
    assert origin.fetched == 2


def test_a_fetch_that_fails_leaves_nothing(tmp_path: pathlib.Path) -> None:
    def fails(file: BinaryIO) -> None:
        file.write(b"half")
        raise ChecksumMismatch("another one")

    with (
        pytest.raises(ChecksumMismatch),
        Cache(tmp_path, lambda _: None).image("ab" * 32, "x", fails, lambda: None),
    ):
        pass
    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]


def test_those_used_longest_ago_go_first(tmp_path: pathlib.Path) -> None:
    origins = [Origin(bytes([number]) * 400) for number in range(4)]
    for moment, origin in enumerate(origins[:3]):
        take(tmp_path, origin)
        os.utime(tmp_path / digest(origin.data), (moment, moment))
    take(tmp_path, origins[0])  # used again
    take(tmp_path, origins[3], most=900)
    kept = {path.name for path in tmp_path.iterdir() if not path.suffix}
    assert kept == {digest(origins[3].data), digest(origins[0].data)}


def test_what_killed_processes_leave_is_swept_and_what_is_being_fetched_is_not(tmp_path: pathlib.Path) -> None:
    (tmp_path / "dead.part").write_bytes(b"x")
    (tmp_path / "dead.lock").write_bytes(b"")
    (tmp_path / "busy.part").write_bytes(b"x")
    with (tmp_path / "busy.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        take(tmp_path, Origin(b"q"))
        assert not (tmp_path / "dead.part").exists()
        assert (tmp_path / "busy.part").exists()


def test_without_a_place_of_its_own_a_temporary_one_serves(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("")
    origin = Origin(b"x")
    assert take(tmp_path / "file" / "below", origin) == b"x"


def test_where_it_is() -> None:
    assert cache_folder({"XDG_CACHE_HOME": "/c"}) == pathlib.Path("/c/tiphys/firmware")
    assert cache_folder({"HOME": "/h"}) == pathlib.Path("/h/.cache/tiphys/firmware")


def test_the_locks_that_nobody_holds_are_swept(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "a"
    take(folder, Origin(b"x" * 10))
    (folder / "left.lock").touch()
    with (folder / "held.lock").open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        origin = Origin(b"y" * 10)
        take(folder, origin)
    assert sorted(path.name for path in folder.glob("*.lock")) == ["held.lock"]


def test_a_lock_that_is_swept_while_somebody_waits_for_it_still_holds(tmp_path: pathlib.Path) -> None:
    """The one that waits takes a new one: else a third run would not see it."""
    folder = tmp_path / "a"
    folder.mkdir()
    origin = Origin(b"x" * 10)
    path = folder / f"{digest(origin.data)}.lock"
    waits = threading.Event()

    def look_again(_: float) -> None:
        waits.set()
        swept.wait(10)

    swept = threading.Event()
    with path.open("wb") as held, concurrent.futures.ThreadPoolExecutor(1) as pool:
        fcntl.flock(held, fcntl.LOCK_EX)
        cache = Cache(folder, look_again)

        def wait() -> bool:
            with cache._locked(path, lambda: None):
                return path.exists()

        waiting = pool.submit(wait)
        assert waits.wait(10)
        path.unlink()
        swept.set()
        assert waiting.result(10)
