"""Kubernetes Events about workflows, as Argo's controller records them: running, succeeded, failed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Literal

from tiphys.errors import ApiError, ConnectError
from tiphys.kit.clock import Clock, rfc3339
from tiphys.kit.names import random_suffix
from tiphys.kube.client.api import Client
from tiphys.kube.objects.events import event_about
from tiphys.kube.objects.resources import served

__all__ = ["Recorder"]

_log = logging.getLogger(__name__)
_EVENTS = served("", "events")
_COMPONENT = "workflow-controller"


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

    def _record(
        self, workflow: Mapping[str, Any], kind: Literal["Normal", "Warning"], reason: str, message: str
    ) -> None:
        now, suffix = rfc3339(self._clock()), random_suffix(16)
        event = event_about(workflow, kind, reason, message, component=_COMPONENT, now=now, suffix=suffix)
        task = asyncio.get_running_loop().create_task(self._write(workflow["metadata"]["namespace"], event))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write(self, namespace: str, event: dict[str, Any]) -> None:
        try:
            await self._client.create(_EVENTS, event, namespace)
        except (ApiError, ConnectError) as error:
            _log.debug("event %s not written: %s", event["metadata"]["name"], error)
