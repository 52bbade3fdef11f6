"""`kube.client.api.Client` without HTTP: for the controllers and the kubelet, each as its own user."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal

from tiphys.kit.codec import Struct, decode, decode_as, encode
from tiphys.kube.client.api import Item, Items, Object, Propagation, WatchEvent
from tiphys.kube.objects import status, views
from tiphys.kube.objects.resources import Resource, served
from tiphys.kube.server import parts
from tiphys.kube.server.api import Api, Request
from tiphys.kube.server.deletion import DeleteOptions
from tiphys.kube.server.listing import ListOptions
from tiphys.kube.server.podlogs import PodLogs
from tiphys.kube.server.reviews import Reviews
from tiphys.kube.server.users import User
from tiphys.kube.store.api import Record

__all__ = ["InProcessClient"]

_PODS = served("", "pods")


class InProcessClient:
    """Objects handed in are copied; objects given out belong to the caller."""

    def __init__(self, api: Api, user: User, reviews: Reviews | None = None, logs: PodLogs | None = None) -> None:
        self._api, self._user, self._reviews, self._logs = api, user, reviews, logs

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Item:
        """One object."""
        return _item(resource, self._api.get(Request(self._user, resource, namespace, name)))

    async def list(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        limit: int = 0,
        continue_token: str = "",
    ) -> Items:
        """All objects, or one page of them."""
        options = ListOptions(label_selector, field_selector, limit, continue_token)
        page = self._api.page(Request(self._user, resource, namespace), options)
        return Items([_item(resource, record) for record in page.records], str(page.revision), page.continue_token)

    async def create(
        self,
        resource: Resource,
        value: Object,
        namespace: str = "",
        *,
        name: str = "",
        subresource: str = "",
        dry_run: bool = False,
    ) -> Item:
        """Create an object, or ask one that is not kept (reviews, tokens)."""
        request = Request(self._user, resource, namespace, name, subresource, dry_run)
        value = decode(encode(value))
        if subresource or not resource.stored:
            if self._reviews is None:
                raise status.method_not_allowed()
            return Item.of(await self._reviews.create(request, value))
        return _item(resource, (await self._api.create(request, value)).record)

    async def update(self, resource: Resource, value: Object, *, subresource: str = "", dry_run: bool = False) -> Item:
        """Replace an object."""
        meta = value["metadata"]
        namespace = meta.get("namespace", "") if resource.namespaced else ""
        request = Request(self._user, resource, namespace, meta["name"], subresource, dry_run)
        return _item(resource, (await self._api.update(request, decode(encode(value)))).record)

    async def patch(
        self,
        resource: Resource,
        name: str,
        body: Object | Sequence[Object],
        namespace: str = "",
        *,
        kind: Literal["merge", "json", "strategic"] = "merge",
        subresource: str = "",
        dry_run: bool = False,
    ) -> Item:
        """Patch an object."""
        request = Request(self._user, resource, namespace, name, subresource, dry_run)
        return _item(resource, (await self._api.patch(request, decode(encode(body)), kind)).record)

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str = "",
        *,
        propagation: Propagation = "",
        grace_seconds: int | None = None,
        uid: str = "",
        resource_version: str = "",
    ) -> Object:
        """Delete an object; returns it as it was last, or as it waits."""
        options = DeleteOptions(propagation, grace_seconds, uid, resource_version)
        record, _ = await self._api.delete(Request(self._user, resource, namespace, name), options)
        return views.shown(resource, parts.assembled(record))

    async def delete_collection(
        self, resource: Resource, namespace: str = "", *, label_selector: str = "", field_selector: str = ""
    ) -> None:
        """Delete all that match."""
        request = Request(self._user, resource, namespace)
        await self._api.delete_collection(request, DeleteOptions(), labels=label_selector, fields=field_selector)

    async def watch(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        resource_version: str = "",
    ) -> AsyncIterator[WatchEvent]:
        """Changes after `resource_version`."""
        request = Request(self._user, resource, namespace)
        watch = self._api.watch(request, labels=label_selector, fields=field_selector, after=resource_version)
        try:
            async for batch in watch:
                for event in batch:
                    if event.record is not None:
                        yield WatchEvent(event.type, _item(resource, event.record))
        finally:
            watch.close()

    async def log(self, pod: str, namespace: str, options: Mapping[str, str]) -> AsyncIterator[bytes]:
        """The log of a container."""
        if self._logs is None:
            raise status.unavailable("no kubelet runs that could read logs")
        async for chunk in self._logs.read(Request(self._user, _PODS, namespace, pod, "log"), options):
            yield chunk


class _Head(Struct):
    metadata: dict[str, Any]


def _item(resource: Resource, record: Record) -> Item:
    key = record.key

    def load() -> dict[str, Any]:
        return views.shown(resource, parts.assembled(record))

    def load_metadata() -> dict[str, Any]:
        return decode_as(record.value, _Head).metadata

    return Item(key.name, key.namespace, record.uid, str(record.revision), load, load_metadata)
