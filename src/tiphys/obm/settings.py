"""How to talk to the BMCs: the keys of the ConfigMap `obm`, with defaults. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tiphys.errors import UsageError
from tiphys.obm.identity import ADVICE
from tiphys.obm.redfish import Auth
from tiphys.obm.transport import Trust

__all__ = ["KEYS", "Settings", "fingerprint_of", "is_port", "trust_of"]

KEYS = ("port", "tls", "ca.crt", "server-name", "auth", "simulated-speed")


@dataclass(frozen=True, slots=True)
class Settings:
    """See README.md for each key.

    Attributes:
        tls: `pin`, `ca`, or `sha256:HEX`.
        ca: PEM, "" = the system's authorities.
    """

    port: int = 443
    tls: str = "pin"
    ca: str = ""
    server_name: str = ""
    auth: Auth = "session"
    simulated_speed: float = 1.0

    @classmethod
    def of(cls, values: Mapping[str, str], device: str) -> Settings:
        """From the keys as they are written; `KEY.DEVICE` wins over `KEY`.

        Raises:
            UsageError: a value that cannot be, by its key.
        """

        def value(key: str, default: str) -> str:
            return values.get(f"{key}.{device}", values.get(key, "")).strip() or default

        port, speed, tls, auth = value("port", "443"), value("simulated-speed", "1"), value("tls", "pin"), ""
        if not is_port(port):
            raise _wrong("port", port, "a port number")
        if tls not in ("pin", "ca") and not fingerprint_of(tls):
            raise _wrong("tls", tls, "pin, ca or sha256: and 64 hexadecimal digits")
        auth = value("auth", "session")
        if auth not in ("session", "basic"):
            raise _wrong("auth", auth, "session or basic")
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", speed) or not float(speed):
            raise _wrong("simulated-speed", speed, "a number greater than 0")
        kind: Auth = "basic" if auth == "basic" else "session"
        return cls(int(port), tls, value("ca.crt", ""), value("server-name", ""), kind, float(speed))


def is_port(text: str) -> bool:
    """Whether a person wrote the number of a TCP port."""
    return re.fullmatch(r"[0-9]{1,5}", text) is not None and 0 < int(text) < 65536


def fingerprint_of(text: str) -> str:
    """The digest in what a person wrote as `sha256:HEX`, spaces and colons between octets too; "" for none."""
    found = re.fullmatch(r"sha256([0-9a-f]{64})", text.replace(" ", "").replace(":", "").lower())
    return found[1] if found else ""


def trust_of(settings: Settings, recorded: str) -> Trust:
    """Which certificate is the right one: the one named, the authorities', or the one recorded at first contact."""
    if settings.tls == "ca":
        return Trust(authority=True, authorities=settings.ca, server_name=settings.server_name)
    if named := fingerprint_of(settings.tls):
        return Trust(
            fingerprint=named,
            server_name=settings.server_name,
            advice="If the change is right, set `tls` of the ConfigMap obm to the new one",
        )
    return Trust(fingerprint=recorded, server_name=settings.server_name, advice=f"{ADVICE[0].upper()}{ADVICE[1:]}")


def _wrong(key: str, value: str, wanted: str) -> UsageError:
    return UsageError(f"key {key!r} of the ConfigMap obm is {value!r}; {wanted} is needed")
