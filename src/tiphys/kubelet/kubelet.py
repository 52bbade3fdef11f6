"""The kubelet: every pod of the API becomes supervised processes, and their ends become the pods' status.

One loop in the server's process. It decides; the supervision it starts (`supervisor`) lives outside and goes on without
it. What it knows can be found again: the pods in the API, their records on disk. So a start after a kill is the same as
any start: look at each pod's directory, adopt what lives, report what has ended, say so where an end was not seen.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime as dt
import logging
import os
import pwd
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from tiphys.errors import ApiError, ConnectError, SpecError
from tiphys.kit.clock import Clock, from_rfc3339, utc_now
from tiphys.kube.client.api import Client, Item, Object, WatchEvent, list_watch
from tiphys.kube.objects.resources import served
from tiphys.kubelet import fields, status
from tiphys.kubelet.journal import Journal
from tiphys.kubelet.leftovers import kill_leftovers
from tiphys.kubelet.logs import LogOptions, read_log
from tiphys.kubelet.outside import DIFFERENCE, outside
from tiphys.kubelet.payload import write_payload
from tiphys.kubelet.plan import ContainerConfigError, Place, make
from tiphys.kubelet.podfiles import PodFiles
from tiphys.kubelet.recorder import Recorder
from tiphys.kubelet.settings import KubeletSettings
from tiphys.kubelet.sources import request_tokens, sources_of
from tiphys.kubelet.supervisor import Supervisor
from tiphys.kubelet.volumes import MissingSourceError, contents, token_requests

__all__ = ["Captured", "Kubelet", "OnCaptured"]

_log = logging.getLogger(__name__)
_PODS = served("", "pods")
_DEADLINE = ("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")
_LOST = "SupervisionLost"
_NOBODY_SAW = "the end of this container was not seen: its supervision was killed"
_RETRY_FIRST, _RETRY_LONGEST = 0.2, 10.0
_DRAIN_SECONDS = 1.5
_RENEW_AT = 0.8  # of a token's life


@dataclass(frozen=True, slots=True)
class Captured:
    """What was read for one entry of a pod's capture annotation; `data` is None where nothing could be, see `error`."""

    data: bytes | None
    truncated: bool = False
    error: str = ""


OnCaptured = Callable[[Object, Mapping[str, Captured]], Awaitable[None]]
"""Gets a pod that has ended and what it captured, before its last status is written; again after an error or a kill."""


class _Stage(Enum):
    QUEUED = "queued"  # its turn has not come, or it waits for something it refers to
    STARTING = "starting"  # what it refers to is being read
    RUNNING = "running"  # handed to a zygote: processes may live
    ENDED = "ended"  # nothing of it lives; the end is being reported
    DONE = "done"  # its last status is written


