"""`obm firmware update` against simulated BMCs: one POST in all, followed to its end, believed when read back."""

import pathlib
from collections.abc import Iterator

import pytest

from obm_world import OLD, ObmWorld, obm_world
from tiphys.credentials.directory import DirectoryStore
from tiphys.errors import StoreError, UsageError
from tiphys.obm.errors import (
    ChecksumMismatch,
    DowngradeRefused,
    ImageRefused,
    ImageUnavailable,
    RefusedByBmc,
    RefusedIdentity,
    TimedOut,
    Unknown,
    Unreachable,
    UpdateFailed,
    VersionUnchanged,
    WrongCredentials,
)
from tiphys.obm.firmware.source import Entry, Firmware, Source
from tiphys.obm.record import Record

KINDS = ("generic", "idrac9", "ilo5")


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[ObmWorld]:
    with obm_world(request.param, tmp_path) as made:
        yield made


@pytest.fixture
def plain(tmp_path: pathlib.Path) -> Iterator[ObmWorld]:
    with obm_world("generic", tmp_path) as made:
        yield made


def test_an_update_is_followed_through_the_restart(world: ObmWorld) -> None:
    image = world.image()
    ended = world.update(image)
    assert (ended.outcome, ended.changed, ended.version) == ("updated", True, "99.1")
    assert ended.version_before == {"generic": "1.0.0", "idrac9": "6.00.30.00", "ilo5": "2.72"}[world.bmc.personality]
    counted = world.bmc.counters()
    assert counted["update_posts"] == 1
    assert counted["bmc_reboots"] == 1
    assert counted["images"][0]["sha256"] == image.sha256
    assert counted["sessions"]["leaked"] + counted["sessions"]["now"] == 0
    assert counted["logins"]["wrong"] + counted["logins"]["blocked"] == 0
    assert world.record.update is not None
    assert world.record.update.state == "ended"
    assert world.record.holder is None


def test_the_same_version_is_left_alone(world: ObmWorld) -> None:
    version = world.bmc.state()["firmware"]["BMC"]["version"]
    ended = world.update(world.image(version))
    assert (ended.outcome, ended.changed) == ("no-op", False)
    assert world.bmc.counters()["update_posts"] == 0


def test_few_credentials_are_sent_during_the_restart(plain: ObmWorld) -> None:
    plain.update(plain.image())
    # one: the read that finds out that the BMC has gone
    assert plain.bmc.counters()["authenticated_requests_during_reboot"] <= 1


@pytest.mark.parametrize("answer", ["task", "monitor", "body", "none"])
def test_every_handle_is_followed(plain: ObmWorld, answer: str) -> None:
    plain.bmc.set_faults(task_answer=answer)
    assert plain.update(plain.image()).outcome == "updated"
    assert plain.bmc.counters()["update_posts"] == 1


@pytest.mark.parametrize("script", ["exception", "exception-status-ok", "false-success"])
def test_a_failure_is_told_whatever_its_percentage(world: ObmWorld, script: str) -> None:
    world.bmc.set_faults(task=script)
    with pytest.raises(UpdateFailed) as caught:
        world.update(world.image())
    assert caught.value.version == caught.value.version_before != ""
    assert world.bmc.counters()["update_posts"] == 1


def test_success_without_the_version_is_none(world: ObmWorld) -> None:
    world.bmc.set_faults(task="no-change")
    with pytest.raises(VersionUnchanged, match=r"not 99\.1"):
        world.update(world.image())
    assert world.bmc.counters()["update_posts"] == 1


def test_an_image_that_brings_another_version_than_it_should_has_changed_the_bmc(plain: ObmWorld) -> None:
    source = Source(plain.image("99.1").url, "99.2", plain.image("99.1").sha256)
    with pytest.raises(VersionUnchanged, match=r"runs 99\.1, not 99\.2") as caught:
        plain.update(plain.image("99.1"), source=source)
    assert (caught.value.changed, caught.value.reason, caught.value.outcome) == (True, "other-version", "failed")


def test_an_update_that_is_stuck_is_followed_by_the_next_run(plain: ObmWorld) -> None:
    plain.bmc.set_faults(task="stuck")
    for _ in range(3):
        with pytest.raises(TimedOut):
            plain.update(plain.image(), timeout=600)
    assert plain.bmc.counters()["update_posts"] == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_image_is_refused_and_told(kind: str, tmp_path: pathlib.Path) -> None:
    with obm_world(kind, tmp_path) as world:
        for changes in ({"vendor": "Other"}, {"signed": False}, {"component": "NIC"}):
            # an iLO takes every upload, and tells later
            with pytest.raises(UpdateFailed if kind == "ilo5" else ImageRefused):
                world.update(world.image(**changes))
        assert world.bmc.counters()["bmc_reboots"] == 0
        assert world.update(world.image()).outcome == "updated"


def test_an_image_with_another_digest_is_not_sent(plain: ObmWorld) -> None:
    image = plain.image()
    plain.server.files["/fw-99.1.bin"] += b"tampered"
    with pytest.raises(ChecksumMismatch):
        plain.update(image)
    assert plain.bmc.counters()["update_posts"] == 0


