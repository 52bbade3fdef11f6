"""Garbage collection, against the real API in process."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tiphys.kube.client.api import Client
from tiphys.kube.controllers.garbage import GarbageCollector
from tiphys.kube.objects.resources import Resource, served

CONFIGMAPS, EVENTS, ROLES = (
    served("", "configmaps"),
    served("", "events"),
    served("rbac.authorization.k8s.io", "clusterroles"),
)

Scenario = Callable[[Client], Awaitable[None]]


@pytest.fixture
def collecting(beside: Callable[..., None]) -> Callable[..., None]:
    """Run a scenario beside a garbage collector; `before` runs before the collector starts."""

    def run(scenario: Scenario, before: Scenario | None = None) -> None:
        beside(lambda client: [GarbageCollector(client).run()], scenario, before)

    return run


async def make(
    client: Client,
    name: str,
    *owners: dict[str, Any],
    namespace: str = "a",
    resource: Resource = CONFIGMAPS,
    **meta: Any,
) -> dict[str, Any]:
    metadata = {"name": name, "ownerReferences": list(owners), **meta}
    return (await client.create(resource, {"metadata": metadata}, namespace)).object


def by(owner: dict[str, Any], **more: Any) -> dict[str, Any]:
    meta = owner["metadata"]
    return {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": meta["name"], "uid": meta["uid"], **more}


@pytest.fixture
def left(until) -> Callable[..., Awaitable[Any]]:
    """Wait until the ConfigMaps are those of the names."""

    async def wait(client: Client, *names: str) -> dict[str, dict[str, Any]]:
        return await until(client, CONFIGMAPS, lambda found: set(found) == set(names))

    return wait


@pytest.fixture
def settled(until) -> Scenario:
    """Wait until all that was to be looked at has been: a canary with a dangling owner, made last, is gone."""

    async def wait(client: Client) -> None:
        ghost = {"apiVersion": "v1", "kind": "ConfigMap", "name": "ghost", "uid": "no-such"}
        await make(client, "canary", ghost)
        await until(client, CONFIGMAPS, lambda found: "canary" not in found)

    return wait


def test_dependents_follow_their_owner_through_generations(collecting, left) -> None:
    async def scenario(client: Client) -> None:
        owner = await make(client, "owner")
        child = await make(client, "child", by(owner))
        await make(client, "grandchild", by(child))
        await make(client, "other")
        await client.delete(CONFIGMAPS, "owner", "a", propagation="Background")
        await left(client, "other")

    collecting(scenario)


def test_what_was_left_over_at_the_start_is_collected(collecting, left) -> None:
    async def before(client: Client) -> None:
        owner = await make(client, "owner")
        await make(client, "child", by(owner))
        await client.delete(CONFIGMAPS, "owner", "a")
        await make(client, "kept", by(await make(client, "parent")))

    async def scenario(client: Client) -> None:
        await left(client, "kept", "parent")

    collecting(scenario, before)


def test_an_owner_of_the_same_name_but_another_uid_is_no_owner(collecting, left) -> None:
    async def scenario(client: Client) -> None:
        old = await make(client, "owner")
        await client.delete(CONFIGMAPS, "owner", "a")
        await make(client, "owner")
        await make(client, "child", by(old))
        await left(client, "owner")

    collecting(scenario)


def test_one_of_two_owners_keeps_the_object_and_the_other_reference_goes(collecting, left, until) -> None:
    async def scenario(client: Client) -> None:
        one, two = await make(client, "one"), await make(client, "two")
        await make(client, "child", by(one), by(two))
        await client.delete(CONFIGMAPS, "one", "a")
        found = await until(
            client, CONFIGMAPS, lambda all_: len(all_["child"]["metadata"].get("ownerReferences", ())) == 1
        )
        assert found["child"]["metadata"]["ownerReferences"] == [by(two)]
        await client.delete(CONFIGMAPS, "two", "a")
        await left(client)

    collecting(scenario)


def test_foreground_deletion_waits_for_those_that_block_it(collecting, left, until) -> None:
    async def scenario(client: Client) -> None:
        owner = await make(client, "owner")
        await make(client, "blocker", by(owner, blockOwnerDeletion=True), finalizers=["test.io/hold"])
        await make(client, "free", by(owner))
        await client.delete(CONFIGMAPS, "owner", "a", propagation="Foreground")
        found = await left(client, "owner", "blocker")
        assert found["owner"]["metadata"]["finalizers"] == ["foregroundDeletion"]
        found = await until(client, CONFIGMAPS, lambda all_: "deletionTimestamp" in all_["blocker"]["metadata"])
        await client.patch(CONFIGMAPS, "blocker", {"metadata": {"finalizers": None}}, "a")
        await left(client)

    collecting(scenario)


def test_a_circle_of_owners_is_collected_in_the_foreground_too(collecting, left) -> None:
    async def scenario(client: Client) -> None:
        one = await make(client, "one")
        two = await make(client, "two", by(one, blockOwnerDeletion=True))
        references = {"metadata": {"ownerReferences": [by(two, blockOwnerDeletion=True)]}}
        await client.patch(CONFIGMAPS, "one", references, "a")
        await client.delete(CONFIGMAPS, "one", "a", propagation="Foreground")
        await left(client)

    collecting(scenario)


def test_orphans_stay_without_the_reference(collecting, left, settled) -> None:
    async def scenario(client: Client) -> None:
        owner = await make(client, "owner")
        await make(client, "child", by(owner))
        await settled(client)
        await client.delete(CONFIGMAPS, "owner", "a", propagation="Orphan")
        found = await left(client, "child")
        assert "ownerReferences" not in found["child"]["metadata"]
        await settled(client)
        await left(client, "child")

    collecting(scenario)


def test_an_owner_in_another_namespace_counts_as_absent_and_an_event_says_so(collecting, left, settled, until) -> None:
    async def scenario(client: Client) -> None:
        owner = await make(client, "owner", namespace="b")
        await settled(client)
        await make(client, "child", by(owner), namespace="a")
        await left(client, "owner")
        events = await until(client, EVENTS, bool)
        (event,) = events.values()
        assert (event["type"], event["reason"]) == ("Warning", "OwnerRefInvalidNamespace")
        assert event["involvedObject"]["name"] == "child"
        assert event["message"].endswith('does not exist in namespace "a"')

    collecting(scenario)


@pytest.mark.parametrize("kind", ["ConfigMap", "Widget"])
def test_what_kubernetes_would_not_touch_is_kept(collecting, kind: str, left, settled) -> None:
    async def scenario(client: Client) -> None:
        ghost = {"apiVersion": "v1", "kind": kind, "name": "ghost", "uid": "no-such"}
        if kind == "ConfigMap":  # a cluster-scoped object with an owner in a namespace
            await client.create(ROLES, {"metadata": {"name": "role", "ownerReferences": [ghost]}, "rules": []})
        else:
            await make(client, "kept", ghost)
        await settled(client)
        if kind == "ConfigMap":
            await client.get(ROLES, "role")
        else:
            await left(client, "kept")

    collecting(scenario)
