"""Passwords in HashiCorp Vault: a stand-in that follows its API, and (`make conformance`) a real one."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from real_vault import real_vault
from tiphys.credentials.conformance import CHECKS, Subject
from tiphys.credentials.given import Given
from tiphys.credentials.kept import KeptStore
from tiphys.credentials.on_record import read_on_record, write_on_record
from tiphys.credentials.provider import Key, Provider
from tiphys.credentials.stores import open_provider
from tiphys.errors import StoreError, UsageError
from tiphys.kit.redact import Secret
from tiphys.obm.record import Conflict, Passwords
from vault_stand_in import VaultStandIn, standing_in

KEY = Key("obm-passwords", "r1")
PATH = "obm/obm-passwords-r1"


@pytest.fixture(params=["stand-in", pytest.param("real", marks=[pytest.mark.conformance, pytest.mark.timeout(1800)])])
def vault(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[Any]:
    with standing_in() if request.param == "stand-in" else real_vault(tmp_path) as serving:
        yield serving


@pytest.fixture
def stand_in() -> Iterator[VaultStandIn]:
    with standing_in() as serving:
        yield serving


@pytest.fixture
def store(vault: Any) -> Iterator[Provider]:
    """With a token that may read and write."""
    found = opened(vault)
    yield found
    found.close()


def url_of(vault: Any, place: str = "secret/obm", query: str = "") -> str:
    host = vault.address.partition("//")[2]
    scheme = "vault" if vault.address.startswith("https") else "vault+http"
    return f"{scheme}://{host}/{place}{'?' if query else ''}{query}"


def opened(vault: Any, place: str = "secret/obm", query: str = "", rights: str = "rw") -> Provider:
    return open_provider(url_of(vault, place, query), {"VAULT_TOKEN": vault.token(rights)})


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_place(vault: Any, check: Callable[[Subject], None]) -> None:
    check(Subject(url_of(vault), {**os.environ, "VAULT_TOKEN": vault.token()}))


@pytest.mark.parametrize("how", ["deleted", "destroyed"])
def test_what_somebody_has_deleted_is_written_anew(vault: Any, store: Provider, how: str) -> None:
    store.write(KEY, {"current": "a"}, "")
    vault.delete(PATH, how)
    found = store.read(KEY)
    assert (dict(found.values), found.version) == ({}, "1")
    kept = KeptStore(store, "r1")
    assert kept.load_passwords() == Passwords()
    kept.save_passwords(Passwords("root", Secret("b")))
    assert vault.data(PATH) == {"username": "root", "current": "b"}


def test_credentials_that_others_keep_where_they_like(vault: Any) -> None:
    vault.put("bmc/r1", {"username": "root", "password": "p4ss'\"$ wörd", "port": 443, "note": "rack 7"})
    store = opened(vault, query="credentials=bmc/{device}")
    assert read_on_record(store, "r1") == Given("root", Secret("p4ss'\"$ wörd"))
    write_on_record(store, "r1", Given("root", Secret("new")))
    assert vault.data("bmc/r1") == {"username": "root", "password": "new", "port": 443, "note": "rack 7"}
    places = r"neither secret/bmc/r2 in the Vault at .* nor secret/obm/obm-creds in the Vault"
    with pytest.raises(StoreError, match=places):
        read_on_record(store, "r2")
    for device in ("../r1", "r1/../../sys", "r1?x", ".."):
        with pytest.raises(StoreError, match="cannot be put into the path"):
            read_on_record(store, device)
    store.close()


def test_a_right_that_is_missing_is_named(vault: Any) -> None:
    store = opened(vault, rights="ro")
    assert not store.read(KEY).values
    with pytest.raises(StoreError) as caught:
        store.write(KEY, {"current": "hunter2"}, "")
    assert str(caught.value).startswith(f"Vault refuses to write secret/{PATH} in the Vault at {vault.address}: ")
    assert f'path "secret/data/{PATH}" {{ capabilities = ["create", "read", "update"] }}' in str(caught.value)
    store.close()
    store = opened(vault, rights="none")
    with pytest.raises(StoreError, match=f"Vault refuses to read secret/{PATH}"):
        store.read(KEY)
    store.close()


def test_an_engine_of_version_1_is_refused_before_a_secret_is_sent(vault: Any) -> None:
    store = opened(vault, "old/obm")
    with pytest.raises(StoreError, match=r"^old in the Vault at .* is no key-value engine of version 2$"):
        store.write(KEY, {"current": "hunter2"}, "")
    store.close()


def test_a_vault_that_is_sealed(vault: Any, store: Provider) -> None:
    store.write(KEY, {"current": "a"}, "")
    vault.seal()
    for work in (lambda: store.read(KEY), lambda: store.write(KEY, {"current": "hunter2"}, "1")):
        with pytest.raises(StoreError, match=f"^Vault could not (read|write) secret/{PATH} in .*: Vault is sealed$"):
            work()


def test_a_token_from_a_file(vault: Any, tmp_path: pathlib.Path) -> None:
    (tmp_path / "token").write_text(vault.token() + "\n")
    (tmp_path / ".vault-token").write_text(vault.token() + "\n")
    for query, environ in ((f"token-file={tmp_path}/token", {}), ("", {"HOME": str(tmp_path)})):
        store = open_provider(url_of(vault, query=query), environ)
        assert not store.read(KEY).values
        store.close()
    store = open_provider(url_of(vault, query=f"token-file={tmp_path}/none"), {})
    with pytest.raises(UsageError, match="none is missing or empty; Vault's token was expected there"):
        store.read(KEY)
    store.close()


def test_a_token_that_is_no_good(vault: Any) -> None:
    store = open_provider(url_of(vault), {"VAULT_TOKEN": "hvs.hunter2"})
    with pytest.raises(StoreError, match="the token is no longer good, or its policy lacks") as caught:
        store.read(KEY)
    assert "hunter2" not in str(caught.value)
    store.close()


def test_an_approle_logs_in_again_when_its_token_has_ended(vault: Any, tmp_path: pathlib.Path) -> None:
    role, secret = vault.approle()
    (tmp_path / "role").write_text(role + "\n")
    (tmp_path / "secret").write_text(secret + "\n")
    query = f"auth=approle&role-id-file={tmp_path}/role&secret-id-file={tmp_path}/secret"
    store = open_provider(url_of(vault, query=query), {})
    version = store.write(KEY, {"current": "a"}, "")
    vault.revoke_all()
    version = store.write(KEY, {"current": "b"}, version)
    assert version == "2"
    (tmp_path / "secret").write_text("hunter2")
    vault.revoke_all()
    with pytest.raises(StoreError) as caught:
        store.read(KEY)
    assert "refuses the log-in by approle (at auth/approle): invalid role or secret ID" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    store.close()


# What only the stand-in can be made to do


def test_a_pod_logs_in_with_its_own_token(stand_in: VaultStandIn, tmp_path: pathlib.Path) -> None:
    (tmp_path / "jwt").write_text(stand_in.jwt())
    query = f"auth=kubernetes&role=obm&jwt-file={tmp_path}/jwt"
    store = open_provider(url_of(stand_in, query=query), {})
    store.write(KEY, {"current": "a"}, "")
    store.close()
    other = open_provider(url_of(stand_in, query=query.replace("role=obm", "role=other")), {})
    with pytest.raises(StoreError, match=r"refuses the log-in by kubernetes \(at auth/kubernetes\): permission denied"):
        other.read(KEY)
    other.close()


def test_namespaces_are_apart(stand_in: VaultStandIn) -> None:
    one, other = opened(stand_in, query="namespace=team-a"), opened(stand_in)
    one.write(KEY, {"current": "a"}, "")
    assert not other.read(KEY).values
    environ = {"VAULT_NAMESPACE": "team-a", "VAULT_ADDR": stand_in.address, "VAULT_TOKEN": stand_in.token()}
    third = open_provider("vault:secret/obm", environ)
    assert dict(third.read(KEY).values) == {"current": "a"}
    for store in (one, other, third):
        store.close()


def test_a_mount_with_a_slash(stand_in: VaultStandIn) -> None:
    store = opened(stand_in, "obm", "mount=teams/secret")
    with pytest.raises(StoreError, match="teams/secret/obm/obm-passwords-r1"):
        store.read(KEY)
    assert stand_in.requests[0][1] == "/v1/sys/internal/ui/mounts/teams/secret"
    store.close()


def test_a_token_goes_nowhere_else(stand_in: VaultStandIn) -> None:
    with standing_in() as thief:
        stand_in.redirect(f"{thief.address}/v1/secret/data/x")
        store = opened(stand_in)
        with pytest.raises(StoreError):
            store.read(KEY)
        assert not thief.requests
        proxied = {"HTTP_PROXY": thief.address, "http_proxy": thief.address, "ALL_PROXY": thief.address}
        stand_in.redirect("")
        code = f"""from tiphys.credentials.stores import open_provider
