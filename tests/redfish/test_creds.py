"""`obm creds check`, `verify`, `policy`, `rotate`; other accounts and administrators; one allowance a BMC."""

import pathlib
import threading
import time
from collections.abc import Iterator

import pytest

from obm_world import NEW, OLD, ObmWorld, image_server, obm_world
from tiphys.errors import StoreError, TiphysError
from tiphys.kit.redact import Secret
from tiphys.obm.errors import (
    Busy,
    ChangedUnverified,
    LockedDown,
    LockedOut,
    NothingKnown,
    PolicyRejected,
    RefusedByBmc,
    Superseded,
    Unknown,
    WrongCredentials,
)
from tiphys.obm.journal import Pace
from tiphys_simulators import BmcSpec, running_simulator

WRONG = "Wrong-Passw0rd-9"


@pytest.fixture
def plain(tmp_path: pathlib.Path) -> Iterator[ObmWorld]:
    with obm_world("generic", tmp_path) as made:
        yield made


# check


def test_a_check_costs_one_log_in_and_changes_nothing(plain: ObmWorld) -> None:
    assert plain.check(OLD).outcome == "in-sync"
    counted = plain.bmc.counters()
    assert (counted["logins"]["total"], counted["account_patches"], counted["sessions"]["now"]) == (1, 0, 0)
    assert plain.passwords.current == Secret(OLD)


def test_drift_that_the_ledger_explains_is_seen_without_a_refused_log_in(plain: ObmWorld) -> None:
    plain.check(OLD)
    ended = plain.check(NEW)
    assert (ended.outcome, ended.reason) == ("drift", "other-password")
    assert ended.facts["accepted"] == {"user": "admin", "password": "last seen to work"}
    assert (plain.logins("ok"), plain.logins("wrong")) == (2, 0)


def test_drift_that_nothing_explains_is_one_refused_log_in(plain: ObmWorld) -> None:
    ended = plain.check(NEW, OLD)
    assert (ended.outcome, ended.reason, plain.logins()) == ("drift", "refused", 1)


def test_a_check_of_all_says_which_password_works(plain: ObmWorld) -> None:
    ended = plain.check(NEW, OLD, every=True)
    assert (ended.outcome, ended.reason) == ("drift", "other-password")
    assert ended.facts["accepted"] == {"user": "admin", "password": "legacy"}
    assert plain.bmc.accepts("admin", OLD)


def test_a_password_that_a_person_changed_on_the_bmc_and_on_record_is_found_by_the_next_check(plain: ObmWorld) -> None:
    plain.check(OLD)
    plain.bmc.set_account("admin", password=NEW)
    assert plain.check(NEW).reason == "refused"  # one log-in, with the one last seen to work
    plain.simulator.advance(700)
    assert plain.check(NEW).outcome == "in-sync"
    assert plain.logins("wrong") == 1


def test_nothing_that_is_known_works(plain: ObmWorld) -> None:
    with pytest.raises(WrongCredentials):
        plain.check(NEW)
    with pytest.raises(WrongCredentials):
        plain.check(NEW, WRONG, every=True, wait=100)


def test_a_password_that_must_be_changed_is_drift(plain: ObmWorld) -> None:
    plain.bmc.set_account("admin", must_change=True)
    ended = plain.check(OLD)
    assert (ended.outcome, ended.reason) == ("drift", "change-required")


def test_a_password_that_must_be_changed_as_403s_alone_tell(plain: ObmWorld) -> None:
    plain.bmc.set_account("admin", must_change=True)
    plain.bmc.set_faults(must_change_told="refusals")
    ended = plain.check(OLD)
    assert (ended.outcome, ended.reason) == ("drift", "change-required")
    with pytest.raises(PolicyRejected, match="another password"):
        plain.sync(OLD)


def test_a_password_that_must_be_changed_as_the_account_alone_tells(plain: ObmWorld) -> None:
    assert "PasswordChangeRequired" not in plain.check(OLD).message
    plain.bmc.set_account("admin", must_change=True)
    plain.bmc.set_faults(must_change_told="account")
    plain.simulator.advance(90_000)  # it is asked once a day, with the BMC's rules
    for look in (plain.check, plain.sync, plain.check):
        ended = look(OLD)
        assert (ended.outcome, ended.facts["passwordChangeRequired"]) == ("in-sync", True)
        assert "PasswordChangeRequired" in ended.message
    plain.sync(NEW)
    ended = plain.check(NEW)
    assert "passwordChangeRequired" not in ended.facts
    assert "PasswordChangeRequired" not in ended.message
    assert plain.bmc_record.policy is not None
    assert plain.bmc_record.policy.must_change == ()


