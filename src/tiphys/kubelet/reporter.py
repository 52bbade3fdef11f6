"""Tell the API how pods are: statuses, and what their steps left behind. Called by the kubelet.

Of several statuses of a pod only the newest is written. Both kinds of telling go on until they have succeeded: an API
that is away for a while costs time, not a result.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tiphys.errors import ApiError, ConnectError
from tiphys.kube.client.api import Client, Object
from tiphys.kube.objects.resources import served
from tiphys.kubelet.pod import Pod
from tiphys.kubelet.tasks import Tasks

__all__ = ["Captured", "OnCaptured", "Reporter"]

_log = logging.getLogger(__name__)
_PODS = served("", "pods")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0
_NO_MORE = (404, 409)  # deleted; deleted, and its name given to another


@dataclass(frozen=True, slots=True)
class Captured:
    """What was read for one entry of a pod's capture annotation; `data` is None where nothing could be, see `error`."""

    data: bytes | None
    truncated: bool = False
    error: str = ""


OnCaptured = Callable[[Object, Mapping[str, Captured]], Awaitable[None]]
"""Gets a pod that has ended and what it captured, before its last status is written; again after an error or a kill."""


class Reporter:
    """See the module."""

    def __init__(self, client: Client, tasks: Tasks, on_captured: OnCaptured | None) -> None:
        self._client = client
        self._tasks = tasks
        self._on_captured = on_captured

    def show(self, pod: Pod, status: dict[str, Any]) -> None:
        """Have a status written."""
        if status == (pod.wanted or pod.shown):
            return
        pod.wanted = status
        if pod.writing is None:
            pod.writing = self._tasks.spawn(self._write(pod))

    async def conclude(self, pod: Pod, final: dict[str, Any]) -> None:
        """Hand over what was captured, then write the last status; returns when both are done."""
        captured = (pod.state or {}).get("captured")
        if captured and self._on_captured is not None:
            await self._hand_over(pod, self._on_captured, {name: _captured(entry) for name, entry in captured.items()})
        self.show(pod, final)
        if pod.writing is not None:
            await asyncio.wait((pod.writing,))

    async def _hand_over(self, pod: Pod, on_captured: OnCaptured, captured: Mapping[str, Captured]) -> None:
        pause = _FIRST_PAUSE
        while not pod.gone:
            try:
                await on_captured(pod.value, captured)
            except (ApiError, ConnectError) as error:
                _log.warning("outputs of pod %s not reported, trying again: %s", pod, error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                return

    async def _write(self, pod: Pod) -> None:
        pause = _FIRST_PAUSE
        try:
            while (status := pod.wanted) is not None and not pod.gone:
                # The uid is a precondition: another pod may have this one's name by now.
                patch = {"metadata": {"uid": pod.uid}, "status": status}
                try:
                    item = await self._client.patch(_PODS, pod.name, patch, pod.namespace, subresource="status")
                except (ApiError, ConnectError) as error:
                    if isinstance(error, ApiError) and error.code in _NO_MORE:
                        return
                    _log.warning("status of pod %s not written, trying again: %s", pod, error)
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, _LONGEST_PAUSE)
                    continue
                pod.shown, pod.written = status, item.resource_version
                if pod.wanted is status:
                    return
        finally:
            pod.wanted = pod.writing = None


def _captured(entry: Mapping[str, Any]) -> Captured:
    data = entry["data"]
    return Captured(None if data is None else base64.b64decode(data), entry["truncated"], entry["error"])
