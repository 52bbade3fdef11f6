"""Many BMCs, a few at a time."""

import itertools
import threading

import pytest

from tiphys.obm.fleet import in_parallel


def test_each_is_worked_on_once_and_no_more_than_that_many_at_a_time() -> None:
    done: list[int] = []
    going, most, lock = 0, 0, threading.Lock()
    together = threading.Barrier(3)

    def work(item: int) -> None:
        nonlocal going, most
        with lock:
            going += 1
            most = max(most, going)
        if item < 3:
            together.wait(30)  # three do run at once
        with lock:
            going -= 1
            done.append(item)

    assert in_parallel(range(20), work, concurrency=3) == []
    assert sorted(done) == list(range(20))
    assert most == 3


def test_what_had_begun_is_seen_through_when_it_is_stopped() -> None:
    done: list[int] = []
    stop = threading.Event()

    def work(item: int) -> None:
        if item == 1:
            stop.set()
        done.append(item)

    left = in_parallel(range(5), work, concurrency=1, stopped=stop.is_set)
    assert (done, left) == ([0, 1], [2, 3, 4])


def test_items_are_taken_as_there_is_room() -> None:
    taken = itertools.count()
    seen: list[int] = []

    def items():
        for number in range(4):
            next(taken)
            yield number

    in_parallel(items(), lambda item: seen.append(next(taken)), concurrency=1)
    assert seen == [1, 3, 5, 7]


def test_a_mistake_of_ours_is_not_swallowed() -> None:
    seen: list[float] = []
    with pytest.raises(ZeroDivisionError):
        in_parallel([1], lambda item: seen.append(item / 0), concurrency=2)
