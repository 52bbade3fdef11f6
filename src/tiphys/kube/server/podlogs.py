"""`…/pods/NAME/log`: whose log is meant, and what is said when there is none yet. The kubelet keeps the logs.

Called by `http` and `inprocess`. The rules and sentences are those of Kubernetes; kubectl and argo show them as they
are.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol

from tiphys.kit.codec import decode
from tiphys.kube.objects import status
from tiphys.kube.objects.resources import served
from tiphys.kube.server.api import Api, Request
from tiphys.kube.store.api import Key

__all__ = ["LogSource", "PodLogs"]

_PODS = served("", "pods")


class LogSource(Protocol):
    """Who keeps the logs of pods: the kubelet."""

    def read(self, pod: dict[str, Any], container: str, options: Mapping[str, str]) -> AsyncIterator[bytes]:
        """The log of one container of a pod; options as in the query of `…/log`: follow, tailLines, timestamps, …"""
        ...


class PodLogs:
    """Logs, once a kubelet says where they are.

    Attributes:
        source: set by the composition root; None while no kubelet runs.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self.source: LogSource | None = None

    async def read(self, request: Request, options: Mapping[str, str]) -> AsyncIterator[bytes]:
        """The log of a container, in chunks.

        Raises:
            ApiError: 403, 404, 400: no such container, or it has not started.
        """
        self._api.authorize(request, "get")
        record = self._api.store.get(Key("", "pods", request.namespace, request.name))
        if record is None:
            raise status.not_found(_PODS, request.name)
        pod = decode(record.value)
        container = _container(pod, options.get("container", ""))
        _check(options)
        previous = _true(options.get("previous", ""))
        _check_started(pod, container, previous=previous)
        if self.source is None:
            raise status.unavailable(f'no kubelet runs that could read the log of container "{container}"')
        async for chunk in self.source.read(pod, container, options):
            yield chunk


def _container(pod: Mapping[str, Any], asked: str) -> str:
    name, spec = pod["metadata"]["name"], pod.get("spec") or {}
    main, init = _names(spec.get("containers")), _names(spec.get("initContainers"))
    if asked:
        if asked not in (*main, *init):
            raise status.bad_request(f"container {asked} is not valid for pod {name}")
        return asked
    if len(main) == 1:
        return main[0]
    message = f"a container name must be specified for pod {name}, choose one of: [{' '.join(main)}]"
    if init:
        message += f" or one of the init containers: [{' '.join(init)}]"
    raise status.bad_request(message)


def _names(containers: Sequence[Mapping[str, Any]] | None) -> list[str]:
    return [str(container.get("name")) for container in containers or ()]


def _check(options: Mapping[str, str]) -> None:
    wrong = []
    for field, least in (("tailLines", 0), ("sinceSeconds", 1), ("limitBytes", 1)):
        text = options.get(field, "")
        if not text:
            continue
        if not text.lstrip("-").isdigit():
            raise status.bad_request(f'{field}: strconv.ParseInt: parsing "{text}": invalid syntax')
        if int(text) < least:
            wrong.append(
                status.invalid_field(field, int(text), f"must be greater than {'or equal to ' * (not least)}0")
            )
    if options.get("sinceSeconds") and options.get("sinceTime"):
        wrong.append(status.forbidden_field("", "at most one of `sinceTime` or `sinceSeconds` may be specified"))
    if wrong:
        raise status.invalid("PodLogOptions", "", "", wrong)


def _check_started(pod: Mapping[str, Any], container: str, *, previous: bool) -> None:
    name, state = pod["metadata"]["name"], pod.get("status") or {}
    states = (*(state.get("containerStatuses") or ()), *(state.get("initContainerStatuses") or ()))
    found: Mapping[str, Any] = next((one for one in states if one.get("name") == container), {})
    ended = (found.get("lastState") or {}).get("terminated")
    if previous:
        if not ended:
            raise status.bad_request(f'previous terminated container "{container}" in pod "{name}" not found')
        return
    now = found.get("state") or {}
    if now.get("running") is not None or now.get("terminated") is not None or ended:
        return
    if state.get("phase") in ("Succeeded", "Failed"):
        return  # it never ran, and never will: there is nothing to read
    reason = (now.get("waiting") or {}).get("reason") or "ContainerCreating"
    raise status.bad_request(f'container "{container}" in pod "{name}" is waiting to start: {reason}')


def _true(text: str) -> bool:
    return text.lower() in ("1", "t", "true")
