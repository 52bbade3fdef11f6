"""Which image a device is to get: the one named, or the entry for its model in a catalogue. Pure.

A catalogue is the ConfigMap `obm-firmware`, each key an entry, or a YAML file of the same form. It is the baseline,
too: an entry without an image says which version a model is to have.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit, urlunsplit

from tiphys.errors import TiphysError, UsageError
from tiphys.kit import yaml

__all__ = ["Entry", "Firmware", "Source", "catalogue_of", "entries_of", "signature_of", "without_secrets"]

_NEEDED = ("model", "version")
_IMAGE = ("url", "sha256")
_MORE = ("component", "compsig")
_CATALOGUE = "the ConfigMap obm-firmware"


@dataclass(frozen=True, slots=True)
class Firmware:
    """An image: where it is, what it brings, and the SHA-256 it must have (hex, lower case).

    Attributes:
        url: http or https; "" with `file`, or where only the version is known.
        file: its path on this machine, "" = it is fetched; its digest may be unknown ("") before it is read.
        compsig: URL of the signature that HPE ships beside some images, with `#sha256=…`; "" = none.
    """

    url: str
    version: str
    sha256: str
    file: str = ""
    compsig: str = ""

    @property
    def there(self) -> bool:
        """Whether there is an image, and not a version alone."""
        return bool(self.url or self.file)


@dataclass(frozen=True, slots=True)
class Entry:
    """An image for every model that the glob matches; `name` is its key in the catalogue."""

    name: str
    model: str
    firmware: Firmware
    component: Literal["BMC", "BIOS"] = "BMC"


@dataclass(frozen=True, slots=True)
class Source:
    """What the command line and the catalogue say; "" = nothing."""

    url: str = ""
    version: str = ""
    sha256: str = ""
    entries: tuple[Entry, ...] = ()
    component: Literal["BMC", "BIOS"] = "BMC"
    file: str = ""
    compsig: str = ""

    def named(self) -> Firmware | None:
        """The image that the command line names; None = it names none.

        Raises:
            UsageError: its version or its digest is nowhere to be found.
        """
        if self.file:
            return self._local()
        if not self.url:
            return None
        _check_url(self.url, "--firmware-url")
        parts = urlsplit(self.url)
        url = urlunsplit(parts._replace(fragment=""))
        beside = _fragment(self.url)
        known = next((entry.firmware for entry in self.entries if entry.firmware.url == url), None)
        version = self.version or beside.get("version", "") or (known.version if known else "")
        sha256 = self.sha256 or beside.get("sha256", "") or (known.sha256 if known else "")
        compsig = self.compsig or (known.compsig if known else "")
        if not version or not sha256:
            raise UsageError(
                f"the version and the SHA-256 of the image are needed beside its URL: write them as "
                f"{without_secrets(url)}#version=…&sha256=…, give --firmware-version and --firmware-sha256, or add an "
                f"entry with this URL to {_CATALOGUE}"
            )
        return _checked(Firmware(url, version, sha256.lower(), compsig=compsig), "--firmware-url")

    def of_model(self, model: str) -> Firmware:
        """The entry for a model, with an image.

        Raises:
            UsageError: there is none, or more than one.
        """
        firmware = self.baseline(model)
        if firmware is None or not firmware.there:
            what = "no firmware" if firmware is None else f"version {firmware.version}, but no image of it"
            raise UsageError(
                f"{what} is on record for the model {model!r} ({self.component}): add an entry to {_CATALOGUE}, put a "
                "software image on the device in Nautobot, or give --firmware-url"
            )
        return firmware

    def baseline(self, model: str) -> Firmware | None:
        """The version that the component of this model is to have, perhaps with its image; None = nobody says.

        Raises:
            UsageError: several entries fit.
        """
        named = self.named()
        if named is not None:
            return named
        if self.version:
            return Firmware("", self.version, "")
        fits = [
            entry
            for entry in self.entries
            if entry.component == self.component and fnmatchcase(model.casefold(), entry.model.casefold())
        ]
        if len(fits) > 1:
            names = ", ".join(entry.name for entry in fits)
            raise UsageError(f"several entries of the catalogue fit the model {model!r} ({self.component}): {names}")
        return fits[0].firmware if fits else None

    def _local(self) -> Firmware:
        if self.url or not self.version:
            raise UsageError("--firmware-file needs --firmware-version, and no --firmware-url")
        firmware = Firmware("", self.version, self.sha256.lower(), self.file, self.compsig)
        if self.sha256:
            _check_digest(self.sha256.lower(), "--firmware-sha256")
        _check_compsig(firmware.compsig, "--firmware-compsig")
        return firmware


def entries_of(values: Mapping[str, str]) -> tuple[Entry, ...]:
    """The entries of the ConfigMap.

    Raises:
        UsageError: one that cannot be used, by its key.
    """
    found = []
    for name, text in sorted(values.items()):
        where = f"key {name!r} of {_CATALOGUE}"
        try:
            value = yaml.load(text)
        except TiphysError as error:
            raise UsageError(f"{where} is not YAML: {error}") from error
        found.append(_entry(name, value, where))
    return tuple(found)


def catalogue_of(text: str, where: str) -> tuple[Entry, ...]:
    """The entries of a YAML file: a mapping, each key an entry, its value a mapping or such a text as in the ConfigMap.

    Raises:
        UsageError: it is none, or an entry cannot be used.
    """
    try:
        values = yaml.load(text)
    except TiphysError as error:
        raise UsageError(f"{where} is not YAML: {error}") from error
    if isinstance(values, dict) and values.get("kind") == "ConfigMap":
        values = values.get("data")
    if not isinstance(values, dict):
        raise UsageError(f"{where}: a mapping is needed, each key an entry with {', '.join(_NEEDED)}")
    texts = {str(name): value for name, value in values.items() if isinstance(value, str)}
    others = [_entry(str(name), v, f"{where}, {name!r}") for name, v in values.items() if not isinstance(v, str)]
    return (*entries_of(texts), *others)


def without_secrets(url: str) -> str:
    """A URL for a message: without user, password, query and fragment."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def signature_of(firmware: Firmware) -> Firmware | None:
    """The signature beside an image, as something to be fetched; None = it has none."""
    if not firmware.compsig:
        return None
    url = urlunsplit(urlsplit(firmware.compsig)._replace(fragment=""))
    return Firmware(url, firmware.version, _fragment(firmware.compsig)["sha256"].lower())


