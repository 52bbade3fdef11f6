"""Follow an update that the BMC has taken, through its restart, until the version can be read back or the time is over.

Called by `update`.
"""

from __future__ import annotations

import datetime as dt
import logging

from tiphys.obm.errors import Unreachable, UpdateFailed, VersionUnchanged
from tiphys.obm.firmware.access import Access
from tiphys.obm.firmware.task import of_monitor
from tiphys.obm.firmware.vendors import maker_of
from tiphys.obm.firmware.vendors.base import Progress
from tiphys.obm.firmware.versions import same
from tiphys.obm.record import UpdateRecord
from tiphys.obm.redfish import Redfish
from tiphys.obm.shapes import line, part
from tiphys.obm.transport import path_of

__all__ = ["find_handle", "follow", "read_version", "service_progress", "standing", "tasks"]

_log = logging.getLogger(__name__)

_SETTLE_SECONDS = 900.0
"""How long the new version may take to show after the task has ended and the BMC has last been away."""

_GOOD_READS = 3
_UPDATE_SERVICE = "/redfish/v1/UpdateService"
_TASK_SERVICE = "/redfish/v1/TaskService"
_MANAGERS = "/redfish/v1/Managers"


def follow(access: Access, update: UpdateRecord) -> str:
    """Wait for the end of an update; returns the version read back, which is the wanted one.

    Raises:
        UpdateFailed: the BMC says that it failed.
        VersionUnchanged: it says nothing of the kind, and the version stays another.
        TimedOut, Unknown, RefusedIdentity: its end cannot be seen.
    """
    progress, shown = Progress("running"), ""
    settle_from, version, reads = access.journal.pace.now(), "", 0
    while True:
        try:
            if progress.state in ("running", "lost"):
                progress = _look(access.bmc, update)
                shown = _tell(progress, shown)
            if progress.state == "failed":
                raise _with_version(access.bmc, UpdateFailed(f"the BMC says that the update failed: {progress.detail}"))
            if progress.state == "running":
                settle_from = access.journal.pace.now()
            else:
                version = read_version(access.bmc)
                reads = reads + 1 if same(version, update.version) else 0
        except Unreachable as error:
            access.come_back(error)
            settle_from, reads = access.journal.pace.now(), 0
            continue
        if reads >= _GOOD_READS:
            return version
        if version and access.journal.pace.now() - settle_from > dt.timedelta(seconds=_SETTLE_SECONDS):
            unchanged = VersionUnchanged(
                f"the update ended ({progress.detail or progress.state}), but {access.bmc.transport.where} runs "
                f"{version}, not {update.version}"
            )
            unchanged.version = version
            raise unchanged
        access.wait()


def read_version(bmc: Redfish) -> str:
    """The BMC's own version as its firmware inventory tells; "" while it does not."""
    service = bmc.maybe(bmc.link("UpdateService", _UPDATE_SERVICE))
    path = path_of(part(service, "FirmwareInventory").get("@odata.id"))
    inventory = [bmc.maybe(member) for member in bmc.members(path)] if path else []
    managers = bmc.members(bmc.link("Managers", _MANAGERS))
    return line(maker_of(bmc.root).bmc_version(inventory, bmc.maybe(managers[0]) if managers else {}), 100)


def tasks(bmc: Redfish) -> tuple[str, ...]:
    """The paths of the tasks that there are."""
    path = path_of(part(bmc.maybe(bmc.link("Tasks", _TASK_SERVICE)), "Tasks").get("@odata.id"))
    return tuple(bmc.members(path)) if path else ()


def find_handle(bmc: Redfish, update: UpdateRecord) -> str:
    """The task that was not there before the update was sent; "" = there is none."""
    return next((path for path in reversed(tasks(bmc)) if path not in update.tasks_before), "")


def service_progress(bmc: Redfish, before: str = "") -> Progress:
    """What UpdateService itself says of an update; `before`: what it said of an earlier one, which may still stand."""
    told = maker_of(bmc.root).service_progress(bmc.maybe(bmc.link("UpdateService", _UPDATE_SERVICE)))
    if told is None or (told.state != "running" and standing(told) == before):
        return Progress("lost", None, "the BMC gives nothing to follow it by")
    return told


def standing(progress: Progress) -> str:
    """What is recorded of a progress before the POST, to tell an old end from the new one."""
    return f"{progress.state} {progress.detail}"


def _look(bmc: Redfish, update: UpdateRecord) -> Progress:
    if not update.handle:
        return service_progress(bmc, update.service_before)
    answer = bmc.ask(update.handle)
    if answer.status >= 500 or answer.status == 429:
        raise Unreachable(f"{bmc.transport.where} answers {answer.status} to GET {update.handle}")
    progress = of_monitor(answer.status, answer.body)
    if progress.state == "lost":
        for path in maker_of(bmc.root).job_paths(update.handle):
            job = bmc.maybe(path)
            if job:
                return maker_of(bmc.root).job_progress(job)
    return progress


def _with_version(bmc: Redfish, error: UpdateFailed) -> UpdateFailed:
    try:
        error.version = read_version(bmc)
    except Unreachable as unreadable:
        _log.info("the version cannot be read after the failure (%s)", unreadable)
    return error


def _tell(progress: Progress, before: str) -> str:
    """Log what is new."""
    percent = "" if progress.percent is None else f" {progress.percent} %"
    text = f"{progress.state}{percent} {progress.detail}".strip()
    if text != before:
        _log.info("the update: %s", text)
    return text
