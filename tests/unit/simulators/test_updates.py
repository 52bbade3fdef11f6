"""The scripts that updates follow."""

import pytest

from tiphys_simulators.redfish.behaviour import Behaviour, TaskStep
from tiphys_simulators.redfish.updates import Update, script_of


def update_of(behaviour: Behaviour) -> Update:
    steps, applies = script_of(behaviour)
    return Update("1", steps, applies, started=0, since=0)


@pytest.mark.parametrize(
    ("task", "state", "status", "applies"),
    [
        ("ok", "Completed", "OK", True),
        ("no-change", "Completed", "OK", False),
        ("false-success", "Completed", "Critical", False),
        ("exception", "Exception", "Critical", False),
        ("exception-status-ok", "Exception", "OK", False),
    ],
)
def test_scripts_end_as_they_say(task: str, state: str, status: str, applies: bool) -> None:
    update = update_of(Behaviour(task=task))  # type: ignore[arg-type]
    assert update.settle(1000)
    assert (update.step.state, update.step.status, update.applies) == (state, status, applies)


def test_an_update_ends_once_and_at_its_own_moment() -> None:
    update = update_of(Behaviour(task_seconds=100))
    assert not update.settle(109)
    assert update.settle(500)
    assert update.ended == 110  # 10 + 50 + 50
    assert not update.settle(501)


def test_progress_rises_evenly() -> None:
    update = update_of(Behaviour(task_seconds=100))
    seen = []
    for moment in (5, 35, 60, 85, 109, 200):
        update.settle(moment)
        seen.append(update.percent(moment))
    assert seen == [0, 25, 50, 74, 97, 100]


def test_stuck_is_98_percent_for_ever() -> None:
    update = update_of(Behaviour(task="stuck"))
    assert not update.settle(10**9)
    assert (update.step.state, update.percent(10**9)) == ("Running", 98)
    assert update.next_change() is None


def test_a_script_of_ones_own_wins() -> None:
    steps = (TaskStep("New", seconds=5), TaskStep("Suspended", seconds=5), TaskStep("Completed", "Warning", 100))
    update = update_of(Behaviour(task="exception", task_steps=steps))
    assert not update.settle(7)
    assert update.step.state == "Suspended"
    assert update.settle(10)
    assert update.applies


def test_nothing_goes_on_before_what_it_waits_for() -> None:
    update = update_of(Behaviour(task_seconds=10))
    update.waits_for = "host-reset"
    assert not update.settle(1000)
    update.release("download", 1000)
    assert update.waits_for
    update.release("host-reset", 1000)
    assert not update.settle(1001)
    assert update.settle(1011)