from tiphys.credentials.provider import Key
open_provider({url_of(stand_in)!r}).read(Key("obm-passwords", "r1"))"""
        environ = {**os.environ, **proxied, "VAULT_TOKEN": stand_in.token()}
        subprocess.run([sys.executable, "-c", code], env=environ, check=True, timeout=50)
        assert not thief.requests
        store.close()


def test_two_that_read_the_same_and_write(stand_in: VaultStandIn) -> None:
    first, second = opened(stand_in), opened(stand_in)
    one, other = KeptStore(first, "r1"), KeptStore(second, "r1")
    assert one.load_passwords() == other.load_passwords() == Passwords()
    one.save_passwords(Passwords("root", Secret("a")))
    with pytest.raises(Conflict, match=f"secret/{PATH} in the Vault at .* was changed by somebody else"):
        other.save_passwords(Passwords("root", Secret("b")))
    first.close()
    second.close()


def certificate(folder: pathlib.Path) -> tuple[str, str]:
    """Of 127.0.0.1, signed by itself; and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "vault")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "tls.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "tls.key").write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()))
    return str(folder / "tls.crt"), str(folder / "tls.key")


def test_tls_by_an_authority_that_is_named(tmp_path: pathlib.Path) -> None:
    files = certificate(tmp_path)
    with standing_in(files) as vault:
        store = opened(vault, query=f"ca={files[0]}")
        store.write(KEY, {"current": "a"}, "")
        store.close()
        stranger = opened(vault)
        with pytest.raises(StoreError, match="has a certificate that is not trusted: give its authority with ca=FILE"):
            stranger.read(KEY)
        stranger.close()


def test_hvac_is_loaded_only_for_a_vault() -> None:
    code = """import sys
from tiphys.cli.obm import options, bmc, creds
from tiphys.credentials.stores import open_provider
open_provider("dir:/tmp/x"), open_provider("env:X")
print(sorted({"hvac", "requests", "jinja2", "sqlite3"} & set(sys.modules)))"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=True)
    assert done.stdout == "[]\n"


def test_without_the_extra_it_says_how_to_get_it(tmp_path: pathlib.Path) -> None:
    (tmp_path / "hvac.py").write_text("raise ImportError('no hvac')")
    code = "from tiphys.credentials.stores import open_provider; open_provider('vault://h/secret')"
    environ = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, env=environ)
    assert "UsageError: --store vault:… needs the package hvac: pip install 'tiphys[vault]'" in done.stderr
