"""The kubelet's hand in the processes outside: zygotes it starts, shims it watches, words it hears from them.

Called by `kubelet` only, on its event loop. A shim's death is seen by its pidfd, however it came about; a zygote's by
the end of its socket, and another one takes its place. Nothing here decides what a death means.
"""

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
from typing import Any, Protocol

from tiphys.errors import TiphysError
from tiphys.kit.codec import DecodeError, decode, encode
from tiphys.kubelet import records
from tiphys.kubelet.plan import Plan
from tiphys.kubelet.settings import KubeletSettings, python_environment

__all__ = ["Listener", "Supervisor"]

_log = logging.getLogger(__name__)
_READY_SECONDS = 30.0
_RESTART_SECONDS = 1.0
_END_SECONDS = 1.0
_TRIES = 5


class Listener(Protocol):
    """Who is told."""

    def shim_started(self, uid: str) -> None:
        """The shim of this pod is there and can be signalled."""
        ...

    def shim_spoke(self, state: dict[str, Any]) -> None:
        """A shim told its state, or only its pod's uid where the state is too large for a datagram."""
        ...

    def shim_ended(self, uid: str, *, forked: bool = True) -> None:
        """The shim of this pod is no more; not `forked`: its zygote died before it said that there is one."""
        ...


class Supervisor:
    """See the module."""

    def __init__(self, settings: KubeletSettings, listener: Listener) -> None:
        self._settings = settings
        self._listener = listener
        self._zygotes: dict[bool, _Zygote] = {}
        self._pidfds: dict[str, int] = {}
        self._forkers: dict[str, _Zygote] = {}
        self._early: set[str] = set()  # free before it was heard that they were there
        self._ear: socket.socket | None = None
        self._closed = False
        self.refused = ""

    async def start(self) -> None:
        """Start the zygotes and listen.

        Raises:
            TiphysError: they do not start.
        """
        self._ear = _bind(self._settings.root / records.NOTIFY)
        asyncio.get_running_loop().add_reader(self._ear, self._hear)
        for python in (False, True) if self._settings.preload else (False,):
            self._zygotes[python] = _Zygote(self._settings, python, self._forked, self._zygote_died)
        self.refused = (await asyncio.gather(*(zygote.begin() for zygote in self._zygotes.values())))[0]

    async def close(self) -> None:
        """Let the zygotes go; the shims stay."""
        self._closed = True
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(zygote.end() for zygote in self._zygotes.values()))
        for pidfd in self._pidfds.values():
            loop.remove_reader(pidfd)
            os.close(pidfd)
        self._pidfds.clear()
        if self._ear is not None:
            loop.remove_reader(self._ear)
            self._ear.close()
            (self._settings.root / records.NOTIFY).unlink(missing_ok=True)

    @property
    def processes(self) -> list[int]:
        """Pids of the zygotes."""
        return [zygote.pid for zygote in self._zygotes.values()]

    def launch(self, plan: Plan) -> None:
        """Have a shim forked for a pod; its directory is there. `shim_ended` is called whatever becomes of it."""
        zygote = self._forkers[plan.uid] = self._zygotes.get(plan.python) or self._zygotes[False]
        memory = os.memfd_create("plan", os.MFD_CLOEXEC)
        with open(memory, "wb", closefd=False) as file:
            file.write(encode(plan))
        os.lseek(memory, 0, os.SEEK_SET)
        zygote.fork(plan.uid, plan.namespace, memory)

    def adopt(self, uid: str, pidfd: int) -> None:
        """Watch a shim that an earlier kubelet had forked; the descriptor is this one's from now on."""
        self._forked(uid, pidfd)

    def signal(self, uid: str, number: int) -> bool:
        """Signal the shim of a pod, which hears it also where it has been stopped; False where there is none."""
        pidfd = self._pidfds.get(uid)
        if pidfd is None:
            return False
        try:
            signal.pidfd_send_signal(pidfd, number)
            signal.pidfd_send_signal(pidfd, signal.SIGCONT)
        except ProcessLookupError:
            return False
        return True

    def _forked(self, uid: str, pidfd: int) -> None:
        if uid in self._early:
            self._early.discard(uid)
            os.close(pidfd)
            self._let_go(uid)
            return
        self._pidfds[uid] = pidfd
        asyncio.get_running_loop().add_reader(pidfd, self._ended, uid)
        self._listener.shim_started(uid)

    def _ended(self, uid: str) -> None:
        self._forkers.pop(uid, None)
        self._unwatch(uid)
        self._listener.shim_ended(uid)

    def _unwatch(self, uid: str) -> None:
        pidfd = self._pidfds.pop(uid)
        asyncio.get_running_loop().remove_reader(pidfd)
        os.close(pidfd)

    def _freed(self, uid: str) -> None:
        """The shim of this pod would take another one: it is not signalled any more."""
        if uid in self._pidfds:
            self._unwatch(uid)
            self._let_go(uid)
        elif uid in self._forkers:
            self._early.add(uid)

    def _let_go(self, uid: str) -> None:
        if (zygote := self._forkers.pop(uid, None)) is not None:
            zygote.let_go(uid)

    def _hear(self) -> None:
        assert self._ear is not None  # noqa: S101 - it is what is read
        try:
            state = decode(self._ear.recv(1 << 17))
        except (BlockingIOError, DecodeError):
            return
        if isinstance(state, dict) and isinstance(state.get("uid"), str):
            self._listener.shim_spoke(state)
            if state.get("free"):
                self._freed(state["uid"])

    def _zygote_died(self, zygote: _Zygote, lost: list[str]) -> None:
        """Pods it had been asked to fork, and did not say it had, may run or not: their directories tell."""
        if self._closed:
            return
        _log.error("the process that forks pods (pid %d) died; another one is started", zygote.pid)
        for uid in lost:
            self._forkers.pop(uid, None)
            self._early.discard(uid)
            self._listener.shim_ended(uid, forked=False)
        zygote.restart_soon()


class _Zygote:
    """One of the forking processes, from the kubelet's side."""

    def __init__(
        self,
        settings: KubeletSettings,
        python: bool,
        forked: Callable[[str, int], None],
        died: Callable[[_Zygote, list[str]], None],
    ) -> None:
        self._settings = settings
        self._python = python
        self._forked = forked
        self._died = died
        self._socket: socket.socket | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._asked: deque[str] = deque()
        self._unsent: deque[tuple[str, int | None]] = deque()
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

    def fork(self, uid: str, namespace: str, plan: int) -> None:
        """Ask for a shim; `plan` is closed when it is sent."""
        self._unsent.append((f"{uid} {namespace}", plan))
        self._send()

    def let_go(self, uid: str) -> None:
        """Say that the shim of this pod is not signalled any more."""
        self._unsent.append((uid, None))
        self._send()

    def close(self) -> None:
        """End it, by closing its socket; what it was asked for it still forks."""
        self._hang_up()
        if self._restarting is not None:
            self._restarting.cancel()

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
            words, plan = self._unsent[0]
            try:
                socket.send_fds(self._socket, [words.encode()], [] if plan is None else [plan])
            except BlockingIOError:
                asyncio.get_running_loop().add_writer(self._socket, self._send)
                return
            except OSError:
                return  # it died; `_read` sees it, and what is unsent goes to the next one
            self._unsent.popleft()
            if plan is not None:
                os.close(plan)
                self._asked.append(words.partition(" ")[0])
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
                uid = data.decode()
                self._asked.remove(uid)
                self._forked(uid, fds[0])
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
