"""The simulator as a process: its command line, its control port, its state file."""

import contextlib
import json
import pathlib
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tiphys_simulators import BmcSpec, running_simulator
from tiphys_simulators.probe import Probe
from tiphys_simulators.simulator import SpecError

Json = dict[str, Any]


@contextlib.contextmanager
def process(*arguments: str) -> Iterator[Json]:
    command = [sys.executable, "-m", "tiphys_simulators", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        try:
            yield json.loads(running.stdout.readline())
        finally:
            running.terminate()
            assert running.wait(timeout=20) == 0


def control(url: str, method: str = "GET", body: object = None) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, method=method), timeout=10) as answer:
            text = answer.read()
            return answer.status, json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_addresses_share_a_port_and_sigterm_ends_it() -> None:
    with running_simulator([BmcSpec("first", "idrac9", "127.0.0.2")]) as first:
        port = first["first"].port
        arguments = ["--bmc", f"r1:ilo5:127.0.0.3:{port}", "--bmc", f"r2:generic:127.0.0.4:{port}"]
        with process("bmc", *arguments, "--speed", "100") as ready:
            assert ready["ready"] is True
            assert [(bmc["name"], bmc["url"]) for bmc in ready["bmcs"]] == [
                ("r1", f"https://127.0.0.3:{port}"),
                ("r2", f"https://127.0.0.4:{port}"),
            ]
            assert len({bmc["fingerprint"] for bmc in ready["bmcs"]}) == 2
            assert ready["control"] is None


def test_the_control_port(tmp_path: pathlib.Path) -> None:
    password = tmp_path / "password"
    password.write_text("Chosen-Passw0rd\n")
    chosen = ["--username", "admin", "--password-file", str(password)]
    with process("bmc", "--bmc", "r1:idrac9:127.0.0.2:0", "--control", "127.0.0.1:0", "--speed", "0", *chosen) as ready:
        url = f"{ready['control']}/bmcs/r1"
        assert control(ready["control"])[1]["bmcs"][0]["name"] == "r1"
        assert control(f"{url}/counters")[1]["logins"]["total"] == 0
        assert control(f"{url}/faults", "PATCH", {"patch_answer": "204"})[1]["patch_answer"] == "204"
        assert control(f"{url}/faults", "PUT", {"etag": "weak"})[1]["patch_answer"] == "200"
        assert control(f"{url}/faults", "PUT", {"etags": "weak"})[0] == 400
        assert control(f"{url}/faults")[1]["etag"] == "weak"  # the bad one changed nothing
        assert control(f"{url}/firmware", "PUT", {"BMC": "7.0"})[0] == 204
        assert control(url)[1]["firmware"]["BMC"]["version"] == "7.0"
        assert control(f"{url}/accounts/admin", "PUT", {"must_change": True})[0] == 204
        assert control(url)[1]["accounts"][0]["must_change"] is True
        assert control(f"{url}/accounts/admin", "PUT", {"colour": "red"})[0] == 400
        before = control(f"{ready['control']}/clock")[1]["now"]
        after = control(f"{ready['control']}/clock/advance", "POST", {"seconds": 600})[1]["now"]
        assert after - before == 600
        assert control(f"{url}/reboot", "POST")[0] == 204
        assert control(url)[1]["stage"] == "refused"
        assert control(f"{url}/factory-reset", "POST")[0] == 204
        assert control(url)[1]["accounts"][0]["user"] == "root"
        assert control(url)[1]["fingerprint"] != ready["bmcs"][0]["fingerprint"]
        assert control(f"{url}/label")[1]["password"] == "calvin"
        assert control(f"{ready['control']}/bmcs/*/reset", "POST")[0] == 204
        assert control(url)[1]["stage"] == "up"
        assert control(url)[1]["accounts"][0]["user"] == "admin"
        assert control(f"{ready['control']}/bmcs/r9")[0] == 404
        assert control(f"{url}/nonsense")[0] == 404


