"""How many files and connections the server may have open: as many as this user may, as Go's programs have it.

The usual soft limit is 1024, which some hundred watches and followed logs use up; then nobody can connect any more, and
what a client sees is a TLS handshake that never ends. Steps get the limit that the server was started with.
"""

from __future__ import annotations

import contextlib
import resource

__all__ = ["raise_limit"]


def raise_limit() -> tuple[int, int]:
    """Raise the soft limit to the hard one; what both were before."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # not everywhere may a limit be what it says
        resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    return before
