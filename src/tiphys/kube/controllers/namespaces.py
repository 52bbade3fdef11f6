"""Namespaces: each gets its ServiceAccount `default` and ConfigMap `kube-root-ca.crt`, and is emptied before it goes.

Run by the composition root as `system:tiphys:controllers`.
"""

from __future__ import annotations

import asyncio
import logging

from tiphys.errors import ApiError
from tiphys.kube.client.api import Client, Item, list_watch
from tiphys.kube.objects.resources import RESOURCES, served

__all__ = ["run"]

_log = logging.getLogger(__name__)

_NAMESPACES, _ACCOUNTS, _CONFIGMAPS = served("", "namespaces"), served("", "serviceaccounts"), served("", "configmaps")
_INSIDE = tuple(resource for resource in RESOURCES if resource.namespaced and resource.stored)
_AGAIN_SECONDS = 1.0


async def run(client: Client, authority: str) -> None:
    """For ever; `authority` is the PEM of the API's CA."""
    emptying: dict[str, asyncio.Task[None]] = {}
    async for event in list_watch(client, _NAMESPACES):
        if event.item is None or event.type == "DELETED":
            continue
        name = event.item.name
        if "deletionTimestamp" not in event.item.object["metadata"]:
            await _furnish(client, name, authority)
        elif name not in emptying:
            emptying[name] = asyncio.create_task(_empty(client, name))
            emptying[name].add_done_callback(lambda _, name=name: emptying.pop(name))  # type: ignore[misc]


async def _furnish(client: Client, namespace: str, authority: str) -> None:
    root = {"metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": authority}}
    for resource, value in ((_ACCOUNTS, {"metadata": {"name": "default"}}), (_CONFIGMAPS, root)):
        try:
            await client.create(resource, value, namespace)
        except ApiError as error:
            if error.code not in (403, 404, 409):  # there already, or the namespace goes
                raise


async def _empty(client: Client, name: str) -> None:
    """Delete what is inside until nothing is left, then let the namespace go."""
    while True:
        try:
            left = 0
            for resource in _INSIDE:
                if (await client.list(resource, name, limit=1)).items:
                    await client.delete_collection(resource, name)
                    left += len((await client.list(resource, name, limit=1)).items)
            if not left:
                await _finalize(client, await client.get(_NAMESPACES, name))
                return
        except ApiError as error:
            if error.code == 404:
                return
            _log.warning("namespace %s cannot be emptied yet: %s", name, error)
        await asyncio.sleep(_AGAIN_SECONDS)


async def _finalize(client: Client, namespace: Item) -> None:
    value = namespace.object
    value["spec"] = {"finalizers": []}
    await client.update(_NAMESPACES, value, subresource="finalize")
