"""The records of one BMC in the hands of one run: who works on it, what was tried, and what must not be tried yet.

Two records are held: that of the device's name, from the start, and that of the BMC itself, from the moment it has
shown who it is. Log-ins are counted in the latter, so that two names for one BMC spend from one allowance, and only
one of them works on it at a time. Every effect is written here before it happens.
"""

from __future__ import annotations

import datetime as dt
import logging
import math
import secrets
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Literal

from tiphys.kit.clock import rfc3339
from tiphys.kit.redact import Secret
from tiphys.obm.budget import MISSES_PER_RUN, NEVER, earliest, missed, tidied
from tiphys.obm.errors import Busy, LockedOut
from tiphys.obm.lease import HOLD_SECONDS, Lease, Pace, Run
from tiphys.obm.record import Attempt, Conflict, Lockout, Passwords, Record, Rejected, Rotation, Store

__all__ = ["Journal", "Ledger", "Pace"]

_log = logging.getLogger(__name__)

_ATTEMPTS_KEPT = 32


class Ledger:
    """The passwords of one account of a BMC.

    Attributes:
        passwords: as they were last written.
    """

    def __init__(self, store: Store, device: str) -> None:
        self._store = store
        self._device = device
        self.passwords = store.load_passwords()

    def write(self, passwords: Passwords) -> None:
        """Change them, durably.

        Raises:
            Busy: another run has taken over.
        """
        if passwords == self.passwords:
            return
        try:
            self._store.save_passwords(passwords)
        except Conflict as error:
            raise Busy(f"another run has taken over the BMC of {self._device}; this one has stopped") from error
        self.passwords = passwords

    def remember_refusal(self, user: str, password: Secret, at: dt.datetime) -> None:
        """Move this password to the end of the row for the next run."""
        entry = Rejected.of(user, password, rfc3339(at), secrets.token_hex(8))
        self.write(self.passwords.refused(entry, user, password))


