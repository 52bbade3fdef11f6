"""One encrypted file for a fleet: what can be read in it, wrong keys, damage."""

from __future__ import annotations

import base64
import contextlib
import os
import pathlib
import secrets
import shutil
import sqlite3
import stat

import pytest

from tiphys.credentials.encrypted import EncryptedProvider, read_key
from tiphys.credentials.provider import Key
from tiphys.credentials.stores import open_provider
from tiphys.errors import StoreError, UsageError

KEY = Key("obm-passwords", "r1.example.com")
OTHER = Key("obm-passwords", "r2.example.com")
VALUES = {"username": "root", "current": "hunter2"}


@pytest.fixture
def key() -> bytes:
    return secrets.token_bytes(32)


@pytest.fixture
def path(tmp_path: pathlib.Path, key: bytes) -> pathlib.Path:
    """Of a store with the passwords of two BMCs."""
    store = EncryptedProvider(tmp_path / "fleet.store", key, "the key file")
    store.write(KEY, VALUES, "")
    store.write(OTHER, {"current": "other"}, "")
    return tmp_path / "fleet.store"


def test_neither_passwords_nor_names_can_be_read_in_it(path: pathlib.Path) -> None:
    content = path.read_bytes()
    for word in (b"hunter2", b"root", b"r1", b"example", b"obm-passwords"):
        assert word not in content
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["fleet.store"]


def test_a_wrong_key_is_named_before_anything_is_written(path: pathlib.Path) -> None:
    before = path.read_bytes()
    stranger = EncryptedProvider(path, secrets.token_bytes(32), "other.key")
    for work in (
        lambda: stranger.read(KEY),
        lambda: stranger.write(KEY, VALUES, "1"),
        lambda: stranger.write(KEY, VALUES, ""),
    ):
        with pytest.raises(StoreError, match=rf"^the key in other\.key is not the one that {path} was made with$"):
            work()
    assert path.read_bytes() == before


@pytest.mark.parametrize("text", ["", " \n", "short", "x" * 44, base64.b64encode(b"y" * 31).decode(), "zz" * 32])
def test_what_is_no_key_is_named_and_not_shown(text: str) -> None:
    with pytest.raises(UsageError, match="openssl rand -base64 32") as caught:
        read_key(text, "the.key")
    assert "the.key" in str(caught.value)
    assert len(text) < 3 or text not in str(caught.value)


def test_a_key_in_base64_or_hexadecimal_from_a_file_or_the_environment(tmp_path: pathlib.Path, key: bytes) -> None:
    file = tmp_path / "a key"
    file.write_text(base64.b64encode(key).decode() + "\n")
    open_provider(f"encrypted:{tmp_path}/s?key-file={file}".replace(" ", "%20")).write(KEY, VALUES, "")
    read = open_provider(f"encrypted:{tmp_path}/s?key-env=FLEET_KEY", {"FLEET_KEY": key.hex()}).read(KEY)
    assert dict(read.values) == VALUES


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("encrypted:?key-file=x", "needs a path"),
        ("encrypted:/x", "one of key-file=FILE and key-env=NAME"),
        ("encrypted:/x?key-file=a&key-env=B", "one of key-file=FILE and key-env=NAME"),
        ("encrypted:/x?key-file=a&key-file=b", "key-file is given twice"),
        ("encrypted:/x?key-file=/nowhere/key", "the key in /nowhere/key is missing or empty"),
        ("encrypted:/x?key-env=UNSET", "the key in variable UNSET is missing or empty"),
        ("encrypted:/x?key-env=FLEET_KEY&cipher=rot13", "unknown: cipher"),
    ],
)
def test_a_url_that_cannot_be_used(url: str, said: str, key: bytes) -> None:
    with pytest.raises(UsageError, match=said):
        open_provider(url, {"FLEET_KEY": key.hex()})


def rows(path: pathlib.Path, statement: str, *values: object) -> None:
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute(statement, values)


def test_a_row_cannot_take_the_place_of_another(path: pathlib.Path, key: bytes) -> None:
    store = EncryptedProvider(path, key, "k")
    name, other = store._name(KEY.name), store._name(OTHER.name)
    rows(
        path, "UPDATE documents SET sealed = (SELECT sealed FROM documents WHERE name = ?) WHERE name = ?", other, name
    )
    with pytest.raises(StoreError, match=r"obm-passwords-r1\.example\.com is damaged"):
        store.read(KEY)
    assert dict(store.read(OTHER).values) == {"current": "other"}


@pytest.mark.parametrize("value", [b"", b"x" * 20, b"x" * 60, "text", 7])
def test_a_damaged_row_is_named_and_the_others_are_read(path: pathlib.Path, key: bytes, value: object) -> None:
    store = EncryptedProvider(path, key, "k")
    rows(path, "UPDATE documents SET sealed = ? WHERE name = ?", value, store._name(KEY.name))
    with pytest.raises(StoreError, match=r"obm-passwords-r1\.example\.com is damaged"):
        store.read(KEY)
    assert dict(store.read(OTHER).values) == {"current": "other"}


def test_an_old_version_of_a_row_is_not_taken_for_a_new_one(path: pathlib.Path, key: bytes) -> None:
    store = EncryptedProvider(path, key, "k")
    rows(path, "UPDATE documents SET version = 2 WHERE name = ?", store._name(KEY.name))
    with pytest.raises(StoreError, match="is damaged"):
        store.read(KEY)


@pytest.mark.parametrize("damage", ["garbage", "cut", "empty", "text", "other database"])
def test_a_damaged_file_is_named_and_not_overwritten(path: pathlib.Path, key: bytes, damage: str) -> None:
    content = path.read_bytes()
    if damage == "other database":
        path.unlink()
        rows(path, "CREATE TABLE documents (x)")
    else:
        path.write_bytes(
            {"garbage": os.urandom(9000), "cut": content[:5000], "empty": b"", "text": b"username: root\n"}[damage]
        )
    before = path.read_bytes()
    store = EncryptedProvider(path, key, "k")
    for work in (lambda: store.read(KEY), lambda: store.write(KEY, VALUES, "")):
        with pytest.raises(StoreError) as caught:
            work()
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    assert path.read_bytes() == before


def test_a_folder_that_is_not_there(tmp_path: pathlib.Path, key: bytes) -> None:
    store = EncryptedProvider(tmp_path / "none" / "fleet.store", key, "k")
    assert not store.read(KEY).values
    with pytest.raises(StoreError, match=r"fleet\.store cannot be made: No such file or directory"):
        store.write(KEY, VALUES, "")


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may do all")
def test_a_file_that_may_only_be_read(path: pathlib.Path, key: bytes) -> None:
    """As a mounted Secret: no lock, no journal, nothing is written beside it."""
    path.chmod(0o444)
    path.parent.chmod(0o555)
    try:
        with as_ordinary_user(path.parent):
            store = EncryptedProvider(path, key, "k")
            assert dict(store.read(KEY).values) == VALUES
            with pytest.raises(StoreError, match="cannot be written: look at its permissions"):
                store.write(KEY, VALUES, "1")
    finally:
        path.parent.chmod(0o755)


@contextlib.contextmanager
def as_ordinary_user(folder: pathlib.Path):
    """Root may do all: be somebody else for a while."""
    if os.geteuid() != 0:
        yield
        return
    opened = [parent for parent in folder.parents if not parent.stat().st_mode & 0o001]
    for parent in opened:
        parent.chmod(parent.stat().st_mode | 0o011)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
