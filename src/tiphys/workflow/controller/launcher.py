"""Pods of one workflow, made and stopped: a few at once, in order, tried again while the API cannot take them."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

from tiphys.errors import ApiError, ConnectError, SpecError
from tiphys.kube.client.api import Client
from tiphys.kube.objects.resources import served
from tiphys.workflow.controller.settings import ControllerSettings
from tiphys.workflow.engine.protocol import CreatePod, StopPod
from tiphys.workflow.pods import keys

__all__ = ["PODS", "PodLauncher", "transient"]

_log = logging.getLogger(__name__)

PODS = served("", "pods")


def transient(error: ApiError | ConnectError) -> bool:
    """Whether the same request may succeed later."""
    return isinstance(error, ConnectError) or error.code == 429 or error.code >= 500


class PodLauncher:
    """Carries out CreatePod and StopPod.

    Args:
        make: the manifest of a pod; SpecError where none can be made.
        failed: told (node id, message) when a pod will never be.
    """

    def __init__(
        self,
        client: Client,
        settings: ControllerSettings,
        make: Callable[[CreatePod], dict[str, Any]],
        failed: Callable[[str, str], None],
    ) -> None:
        self._client = client
        self._settings = settings
        self._make = make
        self._failed = failed
        self._queue: deque[CreatePod | StopPod] = deque()
        self._workers: set[asyncio.Task[None]] = set()
        self._creating: dict[str, asyncio.Future[None]] = {}
        self._unwanted: set[str] = set()

    def add(self, namespace: str, command: CreatePod | StopPod) -> None:
        """Do it soon; a pod that is to be stopped before its turn came is not made."""
        if isinstance(command, StopPod):
            self._unwanted.add(command.node_id)
        else:
            self._unwanted.discard(command.node_id)
        self._queue.append(command)
        if len(self._workers) < self._settings.pods_in_flight:
            worker = asyncio.get_running_loop().create_task(self._work(namespace))
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)

    async def drain(self) -> None:
        """Wait until nothing is left to do."""
        while self._workers:
            await asyncio.wait(self._workers)

    def cancel(self) -> None:
        """Leave the rest; what the engine still wants it says again when the workflow is opened."""
        self._queue.clear()
        for worker in self._workers:
            worker.cancel()

    async def _work(self, namespace: str) -> None:
        while self._queue:
            command = self._queue.popleft()
            try:
                if isinstance(command, CreatePod):
                    done = self._creating[command.node_id] = asyncio.get_running_loop().create_future()
                    try:
                        await self._create(namespace, command)
                    finally:
                        done.set_result(None)
                        self._creating.pop(command.node_id, None)
                else:
                    if (making := self._creating.get(command.node_id)) is not None:
                        await making
                    await self._stop(namespace, command)
            except SpecError as error:
                self._failed(command.node_id, str(error))
            except ApiError as error:
                _log.info("pod %s/%s: %s", namespace, command.pod_name, error.message)
                if isinstance(command, CreatePod):
                    self._failed(command.node_id, error.message)
            except Exception as error:  # noqa: BLE001 - the top of a loop: one pod's trouble is not the others'
                _log.exception("pod %s/%s", namespace, command.pod_name)
                if isinstance(command, CreatePod):
                    self._failed(command.node_id, f"the pod could not be made: {type(error).__name__}: {error}")

    async def _create(self, namespace: str, command: CreatePod) -> None:
        manifest = self._make(command)
        pause, waited = self._settings.retry_first, 0.0
        while command.node_id not in self._unwanted:
            try:
                await self._client.create(PODS, manifest, namespace)
            except (ApiError, ConnectError) as error:
                if isinstance(error, ApiError) and error.reason == "AlreadyExists":
                    if await self._ours(namespace, command, manifest):
                        return
                    if waited >= self._settings.name_wait:
                        raise
                elif not transient(error):
                    raise
                _log.info("pod %s/%s, again in %.1f s: %s", namespace, command.pod_name, pause, error)
                await asyncio.sleep(pause)
                waited += pause
                pause = min(pause * 2, self._settings.retry_longest)
            else:
                return

    async def _ours(self, namespace: str, command: CreatePod, manifest: dict[str, Any]) -> bool:
        """Whether the pod of that name is the one that was to be made; False while one is going away.

        Raises:
            ApiError: it is somebody else's.
        """
        try:
            meta = (await self._client.get(PODS, command.pod_name, namespace)).object["metadata"]
        except ApiError as error:
            if error.code == 404:
                return False
            raise
        if "deletionTimestamp" in meta:
            return False
        owners = {owner.get("uid") for owner in meta.get("ownerReferences") or ()}
        wanted = manifest["metadata"]["ownerReferences"][0]["uid"]
        if wanted in owners and (meta.get("annotations") or {}).get(keys.NODE_ID) == command.node_id:
            return True
        message = f'pods "{command.pod_name}" already exists and does not belong to this workflow: delete or rename it'
        raise ApiError(409, "Conflict", message)

    async def _stop(self, namespace: str, command: StopPod) -> None:
        """Kubernetes' own way to end a pod's processes and keep the pod and its log: its time is over."""
        pause = self._settings.retry_first
        while True:
            try:
                await self._client.patch(PODS, command.pod_name, {"spec": {"activeDeadlineSeconds": 1}}, namespace)
            except (ApiError, ConnectError) as error:
                if isinstance(error, ApiError) and error.code == 404:
                    return
                if not transient(error):
                    raise
                await asyncio.sleep(pause)
                pause = min(pause * 2, self._settings.retry_longest)
            else:
                return
