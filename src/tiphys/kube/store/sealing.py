"""Secrets encrypted at rest: AES-256-GCM under a key file beside the database, readable by its owner only."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tiphys.errors import StoreError
from tiphys.kit.files import write_private

__all__ = ["Seal"]


class Seal:
    """Encrypts and decrypts values.

    Args:
        path: of the key file.
        make: there is nothing yet that a key could have sealed: one that is missing is made.

    Raises:
        StoreError: the key file is missing, unreadable, of the wrong size, or readable by others.
    """

    def __init__(self, path: Path, *, make: bool) -> None:
        self._path = path
        try:
            if not path.exists():
                if not make:
                    raise StoreError(f"the key file {path} is missing: restore it from a backup; nothing was changed")
                write_private(path, os.urandom(32))
            if path.stat().st_mode & 0o077:
                raise StoreError(f"the key file {path} can be read by others: chmod 600 it")
            key = path.read_bytes()
        except OSError as error:
            raise StoreError(f"the key file {path} cannot be used: {error.strerror}") from error
        if len(key) != 32:
            raise StoreError(
                f"the key file {path} is damaged (it has {len(key)} bytes, not 32): restore it from a backup"
            )
        self._cipher = AESGCM(key)

    def close_up(self, data: bytes, context: str) -> bytes:
        """Encrypt; `context` (where the value belongs) is authenticated with it."""
        nonce = os.urandom(12)
        return nonce + self._cipher.encrypt(nonce, data, context.encode())

    def open_up(self, data: bytes, context: str) -> bytes:
        """Decrypt.

        Raises:
            StoreError: this key did not encrypt it, or it was changed.
        """
        try:
            return self._cipher.decrypt(data[:12], data[12:], context.encode())
        except InvalidTag as error:
            raise StoreError(
                f"{context} cannot be decrypted with {self._path}: restore the key file it was made with"
            ) from error
