"""Firmware of Dell iDRAC9 (and 8, 10 as far as they are alike). Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from tiphys.obm.firmware.vendors.base import Maker, Progress
from tiphys.obm.shapes import Json, line, mappings, part, whole

__all__ = ["Dell"]

_MANAGER = "/redfish/v1/Managers/iDRAC.Embedded.1"
_SOFTWARE_ID = "25227"  # of the iDRAC itself, whatever the machine
_FAILED = ("Failed", "CompletedWithErrors", "RebootFailed", "Exception", "Cancelled")


class Dell(Maker):
    """How iDRACs differ."""

    name = "iDRAC"

    def made(self, root: Json) -> bool:
        """By vendor or OEM object."""
        return root.get("Vendor") == "Dell" or bool(part(root, "Oem", "Dell"))

    def bmc_version(self, inventory: Sequence[Json], manager: Json) -> str:
        """By SoftwareId and the prefix Installed: ids hold the version, and Previous and Current stand beside."""
        for entry in inventory:
            if entry.get("SoftwareId") == _SOFTWARE_ID and str(entry.get("Id") or "").startswith("Installed"):
                return str(entry.get("Version") or "")
        return str(manager.get("FirmwareVersion") or "")

    def push(self, service: Json) -> tuple[Any, str] | None:
        """Never the bare push: HttpPushUri is FirmwareInventory, a protocol of its own."""
        return super().push({**service, "HttpPushUri": None})

    def parameters(self, path: str) -> dict[str, Any]:
        """Dell expects the Oem key."""
        return {**super().parameters(path), "Oem": {}}

    def job_paths(self, handle: str) -> tuple[str, ...]:
        """The job of the task's name; it is still there when the task is not."""
        found = re.search(r"JID_\w+", handle)
        if not found:
            return ()
        return (f"/redfish/v1/JobService/Jobs/{found[0]}", f"{_MANAGER}/Oem/Dell/Jobs/{found[0]}")

    def job_progress(self, job: Json) -> Progress:
        """JobState and the message, of which JCP052 ("made no progress") is a failure at 100 % (metal-operator#453)."""
        state = line(job.get("JobState"), 40)
        said = [job, *mappings(job.get("Messages"))]
        text = line(" ".join(line(entry.get("Message")) for entry in said))
        percent = whole(job.get("PercentComplete"))
        failed = any(str(entry.get("MessageId") or "").endswith("JCP052") for entry in said)
        if state in _FAILED or failed or job.get("JobStatus") == "Critical":
            return Progress("failed", percent, text or state)
        if state == "Completed":
            return Progress("succeeded", percent, text)
        return Progress("running", percent, f"{state}: {text}" if text else state)
