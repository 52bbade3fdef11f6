"""The seam everything above the API is written against: one async client, in process or over HTTPS.

Objects are plain dicts, kept whole. A client acts as one user; RBAC applies to it in process as over the wire.
`kube.server` implements `Client` in process; `kube.client.http` over HTTPS.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

from tiphys.errors import ApiError
from tiphys.kube.objects.resources import Resource

__all__ = ["Client", "EventType", "Item", "Items", "Object", "Propagation", "WatchEvent", "list_watch"]

Object = dict[str, Any]
EventType = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "SYNCED"]
Propagation = Literal["", "Background", "Foreground", "Orphan"]


class Item:
    """An object as it came from the API, decoded when first looked into.

    Attributes:
        name, namespace, uid, resource_version: known without decoding.
    """

    __slots__ = ("_load", "_load_metadata", "_object", "name", "namespace", "resource_version", "uid")

    def __init__(
        self,
        name: str,
        namespace: str,
        uid: str,
        resource_version: str,
        load: Callable[[], Object],
        load_metadata: Callable[[], Object] | None = None,
    ) -> None:
        self.name = name
        self.namespace = namespace
        self.uid = uid
        self.resource_version = resource_version
        self._load = load
        self._load_metadata = load_metadata
        self._object: Object | None = None

    @classmethod
    def of(cls, value: Object) -> Item:
        """An item around an object that is decoded already."""
        meta = value.get("metadata") or {}
        return cls(
            meta.get("name", ""),
            meta.get("namespace", ""),
            meta.get("uid", ""),
            meta.get("resourceVersion", ""),
            lambda: value,
        )

    @property
    def object(self) -> Object:
        """The whole object; the holder owns it and may change it."""
        if self._object is None:
            self._object = self._load()
        return self._object

    def fresh(self) -> Object:
        """The whole object, decoded for the caller and not kept: for those who hold many items and look once."""
        return self._load()

    def metadata(self) -> Object:
        """Its metadata alone, decoded for the caller and not kept: cheap, however large the object is."""
        if self._load_metadata is not None:
            return self._load_metadata()
        metadata: Object = self._load()["metadata"]
        return metadata


@dataclass(frozen=True, slots=True)
class Items:
    """A list, or a page of one: `continue_token` is "" on the last page."""

    items: list[Item]
    resource_version: str
    continue_token: str = ""


class WatchEvent(NamedTuple):
    """A change. SYNCED (made by `list_watch` only) has no item: all that was there at the start has been shown."""

    type: EventType
    item: Item | None = None


class Client(Protocol):
    """What the API offers to one user. Every method raises ApiError (a Status) or ConnectError."""

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Item:
        """One object."""
        ...

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
        """All objects of a namespace ("" = all namespaces, or a cluster-scoped resource)."""
        ...

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
        """Create; `name` and `subresource` for those such as serviceaccounts/NAME/token."""
        ...

    async def update(self, resource: Resource, value: Object, *, subresource: str = "", dry_run: bool = False) -> Item:
        """Replace; 409 when metadata.resourceVersion is given and not the newest."""
        ...

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
        """Patch; a merge patch of a Workflow's status.nodes costs only the nodes it names."""
        ...

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
        """Delete; `uid` and `resource_version` are preconditions (409). Returns the object, or a Status."""
        ...

    async def delete_collection(
        self, resource: Resource, namespace: str = "", *, label_selector: str = "", field_selector: str = ""
    ) -> None:
        """Delete all that match."""
        ...

    def watch(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        resource_version: str = "",
    ) -> AsyncIterator[WatchEvent]:
        """Changes after `resource_version` ("" or "0": first what there is, as ADDED); ApiError 410 when it is gone."""
        ...

    def log(self, pod: str, namespace: str, options: Mapping[str, str]) -> AsyncIterator[bytes]:
        """The log of a container; options as in the query of `…/log`: container, follow, timestamps, tailLines, …"""
        ...


async def list_watch(
    client: Client, resource: Resource, namespace: str = "", *, label_selector: str = "", field_selector: str = ""
) -> AsyncIterator[WatchEvent]:
    """What there is (ADDED), then SYNCED, then every change, for ever.

    A watch that ends or has fallen behind (410) is mended by listing again: what changed meanwhile comes as MODIFIED,
    what vanished as DELETED with the last state seen.
    """
    known: dict[tuple[str, str], Item] = {}
    synced = False
    while True:
        listed = await client.list(resource, namespace, label_selector=label_selector, field_selector=field_selector)
        present = {(item.namespace, item.name): item for item in listed.items}
        for key in known.keys() - present.keys():
            yield WatchEvent("DELETED", known.pop(key))
        for key, item in present.items():
            before = known.get(key)
            known[key] = item
            if before is not None and before.uid != item.uid:
                yield WatchEvent("DELETED", before)
                before = None
            if before is None:
                yield WatchEvent("ADDED", item)
            elif before.resource_version != item.resource_version:
                yield WatchEvent("MODIFIED", item)
        if not synced:
            synced = True
            yield WatchEvent("SYNCED")
        try:
            async for event in client.watch(
                resource,
                namespace,
                label_selector=label_selector,
                field_selector=field_selector,
                resource_version=listed.resource_version,
            ):
                if event.type == "BOOKMARK" or event.item is None:
                    continue
                key = (event.item.namespace, event.item.name)
                if event.type == "DELETED":
                    known.pop(key, None)
                else:
                    known[key] = event.item
                yield event
        except ApiError as error:
            if error.code != 410:
                raise
