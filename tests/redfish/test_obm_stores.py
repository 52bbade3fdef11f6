"""`tiphys obm` with passwords in other places: `--store`, `--credentials URL`, the key `store` of the configuration."""

from __future__ import annotations

import json
import os
import pathlib
import secrets
import subprocess
import sys
from collections.abc import Iterator

import pytest

from obm_world import NEW, OLD
from tiphys.credentials.encrypted import EncryptedProvider
from tiphys.credentials.given import Given
from tiphys.credentials.kept import KeptStore
from tiphys.credentials.on_record import read_on_record, write_on_record
from tiphys.kit.redact import Secret
from tiphys_simulators import BmcHandle, BmcSpec, running_simulator
from vault_stand_in import standing_in


@pytest.fixture
def bmc() -> Iterator[BmcHandle]:
    with running_simulator([BmcSpec("r1", "generic", "127.0.0.2", password=OLD)]) as simulator:
        yield simulator["r1"]


@pytest.fixture
def legacy(tmp_path: pathlib.Path) -> str:
    (tmp_path / "legacy").mkdir()
    (tmp_path / "legacy" / "passwords").write_text(OLD)
    return f"--legacy={tmp_path}/legacy"


def sync(bmc: BmcHandle, *more: str, operation: str = "sync", **environment: str) -> tuple[int, dict[str, object], str]:
    """Exit code, result, and all that was said."""
    target = ["--device=r1", f"--address={bmc.address}", f"--port={bmc.port}", f"--serial={bmc.identity.serial}"]
    command = [sys.executable, "-m", "tiphys.cli.main", "obm", "creds", operation, *target, *more]
    env = {name: value for name, value in os.environ.items() if name != "KUBECONFIG"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, env={**env, **environment}, check=False)
    return done.returncode, json.loads(done.stdout or "{}"), done.stdout + done.stderr


def test_record_ledger_and_credentials_in_one_encrypted_file(
    bmc: BmcHandle, legacy: str, tmp_path: pathlib.Path
) -> None:
    key = secrets.token_bytes(32)
    (tmp_path / "key").write_text(key.hex())
    store = EncryptedProvider(tmp_path / "fleet.store", key, "key")
    write_on_record(store, "r1", Given("admin", Secret(NEW)))
    url = f"--store=encrypted:{tmp_path}/fleet.store?key-file={tmp_path}/key"
    code, result, said = sync(bmc, url, legacy, HOME=str(tmp_path))
    assert (code, result["outcome"]) == (0, "changed"), said
    assert KeptStore(store, "r1").load_passwords().current == Secret(NEW)
    assert KeptStore(store, "r1").load_record() is not None
    code, result, said = sync(bmc, url, HOME=str(tmp_path))
    assert (code, result["outcome"]) == (0, "in-sync"), said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fleet.store", "key", "legacy"]
    (tmp_path / "key").write_text(secrets.token_hex(32))
    code, result, said = sync(bmc, url)
    assert (code, result["outcome"]) == (1, "error"), said
    assert "is not the one that" in str(result["message"])


def test_the_place_is_named_by_the_configuration(bmc: BmcHandle, legacy: str, tmp_path: pathlib.Path) -> None:
    with standing_in() as vault:
        vault.put("obm/obm-creds", {"username": "admin", "password": NEW})
        (tmp_path / "config").mkdir()
        (tmp_path / "config" / "store").write_text("env:NOTHING")
        (tmp_path / "config" / "store.r1").write_text(f"vault+http://{vault.address[7:]}/secret/obm\n")
        config = f"--config={tmp_path}/config"
        code, result, said = sync(bmc, config, legacy, VAULT_TOKEN=vault.token())
        assert (code, result["outcome"]) == (0, "changed"), said
        assert vault.data("obm/obm-passwords-r1")["current"] == NEW
        assert NEW not in said
        written = [path for method, path, _ in vault.requests if method == "POST"]
        assert written
        code, result, said = sync(bmc, config, f"--store=dir:{tmp_path}/state", "--credentials=env:BMC", legacy)
        assert (code, "BMC_r1_USERNAME" in said) == (1, True)
        assert [path for method, path, _ in vault.requests if method == "POST"] == written


