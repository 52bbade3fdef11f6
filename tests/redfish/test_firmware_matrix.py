"""Firmware of every personality, by every way it offers, under every fault that applies: the right outcome, one request
that brings an image in all runs together, nobody locked out, nothing left behind."""

import pathlib
from collections.abc import Iterator
from typing import Any

import pytest

from obm_world import IMAGE_VENDORS, NEW, OLD, ObmWorld, obm_world
from tiphys.obm.errors import (
    CheckRefused,
    DowngradeRefused,
    ImageRefused,
    ObmError,
    RefusedByBmc,
    RefusedIdentity,
    RolledBack,
    TimedOut,
    Unknown,
    UpdateFailed,
    VersionUnchanged,
)

ALL = tuple(IMAGE_VENDORS)
TAKES = tuple(name for name in ALL if name != "smc-x10")
FETCHES = ("generic", "idrac8", "idrac9", "idrac10", "ilo5", "ilo6", "ilo7", "smc-x12", "ami", "bluefield")
PUSHED_RAW = ("generic", "xcc", "openbmc", "bluefield", "gb200")
STAGES = ("idrac8", "idrac9", "idrac10")
BRINGS = {
    "generic": "update-multipart",
    **dict.fromkeys(("idrac9", "idrac10"), "MultipartUpload"),
    "idrac8": "FirmwareInventory",
    **dict.fromkeys(("ilo5", "ilo6", "ilo7"), "uploadFile"),
    **dict.fromkeys(("smc-x12", "ami"), "/upload"),
    "xcc": "/mfwupdate",
    "openbmc": "/update",
    **dict.fromkeys(("bluefield", "gb200"), "update-multipart"),
}
"""A part of the path to which the best way's request with the image goes."""


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[ObmWorld]:
    with obm_world(request.param, tmp_path) as made:
        yield made


