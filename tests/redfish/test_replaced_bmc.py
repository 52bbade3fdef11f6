"""A BMC that was replaced: refused, looked at, accepted by a person; and a person's word on an unlocked account."""

import contextlib
import datetime as dt
import json
import pathlib
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from obm_world import OLD
from tiphys.credentials.directory import DirectoryStore
from tiphys.kit.clock import utc_now
from tiphys.kit.codec import replaced
from tiphys.obm.record import Holder, UpdateRecord
from tiphys_simulators import BmcHandle, BmcSpec, running_simulator

Tiphys = Callable[..., tuple[int, dict[str, Any]]]
Slot = Callable[[str], contextlib.AbstractContextManager[BmcHandle]]

KINDS = ("generic", "idrac9")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.2", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def slot(kind: str, port: int) -> Slot:
    """A board of that name, at the same address as the others."""

    @contextlib.contextmanager
    def board(name: str) -> Iterator[BmcHandle]:
        with running_simulator([BmcSpec(name, kind, "127.0.0.2", port, password=OLD)]) as simulator:
            yield simulator[name]

    return board


@pytest.fixture
def tiphys(kind: str, port: int, tmp_path: pathlib.Path) -> Tiphys:
    credentials = tmp_path / "credentials.yaml"
    user = {"generic": "admin", "idrac9": "root", "xcc": "USERID"}[kind]
    credentials.write_text(f"username: {user}\npassword: {OLD}\n")

    def run(*words: str) -> tuple[int, dict[str, Any]]:
        target = ["--device=r1", "--address=127.0.0.2", f"--port={port}", f"--state-dir={tmp_path}/state"]
        command = [sys.executable, "-m", "tiphys.cli.main", "obm", *words, f"--credentials={credentials}", *target]
        done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
        assert "Traceback" not in done.stderr
        assert OLD not in done.stdout + done.stderr
        return done.returncode, json.loads(done.stdout)

    return run


def record(folder: pathlib.Path) -> DirectoryStore:
    return DirectoryStore(folder / "state", "r1")


def examine(bmc: BmcHandle, tiphys: Tiphys) -> None:
    """Refused, looked at, not accepted by mistake, accepted; not a log-in before that."""
    before = bmc.counters()["logins"]["total"]
    code, told = tiphys("creds", "check")
    assert (code, told["outcome"], told["reason"]) == (12, "refused", "identity")
    assert "tiphys obm identity accept" in told["message"]
    code, told = tiphys("identity", "show")
    assert (code, told["outcome"], told["reason"]) == (0, "dry-run", "identity")
    assert told["shown"]["fingerprint"] == bmc.fingerprint != told["recorded"]["fingerprint"]
    code, told = tiphys("identity", "accept")
    assert (code, told["reason"]) == (12, "not-confirmed")
    assert f"--fingerprint sha256:{bmc.fingerprint}" in told["message"]
    assert tiphys("identity", "accept", f"--fingerprint=sha256:{'0' * 64}")[1]["reason"] == "identity"
    assert tiphys("identity", "accept", "--fingerprint=sha256:1")[0] == 1
    assert tiphys("creds", "check")[0] == 12
    code, told = tiphys("identity", "accept", f"--fingerprint=sha256:{bmc.fingerprint}")
    assert (code, told["outcome"], told["changed"]) == (0, "recorded", False)
    assert bmc.counters()["logins"]["total"] == before
    assert tiphys("creds", "check")[1]["outcome"] == "in-sync"


def under_way(folder: pathlib.Path) -> None:
    store = record(folder)
    known = store.load_record()
    assert known is not None
    store.save_record(replaced(known, update=UpdateRecord("2", "0" * 64, utc_now(), "accepted")))


def test_another_board_is_refused_until_a_person_accepts_it(slot: Slot, tiphys: Tiphys, tmp_path: pathlib.Path) -> None:
    with slot("r1"):
        assert tiphys("creds", "check")[1]["outcome"] == "in-sync"
        assert tiphys("identity", "show")[1]["reason"] == ""
        under_way(tmp_path)
    with slot("r2") as bmc:
        examine(bmc, tiphys)
        known = record(tmp_path).load_record()
        assert known is not None
        assert (known.identity.serial, known.update) == (bmc.identity.serial, None)


