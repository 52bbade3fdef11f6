"""How many requests of one user are answered at a time: whoever asks for more waits for a turn, and nobody else does.

Called by `http`. What an answer holds is held until its client has taken it, so this, with `serving`'s limits of time,
is what bounds memory. Watches and logs that are followed take no turn: they hold little, and may go on for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tiphys.kube.objects import status

__all__ = ["Turns"]


class Turns:
    """Those of a server.

    Args:
        at_once: requests of a user that are answered at a time.
        seconds: how long a request waits for its turn.
    """

    def __init__(self, at_once: int = 100, seconds: float = 60) -> None:
        self._at_once, self._seconds = at_once, seconds
        self._users: dict[str, _User] = {}  # who has requests under way

    @asynccontextmanager
    async def turn(self, user: str) -> AsyncIterator[None]:
        """Wait for a turn, and have it.

        Raises:
            ApiError: 429, none came free in time.
        """
        of_user = self._users.setdefault(user, _User(asyncio.Semaphore(self._at_once)))
        of_user.requests += 1
        try:
            await self._wait(of_user.turns, user)
            try:
                yield
            finally:
                of_user.turns.release()
        finally:
            of_user.requests -= 1
            if not of_user.requests:
                del self._users[user]

    async def _wait(self, turns: asyncio.Semaphore, user: str) -> None:
        if not turns.locked():
            await turns.acquire()  # at once
            return
        try:
            async with asyncio.timeout(self._seconds):
                await turns.acquire()
        except TimeoutError:
            why = f"{self._at_once} requests of {user} are under way, and none has ended for {self._seconds:g} seconds"
            raise status.too_many_requests(why) from None


@dataclass(slots=True)
class _User:
    turns: asyncio.Semaphore
    requests: int = 0  # that have a turn, or wait for one
