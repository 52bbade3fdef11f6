"""Whose turn it is to start: first come, first served, as many at once as the settings say. Called by the kubelet."""

from __future__ import annotations

from collections import deque

from tiphys.kubelet.pod import Pod, Stage
from tiphys.kubelet.settings import Limits

__all__ = ["Turns"]


class Turns:
    """See the module."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._queue: deque[Pod] = deque()
        self._live: set[str] = set()
        self._fresh: set[str] = set()
        self._closed = False

    def add(self, pod: Pod, *, first: bool = False) -> None:
        """It waits for its turn."""
        if first:
            self._queue.appendleft(pod)
        else:
            self._queue.append(pod)

    def next(self) -> Pod | None:
        """The pod whose turn it is now; from here on it counts as alive and as starting."""
        while not self._closed and len(self._live) < self._limits.pods and len(self._fresh) < self._limits.starts:
            if not self._queue:
                break
            pod = self._queue.popleft()
            if pod.stage is Stage.QUEUED:  # not deleted meanwhile
                self._fresh.add(pod.uid)
                self._live.add(pod.uid)
                return pod
        return None

    def adopted(self, pod: Pod) -> None:
        """It lives already."""
        self._live.add(pod.uid)

    def settled(self, pod: Pod) -> None:
        """It has come through its start."""
        self._fresh.discard(pod.uid)

    def ended(self, pod: Pod) -> None:
        """It lives no more."""
        self._fresh.discard(pod.uid)
        self._live.discard(pod.uid)

    def close(self) -> None:
        """Nothing starts any more."""
        self._closed = True
        self._queue.clear()