def test_a_check_asks_nothing_of_the_account_when_it_has_a_moment_ago(plain: ObmWorld) -> None:
    plain.check(OLD)
    plain.bmc.reset_counters()
    plain.check(OLD)
    assert plain.bmc.counters()["requests"] == 5  # root, log-in, Systems, the System, log-out


@pytest.mark.parametrize("status", [403, 503])
def test_a_changed_password_of_a_machine_that_cannot_be_read_yet_is_unverified(plain: ObmWorld, status: int) -> None:
    plain.bmc.set_account("admin", must_change=True)
    rule = {"action": "answer", "status": status, "method": "GET", "path": "Systems", "times": 0}
    plain.bmc.set_faults(rules=[rule])
    with pytest.raises(ChangedUnverified, match="not seen to be the right machine"):
        plain.sync(NEW, OLD)
    plain.bmc.clear_faults()
    assert plain.sync(NEW, OLD).outcome == "in-sync"


def test_a_check_leaves_what_is_pending_alone(plain: ObmWorld) -> None:
    plain.bmc.set_faults(rules=[{"action": "lose-request", "method": "PATCH"}])
    with pytest.raises(Unknown):
        plain.sync(NEW, OLD)
    assert plain.check(OLD).outcome == "in-sync"
    assert plain.passwords.pending == Secret(NEW)


# verify, policy


def test_verify_is_one_log_in_with_the_ledgers_password(plain: ObmWorld) -> None:
    with pytest.raises(NothingKnown, match="creds check"):
        plain.verify()
    assert plain.logins() == 0
    plain.sync(NEW, OLD)
    plain.bmc.reset_counters()
    assert plain.verify().outcome == "in-sync"
    assert plain.logins() == 1
    plain.bmc.set_account("admin", password="Somebody-else-1")
    with pytest.raises(WrongCredentials, match="current password of the ledger"):
        plain.verify()


@pytest.mark.parametrize(
    ("kind", "lockout", "least", "most", "sessions"),
    [
        ("generic", ("account", 5, 30, 30), 8, 40, 0),
        ("idrac8", ("address", 3, 600, 600), 0, 20, 8),
        ("idrac9", ("address", 3, 60, 60), 0, 40, 8),
        ("ilo5", ("delay", 1, 0, 10), 8, 39, 0),
        ("ilo7", ("delay", 1, 0, 10), 8, 39, 0),
        ("smc-x12", ("account", 3, 30, 30), 8, 20, 0),
        ("smc-x10", ("account", 5, 30, 30), 8, 19, 0),
        ("xcc", ("account", 5, 3600, 3600), 10, 32, 0),
        ("ami", ("account", 5, 30, 30), 8, 25, 0),
        ("bluefield", ("account", 10, 600, 600), 12, 20, 0),
    ],
)
def test_the_policy_as_each_kind_tells_it(
    kind: str, lockout: tuple[str, int, float, float], least: int, most: int, sessions: int, tmp_path: pathlib.Path
) -> None:
    with obm_world(kind, tmp_path) as world:
        ended = world.policy(OLD)
        assert ended.outcome == "in-sync"
        (rule,) = ended.facts["lockoutsInForce"]
        assert (rule["kind"], rule["threshold"], rule["windowSeconds"], rule["penaltySeconds"]) == lockout
        told = ended.facts["policy"]
        assert (told["password"].get("minLength", 0), told["password"]["maxLength"]) == (least, most)
        assert told.get("sessions", {}).get("most", 0) == sessions
        assert world.bmc_record.policy is not None


# rotate


def test_a_rotation_makes_a_password_that_nobody_has_seen(plain: ObmWorld) -> None:
    ended = plain.rotate(OLD)
    assert (ended.outcome, ended.changed) == ("changed", True)
    known = plain.passwords
    assert known.previous == Secret(OLD)
    assert not known.pending
    assert len(known.current.reveal()) == 16
    assert plain.bmc.accepts("admin", known.current.reveal())
    assert (plain.logins("wrong"), plain.logins("ok")) == (0, 2)
    assert plain.bmc.counters()["account_patches"] == 1
    assert plain.verify().outcome == "in-sync"


