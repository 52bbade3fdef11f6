"""Images that everybody uses, and what they run when a container names no command. Data only.

The commands themselves are those of this machine; the entry points are facts of the images (`docker inspect`).
"""

from __future__ import annotations

import sys
from pathlib import Path

from tiphys.kubelet.settings import DEFAULT_PATH, Image

__all__ = ["WELL_KNOWN"]

_ENV = (("PATH", f"{Path(sys.executable).parent}:{DEFAULT_PATH}"), ("LANG", "C.UTF-8"))
# No entry point: a container's args are its command.
_BARE = ("alpine", "busybox", "debian", "fedora", "python", "ubuntu")

WELL_KNOWN = (
    *(Image(pattern, _ENV, ()) for name in _BARE for pattern in (name, f"*/library/{name}")),
    Image("*argoproj/argosay", _ENV, (sys.executable, "-m", "tiphys.local.argosay")),
)
"""For the end of the image table, after what the operator has set."""
