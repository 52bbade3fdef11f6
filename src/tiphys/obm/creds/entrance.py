"""Getting in with one of the passwords known, the likeliest first, each at most once."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from tiphys.kit.codec import replaced
from tiphys.obm.accounts import find_account
from tiphys.obm.candidates import Candidate
from tiphys.obm.creds.ended import Work
from tiphys.obm.entry import REFRESHED_AFTER, attempt, check_system, learn
from tiphys.obm.errors import RefusedByBmc, Unreachable, WrongCredentials
from tiphys.obm.journal import Ledger
from tiphys.obm.redfish import ChangeRequired
from tiphys.obm.verdict import Verdict

__all__ = ["MUST_CHANGE", "UNKNOWN", "get_in", "learn_of", "seen"]

UNKNOWN = (
    "correct the one on record, or add the BMC's to its legacyPasswords "
    "(in a cluster: to the Secret obm-legacy-passwords)"
)
"""What a person does whose BMC has a password that nobody here knows."""

MUST_CHANGE = (
    "; its account says that it must be changed (PasswordChangeRequired): put another one on record, or let "
    "`creds rotate` make one"
)
"""Beside a password that works."""

_log = logging.getLogger(__name__)


def get_in(work: Work, ledger: Ledger, row: Sequence[Candidate]) -> tuple[Candidate, Verdict]:
    """Log in with the first that is accepted.

    Raises:
        WrongCredentials: none is.
        ObmError: see `entry.attempt`.
    """
    said = ""
    for number, candidate in enumerate(row, start=1):
        verdict = attempt(work.bmc, work.journal, candidate.user, candidate.password)
        if verdict.right:
            _log.info("log-in %d of %d: the password %s works", number, len(row), candidate.origin)
            return candidate, verdict
        said = verdict.detail
        _log.info("log-in %d of %d: the password %s was refused (%s)", number, len(row), candidate.origin, said)
        ledger.remember_refusal(candidate.user, candidate.password, work.journal.pace.now())
    raise WrongCredentials(
        f"{work.where} accepts none of the {len(row)} passwords known for {work.journal.record.device} (last: {said}); "
        f"{UNKNOWN}. A BMC that blocks this address because of other clients answers so, too"
    )


def seen(work: Work, verdict: Verdict) -> Verdict:
    """See that it is the right machine, once somebody is in; the verdict as it stands after that.

    Some let an account in whose password must be changed first, and say so only when it reads something.

    Raises:
        ObmError: see `entry.check_system`.
    """
    if verdict.kind != "accepted":
        return verdict
    try:
        check_system(work.bmc, work.journal, work.target)
    except ChangeRequired as told:
        return Verdict("change-required", str(told), told.account)
    return verdict


def learn_of(work: Work, user: str, *, older_than: float = 0.0) -> bool:
    """Learn the BMC's rules, and whether the account says that its password must be changed; returns the latter.

    Some tell that nowhere else. The account is read when the rules that are known are older than some hours, and each
    time as long as it says so.

    Args:
        older_than: as `entry.learn` takes it.
    """
    journal = work.journal
    known = journal.bmc.policy
    said = known is not None and user in known.must_change
    due = said or known is None or journal.pace.now() - known.at > REFRESHED_AFTER
    service = learn(work.bmc, journal, older_than=0.0 if said else older_than)
    policy = journal.bmc.policy
    if not service or not due or policy is None:
        return said
    try:
        says = find_account(work.bmc, user, Verdict("accepted"), service).must_change
    except (RefusedByBmc, Unreachable) as error:
        _log.info("the account cannot be looked at (%s)", error)
        return said
    if says != said:
        others = tuple(other for other in policy.must_change if other != user)
        journal.write_bmc(policy=replaced(policy, must_change=(*others, user) if says else others))
    return says
