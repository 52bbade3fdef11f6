"""Events about pods, as `kubectl describe` shows them. Called by the kubelet; a failure to write one is only logged.

Warnings are always told. What is normal is told of pods that run long enough to be looked at (see
`Limits.running_after`): four Events for each of a thousand steps of a millisecond would cost more than the steps.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Literal

from tiphys.errors import TiphysError
from tiphys.kit.clock import Clock, rfc3339
from tiphys.kube.client.api import Client
from tiphys.kube.objects.resources import served
from tiphys.kubelet.tasks import Tasks

__all__ = ["Recorder"]

_log = logging.getLogger(__name__)
_EVENTS = served("", "events")


class Recorder:
    """Writes Events in the background; the same one about the same pod only once."""

    def __init__(self, client: Client, tasks: Tasks, clock: Clock, node: str) -> None:
        self._client = client
        self._tasks = tasks
        self._clock = clock
        self._node = node
        self._told: dict[str, set[tuple[str, str]]] = {}
        self._last = 0

    def tell(self, pod: Mapping[str, Any], kind: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        """Record that this happened to a pod."""
        told = self._told.setdefault(pod["metadata"]["uid"], set())
        if (reason, message) not in told:
            told.add((reason, message))
            self._tasks.spawn(self._write(pod["metadata"], self._moment(), kind, reason, message))

    def _moment(self) -> int:
        """Nanoseconds, ever later: Events are named by them, as Kubernetes does, and so listed in their order."""
        self._last = max(self._last + 1, int(self._clock().timestamp() * 1e9))
        return self._last

    def started(self, pod: Mapping[str, Any]) -> None:
        """The pod runs."""
        meta = pod["metadata"]
        where = f"{meta['namespace']}/{meta['name']}"
        self.tell(pod, "Normal", "Scheduled", f"Successfully assigned {where} to {self._node}")
        for container in pod["spec"]["containers"]:
            name, image = container["name"], container.get("image", "")
            self.tell(pod, "Normal", "Pulled", f'Container image "{image}" stands for commands of this machine')
            self.tell(pod, "Normal", "Created", f"Created container: {name}")
            self.tell(pod, "Normal", "Started", f"Started container {name}")

    def record(self, pod: Mapping[str, Any], state: Mapping[str, Any]) -> None:
        """Tell what is wrong according to a pod's record: containers that could not be started, or start over."""
        meta = pod["metadata"]
        for one in state["containers"]:
            if one["reason"] in ("StartError", "ContainerCannotRun"):
                self.tell(pod, "Warning", "Failed", f"Error: {one['message']}")
            elif one["reason"] == "CrashLoopBackOff":
                what = f"{one['name']} in pod {meta['name']}_{meta['namespace']}({meta['uid']})"
                self.tell(pod, "Warning", "BackOff", f"Back-off restarting failed container {what}")

    def forget(self, uid: str) -> None:
        """The pod is no more."""
        self._told.pop(uid, None)

    async def _write(self, meta: Mapping[str, Any], moment: int, kind: str, reason: str, message: str) -> None:
        now = rfc3339(self._clock())
        about = {key: meta[key] for key in ("name", "namespace", "uid")}
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{meta['name'][:200]}.{moment:x}", "namespace": meta["namespace"]},
            "involvedObject": {"apiVersion": "v1", "kind": "Pod", **about},
            "type": kind,
            "reason": reason,
            "message": message[:1024],
            "source": {"component": "kubelet", "host": self._node},
            "reportingComponent": "kubelet",
            "reportingInstance": self._node,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        try:
            await self._client.create(_EVENTS, event, meta["namespace"])
        except TiphysError as error:
            _log.warning("event %s of pod %s/%s not written: %s", reason, meta["namespace"], meta["name"], error)
