"""One record in the hands of one run: taken, kept, changed and given back, each by a compare-and-swap.

Called by `journal` only. A run that was overtaken (it slept past its hold, another one took over) meets a Conflict at
its next write and stops before its next effect.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tiphys.errors import TiphysError
from tiphys.kit.clock import Clock, rfc3339
from tiphys.kit.codec import replaced
from tiphys.obm.errors import Busy
from tiphys.obm.record import Conflict, Holder, Record, Records

__all__ = ["HOLD_SECONDS", "Lease", "Pace", "Run"]

_log = logging.getLogger(__name__)

HOLD_SECONDS = 60.0
_LOOK_AGAIN_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Pace:
    """Time, as the shell hands it down."""

    now: Clock
    sleep: Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Run:
    """Who works.

    Attributes:
        name: unlike that of any run of another process.
        gone: whether the holder of a name is known for certain to have ended.
        patience_until: how long to wait at most, for another run or for a log-in to be harmless.
    """

    name: str
    pace: Pace
    gone: Callable[[str], bool]
    patience_until: dt.datetime


class Lease:
    """A record that is this run's own from `take` to `give_back`.

    Attributes:
        record: as it was last written, with what has been noted since.
    """

    def __init__(self, records: Records, device: str, run: Run) -> None:
        self.record = Record(device)
        self._records = records
        self._run = run
        self._ours = False

    def take(self) -> None:
        """Hold it, or wait until the run that does has ended.

        Raises:
            Busy: that takes longer than this run's patience.
        """
        while True:
            self.record = self._records.load_record() or Record(self.record.device)
            holder = self.record.holder
            if holder is None or self._may_take_from(holder):
                try:
                    self._save(HOLD_SECONDS, durable=False)  # a machine that has lost its power runs no holder
                except Conflict:
                    continue
                self._ours = True
                return
            if self._run.pace.now() >= self._run.patience_until:
                raise Busy(
                    f"another run ({holder.name}) works on the BMC of {self.record.device}, until "
                    f"{rfc3339(holder.until)} if it has died; run it again then"
                )
            self._run.pace.sleep(_LOOK_AGAIN_SECONDS)

    def _may_take_from(self, holder: Holder) -> bool:
        return holder.until <= self._run.pace.now() or self._run.gone(holder.name)

    def write(self, *, hold: float = HOLD_SECONDS, durable: bool = True, **changes: Any) -> None:
        """Change fields, durably, and hold it for that many seconds more.

        Raises:
            Busy: another run has taken over.
        """
        self.note(**changes)
        try:
            self._save(hold, durable=durable)
        except Conflict as error:
            self._ours = False
            raise Busy(f"another run has taken over the BMC of {self.record.device}; this one has stopped") from error

    def note(self, **changes: Any) -> None:
        """Change fields that the next write takes along: only what may be lost with this process."""
        self.record = replaced(self.record, **changes)

    def extend(self, seconds: float) -> None:
        """Be believed alive for about that long; writes only when it must."""
        holder = self.record.holder
        if holder is None or holder.until < self._run.pace.now() + dt.timedelta(seconds=seconds * 0.75):
            self.write(hold=seconds, durable=False)  # a machine that has lost its power runs no holder

    def give_back(self) -> None:
        """Let go of it, with what was noted; where that fails, the next run waits until the hold is over."""
        if not self._ours:
            return
        self._ours = False
        try:
            # What was noted may be lost: how a log-in ended, which counts as a miss until it is told.
            self._records.save_record(replaced(self.record, holder=None), durable=False)
        except TiphysError as failure:
            _log.warning("the hold on the BMC of %s could not be given back: %s", self.record.device, failure)

    def _save(self, hold: float, *, durable: bool = True) -> None:
        until = self._run.pace.now() + dt.timedelta(seconds=hold)
        if self._ours and self.record.holder is not None:
            until = max(until, self.record.holder.until)
        record = replaced(self.record, holder=Holder(self._run.name, until))
        self._records.save_record(record, durable=durable)
        self.record = record
