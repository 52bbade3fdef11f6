"""Which image a device is to get: the one named, or the entry for its model in the ConfigMap `obm-firmware`. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import parse_qs, urlsplit, urlunsplit

from tiphys.errors import TiphysError, UsageError
from tiphys.kit import yaml

__all__ = ["Entry", "Firmware", "Source", "entries_of", "without_secrets"]

_FIELDS = ("model", "url", "version", "sha256")


@dataclass(frozen=True, slots=True)
class Firmware:
    """An image: where it is, what it brings, and the SHA-256 it must have (hex, lower case)."""

    url: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Entry:
    """An image for every model that the glob matches; `name` is its key in the ConfigMap."""

    name: str
    model: str
    firmware: Firmware


@dataclass(frozen=True, slots=True)
class Source:
    """What the command line and the ConfigMap say; "" = nothing."""

    url: str = ""
    version: str = ""
    sha256: str = ""
    entries: tuple[Entry, ...] = ()

    def named(self) -> Firmware | None:
        """The image that the command line names; None = it names none.

        Raises:
            UsageError: its version or its digest is nowhere to be found.
        """
        if not self.url:
            return None
        parts = urlsplit(self.url)
        url = urlunsplit(parts._replace(fragment=""))
        beside = {name: values[-1] for name, values in parse_qs(parts.fragment).items()}
        known = next((entry.firmware for entry in self.entries if entry.firmware.url == url), None)
        version = self.version or beside.get("version", "") or (known.version if known else "")
        sha256 = self.sha256 or beside.get("sha256", "") or (known.sha256 if known else "")
        if not version or not sha256:
            raise UsageError(
                f"the version and the SHA-256 of the image are needed beside its URL: write them as "
                f"{without_secrets(url)}#version=…&sha256=…, give --firmware-version and --firmware-sha256, or add an "
                "entry with this URL to the ConfigMap obm-firmware"
            )
        return _checked(Firmware(url, version, sha256.lower()), "--firmware-url")

    def of_model(self, model: str) -> Firmware:
        """The entry for a model.

        Raises:
            UsageError: there is none, or more than one.
        """
        fits = [entry for entry in self.entries if fnmatchcase(model.casefold(), entry.model.casefold())]
        if not fits:
            raise UsageError(
                f"no firmware is on record for the model {model!r}: add an entry to the ConfigMap obm-firmware, put a "
                "software image on the device in Nautobot, or give --firmware-url"
            )
        if len(fits) > 1:
            names = ", ".join(entry.name for entry in fits)
            raise UsageError(f"several entries of the ConfigMap obm-firmware fit the model {model!r}: {names}")
        return fits[0].firmware


def entries_of(values: Mapping[str, str]) -> tuple[Entry, ...]:
    """The entries of the ConfigMap.

    Raises:
        UsageError: one that cannot be used, by its key.
    """
    return tuple(_entry(name, text) for name, text in sorted(values.items()))


def without_secrets(url: str) -> str:
    """A URL for a message: without user, password, query and fragment."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _entry(name: str, text: str) -> Entry:
    where = f"key {name!r} of the ConfigMap obm-firmware"
    try:
        value = yaml.load(text)
    except TiphysError as error:
        raise UsageError(f"{where} is not YAML: {error}") from error
    if not isinstance(value, dict) or set(value) != set(_FIELDS):
        raise UsageError(f"{where} needs exactly the fields {', '.join(_FIELDS)}")
    for field, content in value.items():
        if not isinstance(content, str) or not content:
            raise UsageError(f"{where}: {field} must be a text; put it in quotes (7.10 would be the number 7.1)")
    firmware = Firmware(value["url"], value["version"], value["sha256"].lower())
    return Entry(name, value["model"], _checked(firmware, where))


def _checked(firmware: Firmware, where: str) -> Firmware:
    try:
        parts = urlsplit(firmware.url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good:
        raise UsageError(f"{where}: the URL must be http or https, with a host")
    if "@" in parts.netloc:
        raise UsageError(f"{where}: the URL must not hold a user and password; they would end up in logs")
    if not re.fullmatch(r"[0-9a-f]{64}", firmware.sha256):
        raise UsageError(f"{where}: sha256 must be 64 hexadecimal digits")
    return firmware
