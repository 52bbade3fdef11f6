"""Who asks: the users that authentication finds and authorization judges."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ADMIN", "ANONYMOUS", "MASTERS", "User", "service_account"]

MASTERS = "system:masters"


@dataclass(frozen=True, slots=True)
class User:
    """A user and the groups it is in; `pod` is the (name, uid) a token is bound to."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    pod: tuple[str, str] | None = None


ADMIN = User("admin", (MASTERS, "system:authenticated"))
ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))


def service_account(namespace: str, name: str, uid: str = "", pod: tuple[str, str] | None = None) -> User:
    """The user that a service account is."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
    return User(f"system:serviceaccount:{namespace}:{name}", groups, uid, pod)
