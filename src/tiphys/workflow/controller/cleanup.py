"""What is cleared away after the work: pods by podGC or the label `completed`, workflows by ttlStrategy.

The label `completed=false` is the list of what is still to be done: a pod that carries it and whose node has ended is
looked at again after a restart. Everything here is done when nothing else waits; errors are tried again.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import heapq
import itertools
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

from tiphys.errors import ApiError, ConnectError, ExpressionError
from tiphys.kit.clock import Clock, from_rfc3339
from tiphys.kube.client.api import Client
from tiphys.kube.objects.resources import served
from tiphys.kube.objects.selectors import from_object
from tiphys.workflow.controller.launcher import PODS
from tiphys.workflow.controller.settings import ControllerSettings
from tiphys.workflow.controller.views import PodView
from tiphys.workflow.expr import duration
from tiphys.workflow.pods import keys

__all__ = ["WORKFLOWS", "Cleanup", "action_for", "expiry"]

_log = logging.getLogger(__name__)

WORKFLOWS = served("argoproj.io", "workflows")
_FINAL = ("Succeeded", "Failed", "Error")
_AT_ONCE = 16

Job = Callable[[], Awaitable[None]]


def action_for(pod_gc: Mapping[str, Any] | None, workflow_phase: str, view: PodView) -> Literal["", "delete", "label"]:
    """What becomes of a pod whose node has ended, by Argo's table; "" for nothing yet.

    Unlike Argo, a pod that is kept is labelled at the end of the workflow and not at once: fewer writes on the way.
    """
    completed = workflow_phase in _FINAL
    strategy = (pod_gc or {}).get("strategy") or ""
    accepts = from_object((pod_gc or {}).get("labelSelector"))
    if strategy and (accepts is None or accepts(view.labels)):
        deleted = {
            "OnPodCompletion": True,
            "OnPodSuccess": view.phase == "Succeeded",
            "OnWorkflowCompletion": completed,
            "OnWorkflowSuccess": workflow_phase == "Succeeded",
        }
        if deleted.get(strategy, False):
            return "delete"
    return "label" if completed else ""


def expiry(workflow: Mapping[str, Any]) -> dt.datetime | None:
    """When a finished workflow is to be deleted by its ttlStrategy; None for never."""
    status = workflow.get("status") or {}
    spec = status.get("storedWorkflowTemplateSpec") or workflow.get("spec") or {}
    ttl = (workflow.get("spec") or {}).get("ttlStrategy") or spec.get("ttlStrategy") or {}
    phase, finished = status.get("phase"), status.get("finishedAt")
    if phase not in _FINAL or not finished:
        return None
    own = ttl.get({"Succeeded": "secondsAfterSuccess", "Failed": "secondsAfterFailure"}.get(phase, ""))
    seconds = own if own is not None else ttl.get("secondsAfterCompletion")
    return None if seconds is None else from_rfc3339(finished) + dt.timedelta(seconds=int(seconds))


class Cleanup:
    """A queue by time, worked off a few at once."""

    def __init__(self, client: Client, settings: ControllerSettings, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._settings = settings
        self._heap: list[tuple[float, int, str, Job]] = []
        self._order = itertools.count()
        self._queued: set[str] = set()
        self._wake = asyncio.Event()

    def pod(self, pod_gc: Mapping[str, Any] | None, workflow_phase: str, view: PodView) -> None:
        """Delete or label a pod, if it is time for either; asking again while it waits changes nothing."""
        action = action_for(pod_gc, workflow_phase, view)
        if action == "delete":
            self._add(
                self._delay(pod_gc or {}),
                f"delete pod {view.namespace}/{view.name} {view.uid}",
                lambda: self._delete_pod(view),
            )
        elif action == "label":
            self._add(0, f"label pod {view.namespace}/{view.name} {view.uid}", lambda: self._label_pod(view))

    def workflow(self, namespace: str, name: str, uid: str, moment: dt.datetime) -> None:
        """Delete a finished workflow at a moment, if by then its ttlStrategy still says so."""

        async def delete() -> None:
            workflow = (await self._client.get(WORKFLOWS, name, namespace)).fresh()
            due = expiry(workflow)
            if due is None or due > self._clock():  # retried or edited since; an edit has its own turn
                return
            await self._client.delete(WORKFLOWS, name, namespace, uid=uid, propagation="Background")
            _log.info("workflow %s/%s deleted: its ttlStrategy says so", namespace, name)

        seconds = max(0.0, (moment - self._clock()).total_seconds())
        self._add(seconds, f"delete workflow {namespace}/{name} {uid} at {moment}", delete)

    def task_results(self, namespace: str, workflow: str) -> None:
        """Delete what the pods of a finished workflow reported: its nodes hold it now."""

        async def delete() -> None:
            results = served("argoproj.io", "workflowtaskresults")
            await self._client.delete_collection(results, namespace, label_selector=f"{keys.WORKFLOW}={workflow}")

        self._add(0, f"delete task results of {namespace}/{workflow}", delete)

    async def run(self) -> None:
        """Work until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self._wake.clear()
            due = self._due(loop.time())
            if due:
                await asyncio.gather(*(self._do(title, job) for title, job in due))
                await asyncio.sleep(0)
                continue
            pause = self._heap[0][0] - loop.time() if self._heap else None
            try:
                await asyncio.wait_for(self._wake.wait(), pause)
            except TimeoutError:
                continue

    def _add(self, delay: float, title: str, job: Job) -> None:
        if title in self._queued:
            return
        self._queued.add(title)
        heapq.heappush(self._heap, (asyncio.get_running_loop().time() + delay, next(self._order), title, job))
        self._wake.set()

    def _delay(self, pod_gc: Mapping[str, Any]) -> float:
        given = pod_gc.get("deleteDelayDuration")
        if given in (None, ""):
            return self._settings.pod_gc_delay
        try:
            return duration.parse(given).total_seconds()
        except ExpressionError as error:  # Argo goes on with its default, too
            _log.warning("podGC.deleteDelayDuration: %s", error)
            return self._settings.pod_gc_delay

    def _due(self, now: float) -> list[tuple[str, Job]]:
        due: list[tuple[str, Job]] = []
        while self._heap and self._heap[0][0] <= now and len(due) < _AT_ONCE:
            _, _, title, job = heapq.heappop(self._heap)
            due.append((title, job))
        return due

    async def _do(self, title: str, job: Job) -> None:
        self._queued.discard(title)
        try:
            await job()
        except ApiError as error:
            if error.code in (404, 409):  # gone already, or another of that name: not ours to touch
                return
            _log.warning("%s, later: %s", title, error.message)
            self._add(self._settings.retry_longest, title, job)
        except ConnectError as error:
            _log.warning("%s, later: %s", title, error)
            self._add(self._settings.retry_longest, title, job)
        except Exception:  # noqa: BLE001 - the top of a loop: one object's trouble is not the others'
            _log.exception("%s: given up", title)

    async def _delete_pod(self, view: PodView) -> None:
        await self._client.delete(PODS, view.name, view.namespace, uid=view.uid, propagation="Background")

    async def _label_pod(self, view: PodView) -> None:
        # The uid is a precondition: a retried step's pod has the same name.
        patch = {"metadata": {"uid": view.uid, "labels": {keys.COMPLETED: "true"}}}
        await self._client.patch(PODS, view.name, patch, view.namespace)
