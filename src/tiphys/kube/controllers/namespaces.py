"""Namespaces: what every one holds from its beginning, and its end.

A new namespace gets the ServiceAccount `default` and the ConfigMap `kube-root-ca.crt`, and gets them again when they
are deleted. One that is deleted is emptied; when nothing is left in it, its finalizer goes, and with it the namespace.
"""

from __future__ import annotations

import asyncio
import logging

from tiphys.errors import ApiError
from tiphys.kit.clock import Clock, rfc3339, utc_now
from tiphys.kube.client.api import Client, Object
from tiphys.kube.controllers.loop import FIRST_PAUSE, WorkQueue, follow
from tiphys.kube.objects.resources import RESOURCES, Resource, served

__all__ = ["run"]

_log = logging.getLogger(__name__)
_NAMESPACES, _ACCOUNTS, _CONFIGMAPS = (
    served("", "namespaces"),
    served("", "serviceaccounts"),
    served("", "configmaps"),
)
_PODS = served("", "pods")
# Pods first: they use what else is in the namespace, and are given time to end.
_CONTENT = (
    _PODS,
    *(r for r in RESOURCES if "deletecollection" in r.verbs and r.namespaced and r is not _PODS and r.shows is None),
)
_ACCOUNT, _AUTHORITY = "default", "kube-root-ca.crt"
_ABOUT_AUTHORITY = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes "
    "clusters."
)
_LONGEST_WAIT = 5.0


async def run(client: Client, authority: str, clock: Clock = utc_now) -> None:
    """Care for all namespaces, until cancelled.

    Args:
        client: may get, list, watch and patch namespaces, update their finalize; create ServiceAccounts and ConfigMaps;
            list and deletecollection everything in namespaces.
        authority: the certificate authority of the API server, PEM.
        clock: for the time of conditions.
    """
    controller = _Controller(client, authority, clock)
    async with asyncio.TaskGroup() as group:
        group.create_task(controller.follow(_NAMESPACES, ""))
        group.create_task(controller.follow(_ACCOUNTS, _ACCOUNT))
        group.create_task(controller.follow(_CONFIGMAPS, _AUTHORITY))
        group.create_task(controller.queue.run())


class _Controller:
    def __init__(self, client: Client, authority: str, clock: Clock) -> None:
        self._client = client
        self._authority = authority
        self._clock = clock
        self.queue: WorkQueue[str] = WorkQueue("namespaces", self._handle)
        self._waits: dict[str, float] = {}

    async def follow(self, resource: Resource, name: str) -> None:
        selector = f"metadata.name={name}" if name else ""
        async for event in follow(self._client, resource, field_selector=selector):
            if event.item is not None:
                self.queue.add(event.item.namespace if resource.namespaced else event.item.name)

    async def _handle(self, name: str) -> None:
        try:
            namespace = (await self._client.get(_NAMESPACES, name)).object
        except ApiError as error:
            if error.code != 404:
                raise
            self._waits.pop(name, None)
            return
        if "deletionTimestamp" not in namespace["metadata"]:
            await self._furnish(name)
        elif (namespace.get("spec") or {}).get("finalizers"):
            await self._empty(name, namespace)

    async def _furnish(self, name: str) -> None:
        await self._make(_ACCOUNTS, {"metadata": {"name": _ACCOUNT}}, name)
        authority = {
            "metadata": {"name": _AUTHORITY, "annotations": {"kubernetes.io/description": _ABOUT_AUTHORITY}},
            "data": {"ca.crt": self._authority},
        }
        present = await self._make(_CONFIGMAPS, authority, name)
        if present is not None and present.get("data") != authority["data"]:
            await self._client.patch(_CONFIGMAPS, _AUTHORITY, {"data": authority["data"]}, name)

    async def _make(self, resource: Resource, value: Object, namespace: str) -> Object | None:
        """The object that is there already; None if it had to be made, or cannot be as the namespace is going."""
        try:
            return (await self._client.get(resource, value["metadata"]["name"], namespace)).object
        except ApiError as error:
            if error.code != 404:
                raise
        try:
            await self._client.create(resource, value, namespace)
        except ApiError as error:
            # It was made, or the deletion of the namespace was begun, between the two: either comes as an event.
            if error.reason != "AlreadyExists" and not (error.code in (403, 404) and "terminat" in error.message):
                raise
        return None

    async def _empty(self, name: str, namespace: Object) -> None:
        left: dict[str, int] = {}
        for resource in _CONTENT:
            if (await self._client.list(resource, name, limit=1)).items:
                await self._client.delete_collection(resource, name)
            if count := len((await self._client.list(resource, name)).items):
                left[resource.qualified] = count
        if not left:
            self._waits.pop(name, None)
            await self._client.update(_NAMESPACES, {**namespace, "spec": {"finalizers": []}}, subresource="finalize")
            return
        await self._tell(name, namespace, left)
        wait = self._waits.get(name, FIRST_PAUSE)
        self._waits[name] = min(wait * 2, _LONGEST_WAIT)
        self.queue.add_after(name, wait)

    async def _tell(self, name: str, namespace: Object, left: dict[str, int]) -> None:
        """Say in the status what the deletion waits for, as Kubernetes does."""
        told = ", ".join(f"{kind} has {count} resource instances" for kind, count in sorted(left.items()))
        message = f"Some resources are remaining: {told}"
        status = namespace.get("status") or {}
        others = [c for c in status.get("conditions") or () if c.get("type") != "NamespaceContentRemaining"]
        before = [c for c in status.get("conditions") or () if c.get("type") == "NamespaceContentRemaining"]
        if before and before[0].get("message") == message:
            return
        condition = {
            "type": "NamespaceContentRemaining",
            "status": "True",
            "reason": "SomeResourcesRemain",
            "message": message,
            "lastTransitionTime": before[0]["lastTransitionTime"] if before else rfc3339(self._clock()),
        }
        body = {"status": {"conditions": [*others, condition]}}
        await self._client.patch(_NAMESPACES, name, body, subresource="status")
