"""`obm creds sync` against simulated BMCs: each way in which one answers, and what it may cost in log-ins."""

import pathlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from obm_world import NEW, OLD, ObmWorld, obm_world
from tiphys.credentials.directory import DirectoryStore
from tiphys.errors import StoreError
from tiphys.kit.redact import Secret
from tiphys.obm.errors import (
    Busy,
    ChangedUnverified,
    LockedOut,
    ObmError,
    PolicyRejected,
    RefusedByBmc,
    RefusedIdentity,
    Unknown,
    Unreachable,
    WrongCredentials,
)
from tiphys.obm.journal import Journal
from tiphys.obm.record import Passwords
from tiphys.obm.transport import Answer, Transport

KINDS = ("generic", "idrac9", "ilo5")


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[ObmWorld]:
    with obm_world(request.param, tmp_path) as made:
        yield made


@pytest.fixture
def plain(tmp_path: pathlib.Path) -> Iterator[ObmWorld]:
    with obm_world("generic", tmp_path) as made:
        yield made


@pytest.fixture
def idrac(tmp_path: pathlib.Path) -> Iterator[ObmWorld]:
    with obm_world("idrac9", tmp_path) as made:
        yield made


def changed_to_new(world: ObmWorld) -> None:
    assert world.bmc.accepts(world.user, NEW)
    assert not world.bmc.accepts(world.user, OLD)
    passwords = world.passwords
    assert (passwords.current, passwords.pending) == (Secret(NEW), Secret(""))
    assert world.bmc.counters()["sessions"]["now"] == 0
    assert world.record.holder is None


def test_the_password_on_record_is_brought_to_the_bmc(world: ObmWorld) -> None:
    ended = world.sync(NEW, OLD)
    assert (ended.outcome, ended.changed) == ("changed", True)
    changed_to_new(world)
    assert world.passwords.previous == Secret(OLD)
    assert (world.logins("wrong"), world.logins("ok"), world.logins("blocked")) == (1, 2, 0)
    assert world.bmc.counters()["account_patches"] == 1


def test_in_sync_costs_one_log_in_and_changes_nothing(world: ObmWorld) -> None:
    world.sync(NEW, OLD)
    world.bmc.reset_counters()
    assert world.sync(NEW, OLD).outcome == "in-sync"
    counted = world.bmc.counters()
    assert (counted["logins"]["total"], counted["account_patches"]) == (1, 0)


def test_a_known_current_password_is_tried_before_a_new_one_on_record(world: ObmWorld) -> None:
    world.sync(NEW, OLD)
    world.bmc.reset_counters()
    assert world.sync("Third-Passw0rd-3").outcome == "changed"
    assert (world.logins("wrong"), world.logins("ok")) == (0, 2)
    assert world.passwords.previous == Secret(NEW)


@pytest.mark.parametrize("answer", ["200", "200-empty", "204", "202"])
def test_every_form_of_yes_is_a_yes(plain: ObmWorld, answer: str) -> None:
    plain.bmc.set_faults(patch_answer=answer)
    assert plain.sync(NEW, OLD).outcome == "changed"
    changed_to_new(plain)


def test_a_lost_answer_is_looked_for_and_not_sent_again(world: ObmWorld) -> None:
    world.bmc.set_faults(rules=[{"action": "lose-answer", "method": "PATCH"}])
    assert world.sync(NEW, OLD).outcome == "changed"
    changed_to_new(world)
    assert world.bmc.counters()["account_patches"] == 1


def test_a_lost_request_is_told_and_the_next_run_mends_it(plain: ObmWorld) -> None:
    plain.bmc.set_faults(rules=[{"action": "lose-request", "method": "PATCH"}])
    with pytest.raises(Unknown, match="still accepts the old password"):
        plain.sync(NEW, OLD)
    assert plain.passwords.pending == Secret(NEW)
    assert plain.bmc.counters()["account_patches"] == 0
    assert plain.sync(NEW, OLD).outcome == "changed"
    changed_to_new(plain)


