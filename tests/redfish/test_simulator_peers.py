"""Clients and validators that others wrote work on the simulated BMCs: DMTF's tools, sushy and badfish.

Where one does not, the personality's real BMC is the reason, and the test says which of its habits.

They live in a virtual environment of their own under .cache/, made once, so that nothing of them is in ours.
"""

import concurrent.futures
import contextlib
import os
import pathlib
import re
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest

from cached_venv import cached_venv
from tiphys_simulators import BmcHandle, BmcSpec, build_image, running_simulator
from tiphys_simulators.probe import Probe

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(600)]

VENV = pathlib.Path(__file__).parents[2] / ".cache" / "redfish-peers"
PACKAGES = [
    "redfish==3.4.2",
    "redfish-utilities==3.5.2",
    "redfish-protocol-validator==1.3.2",
    "redfish_use_case_checkers==2.1.1",
    "sushy==5.14.0",
    "badfish==1.8.2",
]
NEW = "Peer-Passw0rd-1"
# A CA bundle of the environment wins over these clients' own switches, and they would not trust the BMC.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.endswith(("CA_BUNDLE", "SSL_CERT_FILE"))}
READ_WITH_SUSHY = """
import sys, sushy
from sushy import auth
url, user, password = sys.argv[1:]
root = sushy.Sushy(url, auth=auth.SessionAuth(user, password), verify=False)
try:
    managers = root.get_manager_collection().get_members()
    print(*(system.uuid for system in root.get_system_collection().get_members()))
    inventory = root.get_update_service().firmware_inventory.get_members()
    print(*(f"{item.identity}={item.version}" for item in inventory), *(item.firmware_version for item in managers))
finally:
    root._conn._auth.close()
"""


@pytest.fixture(scope="module")
def peers() -> pathlib.Path:
    """The folder with the peers' commands."""
    return cached_venv(VENV, PACKAGES)


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


PERSONALITIES = [
    "generic", "idrac8", "idrac9", "idrac10", "ilo5", "ilo6", "ilo7", "smc-x12", "smc-x10", "xcc", "ami", "openbmc",
    "bluefield", "gb200",
]  # fmt: skip
PASSWORD = "Wr0ng-Horse-Battery"


@contextlib.contextmanager
def in_use(*personalities: str, speed: float = 1) -> Iterator[list[BmcHandle]]:
    """BMCs whose factory password was changed long ago."""
    with running_simulator([BmcSpec(name, name) for name in personalities], speed=speed) as simulator:
        for bmc in simulator:
            bmc.set_account(bmc.factory_credentials[0], password=PASSWORD)
        yield list(simulator)


@pytest.mark.parametrize("personality", PERSONALITIES)
def test_rf_accounts_makes_lists_and_changes_accounts(peers: pathlib.Path, personality: str) -> None:
    with in_use(personality) as (bmc,):
        user = bmc.factory_credentials[0]

        def accounts(*words: str) -> str:
            tool = [peers / "python", peers / "rf_accounts.py", "-u", user, "-p", PASSWORD, "-r", bmc.url]
            done = run(*tool, *words)
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout

        accounts("--add", "second", NEW, "Operator")
        if personality.startswith("idrac"):  # the tool fills a slot, and does not enable it
            accounts("--enable", "second")
        assert bmc.accepts("second", NEW)
        listed = accounts()
        assert all(name in listed for name in (user, "second", "Operator"))
        accounts("--setpassword", "second", NEW + "x")
        assert bmc.accepts("second", NEW + "x")
        if "Enabled" in Probe(bmc, basic=(user, PASSWORD)).request("GET", path_of(bmc)).body:
            accounts("--disable", "second")
            assert not bmc.accepts("second", NEW + "x")
        accounts("--delete", "second")
        assert "second" not in [account["user"] for account in bmc.state()["accounts"]]
        assert bmc.counters()["logins"]["wrong"] == 0


def path_of(bmc: BmcHandle) -> str:
    """The factory's account."""
    probe = Probe(bmc, basic=(bmc.factory_credentials[0], PASSWORD))
    collection = probe.request("GET", "/redfish/v1/AccountService").body["Accounts"]["@odata.id"]
    members = probe.request("GET", collection).body["Members"]
    return next(
        str(member["@odata.id"])
        for member in members
        if probe.request("GET", member["@odata.id"]).body["UserName"] == bmc.factory_credentials[0]
    )


