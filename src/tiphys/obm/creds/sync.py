"""`obm creds sync`: bring the account of a BMC to the password on record, whatever happens on the way.

The password is written down as pending before it is sent, verified by a new log-in after it, and only then taken for
the current one. An answer that got lost is looked for, never sent again first.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Literal

from tiphys.errors import TiphysError
from tiphys.obm.accounts import PATCH_SECONDS, change_password, check_policy, find_account
from tiphys.obm.candidates import Candidate, Wanted, candidates
from tiphys.obm.entry import Target, attempt, check_system, learn, meet
from tiphys.obm.errors import (
    Busy,
    ChangedUnverified,
    LockedOut,
    ObmError,
    PolicyRejected,
    RefusedByBmc,
    Unknown,
    Unreachable,
    WrongCredentials,
)
from tiphys.obm.journal import Journal
from tiphys.obm.redfish import Redfish
from tiphys.obm.verdict import Verdict

__all__ = ["Synced", "sync"]

_log = logging.getLogger(__name__)

_VERIFY_TRIES = 3
_VERIFY_PAUSE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Synced:
    """How it ended well."""

    outcome: Literal["changed", "in-sync", "dry-run"]
    changed: bool
    message: str


def sync(bmc: Redfish, journal: Journal, target: Target, wanted: Wanted, *, dry_run: bool = False) -> Synced:
    """Bring the BMC to the wanted password.

    Raises:
        ObmError: any other end; its class is the outcome.
    """
    journal.open_passwords()
    try:
        meet(bmc, journal, target)
        candidate, verdict = _get_in(bmc, journal, wanted)
        if verdict.kind == "accepted":
            check_system(bmc, journal, target)
        in_sync = candidate.user == wanted.username and candidate.password == wanted.password
        if in_sync and verdict.kind == "accepted":
            return _in_sync(bmc, journal, wanted)
        if dry_run:
            return Synced("dry-run", False, f"the password {candidate.origin} works; the one on record is another")
        return _change(bmc, journal, target, wanted, candidate, verdict)
    finally:
        bmc.log_out()


def _get_in(bmc: Redfish, journal: Journal, wanted: Wanted) -> tuple[Candidate, Verdict]:
    row = candidates(wanted, journal.passwords)
    said = ""
    for number, candidate in enumerate(row, start=1):
        verdict = attempt(bmc, journal, candidate.user, candidate.password)
        if verdict.right:
            _log.info("log-in %d of %d: the password %s works", number, len(row), candidate.origin)
            return candidate, verdict
        said = verdict.detail
        _log.info("log-in %d of %d: the password %s was refused (%s)", number, len(row), candidate.origin, said)
        journal.remember_refusal(candidate.user, candidate.password)
    raise WrongCredentials(
        f"{bmc.transport.where} accepts none of the {len(row)} passwords known for {journal.record.device} (last: "
        f"{said}); correct the one on record, or add the BMC's to the Secret obm-legacy-passwords. A BMC that blocks "
        "this address because of other clients answers so, too"
    )


def _in_sync(bmc: Redfish, journal: Journal, wanted: Wanted) -> Synced:
    learn(bmc, journal)
    interrupted = journal.passwords.pending == wanted.password
    journal.write_passwords(journal.passwords.confirmed(wanted.username, wanted.password))
    if interrupted:
        return Synced("changed", True, "an earlier run had changed the password; a new log-in with it was accepted")
    return Synced("in-sync", False, "the password on record works")


def _change(
    bmc: Redfish, journal: Journal, target: Target, wanted: Wanted, used: Candidate, verdict: Verdict
) -> Synced:
    if verdict.kind == "change-required" and used.user != wanted.username:
        raise RefusedByBmc(
            f"{bmc.transport.where} lets {used.user!r} change nothing but its own password, and the record is of "
            f"{wanted.username!r}"
        )
    if used.user == wanted.username and used.password == wanted.password:
        raise PolicyRejected(
            f"{bmc.transport.where} wants another password than the one on record before it does anything; put a new "
            "one on record"
        )
    if verdict.kind == "accepted":
        check_policy(learn(bmc, journal), wanted.password, bmc.transport.where)
    account = find_account(bmc, wanted.username, verdict)
    known = journal.passwords
    if used.user == wanted.username:
        known = known.confirmed(used.user, used.password)
    journal.write_passwords(known.about_to_be(wanted.username, wanted.password))
    journal.hold(PATCH_SECONDS + bmc.transport.timeout)
    try:
        answered = change_password(bmc, account, wanted.password)
    except (PolicyRejected, RefusedByBmc):
        journal.write_passwords(journal.passwords.not_pending())
        raise
    _log.info("the change was sent: %s", answered)
    bmc.log_out()
    try:
        return _verify(bmc, journal, target, wanted, used, accepted=answered == "accepted")
    except TiphysError as error:
        if isinstance(error, ObmError) and not isinstance(error, Busy):
            raise
        raise Unknown(f"the change was sent, and then its record could not be kept: {error}") from error


def _verify(
    bmc: Redfish, journal: Journal, target: Target, wanted: Wanted, used: Candidate, *, accepted: bool
) -> Synced:
    try:
        verdict = _log_in_again(bmc, journal, wanted)
    except (Unreachable, LockedOut) as error:
        kind = ChangedUnverified if accepted else Unknown
        raise kind(f"the change was sent, and the log-in to verify it could not be made: {error}") from error
    if not verdict.right:
        raise _not_changed(bmc, journal, used, accepted=accepted)
    journal.write_passwords(journal.passwords.confirmed(wanted.username, wanted.password))
    check_system(bmc, journal, target, done="Its password was changed; it had not let itself be read before that")
    learn(bmc, journal)
    how = "" if accepted else "; the answer to the change got lost"
    return Synced("changed", True, f"the password was changed, and a new log-in with it was accepted{how}")


def _log_in_again(bmc: Redfish, journal: Journal, wanted: Wanted) -> Verdict:
    """Tried again only after answers that say nothing: a 401 is counted by the BMC."""
    for left in reversed(range(_VERIFY_TRIES)):
        try:
            return attempt(bmc, journal, wanted.username, wanted.password)
        except Unreachable:
            if not left:
                raise
            journal.pace.sleep(_VERIFY_PAUSE_SECONDS)
    raise AssertionError("unreachable: the last try returns or raises")


def _not_changed(bmc: Redfish, journal: Journal, used: Candidate, *, accepted: bool) -> Exception:
    """The new password is refused: is the old one still in force? It is asked once; the pending one is kept."""
    where = bmc.transport.where
    try:
        verdict = attempt(bmc, journal, used.user, used.password)
    except (Unreachable, LockedOut) as error:
        return Unknown(
            f"{where} refuses the new password after the change, and whether the old one still works could not be "
            f"asked: {error}"
        )
    if not verdict.right:
        return Unknown(
            f"{where} refuses the new and the old password after the change; both are kept, run it again later"
        )
    if accepted:
        return RefusedByBmc(f"{where} said yes to the change and still accepts the old password only")
    return Unknown(f"the change did not arrive at {where}: it still accepts the old password; run it again")