@pytest.mark.parametrize("kind", KINDS)
def test_a_password_that_must_be_changed_first(kind: str, tmp_path: pathlib.Path) -> None:
    with obm_world(kind, tmp_path) as world:
        world.bmc.set_account(world.user, must_change=True)
        assert world.sync(NEW, OLD).outcome == "changed"
        changed_to_new(world)


def test_the_password_on_record_must_be_changed_itself(plain: ObmWorld) -> None:
    plain.bmc.set_account(plain.user, must_change=True)
    with pytest.raises(PolicyRejected, match="another password"):
        plain.sync(OLD)


def test_idracs_default_password_is_changed_by_its_attributes(idrac: ObmWorld) -> None:
    idrac.bmc.set_faults(refuses_default_password=True)
    idrac.bmc.set_account("root", password="calvin")
    assert idrac.sync(NEW, "calvin").outcome == "changed"
    changed_to_new(idrac)


@pytest.mark.parametrize("etag", ["none", "weak", "strong", "time"])
@pytest.mark.parametrize("required", [True, False])
def test_etags(plain: ObmWorld, etag: str, required: bool) -> None:
    plain.bmc.set_faults(etag=etag, if_match_required=required)
    assert plain.sync(NEW, OLD).outcome == "changed"
    changed_to_new(plain)


def test_a_stale_etag_is_read_again_once(plain: ObmWorld) -> None:
    plain.bmc.set_faults(rules=[{"action": "answer", "method": "PATCH", "status": 412}])
    assert plain.sync(NEW, OLD).outcome == "changed"


@pytest.mark.parametrize("where", ["relative", "absolute", "body"])
def test_sessions_are_closed_wherever_their_place_is_told(plain: ObmWorld, where: str) -> None:
    plain.bmc.set_faults(session_location=where)
    plain.sync(NEW, OLD)
    assert plain.bmc.counters()["sessions"]["now"] == 0


def test_basic_where_it_is_configured(plain: ObmWorld) -> None:
    plain.values["auth"] = "basic"
    assert plain.sync(NEW, OLD).outcome == "changed"
    assert set(plain.bmc.counters()["logins_by_method"]) == {"basic"}
    assert plain.bmc.counters()["sessions"]["created"] == 0


# Log-ins that fail


def test_no_password_known_is_wrong_credentials_and_never_blocks(world: ObmWorld) -> None:
    with pytest.raises(WrongCredentials, match="none of the 2"):
        world.sync(NEW, "Wrong-Passw0rd-1")
    assert (world.logins("wrong"), world.logins("blocked")) == (2, 0)
    assert world.bmc.state()["accounts"][0]["locked"] is False


def test_a_long_row_is_worked_off_over_several_runs_without_a_block(world: ObmWorld) -> None:
    legacy = [f"Wrong-Passw0rd-{number}" for number in range(6)] + [OLD]
    for _ in range(2):
        with pytest.raises(LockedOut):
            world.sync(NEW, *legacy)
        world.simulator.advance(5)
    assert world.logins("wrong") == 6
    assert world.sync(NEW, *legacy).outcome == "changed"
    assert world.logins("blocked") == 0


def test_the_budget_is_kept_across_runs(idrac: ObmWorld) -> None:
    with pytest.raises(WrongCredentials):
        idrac.sync(NEW, "Wrong-Passw0rd-1", wait=0)
    for _ in range(5):
        with pytest.raises(LockedOut, match="could lead to a block") as caught:
            idrac.sync(NEW, "Wrong-Passw0rd-1", wait=0)
    assert idrac.logins() == 2
    assert caught.value.until is not None
    idrac.simulator.advance(76)
    with pytest.raises(WrongCredentials):
        idrac.sync(NEW, "Wrong-Passw0rd-1", wait=0)
    assert (idrac.logins("wrong"), idrac.logins("blocked")) == (4, 0)


def test_two_runs_at_once_spend_no_attempt_twice(idrac: ObmWorld) -> None:
    outcomes: list[str] = []

    def one() -> None:
        try:
            idrac.sync(NEW, "Wrong-Passw0rd-1", wait=0)
        except (WrongCredentials, LockedOut, Busy) as error:
            outcomes.append(error.outcome)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(outcomes) == 4
    assert idrac.logins("wrong") <= 2
    assert idrac.logins("blocked") == 0