def test_a_rotation_that_was_planned_only(plain: ObmWorld) -> None:
    ended = plain.rotate(OLD, dry_run=True)
    assert ended.outcome == "dry-run"
    assert ended.facts["plan"]["account"]["path"].endswith("/Accounts/1")
    assert ended.facts["plan"]["password"]["length"] == 16
    assert plain.bmc.accepts("admin", OLD)
    assert plain.bmc.counters()["account_patches"] == 0


def test_the_replaced_password_is_not_brought_back(plain: ObmWorld) -> None:
    plain.rotate(OLD)
    made = plain.passwords.current
    with pytest.raises(Superseded, match="--undo-rotation"):
        plain.sync(OLD)
    assert plain.check(OLD).outcome == "drift"
    assert plain.bmc.accepts("admin", made.reveal())
    assert plain.sync(NEW).outcome == "changed"  # a new one that a person has put on record
    assert plain.bmc.accepts("admin", NEW)


def test_a_rotation_can_be_undone_on_purpose(plain: ObmWorld) -> None:
    plain.rotate(OLD)
    assert plain.sync(OLD, undo_rotation=True).outcome == "changed"
    assert plain.bmc.accepts("admin", OLD)
    assert plain.sync(OLD).outcome == "in-sync"


def test_an_interrupted_rotation_is_finished_and_not_repeated(plain: ObmWorld) -> None:
    everything_after = {"action": "answer", "status": 503, "method": "POST", "path": "Sessions", "every": 2, "times": 3}
    plain.bmc.set_faults(rules=[{"action": "lose-answer", "method": "PATCH"}, everything_after])
    plain.bmc.set_faults(rules=[*plain.bmc.faults()["rules"], *({**everything_after, "seconds": n} for n in (1, 2))])
    with pytest.raises((Unknown, ChangedUnverified)):
        plain.rotate(OLD)
    made = plain.passwords.pending
    assert plain.bmc.accepts("admin", made.reveal())
    plain.bmc.clear_faults()
    with pytest.raises(Superseded):
        plain.sync(OLD)  # rolled forward, never back
    delivered: list[Secret] = []
    assert plain.rotate(OLD, deliver=delivered.append, dry_run=True).outcome == "dry-run"
    assert (delivered, plain.passwords.pending) == ([], made)  # a plan records nothing
    assert plain.rotate(OLD, deliver=delivered.append).outcome == "changed"
    assert delivered == [made]
    assert plain.bmc.counters()["password_changes"] == 1
    assert plain.bmc.accepts("admin", plain.passwords.current.reveal())


def test_a_password_that_did_not_arrive_is_sent_again_and_no_other(plain: ObmWorld) -> None:
    plain.bmc.set_faults(rules=[{"action": "lose-request", "method": "PATCH"}])
    with pytest.raises(Unknown):
        plain.rotate(OLD)
    pending = plain.passwords.pending
    assert pending
    assert plain.rotate(OLD).outcome == "changed"
    assert plain.passwords.current == pending


def test_the_new_password_is_delivered_before_it_counts(plain: ObmWorld) -> None:
    seen: list[tuple[bool, bool]] = []

    def deliver(password: Secret) -> None:
        seen.append((plain.passwords.pending == password, plain.bmc.accepts("admin", password.reveal())))

    ended = plain.rotate(OLD, deliver=deliver)
    assert (ended.outcome, seen) == ("changed", [(True, True)])
    rotation = plain.record.rotations[0]
    assert (rotation.account, rotation.delivered) == ("admin", True)


def test_a_delivery_that_fails_is_told_and_the_ledger_has_it(plain: ObmWorld) -> None:
    def full(password: Secret) -> None:
        raise StoreError("the disk is full")

    ended = plain.rotate(OLD, deliver=full)
    assert (ended.outcome, ended.reason) == ("changed", "not-written")
    assert "the disk is full" in ended.message
    assert plain.bmc.accepts("admin", plain.passwords.current.reveal())
    with pytest.raises(Superseded):
        plain.sync(OLD)


def test_lockdown_is_seen_before_anything_is_sent(tmp_path: pathlib.Path) -> None:
    with obm_world("idrac9", tmp_path) as idrac:
        idrac.bmc.set_faults(locked_down=True)
        with pytest.raises(RefusedByBmc):
            idrac.rotate(OLD)
        assert not idrac.passwords.pending
        policy = idrac.bmc_record.policy
        assert policy is not None
        if policy.locked_down:
            assert idrac.bmc.counters()["account_patches"] == 0
            with pytest.raises(LockedDown):
                idrac.sync(NEW, OLD)


