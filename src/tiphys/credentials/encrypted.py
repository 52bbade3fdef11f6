"""Documents of a whole fleet in one encrypted file.

The file is an SQLite database, for its locks, its atomic and synced writes, and because a write costs one row, not the
fleet. Each row is sealed with AES-256-GCM, bound to its name and version, so that no row can be put in the place of
another; names of devices are not readable either. What this cannot show is that somebody who may write the file put
back an earlier copy of it.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import secrets
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tiphys.credentials.directory import sync_folder
from tiphys.credentials.documents import texts
from tiphys.credentials.given import read_value
from tiphys.credentials.options import Options
from tiphys.credentials.provider import ABSENT, Document, Key, Unclosed
from tiphys.errors import StoreError, UsageError
from tiphys.kit.codec import DecodeError, decode, encode
from tiphys.obm.record import Conflict

__all__ = ["EncryptedProvider", "opened", "read_key"]

_WAIT_SECONDS = 30.0
_FORMAT = 1
_TABLE = "CREATE TABLE documents (name BLOB PRIMARY KEY, version INTEGER NOT NULL, sealed BLOB NOT NULL) WITHOUT ROWID"
_CHECK = b"the key is right"
_MAKE_ONE = "32 random bytes in base64 or hexadecimal are needed, e.g. of: openssl rand -base64 32"


def opened(options: Options) -> EncryptedProvider:
    """`encrypted:PATH?key-file=FILE` or `encrypted:PATH?key-env=NAME`."""
    path = options.path("encrypted:PATH?key-file=FILE")
    file, name = options.take("key-file"), options.take("key-env")
    if bool(file) == bool(name):
        raise UsageError(f"--store {options.url}: one of key-file=FILE and key-env=NAME is needed")
    if file:
        text, where = read_value(Path(file).parent, Path(file).name), file
    else:
        text, where = options.environ.get(name), f"variable {name}"
    return EncryptedProvider(path, read_key(text, where), where)


def read_key(text: str | None, where: str) -> bytes:
    """32 bytes, written in base64 or hexadecimal.

    Raises:
        UsageError: it is no such key; shows nothing of it.
    """
    if not text or not text.strip():
        raise UsageError(f"the key in {where} is missing or empty; {_MAKE_ONE}")
    text = text.strip()
    try:
        key = bytes.fromhex(text) if len(text) == 64 else base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        raise UsageError(f"the key in {where} is not one; {_MAKE_ONE}")
    return key


class EncryptedProvider(Unclosed):
    """`Provider`.

    Args:
        path: of the file; made at the first write, mode 0600, in a folder that must be there.
        key: 32 bytes.
        key_where: where they came from, for messages.
    """

    local = True

    def __init__(self, path: Path, key: bytes, key_where: str) -> None:
        self._path = path
        self._key_where = key_where
        self._cipher = AESGCM(_derived(key, b"tiphys store: seal"))
        self._names = _derived(key, b"tiphys store: names")

    def where(self, key: Key) -> str:
        """See `Provider`."""
        return f"{self._path}: {key.name}"

    def read(self, key: Key) -> Document:
        """See `Provider`."""
        if not self._path.exists():
            return ABSENT
        name = self._name(key.name)
        with self._opened("read") as database:
            row = database.execute("SELECT version, sealed FROM documents WHERE name = ?", (name,)).fetchone()
        if row is None:
            return ABSENT
        version, sealed = row
        try:
            values = texts(decode(self._unsealed(name, version, sealed)), self.where(key))
        except (InvalidTag, DecodeError):
            raise StoreError(f"{self.where(key)} is damaged; take the file from a backup") from None
        return Document(values, str(version))

    def write(self, key: Key, values: Mapping[str, str], version: str) -> str:
        """See `Provider`."""
        self._make()
        name, new = self._name(key.name), int(version or 0) + 1
        with self._opened("written") as database:
            database.execute("BEGIN IMMEDIATE")
            row = database.execute("SELECT version FROM documents WHERE name = ?", (name,)).fetchone()
            if (str(row[0]) if row else "") != version:
                raise Conflict(f"{self.where(key)} was changed by somebody else")
            sealed = self._sealed(name, new, encode(dict(values)))
            database.execute("INSERT OR REPLACE INTO documents VALUES (?, ?, ?)", (name, new, sealed))
            database.execute("COMMIT")
        return str(new)

    def _make(self) -> None:
        """An empty database of this key, whole or not at all."""
        if self._path.exists():
            return
        draft = self._path.with_name(f".{self._path.name}.{secrets.token_hex(4)}")
        try:
            os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            with contextlib.closing(_connect(draft)) as database:
                database.execute(f"PRAGMA user_version = {_FORMAT}")
                database.execute(_TABLE)
                name = self._name("")
                database.execute("INSERT INTO documents VALUES (?, 0, ?)", (name, self._sealed(name, 0, _CHECK)))
            with contextlib.suppress(FileExistsError):  # somebody else was faster, and theirs is as good
                os.link(draft, self._path)
            sync_folder(self._path.parent)
        except (OSError, sqlite3.Error) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise StoreError(f"{self._path} cannot be made: {reason}") from error
        finally:
            draft.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _opened(self, what: str) -> Iterator[sqlite3.Connection]:
        """A connection of its own for each use: threads and forks then need no thought."""
        try:
            with contextlib.closing(_connect(self._path, writable=what != "read")) as database:
                self._check(database)
                yield database
        except sqlite3.Error as error:
            if "readonly" in str(error) or "unable to open" in str(error):
                raise StoreError(f"{self._path} cannot be {what}: look at its permissions and its folder's") from error
            if "locked" in str(error):
                message = f"{self._path} was locked by another process for {_WAIT_SECONDS:.0f} s; run it again"
                raise StoreError(message) from error
            if "full" in str(error):
                raise StoreError(f"{self._path} cannot be {what}: the disk is full") from error
            raise StoreError(f"{self._path} cannot be {what}, it may be damaged ({error}): look at it") from error

    def _check(self, database: sqlite3.Connection) -> None:
        (found,) = database.execute("PRAGMA user_version").fetchone()
        if found != _FORMAT:
            raise StoreError(f"{self._path} is no encrypted store of this version of tiphys")
        name = self._name("")
        row = database.execute("SELECT sealed FROM documents WHERE name = ?", (name,)).fetchone()
        try:
            self._unsealed(name, 0, row and row[0])
        except InvalidTag:
            raise StoreError(f"the key in {self._key_where} is not the one that {self._path} was made with") from None

    def _sealed(self, name: bytes, version: int, data: bytes) -> bytes:
        nonce = os.urandom(12)
        return nonce + self._cipher.encrypt(nonce, data, _bound(name, version))

    def _unsealed(self, name: bytes, version: object, sealed: object) -> bytes:
        if (
            not isinstance(sealed, bytes)
            or len(sealed) < 28
            or not isinstance(version, int)
            or not 0 <= version < 2**63
        ):
            raise InvalidTag  # not of our making
        return self._cipher.decrypt(sealed[:12], sealed[12:], _bound(name, version))

    def _name(self, name: str) -> bytes:
        digest = HMAC(self._names, hashes.SHA256())
        digest.update(name.encode())
        return digest.finalize()


def _connect(path: Path, *, writable: bool = True) -> sqlite3.Connection:
    """Committed means on the disk; EXTRA: the folder, too."""
    mode = "rw" if writable else "ro"
    database = sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?mode={mode}", uri=True, timeout=_WAIT_SECONDS, isolation_level=None
    )
    database.execute("PRAGMA synchronous = EXTRA")
    return database


def _bound(name: bytes, version: int) -> bytes:
    return name + version.to_bytes(8, "big")


def _derived(key: bytes, purpose: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt=None, info=purpose).derive(key)
