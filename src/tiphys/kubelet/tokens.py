"""Fresh service account tokens in the volumes of pods that run on. Called by the kubelet."""

from __future__ import annotations

import datetime as dt
import logging

from tiphys.errors import ApiError, ConnectError
from tiphys.kit.clock import Clock
from tiphys.kube.client.api import Client
from tiphys.kubelet.payload import write_payload
from tiphys.kubelet.pod import Pod, Stage
from tiphys.kubelet.podfiles import PodFiles
from tiphys.kubelet.sources import request_tokens, sources_of
from tiphys.kubelet.tasks import Tasks
from tiphys.kubelet.volumes import MissingSourceError, contents, token_requests

__all__ = ["TokenRenewal"]

_log = logging.getLogger(__name__)
_RENEW_AT = 0.8  # of a token's life
_AGAIN_SECONDS = 10.0
_LOOK_SECONDS = 30.0


class TokenRenewal:
    """See the module."""

    def __init__(self, client: Client, files: PodFiles, tasks: Tasks, clock: Clock) -> None:
        self._client = client
        self._files = files
        self._tasks = tasks
        self._clock = clock

    def started(self, pod: Pod) -> None:
        """The pod has its first tokens."""
        lives = [request.seconds for request in token_requests(pod.value["spec"])]
        if lives:
            self._watch(pod, self._clock() + dt.timedelta(seconds=min(lives) * _RENEW_AT))

    def _watch(self, pod: Pod, due: dt.datetime) -> None:
        """Renew when it is due by the server's clock: it may be set, or run on while a machine sleeps."""
        left = (due - self._clock()).total_seconds()
        if left <= 0:
            self.renew(pod)
        else:
            pod.later(min(left, _LOOK_SECONDS), lambda pod: self._watch(pod, due))

    def renew(self, pod: Pod) -> None:
        """Give a pod fresh tokens now, where it has any: nobody knows how old those of an adopted pod are."""
        if token_requests(pod.value["spec"]):
            self._tasks.spawn(self._renew(pod))

    async def _renew(self, pod: Pod) -> None:
        try:
            await self._write(pod)
        except (ApiError, ConnectError, MissingSourceError, OSError) as error:
            _log.warning("tokens of pod %s not renewed, trying again: %s", pod, error)
            pod.later(_AGAIN_SECONDS, self.renew)
        else:
            self.started(pod)

    async def _write(self, pod: Pod) -> None:
        sources = await sources_of(self._client, pod.value)
        tokens = await request_tokens(self._client, pod.value)
        volumes = {request.volume for request in token_requests(pod.value["spec"])}
        for volume in pod.value["spec"].get("volumes") or ():
            if volume["name"] not in volumes or pod.stage is not Stage.RUNNING:
                continue
            files = contents(pod.value, volume, sources, tokens)
            directory = self._files.memory(pod.uid) / volume["name"]
            if files is not None and directory.exists():
                write_payload(str(directory), files, self._clock().strftime("%Y_%m_%d_%H_%M_%S.%f"))
