"""What the kubelet holds of a pod while it is responsible for it. Plain state: `kubelet` and its parts decide on it."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from tiphys.kit.clock import from_rfc3339

__all__ = ["Pod", "Stage"]

_GRACE_SECONDS = 30.0
_FIRED_SECONDS = 60.0  # after which a timer has been called for sure, and need not be kept
_GONE_SECONDS = 2.0  # Kubernetes' least


class Stage(Enum):
    """How far a pod has come."""

    QUEUED = "queued"  # its turn has not come, or it waits for something it refers to
    STARTING = "starting"  # what it refers to is being read
    RUNNING = "running"  # handed to a zygote: processes may live
    ENDED = "ended"  # nothing of it lives; the end is being reported
    DONE = "done"  # its last status is written


class Pod:
    """See the module.

    Attributes:
        value: the object, as it was seen last; {} when it is done, so that thousands of ended pods cost little.
        start: when the kubelet took it on; None before.
        state: the record of its shim, as it was read last.
        deadline: activeDeadlineSeconds as it is enforced.
        stopping: its end has been ordered.
        gone: the object is no more.
        wanted: the status to be written, None when the newest is written.
        shown: the status that was written last.
        writing: the task that writes.
        written: the resource version that our last write made.
    """

    def __init__(self, value: dict[str, Any]) -> None:
        self.value = value
        self.uid: str = value["metadata"]["uid"]
        self.name: str = value["metadata"]["name"]
        self.namespace: str = value["metadata"].get("namespace", "")
        self.stage = Stage.QUEUED
        told = (value.get("status") or {}).get("startTime")
        self.start: dt.datetime | None = from_rfc3339(told) if told else None
        self.state: dict[str, Any] | None = None
        self.deadline: Any = value["spec"].get("activeDeadlineSeconds")
        self.stopping = False
        self.gone = False
        self.wanted: dict[str, Any] | None = None
        self.shown: dict[str, Any] | None = None
        self.writing: asyncio.Task[None] | None = None
        self.written = ""
        self._timers: list[asyncio.TimerHandle] = []

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def grace(self) -> float:
        """Seconds between SIGTERM and SIGKILL; few where the object is gone: it was deleted without a grace period."""
        return min(self._grace, _GONE_SECONDS) if self.gone else self._grace

    @property
    def _grace(self) -> float:
        for where, name in (("metadata", "deletionGracePeriodSeconds"), ("spec", "terminationGracePeriodSeconds")):
            seconds = self.value[where].get(name)
            if seconds is not None:
                return float(seconds)
        return _GRACE_SECONDS

    def time_left(self, now: dt.datetime) -> float | None:
        """Seconds of activeDeadlineSeconds that are left; None where there is no deadline, or it does not run yet."""
        seconds = self.value["spec"].get("activeDeadlineSeconds")
        if seconds is None or self.start is None:
            return None
        return max(0.0, float(seconds) - (now - self.start).total_seconds())

    def containers(self) -> list[str]:
        """Names of its containers but the init containers."""
        return [str(container["name"]) for container in self.value["spec"]["containers"]]

    def records(self) -> list[Mapping[str, Any]]:
        """What its record says of each container."""
        return list((self.state or {}).get("containers", ()))

    def later(self, seconds: float, call: Callable[[Pod], None]) -> None:
        """Have this called with the pod, unless `settle` comes before."""
        loop = asyncio.get_running_loop()
        self._timers = [timer for timer in self._timers if timer.when() > loop.time() - _FIRED_SECONDS]
        self._timers.append(loop.call_later(max(0.0, seconds), call, self))

    def settle(self) -> None:
        """Nothing is due by the clock any more."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
