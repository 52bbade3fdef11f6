"""`obm creds sync`: bring the account of a BMC to the password on record, whatever happens on the way."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from tiphys.obm.accounts import Account, check_policy, find_account, unlock
from tiphys.obm.candidates import Candidate, Wanted, candidates
from tiphys.obm.creds.change import Change, carry_out
from tiphys.obm.creds.ended import Ended, Work
from tiphys.obm.creds.entrance import MUST_CHANGE, get_in, learn_of, seen
from tiphys.obm.creds.plan import plan_of
from tiphys.obm.entry import attempt, learn, meet
from tiphys.obm.errors import LockedDown, PolicyRejected, RefusedByBmc, Superseded, WrongCredentials
from tiphys.obm.journal import Ledger
from tiphys.obm.verdict import Verdict

__all__ = ["sync"]

_log = logging.getLogger(__name__)


def sync(work: Work, wanted: Wanted, *, dry_run: bool = False, undo_rotation: bool = False) -> Ended:
    """Bring the BMC to the wanted password.

    Args:
        undo_rotation: even where it is the one that `rotate` has replaced.

    Raises:
        ObmError: any other end; its class is the outcome.
    """
    bmc, journal = work.bmc, work.journal
    ledger = journal.open_ledger(wanted.username)
    try:
        meet(bmc, journal, work.target)
        candidate, verdict = get_in(work, ledger, candidates(wanted, ledger.passwords, bmc.vendor.factory()))
        verdict = seen(work, verdict)
        in_sync = candidate.user == wanted.username and candidate.password == wanted.password
        if in_sync and verdict.kind == "accepted":
            return _in_sync(work, wanted, ledger, dry_run=dry_run)
        if not undo_rotation:
            _not_superseded(work, wanted, ledger, candidate)
        return _bring(work, wanted, ledger, candidate, verdict, dry_run=dry_run)
    finally:
        bmc.log_out()


def _in_sync(work: Work, wanted: Wanted, ledger: Ledger, *, dry_run: bool) -> Ended:
    must_change = learn_of(work, wanted.username)
    more = MUST_CHANGE if must_change else ""
    facts = {"passwordChangeRequired": True} if must_change else {}
    interrupted = ledger.passwords.pending == wanted.password
    if interrupted and dry_run:  # the run that is to say "changed" is the next one
        return Ended(
            "in-sync", False, f"the password on record works; an earlier run had changed it{more}", facts=facts
        )
    ledger.write(ledger.passwords.confirmed(wanted.username, wanted.password))
    if interrupted:
        return Ended("changed", True, "an earlier run had changed the password; a new log-in with it was accepted")
    return Ended("in-sync", False, f"the password on record works{more}", facts=facts)


def _not_superseded(work: Work, wanted: Wanted, ledger: Ledger, candidate: Candidate) -> None:
    """A password made by `rotate` works: the one it replaced, still on record, is not brought back."""
    rotation, known = work.journal.rotation(wanted.username), ledger.passwords
    if rotation is None or rotation.delivered or candidate.user != wanted.username:
        return
    works_since = candidate.password in (known.pending, known.current)
    stale = known.current if candidate.password == known.pending else known.previous
    if works_since and wanted.password == stale:
        raise Superseded(
            f"the password on record for {wanted.username!r} of {work.journal.record.device} is the one that "
            "`creds rotate` has replaced; the new one works and is in the ledger. Put it on record, or run "
            "`creds rotate` again, or bring the old one back with --undo-rotation"
        )


def _bring(work: Work, wanted: Wanted, ledger: Ledger, used: Candidate, verdict: Verdict, *, dry_run: bool) -> Ended:
    bmc = work.bmc
    if verdict.kind == "change-required" and used.user != wanted.username:
        raise RefusedByBmc(
            f"{work.where} lets {used.user!r} change nothing but its own password, and the record is of "
            f"{wanted.username!r}"
        )
    if used.user == wanted.username and used.password == wanted.password:
        raise PolicyRejected(
            f"{work.where} wants another password than the one on record before it does anything; put a new one on "
            "record, or let `creds rotate` make one"
        )
    service: Mapping[str, Any] = {}
    if verdict.kind == "accepted":
        service = learn(bmc, work.journal)
        policy = work.journal.bmc.policy
        if policy is not None:
            check_policy(policy.rules, wanted.password, work.where)
            if policy.locked_down:
                raise LockedDown(f"system lockdown is on at {work.where}: it refuses every change; turn it off first")
    account = find_account(bmc, wanted.username, verdict, service)
    if dry_run:
        message = f"the password {used.origin} works; the one on record is another"
        return Ended("dry-run", False, message, facts={"plan": plan_of(work, account, wanted.username, used)})
    if account.locked and used.user != wanted.username:
        opened = _unlock(work, wanted, ledger, used, account)
        if opened is not None:
            return opened
    checked = verdict.kind == "accepted"
    how = carry_out(work, Change(account, wanted.username, wanted.password, used, ledger, checked))
    _delivered(work, wanted.username)
    return Ended("changed", True, how)


def _delivered(work: Work, user: str) -> None:
    """What is on record is in force again: nothing that was made here is newer."""
    rotation = work.journal.rotation(user)
    if rotation is not None and not rotation.delivered:
        work.journal.write_rotation(type(rotation)(rotation.account, rotation.at, True))


def _unlock(work: Work, wanted: Wanted, ledger: Ledger, used: Candidate, account: Account) -> Ended | None:
    """Unlock the account, and see whether its password was right all the time; None = it is not, and `used` is in."""
    unlock(work.bmc, account)
    work.journal.unlocked(wanted.username)
    _log.info("%s has unlocked the account %s", used.origin, wanted.username)
    work.bmc.log_out()
    if attempt(work.bmc, work.journal, wanted.username, wanted.password).right:
        ledger.write(ledger.passwords.confirmed(wanted.username, wanted.password))
        return Ended("changed", True, "the account was locked and has been unlocked; the password on record works")
    work.bmc.log_out()
    if not attempt(work.bmc, work.journal, used.user, used.password).right:
        raise WrongCredentials(f"{work.where} has unlocked {wanted.username!r} and now refuses {used.user!r}")
    return None
