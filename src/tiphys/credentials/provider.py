"""The seam behind which passwords live: documents of named values, each write a compare-and-swap.

A provider knows how to read and to write one document; `kept` makes of it what `obm` needs, `on_record` what a command
needs, and `stores` finds it by its URL. Third parties bring their own by an entry point of the group
`tiphys.credentials`; `conformance` is what they can check it with.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NoReturn, Protocol

from tiphys.credentials.documents import object_name
from tiphys.errors import StoreError

__all__ = ["ABSENT", "Document", "Key", "Provider", "Unclosed", "read_only"]

Kind = Literal["obm-creds", "obm-passwords", "obm-record"]

_PLAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LONGEST = 202


@dataclass(frozen=True, slots=True)
class Key:
    """Which document.

    Attributes:
        kind: `obm-creds`: the credentials on record, keys `username` and `password`, which a person or another system
            writes. `obm-passwords`: the write-ahead ledger, secret. `obm-record`: what else is remembered of the BMC;
            holds no secret.
        device: as the inventory names it; "" = the whole fleet's (`obm-creds` only).
    """

    kind: Kind
    device: str

    @property
    def name(self) -> str:
        """A name that Kubernetes, a file system and a URL take, and that no other document has."""
        if not self.device:
            return self.kind
        return _on_record_name(self.device) if self.kind == "obm-creds" else object_name(self.kind, self.device)


def _on_record_name(device: str) -> str:
    """As the template get-obm-creds names the device's own Secret."""
    if len(device) <= _LONGEST and _PLAIN.fullmatch(device):
        return f"obm-creds-{device}"
    plain = re.sub(r"[^a-z0-9]+", "-", device.lower())[:200]
    return f"obm-creds-{plain}-{hashlib.sha256(device.encode()).hexdigest()[:8]}"


@dataclass(frozen=True, slots=True)
class Document:
    """What was read.

    Attributes:
        values: texts by their names; empty = there is no such document, or there is nothing in it.
        version: to be given back with the write that replaces what was read; "" = it has never been written.
    """

    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    version: str = ""


ABSENT = Document()
"""There is no such document."""


class Provider(Protocol):
    """A place where documents are kept. It may be used by several threads.

    It may have a method `write_soon` beside `write`, with the same arguments: every process sees what it writes at
    once, and a machine that loses its power may forget it, but not what was there before. Who works on a BMC is
    written so.

    Every error is a TiphysError of one line that says what, where and what to do next, and that holds no value of any
    document: StoreError, or another one of `tiphys.errors`.
    """

    @property
    def local(self) -> bool:
        """Whether only processes of this machine can reach it, so that a dead holder of a BMC can be told."""
        ...

    def where(self, key: Key) -> str:
        """The document's place, for messages."""
        ...

    def read(self, key: Key) -> Document:
        """The newest one; `ABSENT` where there is none.

        Raises:
            StoreError: it cannot be read, or is not as it was written.
        """
        ...

    def write(self, key: Key, values: Mapping[str, str], version: str) -> str:
        """Replace it whole; on the disk, or on the disks of the service, before this returns.

        Args:
            version: of the document that it replaces, as read or as the last write returned it; "" = create it.

        Returns:
            Its version from now on; never "".

        Raises:
            obm.record.Conflict: it has another version, or it is there already. Nothing was written.
            StoreError: it cannot be written, or this place can only be read.
        """
        ...

    def close(self) -> None:
        """Give back connections and the like; it is not used any more."""
        ...


class Unclosed:
    """A provider that holds nothing open between two uses."""

    def close(self) -> None:
        """Nothing to do."""


def read_only(where: str, what: str) -> NoReturn:
    """Refuse what a place of credentials that can only be read cannot do.

    Raises:
        StoreError: always.
    """
    raise StoreError(
        f"{where} can only be read, and holds no more than the credentials on record; keep {what} elsewhere: "
        "--store dir:PATH, encrypted:PATH, kubernetes:, vault:… or command:…, and this one in --credentials"
    )
