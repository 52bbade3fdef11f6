"""The processes that supervise pods, one after another: forked by the zygote, told by the kubelet what to do next.

A fork of Python costs milliseconds in page faults alone (measured: a third of a short step), so a worker whose pod has
ended takes the next one. It has a channel to the kubelet: a plan comes in, each state of the pod goes out, and with the
last one the word that it is free. Where the kubelet is gone, the channel is: a worker sees its pod through, and ends.

A worker stays with one namespace. A Python step is a fork of its worker, and could find in its memory what earlier pods
were given: of another namespace it never finds anything, and Secrets of its own any pod may have mounted.

Pods of an ordinary user have a user namespace each, which keeps them from each other's memory: there a worker whose pod
may be a fork of it ends with it.
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
import socket

from tiphys.kubelet import records
from tiphys.kubelet.shim import supervise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tiphys.kubelet.container import Host

__all__ = ["FORK", "serve"]

FORK = b"fork"
"""What the kubelet asks for, with a worker's end of a channel; the answer is the same word, with the worker's pidfd."""

_PODS = 100  # of one worker: what Python does not give back is bounded


def serve(host: Host, requests: socket.socket, open_files: tuple[int, int] | None = None) -> None:
    """Fork a worker each time the kubelet asks for one, until it closes its end. Returns in the zygote only.

    Args:
        open_files: soft and hard limit of pods; None for the zygote's own.

    Raises:
        Become: in the forked process of a Python step.
    """
    poll = select.poll()
    poll.register(requests, select.POLLIN)
    living: set[int] = set()  # pidfds
    while True:
        for fd, _event in poll.poll():
            if fd != requests.fileno():
                living.remove(fd)
                poll.unregister(fd)
                os.close(fd)
                _reap()
                continue
            channel = _asked(requests)
            if channel == _GONE:
                return
            if channel == _NOTHING:
                continue
            pidfd = _fork(host, requests, channel, living, open_files)
            living.add(pidfd)
            poll.register(pidfd, select.POLLIN)
            rights = array.array("i", [pidfd])
            with contextlib.suppress(BrokenPipeError):  # the kubelet has gone; the pod's lock tells the next one
                requests.sendmsg([FORK], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])


_GONE, _NOTHING = -1, -2


def _asked(requests: socket.socket) -> int:
    """The descriptor of the next worker's channel."""
    try:
        said, fds, flags, _address = socket.recv_fds(requests, 16, 1)
    except ConnectionResetError:
        return _NOTHING  # the kubelet has gone, and had not read all; what it had asked for comes all the same
    if flags & socket.MSG_CTRUNC:  # a channel that was lost: its pod comes again, to the zygote that follows
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    return fds[0] if said else _GONE


def _fork(
    host: Host, requests: socket.socket, channel: int, others: set[int], open_files: tuple[int, int] | None
) -> int:
    """Its pidfd: from before it can be reaped, so that it cannot be another process's."""
    child = os.fork()
    if child == 0:
        requests.close()
        for pidfd in others:
            os.close(pidfd)
        if open_files is not None:
            resource.setrlimit(resource.RLIMIT_NOFILE, open_files)
        os.set_inheritable(channel, False)
        _work(host, socket.socket(fileno=channel))
        os._exit(0)
    os.close(channel)
    return os.pidfd_open(child)


def _work(host: Host, channel: socket.socket) -> None:
    """In the worker: pod after pod, until it must end, or the kubelet has."""
    os.setsid()
    with contextlib.suppress(ConnectionError):  # the kubelet was killed, and had not read all
        for left in reversed(range(_PODS)):
            said, fds, _flags, _address = socket.recv_fds(channel, records.LONGEST_WORD, 1)
            if not said:
                return
            if fds:
                with open(fds[0], "rb") as file:
                    said = file.read()
            plan = json.loads(said)
            if not supervise(host, plan, channel, again=left > 0 and not (host.ordinary and host.python)):
                return
            gc.collect()


def _reap() -> None:
    """Collect workers that have ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
