"""Kubernetes Events about workflows, as Argo's controller records them: running, succeeded, failed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from tiphys.errors import ApiError, ConnectError
from tiphys.kit.clock import Clock, rfc3339
from tiphys.kit.names import random_suffix
from tiphys.kube.client.api import Client
from tiphys.kube.objects.resources import served

__all__ = ["Recorder"]

_log = logging.getLogger(__name__)
_EVENTS = served("", "events")
_MESSAGE_LIMIT = 1024  # Kubernetes' own for an Event


class Recorder:
    """Writes Events in the background; one that cannot be written is lost, as in Kubernetes."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()

    def phase(self, workflow: Mapping[str, Any], phase: str, message: str) -> None:
        """Say that a workflow is running or has ended."""
        if phase == "Running":
            self._record(workflow, "Normal", "WorkflowRunning", "Workflow Running")
        elif phase == "Succeeded":
            self._record(workflow, "Normal", "WorkflowSucceeded", "Workflow completed")
        elif phase in ("Failed", "Error"):
            self._record(workflow, "Warning", "WorkflowFailed", message or "Workflow failed")

    async def drain(self) -> None:
        """Wait for those under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _record(self, workflow: Mapping[str, Any], kind: str, reason: str, message: str) -> None:
        meta, now = workflow["metadata"], rfc3339(self._clock())
        involved = {
            "kind": "Workflow",
            "apiVersion": workflow["apiVersion"],
            "namespace": meta["namespace"],
            "name": meta["name"],
            "uid": meta["uid"],
        }
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{meta['name']}.{random_suffix(16)}", "namespace": meta["namespace"]},
            "involvedObject": involved,
            "type": kind,
            "reason": reason,
            "message": message[:_MESSAGE_LIMIT],
            "count": 1,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "source": {"component": "workflow-controller"},
            "reportingComponent": "workflow-controller",
            "reportingInstance": "",
        }
        task = asyncio.get_running_loop().create_task(self._write(meta["namespace"], event))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write(self, namespace: str, event: dict[str, Any]) -> None:
        try:
            await self._client.create(_EVENTS, event, namespace)
        except (ApiError, ConnectError) as error:
            _log.debug("event %s not written: %s", event["metadata"]["name"], error)
