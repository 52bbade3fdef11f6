"""The credentials on record of a device: its own document, else the fleet's, wherever they are kept."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tiphys.credentials.given import Given, given_from
from tiphys.credentials.provider import Key, Provider
from tiphys.errors import StoreError
from tiphys.kit.redact import Secret

__all__ = ["OnRecord", "read_on_record", "write_on_record"]

_NAMES = ("username", "password", "adminUsername", "adminPassword")


def read_on_record(provider: Provider, device: str) -> Given:
    """The device's own credentials, else those of the whole fleet.

    Half a document is no credential: the fleet's are not taken in its place.

    Raises:
        StoreError: there are none, or what is there cannot be used; says where they were looked for.
        UsageError: a value that no log-in can carry.
    """
    keys = (Key("obm-creds", device), Key("obm-creds", ""))
    for key in keys:
        values = provider.read(key).values
        if values:
            return given_from({name: values.get(name) for name in _NAMES}, provider.where(key))
    places = list(dict.fromkeys(provider.where(key) for key in keys))
    raise StoreError(f"no credentials of {device} are on record: neither {' nor '.join(places)} is there")


def write_on_record(provider: Provider, device: str, given: Given) -> None:
    """Put them on record as the device's own; what else its document holds is kept.

    Raises:
        Conflict: somebody else has changed them at the same time.
        StoreError: they cannot be written there.
    """
    key = Key("obm-creds", device)
    before = provider.read(key)
    values = {"username": given.username, "password": given.password.reveal()}
    provider.write(key, {**before.values, **values}, before.version)


@dataclass(frozen=True)
class OnRecord:
    """The credentials on record of one device, for a command that may put a new password there."""

    provider: Provider
    device: str

    def read(self) -> Given:
        """See `read_on_record`."""
        return read_on_record(self.provider, self.device)

    def check(self, given: Given) -> None:
        """See that it can be written, before anything depends on it: the same credentials, as the device's own.

        Raises:
            StoreError, Conflict: it cannot be.
        """
        try:
            write_on_record(self.provider, self.device, given)
        except StoreError as error:
            raise StoreError(
                f"{error}; or give --no-write-credentials: the new password is then in the ledger only"
            ) from error

    def put(self, password: Secret) -> None:
        """Put a new password on record.

        Raises:
            StoreError, Conflict: it cannot be written.
        """
        write_on_record(self.provider, self.device, replace(self.read(), password=password))