def test_a_place_that_can_only_be_read_is_refused_before_the_bmc_is_asked(bmc: BmcHandle, legacy: str) -> None:
    code, result, said = sync(bmc, "--store=env:BMC", legacy, BMC_USERNAME="admin", BMC_PASSWORD=NEW)
    assert (code, result["outcome"]) == (1, "error"), said
    assert "env:BMC can only be read" in str(result["message"])
    assert "in --credentials" in str(result["message"])
    assert bmc.counters()["logins"]["total"] == 0


def test_credentials_from_the_environment_and_the_ledger_elsewhere(
    bmc: BmcHandle, legacy: str, tmp_path: pathlib.Path
) -> None:
    where = ["--credentials=env:BMC", f"--state-dir={tmp_path}/state"]
    code, result, said = sync(bmc, *where, legacy, BMC_USERNAME="admin", BMC_PASSWORD=NEW)
    assert (code, result["outcome"]) == (0, "changed"), said
    assert NEW not in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--store=dir:x", "--state-dir=y", "--credentials=env:BMC"], "--store and --state-dir name different places"),
        (["--store=dir:x", "--namespace=y", "--credentials=env:BMC"], "--store and --namespace or --kubeconfig name"),
        (["--state-dir=x"], "--credentials FILE is needed, or a --store URL that has the credentials on record"),
        (["--store=s3://x"], "'s3' is not known"),
        (["--credentials=vault://h", "--store=dir:x"], "is not of the form vault://HOST:PORT/MOUNT/PREFIX"),
    ],
)
def test_what_cannot_be_meant_is_named(bmc: BmcHandle, words: list[str], said: str, tmp_path: pathlib.Path) -> None:
    code, result, told = sync(bmc, *words, HOME=str(tmp_path), BMC_USERNAME="admin", BMC_PASSWORD=NEW)
    assert (code, result["outcome"]) == (1, "error"), told
    assert said in str(result["message"])
    assert "Traceback" not in told


def test_a_new_password_is_put_on_record_where_the_old_one_was(bmc: BmcHandle, tmp_path: pathlib.Path) -> None:
    key = secrets.token_bytes(32)
    (tmp_path / "key").write_text(key.hex())
    store = EncryptedProvider(tmp_path / "fleet.store", key, "key")
    write_on_record(store, "", Given("admin", Secret(OLD)))
    url = f"--store=encrypted:{tmp_path}/fleet.store?key-file={tmp_path}/key"
    code, result, said = sync(bmc, url, operation="rotate", HOME=str(tmp_path))
    assert (code, result["outcome"]) == (0, "changed"), said
    own = read_on_record(store, "r1").password
    assert own != Secret(OLD)
    assert own == KeptStore(store, "r1").load_passwords().current
    assert read_on_record(store, "r2").password == Secret(OLD)  # the fleet's stays
    assert own.reveal() not in said
    code, result, said = sync(bmc, url, operation="check", HOME=str(tmp_path))
    assert (code, result["outcome"]) == (0, "in-sync"), said


def test_a_record_that_cannot_be_written_is_told_before_the_password_is_changed(
    bmc: BmcHandle, tmp_path: pathlib.Path
) -> None:
    where = ["--credentials=env:BMC", f"--state-dir={tmp_path}/state"]
    environ = {"BMC_USERNAME": "admin", "BMC_PASSWORD": OLD}
    code, result, said = sync(bmc, *where, operation="rotate", **environ)
    assert (code, result["outcome"]) == (1, "error"), said
    assert "env:BMC can only be read" in str(result["message"])
    assert "or give --no-write-credentials" in str(result["message"])
    code, result, said = sync(bmc, *where, operation="check", **environ)
    assert (code, result["outcome"]) == (0, "in-sync"), said
    code, result, said = sync(bmc, *where, "--no-write-credentials", operation="rotate", **environ)
    assert (code, result["outcome"]) == (0, "changed"), said
