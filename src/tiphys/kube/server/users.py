"""Who asks: the users that authentication finds and authorization judges."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["ADMIN", "ANONYMOUS", "AUTHENTICATED", "MASTERS", "User", "account_groups", "service_account"]

MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"


@dataclass(frozen=True, slots=True)
class User:
    """A user and the groups it is in.

    Attributes:
        uid: of a service account; "" otherwise.
        pod: the name and uid of the pod that a token is bound to.
    """

    name: str
    groups: tuple[str, ...] = (AUTHENTICATED,)
    uid: str = ""
    pod: tuple[str, str] | None = field(default=None, compare=False)


ADMIN = User("admin", (MASTERS, AUTHENTICATED))
ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))


def account_groups(namespace: str) -> tuple[str, ...]:
    """The groups that every service account of a namespace is in."""
    return ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED)


def service_account(namespace: str, name: str, uid: str = "", pod: tuple[str, str] | None = None) -> User:
    """The user that a service account is."""
    return User(f"system:serviceaccount:{namespace}:{name}", account_groups(namespace), uid, pod)
