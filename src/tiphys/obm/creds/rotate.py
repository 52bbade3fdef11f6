"""`obm creds rotate`: give an account a new password, made here by the BMC's own rules.

An interrupted rotation is finished by the next one: what was sent is tried first, and if it had not arrived the same
password is sent again, so that a PATCH that a slow BMC carries out late brings nothing that nobody knows.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tiphys.errors import TiphysError
from tiphys.kit.clock import rfc3339
from tiphys.kit.redact import Secret
from tiphys.obm.accounts import Account, find_account
from tiphys.obm.candidates import Candidate, Wanted, candidates
from tiphys.obm.creds.change import Change, carry_out
from tiphys.obm.creds.ended import Ended, Work
from tiphys.obm.creds.entrance import get_in, seen
from tiphys.obm.creds.generate import fits, generate
from tiphys.obm.creds.plan import plan_of
from tiphys.obm.entry import attempt, learn, meet
from tiphys.obm.errors import LockedDown, PolicyRejected, RefusedByBmc
from tiphys.obm.journal import Ledger
from tiphys.obm.record import Rotation, Rules
from tiphys.obm.verdict import Verdict

__all__ = ["Order", "rotate"]

_TRIES = 3


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be rotated.

    Attributes:
        given: the credentials on record; who logs in.
        account: whose password, if not that of the credentials on record.
        length: of the new one; 0 = 16, or what is nearest to it.
        deliver: puts the new password where the credentials on record live; None = it stays in the ledger.
    """

    given: Wanted
    account: str = ""
    length: int = 0
    deliver: Callable[[Secret], None] | None = None

    @property
    def user(self) -> str:
        """Whose password."""
        return self.account or self.given.username

    @property
    def own(self) -> bool:
        """Whether it is that of the credentials on record."""
        return self.user == self.given.username


def rotate(work: Work, order: Order, *, dry_run: bool = False) -> Ended:
    """Give the account a new password.

    Raises:
        ObmError: any other end; its class is the outcome.
    """
    bmc, journal = work.bmc, work.journal
    ledger = journal.open_ledger(order.user, other=not order.own)
    doors = ledger if order.own else journal.open_ledger(order.given.username)
    try:
        meet(bmc, journal, work.target)
        if not order.own and ledger.passwords.pending and _arrived(work, ledger, order.user):
            return _finish(work, order, ledger, ledger.passwords.pending, dry_run=dry_run)
        row = candidates(order.given, doors.passwords, bmc.vendor.factory())
        used, verdict = get_in(work, doors, row)
        verdict = seen(work, verdict)
        service: Mapping[str, Any] = learn(bmc, journal) if verdict.kind == "accepted" else {}
        if _is_unfinished(work, order, ledger, used) and verdict.kind == "accepted":
            return _finish(work, order, ledger, used.password, dry_run=dry_run)
        _may_be_changed(work, order, used, verdict)
        account = find_account(bmc, order.user, verdict, service)
        if dry_run:
            return _planned(work, order, account, used, verdict)
        return _change(work, order, ledger, used, verdict, account)
    finally:
        bmc.log_out()


def _arrived(work: Work, ledger: Ledger, user: str) -> bool:
    """Whether the password that an interrupted run sent for another account is in force."""
    pending = ledger.passwords.pending
    right = attempt(work.bmc, work.journal, user, pending).right
    work.bmc.log_out()
    return right


def _is_unfinished(work: Work, order: Order, ledger: Ledger, used: Candidate) -> bool:
    """Whether what works is the password of an interrupted rotation."""
    rotation = work.journal.rotation(order.user)
    made_here = rotation is not None and not rotation.delivered
    return made_here and order.own and used.user == order.user and used.password == ledger.passwords.pending


def _finish(work: Work, order: Order, ledger: Ledger, password: Secret, *, dry_run: bool) -> Ended:
    """An earlier run had changed it: no second change, but what was left undone."""
    message = "an earlier run had changed the password; a new log-in with it was accepted"
    if dry_run:
        steps = ["make it the current one in the ledger, keep the one before"]
        if order.deliver is not None:
            steps.insert(0, "write it to the file of the credentials")
        facts = {"plan": {"vendor": work.bmc.vendor.name, "steps": steps}}
        return Ended("dry-run", False, f"{message}; it would be recorded, and not changed again", facts=facts)
    told = _deliver(order, password)
    ledger.write(ledger.passwords.confirmed(order.user, password))
    _note(work, order, told)
    return Ended("changed", True, f"{message}{told}", "not-written" if told else "")


