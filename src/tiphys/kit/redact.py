"""Secrets that cannot be printed by mistake."""

from __future__ import annotations

import hmac

__all__ = ["Secret"]


class Secret:
    """A string whose repr, str and format are `***`; `.reveal()` gives it away on purpose.

    It compares in constant time and cannot be pickled, so it does not travel by accident.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The string itself: only for the header, body or file that must carry it."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not pickled")
