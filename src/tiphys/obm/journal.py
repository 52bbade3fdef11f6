"""The record of one BMC in the hands of one run: who works on it, what was tried, and what must not be tried yet.

Every effect is written here before it happens. A run that was overtaken (it slept past its hold, another one took over)
meets a Conflict at its next write and stops before its next effect.
"""

from __future__ import annotations

import datetime as dt
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal

from tiphys.errors import TiphysError
from tiphys.kit.clock import Clock, rfc3339
from tiphys.kit.codec import replaced
from tiphys.kit.redact import Secret
from tiphys.obm.budget import MISSES_PER_RUN, NEVER, earliest
from tiphys.obm.errors import Busy, LockedOut
from tiphys.obm.record import Attempt, Conflict, Holder, Passwords, Record, Rejected, Store

__all__ = ["Journal", "Pace"]

_log = logging.getLogger(__name__)

_HOLD_SECONDS = 60.0
_LOOK_AGAIN_SECONDS = 2.0
_ATTEMPTS_KEPT = 32


@dataclass(frozen=True, slots=True)
class Pace:
    """Time, as the shell hands it down."""

    now: Clock
    sleep: Callable[[float], None]


class Journal:
    """One run's hold on a BMC: `with Journal(…) as journal`.

    Args:
        name: of this run, unlike any other's.
        patience: seconds this run may wait in all, for another run or for a log-in to be harmless.
        gone: whether the holder of that name is known for certain to have ended.

    Attributes:
        record: as it was last written.
        passwords: as they were last written.

    Raises:
        Busy: another run holds the BMC, at the start or (a Conflict) later.
    """

    def __init__(
        self,
        store: Store,
        device: str,
        pace: Pace,
        name: str,
        *,
        patience: float,
        gone: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self.pace = pace
        self.record = Record(device)
        self.passwords = Passwords()
        self._store = store
        self._name = name
        self._gone = gone
        self._patience_until = pace.now() + dt.timedelta(seconds=patience)
        self._misses = 0

    def __enter__(self) -> Journal:
        while True:
            record = self._store.load_record() or Record(self.record.device)
            holder, now = record.holder, self.pace.now()
            if holder is None or holder.name == self._name or holder.until <= now or self._gone(holder.name):
                self.record = record
                try:
                    self._save()
                except Conflict:
                    continue
                return self
            if now >= self._patience_until:
                raise Busy(
                    f"another run ({holder.name}) works on the BMC of {record.device}, until {rfc3339(holder.until)} "
                    "if it has died; run it again then"
                )
            self.pace.sleep(_LOOK_AGAIN_SECONDS)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Busy):
            return  # it is no longer ours to release
        try:
            self._store.save_record(replaced(self.record, holder=None))
        except TiphysError as failure:
            # What was achieved stays achieved; the next run waits until this hold is over.
            _log.warning("the hold on the BMC of %s could not be given back: %s", self.record.device, failure)

    # The record

    def write(self, *, hold: float = _HOLD_SECONDS, **changes: Any) -> None:
        """Change fields of the record, durably, and hold the BMC for that many seconds more.

        Raises:
            Busy: another run has taken over.
        """
        self.record = replaced(self.record, **changes)
        self._overtaken(lambda: self._save(hold))

    def hold(self, seconds: float) -> None:
        """Be believed alive for about that long; writes only when it must."""
        holder = self.record.holder
        if holder is None or holder.until < self.pace.now() + dt.timedelta(seconds=seconds * 0.75):
            self.write(hold=seconds)

    def open_passwords(self) -> Passwords:
        """Read the passwords; they may be written from then on."""
        self.passwords = self._store.load_passwords()
        return self.passwords

    def write_passwords(self, passwords: Passwords) -> None:
        """Change the passwords, durably.

        Raises:
            Busy: another run has taken over.
        """
        if passwords != self.passwords:
            self._overtaken(lambda: self._store.save_passwords(passwords))
            self.passwords = passwords

    def _save(self, hold: float = _HOLD_SECONDS) -> None:
        until = self.pace.now() + dt.timedelta(seconds=hold)
        record = replaced(self.record, holder=Holder(self._name, until))
        self._store.save_record(record)
        self.record = record

    def _overtaken(self, save: Callable[[], None]) -> None:
        try:
            save()
        except Conflict as error:
            raise Busy(f"another run has taken over the BMC of {self.record.device}; this one has stopped") from error

    # Log-ins

    def harmless_at(self, account: str) -> dt.datetime:
        """When a log-in to this account cannot lead to a block; now, or later."""
        return earliest(self.record.attempts, self.record.lockout, account, self.pace.now())

    def reserve(self, account: str, *, deadline: dt.datetime | None = None, most: int = MISSES_PER_RUN) -> None:
        """Wait until a log-in is harmless, and spend it before it is sent.

        Args:
            deadline: how long to wait at most; None = as long as this run's patience lasts.
            most: log-ins that may be refused in one run.

        Raises:
            LockedOut: that is too far away, or the run has had its misses.
        """
        until = self.harmless_at(account)
        if self._misses >= most:
            raise LockedOut(
                f"{self._misses} log-ins to {self._where} were refused in this run; it stops before the BMC blocks. "
                "The next run goes on with the passwords not tried yet",
                until,
            )
        if until > max(self.pace.now(), deadline or self._patience_until):
            raise LockedOut(self._too_far(account, until), None if until == NEVER else until)
        while until > self.pace.now():
            _log.info("waiting until %s: a log-in before that could lead to a block", rfc3339(until))
            wait = min((until - self.pace.now()).total_seconds(), _HOLD_SECONDS / 2)
            self.hold(_HOLD_SECONDS)
            self.pace.sleep(max(wait, 0.001))
        attempt = Attempt(self.pace.now(), account, "reserved")
        self.write(attempts=(*self.record.attempts, attempt)[-_ATTEMPTS_KEPT:])

    def settle(self, result: Literal["ok", "miss", "unanswered"]) -> None:
        """Say how the reserved log-in ended; `unanswered` gives it back."""
        *before, last = self.record.attempts
        kept = () if result == "unanswered" else (Attempt(last.at, last.account, result),)
        self._misses += result == "miss"
        self.write(attempts=(*before, *kept))

    def remember_refusal(self, user: str, password: Secret) -> None:
        """Move this password to the end of the row for the next run."""
        entry = Rejected.of(user, password, rfc3339(self.pace.now()), secrets.token_hex(8))
        self.write_passwords(self.passwords.refused(entry, user, password))

    @property
    def _where(self) -> str:
        return f"the BMC of {self.record.device}"

    def _too_far(self, account: str, until: dt.datetime) -> str:
        policy = self.record.lockout
        rule = f" ({policy.source}: {policy.threshold} misses, {policy.penalty:.0f} s)" if policy else ""
        if until == NEVER:
            return (
                f"one more refused log-in could lock {account!r} on {self._where} for ever{rule}; log in by hand once, "
                "then take `attempts` out of its record"
            )
        return f"log-ins to {self._where} could lead to a block before {rfc3339(until)}{rule}"
