"""The workflow controller: watches workflows and their pods, and runs one `WorkflowRunner` for each that is live.

Everything it knows it has from the API, so that a restart loses nothing: pods are listed first, then every workflow
that is not completed is opened, adopts its pods and goes on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

from tiphys.errors import ApiError, ConnectError
from tiphys.kit.clock import Clock, utc_now
from tiphys.kube.client.api import Client, Item, Object, WatchEvent, list_watch
from tiphys.kube.objects.resources import Resource
from tiphys.workflow.controller.cleanup import WORKFLOWS, Cleanup, expiry
from tiphys.workflow.controller.http import ClientFor, HttpTemplates
from tiphys.workflow.controller.launcher import PODS
from tiphys.workflow.controller.recorder import Recorder
from tiphys.workflow.controller.runner import Engine, Shared, WorkflowRunner, execution_spec
from tiphys.workflow.controller.settings import ControllerSettings
from tiphys.workflow.controller.views import PodView, view_of
from tiphys.workflow.engine import Run
from tiphys.workflow.pods import keys

__all__ = ["WorkflowController"]

_log = logging.getLogger(__name__)

Key = tuple[str, str]
"""Namespace and name of a workflow."""


class WorkflowController:
    """Runs workflows.

    Args:
        client: acts as the controller (`system:tiphys:workflow-controller`).
        client_for: a client acting as a service account, for the Secrets of HTTP headers.
        open_run: opens the engine from a workflow object.
    """

    def __init__(
        self,
        client: Client,
        *,
        client_for: ClientFor,
        settings: ControllerSettings | None = None,
        clock: Clock = utc_now,
        open_run: Callable[[Object], Engine] = Run.open,
    ) -> None:
        settings = settings or ControllerSettings()
        self._client = client
        self._settings = settings
        self._clock = clock
        self._http = HttpTemplates(settings.http, clock, client_for)
        self._cleanup = Cleanup(client, settings, clock)
        self._recorder = Recorder(client, clock)
        self._shared = Shared(client, settings, clock, self._http, open_run, self._cleanup, self._recorder)
        self._pods: dict[Key, dict[str, PodView]] = {}
        self._runners: dict[Key, tuple[WorkflowRunner, asyncio.Task[None]]] = {}
        self._pods_known = asyncio.Event()
        self._workflows_known = asyncio.Event()
        self._draining = False

    async def run(self) -> None:
        """Work until cancelled; an API that is away is waited for."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._watch(PODS, f"{keys.WORKFLOW},{keys.COMPLETED}=false", self._on_pod))
                group.create_task(self._watch(WORKFLOWS, f"{keys.COMPLETED}!=true", self._on_workflow))
                group.create_task(self._watch(WORKFLOWS, f"{keys.COMPLETED}=true", self._on_completed))
                group.create_task(self._settle_leftovers())
                group.create_task(self._cleanup.run())
        finally:
            tasks = [task for _, task in self._runners.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._http.close()

    async def drain(self) -> None:
        """Take on nothing new; wait, no longer than the settings say, for writes and requests under way.

        Call it before `run` is cancelled. What is not done by then is found again at the next start.
        """
        self._draining = True
        drains = [asyncio.create_task(runner.drain()) for runner, task in self._runners.values() if not task.done()]
        drains.append(asyncio.create_task(self._recorder.drain()))
        _, late = await asyncio.wait(drains, timeout=self._settings.drain_seconds)
        for task in late:
            task.cancel()

    async def _watch(
        self, resource: Resource, selector: str, on_event: Callable[[WatchEvent], Awaitable[None]]
    ) -> None:
        pause = self._settings.retry_first
        while True:
            try:
                events: AsyncIterator[WatchEvent] = list_watch(self._client, resource, label_selector=selector)
                async for event in events:
                    await self._tell(on_event, event)
                    pause = self._settings.retry_first
            except (ApiError, ConnectError) as error:
                _log.warning("watching %s (%s), again in %.1f s: %s", resource.plural, selector, pause, error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, self._settings.retry_longest)

    @staticmethod
    async def _tell(on_event: Callable[[WatchEvent], Awaitable[None]], event: WatchEvent) -> None:
        try:
            await on_event(event)
        except (ApiError, ConnectError):
            raise
        except Exception:  # noqa: BLE001 - the top of a loop: an object without sense is not the others' trouble
            name = f"{event.item.namespace}/{event.item.name}" if event.item is not None else event.type
            _log.exception("%s makes no sense to the controller", name)

    # -- pods -------------------------------------------------------------------------------------------------------

    async def _on_pod(self, event: WatchEvent) -> None:
        if event.item is None:
            self._pods_known.set()
            return
        view = await view_of(self._client, event.item.fresh())
        if view is None:
            return
        key = (view.namespace, view.workflow)
        pods = self._pods.setdefault(key, {})
        if event.type == "DELETED":
            known = pods.get(view.name)
            if known is None or known.uid == view.uid:
                pods.pop(view.name, None)
            if not pods and key not in self._runners:
                del self._pods[key]
            if view.labels.get(keys.COMPLETED) == "true":
                return
        else:
            pods[view.name] = view
        if (running := self._runners.get(key)) is not None:
            running[0].pod_changed(view)
        elif self._workflows_known.is_set() and event.type != "DELETED" and view.ended:
            await self._settle(key)

    async def _settle_leftovers(self) -> None:
        """Pods that an earlier process had not cleared away when their workflow ended."""
        await self._workflows_known.wait()
        for key in [key for key in self._pods if key not in self._runners]:
            try:
                await self._settle(key)
            except (ApiError, ConnectError) as error:
                _log.warning("pods of workflow %s/%s are not cleared away: %s", *key, error)

    async def _settle(self, key: Key) -> None:
        """Clear away the pods of a workflow that has ended."""
        namespace, name = key
        try:
            workflow = (await self._client.get(WORKFLOWS, name, namespace)).object
        except ApiError as error:
            if error.code == 404:  # then the garbage collector takes its pods
                return
            raise
        phase = (workflow.get("status") or {}).get("phase") or ""
        for view in self._pods.get(key, {}).values():
            if view.workflow_uid == workflow["metadata"]["uid"]:
                self._cleanup.pod(execution_spec(workflow).get("podGC"), phase, view)

    # -- workflows --------------------------------------------------------------------------------------------------

    async def _on_workflow(self, event: WatchEvent) -> None:
        await self._pods_known.wait()
        if event.item is None:
            self._workflows_known.set()
            return
        key = (event.item.namespace, event.item.name)
        running = self._runners.get(key)
        if event.type == "DELETED":
            if running is not None and running[0].uid == event.item.uid:
                running[0].workflow_gone(event.item)
        elif running is not None and running[0].uid == event.item.uid and not running[1].done():
            running[0].workflow_changed(event.item)
        else:
            self._start(key, event.item)

    def _start(self, key: Key, item: Item) -> None:
        if self._draining:
            return
        if (earlier := self._runners.get(key)) is not None:
            earlier[1].cancel()
        pods = self._pods.setdefault(key, {})
        runner = WorkflowRunner(self._shared, item, pods, restarted=not self._workflows_known.is_set())
        task = asyncio.get_running_loop().create_task(runner.run(), name=f"workflow {key[0]}/{key[1]}")
        self._runners[key] = (runner, task)
        task.add_done_callback(lambda _: self._ended(key, runner))

    def _ended(self, key: Key, runner: WorkflowRunner) -> None:
        running = self._runners.get(key)
        if running is not None and running[0] is runner:
            del self._runners[key]
            if not self._pods.get(key):
                self._pods.pop(key, None)

    async def _on_completed(self, event: WatchEvent) -> None:
        """Finished workflows wait here for their ttlStrategy, as edited last."""
        if event.item is None:
            return
        if event.type != "DELETED" and (moment := expiry(event.item.fresh())) is not None:
            self._cleanup.workflow(event.item.namespace, event.item.name, event.item.uid, moment)
