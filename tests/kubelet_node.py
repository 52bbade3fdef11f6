"""A kubelet on the real API, in process, for the tests of the kubelet: pods are created, their ends awaited."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tiphys.errors import ApiError
from tiphys.kit.clock import utc_now
from tiphys.kit.redact import Secret
from tiphys.kube.objects.resources import served
from tiphys.kube.server.api import Api
from tiphys.kube.server.bootstrap import Role, furnish
from tiphys.kube.server.inprocess import InProcessClient
from tiphys.kube.server.podlogs import PodLogs
from tiphys.kube.server.reviews import Reviews
from tiphys.kube.server.tokens import Tokens
from tiphys.kube.server.users import ADMIN, AUTHENTICATED, User
from tiphys.kube.store.api import Store
from tiphys.kube.store.memory import MemoryStore
from tiphys.kubelet import rbac
from tiphys.kubelet.kubelet import Captured, Kubelet
from tiphys.kubelet.podfiles import PodFiles
from tiphys.kubelet.settings import KubeletSettings, Limits
from tiphys.kubelet.supervisor import Supervisor

PODS, CONFIG_MAPS = served("", "pods"), served("", "configmaps")


class Node:
    """One cluster in memory and the kubelet on it; `restart` is a kill of the server and a new start."""

    def __init__(self, root: Path, store: Store | None = None, **settings: Any) -> None:
        self.root = root
        limits = settings.pop("limits", Limits(backoff_first=0.05, retry_config=0.05))
        self.settings = KubeletSettings(root=root / "kubelet", api_port=6443, limits=limits, **settings)
        self.captured: dict[str, dict[str, Captured]] = {}
        self.refuse_captured: list[Exception] = []
        self.api = Api(store or MemoryStore())
        reviews = Reviews(self.api, Tokens(self.api.store, root / "key", Secret("admin"), utc_now))
        self._logs = PodLogs(self.api)
        self.admin = InProcessClient(self.api, ADMIN, reviews, self._logs)
        self._client = InProcessClient(self.api, User("system:node:local", (rbac.GROUP, AUTHENTICATED)), reviews)
        self.kubelet = self._new()
        self._task: asyncio.Task[None] | None = None

    def _new(self) -> Kubelet:
        made = Kubelet(self._client, self.settings, on_captured=self._on_captured)
        self._logs.source = made
        return made

    async def _on_captured(self, pod: dict[str, Any], captured: Any) -> None:
        if self.refuse_captured:
            raise self.refuse_captured.pop()
        assert pod["metadata"]["name"] not in self.captured
        self.captured[pod["metadata"]["name"]] = dict(captured)

    async def start(self) -> None:
        await furnish(self.api, (Role("system:node", ("Group", rbac.GROUP), rbac.RULES),))
        authority = {"metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": "CA"}}
        with contextlib.suppress(ApiError):  # there already: the store has been used before
            await self.admin.create(served("", "serviceaccounts"), {"metadata": {"name": "default"}}, "default")
            await self.admin.create(CONFIG_MAPS, authority, "default")
        self._task = asyncio.create_task(self.kubelet.run())

    async def stop(self) -> None:
        await self.kubelet.drain()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def clean(self) -> None:
        """End what a scenario left running."""
        files = PodFiles(self.settings)
        for uid in files.uids():
            if supervisor := files.look(uid).supervisor:
                os.kill(supervisor, signal.SIGKILL)
            files.remove(uid)
        files.close()

    def crash(self) -> None:
        """As a kill of the server looks from outside: its descriptors are closed, and it says and does nothing more."""
        assert self._task is not None
        self._task.cancel()
        kubelet = self.kubelet
        kubelet._draining = True
        kubelet._turns.close()
        for task in kubelet._tasks._tasks:
            task.cancel()
        for pod in kubelet._pods.values():
            pod.settle()
        supervisor = kubelet._supervisor
        supervisor._closed = True
        for forker in supervisor._forkers.values():
            forker.close()
        supervisor.hang_up()
        kubelet._journal.close()
        kubelet._sweeper.shutdown()

    async def begin(self, **settings: Any) -> None:
        """A new kubelet on what is there, after a crash."""
        self.settings = replace(self.settings, **settings)
        self.kubelet = self._new()
        self._task = asyncio.create_task(self.kubelet.run())

    async def restart(self, **settings: Any) -> None:
        await self.stop()
        await self.begin(**settings)

    # -- what tests do ------------------------------------------------------------------------------------------------

    async def create(self, name: str, *command: str, **fields: Any) -> dict[str, Any]:
        """A pod of one container `main`; `spec` and `main` are merged into it."""
        main = {"name": "main", "image": "any", "command": list(command), **fields.pop("main", {})}
        spec = {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "nodeName": "local",
            "terminationGracePeriodSeconds": 1,
            "containers": [main, *fields.pop("others", [])],
            **fields.pop("spec", {}),
        }
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, **fields.pop("meta", {})}, "spec": spec}
        assert not fields
        return (await self.admin.create(PODS, pod, "default")).object

    async def until(self, name: str, holds: Callable[[dict[str, Any]], Any], seconds: float = 15) -> dict[str, Any]:
        """The pod, as soon as this holds of it; an error with its status where it takes too long."""
        shown: dict[str, Any] = {}
        try:
            async with asyncio.timeout(seconds):
                listed = await self.admin.list(PODS, "default", field_selector=f"metadata.name={name}")
                for item in listed.items:
                    shown = item.object
                    if holds(shown):
                        return shown
                watch = self.admin.watch(
                    PODS,
                    "default",
                    field_selector=f"metadata.name={name}",
                    resource_version=listed.resource_version,
                )
                async for event in watch:
                    if event.item is not None:
                        shown = event.item.object
                        if event.type == "DELETED":
                            shown["deleted"] = True
                        if holds(shown):
                            return shown
        except TimeoutError:
            pytest.fail(f"pod {name} stayed {shown.get('status')}")
        raise AssertionError("the watch ended")

    async def ended(self, name: str, seconds: float = 15) -> dict[str, Any]:
        return await self.until(name, lambda pod: pod["status"]["phase"] in ("Succeeded", "Failed"), seconds)

    async def running(self, name: str) -> dict[str, Any]:
        return await self.until(name, lambda pod: pod["status"]["phase"] == "Running")

    async def run(self, name: str, *command: str, **fields: Any) -> dict[str, Any]:
        await self.create(name, *command, **fields)
        return await self.ended(name)

    async def log(self, name: str, container: str = "main", **options: str) -> str:
        chunks = self.admin.log(name, "default", {"container": container, **options})
        return b"".join([chunk async for chunk in chunks]).decode()

    async def sh_of(self, name: str, command: Sequence[str], **fields: Any) -> str:
        """Run a command to its success; its output."""
        # `$(` and `$$` mean something in the command of a container.
        pod = await self.run(name, *(word.replace("$", "$$") for word in command), **fields)
        text = await self.log(name)
        assert pod["status"]["phase"] == "Succeeded", (pod["status"], text)
        return text

    async def sh(self, name: str, script: str, **fields: Any) -> str:
        """Run a shell script to its success; its output."""
        return await self.sh_of(name, ("sh", "-c", script), **fields)

    def shim(self, pod: dict[str, Any]) -> int:
        """Pid of the supervisor of a pod; 0 when there is none."""
        return self.kubelet._files.look(pod["metadata"]["uid"]).supervisor

    def supervisor(self) -> Supervisor:
        return self.kubelet._supervisor

    def pod_dir(self, pod: dict[str, Any]) -> Path:
        return self.settings.root / "pods" / pod["metadata"]["uid"]