def test_the_interval_between_two_changes_is_kept(tmp_path: pathlib.Path) -> None:
    with obm_world("xcc", tmp_path) as xcc:
        xcc.bmc.set_faults(password={**xcc.bmc.faults()["password"], "min_interval": 3600, "history": 5})
        assert xcc.rotate(OLD).outcome == "changed"
        with pytest.raises(PolicyRejected):
            xcc.rotate(OLD)
        assert xcc.bmc.accepts("USERID", xcc.passwords.current.reveal())
        xcc.simulator.advance(3601)
        assert xcc.rotate(OLD).outcome == "changed"
        assert xcc.bmc.counters()["password_changes"] == 2


def test_a_length_that_the_bmc_does_not_take_is_said(plain: ObmWorld) -> None:
    with pytest.raises(PolicyRejected, match="no password of 50 characters"):
        plain.rotate(OLD, length=50)
    assert plain.rotate(OLD, length=20).outcome == "changed"
    assert len(plain.passwords.current.reveal()) == 20


# Other accounts, other administrators


def test_the_password_of_another_account(plain: ObmWorld) -> None:
    plain.bmc.set_account("operator", password=WRONG, role="Operator")
    plain.check(OLD)
    assert plain.rotate(OLD, account="operator").outcome == "changed"
    own = plain.beside("r1/operator").load_passwords()
    assert own.username == "operator"
    assert plain.bmc.accepts("operator", own.current.reveal())
    assert plain.bmc.accepts("admin", OLD)
    assert plain.passwords.current == Secret(OLD)
    assert plain.verify("operator").outcome == "in-sync"
    assert plain.rotate(OLD, account="operator").outcome == "changed"
    assert plain.beside("r1/operator").load_passwords().previous == own.current


def test_another_account_whose_change_was_interrupted(plain: ObmWorld) -> None:
    plain.bmc.set_account("operator", password=WRONG)
    plain.bmc.set_faults(rules=[{"action": "lose-request", "method": "PATCH"}])
    with pytest.raises(Unknown):
        plain.rotate(OLD, account="operator")
    assert plain.rotate(OLD, account="operator").outcome == "changed"
    known = plain.beside("r1/operator").load_passwords()
    assert plain.bmc.accepts("operator", known.current.reveal())


def test_another_account_that_may_not_log_in_is_not_called_changed(plain: ObmWorld) -> None:
    plain.bmc.set_account("operator", password=WRONG)
    second = {"action": "answer", "status": 401, "method": "POST", "path": "Sessions", "every": 2}
    plain.bmc.set_faults(rules=[second])
    with pytest.raises(Unknown, match="may not log in"):
        plain.rotate(OLD, account="operator")


def test_two_users_of_one_device_have_ledgers_of_their_own(plain: ObmWorld) -> None:
    plain.bmc.set_account("operator", password=OLD)
    plain.sync(NEW, OLD)
    assert plain.sync(NEW, OLD, user="operator", admin=("admin", NEW)).outcome == "changed"
    assert plain.passwords.username == "admin"
    assert plain.passwords.current == Secret(NEW)
    assert plain.sync(NEW).outcome == "in-sync"


def test_another_administrator_sets_a_password_that_nobody_knows(plain: ObmWorld) -> None:
    plain.bmc.set_account("operator", password="Forgotten-Passw0rd")
    assert plain.sync(NEW, user="operator", admin=("admin", OLD)).outcome == "changed"
    assert plain.bmc.accepts("operator", NEW)
    assert plain.logins("wrong") == 1


def test_another_administrator_unlocks_an_account_whose_password_was_right(plain: ObmWorld) -> None:
    plain.bmc.set_faults(lockout={"kind": "account", "threshold": 2, "window": 0, "penalty": 100_000})
    plain.bmc.set_account("operator", password=NEW)

    def lock(bmc, journal):
        bmc.look()
        for _ in range(2):
            assert not bmc.log_in("operator", Secret(WRONG)).right
        bmc.log_out()

    stranger = ObmWorld(plain.simulator, plain.bmc, plain.folder.parent / "stranger", plain.server)
    stranger.run(lock)
    ended = plain.sync(NEW, user="operator", admin=("admin", OLD), wait=100_000)
    assert (ended.outcome, ended.changed) == ("changed", True)
    assert "unlocked" in ended.message
    assert plain.bmc.counters()["password_changes"] == 0