def _may_be_changed(work: Work, order: Order, used: Candidate, verdict: Verdict) -> None:
    policy, rotation = work.journal.bmc.policy, work.journal.rotation(order.user)
    if verdict.kind == "change-required":
        if used.user != order.user:
            raise RefusedByBmc(f"{work.where} lets {used.user!r} change nothing but its own password")
        return
    if policy is not None and policy.locked_down:
        raise LockedDown(f"system lockdown is on at {work.where}: it refuses every change; turn it off first")
    if policy is not None and rotation is not None and policy.rules.interval:
        again = rotation.at + dt.timedelta(seconds=policy.rules.interval)
        if again > work.journal.pace.now():
            raise PolicyRejected(
                f"{work.where} takes one change of a password in {policy.rules.interval:.0f} s; the last one was at "
                f"{rfc3339(rotation.at)}: not before {rfc3339(again)}"
            )


def _rules(work: Work, verdict: Verdict) -> Rules:
    """As the BMC tells; where it lets nobody read them, as every model of its kind has them."""
    policy = work.journal.bmc.policy
    if policy is not None:
        return policy.rules
    return work.bmc.vendor.rules({}, {})


def _planned(work: Work, order: Order, account: Account, used: Candidate, verdict: Verdict) -> Ended:
    rules = _rules(work, verdict)
    made = generate(rules, order.user, secrets.token_bytes, length=order.length, ipmi=account.ipmi)
    plan = plan_of(work, account, order.user, used)
    password = {"length": len(made.reveal()), "kinds": 4, "rules": rules.source or "as assumed of its kind"}
    where = "the ledger" if order.deliver is None else "the ledger and the file of the credentials"
    facts = {"plan": plan | {"password": password, "newPasswordGoesTo": where}}
    message = f"a password of {password['length']} characters would be made and written to {account.path}"
    return Ended("dry-run", False, message, facts=facts)


def _change(work: Work, order: Order, ledger: Ledger, used: Candidate, verdict: Verdict, account: Account) -> Ended:
    """A made password may be refused for a reason that nobody can know before; then another one is made."""
    rules = _rules(work, verdict)
    for left in reversed(range(_TRIES)):
        pending = ledger.passwords.pending
        again = bool(pending) and pending != used.password and fits(pending.reveal(), rules, order.user)
        made = pending if again else _made(rules, order, account, last=not left)
        problem: list[str] = []
        change = Change(
            account,
            order.user,
            made,
            used,
            ledger,
            verdict.kind == "accepted",
            sent=lambda hold: work.journal.write_rotation(_rotation(work, order), hold=hold),
            verified=lambda made=made, problem=problem: problem.append(_deliver(order, made)),  # type: ignore[misc]
        )
        try:
            how = carry_out(work, change)
        except PolicyRejected:
            if not left or order.length:
                raise
            continue
        told = "".join(problem)
        _note(work, order, told)
        return Ended("changed", True, f"{how}{told or _whereabouts(order)}", "not-written" if told else "")
    raise AssertionError("unreachable: the last try returns or raises")


def _made(rules: Rules, order: Order, account: Account, *, last: bool) -> Secret:
    """A shorter one at last: 12 characters is the least that the longest known minimum allows and any known maximum."""
    shorter = last and rules.min_length <= 12 and not order.length
    size = 12 if shorter else order.length
    return generate(rules, order.user, secrets.token_bytes, length=size, ipmi=account.ipmi)


def _rotation(work: Work, order: Order, *, delivered: bool = False) -> Rotation:
    known = work.journal.rotation(order.user)
    at = known.at if known is not None and delivered and not known.delivered else work.journal.pace.now()
    return Rotation(order.user, at, delivered)


def _note(work: Work, order: Order, problem: str) -> None:
    """How it ended. Where that gets lost, `sync` brings an older password back only if it is told to, as before it."""
    delivered = not problem and order.deliver is not None
    work.journal.note_rotation(_rotation(work, order, delivered=delivered))


def _deliver(order: Order, password: Secret) -> str:
    """Put it where the credentials on record live; returns what went wrong, for the message."""
    if order.deliver is None:
        return ""
    try:
        order.deliver(password)
    except TiphysError as error:
        return f"; it is in the ledger, but not where the credentials on record are: {error}"
    return ""


def _whereabouts(order: Order) -> str:
    return "" if order.deliver is not None else "; it is in the ledger"
