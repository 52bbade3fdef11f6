"""Getting in with one of the passwords known, the likeliest first, each at most once."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from tiphys.obm.candidates import Candidate
from tiphys.obm.creds.ended import Work
from tiphys.obm.entry import attempt
from tiphys.obm.errors import WrongCredentials
from tiphys.obm.journal import Ledger
from tiphys.obm.verdict import Verdict

__all__ = ["UNKNOWN", "get_in"]

UNKNOWN = (
    "correct the one on record, or add the BMC's to its legacyPasswords "
    "(in a cluster: to the Secret obm-legacy-passwords)"
)
"""What a person does whose BMC has a password that nobody here knows."""

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
