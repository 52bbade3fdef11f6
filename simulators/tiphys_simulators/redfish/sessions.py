"""The sessions of a BMC: tokens, idle time-out, the limit."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

__all__ = ["Session", "Sessions"]


@dataclass(slots=True)
class Session:
    """One session."""

    id: str
    token: str
    user: str
    source: str
    created: float
    used: float


class Sessions:
    """The open sessions of one BMC."""

    def __init__(self) -> None:
        self._by_token: dict[str, Session] = {}
        self._number = 0

    def __len__(self) -> int:
        return len(self._by_token)

    def all(self) -> list[Session]:
        """The open sessions, oldest first."""
        return list(self._by_token.values())

    def open(self, user: str, source: str, now: float) -> Session:
        """A new session."""
        self._number += 1
        session = Session(str(self._number), secrets.token_hex(16), user, source, now, now)
        self._by_token[session.token] = session
        return session

    def by_token(self, token: str) -> Session | None:
        """The session of an X-Auth-Token."""
        return self._by_token.get(token)

    def by_id(self, identity: str) -> Session | None:
        """The session of a URI."""
        return next((session for session in self._by_token.values() if session.id == identity), None)

    def close(self, session: Session) -> None:
        """Somebody deleted it."""
        self._by_token.pop(session.token, None)

    def close_of(self, user: str) -> None:
        """All sessions of an account."""
        self._by_token = {token: session for token, session in self._by_token.items() if session.user != user}

    def expire(self, timeout: float, now: float) -> int:
        """Drop those that were idle for too long; how many: nobody deleted them, they leaked."""
        kept = {token: session for token, session in self._by_token.items() if now - session.used < timeout}
        gone = len(self._by_token) - len(kept)
        self._by_token = kept
        return gone

    def clear(self) -> None:
        """The BMC restarts."""
        self._by_token.clear()
