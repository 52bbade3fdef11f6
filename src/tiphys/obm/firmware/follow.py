"""Follow an update that the BMC has taken, through its restart, until the version can be read back or the time is over.

Called by `steps`. Sends nothing but, where a maker's BMCs need it, the request to restart.
"""

from __future__ import annotations

import datetime as dt
import logging
from typing import TypeVar

from tiphys.obm.errors import ObmError, RolledBack, Staged, Unanswered, Unknown, Unreachable, UpdateFailed
from tiphys.obm.errors import VersionUnchanged as Unchanged
from tiphys.obm.firmware.access import Access
from tiphys.obm.firmware.task import of_monitor
from tiphys.obm.firmware.vendors.base import Progress
from tiphys.obm.firmware.view import View
from tiphys.obm.shapes import part, texts
from tiphys.obm.transport import path_of
from tiphys.obm.verdict import explain, message_ids

__all__ = ["Followed", "follow", "follow_upload"]

_Error = TypeVar("_Error", bound=ObmError)

_log = logging.getLogger(__name__)

_SETTLE = dt.timedelta(seconds=900)
"""How long the new version may take to show after the task has ended and the BMC has last been away."""

_STAGED = dt.timedelta(seconds=60)
"""How long work must say that it waits before it is believed to wait for the host."""

_RESET_AGAIN = dt.timedelta(seconds=300)
"""How long a BMC that was told to restart must have stayed up, answering, until it is believed not to have heard it."""

_RESETS = 2
_HIDDEN = {"PasswordChangeRequired", "InsufficientPrivilege"}
"""Refusals of a GET that say something about the account, and nothing about the update."""

_GOOD_READS = 3
_AT_WORK = ("running", "waiting", "lost")