def _entry(name: str, value: Any, where: str) -> Entry:
    if not isinstance(value, dict) or not set(_NEEDED) <= set(value) <= {*_NEEDED, *_IMAGE, *_MORE}:
        raise UsageError(
            f"{where} needs the fields {', '.join(_NEEDED)}, with an image {', '.join(_IMAGE)}, and may have "
            f"{', '.join(_MORE)}; no others"
        )
    for field, content in value.items():
        if not isinstance(content, str) or not content:
            raise UsageError(f"{where}: {field} must be a text; put it in quotes (7.10 would be the number 7.1)")
    if ("url" in value) != ("sha256" in value):
        raise UsageError(f"{where}: url and sha256 belong together")
    component = value.get("component", "BMC")
    if component not in ("BMC", "BIOS"):
        raise UsageError(f"{where}: component is {component!r}; BMC and BIOS are known")
    firmware = Firmware(
        value.get("url", ""), value["version"], value.get("sha256", "").lower(), compsig=value.get("compsig", "")
    )
    return Entry(name, value["model"], _checked(firmware, where) if firmware.url else firmware, component)


def _checked(firmware: Firmware, where: str) -> Firmware:
    _check_url(firmware.url, where)
    _check_digest(firmware.sha256, where)
    _check_compsig(firmware.compsig, where)
    return firmware


def _check_url(url: str, where: str) -> None:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good:
        raise UsageError(f"{where}: the URL must be http or https, with a host")
    if "@" in parts.netloc:
        raise UsageError(f"{where}: the URL must not hold a user and password; they would end up in logs")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise UsageError(f"{where}: the URL has characters that must be percent-encoded (a space is %20)")


def _check_digest(sha256: str, where: str) -> None:
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise UsageError(f"{where}: sha256 must be 64 hexadecimal digits")


def _check_compsig(url: str, where: str) -> None:
    if url:
        _check_url(url, f"{where}, compsig")
        _check_digest(_fragment(url).get("sha256", "").lower(), f"{where}, compsig (write it as URL#sha256=…)")


def _fragment(url: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(urlsplit(url).fragment).items()}