def each(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("world", names, indirect=True)


def sound(world: ObmWorld, posts: int = 1) -> None:
    """Nothing sent twice, nobody locked out, nothing left behind."""
    counted = world.bmc.counters()
    assert counted["update_posts"] == posts
    assert counted["logins"]["blocked"] == 0
    assert counted["sessions"]["leaked"] + counted["sessions"]["now"] == 0
    assert world.record.holder is None
    assert world.record.update is None or not world.record.update.claimed
    assert OLD not in str(world.record)
    assert NEW not in str(world.record)


def fails(world: ObmWorld, kind: type[ObmError], image: Any = None, **options: Any) -> ObmError:
    with pytest.raises(kind) as caught:
        world.update(image or world.image(), **options)
    return caught.value


@each(*TAKES)
def test_an_update_is_followed_to_the_version(world: ObmWorld) -> None:
    image = world.image()
    ended = world.update(image)
    assert (ended.outcome, ended.changed, ended.version) == ("updated", True, "99.1")
    sound(world)
    assert world.bmc.counters()["bmc_reboots"] == 1
    assert world.bmc.counters()["images"][0]["sha256"] == image.sha256
    again = world.update(image)
    assert (again.outcome, again.changed) == ("no-op", False)
    sound(world)


@each("smc-x10")
def test_a_bmc_without_an_update_service_is_told(world: ObmWorld) -> None:
    refused = fails(world, CheckRefused)
    assert (refused.outcome, refused.reason, refused.version) == ("refused", "unsupported", "4.0")
    sound(world, 0)


@each(*FETCHES)
def test_a_bmc_fetches_the_image_from_us(world: ObmWorld) -> None:
    image = world.image()
    assert world.update(image, sending={"mechanism": "pull"}).version == "99.1"
    sound(world)
    counted = world.bmc.counters()
    assert (counted["downloads"], counted["images"][0]["via"]) == (1, "SimpleUpdate")
    assert counted["images"][0]["sha256"] == image.sha256


@each(*PUSHED_RAW, *STAGES, "ilo5")
def test_the_image_is_pushed_in_the_other_way(world: ObmWorld) -> None:
    image = world.image()
    assert world.update(image, sending={"mechanism": "push"}).version == "99.1"
    sound(world)
    assert world.bmc.counters()["images"][0]["via"] == "HttpPush"
    assert world.bmc.counters()["images"][0]["sha256"] == image.sha256


@each("gb200", "xcc", "openbmc")
def test_a_way_that_is_not_offered_is_refused_by_name(world: ObmWorld) -> None:
    assert "pull" in str(fails(world, CheckRefused, sending={"mechanism": "pull"}))
    sound(world, 0)


# Faults


@pytest.mark.conformance
@each(*TAKES)
@pytest.mark.parametrize("answer", ["task", "monitor", "body", "none"])
def test_every_handle_is_followed(world: ObmWorld, answer: str) -> None:
    world.bmc.set_faults(task_answer=answer)
    assert world.update(world.image()).version == "99.1"
    sound(world)


@pytest.mark.conformance
@each(*TAKES)
@pytest.mark.parametrize("script", ["exception", "exception-status-ok", "false-success", "no-change"])
def test_a_failure_is_told(world: ObmWorld, script: str) -> None:
    world.bmc.set_faults(task=script)
    error = fails(world, ObmError)
    told: tuple[type[ObmError], ...] = (UpdateFailed, RolledBack)
    if script == "no-change":  # an X12 then has nothing that StartUpdate could start, and says so
        told = (ImageRefused,) if world.bmc.personality == "smc-x12" else (RolledBack, VersionUnchanged)
    assert isinstance(error, told)
    assert error.version == error.version_before != ""
    sound(world)
    world.bmc.clear_faults()
    assert world.update(world.image()).version == "99.1"  # its end was seen: a new one may be sent
    sound(world, 2)


@pytest.mark.conformance
@each(*TAKES)
def test_a_lost_answer_is_looked_for(world: ObmWorld) -> None:
    path = BRINGS[world.bmc.personality]
    world.bmc.set_faults(rules=[{"action": "lose-answer", "method": "POST", "path": path}])
    image = world.image()
    if world.bmc.personality == "idrac8":  # what it stages makes no task: nobody knows, so nothing is sent again
        fails(world, Unknown, image)
        fails(world, Unknown, image)
        sound(world)
        return
    assert world.update(image).version == "99.1"
    sound(world)


@pytest.mark.conformance
@each(*TAKES)
def test_a_lost_image_is_unknown_until_a_person_decides(world: ObmWorld) -> None:
    path = BRINGS[world.bmc.personality]
    world.bmc.set_faults(rules=[{"action": "lose-request", "method": "POST", "path": path}])
    image = world.image()
    for _ in range(2):
        assert fails(world, Unknown, image).outcome == "unknown-outcome"
        assert world.bmc.counters()["update_posts"] == 0
    assert world.update(image, post_again=True).version == "99.1"
    sound(world)


@pytest.mark.conformance
@each("smc-x12", *STAGES)
def test_a_lost_start_is_looked_for(world: ObmWorld) -> None:
    start = "StartUpdate" if world.bmc.personality == "smc-x12" else "DellUpdateService.Install"
    mechanism = "" if world.bmc.personality == "smc-x12" else "push"
    world.bmc.set_faults(rules=[{"action": "lose-answer", "method": "POST", "path": start}])
    assert world.update(world.image(), sending={"mechanism": mechanism}).version == "99.1"
    sound(world)
    assert world.bmc.counters()["start_requests"] == 1


@pytest.mark.conformance
@each(*TAKES)
def test_an_update_that_is_stuck_is_followed_by_the_next_run(world: ObmWorld) -> None:
    world.bmc.set_faults(task="stuck")
    image = world.image()
    for _ in range(2):
        assert fails(world, TimedOut, image, timeout=600).reason == "still-running"
    assert world.bmc.counters()["update_posts"] == 1
    world.bmc.clear_faults()


@pytest.mark.conformance
@each(*TAKES)
def test_tasks_that_are_forgotten(world: ObmWorld) -> None:
    world.bmc.set_faults(task_survives_reboot=False, task_forgotten_after=60)
    assert world.update(world.image()).version == "99.1"
    sound(world)


@pytest.mark.conformance
@each(*TAKES)
@pytest.mark.parametrize("flaw", [{"vendor": "Other"}, {"signed": False}, {"component": "NIC"}])
def test_a_wrong_image_installs_nothing(world: ObmWorld, flaw: dict[str, Any]) -> None:
    error = fails(world, ObmError, world.image(**flaw))
    assert error.outcome in ("refused", "failed")
    assert isinstance(error, ImageRefused | UpdateFailed | RefusedByBmc)
    assert world.bmc.counters()["bmc_reboots"] == 0
    sound(world)
    assert world.update(world.image()).version == "99.1"


@pytest.mark.conformance
@each(*TAKES)
def test_a_downgrade(world: ObmWorld) -> None:
    image = world.image("0.9")
    fails(world, DowngradeRefused, image)
    sound(world, 0)
    assert world.update(image, allow_downgrade=True).version == "0.9"
    sound(world)


@pytest.mark.conformance
@each(*TAKES)
def test_another_update_runs(world: ObmWorld) -> None:
    world.bmc.set_faults(busy=True)
    error = fails(world, ObmError)
    assert error.outcome == "refused"
    world.bmc.clear_faults()
    posts = world.bmc.counters()["update_posts"]
    assert world.update(world.image()).version == "99.1"
    sound(world, posts + 1)


@pytest.mark.conformance
@each(*TAKES)
def test_lockdown(world: ObmWorld) -> None:
    world.bmc.set_faults(locked_down=True)
    assert fails(world, ObmError).outcome == "refused"
    assert world.bmc.counters()["updates_accepted"] == 0
    world.bmc.clear_faults()
    assert world.update(world.image()).version == "99.1"


@pytest.mark.conformance
@each(*TAKES)
def test_too_large(world: ObmWorld) -> None:
    world.bmc.set_faults(max_image_bytes=10)
    fails(world, ImageRefused)
    assert world.bmc.counters()["updates_accepted"] == 0


@pytest.mark.conformance
@each("generic", "smc-x12", "ami")
def test_no_licence(world: ObmWorld) -> None:
    world.bmc.set_faults(licensed=False)
    error = fails(world, RefusedByBmc)
    assert error.outcome == "refused"
    assert world.bmc.counters()["updates_accepted"] == 0
    if world.bmc.personality == "smc-x12":
        assert error.reason == "licence"


@pytest.mark.conformance
@each(*TAKES)
def test_chunks_are_never_sent(world: ObmWorld) -> None:
    world.bmc.set_faults(chunked_upload=False, length_required=True)
    assert world.update(world.image()).version == "99.1"


@pytest.mark.conformance
@each(*TAKES)
def test_a_bmc_that_is_busy_at_one_get_in_five(world: ObmWorld) -> None:
    world.bmc.set_faults(rules=[{"action": "answer", "status": 503, "method": "GET", "every": 5, "times": 0}])
    assert world.update(world.image()).version == "99.1"
    sound(world)


@pytest.mark.conformance
@each(*TAKES)
def test_hiccups_on_the_way(world: ObmWorld) -> None:
    hiccup = {"action": "answer", "status": 503, "method": "GET", "path": "TaskService", "times": 3}
    again = {"action": "answer", "status": 500, "html": True, "method": "GET", "path": "Managers", "times": 2}
    world.bmc.set_faults(rules=[hiccup])
    image = world.image()
    with pytest.raises(TimedOut):
        world.update(image, timeout=60)
    world.bmc.set_faults(rules=[hiccup, again])
    assert world.update(image).version == "99.1"
    sound(world)


@pytest.mark.conformance
@each(*TAKES)
def test_an_update_that_takes_the_password_away(world: ObmWorld) -> None:
    world.bmc.set_faults(loses_credentials=True)
    image = world.image()
    assert "obm-sync-creds" in str(fails(world, Unknown, image))
    assert world.logins("blocked") == 0
    world.simulator.advance(7200)
    world.bmc.set_account(world.user, password=OLD, must_change=True)
    for told in ("log-in", "refusals"):
        world.bmc.set_faults(must_change_told=told)
        assert "changed since the update was sent" in str(fails(world, Unknown, image))
    world.bmc.set_account(world.user, password=OLD, must_change=False)
    assert world.update(image).version == "99.1"
    sound(world)


@pytest.mark.conformance
@each(*TAKES)
def test_a_new_certificate_gets_no_secret(world: ObmWorld) -> None:
    world.bmc.set_faults(changes_certificate=True)
    image = world.image()
    assert fails(world, Unknown, image).reason == "identity"
    logins = world.logins()
    world.simulator.advance(3600)
    fails(world, RefusedIdentity, image)
    assert world.logins() == logins
    world.values["tls.r1"] = f"sha256:{world.bmc.fingerprint}"
    assert world.update(image).version == "99.1"
    assert world.bmc.counters()["update_posts"] == 1


@pytest.mark.conformance
@each(*TAKES)
def test_a_wrong_password_costs_one_log_in(world: ObmWorld) -> None:
    error = fails(world, ObmError, password="Wrong-Passw0rd-9")
    assert error.outcome == "wrong-credentials"
    assert world.logins() == 1


@pytest.mark.conformance
@each(*(name for name in TAKES if name not in ("ami", "openbmc", "gb200")))  # these tell no serial number
def test_another_machine_gets_no_image(world: ObmWorld) -> None:
    fails(world, RefusedIdentity, serial="OTHER77")
    assert world.bmc.counters()["update_posts"] == 0
