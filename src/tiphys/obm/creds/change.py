"""Changing a password so that it is never lost: written down before it is sent, verified by a new log-in after it.

Called by `sync` and `rotate`. An answer that got lost is looked for, never sent again first; what was sent is rolled
forward, never back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tiphys.errors import TiphysError
from tiphys.kit.redact import Secret
from tiphys.obm.accounts import PATCH_SECONDS, Account, Answered, change_password
from tiphys.obm.candidates import Candidate
from tiphys.obm.creds.ended import Work
from tiphys.obm.entry import attempt, check_system, learn
from tiphys.obm.errors import (
    Busy,
    ChangedUnverified,
    LockedOut,
    ObmError,
    PolicyRejected,
    RefusedByBmc,
    RefusedIdentity,
    Unknown,
    Unreachable,
)
from tiphys.obm.journal import Ledger
from tiphys.obm.verdict import Verdict

__all__ = ["Change", "carry_out"]

_log = logging.getLogger(__name__)

_Error = TypeVar("_Error", bound=ObmError)

_VERIFY_TRIES = 3
_VERIFY_PAUSE_SECONDS = 10.0
_BEGUN_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be changed.

    Attributes:
        user: whose password.
        used: the log-in that is open now.
        ledger: of the user.
        checked: whether this has been seen to be the right machine; else it is, when the BMC lets itself be read.
        sent: called when the password is written down already and about to be sent, which may take so many seconds.
        verified: called when a log-in has accepted it, before it becomes the current one.
    """

    account: Account
    user: str
    password: Secret
    used: Candidate
    ledger: Ledger
    checked: bool
    sent: Callable[[float], None] = lambda seconds: None
    verified: Callable[[], None] = lambda: None


def carry_out(work: Work, change: Change) -> str:
    """Change it, and see that it is changed; returns a sentence on how.

    Raises:
        PolicyRejected, RefusedByBmc: nothing was changed.
        ChangedUnverified, Unknown: the pending password is kept, the next run looks first.
    """
    ledger, journal = change.ledger, work.journal
    known = ledger.passwords
    if change.used.user == change.user:
        known = known.confirmed(change.user, change.used.password)
    ledger.write(known.about_to_be(change.user, change.password))
    seconds = PATCH_SECONDS + work.bmc.transport.timeout
    change.sent(seconds)
    journal.hold(seconds)
    try:
        answered = change_password(work.bmc, change.account, change.password)
    except (PolicyRejected, RefusedByBmc) as refusal:
        if _still_works(work, change, refusal):
            ledger.write(ledger.passwords.not_pending())
            raise
        _log.warning("%s, and the old password does not work any more", refusal)
        answered = "unanswered"
    _log.info("the change was sent: %s", answered)
    work.bmc.log_out()
    try:
        return _verify(work, change, answered)
    except TiphysError as error:
        if isinstance(error, ObmError) and not isinstance(error, Busy):
            raise
        raise Unknown(f"the change was sent, and then its record could not be kept: {error}") from error


def _still_works(work: Work, change: Change, refusal: ObmError) -> bool:
    """Whether a refusal is to be believed: some report a failure and have changed it (iDRAC-Redfish-Scripting#126).

    Asked only where no log-in fails for it if the BMC is honest.

    Raises:
        Unknown: it could not be asked; the pending password is kept.
    """
    used = change.used
    if used.user != change.user:
        return True  # who has changed it for another can do so again
    work.bmc.log_out()
    try:
        return attempt(work.bmc, work.journal, used.user, used.password).right
    except (Unreachable, LockedOut, RefusedIdentity) as error:
        raise Unknown(f"{refusal}; whether the old password still works could not be asked: {error}") from error


def _verify(work: Work, change: Change, answered: Answered) -> str:
    if answered == "begun":
        work.journal.pace.sleep(_BEGUN_SECONDS)
    try:
        verdict = _log_in_again(work, change)
    except (Unreachable, LockedOut, RefusedIdentity) as error:
        kind = Unknown if answered == "unanswered" else ChangedUnverified
        raise _because(
            error, kind(f"the change was sent, and the log-in to verify it could not be made: {error}")
        ) from error
    if not verdict.right:
        raise _not_changed(work, change, answered)
    change.verified()
    change.ledger.write(change.ledger.passwords.confirmed(change.user, change.password))
    if verdict.kind == "change-required":
        return "the password was changed and accepted, and the BMC already wants another one"
    if not change.checked:
        done = "Its password was changed; it had not let itself be read before that"
        try:
            check_system(work.bmc, work.journal, work.target, done=done)
            learn(work.bmc, work.journal)
        except (RefusedByBmc, RefusedIdentity, Unreachable) as error:
            said = "the password was changed and accepted, and this was not seen to be the right machine"
            raise _because(error, ChangedUnverified(f"{said}: {error}")) from error
    how = "" if answered != "unanswered" else "; the answer to the change got lost"
    return f"the password was changed, and a new log-in with it was accepted{how}"


def _because(error: ObmError, end: _Error) -> _Error:
    """After the change was sent another BMC in its place is no refusal: something was changed."""
    if isinstance(error, RefusedIdentity):
        end.reason = error.reason
    return end


def _log_in_again(work: Work, change: Change) -> Verdict:
    """Tried again only after answers that say nothing: a 401 is counted by the BMC."""
    for left in reversed(range(_VERIFY_TRIES)):
        try:
            return attempt(work.bmc, work.journal, change.user, change.password)
        except Unreachable:
            if not left:
                raise
            work.journal.pace.sleep(_VERIFY_PAUSE_SECONDS)
    raise AssertionError("unreachable: the last try returns or raises")


def _not_changed(work: Work, change: Change, answered: Answered) -> Exception:
    """The new password is refused: is the old one still in force? It is asked once; the pending one is kept."""
    where, used = work.where, change.used
    if used.user != change.user:
        return Unknown(
            f"{where} refuses the log-in of {change.user!r} with the new password after the change; perhaps this "
            "account may not log in here at all. The password is kept"
        )
    try:
        verdict = attempt(work.bmc, work.journal, used.user, used.password)
    except (Unreachable, LockedOut, RefusedIdentity) as error:
        return Unknown(
            f"{where} refuses the new password after the change, and whether the old one still works could not be "
            f"asked: {error}"
        )
    if not verdict.right:
        return Unknown(
            f"{where} refuses the new and the old password after the change; both are kept, run it again later"
        )
    if answered == "accepted":
        return RefusedByBmc(f"{where} said yes to the change and still accepts the old password only")
    if answered == "begun":
        return Unknown(f"{where} has begun the change and still accepts the old password only; run it again later")
    return Unknown(f"the change did not arrive at {where}: it still accepts the old password; run it again")