def test_an_image_that_is_not_there(plain: ObmWorld) -> None:
    image = plain.image()
    plain.server.files.clear()
    with pytest.raises(ImageUnavailable, match="404"):
        plain.update(image)
    assert plain.bmc.counters()["update_posts"] == 0


def test_a_too_large_image_is_not_sent(plain: ObmWorld) -> None:
    plain.bmc.set_faults(max_image_bytes=10)
    with pytest.raises(ImageRefused, match="at most 10 bytes"):
        plain.update(plain.image())
    assert plain.bmc.counters()["update_posts"] == 0


def test_a_downgrade_needs_to_be_allowed(world: ObmWorld) -> None:
    with pytest.raises(DowngradeRefused):
        world.update(world.image("0.9"))
    assert world.bmc.counters()["update_posts"] == 0
    assert world.update(world.image("0.9"), allow_downgrade=True).version == "0.9"


def test_another_update_runs(world: ObmWorld) -> None:
    world.bmc.set_faults(busy=True)
    with pytest.raises(RefusedByBmc):
        world.update(world.image())
    world.bmc.clear_faults()
    assert world.update(world.image()).outcome == "updated"


def test_lockdown(plain: ObmWorld) -> None:
    plain.bmc.set_faults(locked_down=True)
    with pytest.raises(RefusedByBmc, match="lockdown"):
        plain.update(plain.image())


def test_chunked_uploads_are_never_sent(plain: ObmWorld) -> None:
    plain.bmc.set_faults(chunked_upload=False)
    assert plain.update(plain.image()).outcome == "updated"


def test_a_lost_answer_is_looked_for_and_not_sent_again(world: ObmWorld) -> None:
    path = {"generic": "update-multipart", "idrac9": "MultipartUpload", "ilo5": "uploadFile"}[world.bmc.personality]
    world.bmc.set_faults(rules=[{"action": "lose-answer", "method": "POST", "path": path}])
    assert world.update(world.image()).outcome == "updated"
    assert world.bmc.counters()["update_posts"] == 1


def test_a_lost_image_is_unknown_until_a_person_decides(plain: ObmWorld) -> None:
    plain.bmc.set_faults(rules=[{"action": "lose-request", "method": "POST", "path": "update-multipart"}])
    image = plain.image()
    for _ in range(2):
        with pytest.raises(Unknown, match="--post-again"):
            plain.update(image)
    assert plain.bmc.counters()["update_posts"] == 0
    assert plain.update(image, post_again=True).outcome == "updated"
    assert plain.bmc.counters()["update_posts"] == 1


def test_a_task_that_is_forgotten_is_followed_by_its_job(tmp_path: pathlib.Path) -> None:
    with obm_world("idrac9", tmp_path) as world:
        world.bmc.set_faults(task="false-success", task_forgotten_after=1)
        with pytest.raises(UpdateFailed, match="no progress"):
            world.update(world.image())


def test_a_task_that_does_not_survive_the_restart(plain: ObmWorld) -> None:
    plain.bmc.set_faults(task_survives_reboot=False)
    assert plain.update(plain.image()).outcome == "updated"


@pytest.mark.parametrize("kind", ["xcc", "bluefield"])
def test_a_task_that_is_gone_without_a_restart_says_nothing_of_the_end(kind: str, tmp_path: pathlib.Path) -> None:
    with obm_world(kind, tmp_path) as world:
        world.bmc.set_faults(
            task_forgotten_after=1
        )  # before anybody has seen it succeed, and so told the BMC to restart
        image = world.image()
        for _ in range(2):
            with pytest.raises(Unknown, match="nobody has told how the update ended"):
                world.update(image)
        world.bmc.reboot()
        assert world.update(image).version == "99.1"
        assert world.bmc.counters()["update_posts"] == 1


def test_a_bmc_that_only_fetches(plain: ObmWorld) -> None:
    image = plain.image()
    assert plain.update(image, sending={"mechanism": "pull"}).outcome == "updated"
    counted = plain.bmc.counters()
    assert (counted["downloads"], counted["update_posts"]) == (1, 1)
    assert counted["images"][0] == {
        "via": "SimpleUpdate",
        "name": "fw-99.1.bin",
        "bytes": image.size,
        "sha256": image.sha256,
    }


def test_a_bare_push(plain: ObmWorld) -> None:
    assert plain.update(plain.image(), sending={"mechanism": "push"}).outcome == "updated"
    assert plain.bmc.counters()["images"][0]["via"] == "HttpPush"


def test_an_update_that_takes_the_password_away_is_no_success(plain: ObmWorld) -> None:
    plain.bmc.set_faults(loses_credentials=True)
    image = plain.image()
    with pytest.raises(Unknown, match="obm-sync-creds"):
        plain.update(image)
    assert plain.bmc.counters()["logins"]["blocked"] == 0
    plain.bmc.set_account(plain.user, password=OLD)
    assert plain.update(image).outcome == "updated"
    assert plain.bmc.counters()["update_posts"] == 1