class Journal:
    """One run's hold on a BMC: `with Journal(…) as journal`.

    Args:
        beside: opens the store of another name: of a BMC itself, or of another account.
        name: of this run, unlike any other's.
        patience: seconds this run may wait in all, for another run or for a log-in to be harmless.
        gone: whether the holder of that name is known for certain to have ended.

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
        beside: Callable[[str], Store],
        patience: float,
        gone: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self.pace = pace
        self._store = store
        self._beside = beside
        self._run = Run(name, pace, gone, pace.now() + dt.timedelta(seconds=patience))
        self._device = Lease(store, device, self._run)
        self._bmc: Lease | None = None
        self._assumed: tuple[Lockout, ...] = ()
        self._misses = 0

    def __enter__(self) -> Journal:
        self._device.take()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for lease in (self._bmc, self._device):
            if lease is not None:
                lease.give_back()

    # The records

    @property
    def record(self) -> Record:
        """Of the device's name, as it was last written."""
        return self._device.record

    @property
    def bmc(self) -> Record:
        """Of the BMC itself; an empty one before `bind`."""
        return self._bmc.record if self._bmc is not None else Record(self.record.device)

    def write(self, *, hold: float = HOLD_SECONDS, **changes: Any) -> None:
        """Change fields of the device's record, durably, and hold the BMC for that many seconds more.

        Raises:
            Busy: another run has taken over.
        """
        self._device.write(hold=hold, **changes)
        if self._bmc is not None:
            self._bmc.extend(hold)

    def hold(self, seconds: float) -> None:
        """Be believed alive for about that long; writes only when it must."""
        self._device.extend(seconds)
        if self._bmc is not None:
            self._bmc.extend(seconds)

    def bind(self, bmc: str, assumed: Sequence[Lockout]) -> None:
        """Hold the BMC itself, now that it has shown who it is.

        Args:
            bmc: names it, whatever name it is reached by.
            assumed: what wrong passwords lead to, before it has told itself.

        Raises:
            Busy: another run works on it, perhaps by another name.
        """
        self._assumed = tuple(assumed)
        if self._bmc is not None and self.record.bmc == bmc:
            return
        lease = Lease(self._beside(bmc), self.record.device, self._run)
        lease.take()
        if lease.record.device != self.record.device:
            _log.info("this BMC was last reached as %s; both names share its allowance", lease.record.device)
        before, self._bmc = self._bmc, lease
        known = lease.record.attempts
        others = [attempt for attempt in self._tried_before(bmc, before) if attempt not in known]
        if others or lease.record.device != self.record.device:
            together = sorted([*known, *others], key=lambda attempt: attempt.at)
            lease.write(attempts=tuple(together[-_ATTEMPTS_KEPT:]), device=self.record.device)
        if before is not None:
            before.give_back()
        if self.record.bmc != bmc or self.record.attempts:
            self.write(bmc=bmc, attempts=())

    def _tried_before(self, bmc: str, before: Lease | None) -> tuple[Attempt, ...]:
        """What this device had tried under another identity: a new certificate or UUID gives no new allowance."""
        if before is not None:
            return before.record.attempts
        if self.record.bmc in ("", bmc):
            return self.record.attempts
        old = self._beside(self.record.bmc).load_record()
        return (*self.record.attempts, *(old.attempts if old is not None else ()))

    def write_bmc(self, **changes: Any) -> None:
        """Change fields of the BMC's own record, durably."""
        self._bound().write(**changes)

    def open_ledger(self, user: str, *, other: bool = False) -> Ledger:
        """Read the passwords of an account; they may be written from then on.

        The device's own ledger belongs to the account that is on record; those of others stand beside it.

        Args:
            other: it is not the account on record.
        """
        main = Ledger(self._store, self.record.device)
        if main.passwords.username == user:
            return main
        own = Ledger(self._beside(f"{self.record.device}/{user}"), self.record.device)
        return own if other or main.passwords.username or own.passwords.username else main

    def rotation(self, account: str) -> Rotation | None:
        """What is known of the password made here for that account."""
        return next((entry for entry in self.record.rotations if entry.account == account), None)

    def write_rotation(self, entry: Rotation, *, hold: float = HOLD_SECONDS) -> None:
        """Remember it, durably, in place of what was known of that account, and hold the BMC for that long."""
        self.write(hold=hold, rotations=self._rotations(entry))

    def note_rotation(self, entry: Rotation) -> None:
        """The same with the next write: only what may be lost with this process."""
        self._device.note(rotations=self._rotations(entry))

    def _rotations(self, entry: Rotation) -> tuple[Rotation, ...]:
        return (*(known for known in self.record.rotations if known.account != entry.account), entry)

    def _bound(self) -> Lease:
        if self._bmc is None:
            raise AssertionError("the BMC must be met before a log-in")
        return self._bmc

    # Log-ins

    @property
    def lockouts(self) -> tuple[Lockout, ...]:
        """What wrong passwords lead to: as the BMC told, else as is assumed of its kind."""
        policy = self.bmc.policy
        return policy.lockouts if policy is not None and policy.lockouts else self._assumed

    def harmless_at(self, account: str) -> dt.datetime:
        """When a log-in to this account cannot lead to a block; now, or later."""
        return earliest(self.bmc.attempts, self.lockouts, account, self.pace.now())

    def missed(self, account: str) -> int:
        """Log-ins that failed, or may have, before the one reserved now, as far as the BMC counts them still."""
        return missed(self.bmc.attempts[:-1], self.lockouts, account)

    def reserve(self, account: str, *, deadline: dt.datetime | None = None, most: int = MISSES_PER_RUN) -> None:
        """Wait until a log-in is harmless, and spend it before it is sent.

        Args:
            deadline: how long to wait at most; None = as long as this run's patience lasts.
            most: log-ins that may fail in one run.

        Raises:
            LockedOut: that is too far away, or the run has had its misses.
        """
        until = self.harmless_at(account)
        if self._misses >= most:
            raise LockedOut(
                f"{self._misses} log-ins to {self._where} were refused or not answered in this run; it stops before "
                "the BMC blocks. The next run goes on with the passwords not tried yet",
                until,
            )
        if until > max(self.pace.now(), deadline or self._run.patience_until):
            raise LockedOut(self._too_far(account, until), None if until == NEVER else until)
        while until > self.pace.now():
            left = math.ceil((until - self.pace.now()).total_seconds())
            _log.info("waiting %d s of the BMC's time: a log-in before that could lead to a block", left)
            wait = min((until - self.pace.now()).total_seconds(), HOLD_SECONDS / 2)
            self.hold(HOLD_SECONDS)
            self.pace.sleep(max(wait, 0.001))
        self._device.extend(HOLD_SECONDS / 2)
        self._bound().write(attempts=self._with(Attempt(self.pace.now(), account, "reserved")))

    def settle(self, result: Literal["ok", "miss", "unread", "unknown"]) -> None:
        """Say how the reserved log-in ended.

        Written with the next write: where this process is killed before, it stays counted as a miss.

        Args:
            result: `unread`: the BMC has certainly not looked at it; it is given back. `unknown`: nobody can tell; it
                stays counted as a miss until the BMC would have forgotten one.
        """
        self._misses += result in ("miss", "unknown")
        if result == "unknown":
            return
        *before, last = self.bmc.attempts
        kept = () if result == "unread" else (Attempt(last.at, last.account, result),)
        self._bound().note(attempts=tidied((*before, *kept)))

    def denied(self, account: str) -> None:
        """Credentials that were accepted are refused now: a miss that nobody has reserved."""
        self._misses += 1
        self.write_bmc(attempts=self._with(Attempt(self.pace.now(), account, "miss")))

    def unlocked(self, account: str) -> None:
        """An administrator has unlocked this account: the BMC has forgotten what it missed."""
        self.write_bmc(attempts=self._with(Attempt(self.pace.now(), account, "unlocked")))

    def forget(self, account: str = "") -> tuple[Attempt, ...]:
        """Forget the log-ins that failed, or may have: a person has seen to it that the BMC counts them no more.

        Args:
            account: of this one only; "" = of all.

        Returns:
            What was forgotten.

        Raises:
            Busy: another run works on the BMC.
        """
        if self._bmc is None and self.record.bmc:
            self._bmc = Lease(self._beside(self.record.bmc), self.record.device, self._run)
            self._bmc.take()
        forgotten: list[Attempt] = []
        for lease in (self._device, self._bmc):
            known = lease.record.attempts if lease is not None else ()
            failed = [one for one in known if one.result in ("miss", "reserved") and account in ("", one.account)]
            if lease is not None and failed:
                lease.write(attempts=tuple(one for one in known if one not in failed))
                forgotten += failed
        return tuple(forgotten)

    def _with(self, attempt: Attempt) -> tuple[Attempt, ...]:
        return (*self.bmc.attempts, attempt)[-_ATTEMPTS_KEPT:]

    @property
    def _where(self) -> str:
        return f"the BMC of {self.record.device}"

    def _too_far(self, account: str, until: dt.datetime) -> str:
        rules = "; ".join(f"{rule.source}: {rule.threshold} misses, {rule.penalty:.0f} s" for rule in self.lockouts)
        if until == NEVER:
            return (
                f"one more refused log-in could lock {account!r} on {self._where} for ever ({rules}); log in by hand "
                "once, or have another administrator unlock it, then run `tiphys obm creds forget-attempts`"
            )
        return f"log-ins to {self._where} could lead to a block before {rfc3339(until)} ({rules})"
