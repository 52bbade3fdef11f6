"""The processes that supervise pods, one after another: forked by the zygote, told by it what to do next.

A fork of Python costs milliseconds in page faults alone (measured: a third of a short step), so a worker whose
pod has ended takes the next one. Between two pods it is let go of in three steps, so that nothing which is meant for
one pod can reach another: it tells the kubelet the pod's end; the kubelet, which will not signal it any more, says so
to the zygote; the worker then drops the signals that came meanwhile, and only now is ready.

A worker stays with one namespace. A Python step is a fork of its worker, and could find in its memory what earlier pods
were given: of another namespace it never finds anything, and Secrets of its own any pod may have mounted.

Where pods have a user namespace each (an ordinary user's), a worker cannot come back from it, and ends with its pod.
"""

from __future__ import annotations

import array
import contextlib
import errno
import gc
import json
import os
import resource
import select
import signal
import socket

from tiphys.kubelet.shim import SIGNALS, supervise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tiphys.kubelet.container import Host

__all__ = ["Workers"]

_PODS = 100  # of one worker: what Python does not give back is bounded
_IDLE = 8  # workers that wait for a pod, each with a few megabytes of its own
_IDLE_SECONDS = 10  # of quiet after which one is enough
_FREE, _READY = b"free", b"ready"


class _Worker:
    """One of them, from the zygote's side."""

    __slots__ = ("channel", "namespace", "pidfd", "uid")

    def __init__(self, channel: socket.socket, pidfd: int, namespace: bytes) -> None:
        self.channel = channel
        self.pidfd = pidfd
        self.namespace = namespace
        self.uid = b""


class Workers:
    """All of a zygote's.

    Args:
        requests: from the kubelet: a pod's uid and namespace with its plan, or the uid alone: its shim is not signalled
            any more. Each plan is answered with the uid and the shim's pidfd.
        open_files: soft and hard limit of pods; None for the zygote's own, which has two descriptors a worker.
    """

    def __init__(self, host: Host, requests: socket.socket, open_files: tuple[int, int] | None = None) -> None:
        self._host = host
        self._requests = requests
        self._open_files = open_files
        self._poll = select.poll()
        self._poll.register(requests, select.POLLIN)
        self._all: dict[int, _Worker] = {}
        self._busy: dict[bytes, _Worker] = {}
        self._idle: list[_Worker] = []
        self._ending: set[int] = set()  # pidfds

    def serve(self) -> None:
        """Until the kubelet closes its end. Returns in the zygote only.

        Raises:
            Become: in the forked process of a Python step.
        """
        while True:
            ready = self._poll.poll(_IDLE_SECONDS * 1000 if len(self._idle) > 1 else None)
            if not ready:
                for worker in self._idle[:-1]:
                    self._gone(worker)
            for fd, _event in ready:
                if fd == self._requests.fileno():
                    if not self._request():
                        return
                elif fd in self._all:
                    self._hear(self._all[fd])
                elif fd in self._ending:
                    self._ending.remove(fd)
                    self._poll.unregister(fd)
                    os.close(fd)
            _reap()

    def _request(self) -> bool:
        try:
            said, fds, flags, _address = socket.recv_fds(self._requests, 256, 1)
        except ConnectionResetError:
            return True  # the kubelet has gone, and had not read all; what it had asked for comes all the same
        if not said:
            return False
        uid, _, namespace = said.partition(b" ")
        if flags & socket.MSG_CTRUNC:  # a plan that was lost: it comes again, to the zygote that follows
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        if fds:
            self._launch(uid, namespace, fds[0])
            os.close(fds[0])
        elif (worker := self._busy.pop(uid, None)) is not None:
            self._let_go(worker)
        return True

    def _launch(self, uid: bytes, namespace: bytes, plan: int) -> None:
        worker = self._waiting(namespace) or self._fork(namespace, plan)
        while not _passed(worker, plan):  # killed while it waited
            self._gone(worker)
            worker = self._waiting(namespace) or self._fork(namespace, plan)
        worker.uid = uid
        self._busy[uid] = worker
        rights = array.array("i", [worker.pidfd])
        with contextlib.suppress(BrokenPipeError):  # the kubelet has gone; the pod's lock tells the next one
            self._requests.sendmsg([uid], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])

    def _waiting(self, namespace: bytes) -> _Worker | None:
        """The one of this namespace that had a pod last; it waits no more."""
        worker = next((worker for worker in reversed(self._idle) if worker.namespace == namespace), None)
        if worker is not None:
            self._idle.remove(worker)
        return worker

    def _fork(self, namespace: bytes, plan: int) -> _Worker:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        child = os.fork()
        if child == 0:
            ours.close()
            self._requests.close()
            os.close(plan)  # it comes again by the channel
            for worker in self._all.values():  # else it would keep the others from hearing the zygote's end
                worker.channel.close()
                os.close(worker.pidfd)
            for pidfd in self._ending:
                os.close(pidfd)
            if self._open_files is not None:
                resource.setrlimit(resource.RLIMIT_NOFILE, self._open_files)
            _work(self._host, theirs)
            os._exit(0)
        theirs.close()
        # Before the child can be reaped: it cannot be another process.
        worker = _Worker(ours, os.pidfd_open(child), namespace)
        self._all[ours.fileno()] = worker
        self._poll.register(ours, select.POLLIN)
        return worker

    def _let_go(self, worker: _Worker) -> None:
        """Its pod has ended, and nobody signals it any more."""
        worker.uid = b""
        try:
            worker.channel.send(_FREE)
        except OSError:
            self._gone(worker)

    def _hear(self, worker: _Worker) -> None:
        try:
            said = worker.channel.recv(16, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return  # the word was of one that is gone, whose descriptor's number this one has got
        except OSError:
            said = b""
        if not said:
            self._gone(worker)
            return
        self._idle.append(worker)
        if len(self._idle) > _IDLE:
            self._gone(self._idle[0])

    def _gone(self, worker: _Worker) -> None:
        """It has ended, or ends when its channel does; `serve` hears of that, so that it does not stay a zombie."""
        del self._all[worker.channel.fileno()]
        self._poll.unregister(worker.channel)
        worker.channel.close()
        self._ending.add(worker.pidfd)
        self._poll.register(worker.pidfd, select.POLLIN)
        if worker in self._idle:
            self._idle.remove(worker)
        if self._busy.get(worker.uid) is worker:
            del self._busy[worker.uid]


def _passed(worker: _Worker, plan: int) -> bool:
    try:
        socket.send_fds(worker.channel, [b"plan"], [plan])
    except OSError:
        return False
    return True


def _work(host: Host, channel: socket.socket) -> None:
    """In the worker: pod after pod, until it must end, or the zygote has."""
    os.setsid()
    with contextlib.suppress(ConnectionError):  # the zygote was killed, and had not read all
        for left in reversed(range(_PODS)):
            _said, fds, _flags, _address = socket.recv_fds(channel, 16, 1)
            if not fds:
                return
            with open(fds[0], "rb") as file:
                plan = json.loads(file.read())
            again = left > 0 and not host.ordinary
            if not supervise(host, plan, again=again) or not channel.recv(16):
                return
            while signal.sigtimedwait(SIGNALS, 0) is not None:
                pass
            channel.send(_READY)
            gc.collect()


def _reap() -> None:
    """Collect workers that have ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