def test_a_certificate_that_the_update_changed_gets_no_secret(plain: ObmWorld) -> None:
    plain.bmc.set_faults(changes_certificate=True)
    image = plain.image()
    with pytest.raises(Unknown, match="another certificate") as caught:
        plain.update(image)
    assert caught.value.reason == "identity"
    logins = plain.logins()
    plain.simulator.advance(3600)
    with pytest.raises(RefusedIdentity):
        plain.update(image)
    assert plain.logins() == logins
    plain.values["tls.r1"] = f"sha256:{plain.bmc.fingerprint}"
    assert plain.update(image).outcome == "updated"
    assert plain.bmc.counters()["update_posts"] == 1


def test_a_wrong_password_costs_one_log_in(world: ObmWorld) -> None:
    with pytest.raises(WrongCredentials, match="obm-sync-creds"):
        world.update(world.image(), password="Wrong-Passw0rd-9")
    assert world.logins() == 1


def test_another_machine_gets_no_image(world: ObmWorld) -> None:
    with pytest.raises(RefusedIdentity):
        world.update(world.image(), serial="OTHER77")
    assert world.bmc.counters()["update_posts"] == 0


def test_the_entry_for_the_model_is_chosen(plain: ObmWorld) -> None:
    image = plain.image()
    firmware = Firmware(image.url, image.version, image.sha256)
    other = Firmware(image.url, "5.0", image.sha256)
    source = Source(entries=(Entry("a", "Simulated S*", firmware), Entry("b", "PowerEdge*", other)))
    assert plain.update(image, source=source).version == "99.1"


def test_a_model_without_an_entry(plain: ObmWorld) -> None:
    with pytest.raises(UsageError, match="no firmware is on record for the model 'Simulated Server'"):
        plain.update(plain.image(), source=Source())


def test_the_end_of_an_earlier_flash_is_not_taken_for_this_one(tmp_path: pathlib.Path) -> None:
    with obm_world("ilo5", tmp_path) as ilo:
        with pytest.raises(UpdateFailed):
            ilo.update(ilo.image(vendor="Other"))
        ilo.bmc.set_faults(rules=[{"action": "lose-request", "method": "POST", "path": "uploadFile"}])
        with pytest.raises(Unknown):
            ilo.update(ilo.image())


def test_a_run_that_comes_in_the_middle_of_the_restart_waits(world: ObmWorld) -> None:
    image = world.image()
    with pytest.raises(TimedOut):
        world.update(image, timeout=100)  # the image is there, and nothing has happened yet
    world.bmc.reboot()
    assert world.update(image).outcome == "updated"
    assert world.bmc.counters()["update_posts"] == 1
    assert world.logins("blocked") == 0


def test_a_hiccup_costs_no_session(plain: ObmWorld) -> None:
    hiccup = {"action": "answer", "status": 503, "method": "GET", "path": "TaskService/Tasks/", "times": 3}
    plain.bmc.set_faults(rules=[hiccup])
    assert plain.update(plain.image()).outcome == "updated"
    assert plain.bmc.counters()["sessions"]["max"] == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_bmc_that_is_busy_at_one_get_in_five_is_updated(plain: ObmWorld, status: int) -> None:
    now_and_then = {"action": "answer", "status": status, "method": "GET", "every": 5, "times": 0}
    plain.bmc.set_faults(rules=[now_and_then])
    assert plain.update(plain.image()).outcome == "updated"
    counted = plain.bmc.counters()
    assert (counted["update_posts"], counted["sessions"]["max"]) == (1, 1)
    assert counted["logins"]["wrong"] == 0


def test_an_update_service_that_is_busy_is_not_called_missing(plain: ObmWorld) -> None:
    for status in (500, 503):
        busy = {"action": "answer", "status": status, "method": "GET", "path": "UpdateService", "times": 0}
        plain.bmc.set_faults(rules=[busy])
        with pytest.raises(Unreachable, match=f"answers {status}.*UpdateService"):
            plain.update(plain.image())
    assert plain.bmc.counters()["update_posts"] == 0


def test_a_record_that_cannot_be_kept_after_the_image_is_no_success(
    plain: ObmWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = DirectoryStore.save_record

    def full(store: DirectoryStore, record: Record, *, durable: bool = True) -> None:
        if record.update is not None and record.update.state == "accepted":
            raise StoreError("the disk is full")
        save(store, record, durable=durable)

    monkeypatch.setattr(DirectoryStore, "save_record", full)
    image = plain.image()
    with pytest.raises(Unknown, match="the disk is full"):
        plain.update(image)
    monkeypatch.undo()
    plain.simulator.advance(3600)
    assert plain.update(image).outcome == "updated"
    assert plain.bmc.counters()["update_posts"] == 1


def test_a_redirected_image_is_not_sent_on(plain: ObmWorld) -> None:
    rule = {"action": "answer", "status": 307, "location": "https://127.0.0.9/x", "method": "POST", "path": "multipart"}
    plain.bmc.set_faults(rules=[rule])
    with pytest.raises(RefusedIdentity, match="redirects"):
        plain.update(plain.image())
    assert plain.update(plain.image()).outcome == "updated"