@pytest.mark.parametrize(
    ("personality", "works"),
    [
        ("idrac10", True),
        ("xcc", False),  # it reads the account first, which may not read itself
        ("openbmc", False),  # its library looks for "Base.x.y.", and bmcweb says "Base.x.y.z."
    ],
)
def test_rf_accounts_and_a_password_that_must_be_changed_first(
    peers: pathlib.Path, personality: str, works: bool
) -> None:
    with running_simulator([BmcSpec("peer", personality)]) as simulator:
        bmc = simulator["peer"]
        user, password = bmc.factory_credentials
        tool = [peers / "python", peers / "rf_accounts.py", "-u", user, "-p", password, "-r", bmc.url]
        run(*tool, "--setpassword", user, NEW)
        assert bmc.accepts(user, NEW) is works


# What rf_update.py cannot follow: an X12 that answers 202 without a Location.
VENDORS = {
    "generic": "Generic", "idrac8": "Dell", "idrac9": "Dell", "idrac10": "Dell", "ilo5": "HPE", "ilo6": "HPE",
    "ilo7": "HPE", "smc-x12": "Supermicro", "xcc": "Lenovo", "ami": "AMI", "openbmc": "OpenBMC", "bluefield": "NVIDIA",
    "gb200": "NVIDIA",
}  # fmt: skip


@pytest.mark.parametrize("personality", list(VENDORS))
def test_rf_update_updates_the_firmware(peers: pathlib.Path, personality: str, tmp_path: pathlib.Path) -> None:
    image = tmp_path / "firmware.bin"
    image.write_bytes(build_image(VENDORS[personality], "BMC", "98.7.6"))
    with in_use(personality, speed=10) as (bmc,):  # faster, and an XCC's session of 300 s ends too soon
        bmc.set_faults(reboot={"after": 100_000}, task_seconds=30)  # it logs out before the restart
        user = bmc.factory_credentials[0]
        tool = [peers / "python", peers / "rf_update.py", "-u", user, "-p", PASSWORD, "-r", bmc.url]
        done = run(*tool, "--image", image)
        assert (done.returncode == 0) == (personality != "smc-x12"), done.stdout + done.stderr
        bmc.reboot()  # XCC, OpenBMC and BlueField wait for it
        if personality != "smc-x12":
            assert bmc.state()["firmware"]["BMC"]["version"] == "98.7.6"
        counted = bmc.counters()
        assert (counted["update_posts"], counted["logins"]["total"], counted["sessions"]["leaked"]) == (1, 1, 0)


@pytest.mark.parametrize("personality", PERSONALITIES)
def test_sushy_reads_the_tree(peers: pathlib.Path, personality: str) -> None:
    with in_use(personality) as (bmc,):
        done = run(peers / "python", "-c", READ_WITH_SUSHY, bmc.url, bmc.factory_credentials[0], PASSWORD)
        unreadable = {
            "smc-x10": "ResourceNotFoundError",  # no UpdateService
            "openbmc": "MissingAttributeError",  # an UpdateService without Actions
        }
        assert bmc.identity.uuid in done.stdout.lower() or bmc.identity.uuid in done.stdout, done.stderr
        if personality in unreadable:
            assert unreadable[personality] in done.stderr
            return
        assert done.returncode == 0, done.stderr
        version = bmc.state()["firmware"]["BMC"]["version"]
        assert f"{version}" in done.stdout.splitlines()[1]
        assert bmc.counters()["sessions"]["now"] == 0


