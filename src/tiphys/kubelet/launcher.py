"""What must be known before a pod can start: what it refers to is read, and everything is put into a plan.

Called by the kubelet, again and again while something is missing. Nothing is started here.
"""

from __future__ import annotations

import logging
import os
import pwd
import sys
from pathlib import Path

from tiphys.errors import ApiError, ConnectError, SpecError
from tiphys.kit.clock import Clock
from tiphys.kube.client.api import Client
from tiphys.kubelet import fields
from tiphys.kubelet.outside import DIFFERENCE, outside
from tiphys.kubelet.plan import ContainerConfigError, Place, Plan, make
from tiphys.kubelet.pod import Pod
from tiphys.kubelet.podfiles import PodFiles
from tiphys.kubelet.recorder import Recorder
from tiphys.kubelet.settings import KubeletSettings, python_environment
from tiphys.kubelet.sources import request_tokens, sources_of
from tiphys.kubelet.volumes import MissingSourceError

__all__ = ["CannotStartError", "Launcher"]

_log = logging.getLogger(__name__)


class CannotStartError(Exception):
    """A pod cannot be started.

    Attributes:
        event: the reason of the Event that tells it.
        reason, message: of the waiting state of `container` ("": of all), or of the pod where it is `for_good`.
        for_good: waiting does not help.
    """

    def __init__(
        self, event: str, told: str, reason: str, message: str, *, container: str = "", for_good: bool = False
    ) -> None:
        super().__init__(told)
        self.event = event
        self.reason = reason
        self.message = message
        self.container = container
        self.for_good = for_good


class Launcher:
    """See the module."""

    def __init__(
        self, client: Client, settings: KubeletSettings, files: PodFiles, recorder: Recorder, clock: Clock
    ) -> None:
        self._client = client
        self._settings = settings
        self._files = files
        self._recorder = recorder
        self._clock = clock
        self._home = _home()
        self._commands = frozenset(path.name for path in Path(sys.executable).parent.iterdir())
        self._kept = python_environment()

    async def plan(self, pod: Pod, *, namespaces: bool) -> Plan:
        """The plan of a pod.

        Args:
            namespaces: containers have a view of the file system of their own.

        Raises:
            CannotStartError: not now, or never.
        """
        try:
            plan = await self._make(pod, namespaces)
        except SpecError as error:
            raise CannotStartError("NotSupported", str(error), "NotSupported", str(error), for_good=True) from error
        except ContainerConfigError as error:
            told, reason = f"Error: {error}", "CreateContainerConfigError"
            raise CannotStartError("Failed", told, reason, str(error), container=error.container) from error
        except MissingSourceError as error:
            raise CannotStartError("FailedMount", str(error), "ContainerCreating", "") from error
        except (ApiError, ConnectError) as error:
            raise CannotStartError("FailedMount", str(error), "ContainerCreating", str(error)) from error
        except Exception as error:
            # A shape that neither the API nor the checks above foresee must not keep its turn from others for ever.
            _log.exception("pod %s", pod)
            why = f"the pod cannot be understood: {type(error).__name__}: {error}"
            raise CannotStartError("InvalidPod", why, "InvalidPod", why, for_good=True) from error
        if namespaces:
            return plan
        if pod.value:
            self._recorder.tell(pod.value, "Warning", "NoMountNamespaces", DIFFERENCE)
        return outside(plan, self._place(pod.uid))

    async def _make(self, pod: Pod, namespaces: bool) -> Plan:
        value = pod.value  # it is no more the pod's, where that is deleted meanwhile
        fields.check(value["spec"], os.getuid(), os.getgid(), namespaces)
        sources = await sources_of(self._client, value)
        tokens = await request_tokens(self._client, value)
        left = pod.time_left(self._clock()) if pod.value else None
        return make(value, self._settings, self._place(pod.uid), sources, tokens, deadline=left)

    def _place(self, uid: str) -> Place:
        return Place(
            str(self._files.directory(uid)),
            str(self._files.memory(uid)),
            self._home,
            self._commands,
            self._kept,
        )


def _home() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return "/"
