"""Credentials on record: a device's own, else the fleet's; variables of the environment; which place a URL means."""

from __future__ import annotations

import hashlib
import pathlib

import pytest

from tiphys.credentials.directory import DirectoryProvider
from tiphys.credentials.given import Given
from tiphys.credentials.on_record import read_on_record, write_on_record
from tiphys.credentials.provider import Key
from tiphys.credentials.stores import is_url, open_provider
from tiphys.errors import StoreError, TiphysError, UsageError
from tiphys.kit.redact import Secret

FLEET, OWN = {"username": "fleet", "password": "f"}, {"username": "root", "password": "r"}


def test_the_devices_own_else_the_fleets(tmp_path: pathlib.Path) -> None:
    store = DirectoryProvider(tmp_path)
    with pytest.raises(
        StoreError, match=r"no credentials of r1 are on record: neither .*obm-creds-r1\.json nor .*obm-creds\.json"
    ):
        read_on_record(store, "r1")
    store.write(Key("obm-creds", ""), FLEET, "")
    assert read_on_record(store, "r1") == Given("fleet", Secret("f"))
    store.write(Key("obm-creds", "r1"), OWN, "")
    assert read_on_record(store, "r1") == Given("root", Secret("r"))
    assert read_on_record(store, "r2") == Given("fleet", Secret("f"))


@pytest.mark.parametrize(
    "values", [{"username": "root"}, {"username": "root", "password": ""}, {"password": "hunter2\n"}]
)
def test_half_a_document_is_no_credential(values: dict[str, str], tmp_path: pathlib.Path) -> None:
    store = DirectoryProvider(tmp_path)
    store.write(Key("obm-creds", ""), FLEET, "")
    store.write(Key("obm-creds", "r1"), values, "")
    with pytest.raises(UsageError, match=r"obm-creds-r1\.json: (username|password) ") as caught:
        read_on_record(store, "r1")
    assert "hunter2" not in str(caught.value)


def test_a_new_password_is_put_on_record_beside_what_else_is_there(tmp_path: pathlib.Path) -> None:
    store = DirectoryProvider(tmp_path)
    store.write(Key("obm-creds", ""), FLEET, "")
    write_on_record(store, "r1", Given("root", Secret("new")))
    assert read_on_record(store, "r1") == Given("root", Secret("new"))
    own = Key("obm-creds", "r1")
    store.write(own, {**OWN, "note": "rack 7"}, store.read(own).version)
    write_on_record(store, "r1", Given("root", Secret("newer")))
    assert dict(store.read(own).values) == {"username": "root", "password": "newer", "note": "rack 7"}
    assert read_on_record(store, "r2") == Given("fleet", Secret("f"))


@pytest.mark.parametrize(
    ("device", "name"),
    [
        ("host.domain.local", "obm-creds-host.domain.local"),
        ("SRV_01", "obm-creds-srv-01-" + hashlib.sha256(b"SRV_01").hexdigest()[:8]),
        ("odd name&x=1 é", "obm-creds-odd-name-x-1--" + hashlib.sha256("odd name&x=1 é".encode()).hexdigest()[:8]),
        ("a..b", "obm-creds-a-b-" + hashlib.sha256(b"a..b").hexdigest()[:8]),
        ("a-.b", "obm-creds-a-b-" + hashlib.sha256(b"a-.b").hexdigest()[:8]),
        ("a" * 202, "obm-creds-" + "a" * 202),
        ("a" * 203, "obm-creds-" + "a" * 200 + "-" + hashlib.sha256(b"a" * 203).hexdigest()[:8]),
    ],
)
def test_a_document_is_named_as_the_template_names_its_secret(device: str, name: str) -> None:
    assert Key("obm-creds", device).name == name


