"""Log-ins that were sent and not answered: the BMC may have counted them, so they stay counted here."""

import pathlib
from typing import Any

import pytest

from obm_world import NEW, OLD, ObmWorld, obm_world
from tiphys.kit.redact import Secret
from tiphys.obm.entry import Target, attempt, meet
from tiphys.obm.errors import ChangedUnverified, LockedOut, ObmError, Unreachable
from tiphys.obm.identity import Expected
from tiphys_simulators.personalities import PERSONALITIES
from tiphys_simulators.redfish.lockout import Lockout, LockoutPolicy

PAUSES = (0, 1, 5, 14, 20, 40, 61) * 6
LOG_INS: dict[str, Any] = {"method": "POST", "path": "Sessions", "times": 0}


def outcome(world: ObmWorld, operation: str) -> str:
    try:
        if operation == "check":
            return world.check(NEW, OLD).outcome
        return (world.sync(NEW, OLD, wait=0) if operation == "sync" else world.rotate(NEW, OLD, wait=0)).outcome
    except ObmError as error:
        return error.outcome


@pytest.mark.parametrize("known", [False, True], ids=["never-met", "policy-known"])
@pytest.mark.parametrize("kind", PERSONALITIES)
def test_a_bmc_that_counts_log_ins_and_never_answers_them_never_blocks(
    kind: str, known: bool, tmp_path: pathlib.Path
) -> None:
    with obm_world(kind, tmp_path) as world:
        if known:
            assert world.check(OLD).outcome == "in-sync"
        world.bmc.set_account(world.user, password="Nobodys-Passw0rd-9")
        world.bmc.set_faults(rules=[{"action": "lose-answer", **LOG_INS}])
        policy, judge = LockoutPolicy(**world.bmc.faults()["lockout"]), Lockout()
        seen, ends = 0, set()
        for number, pause in enumerate(PAUSES):
            ends.add(outcome(world, ("check", "sync", "rotate")[number % 3]))
            now, wrong = world.simulator.now(), world.logins("wrong")
            assert wrong - seen <= 1  # nobody waits in these runs: all of one run's are of this moment
            if wrong > seen:
                assert judge.blocked_for(policy, world.user, "127.0.0.1", now) == 0
                judge.missed(policy, world.user, "127.0.0.1", now)
                if policy.kind != "delay":  # every miss of an iLO makes it wait
                    assert judge.blocked_for(policy, world.user, "127.0.0.1", now) == 0
            seen = wrong
            world.simulator.advance(pause)
        assert ends == {"unreachable", "blocked-until"}
        assert seen >= 2
        assert world.logins("blocked") == 0
        assert not any(account["locked"] for account in world.bmc.state()["accounts"])


@pytest.mark.parametrize("fault", [{"action": "lose-answer"}, {"action": "delay", "seconds": 10**6}], ids=str)
def test_a_lost_and_a_late_answer_are_counted_alike(fault: dict[str, Any], tmp_path: pathlib.Path) -> None:
    with obm_world("generic", tmp_path) as world:
        world.timeout = 0.3
        world.bmc.set_faults(rules=[fault | LOG_INS])
        for _ in range(2):
            with pytest.raises(Unreachable):
                world.sync(NEW, OLD, wait=0)
        with pytest.raises(LockedOut):
            world.sync(NEW, OLD, wait=0)
        assert [attempt.result for attempt in world.bmc_record.attempts] == ["reserved"] * 2


def test_what_never_left_is_given_back(tmp_path: pathlib.Path) -> None:
    with obm_world("generic", tmp_path) as world:
        assert world.check(OLD).outcome == "in-sync"
        record = world.bmc_record.attempts

        def nobody_there(bmc: Any, journal: Any) -> None:
            meet(bmc, journal, Target("r1", Expected()))
            bmc.transport.close()
            bmc.transport.port = 1
            with pytest.raises(Unreachable, match="cannot be reached"):
                attempt(bmc, journal, world.user, Secret(NEW))

        for _ in range(4):
            world.run(nobody_there, wait=0)
        assert world.bmc_record.attempts == record


def test_a_success_shows_that_it_was_no_miss(tmp_path: pathlib.Path) -> None:
    with obm_world("generic", tmp_path) as world:
        assert world.check(OLD).outcome == "in-sync"
        for _ in range(5):
            world.bmc.set_faults(rules=[{"action": "lose-answer", **LOG_INS, "times": 1}])
            with pytest.raises(Unreachable):
                world.check(OLD)
            assert world.check(OLD).outcome == "in-sync"


def test_a_change_whose_log_in_is_not_answered_is_not_verified_by_force(tmp_path: pathlib.Path) -> None:
    with obm_world("idrac9", tmp_path) as world:
        assert world.check(OLD).outcome == "in-sync"
        # A rule counts the requests that reach it: the first log-in goes through, those after it do not.
        second = {"action": "lose-answer", **LOG_INS, "every": 2}
        world.bmc.set_faults(rules=[second, second | {"seconds": 1}])
        with pytest.raises(ChangedUnverified):
            world.rotate(OLD, wait=0)
        assert world.logins("ok") == 4  # the check's, the one before the change, and two to verify it
        pending = world.passwords.pending
        assert world.bmc.accepts(world.user, pending.reveal())
        world.bmc.clear_faults()
        world.simulator.advance(120)
        assert world.rotate(OLD).outcome == "changed"
        assert world.passwords.current == pending


def test_basic_credentials_are_not_sent_twice(tmp_path: pathlib.Path) -> None:
    with obm_world("generic", tmp_path) as world:
        world.values["auth"] = "basic"
        # The first one asks without credentials.
        rule = {"action": "lose-answer", "method": "GET", "path": "AccountService", "every": 2, "times": 0}
        world.bmc.set_faults(session_log_in="absent", rules=[rule])
        with pytest.raises(Unreachable):
            world.check(NEW)
        assert world.logins("wrong") == 1


def test_basic_credentials_that_are_refused_later_are_counted(tmp_path: pathlib.Path) -> None:
    with obm_world("generic", tmp_path) as world:
        world.values["auth"] = "basic"
        rule = {"action": "answer", "status": 401, "method": "GET", "path": "Systems"}
        world.bmc.set_faults(session_log_in="absent", rules=[rule])
        with pytest.raises(Unreachable):
            world.check(OLD)
        assert [attempt.result for attempt in world.bmc_record.attempts] == ["ok", "miss"]
