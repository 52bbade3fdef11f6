"""The accounts of a BMC and the rules for their passwords. Passwords are kept as salted digests, as BMCs do."""

from __future__ import annotations

import hashlib
import itertools
import os
from dataclasses import dataclass, field
from typing import Any, Literal

from tiphys_simulators.redfish.behaviour import PasswordPolicy

__all__ = ["Account", "PasswordRefusedError", "Refusal", "consecutive_pairs", "password_classes"]

Refusal = Literal["length", "complexity", "pairs", "history", "interval"]


class PasswordRefusedError(Exception):
    """A new password breaks the policy.

    Attributes:
        reason: `length`, `complexity`, `pairs`, `history` or `interval`.
    """

    def __init__(self, reason: Refusal) -> None:
        super().__init__(reason)
        self.reason: Refusal = reason


@dataclass(slots=True)
class Account:
    """One account, or an empty slot (`user` is "").

    Attributes:
        password: "salt:digest"; "" = nobody can log in.
        earlier: passwords it had before, newest first.
        changed_at: when the password was last changed; None = never since the factory.
        version: counts changes; the ETag is made from it.
    """

    id: str
    user: str = ""
    role: str = "None"
    enabled: bool = False
    password: str = ""
    must_change: bool = False
    earlier: list[str] = field(default_factory=list)
    changed_at: float | None = None
    version: int = 1

    def set_password(self, password: str) -> None:
        """Put a password there, past every rule (the factory, the control port)."""
        self.password = _digest(password, os.urandom(8).hex())
        self.version += 1

    def change_password(self, password: str, policy: PasswordPolicy, now: float) -> None:
        """As a client does: under the policy.

        Raises:
            PasswordRefusedError: nothing was changed.
        """
        if policy.truncates:
            password = password[: policy.max_length]
        if not policy.min_length <= len(password) <= policy.max_length or not password:
            raise PasswordRefusedError("length")
        if password_classes(password) < policy.classes:
            raise PasswordRefusedError("complexity")
        if policy.pairs and consecutive_pairs(password) > policy.pairs:
            raise PasswordRefusedError("pairs")
        if policy.min_interval and self.changed_at is not None and now - self.changed_at < policy.min_interval:
            raise PasswordRefusedError("interval")
        if any(_fits(password, known) for known in [self.password, *self.earlier][: policy.history]):
            raise PasswordRefusedError("history")
        self.earlier = [self.password, *self.earlier][:16]
        self.set_password(password)
        self.changed_at = now
        self.must_change = False

    def accepts(self, password: str, policy: PasswordPolicy) -> bool:
        """Whether a log-in with this password is right."""
        if policy.truncates:
            password = password[: policy.max_length]
        return bool(self.enabled and self.user and self.password) and _fits(password, self.password)

    def as_state(self) -> dict[str, Any]:
        """For the state file."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def password_classes(password: str) -> int:
    """How many of upper case, lower case, digits and others are in it."""
    kinds = (str.isupper, str.islower, str.isdigit, lambda character: not character.isalnum())
    return sum(any(kind(character) for character in password) for kind in kinds)


def consecutive_pairs(password: str) -> int:
    """How many neighbours follow each other in the alphabet or the digits, up or down: `abc` and `321` have two."""
    neighbours = itertools.pairwise(password)
    return sum(abs(ord(one) - ord(other)) == 1 and one.isalnum() and other.isalnum() for one, other in neighbours)


def _digest(password: str, salt: str) -> str:
    return f"{salt}:{hashlib.sha256((salt + password).encode()).hexdigest()}"


def _fits(password: str, known: str) -> bool:
    salt, _, _ = known.partition(":")
    return bool(known) and _digest(password, salt) == known