def test_variables_of_the_environment() -> None:
    environ = {
        "BMC_USERNAME": "fleet", "BMC_PASSWORD": "f",
        "BMC_r_2D1_USERNAME": "root", "BMC_r_2D1_PASSWORD": "p4ss'\"$ word",
        "BMC_half_USERNAME": "root", "BMC_bad_USERNAME": "root", "BMC_bad_PASSWORD": "hunter2\udcff",
    }  # fmt: skip
    store = open_provider("env:BMC", environ)
    assert read_on_record(store, "r-1") == Given("root", Secret("p4ss'\"$ word"))
    for other in ("r1", "R-1", "r_1", "r.1"):
        assert read_on_record(store, other) == Given("fleet", Secret("f"))
    with pytest.raises(UsageError, match="BMC_half_USERNAME and BMC_half_PASSWORD: password is missing or empty"):
        read_on_record(store, "half")
    with pytest.raises(StoreError, match=r"^variable BMC_bad_PASSWORD is not UTF-8 text$"):
        read_on_record(store, "bad")
    with pytest.raises(
        StoreError, match="neither NO_r_2D1_USERNAME and NO_r_2D1_PASSWORD nor NO_USERNAME and NO_PASSWORD"
    ):
        read_on_record(open_provider("env:NO", environ), "r-1")


def test_a_place_that_can_only_be_read_says_where_the_ledger_may_be() -> None:
    store = open_provider("env:BMC", {"BMC_USERNAME": "root", "BMC_PASSWORD": "x"})
    with pytest.raises(
        StoreError, match=r"^env:BMC can only be read, .*keep the records of r1 elsewhere: --store dir:PATH"
    ):
        store.read(Key("obm-record", "r1"))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("env:", "needs a prefix of letters, digits and _: env:BMC"),
        ("env:a-b", "needs a prefix"),
        ("dir:", "needs a path: dir:PATH"),
        ("dir:/x?mode=0600", "unknown: mode"),
        ("/just/a/path", "a URL is needed that begins with one of command:, dir:, encrypted:"),
        ("s3://bucket", "'s3' is not known; there are command:, dir:"),
        ("vault://me:hunter2@host/secret", "must have no user, password or fragment"),
        ("nautobot://host#hunter2", "must have no user, password or fragment"),
        ("vault://[::1/secret", "is no URL"),
        ("vault:secret", "is not of the form vault://HOST:PORT/MOUNT/PREFIX"),
        ("vault://host", "is not of the form"),
        ("vault://host/secret/../other", "is not of the form"),
        ("vault://host/secret?auth=ldap", "auth must be token, approle or kubernetes"),
        ("vault://host/secret?auth=approle&role-id-file=x", "auth=approle needs secret-id-file=FILE"),
        ("vault://host/secret?auth=kubernetes", "auth=kubernetes needs role=ROLE"),
        ("vault://host/secret?ca=/nowhere/ca.pem", "/nowhere/ca.pem does not exist"),
        ("vault://host/secret?credentials=bmc/all", "needs {device} where the name of the device is to stand"),
        ("nautobot://host", "variable NAUTOBOT_TOKEN is missing or empty"),
        ("nautobot:host?token-file=x", "needs a host"),
        ("nautobot://host?token-file=/nowhere/token", "/nowhere/token is missing or empty"),
    ],
)
def test_a_url_that_cannot_be_used(url: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_provider(url, {})
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_what_is_a_url_and_what_a_file() -> None:
    assert is_url("env:BMC")
    assert is_url("vault://host/secret")
    assert not is_url("bmc.yaml")
    assert not is_url("./env:BMC")
    assert not is_url("/run/obm/credentials")
    assert not is_url("c:file")


@pytest.mark.parametrize("scheme", ["vault", "nautobot"])
def test_a_server_that_is_down_is_one_clear_line(scheme: str) -> None:
    environ = {"VAULT_TOKEN": "hunter2", "NAUTOBOT_TOKEN": "hunter2"}
    store = open_provider(f"{scheme}+http://127.0.0.1:1/secret", environ)
    with pytest.raises(
        TiphysError, match=r"^the (Vault|Nautobot) at http://127\.0\.0\.1:1 cannot be reached"
    ) as caught:
        read_on_record(store, "r1")
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)
    store.close()