def test_a_second_run_waits_for_the_first(plain: ObmWorld) -> None:
    with plain.journal("other", wait=0), pytest.raises(Busy, match="other"):
        plain.sync(NEW, OLD, wait=10)
    assert plain.bmc.counters()["requests"] == 0
    assert plain.sync(NEW, OLD).outcome == "changed"


def test_a_run_that_was_overtaken_stops_before_its_next_effect(plain: ObmWorld) -> None:
    def overtaken(bmc: object, journal: Journal) -> None:
        plain.simulator.advance(3600)
        with plain.journal("other", wait=0):
            pass
        journal.reserve("root")

    with pytest.raises(Busy, match="taken over"):
        plain.run(overtaken)


def test_an_account_that_is_locked_is_left_alone_after_two_misses(plain: ObmWorld) -> None:
    plain.sync(NEW, OLD)
    plain.bmc.set_account(plain.user, password="Somebody-else-1")
    for _ in range(2):
        with pytest.raises((WrongCredentials, LockedOut)):
            plain.sync(NEW, OLD, wait=0)
    assert plain.logins("wrong") == 3  # one of the first sync, two now
    assert plain.bmc.state()["accounts"][0]["locked"] is False


def test_the_policy_is_learnt_while_it_can_be_read(world: ObmWorld) -> None:
    world.bmc.set_faults(lockout={**world.bmc.faults()["lockout"], "penalty": 600, "window": 600})
    world.sync(OLD)
    policy = world.bmc_record.policy
    assert policy is not None
    (lockout,) = policy.lockouts
    assert lockout.penalty == 600
    assert lockout.kind == {"generic": "account", "idrac9": "address", "ilo5": "delay"}[world.bmc.personality]


def test_ilo_delays_are_waited_for(tmp_path: pathlib.Path) -> None:
    with obm_world("ilo5", tmp_path) as ilo:
        assert ilo.sync(NEW, "Wrong-Passw0rd-1", OLD).outcome == "changed"
        assert (ilo.logins("wrong"), ilo.logins("blocked")) == (2, 0)


# Answers that say nothing about the password


@pytest.mark.parametrize(("status", "counted"), [(503, 0), (429, 0), (404, 0), (500, 1), (504, 1)])
def test_no_verdict_tries_no_other_password(plain: ObmWorld, status: int, counted: int) -> None:
    rule = {"action": "answer", "status": status, "method": "POST", "html": True, "times": 0}
    plain.bmc.set_faults(rules=[rule])
    with pytest.raises(Unreachable):
        plain.sync(NEW, OLD)
    assert plain.logins("wrong") == 0
    assert [attempt.result for attempt in plain.bmc_record.attempts] == ["reserved"] * counted


@pytest.mark.parametrize("status", [503, 400])
def test_no_free_session_is_no_wrong_password(idrac: ObmWorld, status: int) -> None:
    idrac.sync(NEW, OLD)
    idrac.bmc.set_faults(max_sessions=1, session_limit_status=status)

    def full(bmc, journal):
        bmc.look()
        assert bmc.log_in("root", Secret(NEW)).right
        with pytest.raises(Unreachable, match="no session is free"):
            idrac.sync(NEW, OLD)
        bmc.log_out()

    other = ObmWorld(idrac.simulator, idrac.bmc, idrac.folder.parent / "other", idrac.server)
    other.run(full)
    assert idrac.logins("wrong") == 1  # of the first sync


def test_a_page_of_html_is_no_bmc(plain: ObmWorld) -> None:
    plain.bmc.set_faults(rules=[{"action": "answer", "status": 200, "html": True, "times": 0}])
    with pytest.raises(Unreachable, match="no Redfish service"):
        plain.sync(NEW, OLD)
    assert plain.logins() == 0


def test_nobody_there(plain: ObmWorld) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.2", 0))
        port = taken.getsockname()[1]
        with pytest.raises(Unreachable, match="cannot be reached"):
            plain.run(lambda bmc, journal: bmc.look(), port=port)


