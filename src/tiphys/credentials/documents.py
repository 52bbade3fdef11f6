"""Records and passwords as the stores write them: JSON texts and string values. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tiphys.errors import StoreError
from tiphys.kit.codec import DecodeError, decode, decode_as, encode
from tiphys.kit.names import fnv1a_32
from tiphys.kit.redact import Secret
from tiphys.obm.record import Passwords, Record, Rejected

__all__ = ["object_name", "passwords_from", "passwords_to", "record_from", "record_to", "texts"]

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LONGEST = 253


def object_name(prefix: str, device: str) -> str:
    """`obm-record-r1.example.com`; a name that Kubernetes would not take gets a hash, so that none are mixed up."""
    name = f"{prefix}-{device}"
    if _NAME.fullmatch(name) and len(name) <= _LONGEST:
        return name
    plain = re.sub(r"[^a-z0-9]+", "-", device.lower()).strip("-")[: _LONGEST - len(prefix) - 10]
    return f"{prefix}-{plain}-{fnv1a_32(device):08x}".replace("--", "-")


def record_to(record: Record) -> str:
    """One JSON text."""
    return encode(record).decode()


def record_from(text: str, where: str) -> Record:
    """Back again.

    Raises:
        StoreError: it is not a record.
    """
    try:
        return decode_as(text, Record)
    except DecodeError as error:
        raise StoreError(f"{where} is not a record of a BMC ({error}); look at it and delete it") from error


def passwords_to(passwords: Passwords) -> dict[str, str]:
    """The values of a Secret; empty ones are left out."""
    rejected = [[entry.digest, entry.at] for entry in passwords.rejected]
    values = {
        "username": passwords.username,
        "current": passwords.current.reveal(),
        "pending": passwords.pending.reveal(),
        "previous": passwords.previous.reveal(),
        "rejected": encode(rejected).decode() if rejected else "",
    }
    return {name: value for name, value in values.items() if value}


def passwords_from(values: Mapping[str, str], where: str) -> Passwords:
    """Back again.

    Raises:
        StoreError: they are not the passwords of a BMC.
    """
    try:
        rejected = tuple(Rejected(digest, at) for digest, at in decode(values.get("rejected") or "[]"))
    except (DecodeError, ValueError, TypeError):
        raise StoreError(f"{where}: `rejected` is not as it was written; delete that key") from None
    current, pending, previous = (Secret(values.get(name, "")) for name in ("current", "pending", "previous"))
    return Passwords(values.get("username", ""), current, pending, previous, rejected)


def texts(value: Any, where: str) -> dict[str, str]:
    """What was read is a document: texts by their names.

    Raises:
        StoreError: it is something else; names the key, shows no value.
    """
    if not isinstance(value, dict):
        raise StoreError(f"{where} is not as it was written: an object with texts is needed; look at it")
    for name, text in value.items():
        if not isinstance(text, str):
            raise StoreError(f"{where}: {name} must be a text, e.g. in quotes")
    return value
