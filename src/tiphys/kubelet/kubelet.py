"""The kubelet: every pod of the API becomes supervised processes, and their ends become the pods' status.

One loop in the server's process. It decides; the supervision it starts (`supervisor`) lives outside and goes on without
it. What it knows can be found again: the pods in the API, their records on disk. So a start after a kill is the same as
any start: look at each pod's directory, adopt what lives, report what has ended, say so where an end was not seen.

To wire it (`local` does)::

    kubelet = Kubelet(client, KubeletSettings(root, api_port), on_captured=report)  # as system:node:NAME, see `rbac`
    logs.source = kubelet           # kube.server.podlogs reads logs through it
    task = create_task(kubelet.run())
    await kubelet.drain()           # lets go: steps run on and are adopted by the next kubelet on this root
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from tiphys.errors import ApiError, ConnectError
from tiphys.kit.clock import Clock, utc_now
from tiphys.kube.client.api import Client, Item, WatchEvent, list_watch
from tiphys.kube.objects.resources import served
from tiphys.kubelet import status
from tiphys.kubelet.journal import Journal
from tiphys.kubelet.launcher import CannotStartError, Launcher
from tiphys.kubelet.lost import LOST, NOBODY_SAW, end_stray, write_off
from tiphys.kubelet.outside import DIFFERENCE
from tiphys.kubelet.pod import Pod, Stage
from tiphys.kubelet.podfiles import PodFiles
from tiphys.kubelet.podlogs import PodLogs
from tiphys.kubelet.recorder import Recorder
from tiphys.kubelet.reporter import Captured, OnCaptured, Reporter
from tiphys.kubelet.settings import KubeletSettings
from tiphys.kubelet.supervisor import Supervisor
from tiphys.kubelet.tasks import Tasks
from tiphys.kubelet.tokens import TokenRenewal
from tiphys.kubelet.turns import Turns

__all__ = ["Captured", "Kubelet", "OnCaptured"]

_log = logging.getLogger(__name__)
_PODS = served("", "pods")
_DEADLINE = ("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")
_DRAIN_SECONDS = 1.5
_WATCH_AGAIN_SECONDS = 1.0


class Kubelet:
    """See the module.

    Args:
        client: as the node (`system:node:local`).
        on_captured: see `OnCaptured`.

    Raises:
        StoreError: its directories cannot be used.
    """

    def __init__(
        self,
        client: Client,
        settings: KubeletSettings,
        *,
        clock: Clock = utc_now,
        on_captured: OnCaptured | None = None,
    ) -> None:
        self._client = client
        self._limits = settings.limits
        self._clock = clock
        self._files = PodFiles(settings)
        self._journal = Journal(settings.root / "started", _boot_id())
        self._supervisor = Supervisor(settings, self)
        self._tasks = Tasks()
        self._recorder = Recorder(client, self._tasks, clock, settings.node_name)
        self._launcher = Launcher(client, settings, self._files, self._recorder, clock)
        self._reporter = Reporter(client, self._tasks, on_captured)
        self._renewal = TokenRenewal(client, self._files, self._tasks, clock)
        self._orders = ThreadPoolExecutor(1, "kubelet-orders")
        self._sweeper = ThreadPoolExecutor(1, "kubelet-sweeper")
        self._pods: dict[str, Pod] = {}
        self._logs = PodLogs(self._files, self._pods, clock)
        self._turns = Turns(settings.limits)
        self._listed: set[str] | None = set()
        self._draining = False
        self._main: asyncio.Task[Any] | None = None

    # -- life ---------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until `drain`, or until cancelled.

        Raises:
            TiphysError: the supervision does not start.
        """
        self._main = asyncio.current_task()
        await self._supervisor.start()
        if self._supervisor.refused:
            _log.warning("%s (%s)", DIFFERENCE, self._supervisor.refused)
        with contextlib.suppress(asyncio.CancelledError):
            while not self._draining:
                try:
                    async for event in list_watch(self._client, _PODS):
                        try:
                            self._event(event)
                        except Exception:  # noqa: BLE001 - the top of a loop: one pod's trouble is not the others'
                            _log.exception("pod %s", event.item and f"{event.item.namespace}/{event.item.name}")
                except (ApiError, ConnectError) as error:
                    _log.warning("pods cannot be watched, trying again: %s", error)
                    self._listed = set()
                    await asyncio.sleep(_WATCH_AGAIN_SECONDS)
        if not self._draining:
            raise asyncio.CancelledError

    async def drain(self) -> None:
        """Start nothing more, write what is known, let go. Steps that run go on; the next kubelet adopts them."""
        self._draining = True
        if self._main is not None:
            self._main.cancel()
        self._turns.close()
        for pod in self._pods.values():
            pod.settle()
        await self._supervisor.close()
        await self._tasks.drain(_DRAIN_SECONDS)
        self._journal.close()
        self._orders.shutdown(wait=True)
        self._sweeper.shutdown(wait=True)
        self._files.close()

    def read(self, pod: dict[str, Any], container: str, options: Mapping[str, str]) -> AsyncIterator[bytes]:
        """The log of a container of a pod (`kube.server.podlogs.LogSource`)."""
        return self._logs.read(pod, container, options)

    # -- the API tells ------------------------------------------------------------------------------------------------

    def _event(self, event: WatchEvent) -> None:
        if event.type == "SYNCED":
            self._synced()
        elif event.item is None:
            return
        elif event.type == "DELETED":
            self._vanished(event.item.uid)
        else:
            if self._listed is not None:
                self._listed.add(event.item.uid)
            self._seen(event.item)
        self._admit()

    def _synced(self) -> None:
        """All pods there are were shown: what is here and was not, was deleted while nobody looked."""
        listed, self._listed = self._listed or set(), None
        for uid in [uid for uid in self._pods if uid not in listed]:
            self._vanished(uid)
        for uid in self._files.uids():
            if uid not in self._pods:
                self._tasks.spawn(self._clear_away(uid))
        self._journal.forget(listed, always=True)

    def _seen(self, item: Item) -> None:
        pod = self._pods.get(item.uid)
        if pod is None:
            pod = self._pods[item.uid] = Pod(item.fresh())
            if (pod.value.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
                self._done(pod)
            else:
                self._take_on(pod)
        elif pod.written == item.resource_version:
            return  # our own word
        elif pod.stage is not Stage.DONE:
            pod.value = item.fresh()
        meta = pod.value["metadata"] if pod.value else item.metadata()
        if "deletionTimestamp" in meta:
            self._delete(pod)
        elif pod.stage is not Stage.DONE:
            self._check_deadline(pod)

    def _take_on(self, pod: Pod) -> None:
        """A pod new to this kubelet: not started yet, or started by the one before."""
        found = self._files.look(pod.uid)
        if not found.started and pod.uid not in self._journal.of_earlier_boots and not status.tells_of_start(pod.value):
            self._turns.add(pod)
            return
        pod.stage, pod.state = Stage.RUNNING, found.state
        self._turns.adopted(pod)
        if not self._adopt(pod):
            self.shim_ended(pod.uid)

    def _adopt(self, pod: Pod) -> bool:
        """Go on watching a shim; False when it is gone."""
        shim = self._files.handle(pod.uid)
        if shim < 0:
            return False
        self._supervisor.adopt(pod.uid, shim)
        pod.deadline = None  # the shim may not know the newest
        pod.later(0, self._show_running)
        self._renewal.renew(pod)
        return True

    def _vanished(self, uid: str) -> None:
        pod = self._pods.get(uid)
        if pod is None:
            return
        pod.gone = True
        self._recorder.forget(uid)
        if pod.stage is Stage.RUNNING:
            self._stop(pod, "", "")
        elif pod.stage is not Stage.ENDED:
            self._forget(pod)

    def _forget(self, pod: Pod) -> None:
        """Nothing of it runs, nobody asks for it: remove what is left."""
        self._done(pod)
        self._release(pod)
        self._pods.pop(pod.uid, None)
        self._sweep(pod.uid)
        self._journal.forget(self._pods.keys())

    def _sweep(self, uid: str) -> None:
        if not self._draining:
            asyncio.get_running_loop().run_in_executor(self._sweeper, self._files.remove, uid)

    @staticmethod
    def _done(pod: Pod) -> None:
        pod.settle()
        pod.stage, pod.state, pod.value, pod.shown = Stage.DONE, None, {}, None

    async def _clear_away(self, uid: str) -> None:
        await end_stray(uid, self._files)
        if not self._draining:
            await asyncio.get_running_loop().run_in_executor(self._sweeper, self._files.remove, uid)

    def _delete(self, pod: Pod) -> None:
        """Somebody deleted it: end its processes, then let the object go."""
        if pod.stage is Stage.RUNNING:
            self._stop(pod, "", "")
        elif pod.stage is not Stage.ENDED:
            self._done(pod)
            self._release(pod)
            self._tasks.spawn(self._delete_object(pod))

    async def _delete_object(self, pod: Pod) -> None:
        try:
            await self._client.delete(_PODS, pod.name, pod.namespace, grace_seconds=0, uid=pod.uid)
        except ApiError as error:
            if error.code not in (404, 409):
                _log.warning("pod %s cannot be deleted: %s", pod, error)

    def _check_deadline(self, pod: Pod) -> None:
        """activeDeadlineSeconds was changed: the shim knows the first one only, and a queued pod none."""
        seconds = pod.value["spec"].get("activeDeadlineSeconds")
        if seconds != pod.deadline:
            pod.deadline = seconds
            self._watch_deadline(pod)

    def _watch_deadline(self, pod: Pod) -> None:
        if pod.deadline is not None:
            left = pod.time_left(self._clock())
            pod.later(float(pod.deadline) if left is None else left, self._deadline_passed)

    def _deadline_passed(self, pod: Pod) -> None:
        if pod.stage is Stage.RUNNING:
            self._stop(pod, *_DEADLINE)
        elif pod.stage in (Stage.QUEUED, Stage.STARTING):
            self._fail(pod, *_DEADLINE)

    # -- start --------------------------------------------------------------------------------------------------------

    def _admit(self) -> None:
        while (pod := self._turns.next()) is not None:
            pod.stage = Stage.STARTING
            pod.start = pod.start or self._clock()
            self._tasks.spawn(self._start(pod))

    async def _start(self, pod: Pod) -> None:
        if pod.stage is not Stage.STARTING:
            return  # deleted in the same moment
        try:
            plan = await self._launcher.plan(pod, namespaces=not self._supervisor.refused)
            # On a thread: a disk that is busy with others' writes may hold a directory back for seconds.
            await self._journal.intend(pod.uid, partial(self._files.make, pod.uid))
            if pod.stage is not Stage.STARTING or self._draining:
                self._sweep(pod.uid)
                return  # deleted, or past its deadline, meanwhile
            self._supervisor.launch(plan)
        except (CannotStartError, OSError) as error:
            if pod.stage is Stage.STARTING:
                self._cannot_start(pod, error)
        else:
            pod.stage = Stage.RUNNING
            pod.later(self._limits.running_after, self._show_running)
            self._renewal.started(pod)

    def _cannot_start(self, pod: Pod, error: CannotStartError | OSError) -> None:
        if isinstance(error, OSError):
            self._recorder.tell(pod.value, "Warning", "FailedCreatePodSandBox", str(error))
            self._wait(pod, "CreateContainerError", f"the pod cannot be started: {error.strerror}")
            return
        self._recorder.tell(pod.value, "Warning", error.event, str(error))
        if error.for_good:
            self._fail(pod, error.reason, error.message)
        else:
            self._wait(pod, error.reason, error.message, error.container)

    def _wait(self, pod: Pod, reason: str, message: str, container: str = "") -> None:
        """It cannot be started now: say why, and try again; meanwhile others may."""
        self._release(pod)
        pod.stage = Stage.QUEUED
        self._reporter.show(pod, status.waiting(pod.value, pod.start or self._clock(), reason, message, container))
        pod.settle()
        self._watch_deadline(pod)
        pod.later(self._limits.retry_config, self._again)

    def _again(self, pod: Pod) -> None:
        self._turns.add(pod)
        self._admit()

    def _fail(self, pod: Pod, reason: str, message: str) -> None:
        """It ends without having run."""
        self._end(pod, status.failed(pod.value, pod.start or self._clock(), reason, message))

    def _release(self, pod: Pod) -> None:
        self._turns.ended(pod)
        self._admit()

    # -- the supervision tells ----------------------------------------------------------------------------------------

    def shim_started(self, uid: str) -> None:
        """The pod has its shim; an order that was given before is passed on."""
        pod = self._pods.get(uid)
        if pod is not None and pod.stopping:
            self._supervisor.signal(uid, signal.SIGTERM)

    def shim_spoke(self, state: dict[str, Any]) -> None:
        """Something changed in a pod."""
        pod = self._pods.get(state["uid"])
        if pod is None or pod.stage is not Stage.RUNNING:
            return
        told = state if "containers" in state else self._files.look(pod.uid).state
        if told is None:
            return
        pod.state = told
        if told["final"]:
            self._ended(pod, told)
        else:
            self._show_record(pod, told)

    def shim_ended(self, uid: str, *, forked: bool = True) -> None:
        """The shim is gone: its last record is the truth, or there is none."""
        pod = self._pods.get(uid)
        if pod is None or pod.stage is not Stage.RUNNING:
            return
        if self._adopt(pod):  # its zygote died between forking it and saying so
            return
        found = self._files.look(uid)
        this_boot = uid not in self._journal.of_earlier_boots
        if not found.final and not found.started and this_boot and not status.tells_of_start(pod.value):
            self._start_over(pod, forked)
            return
        if not found.final:
            found = write_off(pod, self._files, self._clock(), this_boot=this_boot)
            self._recorder.tell(pod.value, "Warning", LOST, NOBODY_SAW)
        assert found.state is not None  # noqa: S101 - a final record is one
        pod.state = found.state
        self._ended(pod, found.state)

    def _start_over(self, pod: Pod, forked: bool) -> None:
        """Its shim, or the zygote, died before it was claimed: nothing of it has run, nor can it any more."""
        if pod.stopping:
            now = self._clock().timestamp()
            self._ended(pod, status.lost(pod.value, None, "", "ended before it was started", now))
        elif forked:
            self._wait(pod, "CreateContainerError", "its supervision ended before it began (killed, or the disk full?)")
        else:
            self._release(pod)
            pod.settle()
            pod.stage = Stage.QUEUED
            self._turns.add(pod, first=True)
            self._admit()

    # -- status -------------------------------------------------------------------------------------------------------

    def _show_running(self, pod: Pod) -> None:
        self._turns.settled(pod)
        self._admit()
        if pod.stage is not Stage.RUNNING:
            return
        pod.state = pod.state or self._files.look(pod.uid).state
        if pod.state is None:  # a busy machine: the shim has not come so far
            pod.later(self._limits.running_after, self._show_running)
            return
        if not pod.state["final"]:  # else its end is about to be told, with what comes before it
            self._recorder.started(pod.value)
            self._show_record(pod, pod.state)

    def _show_record(self, pod: Pod, state: Mapping[str, Any]) -> None:
        self._recorder.record(pod.value, state)
        self._reporter.show(pod, status.of_record(pod.value, state, pod.start or status.first_moment(state)))

    def _ended(self, pod: Pod, state: Mapping[str, Any]) -> None:
        self._recorder.record(pod.value, state)
        self._end(pod, status.of_record(pod.value, state, pod.start or status.first_moment(state)))

    def _end(self, pod: Pod, final: dict[str, Any]) -> None:
        pod.stage = Stage.ENDED
        pod.settle()
        self._release(pod)
        self._tasks.spawn(self._conclude(pod, final))

    async def _conclude(self, pod: Pod, final: dict[str, Any]) -> None:
        await self._reporter.conclude(pod, final)
        deleted = "deletionTimestamp" in pod.value["metadata"]
        self._done(pod)
        if pod.gone:
            self._forget(pod)
        elif deleted:
            await self._delete_object(pod)

    # -- orders -------------------------------------------------------------------------------------------------------

    def _stop(self, pod: Pod, reason: str, message: str) -> None:
        """End the processes of a pod; its shim does it, and tells when they have ended."""
        pod.stopping = True
        self._tasks.spawn(self._order_stop(pod, reason, message))
        if not pod.gone:
            for name in pod.containers():
                self._recorder.tell(pod.value, "Normal", "Killing", f"Stopping container {name}")

    async def _order_stop(self, pod: Pod, reason: str, message: str) -> None:
        order = partial(self._files.order_stop, pod.uid, reason, message, pod.grace)
        try:
            await asyncio.get_running_loop().run_in_executor(self._orders, order)
        except FileNotFoundError:
            pass  # it has ended meanwhile, and its files are gone
        except OSError as error:
            # Without the order the shim stops the pod all the same, by the pod's own grace period.
            _log.warning("pod %s is stopped without a reason: %s", pod, error)
        self._supervisor.signal(pod.uid, signal.SIGTERM)


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
