"""The supervisor of one pod: starts its containers, sees every end, keeps the logs, and outlives the server.

Run by a worker (`workers`); `supervise` returns when the pod has ended and its record is on disk. It depends on nobody
it talks to: what it knows is in `state`, what is ordered of it in `stop.json` (with SIGTERM). The kubelet is told by
the worker's channel; where that kubelet has gone, a datagram tells the one that came after it, if there is one. See
`records` for the files and the docs on supervision.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import signal
import socket
import sys
import time

from tiphys.kubelet import records, syscalls
from tiphys.kubelet.container import Container, Host
from tiphys.kubelet.payload import remove_tree, write_payload
from tiphys.kubelet.process import Become, end_children

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["supervise"]

_SIGNALS = (signal.SIGCHLD, signal.SIGTERM)  # blocked when it begins and when it has ended
_AGAIN_SECONDS = 0.5  # between attempts to write the final record on a full disk, or to tell the kubelet


def supervise(host: Host, plan: dict[str, Any], channel: socket.socket, *, again: bool) -> bool:
    """Run the pod to its end; whether the kubelet was told that this process is free for another one.

    Args:
        channel: to the kubelet that gave the plan.
        again: it would take another one.

    Raises:
        Become: in the forked process of a Python step only.
    """
    try:
        pod_dir = os.open(f"{host.root}/pods/{plan['uid']}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        state = records.claim(pod_dir)
    except OSError as error:  # the disk is full, or the pod was deleted: the kubelet knows
        sys.exit(f"pod {plan['uid']} cannot be claimed: {error}")
    if state < 0:
        return False  # somebody has started this pod already
    shim = _Shim(host, plan, pod_dir, state, channel, again)
    try:
        shim.run()
    except Become:
        raise
    except Exception as error:  # noqa: BLE001 - the top of a process: whatever it is, nobody else can tell it
        # The disk, memory or process table gave out under the supervision itself: told as it is, nothing left behind.
        shim.give_up(error)
    shim.close()
    return shim.free


class _Shim:
    def __init__(
        self, host: Host, plan: dict[str, Any], pod_dir: int, state_fd: int, channel: socket.socket, again: bool
    ) -> None:
        self._host = host
        self._plan = plan
        self._pod_dir = pod_dir
        self._state_fd = state_fd
        self._channel: socket.socket | None = channel
        self._again = again
        self.free = False
        self._reason = ""
        self._message = ""
        self._stopping = False
        self._kill_at: float | None = None
        self._captured: dict[str, Any] = {}
        self._untold = False
        self._deadline = None if plan["deadline"] is None else time.monotonic() + plan["deadline"]
        self._init = [Container(host, plan, c, pod_dir, init=True) for c in plan["init"]]
        self._mains = [Container(host, plan, c, pod_dir, init=False) for c in plan["containers"]]
        self._all = self._init + self._mains
        self._poll = select.poll()
        self._wakers: tuple[int, ...] = ()

    # -- the loop -----------------------------------------------------------------------------------------------------

    def run(self) -> None:
        syscalls.set_subreaper()
        reader, writer = self._wakers = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(writer)
        for number in _SIGNALS:
            signal.signal(number, lambda _number, _frame: None)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        self._poll.register(reader, select.POLLIN)
        self._make_volumes()
        if os.access(records.STOP, os.F_OK, dir_fd=self._pod_dir):
            self._obey()
        while not self._advance():
            if self._untold:
                self._tell()
            for fd, _event in self._poll.poll(self._patience()):
                if fd == reader:
                    self._signals(os.read(reader, 512))
                else:
                    self._pump(fd)
            self._check_clock()
        self._finish()

    def _patience(self) -> float | None:
        """Milliseconds until something is due by the clock."""
        due = [moment for moment in (self._kill_at, None if self._stopping else self._deadline) if moment is not None]
        due += [c.again_at for c in self._all if c.again_at is not None and not self._stopping]
        if self._untold:
            due.append(time.monotonic() + _AGAIN_SECONDS)
        return max(0.0, min(due) - time.monotonic()) * 1000 + 1 if due else None

    def _signals(self, numbers: bytes) -> None:
        if signal.SIGTERM in numbers:
            self._obey()
        self._reap()

    def _check_clock(self) -> None:
        now = time.monotonic()
        if self._deadline is not None and now >= self._deadline and not self._stopping:
            self._stop(
                "DeadlineExceeded",
                "Pod was active on the node longer than the specified deadline",
                self._plan["grace"],
            )
        if self._kill_at is not None and now >= self._kill_at:
            self._kill_at = None
            for container in self._all:
                container.signal(signal.SIGKILL)

    def _pump(self, fd: int) -> None:
        for container in self._all:
            if container.owns(fd) and not container.pump(fd):
                self._poll.unregister(fd)
                os.close(fd)

    # -- starting and ending ------------------------------------------------------------------------------------------

    def _advance(self) -> bool:
        """Start what may start now; True when nothing of the pod will run any more."""
        if self._stopping:
            return not any(c.running for c in self._all)
        for container in self._init:
            if not container.succeeded:
                return self._run_or_restart([container])
        if self._plan["ends_with"]:
            decisive = next((c for c in self._mains if c.name == self._plan["ends_with"]), None)
            if decisive is not None and decisive.ended and decisive.again_at is None and not decisive.waiting:
                self._stop("", "", self._plan["grace"])
                return not any(c.running for c in self._all)
        return self._run_or_restart(self._mains)

    def _run_or_restart(self, containers: list[Container]) -> bool:
        """True when all have ended for good."""
        now = time.monotonic()
        started = [c for c in containers if c.waiting and (c.again_at is None or c.again_at <= now)]
        if started:
            for container in started:
                container.prepare()
            # That it starts at all is known to who asked for it; most end before it would matter.
            self._write(tell=started[0] is not self._all[0] or started[0].state["attempt"] > 0)
            for container in started:
                for fd in container.start():
                    self._poll.register(fd, select.POLLIN)
                if container.ended:
                    self._container_ended(container)
            if not self._host.namespaces:
                self._write(tell=False)  # which processes they are: nothing else marks what descends from them
        return all(c.ended and not c.waiting for c in containers)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._reaped(pid, status)

    def _reaped(self, pid: int, status: int) -> None:
        container = next((c for c in self._all if c.pid == pid and c.running), None)
        if container is None:
            return  # an orphan that descended from a container
        container.exited(status)
        alone = not any(c.running for c in self._all)
        others = {c.pid for c in self._all if c.running}
        end_children(lambda child: child not in others and (alone or container.made(child)), self._reaped)
        self._container_ended(container)

    def _container_ended(self, container: Container) -> None:
        for fd in container.drain():
            self._poll.unregister(fd)
            os.close(fd)
        self._captured |= container.conclude()
        container.plan_restart(self._plan["restart_policy"], self._plan["backoff"])
        if not all(c.ended and not c.waiting for c in self._mains):
            self._write(tell=True)

    def _obey(self) -> None:
        order = records.read_json(self._pod_dir, records.STOP) or {}
        self._stop(order.get("reason", ""), order.get("message", ""), order.get("grace", self._plan["grace"]))

    def _stop(self, reason: str, message: str, grace: float) -> None:
        """End the pod; a second order can only make it quicker."""
        self._reason, self._message = self._reason or reason, self._message or message
        kill_at = time.monotonic() + grace
        self._kill_at = kill_at if self._kill_at is None else min(self._kill_at, kill_at)
        if not self._stopping:
            self._stopping = True
            for container in self._all:
                container.signal(signal.SIGTERM)

    # -- files --------------------------------------------------------------------------------------------------------

    def _make_volumes(self) -> None:
        for volume in self._plan["volumes"]:
            if volume["files"] is not None:
                os.makedirs(volume["path"])
                write_payload(volume["path"], volume["files"], "0")
            elif volume["create"]:
                os.makedirs(volume["path"], exist_ok=True)
                os.chmod(volume["path"], 0o777)  # noqa: S103 - as Kubernetes makes them

    def _state(self, final: bool) -> dict[str, Any]:
        return {
            "uid": self._plan["uid"],
            "pid": os.getpid(),
            "final": final,
            "reason": self._reason,
            "message": self._message,
            "containers": [c.state for c in self._all],
            "captured": self._captured,
        }

    def _write(self, tell: bool) -> None:
        """Make what is known durable, before its effect; a full disk holds nothing up: the kubelet is told by word."""
        try:
            records.append(self._state_fd, self._state(False))
        except OSError:
            tell = True
        if tell:
            self._tell()

    def _tell(self, final: bool = False) -> None:
        value = {**self._state(final), "free": final and self._again}
        data = json.dumps(value).encode()
        if len(data) > records.LONGEST_WORD:
            data = json.dumps({key: value[key] for key in ("uid", "final", "free")}).encode()
        try:
            self.free = self._told_by_channel(data) and value["free"]
            if self._channel is None:
                self._tell_whoever_is_there(data)
        except OSError as error:
            # Nobody listens: a kubelet that starts reads the files. Its queue is full: once more, later.
            self._untold = error.errno == errno.EAGAIN
        else:
            self._untold = False

    def _told_by_channel(self, data: bytes) -> bool:
        """False where its other end is gone, and with it the kubelet that knew this process."""
        if self._channel is not None:
            try:
                self._channel.send(data, socket.MSG_DONTWAIT)
            except ConnectionError:
                self._channel = None
        return self._channel is not None

    def _tell_whoever_is_there(self, data: bytes) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaker:
            # By way of the descriptor: the path may be longer than a socket's address may be.
            speaker.sendto(data, socket.MSG_DONTWAIT, f"/proc/self/fd/{self._pod_dir}/../../{records.NOTIFY}")

    def _finish(self) -> None:
        # What would not go stays with this process, until it ends with it.
        self._again = end_children(lambda _child: True, lambda _pid, _status: None) and self._again
        self._host.leave()
        with contextlib.suppress(OSError):  # the kubelet removes it with the pod's other files
            remove_tree(self._plan["memory"])
        while self._state_fd >= 0:
            try:
                records.append(self._state_fd, self._state(True))
            except OSError:
                self._again = False
                self._tell(final=True)
                time.sleep(_AGAIN_SECONDS)
            else:
                # Before anybody hears of the end: who finds the lock held may signal its holder.
                os.close(self._state_fd)
                self._state_fd = -1
        # Sooner than the end of this process is seen, which has namespaces to take down before.
        self._tell(final=True)

    def give_up(self, error: Exception) -> None:
        """The supervision itself failed: end everything and say so."""
        self._again = False
        end_children(lambda _child: True, lambda _pid, _status: None)
        self._reason, self._message = "SupervisionFailed", f"the supervision of this pod failed: {error}"
        for container in self._all:
            container.lost(self._message)
        self._finish()

    def close(self) -> None:
        """Let go of everything, after the end."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        signal.set_wakeup_fd(-1)
        for container in self._all:
            container.close()
        for fd in (*self._wakers, self._pod_dir):
            os.close(fd)
