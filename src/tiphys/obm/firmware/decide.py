"""What is to be done, and why: one decision, which `plan` tells and `update` carries out. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tiphys.obm.errors import CheckRefused, ObmError, Unreachable
from tiphys.obm.firmware.checks import Rules, obstacles
from tiphys.obm.firmware.serve import Scheme
from tiphys.obm.firmware.source import Firmware
from tiphys.obm.firmware.vendors.base import Push, Way, Wish
from tiphys.obm.firmware.versions import order
from tiphys.obm.firmware.view import View
from tiphys.obm.journal import Pace
from tiphys.obm.shapes import Json
from tiphys.obm.transport import path_of

__all__ = ["Compliance", "Decision", "Pull", "Sending", "compliance", "decide"]

Compliance = Literal["compliant", "outdated", "newer", "unknown"]

_BY_PERSON: Mapping[str, tuple[Push, ...]] = {
    "multipart": ("multipart",),
    "push": ("raw", "form", "stage"),
    "pull": ("pull",),
}


@dataclass(frozen=True, slots=True)
class Pull:
    """How a BMC finds the image that it fetches itself.

    Attributes:
        address: of this machine as the BMC reaches it; "" = that of the route to it.
        bind: to listen at; "" = the same.
        scheme: "" = HTTPS where the BMC verifies no certificate or one is given, else HTTP.
        certificate: PEM file with a certificate the BMC trusts, and its key.
    """

    address: str = ""
    bind: str = ""
    port: int = 0
    scheme: Literal["", "http", "https"] = ""
    certificate: Path | None = None


@dataclass(frozen=True, slots=True)
class Sending:
    """How a person wants it sent: the way ("" = the best), when it takes effect, whether settings are kept."""

    mechanism: Literal["", "multipart", "push", "pull"] = ""
    apply: Literal["Immediate", "OnReset"] = "Immediate"
    preserve: bool = True
    pull: Pull = field(default_factory=Pull)


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done.

    Attributes:
        before: the version that runs.
        way: None = there is none, and an obstacle says so.
        obstacles: what stands against it, the plainest first.
        scheme: by which a BMC fetches.
    """

    firmware: Firmware
    before: str
    same: bool
    service: Json
    way: Way | None
    wish: Wish
    scheme: Scheme
    obstacles: tuple[ObmError, ...]

    @property
    def action(self) -> Literal["no-op", "refuse", "update"]:
        """In a word."""
        return "no-op" if self.same else "refuse" if self.obstacles else "update"


def decide(view: View, firmware: Firmware, sending: Sending, rules: Rules, pace: Pace) -> Decision:
    """Look at the BMC and decide.

    Raises:
        Unreachable: it does not tell its version.
    """
    before = _version(view)
    service = view.service()
    same = view.same(before, firmware.version)
    paths = [path_of(owner.get("@odata.id")).rstrip("/") for owner in (view.manager(), view.system())]
    wish = Wish(view.component, sending.apply, sending.preserve, paths[0], paths[1])
    way = None if same else _way(view, service, sending)
    found: list[ObmError] = []
    scheme: Scheme = "http"
    if not same:
        found += obstacles(view, service, way, wish, rules, (before, firmware.version), pace)
        scheme, why = _scheme(way, service, sending.pull)
        found += [CheckRefused(f"{view.bmc.transport.where} {why}", "transport")] if why else []
    for obstacle in found:
        obstacle.version = obstacle.version_before = before
    return Decision(firmware, before, same, service, way, wish, scheme, tuple(found))


def compliance(view: View, installed: str, wanted: Firmware | None) -> Compliance:
    """How what runs compares with the baseline."""
    if wanted is None or not installed:
        return "unknown"
    if view.same(installed, wanted.version):
        return "compliant"
    found = order(view.plain(installed), view.plain(wanted.version))
    return "unknown" if found is None else "outdated" if found < 0 else "newer" if found > 0 else "compliant"


def _version(view: View) -> str:
    before = view.version()
    if not before:
        what = "its own firmware" if view.component == "BMC" else f"its {view.component}"
        raise Unreachable(f"{view.bmc.transport.where} does not tell the version of {what}; run it again later")
    return before


def _way(view: View, service: Json, sending: Sending) -> Way | None:
    ways = view.maker.ways(service)
    if sending.mechanism:
        kinds = _BY_PERSON[sending.mechanism]
        offered = ", ".join(way.kind for way in ways) or "none"
        ways = tuple(way for way in ways if way.kind in kinds)
        if not ways and service:
            raise CheckRefused(
                f"{view.bmc.transport.where} does not offer --mechanism {sending.mechanism}, only: {offered}",
                "unsupported",
            )
    if not ways:
        return None
    way = ways[0]
    return view.maker.learnt(way, view.bmc.maybe(way.info)) if way.info else way


def _scheme(way: Way | None, service: Json, pull: Pull) -> tuple[Scheme, str]:
    """The scheme by which the BMC fetches, and why there is none ("")."""
    if way is None or way.kind != "pull":
        return "http", ""
    offered = [protocol.casefold() for protocol in way.protocols] or ["http"]
    trusted = pull.certificate is not None or service.get("VerifyRemoteServerCertificate") is False
    if pull.scheme:
        if way.protocols and pull.scheme not in offered:
            return pull.scheme, f"does not fetch by {pull.scheme.upper()}, only by {', '.join(way.protocols)}"
        return pull.scheme, ""
    if "https" in offered and trusted:
        return "https", ""
    if "http" in offered:
        return "http", ""
    if "https" in offered:
        why = "fetches by HTTPS only and may verify the certificate: give it one it trusts with --pull-certificate"
        return "https", why
    return "http", f"fetches by {', '.join(way.protocols)} only; we serve HTTP and HTTPS"