def test_the_state_file_keeps_passwords_firmware_and_certificate(tmp_path: pathlib.Path) -> None:
    state = tmp_path / "bmcs.json"
    spec = BmcSpec("r1", "idrac9", username="root", password="First-Passw0rd")
    with running_simulator([spec], state=state) as simulator:
        bmc = simulator["r1"]
        probe = Probe(bmc, basic=("root", "First-Passw0rd"))
        path = "/redfish/v1/AccountService/Accounts/2"
        assert probe.request("PATCH", path, {"Password": "Second-Passw0rd"}).status == 200
        bmc.set_firmware("BMC", "7.0")
        pinned = bmc.fingerprint
        kept = state.read_text()
        assert stat.S_IMODE(state.stat().st_mode) == 0o600
        assert "Passw0rd" not in kept
    with running_simulator([spec], state=state) as simulator:
        bmc = simulator["r1"]
        assert bmc.fingerprint == pinned
        assert bmc.accepts("root", "Second-Passw0rd")
        assert bmc.state()["firmware"]["BMC"]["version"] == "7.0"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["bmc", "--bmc", "r1:idrac9:10.0.0.1:0"], "loopback"),
        (["bmc", "--bmc", "r1:idrac9:0.0.0.0:0"], "loopback"),
        (["bmc", "--bmc", "r1:idrac7:127.0.0.1:0"], "no personality 'idrac7'"),
        (["bmc", "--bmc", "r1:idrac9"], "name:personality:address:port"),
        (["bmc", "--bmc", "r:generic:127.0.0.1:0", "--bmc", "r:ilo5:127.0.0.1:0"], "two BMCs of one name"),
        (["bmc", "--bmc", "r1:idrac9:127.0.0.1:0", "--control", "0.0.0.0:0"], "loopback"),
        (["bmc", "--bmc", "r1:idrac9:127.0.0.1:0", "--speed", "-1"], "backwards"),
    ],
)
def test_what_cannot_be_started_is_one_line(arguments: list[str], said: str) -> None:
    command = [sys.executable, "-m", "tiphys_simulators", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_taken_port_is_said_by_name() -> None:
    with running_simulator([BmcSpec("r1")]) as simulator:
        second = running_simulator([BmcSpec("r2", port=simulator["r1"].port)])
        with pytest.raises(SpecError, match="r2: cannot listen"):
            second.__enter__()


def test_a_damaged_state_file_is_said_by_name(tmp_path: pathlib.Path) -> None:
    state = tmp_path / "bmcs.json"
    state.write_text("{")
    with (
        pytest.raises(SpecError, match=r"bmcs\.json: not a state file"),
        running_simulator([BmcSpec("r1")], state=state),
    ):
        pass


def test_an_image_is_written(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "fw.bin"
    command = [sys.executable, "-m", "tiphys_simulators", "image", str(file), "--vendor", "HPE", "--version", "2.78"]
    subprocess.run(command, check=True, timeout=20)
    assert file.read_bytes().startswith(b"TIPHYSFW HPE BMC 2.78 ")


def test_a_hundred_bmcs_in_one_process() -> None:
    with running_simulator([BmcSpec(f"r{number}", "idrac9", f"127.0.1.{number}") for number in range(1, 101)]) as many:
        answers = [Probe(bmc).request("GET", "/redfish/v1").body["Oem"]["Dell"]["ServiceTag"] for bmc in many]
    assert len(set(answers)) == 100


def test_a_fleet_is_many_bmcs_of_one_line_and_says_when_it_cannot_be_read() -> None:
    specs = BmcSpec.fleet("r:*:127.0.1.255:8443:15")
    assert [(spec.name, spec.personality, spec.address, spec.port) for spec in (specs[0], specs[1], specs[14])] == [
        ("r-1", "generic", "127.0.1.255", 8443),
        ("r-2", "idrac8", "127.0.2.0", 8443),
        ("r-15", "generic", "127.0.2.13", 8443),
    ]
    for text in ("r:generic:127.0.0.1:8443", "r:generic:127.0.0.1:8443:many", "r:none:127.0.0.1:1:2", "r"):
        with pytest.raises(SpecError):
            BmcSpec.fleet(text)
    assert BmcSpec.parse("r1:xcc:8443").address == "127.0.0.1"
