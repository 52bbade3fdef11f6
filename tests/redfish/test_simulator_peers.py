"""Clients that others wrote work on the generic BMC: DMTF's rf_accounts.py, DMTF's protocol validator, and sushy.

They live in a virtual environment of their own under .cache/, made once, so that nothing of them is in ours.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tiphys_simulators import BmcHandle, BmcSpec, running_simulator

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(600)]

VENV = pathlib.Path(__file__).parents[2] / ".cache" / "redfish-peers"
PACKAGES = ["redfish==3.4.2", "redfish-utilities==3.5.2", "redfish-protocol-validator==1.3.2", "sushy==5.14.0"]
NEW = "Peer-Passw0rd-1"
# A CA bundle of the environment wins over these clients' own switches, and they would not trust the BMC.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.endswith(("CA_BUNDLE", "SSL_CERT_FILE"))}
READ_WITH_SUSHY = """
import sys, sushy
from sushy import auth
url, user, password = sys.argv[1:]
root = sushy.Sushy(url, auth=auth.SessionAuth(user, password), verify=False)
(system,) = root.get_system_collection().get_members()
(manager,) = root.get_manager_collection().get_members()
inventory = root.get_update_service().firmware_inventory.get_members()
print(system.uuid, manager.firmware_version, *(f"{item.identity}={item.version}" for item in inventory))
root._conn._auth.close()
"""


@pytest.fixture(scope="module")
def peers() -> pathlib.Path:
    """The folder with the peers' commands."""
    stamp = VENV / "installed"
    if not stamp.exists() or stamp.read_text() != "\n".join(PACKAGES):
        shutil.rmtree(VENV, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True, timeout=120)
        install = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", *PACKAGES]
        done = subprocess.run(install, capture_output=True, text=True, timeout=400, check=False)
        if done.returncode:
            pytest.skip(f"the peers cannot be installed here: {done.stderr.strip().splitlines()[-1]}")
        stamp.write_text("\n".join(PACKAGES))
    return VENV / "bin"


@pytest.fixture
def bmc() -> Iterator[BmcHandle]:
    with running_simulator([BmcSpec("peer", "generic")]) as simulator:
        yield simulator["peer"]


def run(*command: object, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    words = [str(word) for word in command]
    return subprocess.run(words, capture_output=True, text=True, env=ENVIRONMENT, timeout=timeout, check=False)


def test_rf_accounts_changes_a_password_in_one_log_in(peers: pathlib.Path, bmc: BmcHandle) -> None:
    user, password = bmc.factory_credentials
    tool = peers / "rf_accounts.py"
    done = run(peers / "python", tool, "-u", user, "-p", password, "-r", bmc.url, "--setpassword", user, NEW)
    assert done.returncode == 0, done.stderr
    assert bmc.accepts(user, NEW)
    counted = bmc.counters()
    assert (counted["logins"]["total"], counted["password_changes"]) == (1, 1)
    assert counted["sessions"]["now"] == 0


@pytest.mark.parametrize("personality", ["generic", "idrac9", "ilo5"])
def test_rf_accounts_makes_lists_and_changes_accounts(peers: pathlib.Path, personality: str) -> None:
    with running_simulator([BmcSpec("peer", personality)]) as simulator:
        bmc = simulator["peer"]
        user, password = bmc.factory_credentials

        def accounts(*words: str) -> str:
            tool = [peers / "python", peers / "rf_accounts.py", "-u", user, "-p", password, "-r", bmc.url]
            done = run(*tool, *words)
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout

        accounts("--add", "second", NEW, "Operator")
        assert bmc.accepts("second", NEW)
        listed = accounts()
        assert all(name in listed for name in (user, "second", "Operator"))
        accounts("--setpassword", "second", NEW + "x")
        assert bmc.accepts("second", NEW + "x")
        accounts("--disable", "second")
        assert not bmc.accepts("second", NEW + "x")
        accounts("--delete", "second")
        assert "second" not in [account["user"] for account in bmc.state()["accounts"]]
        assert bmc.counters()["logins"]["wrong"] == 0


def test_sushy_reads_the_tree(peers: pathlib.Path, bmc: BmcHandle) -> None:
    done = run(peers / "python", "-c", READ_WITH_SUSHY, bmc.url, *bmc.factory_credentials)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [bmc.identity.uuid, "1.0.0", "BMC=1.0.0", "BIOS=2.0.0"]
    assert bmc.counters()["sessions"]["now"] == 0


def test_the_protocol_validator_finds_no_fault(peers: pathlib.Path, bmc: BmcHandle, tmp_path: pathlib.Path) -> None:
    user, password = bmc.factory_credentials
    options = ["--no-cert-check", "--avoid-http-redirect", "--report-dir", tmp_path, "--report-type", "tsv"]
    done = run(peers / "rf_protocol_validator", "-u", user, "-p", password, "-r", bmc.url, *options, timeout=300)
    summary = re.search(r"PASS: (\d+), WARN: (\d+), FAIL: (\d+)", done.stdout)
    assert summary, done.stdout + done.stderr
    failures = [line for report in tmp_path.glob("*.tsv") for line in report.read_text().splitlines() if "FAIL" in line]
    assert failures == []
    assert int(summary[1]) > 250
