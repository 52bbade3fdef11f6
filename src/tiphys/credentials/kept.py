"""What `obm` remembers of one BMC, in the documents of any provider."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tiphys.credentials.documents import passwords_from, passwords_to, record_from, record_to
from tiphys.credentials.provider import Key, Provider
from tiphys.obm.record import Passwords, Record

__all__ = ["KeptStore"]


_Write = Callable[[Key, Mapping[str, str], str], str]


class KeptStore:
    """`obm.record.Store` for one BMC."""

    def __init__(self, provider: Provider, device: str) -> None:
        self._provider = provider
        self._record = Key("obm-record", device)
        self._passwords = Key("obm-passwords", device)
        self._seen: dict[Key, str] = {}
        self._write_soon: _Write = getattr(provider, "write_soon", provider.write)

    def load_record(self) -> Record | None:
        """See `Store`."""
        text = self._load(self._record).get("record")
        return record_from(text, self._provider.where(self._record)) if text else None

    def save_record(self, record: Record, *, durable: bool = True) -> None:
        """See `Store`."""
        self._save(self._record, {"record": record_to(record)}, self._provider.write if durable else self._write_soon)

    def load_passwords(self) -> Passwords:
        """See `Store`."""
        return passwords_from(self._load(self._passwords), self._provider.where(self._passwords))

    def save_passwords(self, passwords: Passwords) -> None:
        """See `Store`."""
        self._save(self._passwords, passwords_to(passwords), self._provider.write)

    def _load(self, key: Key) -> Mapping[str, str]:
        found = self._provider.read(key)
        self._seen[key] = found.version
        return found.values

    def _save(self, key: Key, values: Mapping[str, str], write: _Write) -> None:
        self._seen[key] = write(key, values, self._seen.get(key, ""))
