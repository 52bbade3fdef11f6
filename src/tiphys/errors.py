"""The error tree of Tiphys: every error a user can meet, in one place.

::

    TiphysError                what it is, where, and what to do next; `exit_code` for the command line
    ├── UsageError             the command or the file is wrong (exit 1)
    ├── ApiError               the Kubernetes API said no: an HTTP code and a metav1.Status
    ├── ConnectError           no API server, no Nautobot, no BMC at that address
    ├── StoreError             the data directory: taken, damaged, newer, read-only, full
    ├── SpecError              a manifest that cannot be honoured, with the path of the field
    ├── ExpressionError        a {{tag}}, expression or `when` that cannot be evaluated
    └── ObmError               an out-of-band operation that ended without success; its outcome is its name

Errors are wrapped where they enter (`raise … from error`); nothing above a seam sees another library's exception.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "ApiError",
    "ConnectError",
    "ExpressionError",
    "ObmError",
    "SpecError",
    "StoreError",
    "TiphysError",
    "UsageError",
]


class TiphysError(Exception):
    """The root. `str(error)` is one line for a person: what, where, what to do next."""

    exit_code = 1


class UsageError(TiphysError):
    """A command line or an input file that cannot be used as it is."""


class ApiError(TiphysError):
    """An answer of the Kubernetes API other than success.

    Attributes:
        code: the HTTP status, e.g. 404.
        reason: metav1.StatusReason, e.g. "NotFound"; "" where the answer carried none.
        status: the whole metav1.Status object.
    """

    def __init__(self, code: int, reason: str, message: str, status: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.status: dict[str, Any] = status or {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "code": code,
        }


class ConnectError(TiphysError):
    """Nothing answered, or what answered is not what was asked for (TLS, protocol)."""


class StoreError(TiphysError):
    """The data directory or its database cannot be used; nothing in it was changed."""


class SpecError(TiphysError):
    """A manifest that cannot be honoured.

    Attributes:
        path: the field, spelt as in the manifest, e.g. "spec.templates[2].containerSet"; "" for the whole.
    """

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message)
        self.path = path


class ExpressionError(TiphysError):
    """A {{tag}}, an expr-lang expression or a `when` condition that cannot be evaluated."""


class ObmError(TiphysError):
    """An out-of-band operation that ended without success."""
