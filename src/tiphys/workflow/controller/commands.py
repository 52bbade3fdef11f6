"""The engine's commands, carried out for one workflow: pods, requests, objects to fetch, an alarm clock.

Everything answers by an event. A command given twice is done once: pods have their names, requests under way are known.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tiphys.errors import ApiError, ConnectError
from tiphys.kit.clock import Clock
from tiphys.kube.client.api import Client
from tiphys.kube.objects.resources import served
from tiphys.workflow.controller.http import HttpTemplates, lost_in_restart
from tiphys.workflow.controller.launcher import PodLauncher, transient
from tiphys.workflow.controller.settings import ControllerSettings
from tiphys.workflow.engine.protocol import (
    CancelHttp,
    Command,
    CreatePod,
    Event,
    Fetch,
    Fetched,
    HttpDone,
    PodReport,
    SendHttp,
    StopPod,
    Tick,
    WakeAt,
)

__all__ = ["Commands", "Means"]

_log = logging.getLogger(__name__)
_FETCHED = {
    "WorkflowTemplate": served("argoproj.io", "workflowtemplates"),
    "ClusterWorkflowTemplate": served("argoproj.io", "clusterworkflowtemplates"),
    "ConfigMap": served("", "configmaps"),
}


@dataclass(frozen=True, slots=True)
class Means:
    """What commands are carried out with."""

    client: Client
    settings: ControllerSettings
    clock: Clock
    http: HttpTemplates


class Commands:
    """See the module.

    Args:
        workflow: namespace and name.
        post: takes the events.
        manifest: the Pod of a CreatePod.
        account: the workflow's service account now.
    """

    def __init__(
        self,
        means: Means,
        workflow: tuple[str, str],
        post: Callable[[Event], None],
        manifest: Callable[[CreatePod], dict[str, Any]],
        account: Callable[[], str],
    ) -> None:
        self._means = means
        self._namespace, self._name = workflow
        self._post = post
        self._account = account
        self._pods = PodLauncher(means.client, means.settings, manifest, self._pod_failed)
        self._requests: dict[str, asyncio.Task[None]] = {}
        self._fetches: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._alarm: asyncio.TimerHandle | None = None
        self._maybe_sent: set[str] = set()
        self._draining = False

    def maybe_sent(self, node_ids: set[str]) -> None:
        """HTTP nodes whose requests an earlier process may have sent."""
        self._maybe_sent = node_ids

    def carry_out(self, command: Command) -> None:
        """Begin it; what comes of it is posted."""
        match command:
            case CreatePod() | StopPod():
                self._pods.add(self._namespace, command)
            case SendHttp():
                self._send(command)
            case CancelHttp():
                if (request := self._requests.pop(command.node_id, None)) is not None:
                    request.cancel()
            case Fetch():
                self._fetch(command)
            case WakeAt():
                self._wake_at(command.moment)

    async def pods_settled(self) -> None:
        """Wait until the pods asked for are made or stopped."""
        await self._pods.drain()

    async def drain(self) -> None:
        """Let what is under way come to its end; start no more requests."""
        self._draining = True
        await self._pods.drain()
        while self._requests:
            await asyncio.wait(list(self._requests.values()))

    def stop(self) -> None:
        """Drop everything; the engine, opened again, asks for it once more."""
        self._pods.cancel()
        if self._alarm is not None:
            self._alarm.cancel()
        for task in (*self._requests.values(), *self._fetches.values()):
            task.cancel()

    def _pod_failed(self, node_id: str, message: str) -> None:
        self._post(PodReport(node_id, "Error", message))

    def _send(self, command: SendHttp) -> None:
        if command.node_id in self._requests or self._draining:
            return
        if command.node_id in self._maybe_sent:
            self._maybe_sent.discard(command.node_id)
            if (unknown := lost_in_restart(command)) is not None:
                self._post(unknown)
                return
        self._requests[command.node_id] = asyncio.get_running_loop().create_task(self._request(command))

    async def _request(self, command: SendHttp) -> None:
        try:
            done = await self._means.http.execute(command, self._namespace, self._account())
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - the top of a task: the node must learn of it
            _log.exception("HTTP node %s of %s/%s", command.node_id, self._namespace, self._name)
            done = HttpDone(command.node_id, "Error", f"internal error: {type(error).__name__}")
        self._requests.pop(command.node_id, None)
        self._post(done)

    def _fetch(self, command: Fetch) -> None:
        key = (command.kind, command.name)
        if key not in self._fetches:
            self._fetches[key] = asyncio.get_running_loop().create_task(self._fetched(command))

    async def _fetched(self, command: Fetch) -> None:
        resource = _FETCHED[command.kind]
        namespace = self._namespace if resource.namespaced else ""
        pause = self._means.settings.retry_first
        while True:
            try:
                item = await self._means.client.get(resource, command.name, namespace)
                fetched = Fetched(command.kind, command.name, item.fresh())
            except (ApiError, ConnectError) as error:
                if transient(error):
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, self._means.settings.retry_longest)
                    continue
                fetched = Fetched(command.kind, command.name, None, str(error))
            self._fetches.pop((command.kind, command.name), None)
            self._post(fetched)
            return

    def _wake_at(self, moment: dt.datetime) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        delay = max(0.0, (moment - self._means.clock()).total_seconds())
        self._alarm = asyncio.get_running_loop().call_later(delay, self._post, Tick())
