"""The logs of pods, for the API server: `kube.server.podlogs.LogSource`. Called through the kubelet."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from tiphys.errors import ApiError
from tiphys.kit.clock import Clock
from tiphys.kubelet.logs import LogOptions, read_log
from tiphys.kubelet.pod import Pod, Stage
from tiphys.kubelet.podfiles import PodFiles

__all__ = ["PodLogs"]


class PodLogs:
    """See the module.

    Args:
        pods: those the kubelet knows, by uid.
    """

    def __init__(self, files: PodFiles, pods: Mapping[str, Pod], clock: Clock) -> None:
        self._files = files
        self._pods = pods
        self._clock = clock

    async def read(self, pod: dict[str, Any], container: str, options: Mapping[str, str]) -> AsyncIterator[bytes]:
        """The log of a container; options as in the query of `…/log`.

        Raises:
            ApiError: 400: the container has not started, or the options are wrong.
        """
        uid, name = pod["metadata"]["uid"], pod["metadata"]["name"]
        asked = LogOptions.of(options, self._clock)
        attempt = self._files.newest_attempt(uid, container)
        if asked.previous and attempt < 1:
            raise ApiError(400, "BadRequest", f'previous terminated container "{container}" in pod "{name}" not found')
        if attempt < 0:
            known = self._pods.get(uid)
            if known is None or known.stage in (Stage.ENDED, Stage.DONE):
                return
            why = f'container "{container}" in pod "{name}" is waiting to start: ContainerCreating'
            raise ApiError(400, "BadRequest", why)
        attempt -= asked.previous

        def ended() -> bool:
            return asked.previous or self._ended(uid, container, attempt)

        async for chunk in read_log(self._files.directory(uid), container, attempt, asked, ended):
            yield chunk

    def _ended(self, uid: str, container: str, attempt: int) -> bool:
        pod = self._pods.get(uid)
        if pod is None or pod.stage is not Stage.RUNNING:
            return True
        return any(
            record["name"] == container and (record["attempt"], record["state"] != "running") > (attempt, False)
            for record in pod.records()
        )
