"""`tiphys obm … --hosts`: many BMCs with one command."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from obm_world import NEW, OLD
from tiphys_simulators import BmcHandle, BmcSpec, running_simulator

COUNT = 6


@pytest.fixture
def bmcs() -> Iterator[list[BmcHandle]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    specs = [BmcSpec(f"r{n}", "generic", f"127.0.0.{n + 2}", port, password=OLD) for n in range(COUNT)]
    with running_simulator(specs) as simulator:
        yield list(simulator)


def command(folder: pathlib.Path, hosts: str, *more: str) -> list[str]:
    credentials = folder / "credentials.yaml"
    credentials.write_text(f"username: admin\npassword: {NEW}\nlegacyPasswords: [{OLD}]\n")
    words = ["obm", "creds", "sync", "--hosts", hosts, "--credentials", str(credentials), f"--state-dir={folder}/state"]
    return [sys.executable, "-m", "tiphys.cli.main", *words, *more]


def listed(bmcs: list[BmcHandle]) -> str:
    rows = [
        {"device": bmc.name, "address": bmc.address, "port": bmc.port, "serial": bmc.identity.serial} for bmc in bmcs
    ]
    return json.dumps(rows)


def run(words: list[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, timeout=50, input=stdin, check=False)


@pytest.mark.parametrize("processes", [0, 1, 2, 5])
def test_each_gets_the_password_on_record(bmcs: list[BmcHandle], processes: int, tmp_path: pathlib.Path) -> None:
    done = run(
        command(tmp_path, "-", "--concurrency=3", f"--processes={processes}", f"--outputs={tmp_path}/outputs"),
        listed(bmcs),
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["summary"] == {"changed": COUNT}
    assert told["notBegun"] == []
    assert sorted(host["device"] for host in told["hosts"]) == [bmc.name for bmc in bmcs]
    assert [bmc.counters()["password_changes"] for bmc in bmcs] == [1] * COUNT
    assert (tmp_path / "outputs" / "r3" / "outcome").read_text() == "changed"
    for secret in (OLD, NEW):
        assert secret not in done.stdout + done.stderr


def test_one_that_fails_stops_no_other(bmcs: list[BmcHandle], tmp_path: pathlib.Path) -> None:
    bmcs[1].set_account("admin", password="Somebody-else-1")
    file = tmp_path / "hosts.json"
    file.write_text(listed(bmcs))
    done = run(command(tmp_path, str(file), "-o", "text"))
    assert done.returncode == 10, done.stderr  # that of all that failed
    assert done.stdout.splitlines()[-1] == f"{COUNT} of {COUNT}: {COUNT - 1} changed, 1 wrong-credentials"
    assert "r1: wrong-credentials: " in done.stdout
    bmcs[2].new_certificate()
    done = run(command(tmp_path, str(file), "-o", "text", "--wait=0"))
    assert done.returncode == 1, done.stderr  # several kinds of failures
    assert "r2: refused: " in done.stdout


def test_ctrl_c_stops_between_bmcs(bmcs: list[BmcHandle], tmp_path: pathlib.Path) -> None:
    held, listening = tmp_path / "held", socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    address, port = listening.getsockname()
    held.write_text(json.dumps([{"address": address, "port": port}, *json.loads(listed(bmcs))]))
    words = command(tmp_path, str(held), "--concurrency=1")
    with listening, subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        listening.settimeout(40)
        first, _ = listening.accept()  # the first one has begun
        running.send_signal(signal.SIGINT)
        first.close()
        stdout, stderr = running.communicate(timeout=40)
    assert running.returncode == 130, stderr
    told = json.loads(stdout)
    assert told["summary"]["unreachable"] == 1
    # On a busy machine the main thread may hear of the signal when the next one has begun: that is seen through.
    left = [bmc.name for bmc in bmcs if not bmc.counters()["requests"]]
    assert len(left) >= COUNT - 2
    assert told["notBegun"] == left
    assert told["summary"].get("changed", 0) == COUNT - len(left)
    assert stderr.splitlines()[-1] == f"Stopped: {len(left)} of {COUNT + 1} were not begun"


def test_a_signal_to_the_first_of_several_processes_stops_all(bmcs: list[BmcHandle], tmp_path: pathlib.Path) -> None:
    held, listening = tmp_path / "held", [socket.socket(), socket.socket()]
    rows = []
    for one in listening:
        one.bind(("127.0.0.1", 0))
        one.listen()
        one.settimeout(40)
        rows.append({"address": "127.0.0.1", "port": one.getsockname()[1], "device": f"held{len(rows)}"})
    held.write_text(json.dumps([*rows, *json.loads(listed(bmcs))]))
    words = command(tmp_path, str(held), "--concurrency=2", "--processes=2")
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        met = [one.accept()[0] for one in listening]  # each process has begun its first one
        running.send_signal(signal.SIGINT)
        for connection in met:
            connection.close()
        stdout, stderr = running.communicate(timeout=40)
    for one in listening:
        one.close()
    assert running.returncode == 130, stderr
    told = json.loads(stdout)
    assert told["summary"]["unreachable"] == 2
    # The signal passes through the first process: meanwhile the others may have begun another one each.
    assert len(told["notBegun"]) >= COUNT - 4
    untouched = [bmc.name for bmc in bmcs if not bmc.counters()["requests"]]
    assert told["notBegun"] == untouched
    assert sorted(host["device"] for host in told["hosts"]) == sorted(
        {"held0", "held1", *(bmc.name for bmc in bmcs)} - set(untouched)
    )


def test_a_process_that_dies_is_told(bmcs: list[BmcHandle], tmp_path: pathlib.Path) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.settimeout(40)
        address, port = listening.getsockname()
        hosts = tmp_path / "hosts"
        hosts.write_text(json.dumps([{"address": address, "port": port}, *json.loads(listed(bmcs))]))
        words = command(tmp_path, str(hosts), "--concurrency=2", "--processes=2")
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
            connection, _ = listening.accept()
            children = pathlib.Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
            os.kill(int(children[0]), signal.SIGKILL)
            _, stderr = running.communicate(timeout=40)
            connection.close()
    assert running.returncode not in (0, 130)
    assert "1 of 2 processes died on the way" in stderr
    assert "Traceback" not in stderr


def test_a_person_sees_how_far_it_is(bmcs: list[BmcHandle], tmp_path: pathlib.Path) -> None:
    screen, terminal = os.openpty()
    words = command(tmp_path, "-", "-o", "text")
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=terminal, text=True) as running:
        os.close(terminal)
        running.communicate(listed(bmcs), timeout=50)
    seen = os.read(screen, 1 << 16).decode()
    os.close(screen)
    assert f"{COUNT}/{COUNT}" in seen
    assert f"{COUNT} changed" in seen


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--address=127.0.0.1"], "takes the place of --address"),
        (["--concurrency=0"], "must be 1 at least"),
    ],
)
def test_what_cannot_be_meant_is_refused(more: list[str], said: str, tmp_path: pathlib.Path) -> None:
    done = run(command(tmp_path, "-", *more), "10.0.0.1")
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    done = run(command(tmp_path, str(tmp_path / "none")))
    assert "cannot be read" in done.stderr
    assert "Traceback" not in done.stderr
