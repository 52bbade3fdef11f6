"""Aggregated ClusterRoles: one with an aggregationRule has the rules of those that its selectors choose.

Kubernetes' clusterrole-aggregation controller: the rules written in such a role itself are replaced. RBAC goes by what
stands in the role, so rights follow within the moment that this takes.
"""

from __future__ import annotations

import asyncio
from typing import Any

from tiphys.kube.client.api import Client, Object
from tiphys.kube.controllers.loop import WorkQueue, follow
from tiphys.kube.objects import selectors
from tiphys.kube.objects.resources import served

__all__ = ["gathered", "run"]

_ROLES = served("rbac.authorization.k8s.io", "clusterroles")


def gathered(role: Object, roles: dict[str, Object]) -> list[Any]:
    """The rules that an aggregated role is to have, each once, in the order of the names of the roles they are from."""
    chosen = [selectors.from_object(one) for one in role["aggregationRule"].get("clusterRoleSelectors") or ()]
    rules: list[Any] = []
    for name, other in sorted(roles.items()):
        labels = other["metadata"].get("labels") or {}
        if name != role["metadata"]["name"] and any(match is None or match(labels) for match in chosen):
            for rule in other.get("rules") or ():
                if rule not in rules:
                    rules.append(rule)
    return rules


async def run(client: Client) -> None:
    """Care for all aggregated roles, until cancelled.

    Args:
        client: may list, watch, patch and escalate clusterroles.
    """
    controller = _Controller(client)
    async with asyncio.TaskGroup() as group:
        group.create_task(controller.follow())
        group.create_task(controller.queue.run())


class _Controller:
    def __init__(self, client: Client) -> None:
        self._client = client
        self._roles: dict[str, Object] = {}
        self.queue: WorkQueue[str] = WorkQueue("clusterroles", self._handle, workers=1)

    async def follow(self) -> None:
        synced = False
        async for event in follow(self._client, _ROLES):
            if event.item is None:
                synced = True
            elif event.type == "DELETED":
                self._roles.pop(event.item.name, None)
            else:
                self._roles[event.item.name] = event.item.object
            if synced:
                for name, role in self._roles.items():
                    if role.get("aggregationRule"):
                        self.queue.add(name)

    async def _handle(self, name: str) -> None:
        role = self._roles.get(name)
        if role is None or not role.get("aggregationRule"):
            return
        rules = gathered(role, self._roles)
        if rules != (role.get("rules") or []):
            # Of the state that was looked at: who wrote meanwhile comes as an event.
            revision = role["metadata"]["resourceVersion"]
            await self._client.patch(_ROLES, name, {"metadata": {"resourceVersion": revision}, "rules": rules})
