"""`obm creds check`, `verify`, `policy`: looking at the account of a BMC, changing nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tiphys.kit.clock import rfc3339
from tiphys.obm.candidates import Candidate, Wanted, candidates, position
from tiphys.obm.creds.ended import Ended, Work
from tiphys.obm.creds.entrance import MUST_CHANGE, UNKNOWN, get_in, learn_of, seen
from tiphys.obm.creds.plan import lockouts_as_facts, policy_as_facts
from tiphys.obm.entry import attempt, meet
from tiphys.obm.errors import NothingKnown, WrongCredentials
from tiphys.obm.journal import Journal, Ledger
from tiphys.obm.record import Passwords
from tiphys.obm.verdict import Verdict

__all__ = ["check", "forget_attempts", "policy", "verify"]

_DAY = 86_400.0


def check(work: Work, wanted: Wanted, *, every: bool = False) -> Ended:
    """Is the password on record in force? One log-in, the most telling one.

    Where the ledger knows what is in force and it is not what is on record, that one is tried: if it is accepted, the
    one on record is not in force, and no log-in was refused to learn that.

    Args:
        every: go on with the other passwords known until one is accepted, as `sync` would.

    Raises:
        WrongCredentials: none of them is accepted, or there is no other than the one that was refused.
        ObmError: see `entry`.
    """
    bmc, journal = work.bmc, work.journal
    ledger = journal.open_ledger(wanted.username)
    try:
        meet(bmc, journal, work.target)
        row = candidates(replace(wanted, admin=None), ledger.passwords, bmc.vendor.factory())
        first = _most_telling(row, wanted, ledger.passwords)
        row.remove(first)
        if every:
            candidate, verdict = get_in(work, ledger, [first, *row])
            return _seen(work, wanted, ledger, candidate, verdict)
        verdict = attempt(bmc, journal, first.user, first.password)
        if verdict.right:
            return _seen(work, wanted, ledger, first, verdict)
        return _refused(work, wanted, ledger, first, len(row), verdict)
    finally:
        bmc.log_out()


def _most_telling(row: list[Candidate], wanted: Wanted, known: Passwords) -> Candidate:
    on_record = next(one for one in row if (one.user, one.password) == (wanted.username, wanted.password))
    if known.username != wanted.username or wanted.password in (known.pending, known.current):
        return on_record
    likely = row[0] if known.pending or known.current else on_record
    # Refused since it was last seen to work: somebody else has changed it, perhaps to what is on record.
    return on_record if position(known, likely) >= 0 else likely


def _seen(work: Work, wanted: Wanted, ledger: Ledger, candidate: Candidate, verdict: Verdict) -> Ended:
    verdict = seen(work, verdict)
    facts: dict[str, Any] = {"accepted": {"user": candidate.user, "password": candidate.origin}}
    if verdict.kind == "change-required":
        message = f"the password {candidate.origin} is right, and {work.where} wants it changed before anything else"
        return Ended("drift", False, message, "change-required", facts)
    must_change = learn_of(work, candidate.user, older_than=_DAY)
    if must_change:
        facts["passwordChangeRequired"] = True
    if candidate.user == wanted.username:
        # Only what a log-in has shown: a pending one that was refused may still be on its way.
        known, right = ledger.passwords, candidate.password
        if right == known.pending or not known.pending:
            ledger.write(known.confirmed(candidate.user, right))
        if right == wanted.password:
            message = f"the password on record works{MUST_CHANGE if must_change else ''}"
            return Ended("in-sync", False, message, facts=facts)
    message = f"the password on record is not in force; the one {candidate.origin} is"
    return Ended("drift", False, message, "other-password", facts)


def _refused(work: Work, wanted: Wanted, ledger: Ledger, tried: Candidate, others: int, verdict: Verdict) -> Ended:
    ledger.remember_refusal(tried.user, tried.password, work.journal.pace.now())
    if not others:
        raise WrongCredentials(
            f"{work.where} refuses the only password known for {wanted.username!r} ({verdict.detail}); {UNKNOWN}"
        )
    asked = f"{work.where} refuses the password {tried.origin} ({verdict.detail})"
    message = f"{asked}; {others} others are known: --all tries them, `creds sync` brings the one on record"
    return Ended("drift", False, message, "refused", {"refused": {"user": tried.user, "password": tried.origin}})


def verify(work: Work, user: str) -> Ended:
    """One new log-in with the current password of the ledger.

    Raises:
        NothingKnown: the ledger has none.
        WrongCredentials: it is refused.
    """
    ledger = work.journal.open_ledger(user)
    known = ledger.passwords
    if known.username != user or not known.current:
        raise NothingKnown(
            f"the ledger of {work.target.device} has no current password of {user!r}; `creds check` or `creds sync` "
            "put the one on record there when it was seen to work"
        )
    try:
        meet(work.bmc, work.journal, work.target)
        verdict = attempt(work.bmc, work.journal, user, known.current)
        if not verdict.right:
            pending = "; one is pending since an interrupted run: run `creds sync` or `rotate`" if known.pending else ""
            raise WrongCredentials(
                f"{work.where} refuses the current password of the ledger for {user!r} ({verdict.detail}){pending}"
            )
        if seen(work, verdict).kind == "change-required":
            message = f"the current password is right, and {work.where} wants it changed before anything else"
            return Ended("drift", False, message, "change-required")
        return Ended("in-sync", False, "a new log-in with the current password of the ledger was accepted")
    finally:
        work.bmc.log_out()


def policy(work: Work, wanted: Wanted) -> Ended:
    """Log in once, and tell what the BMC says of passwords, lockouts and sessions; it is recorded.

    Raises:
        WrongCredentials: the log-in was refused.
    """
    ended = check(work, wanted)
    if ended.reason in ("refused", "change-required"):
        raise WrongCredentials(f"the policy cannot be read: {ended.message}")
    told = work.journal.bmc.policy
    facts = {
        "vendor": work.bmc.vendor.name,
        "policy": policy_as_facts(told) if told is not None else {},
        "lockoutsInForce": lockouts_as_facts(work.journal.lockouts),
    }
    return replace(ended, message=f"what the BMC tells was read and recorded; {ended.message}", facts=facts)


def forget_attempts(journal: Journal, device: str, account: str = "") -> Ended:
    """Forget the log-ins that failed, after a person has unlocked the account; the BMC is not asked.

    Args:
        account: of this one only; "" = of all.

    Raises:
        Busy: another run works on the BMC: its log-ins are still on their way.
    """
    forgotten = journal.forget(account)
    whose = f"of {account!r} on" if account else "to"
    if not forgotten:
        return Ended("no-op", False, f"no log-in {whose} the BMC of {device} is on record as failed")
    rows = [{"at": rfc3339(one.at), "account": one.account, "result": one.result} for one in forgotten]
    message = (
        f"{len(forgotten)} log-ins {whose} the BMC of {device} that failed, or may have, are forgotten (the last at "
        f"{rows[-1]['at']}): the next run may try again"
    )
    return Ended("recorded", False, message, facts={"forgotten": rows})
