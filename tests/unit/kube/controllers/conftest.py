"""Controllers run against the real API, in process, on a store in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import aclosing
from typing import Any

import pytest

from tiphys.kube.client.api import Client, list_watch
from tiphys.kube.objects.resources import Resource, served
from tiphys.kube.server.api import Api
from tiphys.kube.server.bootstrap import CONTROLLERS, furnish
from tiphys.kube.server.inprocess import InProcessClient
from tiphys.kube.server.users import ADMIN, User
from tiphys.kube.store.memory import MemoryStore

Scenario = Callable[[Client], Awaitable[None]]
Controllers = Callable[[Client], Iterable[Coroutine[Any, Any, None]]]


@pytest.fixture
def api() -> Api:
    return Api(MemoryStore())


@pytest.fixture
def beside(api: Api) -> Callable[..., None]:
    """Run a scenario, as the administrator, beside controllers with their own identity and the rights they ask for."""

    def run(controllers: Controllers, scenario: Scenario, before: Scenario | None = None) -> None:
        async def main() -> None:
            admin = InProcessClient(api, ADMIN)
            await furnish(api)
            for name in ("a", "b"):
                await admin.create(served("", "namespaces"), {"metadata": {"name": name}})
            if before is not None:
                await before(admin)
            tasks = [
                asyncio.create_task(c)
                for c in controllers(InProcessClient(api, User(CONTROLLERS, ("system:authenticated",))))
            ]
            try:
                async with asyncio.timeout(20):
                    await scenario(admin)
                for task in tasks:
                    assert not task.done(), task
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run(main())

    return run


@pytest.fixture
def until() -> Callable[..., Awaitable[dict[str, dict[str, Any]]]]:
    """Wait until the objects of a kind, by name, are as wanted."""

    async def wait(
        client: Client, resource: Resource, accept: Callable[[dict[str, dict[str, Any]]], Any], namespace: str = ""
    ) -> dict[str, dict[str, Any]]:
        objects: dict[str, dict[str, Any]] = {}
        synced = False
        async with aclosing(list_watch(client, resource, namespace)) as events:
            async for event in events:
                if event.item is None:
                    synced = True
                elif event.type == "DELETED":
                    objects.pop(event.item.name, None)
                else:
                    objects[event.item.name] = event.item.object
                if synced and accept(objects):
                    break
        return objects

    return wait
