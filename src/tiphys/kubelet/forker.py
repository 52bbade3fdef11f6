"""A zygote from the kubelet's side: it is started, asked for workers, and started again when it has died."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path

from tiphys.errors import TiphysError
from tiphys.kit.codec import decode, encode
from tiphys.kubelet.settings import KubeletSettings, python_environment
from tiphys.kubelet.workers import FORK

__all__ = ["Forker", "Worker"]

_log = logging.getLogger(__name__)
_READY_SECONDS = 30.0
_RESTART_SECONDS = 1.0
_END_SECONDS = 1.0
_TRIES = 5


class Worker:
    """A process that supervises pods. Plain state: `supervisor` decides on it.

    Attributes:
        channel: to it; None where an earlier kubelet had it forked, and when it has closed its end.
        python: forked by the zygote with Python modules loaded.
        namespace: whose pods it takes.
        uid: of its pod; "" while it waits for one.
        pidfd: -1 until its zygote has told it.
        signalled: while it has had this pod: the signal might come late, so it takes no other.
    """

    __slots__ = ("channel", "namespace", "pidfd", "python", "signalled", "uid")

    def __init__(self, uid: str, channel: socket.socket | None, python: bool, namespace: str) -> None:
        self.uid = uid
        self.channel = channel
        self.python = python
        self.namespace = namespace
        self.pidfd = -1
        self.signalled = False


class Forker:
    """See the module.

    Args:
        python: the one with Python modules loaded.
        forked: told a worker and its pidfd, whose descriptor is the callee's from then on.
        died: told of the process's death, with the workers it had been asked for and did not say it had forked: they
            may live or not. The callee may `restart_soon`.
    """

    def __init__(
        self,
        settings: KubeletSettings,
        python: bool,
        forked: Callable[[Worker, int], None],
        died: Callable[[Forker, list[Worker]], None],
    ) -> None:
        self._settings = settings
        self._python = python
        self._forked = forked
        self._died = died
        self._socket: socket.socket | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._asked: deque[Worker] = deque()
        self._unsent: deque[tuple[Worker, socket.socket]] = deque()
        self._ready: asyncio.Future[str] | None = None
        self._restarting: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """Of the process; 0 when there is none."""
        return self._process.pid if self._process is not None else 0

    async def begin(self) -> str:
        """`start`, and once more each time it is killed on its way, but not for ever."""
        for _ in range(_TRIES - 1):
            try:
                return await self.start()
            except TiphysError:
                if self._process is None or self._process.returncode != -signal.SIGKILL:
                    raise
        return await self.start()

    async def start(self) -> str:
        """Start it and wait until it can fork; returns why there are no mount namespaces, or ""."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        loop = asyncio.get_running_loop()
        self._ready = loop.create_future()
        try:
            with theirs, (self._settings.root / "zygote.log").open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    *_command(self._settings, self._python, theirs.fileno()),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=(theirs.fileno(),),
                    cwd="/",
                    # Nothing of the server's environment reaches a pod, not even /proc/PID/environ of a Python step.
                    env={"PATH": os.defpath, "LANG": "C.UTF-8"},
                )
        except BaseException:  # let go of while it was being made: it ends when nobody holds the other end
            ours.close()
            raise
        self._socket = ours
        loop.add_reader(ours, self._read)
        try:
            return await asyncio.wait_for(asyncio.shield(self._ready), _READY_SECONDS)
        except (TimeoutError, ConnectionError) as error:
            self._hang_up()
            await self._gone()
            said = (self._settings.root / "zygote.log").read_text(errors="replace").strip().splitlines()[-1:]
            why = said[0] if said else "it said nothing"
            raise TiphysError(f"the process that forks pods does not start: {why}") from error

    def fork(self, worker: Worker, channel: socket.socket) -> None:
        """Ask for a worker; its end of the channel is closed here when it is sent."""
        self._unsent.append((worker, channel))
        self._send()

    def close(self) -> None:
        """End it, by closing its socket; what it was asked for it still forks."""
        self._hang_up()
        if self._restarting is not None:
            self._restarting.cancel()
        for _worker, channel in self._unsent:
            channel.close()
        self._unsent.clear()

    def _hang_up(self) -> None:
        if self._socket is not None:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._socket)
            loop.remove_writer(self._socket)
            self._socket.close()
            self._socket = None

    async def end(self) -> None:
        """Close it, and wait until it has forked what it was asked for and gone."""
        self.close()
        await self._gone()

    async def _gone(self) -> None:
        """Wait for its end, not for long."""
        if self._process is not None:
            try:
                await asyncio.wait_for(self._process.wait(), _END_SECONDS)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()

    def restart_soon(self) -> None:
        """Start it again; what is asked for meanwhile waits."""
        self._restarting = asyncio.get_running_loop().create_task(self._restart())

    async def _restart(self) -> None:
        while True:
            try:
                await self.start()
            except (TiphysError, OSError) as error:
                _log.error("%s; trying again", error)
                await asyncio.sleep(_RESTART_SECONDS)
            else:
                self._send()
                return

    def _send(self) -> None:
        while self._unsent and self._socket is not None and self._ready is not None and self._ready.done():
            worker, channel = self._unsent[0]
            try:
                socket.send_fds(self._socket, [FORK], [channel.fileno()])
            except BlockingIOError:
                asyncio.get_running_loop().add_writer(self._socket, self._send)
                return
            except OSError:
                return  # it died; `_read` sees it, and what is unsent goes to the next one
            self._unsent.popleft()
            channel.close()
            self._asked.append(worker)
        if self._socket is not None and not self._unsent:
            asyncio.get_running_loop().remove_writer(self._socket)

    def _read(self) -> None:
        assert self._socket is not None and self._ready is not None  # noqa: S101, PT018 - it is what is read
        while self._socket is not None:
            try:
                data, fds, _flags, _address = socket.recv_fds(self._socket, 4096, 1)
            except BlockingIOError:
                return
            except ConnectionError:
                data, fds = b"", []
            if not data:
                self._lost()
            elif fds:
                self._forked(self._asked.popleft(), fds[0])
            elif not self._ready.done():
                self._ready.set_result(decode(data)["refused"])

    def _lost(self) -> None:
        lost, self._asked = list(self._asked), deque()
        self._hang_up()
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(ConnectionError("ended"))
            return
        self._died(self, lost)


def _command(settings: KubeletSettings, python: bool, fd: int) -> list[str]:
    kept = python_environment()
    hidden = settings.hidden and os.path.realpath(settings.hidden)
    told = {
        "root": str(settings.root),
        "sandbox": settings.sandbox,
        "preload": list(settings.preload) if python else [],
        "kept": kept,
        # An environment that lies in it is needed more.
        "hidden": "" if any(path.startswith(f"{hidden}/") for path in kept) else hidden,
        "socket": fd,
        "open_files": settings.open_files,
    }
    start = "from tiphys.kubelet.zygote import main; main()"
    if python:
        return [sys.executable, "-c", start, encode(told).decode()]
    # Without site: half the modules, hence half the fork. It runs no program of anybody else.
    start = f"import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r}); {start}"
    return [sys.executable, "-I", "-S", "-c", start, encode(told).decode()]
