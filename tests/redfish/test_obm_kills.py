"""kill -9 of the command at every boundary between a durable write and a request, then a second run: nothing twice,
nothing lost, nobody locked out, no success that is none."""

import json
import pathlib
import subprocess
import sys
from dataclasses import dataclass

import pytest

from obm_world import NEW, OLD
from tiphys_simulators import BmcHandle, BmcSpec, running_simulator

SPEED = 200
DRIVER = pathlib.Path(__file__).with_name("kill_driver.py")
KILLED = -9


@dataclass
class Command:
    """One command line against one BMC, run again and again with the same record."""

    folder: pathlib.Path
    bmc: BmcHandle
    words: tuple[str, ...]

    def run(self, boundary: int) -> tuple[int, dict[str, object]]:
        """Its exit code and what it told; a boundary of 0 is never reached."""
        words = [sys.executable, str(DRIVER), str(boundary), "obm", *self.words]
        done = subprocess.run(words, capture_output=True, text=True, timeout=50, check=False)
        assert "Traceback" not in done.stderr, done.stderr
        assert OLD not in done.stdout + done.stderr
        assert NEW not in done.stdout + done.stderr
        return done.returncode, json.loads(done.stdout) if done.stdout else {}


def command(folder: pathlib.Path, bmc: BmcHandle, operation: str, *more: str) -> Command:
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
    return Command(folder, bmc, (operation, *target, *folders, *more))


@pytest.mark.parametrize("personality", ["generic", "idrac9"])
def test_sync_creds_survives_a_kill_at_every_boundary(personality: str, tmp_path: pathlib.Path) -> None:
    boundary, ended = 0, 0
    with running_simulator([BmcSpec("r1", personality, "127.0.0.2")], speed=SPEED) as simulator:
        bmc = simulator["r1"]
        user = bmc.factory_credentials[0]
        while ended != 1:
            boundary += 1
            bmc.reset()
            bmc.set_account(user, password=OLD)
            folder = tmp_path / str(boundary)
            sync = command(folder, bmc, "sync-creds", "--legacy", f"{folder}/legacy", "--legacy-user", user)
            code, _ = sync.run(boundary)
            if code != KILLED:
                assert code == 0
                ended = 1
            known = "".join(file.read_text() for file in (folder / "s").glob("obm-passwords-*.json"))
            assert bmc.accepts(user, OLD) or NEW in known
            code, told = sync.run(0)
            assert (code, told["outcome"]) in ((0, "changed"), (0, "already-in-sync")), told
            assert bmc.accepts(user, NEW)
            counted = bmc.counters()
            assert counted["logins"]["blocked"] == 0
            assert counted["account_patches"] <= 1
            assert counted["password_changes"] == 1
    assert boundary > 15
