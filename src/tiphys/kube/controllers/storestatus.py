"""(Cluster)SecretStores: whether they can be used here, told in their status as External Secrets tells it.

`kubectl get clustersecretstore` then says Valid, or why not, before any ExternalSecret asks.
"""

from __future__ import annotations

import asyncio

from tiphys.errors import ApiError, TiphysError
from tiphys.kit.clock import Clock, rfc3339, utc_now
from tiphys.kube.client.api import Client, Object
from tiphys.kube.controllers.loop import WorkQueue, follow
from tiphys.kube.controllers.stores import Stores
from tiphys.kube.objects.resources import Resource, served

__all__ = ["run"]

_KINDS = tuple(served("external-secrets.io", plural) for plural in ("secretstores", "clustersecretstores"))
_ACCOUNTS = served("", "serviceaccounts")

Key = tuple[Resource, str, str]
"""Of a store: its resource, namespace and name."""


async def run(client: Client, stores: Stores, clock: Clock = utc_now) -> None:
    """Judge every store, until cancelled.

    Args:
        client: may get, list and watch stores and ServiceAccounts, and patch the status of stores.
        stores: opens them.
        clock: for the time of conditions.
    """
    controller = _Controller(client, stores, clock)
    async with asyncio.TaskGroup() as group:
        for resource in _KINDS:
            group.create_task(controller.follow_stores(resource))
        group.create_task(controller.follow_accounts())
        group.create_task(controller.queue.run())


class _Controller:
    def __init__(self, client: Client, stores: Stores, clock: Clock) -> None:
        self._client, self._stores, self._clock = client, stores, clock
        self.queue: WorkQueue[Key] = WorkQueue("secret stores", self._handle)
        self._known: set[Key] = set()

    async def follow_stores(self, resource: Resource) -> None:
        async for event in follow(self._client, resource):
            if event.item is None:
                continue
            key = (resource, event.item.namespace, event.item.name)
            if event.type == "DELETED":
                self._known.discard(key)
            else:
                self._known.add(key)
                self.queue.add(key)

    async def follow_accounts(self) -> None:
        async for event in follow(self._client, _ACCOUNTS):
            if event.item is not None and event.type != "MODIFIED":
                for key in self._known:
                    self.queue.add(key)

    async def _handle(self, key: Key) -> None:
        resource, namespace, name = key
        try:
            store = (await self._client.get(resource, name, namespace)).object
        except ApiError as error:
            if error.code == 404:
                return
            raise
        try:
            await self._stores.provider_of(store)
            judged = ("True", "Valid", "store validated")
        except TiphysError as error:
            judged = ("False", "InvalidProviderConfig", str(error))
        present = (store.get("status") or {}).get("conditions") or []
        before: Object = next((c for c in present if c.get("type") == "Ready"), {})
        if (before.get("status"), before.get("reason"), before.get("message")) == judged:
            return
        state, reason, message = judged
        since = before.get("lastTransitionTime") if before.get("status") == state else None
        condition = {"type": "Ready", "status": state, "reason": reason, "message": message}
        condition["lastTransitionTime"] = since or rfc3339(self._clock())
        others = [one for one in present if one.get("type") != "Ready"]
        status = {"conditions": [*others, condition], "capabilities": "ReadOnly"}
        body = {"metadata": {"uid": store["metadata"]["uid"]}, "status": status}
        try:
            await self._client.patch(resource, name, body, namespace, subresource="status")
        except ApiError as error:
            if error.code != 404:  # it was deleted meanwhile
                raise
