"""`tiphys obm` in the pods of a cluster: all it keeps goes over the API, as its service account, and of the runs of
several processes one writes."""

import base64
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from obm_world import NEW, OLD
from tiphys.credentials.kubernetes import opened
from tiphys.credentials.options import Options
from tiphys.credentials.provider import Key
from tiphys.errors import ApiError
from tiphys.kit import yaml
from tiphys.kube.client import kubeconfig
from tiphys_simulators import BmcHandle, BmcSpec, running_simulator

DRIVER = pathlib.Path(__file__).with_name("in_pod_driver.py")
PROCESSES, EACH = 2, 10


@pytest.fixture
def bmc() -> Iterator[BmcHandle]:
    with running_simulator([BmcSpec("r1", "idrac9", "127.0.0.2", password=OLD)]) as simulator:
        yield simulator["r1"]


@pytest.fixture
def pod(cluster, tmp_path: pathlib.Path) -> dict[str, str]:
    """The files of a service account that may do what the README asks for, and the environment beside them."""
    namespace = f"obm-{tmp_path.name}"[:60].replace("_", "-").strip("-")
    cluster.kubectl("create", "namespace", namespace)
    cluster.kubectl("-n", namespace, "create", "serviceaccount", "obm")
    rights = ["--verb=get,create,update", "--resource=configmaps,secrets"]
    cluster.kubectl("-n", namespace, "create", "role", "obm", *rights)
    cluster.kubectl("-n", namespace, "create", "rolebinding", "obm", "--role=obm", f"--serviceaccount={namespace}:obm")
    folder = tmp_path / "serviceaccount"
    folder.mkdir()
    known = yaml.load(cluster.kubeconfig.read_text())["clusters"][0]["cluster"]
    (folder / "namespace").write_text(namespace)
    (folder / "ca.crt").write_bytes(base64.b64decode(known["certificate-authority-data"]))
    (folder / "token").write_text(cluster.kubectl("-n", namespace, "create", "token", "obm").strip())
    server = urlsplit(known["server"])
    return {
        **os.environ,
        "KUBERNETES_SERVICE_HOST": server.hostname,
        "KUBERNETES_SERVICE_PORT": str(server.port),
        "HOME": str(tmp_path / "home"),
        "KUBECONFIG": str(cluster.kubeconfig),  # the administrator's, which is not the pod's business
    }


def run(pod: dict[str, str], folder: pathlib.Path, *words: str, processes: int = PROCESSES, each: int = EACH) -> list:
    """A command from several processes at once, several times in each: how each of them ended."""
    command = [sys.executable, str(DRIVER), str(folder / "serviceaccount"), str(each), *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": pod}
    started = [subprocess.Popen(command, **pipes) for _ in range(processes)]
    try:
        ended = [process.communicate(timeout=50) for process in started]
    finally:
        for process in started:
            process.kill()
    assert [process.returncode for process in started] == [0] * processes, ended
    return [told for stdout, _ in ended for told in json.loads(stdout)]


def target(bmc: BmcHandle) -> list[str]:
    return ["--device=r1", f"--address={bmc.address}", f"--port={bmc.port}"]


def syncing(bmc: BmcHandle, folder: pathlib.Path, wanted: str, legacy: str) -> list[str]:
    credentials = folder / "credentials.yaml"
    credentials.write_text(f"username: root\npassword: {wanted}\nlegacyPasswords: [{legacy}]\n")
    return ["creds", "sync", *target(bmc), f"--credentials={credentials}"]


def test_twenty_runs_of_two_processes_change_a_password_once(
    cluster, pod: dict[str, str], bmc: BmcHandle, tmp_path: pathlib.Path
) -> None:
    told = run(pod, tmp_path, *syncing(bmc, tmp_path, NEW, OLD), "--wait=600")
    assert sorted(one["outcome"] for one in told) == ["changed", *["in-sync"] * (PROCESSES * EACH - 1)], told
    counted = bmc.counters()
    assert (counted["account_patches"], counted["password_changes"]) == (1, 1)
    assert (counted["logins"]["wrong"], counted["logins"]["blocked"]) == (1, 0)
    assert counted["sessions"]["max"] == 1
    namespace = (tmp_path / "serviceaccount" / "namespace").read_text()
    record = json.loads(cluster.get("configmap", "obm-record-r1", "-n", namespace)["data"]["record"])
    assert record["holder"] is None
    kept = cluster.get("secret", "obm-passwords-r1", "-n", namespace)["data"]
    assert base64.b64decode(kept["current"]).decode() == NEW
    assert not (tmp_path / "home").exists()  # nothing is kept beside the API


@pytest.mark.conformance
def test_twenty_runs_of_two_processes_with_wrong_passwords_stay_within_the_allowance(
    pod: dict[str, str], bmc: BmcHandle, tmp_path: pathlib.Path
) -> None:
    told = run(pod, tmp_path, *syncing(bmc, tmp_path, "Wrong-Passw0rd-1", "Wrong-Passw0rd-2"), "--wait=0")
    assert {one["outcome"] for one in told} <= {"wrong-credentials", "blocked-until", "busy"}, told
    assert bmc.counters()["logins"]["wrong"] == 2
    assert bmc.counters()["logins"]["blocked"] == 0


def test_a_replaced_bmc_and_an_unlocked_account_are_put_on_the_clusters_record(
    pod: dict[str, str], bmc: BmcHandle, tmp_path: pathlib.Path
) -> None:
    def once(*words: str) -> str:
        (told,) = run(pod, tmp_path, *words, processes=1, each=1)
        return str(told["outcome"])

    sync = [*syncing(bmc, tmp_path, NEW, OLD), "--wait=0"]
    assert once(*sync) == "changed"
    bmc.new_certificate()
    assert once(*sync) == "refused"
    assert once("identity", "accept", *target(bmc), "--yes") == "recorded"
    assert once(*sync) == "in-sync"
    bmc.set_account("root", password="Somebody-else-1")
    assert once(*sync) == "blocked-until"  # one miss was spent by the first run
    bmc.set_account("root", password=NEW)
    assert once("creds", "forget-attempts", *target(bmc)) == "recorded"
    assert once(*sync) == "in-sync"


def test_a_token_that_was_renewed_is_read_again(
    pod: dict[str, str], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pod's token lives for an hour; an update of firmware may take longer."""
    folder = tmp_path / "serviceaccount"
    monkeypatch.setattr(kubeconfig, "POD_FILES", folder)
    good = (folder / "token").read_text()
    (folder / "token").write_text("expired")
    provider = opened(Options.of("kubernetes:", pod))
    key = Key("obm-record", "r1")
    try:
        with pytest.raises(ApiError, match=r"401|Unauthorized|logged in"):
            provider.read(key)
        (folder / "token").write_text(good)
        version = provider.write(key, {"record": "{}"}, "")
        assert provider.read(key).version == version
    finally:
        provider.close()
