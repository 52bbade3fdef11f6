"""Garbage collection by ownerReferences, with the rules of Kubernetes' own collector.

An object whose owners are all gone is deleted; foreground deletion waits for the dependents that block it, orphaning
takes the owner out of them. The graph only says what to look at: before anything is deleted, the object and its owners
are asked for, and the delete names the uid and the revision that were seen.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass, field

from tiphys.errors import ApiError, ConnectError
from tiphys.kit.clock import Clock, rfc3339, utc_now
from tiphys.kit.names import random_suffix
from tiphys.kube.client.api import Client, Object, Propagation
from tiphys.kube.controllers.graph import Graph, Node, Owner, node_of
from tiphys.kube.controllers.loop import WorkQueue, follow
from tiphys.kube.objects.events import event_about
from tiphys.kube.objects.meta import FOREGROUND, ORPHAN
from tiphys.kube.objects.resources import RESOURCES, Resource, served

__all__ = ["GarbageCollector"]

_log = logging.getLogger(__name__)
_EVENTS = served("", "events")
# As in Kubernetes: Events come in masses, live for an hour, and own nothing.
_WATCHED = tuple(r for r in RESOURCES if "delete" in r.verbs and r is not _EVENTS and r.shows is None)
_WORKERS = 16  # as many deletes share a commit
_REPORTED = 10_000


@dataclass(slots=True)
class _Owners:
    """The owners of one object, by what was found when they were asked for."""

    solid: list[Owner] = field(default_factory=list)
    waiting: list[Owner] = field(default_factory=list)  # being deleted in the foreground: they wait for this object
    dangling: list[Owner] = field(default_factory=list)


class GarbageCollector:
    """Run one for a cluster.

    Args:
        client: may get, list, watch, patch and delete everything, and create Events.
        clock: for the time of Events.
    """

    def __init__(self, client: Client, clock: Clock = utc_now) -> None:
        self._client = client
        self._clock = clock
        self._graph = Graph()
        self._queue: WorkQueue[str] = WorkQueue("garbage collector", self._examine, _WORKERS)
        self._unsynced = set(_WATCHED)
        self._reported: dict[tuple[str, str], None] = {}  # (dependent, owner) told about, oldest first

    async def run(self) -> None:
        """Collect until cancelled."""
        async with asyncio.TaskGroup() as group:
            for resource in _WATCHED:
                group.create_task(self._follow(resource))
            group.create_task(self._queue.run())

    async def _follow(self, resource: Resource) -> None:
        async for event in follow(self._client, resource):
            if event.item is None:
                self._unsynced.discard(resource)
                suspects = set() if self._unsynced else self._graph.complete()
            elif event.type == "DELETED":
                suspects = self._graph.remove(event.item.uid)
            else:
                suspects = self._graph.put(node_of(resource, event.item.metadata()))
            for uid in suspects:
                self._queue.add(uid)

    # -- one object ----------------------------------------------------------------------------------------------

    async def _examine(self, uid: str) -> None:
        node = self._graph.get(uid)
        if node is None:
            return
        metadata = await self._metadata(node.resource, node.name, node.namespace)
        if metadata is None or metadata["uid"] != uid:
            for suspect in self._graph.remove(uid):
                self._queue.add(suspect)
            return
        live = node_of(node.resource, metadata)
        if live.deleting == "Orphan":
            await self._orphan(live, metadata)
        elif live.deleting == "Foreground":
            await self._release(live, metadata)
        elif not live.deleting and live.owners:
            await self._collect(live, metadata)

    async def _collect(self, node: Node, metadata: Object) -> None:
        owners = await self._ask(node)
        if owners is None or not (owners.dangling or owners.waiting):
            return
        if owners.solid:
            await self._disown(node, metadata, {owner.uid for owner in (*owners.dangling, *owners.waiting)})
            return
        policy: Propagation = "Background"
        finalizers = metadata.get("finalizers") or ()
        if owners.waiting and self._graph.dependents(node.uid):
            # Its own dependents go before it, as its owner wants; a circle of waiting must not close, though.
            if any(dependent.deleting == "Foreground" for dependent in self._graph.dependents(node.uid)):
                metadata = await self._unblock(node, metadata)
            policy = "Foreground"
        elif ORPHAN in finalizers:
            policy = "Orphan"
        elif FOREGROUND in finalizers:
            policy = "Foreground"
        _log.debug("deleting %s %s/%s: no owner is left", node.resource.qualified, node.namespace, node.name)
        try:
            await self._client.delete(
                node.resource,
                node.name,
                node.namespace,
                propagation=policy,
                uid=node.uid,
                resource_version=metadata["resourceVersion"],
            )
        except ApiError as error:
            if error.code != 404:
                raise

    async def _ask(self, node: Node) -> _Owners | None:
        """The owners as they are; None where Kubernetes would not touch the object."""
        found = _Owners()
        for owner in node.owners:
            resource = owner.resource
            if resource is None:
                _log.info(
                    "%s %s/%s is kept: its owner is a %s of %s, which is not served here",
                    *(node.resource.qualified, node.namespace, node.name, owner.kind, owner.api_version),
                )
                return None
            if self._elsewhere(owner, resource, node):
                await self._report(node, owner)
            if resource.namespaced and not node.namespace:
                return None
            metadata = await self._metadata(resource, owner.name, node.namespace if resource.namespaced else "")
            if metadata is None or metadata["uid"] != owner.uid:
                found.dangling.append(owner)
            elif node_of(resource, metadata).deleting == "Foreground":
                found.waiting.append(owner)
            else:
                found.solid.append(owner)
        return found

    async def _release(self, node: Node, metadata: Object) -> None:
        """Foreground deletion: let the object go when no dependent blocks it any more."""
        blocking = [
            dependent
            for dependent in self._graph.dependents(node.uid)
            if any(owner.uid == node.uid and owner.blocks for owner in dependent.owners)
        ]
        for dependent in blocking:
            if not dependent.deleting:
                self._queue.add(dependent.uid)
        if not blocking:
            await self._drop_finalizer(node, metadata, FOREGROUND)

    async def _orphan(self, node: Node, metadata: Object) -> None:
        for dependent in self._graph.dependents(node.uid):
            present = await self._metadata(dependent.resource, dependent.name, dependent.namespace)
            if present is not None and present["uid"] == dependent.uid:
                await self._disown(dependent, present, {node.uid})
        await self._drop_finalizer(node, metadata, ORPHAN)

    # -- changes -------------------------------------------------------------------------------------------------

    async def _disown(self, node: Node, metadata: Object, owners: Collection[str]) -> None:
        kept = [reference for reference in metadata.get("ownerReferences") or () if reference.get("uid") not in owners]
        if len(kept) != len(metadata.get("ownerReferences") or ()):
            await self._patch(node, metadata, {"ownerReferences": kept or None})

    async def _unblock(self, node: Node, metadata: Object) -> Object:
        references = [{**reference, "blockOwnerDeletion": False} for reference in metadata["ownerReferences"]]
        if references == metadata["ownerReferences"]:
            return metadata
        return await self._patch(node, metadata, {"ownerReferences": references})

    async def _drop_finalizer(self, node: Node, metadata: Object, name: str) -> None:
        kept = [finalizer for finalizer in metadata.get("finalizers") or () if finalizer != name]
        await self._patch(node, metadata, {"finalizers": kept or None})

    async def _patch(self, node: Node, metadata: Object, change: Object) -> Object:
        """Change metadata, if it is still the one that was looked at; 409 otherwise, and the queue tries again."""
        body = {"metadata": {"uid": node.uid, "resourceVersion": metadata["resourceVersion"], **change}}
        item = await self._client.patch(node.resource, node.name, body, node.namespace)
        return item.metadata()

    async def _metadata(self, resource: Resource, name: str, namespace: str) -> Object | None:
        try:
            item = await self._client.get(resource, name, namespace)
        except ApiError as error:
            if error.code == 404:
                return None
            raise
        return item.metadata()

    # -- owners in other namespaces ------------------------------------------------------------------------------

    def _elsewhere(self, owner: Owner, resource: Resource, node: Node) -> bool:
        """Whether the owner is there, but in a namespace that the reference cannot mean."""
        if not resource.namespaced:
            return False
        known = self._graph.get(owner.uid)
        return not node.namespace or (known is not None and known.namespace != node.namespace)

    async def _report(self, node: Node, owner: Owner) -> None:
        if (node.uid, owner.uid) in self._reported:
            return
        self._reported[node.uid, owner.uid] = None
        if len(self._reported) > _REPORTED:
            del self._reported[next(iter(self._reported))]
        metadata = {"name": node.name, "namespace": node.namespace, "uid": node.uid}
        about = {"apiVersion": node.resource.api_version, "kind": node.resource.kind, "metadata": metadata}
        message = (
            f"ownerRef [{owner.api_version}/{owner.kind}, namespace: {node.namespace}, name: {owner.name}, "
            f'uid: {owner.uid}] does not exist in namespace "{node.namespace}"'
        )
        event = event_about(
            about,
            "Warning",
            "OwnerRefInvalidNamespace",
            message,
            component="garbage-collector-controller",
            now=rfc3339(self._clock()),
            suffix=random_suffix(16),
        )
        try:
            await self._client.create(_EVENTS, event, event["metadata"]["namespace"])
        except (ApiError, ConnectError) as error:
            _log.debug("event about %s/%s not written: %s", node.namespace, node.name, error)
