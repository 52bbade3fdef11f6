"""What is remembered of a BMC between runs, and the seam behind which it is kept.

Pure data. `credentials` keeps it (Kubernetes objects, or files); `journal` is the only writer. Everything that has an
effect on a BMC is preceded by a write here, and every write is a compare-and-swap: a run that lost its place to another
one fails before its next effect, not after it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from tiphys.errors import TiphysError
from tiphys.kit.codec import Struct
from tiphys.kit.redact import Secret

__all__ = [
    "Attempt",
    "Conflict",
    "Holder",
    "Identity",
    "Lockout",
    "Passwords",
    "Policy",
    "Record",
    "Records",
    "Rejected",
    "Rotation",
    "Rules",
    "Store",
    "UpdateRecord",
]

_REJECTED_KEPT = 64
_NONE = Secret("")


class Lockout(Struct, frozen=True):
    """What a BMC does about wrong passwords, as far as is known.

    Attributes:
        kind: `account`: the account is locked. `address`: the client's address is blocked. `delay`: each miss makes the
            next log-in wait. `unknown`: nobody has told yet; the worst is assumed.
        threshold: misses that block; 0 = said to be never.
        window: seconds without a miss after which misses are forgotten; 0 = only a success makes forget.
        penalty: seconds a block lasts.
        source: who says so, for a person.
    """

    kind: Literal["account", "address", "delay", "unknown"]
    threshold: int
    window: float
    penalty: float
    source: str


class Attempt(Struct, frozen=True):
    """A log-in that was or may have been sent.

    Attributes:
        result: `reserved`: nobody lived to tell, or the BMC did not answer; counted as a miss. `unlocked`: no log-in,
            but an administrator has unlocked the account: what it had missed is forgotten.
    """

    at: dt.datetime
    account: str
    result: Literal["reserved", "ok", "miss", "unlocked"]


class Rules(Struct, frozen=True):
    """What a BMC wants of a new password, as far as it tells or is known of its kind.

    Attributes:
        min_length, max_length: characters; 0 = not told.
        classes: how many of upper case, lower case, digits and others must be in it.
        history: how many earlier ones may not come again.
        interval: seconds that must pass between two changes.
        pattern: a regular expression that it must match; "" = none.
        source: who says so, for a person.
    """

    min_length: int = 0
    max_length: int = 0
    classes: int = 0
    history: int = 0
    interval: float = 0.0
    pattern: str = ""
    source: str = ""


class Policy(Struct, frozen=True):
    """What a BMC told of its accounts while somebody was logged in; it is not readable when it is needed.

    Attributes:
        at: when it was read.
        lockouts: what wrong passwords lead to; more than one where account and address are counted apart.
        sessions: how many may be open at once; 0 = not told.
        session_timeout: as the BMC writes it: seconds on most, minutes on some.
        local_accounts: `LocalAccountAuth`: Enabled, Disabled, LocalFirst, Fallback; "" = not told.
        directories: directory services that are in use.
        locked_down: system lockdown is on: it refuses changes.
        must_change: accounts that said of themselves that their password must be changed, and were let in.
    """

    at: dt.datetime
    lockouts: tuple[Lockout, ...] = ()
    rules: Rules = Rules()
    sessions: int = 0
    session_timeout: int = 0
    local_accounts: str = ""
    directories: tuple[str, ...] = ()
    locked_down: bool = False
    must_change: tuple[str, ...] = ()


class Rotation(Struct, frozen=True):
    """A password of an account that was made here, not put on record by a person.

    Attributes:
        at: when it was sent to the BMC.
        delivered: whether the credentials on record have it. While they have not, the one that they hold is known to
            be stale, and is not brought back.
    """

    account: str
    at: dt.datetime
    delivered: bool = False


class Identity(Struct, frozen=True):
    """Who the BMC was when it was last known for certain; "" = it did not tell."""

    vendor: str = ""
    uuid: str = ""
    serial: str = ""
    fingerprint: str = ""


class Holder(Struct, frozen=True):
    """The run that works on the BMC, and until when it may be believed to live."""

    name: str
    until: dt.datetime


class UpdateRecord(Struct, frozen=True):
    """A firmware update from the moment before its only POST.

    Attributes:
        state: of the present step. `prepared`: nothing of the image has left. `intended`: the request may or may not
            have arrived. `accepted`: the BMC has taken it. `ended`: its end was seen and told; another may be sent.
        handle: path of its task or monitor, "" = the BMC gave none.
        tasks_before: paths of the tasks that were there before the request of the present step.
        service_before: what UpdateService itself said then of the update before, on BMCs where it does.
        version_before: as read before the first request.
        component: what is updated.
        step: `image`: it is brought. `start`: what was brought is started by a second request.
        way: how the image gets there: one of `Push` of `firmware.vendors`.
        start: path of that second request; "" = it starts by itself.
        apply: when it takes effect: `Immediate` or `OnReset`.
        claimed: the update service was reserved for us, and has not been released for certain.
        restarted: the BMC was seen to go away since.
        reset: when the BMC was told to restart.
    """

    version: str
    sha256: str
    started: dt.datetime
    state: Literal["prepared", "intended", "accepted", "ended"]
    version_before: str = ""
    handle: str = ""
    tasks_before: tuple[str, ...] = ()
    service_before: str = ""
    component: Literal["BMC", "BIOS"] = "BMC"
    step: Literal["image", "start"] = "image"
    way: str = ""
    start: str = ""
    apply: str = "Immediate"
    claimed: bool = False
    restarted: bool = False
    reset: dt.datetime | None = None


class Record(Struct, frozen=True):
    """What is remembered under one name, passwords apart: under that of a device, or under that of a BMC itself.

    A device may have several names, and all runs on its BMC share one allowance: so what belongs to the machine that
    counts log-ins (`attempts`, `policy`) is in the BMC's own record, and `bmc` says which that is.

    Attributes:
        device: the name that it was last reached by.
        bmc: name of the BMC's own record, "" = not met yet, or this is it.
        rotations: of accounts whose password was made here, one each.
    """

    device: str
    address: str = ""
    identity: Identity = Identity()
    bmc: str = ""
    policy: Policy | None = None
    attempts: tuple[Attempt, ...] = ()
    holder: Holder | None = None
    update: UpdateRecord | None = None
    rotations: tuple[Rotation, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejected:
    """A password that was refused once: its salted digest, "salt:hex", and when."""

    digest: str
    at: str

    @classmethod
    def of(cls, user: str, password: Secret, at: str, salt: str) -> Rejected:
        """Of this password, now."""
        return cls(f"{salt}:{_digest(user, password, salt)}", at)

    def is_of(self, user: str, password: Secret) -> bool:
        """Whether it is this one."""
        salt, _, digest = self.digest.partition(":")
        return hmac.compare_digest(digest, _digest(user, password, salt))


def _digest(user: str, password: Secret, salt: str) -> str:
    return hmac.new(salt.encode(), f"{user}\0{password.reveal()}".encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Passwords:
    """The passwords of one account of one BMC.

    Attributes:
        current: the last one that a log-in was seen to accept.
        pending: written before the change is sent, gone when a log-in has shown how it ended: after a crash it is this
            one or `current`.
        previous: what `current` was before.
        rejected: refused ones, oldest refusal first, so that each run goes on where the last one stopped.
    """

    username: str = ""
    current: Secret = _NONE
    pending: Secret = _NONE
    previous: Secret = _NONE
    rejected: tuple[Rejected, ...] = ()

    def confirmed(self, username: str, password: Secret) -> Passwords:
        """A log-in with this one has just been accepted."""
        rejected = tuple(entry for entry in self.rejected if not entry.is_of(username, password))
        previous = self.current if self.username == username and self.current != password else self.previous
        return Passwords(username, password, Secret(""), previous, rejected)

    def about_to_be(self, username: str, password: Secret) -> Passwords:
        """This one is about to be written to the BMC."""
        current = self.current if self.username in ("", username) else Secret("")
        return replace(self, username=username, current=current, pending=password)

    def not_pending(self) -> Passwords:
        """The BMC has refused the change: nothing was written."""
        return replace(self, pending=Secret(""))

    def refused(self, entry: Rejected, user: str, password: Secret) -> Passwords:
        """A log-in with this one has just been refused."""
        others = tuple(known for known in self.rejected if not known.is_of(user, password))
        return replace(self, rejected=(*others, entry)[-_REJECTED_KEPT:])


class Conflict(TiphysError):  # noqa: N818 - what happened
    """Somebody else has written since this run last read or wrote."""


class Records(Protocol):
    """Where one record is kept. Each save is a compare-and-swap with what this object saw last.

    Every method raises TiphysError where the place cannot be reached or a right is missing.
    """

    def load_record(self) -> Record | None:
        """The newest record; None = there is none yet."""
        ...

    def save_record(self, record: Record, *, durable: bool = True) -> None:
        """Write it; raises Conflict.

        Args:
            durable: false = the other processes see it, and after a loss of power the one before it may be there.
        """
        ...


class Store(Records, Protocol):
    """Where one record is kept, and the passwords that go with its name; saved in the same way."""

    def load_passwords(self) -> Passwords:
        """The newest passwords; empty ones where there are none yet."""
        ...

    def save_passwords(self, passwords: Passwords) -> None:
        """Write them durably; raises Conflict."""
        ...