def test_another_certificate_is_refused_until_a_person_accepts_it(
    slot: Slot, tiphys: Tiphys, tmp_path: pathlib.Path
) -> None:
    with slot("r1") as bmc:
        assert tiphys("creds", "check")[1]["outcome"] == "in-sync"
        under_way(tmp_path)
        bmc.new_certificate()
        examine(bmc, tiphys)
        known = record(tmp_path).load_record()
        assert known is not None
        assert known.update is not None  # firmware may bring a new certificate: the update is still this BMC's


def test_a_serial_number_that_is_told_after_the_log_in_only_can_be_accepted(
    slot: Slot, kind: str, tiphys: Tiphys, tmp_path: pathlib.Path
) -> None:
    with slot("r1") as bmc:
        tiphys("creds", "check")
        store = record(tmp_path)
        known = store.load_record()
        assert known is not None
        store.save_record(replaced(known, identity=replaced(known.identity, serial="OTHER77")))
        code, told = tiphys("creds", "check")
        assert (code, told["reason"]) == (12, "identity")
        assert "its record says 'OTHER77'" in told["message"]
        assert "tiphys obm identity accept" in told["message"]
        assert tiphys("identity", "accept", "--yes")[1]["outcome"] == "recorded"
        assert tiphys("creds", "check")[1]["outcome"] == "in-sync"
        after = record(tmp_path).load_record()
        assert after is not None
        assert after.identity.serial == bmc.identity.serial


@pytest.mark.parametrize("kind", ["generic", "idrac9"], indirect=True)
def test_what_the_inventory_contradicts_is_not_accepted(slot: Slot, kind: str, tiphys: Tiphys) -> None:
    # A Dell tells strangers its service tag and no UUID, the others the other way round.
    wrong = "--serial=OTHER77" if kind == "idrac9" else "--uuid=00000000-1111-2222-3333-444444444444"
    with slot("r1"):
        code, told = tiphys("identity", "accept", "--yes", wrong)
        assert (code, told["reason"]) == (12, "identity")
        assert tiphys("identity", "show")[1]["recorded"]["fingerprint"] == ""


@pytest.mark.parametrize("kind", ["xcc"], indirect=True)
def test_a_persons_word_that_an_account_is_unlocked(slot: Slot, tiphys: Tiphys, tmp_path: pathlib.Path) -> None:
    with slot("r1") as bmc:
        assert tiphys("creds", "forget-attempts")[1]["outcome"] == "no-op"
        bmc.set_account("USERID", password="Somebody-else-1")
        while (told := tiphys("creds", "check")[1])["outcome"] != "blocked-until":
            assert told["outcome"] == "wrong-credentials"
        bmc.set_account("USERID", password=OLD)
        store = record(tmp_path)
        known = store.load_record()
        assert known is not None
        own = DirectoryStore(tmp_path / "state", known.bmc)
        at_work = own.load_record()
        assert at_work is not None
        until = utc_now() + dt.timedelta(minutes=5)
        own.save_record(replaced(at_work, holder=Holder("another-machine/1/1", until)))
        assert tiphys("creds", "forget-attempts")[1]["outcome"] == "busy"
        own.save_record(at_work)
        assert tiphys("creds", "forget-attempts", "--account=nobody")[1]["outcome"] == "no-op"
        assert tiphys("creds", "check")[1]["outcome"] == "blocked-until"
        code, told = tiphys("creds", "forget-attempts", "--account=USERID")
        assert (code, told["outcome"], len(told["forgotten"])) == (0, "recorded", 2)
        assert {row["result"] for row in told["forgotten"]} == {"miss"}
        assert tiphys("creds", "check")[1]["outcome"] == "in-sync"
        after = own.load_record()
        assert after is not None
        assert [attempt.result for attempt in after.attempts] == ["ok"]