class _Pod:
    """What the kubelet holds of a pod."""

    def __init__(self, value: Object) -> None:
        self.value = value
        self.uid: str = value["metadata"]["uid"]
        self.name: str = value["metadata"]["name"]
        self.namespace: str = value["metadata"].get("namespace", "")
        self.stage = _Stage.QUEUED
        self.start: dt.datetime | None = None
        self.state: dict[str, Any] | None = None
        self.deadline: Any = value["spec"].get("activeDeadlineSeconds")
        self.stopping = False
        self.gone = False
        self.wanted: dict[str, Any] | None = None
        self.shown: dict[str, Any] | None = None
        self.timers: list[asyncio.TimerHandle] = []

    @property
    def being_deleted(self) -> bool:
        """Somebody has deleted it; it goes when its processes have."""
        return "deletionTimestamp" in self.value["metadata"]

    @property
    def grace(self) -> float:
        """Seconds between SIGTERM and SIGKILL."""
        asked = self.value["metadata"].get("deletionGracePeriodSeconds")
        if asked is None:
            asked = self.value["spec"].get("terminationGracePeriodSeconds")
        return 30.0 if asked is None else float(asked)

    def cancel_timers(self) -> None:
        """Nothing is due any more."""
        for timer in self.timers:
            timer.cancel()
        self.timers.clear()


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
        self._settings = settings
        self._clock = clock
        self._on_captured = on_captured
        self._files = PodFiles(settings)
        self._journal = Journal(settings.root / "started", _boot_id())
        self._supervisor = Supervisor(settings, self)
        self._recorder = Recorder(client, clock, settings.node_name, normal=settings.normal_events)
        self._sweeper = ThreadPoolExecutor(1, "kubelet-sweeper")
        self._pods: dict[str, _Pod] = {}
        self._queue: deque[_Pod] = deque()
        self._live: set[str] = set()
        self._fresh: set[str] = set()
        self._listed: set[str] | None = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._draining = False
        self._main: asyncio.Task[Any] | None = None
        self._home = pwd.getpwuid(os.getuid()).pw_dir if _has_account() else "/"
        self._commands = frozenset(path.name for path in Path(sys.executable).parent.iterdir())

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
                        self._event(event)
                except (ApiError, ConnectError) as error:
                    _log.warning("pods cannot be watched, trying again: %s", error)
                    self._listed = set()
                    await asyncio.sleep(1)
        if not self._draining:
            raise asyncio.CancelledError

    async def drain(self) -> None:
        """Start nothing more, write what is known, let go. Steps that run go on; the next kubelet adopts them."""
        self._draining = True
        if self._main is not None:
            self._main.cancel()
        self._queue.clear()
        for pod in self._pods.values():
            pod.cancel_timers()
        await self._supervisor.close()
        writing = list(self._tasks)
        if writing:
            _done, late = await asyncio.wait(writing, timeout=_DRAIN_SECONDS)
            for task in late:
                task.cancel()
        self._journal.close()
        self._sweeper.shutdown(wait=True)
        self._files.close()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("the kubelet failed at a pod", exc_info=error)

    def _later(self, pod: _Pod, seconds: float, call: Callable[[_Pod], None]) -> None:
        pod.timers.append(asyncio.get_running_loop().call_later(max(0.0, seconds), call, pod))

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
                self._spawn(self._clear_away(uid))
        self._journal.forget(listed, always=True)

    def _seen(self, item: Item) -> None:
        pod = self._pods.get(item.uid)
        if pod is None:
            pod = self._pods[item.uid] = _Pod(item.object)
            phase = (pod.value.get("status") or {}).get("phase")
            if phase in ("Succeeded", "Failed"):
                pod.stage = _Stage.DONE
            else:
                self._take_on(pod)
        else:
            pod.value = item.object
        if pod.being_deleted:
            self._delete(pod)
        elif pod.stage is not _Stage.DONE:
            self._check_deadline(pod)

    def _take_on(self, pod: _Pod) -> None:
        """A pod new to this kubelet: not started yet, or started by the one before."""
        told = (pod.value.get("status") or {}).get("startTime")
        pod.start = from_rfc3339(told) if told else None
        found = self._files.look(pod.uid)
        if not found.started and pod.uid not in self._journal.of_earlier_boots:
            self._queue.append(pod)
            return
        pod.stage, pod.state = _Stage.RUNNING, found.state
        self._live.add(pod.uid)
        if found.supervisor:
            with contextlib.suppress(ProcessLookupError):
                self._adopt(pod, found.supervisor)
                return
        self.shim_ended(pod.uid)

    def _adopt(self, pod: _Pod, pid: int) -> None:
        self._supervisor.adopt(pod.uid, pid)
        self._later(pod, 0, self._show_running)
        if token_requests(pod.value["spec"]):
            self._spawn(self._renew_tokens(pod))

    def _vanished(self, uid: str) -> None:
        pod = self._pods.get(uid)
        if pod is None:
            return
        pod.gone = True
        self._recorder.forget(uid)
        if pod.stage is _Stage.RUNNING:
            self._stop(pod, "", "", pod.grace)
            return
        if pod.stage is not _Stage.ENDED:
            self._forget(pod)

    def _forget(self, pod: _Pod) -> None:
        """Nothing of it runs, nobody asks for it: remove what is left."""
        pod.cancel_timers()
        pod.stage = _Stage.DONE
        self._release(pod)
        self._pods.pop(pod.uid, None)
        self._sweep(pod.uid)
        self._journal.forget(self._pods.keys())

    def _sweep(self, uid: str) -> None:
        if not self._draining:
            asyncio.get_running_loop().run_in_executor(self._sweeper, self._files.remove, uid)

    def _delete(self, pod: _Pod) -> None:
        """Somebody deleted it: end its processes, then let the object go."""
        if pod.stage is _Stage.RUNNING:
            self._stop(pod, "", "", pod.grace)
        elif pod.stage is not _Stage.ENDED:
            pod.stage = _Stage.DONE
            self._release(pod)
            self._spawn(self._delete_object(pod))

    async def _delete_object(self, pod: _Pod) -> None:
        try:
            await self._client.delete(_PODS, pod.name, pod.namespace, grace_seconds=0, uid=pod.uid)
        except ApiError as error:
            if error.code not in (404, 409):
                _log.warning("pod %s/%s cannot be deleted: %s", pod.namespace, pod.name, error)

    def _check_deadline(self, pod: _Pod) -> None:
        """activeDeadlineSeconds was changed: the shim knows the first one only, and a queued pod none."""
        seconds = pod.value["spec"].get("activeDeadlineSeconds")
        if seconds == pod.deadline:
            return
        pod.deadline = seconds
        if seconds is not None:
            start = pod.start or self._clock()
            left = (start + dt.timedelta(seconds=float(seconds)) - self._clock()).total_seconds()
            self._later(pod, left, self._deadline_passed)

    def _deadline_passed(self, pod: _Pod) -> None:
        if pod.stage is _Stage.RUNNING:
            self._stop(pod, *_DEADLINE, pod.grace)
        elif pod.stage in (_Stage.QUEUED, _Stage.STARTING):
            self._fail(pod, *_DEADLINE)

    # -- start --------------------------------------------------------------------------------------------------------

    def _admit(self) -> None:
        """Start what may be started: first come, first served, as many at once as the settings say."""
        limits = self._settings.limits
        while self._queue and len(self._live) < limits.pods and len(self._fresh) < limits.starts:
            pod = self._queue.popleft()
            if pod.stage is not _Stage.QUEUED or self._draining:
                continue
            pod.stage = _Stage.STARTING
            pod.start = pod.start or self._clock()
            self._live.add(pod.uid)
            self._fresh.add(pod.uid)
            self._spawn(self._start(pod))

    async def _start(self, pod: _Pod) -> None:
        try:
            await self._launch(pod)
        except SpecError as error:
            self._recorder.tell(pod.value, "Warning", "NotSupported", str(error))
            self._fail(pod, "NotSupported", str(error))
        except ContainerConfigError as error:
            self._recorder.tell(pod.value, "Warning", "Failed", f"Error: {error}")
            self._wait(pod, "CreateContainerConfigError", str(error), error.container)
        except MissingSourceError as error:
            self._recorder.tell(pod.value, "Warning", "FailedMount", str(error))
            self._wait(pod, "ContainerCreating", "")
        except (ApiError, ConnectError) as error:
            self._recorder.tell(pod.value, "Warning", "FailedMount", str(error))
            self._wait(pod, "ContainerCreating", str(error))
        except OSError as error:
            self._recorder.tell(pod.value, "Warning", "FailedCreatePodSandBox", str(error))
            self._wait(pod, "CreateContainerError", f"the pod's directory cannot be made: {error.strerror}")

    async def _launch(self, pod: _Pod) -> None:
        value, place = pod.value, self._place(pod.uid)
        namespaces = not self._supervisor.refused
        fields.check(value["spec"], os.getuid(), os.getgid(), namespaces)
        sources = await sources_of(self._client, value)
        tokens = await request_tokens(self._client, value)
        plan = make(
            value,
            self._settings,
            place,
            sources,
            tokens,
            deadline=self._time_left(pod),
        )
        if not namespaces:
            plan = outside(plan, place)
            self._recorder.tell(value, "Warning", "NoMountNamespaces", DIFFERENCE)
        await self._journal.intend(pod.uid)
        if pod.stage is not _Stage.STARTING or self._draining:
            return  # deleted, or past its deadline, meanwhile
        self._files.make(pod.uid)
        pod.stage = _Stage.RUNNING
        self._supervisor.launch(plan)
        self._later(pod, self._settings.limits.running_after, self._show_running)
        if tokens:
            self._renew_later(pod)

    def _place(self, uid: str) -> Place:
        return Place(str(self._files.directory(uid)), str(self._files.memory(uid)), self._home, self._commands)

    def _time_left(self, pod: _Pod) -> float | None:
        seconds = pod.value["spec"].get("activeDeadlineSeconds")
        if seconds is None or pod.start is None:
            return None
        return max(0.0, float(seconds) - (self._clock() - pod.start).total_seconds())

    def _wait(self, pod: _Pod, reason: str, message: str, container: str = "") -> None:
        """It cannot be started now: say why, and try again; meanwhile others may."""
        self._release(pod)
        if pod.stage is not _Stage.STARTING:
            return
        pod.stage = _Stage.QUEUED
        assert pod.start is not None  # noqa: S101 - set when it was admitted
        self._show(pod, status.waiting(pod.value, pod.start, reason, message, container))
        self._later(pod, self._settings.limits.retry_config, self._again)

    def _again(self, pod: _Pod) -> None:
        self._queue.append(pod)
        self._admit()

    def _fail(self, pod: _Pod, reason: str, message: str) -> None:
        """It ends without having run."""
        pod.cancel_timers()
        pod.stage = _Stage.ENDED
        self._release(pod)
        self._spawn(self._conclude(pod, status.failed(pod.value, pod.start or self._clock(), reason, message)))

    def _release(self, pod: _Pod) -> None:
        self._live.discard(pod.uid)
        self._fresh.discard(pod.uid)
        if not self._draining:
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
        if pod is None or pod.stage is not _Stage.RUNNING:
            return
        if "containers" not in state:
            found = self._files.look(pod.uid).state
            if found is None:
                return
            state = found
        pod.state = state
        if state["final"]:
            self._ended(pod)  # it could not write it: the disk is full
        else:
            self._show_record(pod)

    def shim_ended(self, uid: str) -> None:
        """The shim is gone: its last record is the truth, or there is none."""
        pod = self._pods.get(uid)
        if pod is None or pod.stage is not _Stage.RUNNING:
            return
        found = self._files.look(uid)
        if found.supervisor:  # its zygote died between forking it and saying so
            with contextlib.suppress(ProcessLookupError):
                self._adopt(pod, found.supervisor)
                return
            found = self._files.look(uid)
        if not found.final and not found.started and uid not in self._journal.of_earlier_boots:
            self._start_over(pod)
            return
        if not found.final:
            found = self._write_off(pod)
        pod.state = found.state
        self._ended(pod)

    def _start_over(self, pod: _Pod) -> None:
        """Its zygote died before a shim had claimed it: nothing of it has run, nor can it any more."""
        self._release(pod)
        pod.cancel_timers()
        if pod.stopping:
            pod.state = status.lost(pod.value, None, "", "ended before it was started", self._clock().timestamp())
            self._ended(pod)
            return
        pod.stage = _Stage.QUEUED
        self._queue.appendleft(pod)
        self._admit()

    def _write_off(self, pod: _Pod) -> Any:
        """Nobody saw the end: kill what is left and say so."""
        known = self._files.look(pod.uid).state
        sessions = {record.get("pid", -1) for record in (known or {}).get("containers", ())} - {-1}
        if pod.uid in self._journal.of_earlier_boots:
            sessions = set()  # these pids are others' now
        self._files.make(pod.uid)
        final = status.lost(pod.value, known, _LOST, _NOBODY_SAW, self._clock().timestamp())
        # The lock first: a shim on its way to its first step must not take it after the search below.
        with contextlib.suppress(OSError):
            self._files.write_off(pod.uid, final)
        killed = kill_leftovers(pod.uid, sessions)
        _log.error("pod %s/%s: %s (%d processes left)", pod.namespace, pod.name, _NOBODY_SAW, killed)
        self._recorder.tell(pod.value, "Warning", _LOST, _NOBODY_SAW)
        found = self._files.look(pod.uid)
        return found if found.final else type(found)(True, 0, final)

    # -- status -------------------------------------------------------------------------------------------------------

    def _show_running(self, pod: _Pod) -> None:
        self._fresh.discard(pod.uid)
        self._admit()
        if pod.stage is not _Stage.RUNNING:
            return
        if pod.state is None:
            pod.state = self._files.look(pod.uid).state
        if pod.state is None:  # a busy machine: the shim has not come so far
            self._later(pod, self._settings.limits.running_after, self._show_running)
            return
        self._recorder.tell(pod.value, "Normal", "Started", "Started containers")
        self._show_record(pod)

    def _show_record(self, pod: _Pod) -> None:
        assert pod.state is not None  # noqa: S101 - the callers have it
        start = pod.start or self._clock()
        self._show(pod, status.of_record(pod.value, pod.state, start))

    def _show(self, pod: _Pod, wanted: dict[str, Any]) -> None:
        if wanted == (pod.wanted or pod.shown):
            return
        writing = pod.wanted is not None
        pod.wanted = wanted
        if not writing:
            self._spawn(self._write(pod))

    async def _write(self, pod: _Pod) -> None:
        """Write the newest status wanted, until it is written; between two attempts it may have changed again."""
        pause = _RETRY_FIRST
        while pod.wanted is not None and not pod.gone:
            writing = pod.wanted
            try:
                await self._client.patch(_PODS, pod.name, {"status": writing}, pod.namespace, subresource="status")
            except (ApiError, ConnectError) as error:
                if isinstance(error, ApiError) and error.code == 404:
                    break
                _log.warning("status of pod %s/%s not written, trying again: %s", pod.namespace, pod.name, error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _RETRY_LONGEST)
                continue
            pod.shown = writing
            if pod.wanted is writing:
                break
        pod.wanted = None

    def _ended(self, pod: _Pod) -> None:
        assert pod.state is not None  # noqa: S101 - the callers have it
        pod.stage = _Stage.ENDED
        pod.cancel_timers()
        self._release(pod)
        self._spawn(self._conclude(pod, status.of_record(pod.value, pod.state, pod.start or self._clock())))

    async def _conclude(self, pod: _Pod, final: dict[str, Any]) -> None:
        """Hand over what was captured, then write the last status; both until they are done."""
        captured = (pod.state or {}).get("captured") or {}
        if captured and self._on_captured is not None and not pod.gone:
            await self._hand_over(pod, {name: _captured(entry) for name, entry in captured.items()})
        while pod.wanted is not None:  # an earlier status is being written
            pod.wanted = final
            await asyncio.sleep(0.001)
        if pod.shown != final:
            pod.wanted = final
            await self._write(pod)
        pod.stage, pod.state = _Stage.DONE, None
        if pod.gone:
            self._forget(pod)
        elif pod.being_deleted:
            await self._delete_object(pod)

    async def _hand_over(self, pod: _Pod, captured: Mapping[str, Captured]) -> None:
        assert self._on_captured is not None  # noqa: S101 - the caller has looked
        pause = _RETRY_FIRST
        while not pod.gone:
            try:
                await self._on_captured(pod.value, captured)
            except (ApiError, ConnectError) as error:
                _log.warning("outputs of pod %s/%s not reported, trying again: %s", pod.namespace, pod.name, error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _RETRY_LONGEST)
            else:
                return

    # -- orders -------------------------------------------------------------------------------------------------------

    def _stop(self, pod: _Pod, reason: str, message: str, grace: float) -> None:
        """End the processes of a pod; its shim does it, and tells when they have ended."""
        pod.stopping = True
        try:
            self._files.order_stop(pod.uid, reason, message, grace)
        except OSError as error:
            # Without the order the shim stops the pod all the same, by the pod's own grace period.
            _log.warning("pod %s/%s is stopped without a reason: %s", pod.namespace, pod.name, error)
        self._supervisor.signal(pod.uid, signal.SIGTERM)

    async def _clear_away(self, uid: str) -> None:
        """A directory without a pod: it was deleted while no kubelet ran. What lives of it is ended first."""
        while (found := self._files.look(uid)).supervisor:
            with contextlib.suppress(OSError):
                self._files.order_stop(uid, "", "", 0)
                os.kill(found.supervisor, signal.SIGTERM)
            await asyncio.sleep(0.05)
        if found.started and not found.final:
            kill_leftovers(uid, ())
        self._sweep(uid)

    # -- tokens -------------------------------------------------------------------------------------------------------

    def _renew_later(self, pod: _Pod) -> None:
        seconds = min(request.seconds for request in token_requests(pod.value["spec"]))
        self._later(pod, seconds * _RENEW_AT, lambda p: self._spawn(self._renew_tokens(p)))

    async def _renew_tokens(self, pod: _Pod) -> None:
        """Put fresh tokens into the volumes of a pod that runs on."""
        try:
            sources = await sources_of(self._client, pod.value)
            tokens = await request_tokens(self._client, pod.value)
            volumes = {request.volume for request in token_requests(pod.value["spec"])}
            for volume in pod.value["spec"].get("volumes") or ():
                if volume["name"] not in volumes or pod.stage is not _Stage.RUNNING:
                    continue
                files = contents(pod.value, volume, sources, tokens)
                directory = self._files.memory(pod.uid) / volume["name"]
                if files is not None and directory.exists():
                    write_payload(str(directory), files, self._clock().strftime("%Y_%m_%d_%H_%M_%S.%f"))
        except (ApiError, ConnectError, MissingSourceError, OSError) as error:
            _log.warning("tokens of pod %s/%s not renewed, trying again: %s", pod.namespace, pod.name, error)
            self._later(pod, _RETRY_LONGEST, lambda p: self._spawn(self._renew_tokens(p)))
            return
        if pod.stage is _Stage.RUNNING:
            self._renew_later(pod)

    # -- logs ---------------------------------------------------------------------------------------------------------

    async def read(self, pod: dict[str, Any], container: str, options: Mapping[str, str]) -> AsyncIterator[bytes]:
        """The log of a container; options as in the query of `…/log`.

        Raises:
            ApiError: 400: the container has not started, or the options are wrong.
        """
        uid = pod["metadata"]["uid"]
        asked = LogOptions.of(options, self._clock)
        attempts = self._files.attempts(uid, container)
        where = f'container "{container}" in pod "{pod["metadata"]["name"]}"'
        if asked.previous and len(attempts) < 2:
            raise ApiError(400, "BadRequest", f"previous terminated {where.replace(' in pod', ' in pod', 1)} not found")
        if not attempts:
            known = self._pods.get(uid)
            if known is None or known.stage is _Stage.DONE:
                return
            raise ApiError(400, "BadRequest", f"{where} is waiting to start: ContainerCreating")
        attempt = attempts[-2] if asked.previous else attempts[-1]

        def ended() -> bool:
            known = self._pods.get(uid)
            if asked.previous or known is None or known.stage is not _Stage.RUNNING:
                return True
            records = (known.state or {}).get("containers", ())
            return any(r["name"] == container and r["attempt"] == attempt and r["state"] != "running" for r in records)

        async for chunk in read_log(self._files.directory(uid), container, attempt, asked, ended):
            yield chunk


def _captured(entry: Mapping[str, Any]) -> Captured:
    data = entry["data"]
    return Captured(None if data is None else base64.b64decode(data), entry["truncated"], entry["error"])


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _has_account() -> bool:
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        return False
    return True
