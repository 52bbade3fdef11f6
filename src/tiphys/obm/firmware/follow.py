"""Follow an update that the BMC has taken, through its restart, until the version can be read back or the time is over.

Called by `update`. While the BMC restarts it is asked without credentials only; a log-in is sent when it has answered
several times in a row, and within the budget: an iDRAC refuses right passwords for a minute after its restart.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from tiphys.kit.redact import Secret
from tiphys.obm.entry import Target, attempt, check_system
from tiphys.obm.errors import (
    LockedOut,
    TimedOut,
    Unknown,
    Unreachable,
    UpdateFailed,
    VersionUnchanged,
    WrongCredentials,
)
from tiphys.obm.firmware.task import of_monitor
from tiphys.obm.firmware.versions import same
from tiphys.obm.journal import Journal
from tiphys.obm.record import UpdateRecord
from tiphys.obm.redfish import Redfish, SessionEnded
from tiphys.obm.vendors.base import Progress
from tiphys.obm.verdict import Verdict

__all__ = ["POLL_SECONDS", "Access", "find_handle", "follow", "read_version", "tasks"]

_log = logging.getLogger(__name__)

T = TypeVar("T")

POLL_SECONDS = 5.0
SETTLE_SECONDS = 900.0
"""How long the new version may take to show after the task has ended and the BMC has last been away."""

_GOOD_ANSWERS = 3
_GOOD_READS = 3
_MISSES_WHILE_FOLLOWING = 6
_LOGIN_SECONDS = 900.0
_UPDATE_SERVICE = "/redfish/v1/UpdateService"
_TASK_SERVICE = "/redfish/v1/TaskService"
_MANAGERS = "/redfish/v1/Managers"


@dataclass(frozen=True, slots=True)
class Access:
    """Who works on which BMC, until when."""

    bmc: Redfish
    journal: Journal
    target: Target
    user: str
    password: Secret
    deadline: dt.datetime

    def log_in(self) -> Verdict:
        """The first log-in of a run: one password, one try.

        Raises:
            WrongCredentials: it is refused.
        """
        verdict = attempt(self.bmc, self.journal, self.user, self.password)
        if not verdict.right:
            raise WrongCredentials(
                f"{self.bmc.transport.where} refuses the password on record for {self.user!r} ({verdict.detail}); "
                "run obm-sync-creds first"
            )
        return verdict

    def log_in_again(self) -> None:
        """A log-in after the session was lost in a restart: 401s are expected for a while.

        Raises:
            Unknown: they do not end; the update may have reset the passwords.
        """
        until = min(self.deadline, self.journal.pace.now() + dt.timedelta(seconds=_LOGIN_SECONDS))
        patience = {"deadline": until, "most": _MISSES_WHILE_FOLLOWING}
        try:
            while not (verdict := attempt(self.bmc, self.journal, self.user, self.password, **patience)).right:
                _log.info("the log-in after the restart was refused (%s)", verdict.detail)
                self.wait(POLL_SECONDS * 4)
        except LockedOut as error:
            raise Unknown(
                f"{self.bmc.transport.where} refuses the password on record since the update was sent; perhaps the "
                "update took it away. Run obm-sync-creds, then this again: it looks first"
            ) from error
        check_system(self.bmc, self.journal, self.target, done="The update was sent before")

    def come_back(self, error: Unreachable) -> None:
        """After a failed read: until the BMC has answered several times in a row without credentials; then log in."""
        if not isinstance(error, SessionEnded):
            _log.info("the BMC is away (%s)", error)
        good = 0
        while good < _GOOD_ANSWERS:
            self.wait()
            try:
                self.bmc.look()
                good += 1
            except Unreachable:
                good = 0
        try:
            self.log_in_again()
        except Unreachable as again:
            _log.info("the BMC answers, but not to a log-in (%s)", again)

    def patiently(self, read: Callable[[], T]) -> T:
        """A read that may meet the BMC's restart."""
        while True:
            try:
                return read()
            except Unreachable as error:
                self.come_back(error)

    def wait(self, seconds: float = POLL_SECONDS) -> None:
        """Let time pass, still believed alive.

        Raises:
            TimedOut: the time given is over.
        """
        if self.journal.pace.now() >= self.deadline:
            raise TimedOut(
                f"the time given is over and the update of {self.bmc.transport.where} has not ended; run it again: it "
                "follows, and sends nothing"
            )
        self.journal.hold(60 + 4 * seconds)
        self.journal.pace.sleep(seconds)


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
        if version and access.journal.pace.now() - settle_from > dt.timedelta(seconds=SETTLE_SECONDS):
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
    place = service.get("FirmwareInventory")
    path = str(place.get("@odata.id") or "") if isinstance(place, Mapping) else ""
    inventory = [bmc.maybe(member) for member in bmc.members(path)] if path else []
    managers = bmc.members(bmc.link("Managers", _MANAGERS))
    return bmc.vendor.bmc_version(inventory, bmc.maybe(managers[0]) if managers else {})


def tasks(bmc: Redfish) -> tuple[str, ...]:
    """The paths of the tasks that there are."""
    place = bmc.maybe(bmc.link("Tasks", _TASK_SERVICE)).get("Tasks")
    path = str(place.get("@odata.id") or "") if isinstance(place, Mapping) else ""
    return tuple(bmc.members(path)) if path else ()


def find_handle(bmc: Redfish, update: UpdateRecord) -> str:
    """The task that was not there before the update was sent; "" = there is none."""
    return next((path for path in reversed(tasks(bmc)) if path not in update.tasks_before), "")


def _look(bmc: Redfish, update: UpdateRecord) -> Progress:
    if not update.handle:
        service = bmc.maybe(bmc.link("UpdateService", _UPDATE_SERVICE))
        return bmc.vendor.service_progress(service) or Progress("lost", None, "the BMC gave nothing to follow it by")
    answer = bmc.ask(update.handle)
    if answer.status >= 500 or answer.status == 429:
        raise Unreachable(f"{bmc.transport.where} answers {answer.status} to GET {update.handle}")
    progress = of_monitor(answer.status, answer.body)
    if progress.state == "lost":
        for path in bmc.vendor.job_paths(update.handle):
            job = bmc.maybe(path)
            if job:
                return bmc.vendor.job_progress(job)
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