def test_badfish_reads_and_resets_an_idrac(peers: pathlib.Path, tmp_path: pathlib.Path) -> None:
    with in_use("idrac9", speed=100) as (bmc,):
        secrets = {"BADFISH_USERNAME": "root", "BADFISH_PASSWORD": PASSWORD, "HOME": str(tmp_path)}

        def badfish(*words: str) -> str:
            command = [str(peers / "badfish"), "--insecure", "-H", f"{bmc.address}:{bmc.port}", *words]
            done = subprocess.run(
                command, capture_output=True, text=True, env=ENVIRONMENT | secrets, timeout=120, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout + done.stderr

        assert "6.00.30.00" in badfish("--firmware-inventory")
        assert "'On'" in badfish("--power-state")
        badfish("--racreset")
        bmc.set_faults()  # the restart that is due has come by now, or comes with the next look
        deadline = time.monotonic() + 30
        while not bmc.counters()["bmc_reboots"] and time.monotonic() < deadline:
            threading.Event().wait(0.05)
        assert bmc.counters()["bmc_reboots"] == 1


# DMTF's validators. What they find on a vendor's personality is what its real BMC does.
NO_ETAG = {"PROTO_ETAG_ON_GET_ACCOUNT", "RESP_HEADERS_ETAG"}  # accounts without an ETag
# An account that must change its password may not read itself, and so learns no ETag for the PATCH.
HIDDEN = {"SEC_PWD_CHANGE_REQ_ALLOW_GET_ACCOUNT", "SEC_PWD_CHANGE_REQ_ALLOW_PATCH_PASSWORD"}
NO_MESSAGE = {"RESP_STATUS_BAD_REQUEST"}  # Dell's errors have no `message` beside their `code`
DEVIATIONS: dict[str, set[str]] = {
    "idrac8": NO_ETAG | NO_MESSAGE, "idrac9": NO_ETAG | NO_MESSAGE, "idrac10": NO_MESSAGE, "smc-x10": NO_ETAG,
    "xcc": HIDDEN, "openbmc": NO_ETAG, "bluefield": NO_ETAG, "gb200": NO_ETAG,
}  # fmt: skip
# An ETag of AMI's is the second of the last change: whether two changes of the validator's fall into one is chance.
BY_CHANCE = {"ami": {"SEC_ACCOUNTS_SUPPORT_ETAGS"}}


def in_batches(commands: dict[str, list[str]], size: int = 5) -> dict[str, str]:
    """The output of each, a few at a time: they mostly wait."""

    def one(command: list[str]) -> str:
        done = run(*command, timeout=500)
        return done.stdout + done.stderr

    with concurrent.futures.ThreadPoolExecutor(size) as pool:
        return dict(zip(commands, pool.map(one, commands.values()), strict=True))


def test_the_protocol_validator_finds_only_what_the_real_bmcs_do(peers: pathlib.Path, tmp_path: pathlib.Path) -> None:
    with in_use(*PERSONALITIES) as bmcs:
        for bmc in bmcs:  # it sends wrong passwords, and an iLO would delay what comes after
            bmc.set_faults(lockout={"kind": "none"})
        options = ["--no-cert-check", "--avoid-http-redirect", "--report-type", "tsv", "-p", PASSWORD]
        tool = str(peers / "rf_protocol_validator")
        outputs = in_batches(
            {
                bmc.name: [tool, *options, "--report-dir", str(tmp_path / bmc.name), "-u", user_of(bmc), "-r", bmc.url]
                for bmc in bmcs
            }
        )
    found, passed = {}, {}
    for name, output in outputs.items():
        summary = re.search(r"PASS: (\d+), WARN: (\d+), FAIL: (\d+)", output)
        assert summary, output
        rows = [
            line.split("\t") for report in (tmp_path / name).glob("*.tsv") for line in report.read_text().splitlines()
        ]
        found[name] = {row[0] for row in rows if len(row) > 4 and row[4] == "FAIL"} - BY_CHANCE.get(name, set())
        passed[name] = int(summary[1])
    assert found == {name: DEVIATIONS.get(name, set()) for name in PERSONALITIES}
    assert min(passed.values()) > 250


def user_of(bmc: BmcHandle) -> str:
    return bmc.factory_credentials[0]


def test_the_use_case_checkers_find_no_fault(peers: pathlib.Path, tmp_path: pathlib.Path) -> None:
    with in_use(*PERSONALITIES) as bmcs:
        for bmc in bmcs:
            bmc.set_faults(max_sessions=0)
        tool = str(peers / "rf_use_case_checkers")
        outputs = in_batches(
            {
                bmc.name: [
                    tool,
                    "-u",
                    user_of(bmc),
                    "-p",
                    PASSWORD,
                    "-r",
                    bmc.url,
                    "--report-dir",
                    str(tmp_path / bmc.name),
                ]
                for bmc in bmcs
            }
        )
    counted = {}
    for name, output in outputs.items():
        summary = re.search(r"\|\s+(\d+)\s+\|\s+(\d+)\s+\|\s+(\d+)\s+\|\s+(\d+)\s+\|", output)
        assert summary, output
        counted[name] = (int(summary[2]), int(summary[3]))
        assert int(summary[1]) >= (60 if name == "generic" else 30), output
    assert counted == dict.fromkeys(PERSONALITIES, (0, 0))
