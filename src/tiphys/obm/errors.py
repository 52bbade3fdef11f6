"""Every way in which an operation on a BMC can end, each with its word and its exit code.

::

    ObmError                      `outcome` (the word), `exit_code`
    ├── WrongCredentials          10
    ├── LockedOut                 11, with `until`
    ├── RefusedIdentity           12
    ├── Unreachable               13
    │   └── Unanswered            13: a request was sent in full or in part, and no answer came
    ├── Unknown                   14
    ├── PolicyRejected            15
    ├── ChangedUnverified         16
    ├── Busy                      17
    ├── RefusedByBmc              18
    ├── UpdateFailed              20
    ├── VersionUnchanged          21
    ├── ImageRefused              22
    ├── ImageUnavailable          23
    ├── ChecksumMismatch          24
    ├── TimedOut                  25
    └── DowngradeRefused          26
"""

from __future__ import annotations

import datetime as dt

from tiphys.errors import ObmError as _ObmError

__all__ = [
    "Busy",
    "ChangedUnverified",
    "ChecksumMismatch",
    "DowngradeRefused",
    "ImageRefused",
    "ImageUnavailable",
    "LockedOut",
    "ObmError",
    "PolicyRejected",
    "RefusedByBmc",
    "RefusedIdentity",
    "TimedOut",
    "Unanswered",
    "Unknown",
    "Unreachable",
    "UpdateFailed",
    "VersionUnchanged",
    "WrongCredentials",
]


class ObmError(_ObmError):
    """An operation that ended without success.

    Attributes:
        outcome: the word in the outputs.
        changed: whether this run has, for all that is known, changed the BMC.
        version, version_before: of the firmware, as far as they were read.
    """

    outcome = "error"
    changed = False
    version = ""
    version_before = ""


class WrongCredentials(ObmError):  # noqa: N818 - these are outcomes, named as the outputs name them
    """The BMC accepts none of the passwords known."""

    outcome, exit_code = "wrong-credentials", 10


class LockedOut(ObmError):  # noqa: N818
    """Log-ins are blocked, or one more miss could block them; `until` None = not before a person has logged in."""

    outcome, exit_code = "locked-out", 11

    def __init__(self, message: str, until: dt.datetime | None) -> None:
        super().__init__(message)
        self.until = until


class RefusedIdentity(ObmError):  # noqa: N818
    """This is not, or not provably, the BMC that it should be."""

    outcome, exit_code = "refused-identity", 12


class Unreachable(ObmError):  # noqa: N818
    """No answer, or none that says anything."""

    outcome, exit_code = "unreachable", 13


class Unanswered(Unreachable):
    """A request went out and no answer came back: it may have been carried out."""


class Unknown(ObmError):  # noqa: N818
    """A change was sent and its end could not be seen."""

    outcome, exit_code = "unknown", 14


class PolicyRejected(ObmError):  # noqa: N818
    """The BMC's rules for passwords do not allow the wanted one."""

    outcome, exit_code = "policy-rejected", 15


class ChangedUnverified(ObmError):  # noqa: N818
    """The BMC said yes to the change; the log-in to verify it could not be made."""

    outcome, exit_code, changed = "changed-unverified", 16, True


class Busy(ObmError):  # noqa: N818
    """Another run works on this BMC."""

    outcome, exit_code = "busy", 17


class RefusedByBmc(ObmError):  # noqa: N818
    """The BMC does not do it, for a reason that trying again does not mend."""

    outcome, exit_code = "refused-by-bmc", 18


class UpdateFailed(ObmError):  # noqa: N818
    """The BMC reports that the update failed."""

    outcome, exit_code = "update-failed", 20


class VersionUnchanged(ObmError):  # noqa: N818
    """The BMC reports success and does not run the wanted version."""

    outcome, exit_code = "version-unchanged", 21


class ImageRefused(ObmError):  # noqa: N818
    """The BMC does not take the image."""

    outcome, exit_code = "image-refused", 22


class ImageUnavailable(ObmError):  # noqa: N818
    """The image cannot be fetched."""

    outcome, exit_code = "image-unavailable", 23


class ChecksumMismatch(ObmError):  # noqa: N818
    """What was fetched is not the image on record."""

    outcome, exit_code = "checksum-mismatch", 24


class TimedOut(ObmError):  # noqa: N818
    """The update still runs at the end of the time given."""

    outcome, exit_code = "timed-out", 25


class DowngradeRefused(ObmError):  # noqa: N818
    """The wanted version is older than the installed one."""

    outcome, exit_code = "downgrade-refused", 26
