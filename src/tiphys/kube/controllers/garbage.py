"""Garbage collection by ownerReferences: background, foreground, orphan; owners that never were or are gone.

It keeps a graph of every stored object, from watches, and acts on what one event touches. Before it deletes for want of
an owner it asks the API for that owner. Run by the composition root as `system:tiphys:controllers`.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

from tiphys.errors import ApiError
from tiphys.kube.client.api import Client, Item, WatchEvent, list_watch
from tiphys.kube.objects.resources import RESOURCES, Resource, by_kind

__all__ = ["GarbageCollector"]

_log = logging.getLogger(__name__)

_FOREGROUND, _ORPHAN = "foregroundDeletion", "orphan"
_STORED = tuple(resource for resource in RESOURCES if resource.stored)


@dataclass(frozen=True, slots=True)
class _Node:
    resource: Resource
    namespace: str
    name: str
    uid: str
    owners: tuple[dict[str, Any], ...]
    finalizers: frozenset[str]
    deleting: bool


class GarbageCollector:
    """See the module; `run` is for ever."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._nodes: dict[str, _Node] = {}
        self._dependents: dict[str, set[str]] = {}
        self._queue: asyncio.Queue[tuple[Resource, WatchEvent]] = asyncio.Queue()
        self._unsynced = set(range(len(_STORED)))

    async def run(self) -> None:
        """Watch everything, act on what happens."""
        async with asyncio.TaskGroup() as tasks:
            for number, resource in enumerate(_STORED):
                tasks.create_task(self._watch(number, resource))
            tasks.create_task(self._work())

    async def _watch(self, number: int, resource: Resource) -> None:
        async for event in list_watch(self._client, resource):
            if event.type == "SYNCED":
                self._unsynced.discard(number)
            await self._queue.put((resource, event))

    async def _work(self) -> None:
        synced = False
        while True:
            resource, event = await self._queue.get()
            if event.item is not None:
                touched = self._learn(resource, event)
                for uid in touched if synced else ():
                    await self._tried(uid)
            if not synced and not self._unsynced and self._queue.empty():
                synced = True  # only now is an owner that is not in the graph not there
                for uid in tuple(self._nodes):
                    await self._tried(uid)

    def _learn(self, resource: Resource, event: WatchEvent) -> list[str]:
        """Keep the graph; gives the objects to look at: this one, and the owners that may wait for it."""
        item = event.item
        assert item is not None  # noqa: S101 - the caller has looked
        old = self._nodes.pop(item.uid, None)
        for owner in old.owners if old else ():
            self._dependents.get(owner.get("uid", ""), set()).discard(item.uid)
        if event.type != "DELETED":
            node = _node(resource, item)
            self._nodes[item.uid] = node
            for owner in node.owners:
                self._dependents.setdefault(owner.get("uid", ""), set()).add(item.uid)
        return [item.uid, *(owner.get("uid", "") for owner in (old.owners if old else ()))]

    async def _tried(self, uid: str) -> None:
        try:
            await self._act(uid)
        except ApiError as error:
            if error.code not in (404, 409):  # gone, or changed: its next event comes
                _log.warning("garbage collection: %s", error)

    async def _act(self, uid: str) -> None:
        node = self._nodes.get(uid)
        if node is None:
            for dependent in tuple(self._dependents.get(uid, ())):
                await self._collect(self._nodes[dependent])
            if not self._dependents.get(uid):
                self._dependents.pop(uid, None)
            return
        if node.owners and not node.deleting:
            await self._collect(node)
        if node.deleting and _ORPHAN in node.finalizers:
            await self._orphan(node)
        elif node.deleting and _FOREGROUND in node.finalizers:
            await self._foreground(node)
        for owner in node.owners:
            above = self._nodes.get(owner.get("uid", ""))
            if above is not None and above.deleting and _FOREGROUND in above.finalizers:
                await self._foreground(above)

    async def _collect(self, node: _Node) -> None:
        """Delete an object none of whose owners is there; forget single owners that are not."""
        gone = [owner for owner in node.owners if not await self._exists(node, owner)]
        if len(gone) < len(node.owners) or not gone:
            return
        await self._client.delete(node.resource, node.name, node.namespace, propagation="Background", uid=node.uid)

    async def _exists(self, node: _Node, owner: dict[str, Any]) -> bool:
        known = self._nodes.get(owner.get("uid", ""))
        if known is not None and known.namespace in ("", node.namespace):
            return True
        resource = by_kind(owner.get("apiVersion", "").rpartition("/")[0], owner.get("kind", ""))
        if resource is None:
            return True  # a kind that is not served here: nobody can tell
        if resource.namespaced and not node.namespace:
            return True  # a cluster-scoped object cannot be owned so; Kubernetes leaves it alone
        try:
            namespace = node.namespace if resource.namespaced else ""
            found = await self._client.get(resource, owner.get("name", ""), namespace)
        except ApiError as error:
            if error.code == 404:
                return False
            raise
        return found.uid == owner.get("uid")

    async def _orphan(self, node: _Node) -> None:
        for uid in tuple(self._dependents.get(node.uid, ())):
            dependent = self._nodes[uid]
            kept = [owner for owner in dependent.owners if owner.get("uid") != node.uid]
            patch = {"metadata": {"uid": uid, "ownerReferences": kept or None}}
            await self._client.patch(dependent.resource, dependent.name, patch, dependent.namespace)
        await self._release(node, _ORPHAN)

    async def _foreground(self, node: _Node) -> None:
        dependents = [self._nodes[uid] for uid in self._dependents.get(node.uid, ())]
        for dependent in dependents:
            if not dependent.deleting:
                await self._client.delete(
                    dependent.resource, dependent.name, dependent.namespace, propagation="Foreground", uid=dependent.uid
                )
        if not any(
            owner.get("blockOwnerDeletion") for d in dependents for owner in d.owners if owner["uid"] == node.uid
        ):
            await self._release(node, _FOREGROUND)

    async def _release(self, node: _Node, finalizer: str) -> None:
        kept = [name for name in node.finalizers if name != finalizer]
        patch = {"metadata": {"uid": node.uid, "finalizers": kept or None}}
        await self._client.patch(node.resource, node.name, patch, node.namespace)


def _node(resource: Resource, item: Item) -> _Node:
    meta = item.object["metadata"]
    return _Node(
        resource,
        item.namespace,
        item.name,
        item.uid,
        tuple(meta.get("ownerReferences") or ()),
        frozenset(meta.get("finalizers") or ()),
        "deletionTimestamp" in meta,
    )
