"""One live workflow: its events one after another to the engine, each batch's changes as one write, then the commands.

The order is the whole point: what the engine decided is on disk before anything is done about it, and everything it
knows can be found again from the API. So a lost race (409), an edit by a user and a restart are all the same: open the
engine again from the newest object and tell it what is known of pods and requests.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from tiphys.errors import ApiError, ConnectError
from tiphys.kit.clock import rfc3339
from tiphys.kube.client.api import Item, Object
from tiphys.workflow.controller.changes import together
from tiphys.workflow.controller.cleanup import WORKFLOWS, Cleanup
from tiphys.workflow.controller.commands import Commands, Means
from tiphys.workflow.controller.launcher import transient
from tiphys.workflow.controller.recorder import Recorder
from tiphys.workflow.controller.views import PodView
from tiphys.workflow.engine.protocol import Begin, Changes, CreatePod, Event, HttpDone, PodGone, PodReport, SendHttp
from tiphys.workflow.pods import build, keys

__all__ = ["Engine", "Shared", "WorkflowRunner", "execution_spec"]

_log = logging.getLogger(__name__)
_FULFILLED = ("Succeeded", "Failed", "Error", "Skipped", "Omitted")


class Engine(Protocol):
    """What the runner asks of `workflow.engine.Run`."""

    @property
    def variables(self) -> Mapping[str, str]:
        """The `workflow.*` variables, for the parts of a pod that no template carries."""
        ...

    def handle(self, event: Event, now: dt.datetime) -> Changes:
        """Take one event in."""
        ...


@dataclass(frozen=True, slots=True)
class Shared(Means):
    """What all runners of a controller use."""

    open_run: Callable[[Object], Engine]
    cleanup: Cleanup
    recorder: Recorder


class _Stale(Exception):  # noqa: N818 - not an error: somebody else wrote the workflow first
    pass


def execution_spec(workflow: Mapping[str, Any]) -> dict[str, Any]:
    """The spec a workflow runs by: its own, or the one merged with its workflowTemplateRef."""
    spec: dict[str, Any] = (
        (workflow.get("status") or {}).get("storedWorkflowTemplateSpec") or workflow.get("spec") or {}
    )
    return spec


class WorkflowRunner:
    """See the module.

    Args:
        item: the workflow as first seen.
        pods: of this workflow, by name; the controller keeps it up to date and says so by `pod_changed`.
        restarted: requests of HTTP nodes not answered yet may have been sent by an earlier process.
    """

    def __init__(self, shared: Shared, item: Item, pods: Mapping[str, PodView], *, restarted: bool) -> None:
        self.namespace, self.name, self.uid = item.namespace, item.name, item.uid
        self._shared = shared
        self._item = item
        self._pods = pods
        self._restarted = restarted
        self._inbox: deque[Event] = deque()
        self._changed: dict[str, str] = {}
        self._newer: Item | None = None
        self._gone = False
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._told: dict[str, PodReport] = {}
        self._commands = Commands(shared, (self.namespace, self.name), self._post, self._manifest, self._account)

    # -- what the controller tells ----------------------------------------------------------------------------------

    def workflow_changed(self, item: Item) -> None:
        """The watch showed a state of the workflow: ours, or one that somebody else wrote."""
        self._newer = item
        self._wake.set()

    def workflow_gone(self, item: Item) -> None:
        """It was deleted, or got the label `completed`: by the runner itself at the end, or by somebody else."""
        self._gone = True
        self.workflow_changed(item)

    def pod_changed(self, view: PodView) -> None:
        """A pod of this workflow was made, changed or deleted; what counts is `pods` when its turn comes."""
        if self._mine(view):
            self._changed[view.name] = view.report.node_id
            self._wake.set()

    def _mine(self, view: PodView) -> bool:
        return view.workflow_uid in ("", self.uid)

    def _post(self, event: Event) -> None:
        self._inbox.append(event)
        self._wake.set()

    # -- the loop ---------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until the workflow has ended or is gone."""
        try:
            await self._run()
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - the top of a loop: one workflow's trouble is not the others'
            _log.exception("workflow %s/%s", self.namespace, self.name)
            await self._give_up(f"internal error: {type(error).__name__}: {error}")
        finally:
            self._commands.stop()
            self._idle.set()

    async def drain(self) -> None:
        """Let what is under way come to its end and be written; start no more requests."""
        await self._commands.drain()
        await self._idle.wait()

    async def _run(self) -> None:
        batch = self._open(self._item)
        while batch is not None:
            changes = self._handle(batch)
            try:
                await self._commit(changes)
            except _Stale:
                newest = await self._newest()
                begun = None if newest is None else self._open(newest)
                batch = None if begun is None else [*begun, *self._still_true(batch)]
                continue
            answered = {event.node_id for event in batch if isinstance(event, HttpDone)}
            for command in changes.commands:
                if not (isinstance(command, SendHttp) and command.node_id in answered):
                    self._commands.carry_out(command)
            self._after(changes)
            if changes.finished:
                await self._commands.pods_settled()
                self._clear_away()
                return
            batch = await self._next()

    async def _next(self) -> list[Event] | None:
        """The next events; begun anew where somebody else wrote the workflow; None where it is not ours to run."""
        await asyncio.sleep(0)
        while True:
            newer, self._newer = self._newer, None
            if newer is not None and _later(newer.resource_version, self._version):
                begun = None if self._gone else self._open(newer)
                return None if begun is None else [*begun, *self._take()]
            if batch := self._take():
                return batch
            self._idle.set()
            self._wake.clear()
            await self._wake.wait()
            self._idle.clear()

    def _take(self) -> list[Event]:
        """What waits, no more than a batch of it: first of pods (as they are now, if that is news), then the rest."""
        batch: list[Event] = []
        limit = self._shared.settings.batch
        while self._changed and len(batch) < limit:
            name = next(iter(self._changed))
            node_id, view = self._changed.pop(name), self._pods.get(name)
            if view is None:
                batch.append(PodGone(node_id))
            elif self._told.get(node_id) != view.report:
                self._told[node_id] = view.report
                batch.append(view.report)
        while self._inbox and len(batch) < limit:
            batch.append(self._inbox.popleft())
        return batch

    def _open(self, item: Item) -> list[Event] | None:
        """Open the engine from an object; the events that tell it what is known besides. None when it is going."""
        workflow = item.fresh()
        if item.uid != self.uid or "deletionTimestamp" in workflow["metadata"]:
            return None
        self._version = item.resource_version
        self._engine = self._shared.open_run(workflow)
        self._spec = execution_spec(workflow)
        self._about = {
            "apiVersion": workflow.get("apiVersion") or WORKFLOWS.api_version,
            "kind": WORKFLOWS.kind,
            "metadata": {key: workflow["metadata"].get(key, "") for key in ("name", "namespace", "uid")},
        }
        status = workflow.get("status") or {}
        self._phase = status.get("phase") or ""
        self._told = {view.report.node_id: view.report for view in self._pods.values() if self._mine(view)}
        unfulfilled = [
            (node_id, node.get("type"), node.get("phase"))
            for node_id, node in (status.get("nodes") or {}).items()
            if node.get("phase") not in _FULFILLED
        ]
        if self._restarted:
            self._restarted = False
            self._commands.maybe_sent({node_id for node_id, kind, _ in unfulfilled if kind == "HTTP"})
        gone = [
            PodGone(node_id)
            for node_id, kind, phase in unfulfilled
            if kind == "Pod" and phase == "Running" and node_id not in self._told
        ]
        return [Begin(), *self._told.values(), *gone]

    def _still_true(self, batch: list[Event]) -> list[Event]:
        """Of events whose changes were not written, those that opening again does not tell by itself."""
        return [
            event
            for event in batch
            if not isinstance(event, Begin)
            and not (isinstance(event, PodReport | PodGone) and event.node_id in self._told)
        ]

    def _handle(self, batch: list[Event]) -> Changes:
        now = self._shared.clock()
        if len(batch) == 1:
            return self._engine.handle(batch[0], now)
        return together(self._engine.handle(event, now) for event in batch)

    async def _commit(self, changes: Changes) -> None:
        body = changes.patch()
        if not body:
            return
        body.setdefault("metadata", {})["resourceVersion"] = self._version
        pause = self._shared.settings.retry_first
        while True:
            try:
                written = await self._shared.client.patch(WORKFLOWS, self.name, body, self.namespace)
            except (ApiError, ConnectError) as error:
                if isinstance(error, ApiError) and error.code in (404, 409):
                    raise _Stale from error
                if not transient(error):
                    raise
                _log.warning("workflow %s/%s not written, again in %.1f s: %s", self.namespace, self.name, pause, error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, self._shared.settings.retry_longest)
            else:
                self._version = written.resource_version
                return

    async def _newest(self) -> Item | None:
        """The workflow as it is now; None when it is gone."""
        pause = self._shared.settings.retry_first
        while True:
            try:
                return await self._shared.client.get(WORKFLOWS, self.name, self.namespace)
            except (ApiError, ConnectError) as error:
                if isinstance(error, ApiError) and error.code == 404:
                    return None
                if not transient(error):
                    raise
                await asyncio.sleep(pause)
                pause = min(pause * 2, self._shared.settings.retry_longest)

    def _manifest(self, command: CreatePod) -> dict[str, Any]:
        return build(
            self._about,
            self._spec,
            command,
            now=self._shared.clock(),
            scope=self._engine.variables,
            settings=self._shared.settings.pods,
        )

    def _account(self) -> str:
        return self._spec.get("serviceAccountName") or "default"

    # -- afterwards -------------------------------------------------------------------------------------------------

    def _after(self, changes: Changes) -> None:
        """What follows from a change that is written: Events, podGC of pods whose nodes have ended."""
        if stored := changes.status.get("storedWorkflowTemplateSpec"):
            self._spec = stored
        phase = changes.status.get("phase")
        if phase and phase != self._phase:
            self._phase = phase
            self._shared.recorder.phase(self._about, phase, changes.status.get("message") or "")
        pod_gc = self._spec.get("podGC")
        if pod_gc and str(pod_gc.get("strategy", "")).startswith("OnPod"):
            ended = {node_id for node_id, node in changes.nodes.items() if (node or {}).get("phase") in _FULFILLED}
            for view in self._pods.values():
                if view.report.node_id in ended and view.ended:
                    self._shared.cleanup.pod(pod_gc, self._phase, view)

    def _clear_away(self) -> None:
        """The workflow has ended: so have its pods, or will at once."""
        for view in self._pods.values():
            if self._mine(view):
                self._shared.cleanup.pod(self._spec.get("podGC"), self._phase, view)
        if any(view.reports for view in self._pods.values()):
            self._shared.cleanup.task_results(self.namespace, self.name)

    async def _give_up(self, message: str) -> None:
        """The engine or the API cannot go on with this workflow: say so on it rather than leave it hanging."""
        finished = {"phase": "Error", "message": message, "finishedAt": rfc3339(self._shared.clock())}
        labels = {"workflows.argoproj.io/phase": "Error", keys.COMPLETED: "true"}
        try:
            await self._shared.client.patch(
                WORKFLOWS, self.name, {"metadata": {"labels": labels}, "status": finished}, self.namespace
            )
        except (ApiError, ConnectError):
            _log.exception("workflow %s/%s", self.namespace, self.name)


def _later(version: str, than: str) -> bool:
    """Whether one resourceVersion came after another; ours are numbers, and so are those of every known server."""
    if version.isdigit() and than.isdigit():
        return int(version) > int(than)
    return version != than
