"""kill -9 of the command at every boundary between a durable write and a request, then a second run: nothing twice,
nothing lost, nobody locked out, no success that is none."""

import contextlib
import json
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from obm_world import IMAGE_VENDORS, NEW, OLD, image_server
from tiphys.credentials.given import read_given
from tiphys.kit.redact import Secret
from tiphys_simulators import BmcHandle, BmcSpec, build_image, running_simulator
from tiphys_simulators.personalities import PERSONALITIES
from tiphys_simulators.probe import Probe

pytestmark = pytest.mark.timeout(240)  # some 50 runs of the command each: 10 s on two idle cores

SPEED = 200
DRIVER = pathlib.Path(__file__).with_name("kill_driver.py")
KILLED = -9


@dataclass
class Driver:
    """Runs command lines, and kills them."""

    process: subprocess.Popen[str]

    def run(self, boundary: int, words: list[str], folder: pathlib.Path) -> tuple[int, dict[str, str]]:
        """The exit code and what the command told; a boundary of 0 is never reached."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"boundary": boundary, "words": words, "folder": str(folder)}) + "\n")
        self.process.stdin.flush()
        code = int(self.process.stdout.readline())
        stdout, stderr = ((folder / name).read_text() for name in ("stdout", "stderr"))
        assert "Traceback" not in stderr, stderr
        assert OLD not in stdout + stderr
        assert NEW not in stdout + stderr
        return code, json.loads(stdout) if stdout else {}


@pytest.fixture
def driver() -> Iterator[Driver]:
    command = [sys.executable, str(DRIVER)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Driver(process)
        finally:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()  # type: ignore[union-attr]  # it is a pipe
            process.wait(timeout=20)


def command(folder: pathlib.Path, bmc: BmcHandle, operation: str, *more: str) -> list[str]:
    for name, files in {
        "credentials": {"username": bmc.factory_credentials[0], "password": NEW},
        "legacy": {"passwords": OLD},
        "config": {"port": str(bmc.port), "simulated-speed": str(SPEED)},
    }.items():
        (folder / name).mkdir(parents=True)
        for file, text in files.items():
            (folder / name / file).write_text(text)
    folders = ("--credentials", f"{folder}/credentials", "--config", f"{folder}/config", "--state-dir", f"{folder}/s")
    target = ("--device", "r1", "--address", bmc.address, "--serial", bmc.identity.serial, "--wait", "100000")
    cache = ("--cache", f"{folder}/cache") if operation == "firmware update" else ()
    return ["obm", *operation.split(), *target, *folders, *cache, *more]


@pytest.mark.parametrize("personality", ["generic", "idrac9"])
def test_sync_creds_survives_a_kill_at_every_boundary(personality: str, driver: Driver, tmp_path: pathlib.Path) -> None:
    boundary, code = 0, KILLED
    with running_simulator([BmcSpec("r1", personality, "127.0.0.2")], speed=SPEED) as simulator:
        bmc = simulator["r1"]
        user = bmc.factory_credentials[0]
        while code == KILLED:
            boundary += 1
            bmc.reset()
            bmc.set_account(user, password=OLD)
            folder = tmp_path / str(boundary)
            words = command(folder, bmc, "creds sync", "--legacy", f"{folder}/legacy", "--legacy-user", user)
            code, _ = driver.run(boundary, words, folder)
            known = "".join(file.read_text() for file in (folder / "s").glob("obm-passwords-*.json"))
            assert bmc.accepts(user, OLD) or NEW in known
            again, told = driver.run(0, words, folder)
            assert (again, told["outcome"]) in ((0, "changed"), (0, "in-sync")), told
            assert bmc.accepts(user, NEW)
            counted = bmc.counters()
            assert counted["logins"]["blocked"] == 0
            assert (counted["account_patches"], counted["password_changes"]) == (1, 1)
    assert code == 0
    assert boundary > 25


# One of each habit in every run of `make conformance`; all of them by `make exhaustive`.
OFTEN = ("ami", "openbmc", "smc-x12", "xcc")


def _how_often(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.conformance if kind in OFTEN else pytest.mark.exhaustive


QUICK_ROTATIONS = (("generic", "rotate"), ("idrac9", "sync"))
ROTATIONS = [
    pytest.param(kind, second, marks=() if (kind, second) in QUICK_ROTATIONS else _how_often(kind))
    for kind in PERSONALITIES
    for second in ("rotate", "sync")
]


@pytest.mark.parametrize(("personality", "second"), ROTATIONS)
def test_a_rotation_survives_a_kill_at_every_boundary(
    personality: str, second: str, driver: Driver, tmp_path: pathlib.Path
) -> None:
    boundary, code = 0, KILLED
    with running_simulator([BmcSpec("r1", personality, "127.0.0.2")], speed=SPEED) as simulator:
        bmc = simulator["r1"]
        user = bmc.factory_credentials[0]
        while code == KILLED:
            boundary += 1
            bmc.reset()
            bmc.set_account(user, password=OLD)
            folder = tmp_path / str(boundary)
            words, file = rotation(folder, bmc)
            code, _ = driver.run(boundary, words, folder)
            known = ledger(folder)
            in_force = [password for password in (OLD, *known.values()) if bmc.accepts(user, password)]
            assert in_force, f"the password in force after boundary {boundary} is known nowhere"
            finished = known.get("current", OLD) not in (OLD, "") and not known.get("pending")
            again, told = driver.run(0, [*words[:2], second, *words[3:]], folder)
            given = read_given(file)
            counted = bmc.counters()
            assert counted["logins"]["blocked"] == 0
            if second == "rotate":
                assert (again, told["outcome"]) == (0, "changed"), told
                assert counted["password_changes"] == (2 if finished else 1)
            else:  # what was made is never taken back; before it was sent, there is nothing to take back
                in_sync = (again, told["outcome"]) == (0, "in-sync")
                rolled_forward = (again, told["outcome"]) == (0, "changed") and given.password != Secret(OLD)
                stale = (again, told["outcome"], told["reason"]) == (12, "refused", "superseded")
                assert in_sync or rolled_forward or stale, told
                assert counted["password_changes"] <= 1
                assert stale or bmc.accepts(user, given.password.reveal())
                if stale:
                    assert driver.run(0, words, folder)[0] == 0
            assert bmc.accepts(user, ledger(folder)["current"])
            assert bmc.accepts(user, read_given(file).password.reveal())
            assert "pending" not in ledger(folder)
    assert code == 0
    assert boundary > 20


def rotation(folder: pathlib.Path, bmc: BmcHandle) -> tuple[list[str], pathlib.Path]:
    """The command line, and the file of the credentials that it rewrites."""
    words = command(folder, bmc, "creds rotate")
    file = folder / "r1.yaml"
    file.write_text(f"username: {bmc.factory_credentials[0]}\npassword: {OLD}\n")
    words[words.index("--credentials") + 1] = str(file)
    return words, file


def ledger(folder: pathlib.Path) -> dict[str, str]:
    """The passwords as they are on the disk."""
    values: dict[str, str] = {}
    for path in (folder / "s").glob("obm-passwords-*.json"):
        values |= json.loads(path.read_text())
    return {name: values[name] for name in ("current", "pending", "previous") if name in values}


WAYS = (("generic", ""), ("idrac9", ""), ("ilo5", ""))
MORE_WAYS = (
    ("generic", "push"), ("generic", "pull"), ("idrac8", ""), ("idrac9", "push"), ("idrac9", "pull"), ("idrac10", ""),
    ("ilo6", ""), ("ilo7", "pull"), ("smc-x12", ""), ("smc-x12", "pull"), ("xcc", ""), ("xcc", "push"), ("ami", ""),
    ("ami", "pull"), ("openbmc", ""), ("openbmc", "push"), ("bluefield", ""), ("gb200", ""),
)  # fmt: skip
STAGES = {"after": 5, "refused": 10, "unavailable": 5, "unauthorized": 0, "partial": 5}


@pytest.mark.parametrize(
    ("personality", "mechanism"),
    [*WAYS, *(pytest.param(*way, marks=[_how_often("".join(way)), pytest.mark.timeout(900)]) for way in MORE_WAYS)],
)
def test_firmware_update_survives_a_kill_at_every_boundary(
    personality: str, mechanism: str, driver: Driver, tmp_path: pathlib.Path
) -> None:
    sent = 0
    specs = [BmcSpec("r1", personality, "127.0.0.2", password=NEW)]
    with running_simulator(specs, speed=SPEED) as simulator, image_server() as server:
        bmc = simulator["r1"]
        image = server.offer("fw.bin", build_image(IMAGE_VENDORS[personality], "BMC", "99.1"), "99.1")
        url = f"{image.url}#version=99.1&sha256={image.sha256}"
        # Up to the one after the record says that the BMC has taken the image, and some of the waiting; where there are
        # two steps, a claim or a restart of the BMC by us, past these, too.
        for boundary in range(1, 27 if (personality, mechanism) in WAYS else 50):
            bmc.reset()
            bmc.set_faults(task_seconds=20, reboot=STAGES)
            folder = tmp_path / str(boundary)
            words = command(folder, bmc, "firmware update", "--firmware-url", url, "--mechanism", mechanism)
            killed = driver.run(boundary, words, folder)[0]
            assert killed == KILLED or boundary > 27
            code, told = driver.run(0, words, folder)
            sent += ended_right(bmc, mechanism, code, told)
            if code != 0:  # nobody could know; a person looks, and decides
                code, told = driver.run(0, [*words, "--post-again"], folder)
                assert (code, told["outcome"]) == (0, "updated"), told
            if killed != KILLED:
                break
    assert sent > 10


def ended_right(bmc: BmcHandle, mechanism: str, code: int, told: dict[str, str]) -> bool:
    """Whether the update came through; if not, that nothing else could be told, and nothing was sent twice."""
    counted = bmc.counters()
    assert counted["update_posts"] <= 1
    assert counted["start_requests"] <= 1
    assert counted["bmc_reboots"] <= 1
    assert counted["logins"]["wrong"] + counted["logins"]["blocked"] == 0
    service = Probe(bmc, basic=(bmc.factory_credentials[0], NEW)).request("GET", "/redfish/v1/UpdateService")
    assert not service.body.get("HttpPushUriTargetsBusy")
    installed = bmc.state()["firmware"]["BMC"]["version"]
    if code == 0:
        assert counted["update_posts"] == 1
        assert installed == "99.1"
        assert (told["outcome"], told["version"]) in (("updated", "99.1"), ("no-op", "99.1"))
        return True
    assert installed != "99.1"
    if mechanism == "pull" and told["outcome"] == "failed":
        return False  # what served the image to the BMC was killed with the command
    assert (code, told["outcome"]) == (14, "unknown-outcome"), told
    # Killed between an intention and the first byte of its request, or before the answer that alone says where a staged
    # image is: nobody knows, so nobody sends it again.
    assert counted["update_posts"] == 0 or counted["start_requests"] == 0
    return False


@pytest.mark.parametrize(
    "personality",
    [
        pytest.param("idrac9", marks=pytest.mark.conformance),
        pytest.param("idrac8", marks=pytest.mark.exhaustive),
        pytest.param("idrac10", marks=pytest.mark.exhaustive),
    ],
)
def test_a_rollback_survives_a_kill_at_every_boundary(personality: str, driver: Driver, tmp_path: pathlib.Path) -> None:
    back = 0
    with running_simulator([BmcSpec("r1", personality, "127.0.0.2", password=NEW)], speed=SPEED) as simulator:
        bmc = simulator["r1"]
        previous = bmc.state()["firmware"]["BMC"]["previous"]
        for boundary in range(1, 50):
            bmc.reset()
            bmc.set_faults(task_seconds=20, reboot=STAGES)
            folder = tmp_path / str(boundary)
            words = command(folder, bmc, "firmware rollback", "--firmware-version", previous)
            killed = driver.run(boundary, words, folder)[0]
            code, told = driver.run(0, words, folder)
            assert bmc.counters()["update_posts"] <= 1
            if code != 0:  # between the intention and the request: nobody knows
                assert (code, told["outcome"], bmc.counters()["update_posts"]) == (14, "unknown-outcome", 0), told
                code, told = driver.run(0, [*words, "--post-again"], folder)
            else:
                back += 1
            assert (code, bmc.state()["firmware"]["BMC"]["version"]) == (0, previous), told
            if killed != KILLED:
                break
    assert back > 10
