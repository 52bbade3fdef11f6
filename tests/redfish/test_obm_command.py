"""`tiphys obm` as a command: outputs, exit codes, what it keeps in a cluster, and where no secret may be seen."""

import base64
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from obm_world import NEW, OLD
from tiphys.credentials.directory import DirectoryStore
from tiphys.credentials.kubernetes import KubernetesStore, connect
from tiphys.errors import UsageError
from tiphys.kit.redact import Secret
from tiphys.obm.record import Conflict, Passwords, Record
from tiphys_simulators import BmcHandle, BmcSpec, running_simulator


@pytest.fixture
def bmc() -> Iterator[BmcHandle]:
    with running_simulator([BmcSpec("r1", "generic", "127.0.0.2", password=OLD)]) as simulator:
        yield simulator["r1"]


def mounted(folder: pathlib.Path, **files: str) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return str(folder)


def words(bmc: BmcHandle, folder: pathlib.Path, *more: str) -> list[str]:
    credentials = mounted(folder / "credentials", username="admin", password=NEW)
    legacy = mounted(folder / "legacy", passwords=OLD)
    config = mounted(folder / "config")
    target = ["--device=r1", f"--address={bmc.address}", f"--port={bmc.port}", f"--serial={bmc.identity.serial}"]
    files = [f"--credentials={credentials}", f"--legacy={legacy}", "--legacy-user=admin", f"--config={config}"]
    return ["obm", "creds", "sync", *target, *files, f"--outputs={folder}/outputs", *more]


def tiphys(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tiphys.cli.main", *arguments]
    env = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, timeout=50, env=env, check=False)


def outputs(folder: pathlib.Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in (folder / "outputs").iterdir()}


