"""`obm firmware plan`, `inventory`, `wait`, `rollback`; apply times, windows, the host's power, the BIOS."""

import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from obm_world import IMAGE_VENDORS, OLD, ObmWorld, obm_world
from tiphys.errors import UsageError
from tiphys.obm.errors import (
    CheckRefused,
    ChecksumMismatch,
    ImageRefused,
    ObmError,
    Staged,
    TimedOut,
    Unknown,
    Unreachable,
)
from tiphys.obm.firmware.checks import Rules
from tiphys.obm.firmware.plan import inventory, look, plan
from tiphys.obm.firmware.rollback import rollback
from tiphys.obm.firmware.source import Source, catalogue_of
from tiphys.obm.firmware.update import Plan, Updated, wait
from tiphys.obm.firmware.window import window_of
from tiphys_simulators import BmcHandle, BmcSpec, build_image, running_simulator

TAKES = tuple(name for name in IMAGE_VENDORS if name != "smc-x10")


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[ObmWorld]:
    with obm_world(request.param, tmp_path) as made:
        yield made


def each(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("world", names, indirect=True)


def planned(world: ObmWorld, source: Source, rules: Rules | None = None, **options: Any) -> Mapping[str, Any]:
    wanted = Plan(source, world.folder.parent / "images", rules=rules or Rules(), **options)
    told: Mapping[str, Any] = world.access(lambda access: look(access, lambda: plan(access, wanted)))
    return told


def waited(world: ObmWorld, **options: Any) -> Updated:
    ended: Updated = world.access(wait, **options)
    return ended


def taken_back(world: ObmWorld, rules: Rules | None = None, **options: Any) -> Updated:
    ended: Updated = world.access(lambda access: rollback(access, rules or Rules(), **options))
    return ended


def untouched(world: ObmWorld) -> None:
    counted = world.bmc.counters()
    assert (counted["update_posts"], counted["start_requests"], counted["bmc_reboots"]) == (0, 0, 0)
    assert counted["sessions"]["now"] == 0


# Plan and inventory


@each(*TAKES)
def test_a_plan_tells_what_update_then_does(world: ObmWorld) -> None:
    image = world.image()
    source = Source(image.url, image.version, image.sha256)
    told = planned(world, source)
    assert (told["action"], told["compliance"], told["version"]) == ("update", "outdated", "99.1")
    assert told["obstacles"] == []
    untouched(world)
    assert world.server.files  # it was not even fetched
    assert not (world.folder.parent / "images").exists()
    world.update(image)
    assert world.bmc.counters()["images"][0]["via"] in ("MultipartHttpPush", "HttpPush")
    told = planned(world, source)
    assert (told["action"], told["compliance"]) == ("no-op", "compliant")


@each("generic")
def test_a_plan_over_a_catalogue_is_a_report_on_compliance(world: ObmWorld) -> None:
    def compliance(version: str, model: str = "Simulated*") -> str:
        entries = catalogue_of(json.dumps({"a": {"model": model, "version": version}}), "the file")
        told = planned(world, Source(entries=entries))
        untouched(world)
        return f"{told['action']} {told['compliance']}"

    assert compliance("1.0.0") == "no-op compliant"
    assert compliance("2.0") == "refuse outdated"  # there is no image of it
    assert compliance("0.1") == "refuse newer"
    assert compliance("abc") == "refuse unknown"
    assert compliance("2.0", "Other*") == "none unknown"


@each("generic")
def test_a_plan_names_all_that_stands_against_it(world: ObmWorld) -> None:
    told = planned(world, Source(version="0.1"), Rules(host_power="off", windows=(window_of("Mon 00:00-00:01"),)))
    assert [one["reason"] for one in told["obstacles"]] == ["downgrade", "power", "window", "no-image"]
    assert "until" in told["obstacles"][2]


@each("ilo5", "ilo6", "ilo7")
def test_what_stands_in_an_ilos_queue_goes_first(world: ObmWorld) -> None:
    failed, pending = {"name": "BIOS", "state": "Exception"}, {"name": "iLO", "state": "Pending"}
    world.bmc.set_faults(queue=[{"name": "old", "state": "Complete"}, failed, pending])
    with pytest.raises(CheckRefused, match=r"queue: BIOS \(Exception\); iLO \(Pending\)\.") as caught:
        world.update(world.image())
    assert caught.value.reason == "busy"
    untouched(world)
    world.bmc.set_faults(queue=[{"name": "old", "state": "Complete"}, failed])  # nothing that would ever run
    assert world.update(world.image()).outcome == "updated"


@each("generic")
def test_a_plan_while_an_update_is_under_way(world: ObmWorld) -> None:
    image = world.image()
    with pytest.raises(TimedOut):
        world.update(image, timeout=60)
    told = planned(world, Source(version="99.1"))
    assert (told["action"], told["under-way"]["version"]) == ("follow", "99.1")


@each(*TAKES, "smc-x10")
def test_an_inventory(world: ObmWorld) -> None:
    told = world.access(lambda access: look(access, lambda: inventory(access)))
    installed = world.bmc.state()["firmware"]
    assert told["versions"]["BMC"] == installed["BMC"]["version"]
    assert told["versions"]["BIOS"] in ("", installed["BIOS"]["version"]) or world.bmc.personality == "xcc"
    assert all(set(member) >= {"id", "name", "version"} for member in told["members"])
    assert bool(told["members"]) == (world.bmc.personality != "smc-x10")
    untouched(world)


@each("generic")
def test_an_inventory_that_is_a_page_of_html_is_called_so(world: ObmWorld) -> None:
    page = {"action": "answer", "path": "FirmwareInventory", "status": 200, "html": True, "times": 0}
    world.bmc.set_faults(rules=[page])
    with pytest.raises(Unreachable, match="answers what is no JSON to GET"):
        world.access(lambda access: look(access, lambda: inventory(access)))


# Wait


@each("generic", "idrac9", "ilo5", "openbmc")
def test_wait_follows_an_update_and_sends_nothing(world: ObmWorld) -> None:
    with pytest.raises(TimedOut):
        world.update(world.image(), timeout=100)
    assert world.bmc.counters()["update_posts"] == 1
    assert waited(world).version == "99.1"
    assert world.bmc.counters()["update_posts"] == 1
    assert waited(world).outcome == "no-op"


@each("xcc", "bluefield")
def test_wait_does_not_restart_a_bmc(world: ObmWorld) -> None:
    image = world.image()
    with pytest.raises(TimedOut):
        world.update(image, timeout=100)
    with pytest.raises(Staged) as caught:
        waited(world)
    assert (caught.value.reason, world.bmc.counters()["bmc_reboots"]) == ("reset", 0)
    assert world.update(image).version == "99.1"
    assert (world.bmc.counters()["bmc_reboots"], world.bmc.counters()["update_posts"]) == (1, 1)


@each("smc-x12")
def test_wait_does_not_start_what_was_verified(world: ObmWorld) -> None:
    image = world.image()
    with pytest.raises(TimedOut):
        world.update(image, timeout=20)
    with pytest.raises(Staged) as caught:
        waited(world)
    assert (caught.value.reason, world.bmc.counters()["start_requests"]) == ("start", 0)
    assert world.update(image).version == "99.1"
    assert (world.bmc.counters()["start_requests"], world.bmc.counters()["update_posts"]) == (1, 1)


@each("generic")
def test_wait_with_nothing_under_way(world: ObmWorld) -> None:
    assert waited(world).outcome == "no-op"
    untouched(world)


# Rollback


@each("idrac8", "idrac9", "idrac10")
def test_an_idrac_goes_back_to_its_previous_version(world: ObmWorld) -> None:
    before = world.bmc.state()["firmware"]["BMC"]
    world.update(world.image())
    assert taken_back(world).version == before["version"]
    assert (world.bmc.counters()["update_posts"], world.bmc.counters()["downloads"]) == (2, 0)
    ended = taken_back(world)
    assert ended.version == "99.1"
    assert f"another rollback goes to {before['version']} again" in ended.message


@each("idrac9")
def test_a_rollback_whose_answer_is_lost_is_sent_once(world: ObmWorld) -> None:
    world.update(world.image())
    world.bmc.set_faults(rules=[{"action": "lose-answer", "method": "POST", "path": "SimpleUpdate"}])
    assert taken_back(world).outcome == "updated"
    assert world.bmc.counters()["update_posts"] == 2
    world.bmc.set_faults(rules=[{"action": "lose-request", "method": "POST", "path": "SimpleUpdate"}])
    for _ in range(2):
        with pytest.raises(Unknown):
            taken_back(world)
    assert world.bmc.counters()["update_posts"] == 2


@each("openbmc")
def test_an_openbmc_goes_back_to_the_image_that_is_not_active(world: ObmWorld) -> None:
    before = world.bmc.state()["firmware"]["BMC"]["version"]
    world.bmc.set_faults(keeps_image=True)
    world.update(world.image())
    world.bmc.set_faults(rules=[{"action": "lose-answer", "method": "PATCH", "path": "Managers"}])
    reboots = world.bmc.counters()["bmc_reboots"]
    ended = taken_back(world)
    assert (ended.outcome, ended.version, ended.version_before) == ("updated", before, "99.1")
    assert (world.bmc.counters()["bmc_reboots"], world.bmc.counters()["update_posts"]) == (reboots + 1, 1)
    assert world.bmc.state()["firmware"]["BMC"]["version"] == before


@each("idrac9")
def test_a_rollback_that_names_its_version_may_be_run_again(world: ObmWorld) -> None:
    kept = world.bmc.state()["firmware"]["BMC"]["previous"]
    assert [taken_back(world, version=kept).outcome for _ in range(2)] == ["updated", "no-op"]
    assert world.bmc.counters()["update_posts"] == 1


@each("idrac9")
def test_a_rollback_to_another_version_than_the_wanted_one_is_none(world: ObmWorld) -> None:
    with pytest.raises(CheckRefused, match=r"keeps 4\.40\.29\.00, not 5\.0"):
        taken_back(world, version="5.0")
    untouched(world)


@each("generic", "ilo5", "smc-x12", "xcc", "ami", "openbmc", "bluefield", "gb200")
def test_what_cannot_go_back_says_why(world: ObmWorld) -> None:
    with pytest.raises(CheckRefused) as caught:
        taken_back(world)
    assert caught.value.reason == "not-offered"
    assert caught.value.version == world.bmc.state()["firmware"]["BMC"]["version"]
    untouched(world)


# When it takes effect


@each("ami", "openbmc")
def test_an_update_on_reset_is_staged_until_the_bmc_restarts(world: ObmWorld) -> None:
    image = world.image()
    for _ in range(2):
        with pytest.raises(Staged) as caught:
            world.update(image, sending={"apply": "OnReset"})
        assert (caught.value.reason, caught.value.changed) == ("reset", True)
        assert world.bmc.counters()["bmc_reboots"] == 0
    world.bmc.reboot()
    assert waited(world).version == "99.1"
    assert world.bmc.counters()["update_posts"] == 1


@each("idrac8", "idrac9", "idrac10")
def test_an_idracs_update_on_reset_is_staged_until_the_server_restarts(world: ObmWorld) -> None:
    image = world.image()
    for _ in range(2):
        with pytest.raises(Staged) as caught:
            world.update(image, sending={"apply": "OnReset", "mechanism": "pull"})
        assert (caught.value.reason, caught.value.changed) == ("host-restart", True)
    assert (world.bmc.counters()["host_resets"], world.bmc.counters()["bmc_reboots"]) == (0, 0)
    world.bmc.reset_host()
    assert waited(world).version == "99.1"
    assert world.bmc.counters()["update_posts"] == 1


@each("gb200", "smc-x12")
def test_an_apply_time_that_the_bmc_has_not_is_refused(world: ObmWorld) -> None:
    told = planned(world, Source(version="99.1"))
    assert told["mechanism"]["apply-time"] == "Immediate"
    with pytest.raises(ObmError) as caught:
        world.update(world.image(), sending={"apply": "OnReset"})
    assert caught.value.outcome == "refused"
    assert world.bmc.counters()["updates_accepted"] == 0


@each("generic")
def test_outside_of_the_windows_nothing_begins(world: ObmWorld) -> None:
    now = world.pace.now()
    hour = (now.hour + 2) % 24
    closed, opened = window_of(f"{hour:02}:00-{hour:02}:30"), window_of("00:00-00:00")
    with pytest.raises(CheckRefused, match="the next one opens") as caught:
        world.update(world.image(), rules={"windows": (closed,)})
    assert caught.value.until is not None
    assert caught.value.until.hour == hour
    untouched(world)
    assert world.update(world.image(), rules={"windows": (closed, opened)}).outcome == "updated"


@each("generic")
def test_the_host_must_be_as_a_person_says(world: ObmWorld) -> None:
    with pytest.raises(CheckRefused, match="is On; for this it must be Off"):
        world.update(world.image(), rules={"host_power": "off"})
    untouched(world)
    assert world.update(world.image(), rules={"host_power": "on"}).outcome == "updated"


# BIOS


def bios(world: ObmWorld, version: str = "98") -> dict[str, Any]:
    image = world.image(version, component="BIOS")
    return {"image": image, "source": Source(image.url, version, image.sha256, component="BIOS")}


@each("generic", "idrac9", "ilo5", "ami")
def test_a_bios_waits_for_the_host(world: ObmWorld) -> None:
    wanted = bios(world)
    with pytest.raises(Staged) as caught:
        world.update(**wanted)
    assert caught.value.reason == "host-restart"
    world.bmc.reset_host()
    world.simulator.advance(1200)
    assert world.update(**wanted).version == "98"
    counted = world.bmc.counters()
    assert (counted["update_posts"], counted["bmc_reboots"]) == (1, 0)


@each("openbmc")
def test_the_bios_of_an_openbmc_wants_the_host_off(world: ObmWorld) -> None:
    with pytest.raises(CheckRefused) as caught:
        world.update(**bios(world))
    assert caught.value.reason == "power"
    untouched(world)


# Images


@each("generic")
def test_an_image_on_this_machine(world: ObmWorld, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "own.bin"
    path.write_bytes(build_image("Generic", "BMC", "99.1"))
    image = world.image()
    assert world.update(image, source=Source(version="99.1", file=str(path))).outcome == "updated"
    assert world.bmc.counters()["images"][0]["name"] == "own.bin"
    with pytest.raises(UsageError, match="cannot be read"):
        world.update(image, source=Source(version="99.2", file=str(tmp_path / "no")))


@each("generic")
def test_an_image_is_fetched_once_for_all(world: ObmWorld) -> None:
    image = world.image()
    world.bmc.set_faults(max_image_bytes=10)
    with pytest.raises(ImageRefused):
        world.update(image)
    world.bmc.clear_faults()
    world.server.files.clear()
    assert world.update(image).outcome == "updated"


@each("ilo5")
def test_a_signature_beside_an_image_is_compared_too(world: ObmWorld) -> None:
    image = world.image()
    signature = world.server.offer("fw.compsig", b"signed", "99.1")
    source = Source(image.url, "99.1", image.sha256, compsig=f"{signature.url}#sha256={'0' * 64}")
    with pytest.raises(ChecksumMismatch):
        world.update(image, source=source)
    untouched(world)


# The command


@pytest.fixture
def bmc() -> Iterator[BmcHandle]:
    with running_simulator([BmcSpec("r1", "generic", "127.0.0.2", password=OLD)], speed=300) as simulator:
        yield simulator["r1"]


def tiphys(bmc: BmcHandle, folder: pathlib.Path, *words: str) -> tuple[int, dict[str, Any], str]:
    credentials = folder / "credentials.yaml"
    credentials.write_text(f"username: admin\npassword: {OLD}\n")
    config = folder / "config"
    config.mkdir(exist_ok=True)
    (config / "simulated-speed").write_text("300")
    place = [
        "--address",
        bmc.address,
        "--port",
        str(bmc.port),
        "--credentials",
        str(credentials),
        "--config",
        str(config),
    ]
    command = [sys.executable, "-m", "tiphys.cli.main", "obm", "firmware", *words, *place]
    env = {**os.environ, "XDG_STATE_HOME": f"{folder}/state", "XDG_CACHE_HOME": f"{folder}/cache"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, env=env, check=False)
    assert "Traceback" not in done.stderr
    assert OLD not in done.stdout + done.stderr
    return done.returncode, json.loads(done.stdout) if done.stdout.startswith("{") else {}, done.stdout + done.stderr


def test_the_commands(bmc: BmcHandle, tmp_path: pathlib.Path) -> None:
    image = tmp_path / "fw.bin"
    image.write_bytes(build_image("Generic", "BMC", "99.1"))
    wanted = ["--firmware-file", str(image), "--firmware-version", "99.1"]
    code, told, _ = tiphys(bmc, tmp_path, "inventory")
    assert (code, told["outcome"], told["versions"]["BMC"]) == (0, "dry-run", "1.0.0")
    _, _, text = tiphys(bmc, tmp_path, "inventory", "-o", "text")
    assert "BMC" in text
    outputs = tmp_path / "outputs"
    code, told, _ = tiphys(bmc, tmp_path, "plan", *wanted, "--outputs", str(outputs))
    assert (code, told["action"], (outputs / "action").read_text()) == (0, "update", "update")
    code, told, _ = tiphys(bmc, tmp_path, "update", *wanted, "--window", "", "--host-power", "", "--mechanism", "")
    assert (code, told["outcome"], told["version"]) == (0, "updated", "99.1")
    code, told, _ = tiphys(bmc, tmp_path, "wait")
    assert (code, told["outcome"]) == (0, "no-op")
    code, told, _ = tiphys(bmc, tmp_path, "rollback")
    assert (code, told["outcome"], told["reason"]) == (12, "refused", "not-offered")


def test_a_catalogue_in_a_file(bmc: BmcHandle, tmp_path: pathlib.Path) -> None:
    catalogue = tmp_path / "catalogue.yaml"
    catalogue.write_text("servers:\n  model: Simulated*\n  version: '2.0'\n")
    code, told, _ = tiphys(bmc, tmp_path, "plan", "--catalogue", str(catalogue))
    assert (code, told["compliance"]) == (0, "outdated")
    catalogue.write_text("servers: [1]\n")
    code, _, text = tiphys(bmc, tmp_path, "plan", "--catalogue", str(catalogue))
    assert code == 1
    assert "'servers' needs the fields model, version" in text
