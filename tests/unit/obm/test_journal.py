"""Two runs on one BMC by two names: who may log in, and when."""

import datetime as dt
import pathlib
from collections.abc import Callable
from functools import partial

import pytest

from tiphys.credentials.directory import DirectoryStore
from tiphys.obm.errors import Busy
from tiphys.obm.journal import Journal, Pace
from tiphys.obm.record import Record

BMC = "bmc/uuid/1"


class Clock:
    """Time that passes while somebody sleeps; what then happens is told to it."""

    def __init__(self) -> None:
        self.now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
        self.meanwhile: list[Callable[[], object]] = []

    def sleep(self, seconds: float) -> None:
        self.now += dt.timedelta(seconds=seconds)
        if self.meanwhile:
            self.meanwhile.pop(0)()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def journal(tmp_path: pathlib.Path, clock: Clock) -> Callable[..., Journal]:
    def of(device: str, patience: float = 0) -> Journal:
        pace = Pace(lambda: clock.now, clock.sleep)
        store = partial(DirectoryStore, tmp_path)
        return Journal(store(device), device, pace, f"run on {device}", beside=store, patience=patience)

    return of


@pytest.fixture
def on_disk(tmp_path: pathlib.Path) -> Callable[[], Record]:
    def read() -> Record:
        found = DirectoryStore(tmp_path, BMC).load_record()
        assert found is not None
        return found

    return read


def test_the_write_that_spends_the_first_log_in_takes_the_bmc(
    journal: Callable[..., Journal], on_disk: Callable[[], Record], tmp_path: pathlib.Path
) -> None:
    with journal("a") as own:
        own.bind(BMC, ())
        assert DirectoryStore(tmp_path, BMC).load_record() is None
        own.reserve("root")
        held = on_disk()
        assert held.holder is not None
        assert held.holder.name == "run on a"
        assert [(one.account, one.result) for one in held.attempts] == [("root", "reserved")]
    assert on_disk().holder is None


def test_a_run_that_came_between_the_look_and_the_log_in_is_waited_for_and_its_log_ins_count(
    journal: Callable[..., Journal], on_disk: Callable[[], Record], clock: Clock
) -> None:
    with journal("a", patience=600) as own:
        own.bind(BMC, ())
        other = journal("b").__enter__()
        other.bind(BMC, ())
        other.reserve("root")

        def ends() -> None:
            assert [one.result for one in on_disk().attempts] == ["reserved"]
            other.settle("miss")
            other.__exit__(None, None, None)

        clock.meanwhile.append(ends)
        own.reserve("root")
        assert [one.result for one in on_disk().attempts] == ["miss", "reserved"]
        assert on_disk().device == "a"


def test_without_patience_it_stops_and_spends_nothing(
    journal: Callable[..., Journal], on_disk: Callable[[], Record]
) -> None:
    with journal("a") as own, journal("b") as other:
        own.bind(BMC, ())
        other.bind(BMC, ())
        other.reserve("root")
        with pytest.raises(Busy, match="run on b"):
            own.reserve("root")
        assert len(on_disk().attempts) == 1


def test_a_bmc_is_held_while_its_log_in_is_waited_for(
    journal: Callable[..., Journal], on_disk: Callable[[], Record], clock: Clock
) -> None:
    with journal("a") as own:
        own.bind(BMC, ())
        for _ in range(2):
            own.reserve("root")
            own.settle("miss")
    seen: list[object] = []
    with journal("a", patience=600) as own:
        own.bind(BMC, ())
        clock.meanwhile.append(lambda: seen.append(on_disk().holder))
        own.reserve("root")
    assert None not in seen
    assert seen


def test_a_run_that_was_overtaken_takes_nothing_back(journal: Callable[..., Journal], clock: Clock) -> None:
    with journal("a") as own:
        own.bind(BMC, ())
        own.reserve("root")
        clock.now += dt.timedelta(hours=1)
        with journal("b") as other:
            other.bind(BMC, ())
            other.reserve("root")
        for _ in range(2):
            with pytest.raises(Busy, match="has taken over"):
                own.reserve("root")
