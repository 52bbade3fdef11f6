"""Firmware of Dell iDRAC9 (and 8, 10 as far as they are alike). Pure.

Facts: the tree of an iDRAC9 6.00.30.00 and Dell's scripts (DeviceFirmwareMultipartUploadREDFISH, …DellUpdateService…,
DeviceFirmwareRollbackREDFISH). Inventory ids hold the version, so the path changes with it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tiphys.obm.firmware.vendors.base import Component, Maker, Previous, Progress, Way, Wish
from tiphys.obm.shapes import Json, line, mappings, part, whole
from tiphys.obm.transport import path_of

__all__ = ["Dell"]

_MANAGER = "/redfish/v1/Managers/iDRAC.Embedded.1"
_SOFTWARE = {"BMC": "25227", "BIOS": "159"}  # SoftwareId, the same on every machine
_INSTALL = "DellUpdateService.Install"
_FAILED = ("Failed", "CompletedWithErrors", "RebootFailed", "Exception", "Cancelled")
_WAITING = ("Scheduled", "RebootPending", "PendingReboot", "Pending")


class Dell(Maker):
    """How iDRACs differ."""

    name = "iDRAC"
    one_entry = True
    reset_of_host = True  # any job of OnReset stays Scheduled until the server restarts
    jobs = f"{_MANAGER}/Oem/Dell/Jobs"

    def made(self, root: Json, service: Json) -> bool:
        """By vendor or OEM object."""
        return root.get("Vendor") == "Dell" or bool(part(root, "Oem", "Dell"))

    def is_of(self, component: Component, entry: Json, owner: str) -> bool:
        """By SoftwareId and the prefix Installed: Previous and Current stand beside."""
        fits = entry.get("SoftwareId") == _SOFTWARE[component]
        return fits and str(entry.get("Id") or "").startswith("Installed")

    def ways(self, service: Json) -> tuple[Way, ...]:
        """HttpPushUri is FirmwareInventory: what is uploaded there stays until DellUpdateService.Install."""
        found = []
        for way in super().ways({**service, "HttpPushUri": None}):
            # iDRACs name the apply times only at SimpleUpdate; the multipart push takes the same
            applies = _simple_applies(service) if way.kind == "multipart" else way.applies
            found.append(replace(way, applies=applies))
        inventory, install = path_of(service.get("HttpPushUri")), _install(service)
        if inventory and install:
            stage = Way("stage", inventory, start=install, applies=("Immediate",))
            found.insert(1 if found and found[0].kind == "multipart" else 0, stage)
        return tuple(found)

    def form(self, wish: Wish, way: Way) -> dict[str, Any]:
        """Dell expects the Oem key."""
        return {**super().form(wish, way), "Oem": {}}

    def start(self, handle: str) -> dict[str, Any]:
        """Install what stands at the path that the upload was answered with. Never with a restart of the host."""
        return {"SoftwareIdentityURIs": [handle], "InstallUpon": "Now"}

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
        return Progress("waiting" if state in _WAITING else "running", percent, f"{state}: {text}" if text else state)

    def task_progress(self, task: Json, progress: Progress) -> Progress:
        """The job in Oem.Dell: a failure or a schedule that TaskState does not show."""
        job = part(task, "Oem", "Dell")
        state = line(job.get("JobState"), 40)
        if state in _FAILED and progress.state != "failed":
            return Progress("failed", progress.percent, line(job.get("Message")) or state)
        if state in _WAITING and progress.state == "running":
            return replace(progress, state="waiting", detail=f"{state}: {line(job.get('Message'))}".strip(": "))
        return progress

    def attributes(self) -> str:
        """The iDRAC's attributes; they hold password digests too."""
        return f"{_MANAGER}/Oem/Dell/DellAttributes/iDRAC.Embedded.1"

    def locked_down(self, attributes: Json) -> bool:
        """Lockdown.1.SystemLockdown; it was on in the tree of a 7.10.30.00."""
        return part(attributes, "Attributes").get("Lockdown.1.SystemLockdown") == "Enabled"

    def previous(self, inventory: Sequence[Json], manager: Json, service: Json) -> Previous | str:
        """`Previous-25227-…` of the inventory, by SimpleUpdate with its path as ImageURI."""
        target = path_of(part(service, "Actions", "#UpdateService.SimpleUpdate").get("target"))
        for entry in inventory:
            fits = entry.get("SoftwareId") == _SOFTWARE["BMC"] and str(entry.get("Id") or "").startswith("Previous")
            path = path_of(entry.get("@odata.id"))
            if fits and entry.get("Version") and path and target:
                return Previous(str(entry["Version"]), "POST", target, {"ImageURI": path})
        return "its inventory has no image Previous-25227-… of the iDRAC"


def _install(service: Json) -> str:
    for name, action in part(service, "Actions", "Oem").items():
        if str(name).endswith(_INSTALL):
            return path_of(part({"x": action}, "x").get("target"))
    return ""


def _simple_applies(service: Json) -> tuple[str, ...] | None:
    ways = Maker.ways(Maker(), {"Actions": service.get("Actions")})
    return ways[0].applies if ways else None
