"""Events about pods, as `kubectl describe` shows them. Called by the kubelet; a failure to write one is only logged."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Literal

from tiphys.errors import TiphysError
from tiphys.kit.clock import Clock, rfc3339
from tiphys.kit.names import random_suffix
from tiphys.kube.client.api import Client
from tiphys.kube.objects.resources import served

__all__ = ["Recorder"]

_log = logging.getLogger(__name__)
_EVENTS = served("", "events")


class Recorder:
    """Writes Events in the background; the same one about the same pod only once."""

    def __init__(self, client: Client, clock: Clock, node: str, *, normal: bool) -> None:
        self._client = client
        self._clock = clock
        self._node = node
        self._normal = normal
        self._told: set[tuple[str, str, str]] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def tell(self, pod: Mapping[str, Any], kind: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        """Record that this happened to a pod."""
        told = (pod["metadata"]["uid"], reason, message)
        if told in self._told or (kind == "Normal" and not self._normal):
            return
        self._told.add(told)
        task = asyncio.get_running_loop().create_task(self._write(pod, kind, reason, message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def forget(self, uid: str) -> None:
        """The pod is no more."""
        if self._told:
            self._told = {told for told in self._told if told[0] != uid}

    async def _write(self, pod: Mapping[str, Any], kind: str, reason: str, message: str) -> None:
        meta = pod["metadata"]
        now = rfc3339(self._clock())
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{meta['name'][:200]}.{random_suffix(12)}", "namespace": meta["namespace"]},
            "involvedObject": {
                "apiVersion": "v1",
                "kind": "Pod",
                "name": meta["name"],
                "namespace": meta["namespace"],
                "uid": meta["uid"],
            },
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