# One allowance a BMC


def test_two_names_for_one_bmc_share_its_allowance(tmp_path: pathlib.Path) -> None:
    with obm_world("idrac9", tmp_path) as idrac:
        with pytest.raises(WrongCredentials):
            idrac.sync(NEW, WRONG, wait=0)
        for _ in range(3):
            with pytest.raises(LockedOut):
                idrac.sync(NEW, WRONG, wait=0, device="the-same-machine")
        assert idrac.logins() == 2
        assert idrac.beside("the-same-machine").load_record() is not None


def test_two_names_for_one_bmc_work_on_it_one_after_the_other(plain: ObmWorld) -> None:
    plain.sync(OLD)
    with plain.journal("first", wait=0) as journal:
        journal.bind(plain.record.bmc, ())
        with pytest.raises(Busy, match="first"):
            plain.sync(OLD, device="another-name", wait=0)
    assert plain.sync(OLD, device="another-name").outcome == "in-sync"


def test_another_identity_of_a_bmc_gives_no_new_allowance(plain: ObmWorld) -> None:
    with plain.journal(wait=0) as journal:
        journal.bind("bmc/sha256/of-the-certificate-before", ())
        for _ in range(2):
            journal.reserve("admin")
            journal.settle("miss")
    with pytest.raises(LockedOut):
        plain.sync(NEW, OLD, wait=0)
    assert plain.logins() == 0
    assert plain.record.bmc == f"bmc/uuid/{plain.bmc.identity.uuid}".casefold()


def test_a_delay_that_others_have_caused_is_no_verdict_on_our_password(tmp_path: pathlib.Path) -> None:
    def miss(bmc, journal):
        bmc.look()
        for _ in range(2):
            assert not bmc.log_in("Administrator", Secret(WRONG)).right
        bmc.log_out()

    with obm_world("ilo5", tmp_path) as ilo:
        ilo.on(lambda work: miss(work.bmc, work.journal))  # type: ignore[arg-type, return-value]
        with pytest.raises(LockedOut, match="another client") as caught:
            ilo.sync(NEW, OLD, wait=0)
        assert caught.value.until is not None
        assert ilo.logins() == 3  # OLD, the right one, was not tried: it would have been refused unread
        ilo.simulator.advance(30)
        assert ilo.sync(NEW, OLD).outcome == "changed"


class Running(ObmWorld):
    """Time passes by itself: a run that waits does not end another one's hold."""

    @property
    def pace(self) -> Pace:
        return Pace(super().pace.now, lambda seconds: time.sleep(seconds / 50))


def test_twenty_runs_at_once_change_a_password_once(tmp_path: pathlib.Path) -> None:
    outcomes: list[str] = []

    def one(world: ObmWorld) -> None:
        try:
            outcomes.append(world.sync(NEW, OLD, wait=10**6).outcome)
        except TiphysError as error:
            outcomes.append(f"{type(error).__name__}: {error}")

    with running_simulator([BmcSpec("r1", "idrac9", "127.0.0.2")], speed=50) as simulator, image_server() as server:
        world = Running(simulator, simulator["r1"], tmp_path / "state", server, timeout=30)
        world.bmc.set_account("root", password=OLD)
        threads = [threading.Thread(target=one, args=(world,)) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=100)
        assert sorted(outcomes) == ["changed", *["in-sync"] * 19]
        counted = world.bmc.counters()
        assert (counted["account_patches"], counted["password_changes"]) == (1, 1)
        assert (counted["logins"]["wrong"], counted["logins"]["blocked"]) == (1, 0)
        assert counted["sessions"]["max"] == 1


def test_twenty_runs_at_once_with_wrong_passwords_stay_within_the_allowance(tmp_path: pathlib.Path) -> None:
    with obm_world("idrac9", tmp_path) as idrac:
        threads = [threading.Thread(target=lambda: _try(idrac)) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=100)
        assert idrac.logins("wrong") <= 2
        assert idrac.logins("blocked") == 0


def _try(world: ObmWorld) -> None:
    with pytest.raises((LockedOut, WrongCredentials, Busy)):
        world.sync(NEW, WRONG, wait=0)