def test_outputs_and_exit_codes(bmc: BmcHandle, tmp_path: pathlib.Path) -> None:
    state = f"--state-dir={tmp_path}/state"
    done = tiphys(*words(bmc, tmp_path, state))
    assert (done.returncode, json.loads(done.stdout)["outcome"]) == (0, "changed"), done.stderr
    told = outputs(tmp_path)
    assert (told["outcome"], told["changed"]) == ("changed", "true")
    assert told["message"] == json.loads(done.stdout)["message"]
    bmc.set_account("admin", password="Somebody-else-1")
    done = tiphys(*words(bmc, tmp_path, state))
    assert (done.returncode, outputs(tmp_path)["outcome"]) == (10, "wrong-credentials")
    assert done.stderr.splitlines()[-1].startswith("Error: 127.0.0.2:")
    done = tiphys(*words(bmc, tmp_path, state, "--wait=0"))
    told = json.loads(done.stdout)
    assert (done.returncode, told["outcome"], "until" in told) == (11, "blocked-until", True)
    bmc.new_certificate()
    assert tiphys(*words(bmc, tmp_path, state)).returncode == 12
    bmc.reboot()
    assert tiphys(*words(bmc, tmp_path, state)).returncode == 13


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["--address="], "--device and --address must not be empty"),
        (["--credentials=/nowhere"], "/nowhere does not exist"),
        (["--address=bmc..example"], "'bmc..example' is no IP address and no name of a host"),
        (["--address=127.0.0.2:8443"], "the port goes into --port"),
        (["--port=none"], "--port 'none' is no port"),
        (["--state-dir=/proc/no"], "cannot be made"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_an_output(
    change: list[str], said: str, bmc: BmcHandle, tmp_path: pathlib.Path
) -> None:
    done = tiphys(*words(bmc, tmp_path, f"--state-dir={tmp_path}/state", *change))
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert outputs(tmp_path)["outcome"] == "error"
    assert bmc.counters()["requests"] == 0


def test_the_policy_as_text_has_what_the_bmc_told(bmc: BmcHandle, tmp_path: pathlib.Path) -> None:
    bmc.set_account("admin", password=NEW)
    ours = words(bmc, tmp_path, f"--state-dir={tmp_path}/state", "-o", "text")
    given = [word for word in ours if not word.startswith("--legacy")]
    done = tiphys("obm", "creds", "policy", *given[given.index("sync") + 1 :])
    assert done.returncode == 0, done.stderr
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert "policy.password.maxLength: 40" in lines
    assert "policy.lockedDown: no" in lines
    assert any(line.startswith("lockoutsInForce 1: kind account, threshold 5") for line in lines)


def test_who_interrupts_it_is_told_how_to_go_on(bmc: BmcHandle, tmp_path: pathlib.Path) -> None:
    bmc.set_faults(rules=[{"action": "delay", "method": "PATCH", "seconds": 60}])
    command = [sys.executable, "-m", "tiphys.cli.main", *words(bmc, tmp_path, f"--state-dir={tmp_path}/state")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stderr is not None
        next(line for line in run.stderr if "log-in 2 of 2" in line)  # so much is sent; the change is under way
        run.send_signal(signal.SIGINT)
        _, said = run.communicate(timeout=30)
    assert run.returncode == 130
    assert "Interrupted. What a BMC was sent, it goes on with" in said
    assert "Traceback" not in said


def test_a_plan_with_an_image_that_is_not_there_is_refused(bmc: BmcHandle, tmp_path: pathlib.Path) -> None:
    (tmp_path / "me.yaml").write_text(f"username: admin\npassword: {NEW}\n")
    done = tiphys(
        *("obm", "firmware", "plan", f"--address={bmc.address}", f"--port={bmc.port}", f"--state-dir={tmp_path}/state"),
        *(f"--credentials={tmp_path}/me.yaml", "--firmware-file=missing.d9", "--firmware-version=7"),
    )
    assert done.returncode == 1
    assert "the image missing.d9 is no file" in done.stderr
    assert bmc.counters()["requests"] == 0


def test_the_record_in_a_cluster(cluster, bmc: BmcHandle, tmp_path: pathlib.Path) -> None:
    cluster.kubectl("create", "namespace", "obm-records")
    place = ["-n", "obm-records", "--kubeconfig", str(cluster.kubeconfig)]
    done = tiphys(*words(bmc, tmp_path, *place))
    assert (done.returncode, json.loads(done.stdout)["outcome"]) == (0, "changed"), done.stderr
    record = json.loads(cluster.get("configmap", "obm-record-r1", "-n", "obm-records")["data"]["record"])
    assert record["identity"]["fingerprint"] == bmc.fingerprint
    assert record["holder"] is None
    assert OLD not in json.dumps(record)
    assert NEW not in json.dumps(record)
    kept = cluster.get("secret", "obm-passwords-r1", "-n", "obm-records")["data"]
    assert {name: base64.b64decode(value).decode() for name, value in kept.items() if name != "rejected"} == {
        "username": "admin",
        "current": NEW,
        "previous": OLD,
    }
    done = tiphys(*words(bmc, tmp_path, *place))
    assert (done.returncode, json.loads(done.stdout)["outcome"]) == (0, "in-sync"), done.stderr


def test_two_commands_at_once_change_it_once(cluster, bmc: BmcHandle, tmp_path: pathlib.Path) -> None:
    cluster.kubectl("create", "namespace", "obm-two")
    place = ["-n", "obm-two", "--kubeconfig", str(cluster.kubeconfig)]
    command = [sys.executable, "-m", "tiphys.cli.main", *words(bmc, tmp_path, *place)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    told = [json.loads(one.communicate(timeout=50)[0])["outcome"] for one in both]
    assert sorted(told) == ["changed", "in-sync"]
    counted = bmc.counters()
    assert (counted["account_patches"], counted["logins"]["wrong"], counted["sessions"]["max"]) == (1, 1, 1)


def test_a_cluster_refuses_the_second_of_two_writers(cluster) -> None:
    cluster.kubectl("create", "namespace", "obm-cas")
    with contextlib.ExitStack() as stack:
        clients = [connect(str(cluster.kubeconfig), "obm-cas", {}) for _ in range(2)]
        for client in clients:
            stack.callback(client.close)
        one, other = (KubernetesStore(client, "R1 (old)") for client in clients)
        assert (one.load_record(), other.load_passwords()) == (None, Passwords())
        assert (other.load_record(), one.load_passwords()) == (None, Passwords())
        one.save_record(Record("r1", "first"))
        one.save_passwords(Passwords("root", Secret(OLD)))
        with pytest.raises(Conflict):
            other.save_record(Record("r1", "second"))
        with pytest.raises(Conflict):
            other.save_passwords(Passwords("root", Secret(NEW)))
        assert other.load_record() == Record("r1", "first")
        assert other.load_passwords() == Passwords("root", Secret(OLD))
        other.save_record(Record("r1", "second"))
        other.save_passwords(Passwords("root", Secret(NEW)))
        with pytest.raises(Conflict):
            one.save_record(Record("r1", "third"))
        with pytest.raises(Conflict):
            one.save_passwords(Passwords("root", Secret("third")))
        cluster.kubectl(
            "delete", "configmaps,secrets", "-l", "app.kubernetes.io/managed-by=tiphys-obm", "-n", "obm-cas"
        )
        with pytest.raises(Conflict):
            other.save_record(Record("r1", "fourth"))


def test_a_pod_is_itself_and_not_its_user(cluster, tmp_path: pathlib.Path) -> None:
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").write_text(cluster.kubeconfig.read_text())
    assert connect(environ={"HOME": str(tmp_path)}).target.server.startswith("https://127.0.0.1:")
    inside = {"HOME": str(tmp_path), "KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    with pytest.raises(UsageError, match="no cluster is configured"):  # its token is not here; the user's is not taken
        connect(environ=inside)


def test_a_missing_right_is_named(cluster, bmc: BmcHandle, tmp_path: pathlib.Path) -> None:
    cluster.kubectl("create", "namespace", "obm-rights")
    cluster.kubectl("create", "serviceaccount", "obm", "-n", "obm-rights")
    token = cluster.kubectl("create", "token", "obm", "-n", "obm-rights").strip()
    config = json.loads(cluster.kubectl("config", "view", "--raw", "-o", "json"))
    for user in config["users"]:
        user["user"] = {"token": token}
    narrow = tmp_path / "kubeconfig"
    narrow.write_text(json.dumps(config))
    done = tiphys(*words(bmc, tmp_path, "-n", "obm-rights", "--kubeconfig", str(narrow)))
    assert done.returncode == 1
    assert "configmaps" in done.stderr
    assert "verbs" in done.stderr
    assert bmc.counters()["requests"] == 0


def test_sigterm_lets_go_of_the_bmc_and_the_next_run_looks_first(bmc: BmcHandle, tmp_path: pathlib.Path) -> None:
    bmc.set_faults(rules=[{"action": "delay", "method": "PATCH", "seconds": 30}])
    state = f"--state-dir={tmp_path}/state"
    command = [sys.executable, "-m", "tiphys.cli.main", *words(bmc, tmp_path, state)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as running:
        deadline = time.monotonic() + 30
        while not bmc.counters()["account_patches"] and time.monotonic() < deadline:
            pass
        running.terminate()
        _, stderr = running.communicate(timeout=20)
    assert running.returncode == 143, stderr
    assert "Traceback" not in stderr
    store = DirectoryStore(tmp_path / "state", "r1")
    record = store.load_record()
    assert record is not None
    assert record.holder is None
    assert store.load_passwords().pending == Secret(NEW)
    bmc.clear_faults()
    done = tiphys(*words(bmc, tmp_path, state))
    assert (done.returncode, json.loads(done.stdout)["outcome"]) == (0, "changed"), done.stderr
    assert bmc.counters()["account_patches"] == 1


def test_no_secret_is_seen_anywhere(bmc: BmcHandle, tmp_path: pathlib.Path) -> None:
    bmc.set_faults(rules=[{"action": "delay", "method": "PATCH", "seconds": 1}])
    state = f"--state-dir={tmp_path}/state"
    command = [sys.executable, "-X", "dev", "-m", "tiphys.cli.main", *words(bmc, tmp_path, state)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        process = pathlib.Path(f"/proc/{running.pid}")
        deadline = time.monotonic() + 30
        while not bmc.counters()["account_patches"] and time.monotonic() < deadline:
            seen = (process / "cmdline").read_text() + (process / "environ").read_text()
            assert OLD not in seen
            assert NEW not in seen
        stdout, stderr = running.communicate(timeout=50)
    assert running.returncode == 0, stderr
    record = (tmp_path / "state" / "obm-record-r1.json").read_text()
    told = stdout + stderr + record + "".join(outputs(tmp_path).values())
    assert OLD not in told
    assert NEW not in told
    assert (tmp_path / "state" / "obm-passwords-r1.json").stat().st_mode & 0o777 == 0o600
