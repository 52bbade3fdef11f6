"""The kubelet's side of the pods' directories: what is found there, what is ordered there, and their removal.

See `records` for the files. Called by `kubelet`; every call is short, but for `remove`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tiphys.errors import StoreError
from tiphys.kubelet import records
from tiphys.kubelet.payload import remove_tree
from tiphys.kubelet.settings import KubeletSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Found", "PodFiles"]

_LOOKS = 5  # none is needed but the first, or two, unless numbers are reused faster than they are read


@dataclass(frozen=True, slots=True)
class Found:
    """What a pod's directory says.

    Attributes:
        started: a shim has claimed the pod, once.
        supervisor: pid of the living shim; 0 when there is none (any more).
        state: the record, None before the first one.
    """

    started: bool
    supervisor: int
    state: dict[str, Any] | None

    @property
    def final(self) -> bool:
        """The record is the last one."""
        return self.state is not None and bool(self.state["final"])


class PodFiles:
    """See the module.

    Raises:
        StoreError: the directories cannot be made.
    """

    def __init__(self, settings: KubeletSettings) -> None:
        self._root = settings.root
        self._pods = settings.root / "pods"
        # Two kubelets of one user must not share it, nor two users.
        name = f"tiphys-{os.getuid()}-{sha256(os.fsencode(settings.root.resolve())).hexdigest()[:12]}"
        memory = settings.memory if os.access(settings.memory, os.W_OK) else settings.root
        self._memory = memory / name
        try:
            for directory in (self._root, self._pods, self._root / "stage", self._memory):
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._root.chmod(0o700)
        except OSError as error:
            raise StoreError(f"the kubelet's directory {error.filename} cannot be made: {error.strerror}") from error
        if self._memory.stat().st_uid != os.getuid():
            raise StoreError(f"{self._memory} belongs to another user: remove it, or set another memory directory")

    def directory(self, uid: str) -> Path:
        """Of a pod."""
        return self._pods / uid

    def memory(self, uid: str) -> Path:
        """Where a pod's files of secrets lie while it runs."""
        return self._memory / uid

    def make(self, uid: str) -> None:
        """Make a pod's directory."""
        self.directory(uid).mkdir(mode=0o700, exist_ok=True)

    def uids(self) -> set[str]:
        """Of all pods that have a directory, on disk or in memory."""
        return {path.name for place in (self._pods, self._memory) for path in place.iterdir()}

    @contextmanager
    def _opened(self, uid: str) -> Iterator[int]:
        fd = os.open(self.directory(uid), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield fd
        finally:
            os.close(fd)

    def look(self, uid: str) -> Found:
        """What is there. The supervisor is asked for first: a record read after its end is the last one."""
        try:
            with self._opened(uid) as fd:
                supervisor = records.holder(fd)
                return Found(True, supervisor, records.last(fd))
        except FileNotFoundError:
            return Found(False, 0, None)

    def handle(self, uid: str) -> int:
        """A pidfd of the living shim, -1 where there is none. The caller closes it.

        Asked twice who it is: between the first answer and the opening its number may have gone to somebody else.
        """
        for _ in range(_LOOKS):
            supervisor = self.look(uid).supervisor
            if supervisor <= 0:
                break
            try:
                pidfd = os.pidfd_open(supervisor)
            except ProcessLookupError:
                continue
            if self.look(uid).supervisor == supervisor:
                return pidfd
            os.close(pidfd)
        return -1

    def order_stop(self, uid: str, reason: str, message: str, grace: float) -> None:
        """Leave the order to end the pod; the shim reads it when it gets SIGTERM, or when it starts."""
        with self._opened(uid) as fd:
            records.write_json(fd, records.STOP, {"reason": reason, "message": message, "grace": grace})

    def write_off(self, uid: str, state: Mapping[str, Any]) -> bool:
        """Write the last record of a pod whose shim is gone, so that nothing of it starts any more.

        False when its shim lives after all, or has written the last record itself.
        """
        with self._opened(uid) as fd:
            lock = records.take_over(fd)
            if lock < 0:
                return False
            try:
                known = records.last(fd)
                if known is not None and known["final"]:
                    return False
                records.append(lock, state)
            finally:
                os.close(lock)
        return True

    def newest_attempt(self, uid: str, container: str) -> int:
        """Which one of a container was the last to begin, counted from 0; -1 where none has."""
        state = self.look(uid).state or {"containers": ()}
        return next((int(c["attempt"]) for c in state["containers"] if c["name"] == container), -1)

    def forget_secrets(self, uid: str) -> None:
        """Remove what was kept in memory for a pod that runs no more; its shim does it where it can."""
        remove_tree(str(self.memory(uid)))

    def remove(self, uid: str) -> None:
        """Remove all of a pod: volumes, logs, records."""
        self.forget_secrets(uid)
        remove_tree(str(self.directory(uid)))

    def close(self) -> None:
        """Remove the directory in memory when no pod needs it."""
        if not any(self._memory.iterdir()):
            shutil.rmtree(self._memory, ignore_errors=True)
