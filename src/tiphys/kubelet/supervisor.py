"""The kubelet's hand in the processes outside: workers that supervise pods, orders to them, words heard from them.

Called by `kubelet` only, on its event loop. A plan goes to a worker by its channel, and what becomes of the pod comes
back on it; when that ends, however it came about, the worker's pidfd tells its death. Workers of an earlier kubelet
have no channel: they speak to the ear, and their pidfds are watched from the beginning. A zygote that dies is replaced;
its workers go on. Nothing here decides what a death means.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from pathlib import Path
from typing import Any, Protocol

from tiphys.kit.codec import DecodeError, decode, encode
from tiphys.kubelet import records
from tiphys.kubelet.forker import Forker, Worker
from tiphys.kubelet.plan import Plan
from tiphys.kubelet.settings import KubeletSettings

__all__ = ["Listener", "Supervisor"]

_log = logging.getLogger(__name__)
_IDLE = 8  # workers that wait for a pod, each with a few megabytes of its own
_IDLE_SECONDS = 10.0  # of quiet after which one of a kind is enough


class Listener(Protocol):
    """Who is told."""

    def shim_started(self, uid: str) -> None:
        """The shim of this pod is there and can be signalled."""
        ...

    def shim_spoke(self, state: dict[str, Any]) -> None:
        """A shim told its state, or only its pod's uid where the state is too large for a message."""
        ...

    def shim_ended(self, uid: str, *, forked: bool = True) -> None:
        """The shim of this pod is no more; not `forked`: its zygote died before it said that there is one."""
        ...