class Followed:
    """One following: what is known so far.

    Args:
        may_send: whether the BMC may be told to restart where it does not do so itself.
    """

    def __init__(self, access: Access, view: View, *, may_send: bool = True) -> None:
        self._access = access
        self._view = view
        self._may_send = may_send
        self._progress = Progress("running")
        self._shown = ""
        self._since = self._now()
        self._version, self._reads = "", 0
        self._resets = 0

    def to_the_end(self) -> str:
        """The version read back, which is the wanted one.

        Raises:
            UpdateFailed, Unchanged, RolledBack: it did not work.
            Staged: it takes effect after something else.
            TimedOut, Unknown, RefusedIdentity: its end cannot be seen.
        """
        while True:
            try:
                self._look()
                if self._reads >= _GOOD_READS:
                    return self._version
                self._judge(self._now() - self._since)
            except Unreachable as error:
                self._access.come_back(error)
                self._since, self._reads = self._now(), 0
            else:
                self._access.wait()

    def to_the_verdict(self) -> None:
        """Until the task of an upload has ended well.

        Raises:
            UpdateFailed: it has ended otherwise.
            Unknown: it is gone.
        """
        while True:
            try:
                self._look_at_work()
            except Unreachable as error:
                self._access.come_back(error)
                continue
            if self._progress.state == "succeeded":
                return
            if self._progress.state == "failed":
                raise self._failed()
            if self._progress.state == "lost":
                raise Unknown(f"the task that verifies the image on {self._where} is gone; look at the BMC")
            self._access.wait()

    # Looking

    def _look(self) -> None:
        before = self._progress.state
        if before in _AT_WORK:
            self._look_at_work()
        state = self._progress.state
        if state == "running" or (state != before and before in ("running", "waiting")):
            self._since = self._now()
        if state == "failed":
            raise self._failed()
        if state in ("succeeded", "lost"):
            self._version = self._view.version()
            self._reads = self._reads + 1 if self._view.same(self._version, self._access.update.version) else 0

    def _look_at_work(self) -> None:
        self._progress = self._work()
        if self._progress.moved_to and self._progress.moved_to != self._access.update.handle:
            self._access.note(handle=self._progress.moved_to)
        percent = "" if self._progress.percent is None else f" {self._progress.percent} %"
        text = f"{self._progress.state}{percent} {self._progress.detail}".strip()
        if text != self._shown:
            _log.info("the update: %s", text)
            self._shown = text

    def _work(self) -> Progress:
        update, bmc, maker = self._access.update, self._view.bmc, self._view.maker
        if not update.handle:
            return self._view.progress_told(update.service_before)
        answer = bmc.ask(update.handle)
        if answer.status >= 500 or answer.status == 429:
            raise Unreachable(f"{self._where} answers {answer.status} to GET {update.handle}")
        body = answer.body or {}
        if answer.status in (401, 403) and _HIDDEN & {word.rpartition(".")[2] for word in message_ids(body)}:
            raise Unknown(
                f"{self._where} no longer shows how the update goes ({explain(answer.status, body)}); perhaps it "
                "took the account away. Run obm-sync-creds, then this again: it looks first"
            )
        if answer.ok and body.get("JobState") and not body.get("TaskState"):
            return maker.job_progress(body)
        progress = of_monitor(answer.status, answer.body)
        if body.get("TaskState"):
            progress = maker.task_progress(body, progress)
        if progress.state == "lost":
            for path in maker.job_paths(update.handle):
                job = bmc.maybe(path)
                if job:
                    return maker.job_progress(job)
        return progress

    # Judging

    def _judge(self, quiet: dt.timedelta) -> None:
        """What follows from this much time without news; raises where it is the end."""
        update, state = self._access.update, self._progress.state
        bios, on_reset = update.component == "BIOS", update.apply == "OnReset"
        of_host = bios or (on_reset and self._view.maker.reset_of_host)
        if state == "waiting" and of_host and quiet > _STAGED:
            raise self._staged("host-restart", "the host is restarted")
        if state == "waiting" and on_reset and quiet > _STAGED:
            raise self._staged("reset", "the BMC is restarted")
        if state not in ("succeeded", "lost") or not self._version or self._reads:
            return
        if state == "succeeded" and bios and quiet > _STAGED:
            raise self._staged("host-restart", "the host is restarted")
        if state == "succeeded" and not bios and not update.restarted:
            if on_reset and not of_host:
                raise self._staged("reset", "the BMC is restarted")
            after = self._view.maker.reset_after
            if after is not None and quiet > dt.timedelta(seconds=after):
                self._reset()
                return
        if quiet > _SETTLE:
            raise self._unchanged()

    def _reset(self) -> None:
        """Tell the BMC to restart; again where a killed run left open whether it was told."""
        now, last = self._now(), self._access.update.reset
        if last is not None and now - last < _RESET_AGAIN:
            return
        if self._resets == _RESETS:
            raise self._staged("reset", "the BMC is restarted, which it was told twice and does not do")
        action = part(self._view.manager(), "Actions", "#Manager.Reset")
        path, kinds = path_of(action.get("target")), texts(action.get("ResetType@Redfish.AllowableValues"))
        if not path or not self._may_send:
            raise self._staged("reset", "the BMC is restarted")
        kind = "ForceRestart" if kinds and "GracefulRestart" not in kinds else "GracefulRestart"
        self._access.note(reset=now)
        self._resets += 1
        _log.info("the BMC is told to restart: a BMC of this maker does not do so after an update")
        try:
            answer = self._view.bmc.change("POST", path, {"ResetType": kind})
        except Unanswered:
            return  # it went down before it could answer
        if not answer.ok:
            said = explain(answer.status, answer.body)
            raise self._staged("reset", f"the BMC is restarted; it answers {said} to {kind}")

    def _staged(self, reason: str, when: str) -> Staged:
        update = self._access.update
        self._read_version()
        return self._told(Staged(f"{update.version} is on {self._where} and takes effect when {when}", reason))

    def _read_version(self) -> None:
        try:
            self._version = self._view.version()
        except Unreachable as error:
            _log.info("the version cannot be read at the end (%s)", error)

    def _failed(self) -> ObmError:
        self._read_version()
        return self._rolled_back() or self._told(
            UpdateFailed(f"the BMC says that the update failed: {self._progress.detail}")
        )

    def _unchanged(self) -> ObmError:
        wanted = self._access.update.version
        ended = self._progress.detail or self._progress.state
        text = f"the update ended ({ended}), but {self._where} runs {self._version}, not {wanted}"
        if self._progress.state == "lost" and self._view.same(self._version, self._access.update.version_before):
            lost = f"{ended}, and {self._where} runs {self._version}, as before: nobody has told how the update ended"
            return self._rolled_back() or self._told(
                Unknown(f"{lost}. Look at the BMC; --post-again sends it once more")
            )
        return self._rolled_back() or self._told(Unchanged(text, self._changed()))

    def _rolled_back(self) -> ObmError | None:
        update = self._access.update
        if not update.restarted or not self._view.same(self._version, update.version_before):
            return None
        said = self._progress.detail or self._progress.state
        text = f"the update failed ({said}): {self._where} has restarted and runs {self._version} again"
        return self._told(RolledBack(text))

    def _changed(self) -> bool:
        return bool(self._version) and not self._view.same(self._version, self._access.update.version_before)

    def _told(self, error: _Error) -> _Error:
        error.version = self._version
        error.version_before = self._access.update.version_before
        return error

    def _now(self) -> dt.datetime:
        return self._access.journal.pace.now()

    @property
    def _where(self) -> str:
        return self._view.bmc.transport.where


def follow(access: Access, view: View, *, may_send: bool = True) -> str:
    """Wait for the end of the update under way: `Followed.to_the_end`."""
    return Followed(access, view, may_send=may_send).to_the_end()


def follow_upload(access: Access, view: View) -> None:
    """Wait for the end of the task that verifies an upload: `Followed.to_the_verdict`."""
    Followed(access, view).to_the_verdict()
