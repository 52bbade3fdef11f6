"""Firmware of HPE iLO 5 (and 6, 7 as far as they are alike). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tiphys.obm.firmware.vendors.base import Maker, Progress
from tiphys.obm.shapes import Json, line, part, whole

__all__ = ["Hpe"]

_RUNNING = ("Uploading", "Verifying", "Writing", "Updating")


class Hpe(Maker):
    """How iLOs differ."""

    name = "iLO"

    def made(self, root: Json) -> bool:
        """By vendor or OEM object."""
        return root.get("Vendor") == "HPE" or bool(part(root, "Oem", "Hpe"))

    def bmc_version(self, inventory: Sequence[Json], manager: Json) -> str:
        """`2.72 Sep 04 2022` in the inventory, `iLO 5 v2.72` on the Manager: the number is the version."""
        for entry in inventory:
            if entry.get("Description") == "SystemBMC" or str(entry.get("Name") or "").startswith("iLO "):
                return str(entry.get("Version") or "").partition(" ")[0]
        return str(manager.get("FirmwareVersion") or "").rpartition(" v")[2].partition(" ")[0]

    def push(self, service: Json) -> tuple[Any, str] | None:
        """The form at /cgi-bin/uploadFile."""
        path = service.get("HttpPushUri")
        return ("form", path) if isinstance(path, str) and path else super().push(service)

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
