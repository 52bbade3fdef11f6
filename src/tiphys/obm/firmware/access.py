"""Getting at a BMC, once and again: before an update, in the middle of its restart, and after it.

Called by `update` and `follow`. A BMC that restarts is asked without credentials; a log-in is sent only when it has
answered several times in a row, and within the budget: an iDRAC refuses right passwords for a minute after its restart.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from tiphys.kit.codec import replaced
from tiphys.kit.redact import Secret
from tiphys.obm.entry import Target, attempt, check_system, learn, meet, wait
from tiphys.obm.errors import LockedOut, RefusedByBmc, TimedOut, Unknown, Unreachable, WrongCredentials
from tiphys.obm.journal import Journal
from tiphys.obm.record import UpdateRecord
from tiphys.obm.redfish import ChangeRequired, Redfish, SessionEnded

__all__ = ["Access"]

_log = logging.getLogger(__name__)

T = TypeVar("T")

_POLL_SECONDS = 5.0
_LOGIN_PAUSE_SECONDS = 20.0
_LOGIN_SECONDS = 900.0
_GOOD_ANSWERS = 3
_MISSES_AFTER_RESTART = 6


@dataclass(frozen=True, slots=True)
class Access:
    """Who works on which BMC, until when."""

    bmc: Redfish
    journal: Journal
    target: Target
    user: str
    password: Secret
    deadline: dt.datetime

    def enter(self) -> Mapping[str, Any]:
        """The way in of a run that finds nothing under way: one password, one try; returns the ComputerSystem.

        Raises:
            RefusedIdentity, Unreachable: see `entry`.
            WrongCredentials, RefusedByBmc: see `log_in`.
        """
        meet(self.bmc, self.journal, self.target)
        self.log_in()
        system = check_system(self.bmc, self.journal, self.target)
        learn(self.bmc, self.journal)
        return system

    def enter_again(self) -> Mapping[str, Any]:
        """The way in of a run that finds an update under way: the BMC may be in the middle of its restart."""
        self.bmc.pause = lambda seconds: wait(self.journal, seconds)
        while True:
            self._await_answers()
            try:
                meet(self.bmc, self.journal, self.target)
                return self.log_in_again()
            except Unreachable as error:
                _log.info("the BMC went away again (%s)", error)

    def log_in(self) -> None:
        """One password, one try.

        Raises:
            WrongCredentials: it is refused.
            RefusedByBmc: it must be changed first.
        """
        verdict = attempt(self.bmc, self.journal, self.user, self.password, proving=False)
        where = self.bmc.transport.where
        if not verdict.right:
            raise WrongCredentials(
                f"{where} refuses the password on record for {self.user!r} ({verdict.detail}); run obm-sync-creds first"
            )
        if verdict.kind == "change-required":
            raise RefusedByBmc(f"{where} wants the password of {self.user!r} changed first: run obm-sync-creds")

    def log_in_again(self) -> Mapping[str, Any]:
        """A log-in after a restart, in which 401s are expected for a while; returns the ComputerSystem.

        Raises:
            Unknown: they do not end; the update may have reset the passwords.
        """
        until = min(self.deadline, self.journal.pace.now() + dt.timedelta(seconds=_LOGIN_SECONDS))
        patience: dict[str, Any] = {"deadline": until, "most": _MISSES_AFTER_RESTART, "proving": False}
        where = self.bmc.transport.where
        try:
            while not (verdict := attempt(self.bmc, self.journal, self.user, self.password, **patience)).right:
                _log.info("the log-in after the restart was refused (%s)", verdict.detail)
                self.wait(_LOGIN_PAUSE_SECONDS)
        except LockedOut as error:
            raise Unknown(
                f"{where} refuses the password on record since the update was sent, or does not answer log-ins; "
                "perhaps the update took it away. Run obm-sync-creds, then this again: it looks first"
            ) from error
        if verdict.kind == "change-required":
            raise self._taken_away()
        try:
            return check_system(self.bmc, self.journal, self.target, done="The update was sent before")
        except ChangeRequired as error:
            raise self._taken_away() from error

    def _taken_away(self) -> Unknown:
        return Unknown(
            f"{self.bmc.transport.where} wants the password of {self.user!r} changed since the update was sent. Run "
            "obm-sync-creds, then this again: it looks first"
        )

    @property
    def update(self) -> UpdateRecord:
        """The update under way, as it is on record."""
        under_way = self.journal.record.update
        if under_way is None:
            raise AssertionError("no update is under way")
        return under_way

    def note(self, **changes: Any) -> None:
        """Change the record of the update, durably."""
        self.journal.write(update=replaced(self.update, **changes))

    def come_back(self, error: Unreachable) -> None:
        """After a failed read: wait until the BMC answers again, and log in."""
        if not isinstance(error, SessionEnded):
            _log.info("the BMC is away (%s)", error)
        away = self._await_answers()
        if away and self.journal.record.update is not None and not self.update.restarted:
            self.note(restarted=True)
        self.bmc.log_out()  # where it was no restart, the session is still there and takes a place
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

    def wait(self, seconds: float = _POLL_SECONDS) -> None:
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

    def verify(self) -> None:
        """A new log-in: an update can take the accounts away.

        Raises:
            Unknown: the password on record is no longer accepted.
        """
        self.bmc.log_out()
        while True:
            try:
                self.log_in_again()
            except Unreachable as error:
                _log.info("no log-in is possible yet (%s)", error)
                self._await_answers()
            else:
                return

    def _await_answers(self) -> bool:
        """Until it has answered several times in a row; whether it did not at first."""
        good, away = 0, False
        while good < _GOOD_ANSWERS:
            self.wait()
            try:
                self.bmc.look()
                good += 1
            except Unreachable:
                good, away = 0, True
        return away
