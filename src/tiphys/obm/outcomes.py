"""The words for how an operation on a BMC can end, each with its exit code: one list for code, help and docs. Pure.

A `reason` beside the outcome is finer and for a person or a log; what a machine is to do follows from the outcome.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["OUTCOMES", "Outcome"]


class Outcome(NamedTuple):
    """What an outcome means.

    Attributes:
        exit_code: of the command.
        retry: whether running the same command again later is sound without a person's look at it.
        meaning: for a person.
    """

    exit_code: int
    retry: bool
    meaning: str


OUTCOMES = {
    "in-sync": Outcome(0, True, "the password on record was accepted; nothing was changed"),
    "changed": Outcome(0, True, "the password was changed, and a new log-in with it was accepted"),
    "dry-run": Outcome(0, True, "a plan was made; nothing was changed"),
    "no-op": Outcome(0, True, "it is so already: the wanted version runs, the record says so; nothing was sent"),
    "updated": Outcome(0, True, "the update ended and the wanted version was read back"),
    "recorded": Outcome(0, True, "the record of the BMC was changed, as a person said; the BMC was not"),
    "error": Outcome(1, False, "the command line, a file, the cluster or a right is wrong; the BMC was not changed"),
    "drift": Outcome(3, True, "checked only: the password on record is not the one in force; nothing was changed"),
    "wrong-credentials": Outcome(10, False, "the BMC accepts none of the passwords known"),
    "blocked-until": Outcome(11, True, "the BMC blocks log-ins, or one more try could make it; not before `until`"),
    "refused": Outcome(12, False, "not done, by our rules or the BMC's; the reason says which; nothing was changed"),
    "unreachable": Outcome(13, True, "no answer, or none that says anything (5xx, no free session, not Redfish)"),
    "unknown-outcome": Outcome(14, True, "a change was sent and its end was not seen; the next run looks first"),
    "policy-rejected": Outcome(15, False, "the BMC's rules for passwords do not allow the wanted one"),
    "changed-unverified": Outcome(16, True, "the BMC said yes; the log-in to verify it could not be made"),
    "busy": Outcome(17, True, "another run works on this BMC"),
    "failed": Outcome(20, False, "the BMC reports a failure, or a success without the wanted version"),
    "failed-rolled-back": Outcome(21, False, "the update failed and the BMC runs the version from before again"),
    "staged": Outcome(22, True, "the image is on the BMC and waits for a reset or a restart of the host"),
}
