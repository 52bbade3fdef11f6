"""What a change would do, told before it is done: the plan of --dry-run."""

from __future__ import annotations

from typing import Any

from tiphys.kit.clock import rfc3339
from tiphys.obm.accounts import Account
from tiphys.obm.candidates import Candidate
from tiphys.obm.creds.ended import Work
from tiphys.obm.record import Lockout, Policy

__all__ = ["lockouts_as_facts", "plan_of", "policy_as_facts"]


def plan_of(work: Work, account: Account, user: str, used: Candidate) -> dict[str, Any]:
    """Which account would be changed how, in which steps; no secrets."""
    etag = account.etag
    return {
        "vendor": work.bmc.vendor.name,
        "account": {
            "path": account.path,
            "user": user,
            "role": account.role,
            "types": list(account.types),
            "locked": account.locked,
        },
        "loggedInAs": {"user": used.user, "password": used.origin},
        "steps": [
            *(["unlock the account"] if account.locked and used.user != user else []),
            "write the new password to the ledger as pending",
            f"PATCH {account.path}" + (f" with If-Match {etag}" if etag else ""),
            f"log in as {user} with the new password",
            "make it the current one in the ledger, keep the one before",
        ],
        "lockouts": lockouts_as_facts(work.journal.lockouts),
    }


def policy_as_facts(policy: Policy) -> dict[str, Any]:
    """What the BMC told, for JSON; what it did not tell is left out."""
    rules = policy.rules
    facts = {
        "readAt": rfc3339(policy.at),
        "lockouts": lockouts_as_facts(policy.lockouts),
        "password": _told(
            {
                "minLength": rules.min_length,
                "maxLength": rules.max_length,
                "characterKinds": rules.classes,
                "history": rules.history,
                "changeIntervalSeconds": rules.interval,
                "pattern": rules.pattern,
                "source": rules.source,
            }
        ),
        "sessions": _told({"most": policy.sessions, "timeout": policy.session_timeout}),
        "localAccounts": policy.local_accounts,
        "directories": list(policy.directories),
        "lockedDown": policy.locked_down,
    }
    return _told(facts) | {"lockouts": facts["lockouts"], "lockedDown": policy.locked_down}


def lockouts_as_facts(lockouts: tuple[Lockout, ...]) -> list[dict[str, Any]]:
    """For JSON; seconds."""
    return [
        {
            "kind": rule.kind,
            "threshold": rule.threshold,
            "windowSeconds": rule.window,
            "penaltySeconds": rule.penalty,
            "source": rule.source,
        }
        for rule in lockouts
    ]


def _told(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value}
