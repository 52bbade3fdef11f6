"""Firmware of HPE iLO 5 (and 6, 7 as far as they are alike). Pure.

Facts: trees of iLO 5 2.72 and iLO 6 1.66 (no MultipartHttpPushUri in any iLO's tree), HPE's example of the upload form.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from tiphys.obm.firmware.vendors.base import Component, Maker, Previous, Progress, Way
from tiphys.obm.shapes import Json, line, part, whole
from tiphys.obm.transport import path_of

__all__ = ["Hpe"]

_RUNNING = ("Uploading", "Verifying", "Writing", "Updating")


class Hpe(Maker):
    """How iLOs differ."""

    name = "iLO"
    one_entry = True

    def made(self, root: Json, service: Json) -> bool:
        """By vendor or OEM object."""
        return root.get("Vendor") == "HPE" or bool(part(root, "Oem", "Hpe"))

    def is_of(self, component: Component, entry: Json, owner: str) -> bool:
        """By Description; some old ones have only the name."""
        described = entry.get("Description")
        if component == "BIOS":
            return described == "SystemRomActive"
        return described == "SystemBMC" or str(entry.get("Name") or "").startswith("iLO ")

    def version_in(self, component: Component, text: str) -> str:
        """`2.72 Sep 04 2022` and `iLO 5 v2.72` are 2.72; `A42 v2.60 (08/11/2022)` is 2.60."""
        found = re.search(r"(?:^|\sv)(\d[\w.]*)", text.strip())
        return found[1] if found else text.strip()

    def ways(self, service: Json) -> tuple[Way, ...]:
        """HttpPushUri is the form at /cgi-bin/uploadFile."""
        return tuple(replace(way, kind="form") if way.kind == "raw" else way for way in super().ways(service))

    def service_progress(self, service: Json) -> Progress | None:
        """Oem.Hpe.State, and Result once it is over; Idle means that nothing is known (any more)."""
        oem = part(service, "Oem", "Hpe")
        state = oem.get("State")
        if not isinstance(state, str):
            return None
        percent = whole(oem.get("FlashProgressPercent"))
        result = line(part(oem, "Result").get("MessageId"))
        if state == "Error":
            return Progress("failed", percent, result or "State is Error")
        if state == "Complete":
            return Progress("succeeded", percent, result)
        if state in _RUNNING:
            return Progress("running", percent, state)
        return Progress("lost", percent, line(state, 40))

    def queue(self, service: Json) -> str:
        """UpdateTaskQueue: run in strict order, and nothing after one that is Exception or Expired (HPE)."""
        return path_of(part(service, "Oem", "Hpe", "UpdateTaskQueue").get("@odata.id"))

    def downgrades(self, service: Json) -> bool:
        """DowngradePolicy NoDowngrade; it cannot be taken back."""
        return part(service, "Oem", "Hpe").get("DowngradePolicy") != "NoDowngrade"

    def previous(self, inventory: Sequence[Json], manager: Json, service: Json) -> Previous | str:
        """An iLO keeps no second image of itself: its recovery set holds what is installed (trees of iLO 5 and 6)."""
        return (
            "an iLO keeps no earlier image of itself, and what else lies in its component repository is not used; "
            "bring the older image by update with --allow-downgrade"
        )