class Supervisor:
    """See the module."""

    def __init__(self, settings: KubeletSettings, listener: Listener) -> None:
        self._settings = settings
        self._listener = listener
        self._forkers: dict[bool, Forker] = {}
        self._busy: dict[str, Worker] = {}
        self._idle: list[Worker] = []
        self._quiet: asyncio.TimerHandle | None = None
        self._last_free = 0.0
        self._ear: socket.socket | None = None
        self._closed = False
        self.refused = ""

    async def start(self) -> None:
        """Start the zygotes and listen.

        Raises:
            TiphysError: they do not start.
        """
        self._ear = _bind(self._settings.root / records.NOTIFY)
        asyncio.get_running_loop().add_reader(self._ear, self._hear_others)
        for python in (False, True) if self._settings.preload else (False,):
            self._forkers[python] = Forker(self._settings, python, self._forked, self._zygote_died)
        self.refused = (await asyncio.gather(*(forker.begin() for forker in self._forkers.values())))[0]

    async def close(self) -> None:
        """Let the zygotes and the workers that wait go; those that have a pod stay."""
        self._closed = True
        await asyncio.gather(*(forker.end() for forker in self._forkers.values()))
        self.hang_up()
        (self._settings.root / records.NOTIFY).unlink(missing_ok=True)

    def hang_up(self) -> None:
        """Hear no more of anybody."""
        for worker in (*self._busy.values(), *self._idle):
            self._unwatch(worker)
        self._busy.clear()
        self._idle.clear()
        if self._quiet is not None:
            self._quiet.cancel()
        if self._ear is not None:
            asyncio.get_running_loop().remove_reader(self._ear)
            self._ear.close()

    @property
    def processes(self) -> list[int]:
        """Pids of the zygotes."""
        return [forker.pid for forker in self._forkers.values()]

    def launch(self, plan: Plan) -> None:
        """Have a pod supervised; its directory is there. `shim_ended` is called whatever becomes of it.

        Raises:
            OSError: no descriptor or memory is left for it; nothing has been started.
        """
        words = encode(plan)
        python = plan.python and True in self._forkers
        while (worker := self._waiting(python, plan.namespace)) is not None:
            assert worker.channel is not None  # noqa: S101 - it waits
            worker.uid = plan.uid
            try:
                _pass(worker.channel, words)
            except ConnectionError:  # killed while it waited
                self._unwatch(worker)
            else:
                self._busy[plan.uid] = worker
                return
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            ours.setblocking(False)
            _pass(ours, words)
        except OSError:
            ours.close()
            theirs.close()
            raise
        worker = self._busy[plan.uid] = Worker(plan.uid, ours, python, plan.namespace)
        asyncio.get_running_loop().add_reader(ours, self._hear, worker)
        self._forkers[python].fork(worker, theirs)

    def adopt(self, uid: str, pidfd: int) -> None:
        """Watch a shim that an earlier kubelet had forked; the descriptor is this one's from now on."""
        self._busy[uid] = worker = Worker(uid, None, False, "")
        self._forked(worker, pidfd)

    def signal(self, uid: str, number: int) -> bool:
        """Signal the shim of a pod, which hears it also where it has been stopped; False where there is none."""
        worker = self._busy.get(uid)
        if worker is None or worker.pidfd < 0:
            return False
        worker.signalled = True
        try:
            signal.pidfd_send_signal(worker.pidfd, number)
            signal.pidfd_send_signal(worker.pidfd, signal.SIGCONT)
        except ProcessLookupError:
            return False
        return True

    # -- workers that wait --------------------------------------------------------------------------------------------

    def _waiting(self, python: bool, namespace: str) -> Worker | None:
        """The one of this kind and namespace that had a pod last; it waits no more."""
        for worker in reversed(self._idle):
            if worker.python == python and worker.namespace == namespace:
                self._idle.remove(worker)
                return worker
        return None

    def _free(self, worker: Worker) -> None:
        """It would take another pod."""
        self._busy.pop(worker.uid)
        worker.uid = ""
        if worker.signalled:
            self._unwatch(worker)
            return
        self._idle.append(worker)
        alike = [other for other in self._idle if other.python == worker.python]
        if len(alike) > _IDLE:
            self._dismiss(alike[0])
        loop = asyncio.get_running_loop()
        self._last_free = loop.time()
        if self._quiet is None:
            self._quiet = loop.call_later(_IDLE_SECONDS, self._thin_out)

    def _thin_out(self) -> None:
        loop = asyncio.get_running_loop()
        due = self._last_free + _IDLE_SECONDS
        if loop.time() < due:
            self._quiet = loop.call_at(due, self._thin_out)
            return
        self._quiet = None
        for python in self._forkers:
            for worker in [worker for worker in self._idle if worker.python == python][:-1]:
                self._dismiss(worker)

    def _dismiss(self, worker: Worker) -> None:
        self._idle.remove(worker)
        self._unwatch(worker)

    def _unwatch(self, worker: Worker) -> None:
        """Let go of its descriptors; where it waits for a pod, it ends thereby."""
        loop = asyncio.get_running_loop()
        if worker.channel is not None:
            loop.remove_reader(worker.channel)
            worker.channel.close()
            worker.channel = None
        if worker.pidfd >= 0:
            loop.remove_reader(worker.pidfd)
            os.close(worker.pidfd)
            worker.pidfd = -1

    # -- what is heard ------------------------------------------------------------------------------------------------

    def _forked(self, worker: Worker, pidfd: int) -> None:
        worker.pidfd = pidfd
        if worker.channel is None:
            self._watch_end(worker)
        if worker.uid:
            self._listener.shim_started(worker.uid)

    def _hear(self, worker: Worker) -> None:
        assert worker.channel is not None  # noqa: S101 - it is what is read
        try:
            said = worker.channel.recv(records.LONGEST_WORD)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if said:
            self._spoke(decode(said), worker)
        else:
            self._ends(worker)

    def _spoke(self, state: dict[str, Any], worker: Worker) -> None:
        self._listener.shim_spoke(state)
        if state["free"] and worker.channel is not None:
            self._free(worker)

    def _ends(self, worker: Worker) -> None:
        """It has closed its channel, and is about to be no more."""
        assert worker.channel is not None  # noqa: S101 - it has just been read
        if not worker.uid:
            self._dismiss(worker)
            return
        asyncio.get_running_loop().remove_reader(worker.channel)
        worker.channel.close()
        worker.channel = None
        self._watch_end(worker)

    def _watch_end(self, worker: Worker) -> None:
        if worker.pidfd >= 0:  # else its zygote tells it, or dies
            asyncio.get_running_loop().add_reader(worker.pidfd, self._ended, worker)

    def _ended(self, worker: Worker) -> None:
        self._unwatch(worker)
        if self._busy.pop(worker.uid, None) is not None:
            self._listener.shim_ended(worker.uid)

    def _hear_others(self) -> None:
        """Shims whose kubelet was another one."""
        assert self._ear is not None  # noqa: S101 - it is what is read
        try:
            state = decode(self._ear.recv(1 << 17))
        except (BlockingIOError, DecodeError):
            return
        if isinstance(state, dict) and isinstance(state.get("uid"), str):
            self._listener.shim_spoke(state)

    def _zygote_died(self, forker: Forker, lost: list[Worker]) -> None:
        """Workers it had been asked for, and did not say it had forked, may live or not: pods' directories tell."""
        if self._closed:
            return
        _log.error("the process that forks pods (pid %d) died; another one is started", forker.pid)
        for worker in lost:
            self._unwatch(worker)
            if self._busy.pop(worker.uid, None) is not None:
                self._listener.shim_ended(worker.uid, forked=False)
        forker.restart_soon()


def _pass(channel: socket.socket, words: bytes) -> None:
    """Give a worker a plan."""
    if len(words) <= records.LONGEST_WORD:
        channel.send(words)
        return
    memory = os.memfd_create("plan", os.MFD_CLOEXEC)
    with os.fdopen(memory, "wb") as file:
        file.write(words)
        file.flush()
        os.lseek(memory, 0, os.SEEK_SET)
        socket.send_fds(channel, [b"plan"], [memory])


def _bind(path: Path) -> socket.socket:
    """The kubelet's ear, by way of its directory's descriptor: the path may be longer than an address may be."""
    path.unlink(missing_ok=True)
    ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    directory = os.open(path.parent, os.O_PATH | os.O_CLOEXEC)
    try:
        ear.bind(f"/proc/self/fd/{directory}/{path.name}")
    finally:
        os.close(directory)
    return ear