def test_a_restart_is_unreachable_and_gets_no_credentials(world: ObmWorld) -> None:
    world.bmc.reboot()
    with pytest.raises(Unreachable):
        world.sync(NEW, OLD)
    world.simulator.advance(world.bmc.faults()["reboot"]["refused"] + 1)
    with pytest.raises(Unreachable, match="503"):
        world.sync(NEW, OLD)
    assert world.bmc.counters()["authenticated_requests_during_reboot"] == 0


def test_the_log_in_to_verify_cannot_be_made(plain: ObmWorld) -> None:
    plain.sync(NEW, OLD)
    # A rule counts the requests that reach it: the first log-in goes through, the three after it do not.
    second = {"action": "answer", "status": 503, "method": "POST", "path": "Sessions", "every": 2}
    plain.bmc.set_faults(rules=[second, second | {"seconds": 1}, second | {"seconds": 2}])
    with pytest.raises(ChangedUnverified) as caught:
        plain.sync("Third-Passw0rd-3")
    assert caught.value.changed is True
    assert plain.passwords.pending == Secret("Third-Passw0rd-3")
    assert plain.passwords.current == Secret(NEW)
    plain.bmc.clear_faults()
    planned = plain.sync("Third-Passw0rd-3", dry_run=True)
    assert (planned.outcome, planned.changed) == ("in-sync", False)  # the one that says "changed" is the next
    ended = plain.sync("Third-Passw0rd-3")
    assert ended.outcome == "changed"
    assert plain.passwords.pending == Secret("")


@pytest.mark.parametrize(("rule", "kind"), [("delay", ChangedUnverified), ("lose-answer", Unknown)])
def test_another_certificate_after_the_change_is_no_refusal(
    plain: ObmWorld, monkeypatch: pytest.MonkeyPatch, rule: str, kind: type[ObmError]
) -> None:
    """Refused would mean that nothing was changed."""
    plain.bmc.set_faults(rules=[{"action": rule, "method": "PATCH"}])
    send = Transport.send

    def swapped(self: Transport, method: str, *args: Any, **more: Any) -> Answer:
        try:
            return send(self, method, *args, **more)
        finally:
            if method == "PATCH":
                self.close()
                plain.bmc.new_certificate()

    monkeypatch.setattr(Transport, "send", swapped)
    with pytest.raises(kind, match="another certificate") as caught:
        plain.sync(NEW, OLD)
    assert caught.value.reason == "identity"
    assert plain.bmc.accepts(plain.user, NEW)
    assert plain.passwords.pending == Secret(NEW)
    with pytest.raises(RefusedIdentity):
        plain.sync(NEW, OLD)


def test_a_record_that_cannot_be_kept_after_the_change_is_no_success(
    plain: ObmWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = DirectoryStore.save_passwords

    def full(store: DirectoryStore, passwords: Passwords) -> None:
        if passwords.current == Secret(NEW):
            raise StoreError("the disk is full")
        save(store, passwords)

    monkeypatch.setattr(DirectoryStore, "save_passwords", full)
    with pytest.raises(Unknown, match="the disk is full"):
        plain.sync(NEW, OLD)
    monkeypatch.undo()
    assert plain.passwords.pending == Secret(NEW)
    assert plain.sync(NEW, OLD).outcome == "changed"
    changed_to_new(plain)


# Refusals


@pytest.mark.parametrize(
    ("password", "policy"),
    [
        ("short", {"min_length": 8}),
        ("x" * 41, {"max_length": 40}),
        ("x" * 41, {"max_length": 40, "truncates": True}),
        ("alllowercase", {"classes": 3}),
    ],
)
def test_a_password_against_the_rules(plain: ObmWorld, password: str, policy: dict[str, object]) -> None:
    plain.bmc.set_faults(password=policy)
    with pytest.raises(PolicyRejected):
        plain.sync(password, OLD)
    assert plain.bmc.accepts(plain.user, OLD)
    assert plain.passwords.pending == Secret("")
    assert plain.passwords.current in (Secret(OLD), Secret(""))


def patches_answer(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """The BMC carries out a PATCH and answers that it has not."""
    send = Transport.send

    def lying(transport: Transport, method: str, *rest: Any, **options: Any) -> Answer:
        answer = send(transport, method, *rest, **options)
        return Answer(status, {}, {}) if method == "PATCH" else answer

    monkeypatch.setattr(Transport, "send", lying)


@pytest.mark.parametrize("status", [400, 403, 404, 412])
def test_a_no_that_was_a_yes_loses_no_password(plain: ObmWorld, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    patches_answer(monkeypatch, status)
    assert plain.sync(NEW, OLD).outcome == "changed"
    changed_to_new(plain)
    assert plain.rotate(NEW).outcome == "changed"
    assert plain.bmc.accepts(plain.user, plain.passwords.current.reveal())


def test_a_no_that_cannot_be_looked_into_keeps_the_new_password(
    plain: ObmWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    patches_answer(monkeypatch, 400)
    second = {"action": "answer", "status": 503, "method": "POST", "path": "Sessions", "every": 2}
    plain.bmc.set_faults(rules=[second])
    with pytest.raises(Unknown, match="could not be asked"):
        plain.rotate(OLD)
    made = plain.passwords.pending
    assert plain.bmc.accepts(plain.user, made.reveal())
    plain.bmc.clear_faults()
    assert plain.rotate(OLD).outcome == "changed"
    assert plain.passwords.current == made


def test_a_refused_change_costs_no_log_in_that_fails(plain: ObmWorld) -> None:
    plain.bmc.set_faults(rules=[{"action": "answer", "status": 403, "method": "PATCH"}])
    with pytest.raises(RefusedByBmc):
        plain.rotate(OLD)
    assert plain.logins("wrong") == 0
    assert plain.passwords.pending == Secret("")


def test_lockdown_is_told(plain: ObmWorld) -> None:
    plain.bmc.set_faults(locked_down=True)
    with pytest.raises(RefusedByBmc, match="lockdown"):
        plain.sync(NEW, OLD)
    assert plain.passwords.pending == Secret("")


def test_no_such_account(plain: ObmWorld) -> None:
    with pytest.raises(RefusedByBmc, match="no account 'operator'"):
        plain.sync(NEW, OLD, user="operator")


def test_another_account_is_changed_by_the_legacy_user(plain: ObmWorld) -> None:
    plain.bmc.set_account("operator", password="Forgotten-Passw0rd")
    assert plain.sync(NEW, OLD, user="operator").outcome == "changed"
    assert plain.bmc.accepts("operator", NEW)
    assert plain.bmc.accepts(plain.user, OLD)
    assert plain.passwords.username == "operator"


def test_a_disabled_account_is_told(plain: ObmWorld) -> None:
    plain.bmc.set_account("operator", password="Forgotten-Passw0rd", enabled=False)
    with pytest.raises(RefusedByBmc, match="disabled"):
        plain.sync(NEW, OLD, user="operator")


def test_a_dry_run_changes_nothing(plain: ObmWorld) -> None:
    assert plain.sync(NEW, OLD, dry_run=True).outcome == "dry-run"
    assert plain.bmc.accepts(plain.user, OLD)
    assert plain.bmc.counters()["account_patches"] == 0


# Identity


def test_another_certificate_gets_no_secret(world: ObmWorld) -> None:
    world.sync(NEW, OLD)
    world.bmc.reset_counters()
    shown = world.bmc.new_certificate()
    with pytest.raises(RefusedIdentity, match=f"sha256:{shown}"):
        world.sync(NEW, OLD)
    assert world.bmc.counters()["requests"] == 0
    world.values["tls.r1"] = f"sha256:{shown}"
    assert world.sync(NEW, OLD).outcome == "in-sync"
    del world.values["tls.r1"]
    assert world.sync(NEW, OLD).outcome == "in-sync"


def test_a_pin_of_the_device(plain: ObmWorld) -> None:
    plain.values["tls.r1"] = "sha256:" + "0" * 64
    with pytest.raises(RefusedIdentity):
        plain.sync(NEW, OLD)
    assert plain.bmc.counters()["requests"] == 0
    plain.values["tls.r1"] = "sha256:" + plain.bmc.fingerprint.upper()
    assert plain.sync(NEW, OLD).outcome == "changed"


def test_authorities(plain: ObmWorld) -> None:
    plain.values["tls"] = "ca"
    with pytest.raises(RefusedIdentity, match="authorities"):
        plain.sync(NEW, OLD)
    assert plain.bmc.counters()["requests"] == 0
    plain.values["ca.crt"] = plain.bmc.certificate_pem
    assert plain.sync(NEW, OLD).outcome == "changed"


def test_another_service_tag_gets_no_secret(idrac: ObmWorld) -> None:
    with pytest.raises(RefusedIdentity, match="OTHER77"):
        idrac.sync(NEW, OLD, serial="OTHER77")
    assert idrac.logins() == 0


def test_another_uuid_gets_no_secret(plain: ObmWorld) -> None:
    with pytest.raises(RefusedIdentity, match="UUID"):
        plain.sync(NEW, OLD, uuid="00000000-0000-0000-0000-000000000000")
    assert plain.logins() == 0


@pytest.mark.parametrize("kind", ["ami", "openbmc", "bluefield", "gb200"])
def test_the_serial_number_is_found_where_the_system_does_not_tell_it(kind: str, tmp_path: pathlib.Path) -> None:
    """OpenBMC's stands in its Chassis; on a GB200 the System of the baseboard tells another one beside it."""
    with obm_world(kind, tmp_path) as world:
        world.bmc.set_account(world.user, password=OLD)
        with pytest.raises(RefusedIdentity, match="OTHER77"):
            world.sync(NEW, OLD, serial="OTHER77")
        assert world.bmc.counters()["account_patches"] == 0
        world.simulator.advance(700)
        assert world.sync(NEW, OLD, serial=world.bmc.identity.serial).outcome == "changed"
        assert world.record.identity.serial == world.bmc.identity.serial


def test_another_serial_number_is_not_changed(plain: ObmWorld) -> None:
    with pytest.raises(RefusedIdentity, match="Nothing was changed"):
        plain.sync(NEW, OLD, serial="OTHER77")
    assert plain.bmc.counters()["account_patches"] == 0
    assert plain.bmc.counters()["sessions"]["now"] == 0


def test_a_redirect_is_not_followed(plain: ObmWorld) -> None:
    plain.bmc.set_faults(redirects_trailing_slash=True)
    assert plain.sync(NEW, OLD).outcome == "changed"  # /redfish/v1/ to /redfish/v1 on the same BMC is one that may be


@pytest.mark.parametrize(("method", "path"), [("GET", "/redfish/v1"), ("POST", "Sessions"), ("PATCH", "Accounts")])
def test_no_secret_follows_a_redirect_to_another_host(
    method: str, path: str, plain: ObmWorld, tmp_path: pathlib.Path
) -> None:
    with obm_world("generic", tmp_path / "elsewhere") as elsewhere:
        rule = {"action": "answer", "status": 307, "location": f"{elsewhere.bmc.url}/redfish/v1", "times": 0}
        plain.bmc.set_faults(rules=[{**rule, "method": method, "path": path}])
        with pytest.raises(RefusedIdentity, match="redirects"):
            plain.sync(OLD if method == "GET" else NEW, OLD)
        assert elsewhere.bmc.counters()["requests"] == 0
    assert plain.bmc.accepts(plain.user, OLD)


def test_a_proxy_of_the_environment_is_not_asked(plain: ObmWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert plain.sync(NEW, OLD).outcome == "changed"


@pytest.mark.parametrize(("status", "retry_after"), [(503, 0), (503, 2), (429, 0), (500, 0)])
def test_a_bmc_that_is_busy_at_every_third_get_is_changed(world: ObmWorld, status: int, retry_after: int) -> None:
    rule = {"action": "answer", "status": status, "retry_after": retry_after, "method": "GET", "every": 3, "times": 0}
    world.bmc.set_faults(rules=[rule])
    assert world.sync(NEW, OLD).outcome == "changed"
    assert world.bmc.counters()["account_patches"] == 1
    assert world.logins("wrong") <= 1
