"""Aggregated ClusterRoles: what GET shows, and what RBAC then lets through."""

import asyncio

import pytest

from tiphys.errors import ApiError
from tiphys.kube.client.api import Client
from tiphys.kube.controllers import clusterroles
from tiphys.kube.objects.resources import served
from tiphys.kube.server.inprocess import InProcessClient
from tiphys.kube.server.users import User

GROUP = "rbac.authorization.k8s.io"
ROLES, BINDINGS, PODS = served(GROUP, "clusterroles"), served(GROUP, "clusterrolebindings"), served("", "pods")


def controllers(client: Client):
    return [clusterroles.run(client)]


def rule(resource: str, verb: str) -> dict:
    return {"apiGroups": [""], "resources": [resource], "verbs": [verb]}


def part(name: str, *rules: dict, **labels: str) -> dict:
    return {"metadata": {"name": name, "labels": labels}, "rules": list(rules)}


def whole(name: str, *selectors: dict) -> dict:
    return {"metadata": {"name": name}, "aggregationRule": {"clusterRoleSelectors": list(selectors)}}


GATHER = {"matchLabels": {"gather": "yes"}}
OR_SO = {"matchExpressions": [{"key": "gather", "operator": "In", "values": ["so"]}]}


def test_it_has_the_rules_of_those_it_chooses_each_once_and_follows_them(beside, until):
    async def scenario(client: Client) -> None:
        await client.create(ROLES, part("b", rule("pods", "get"), gather="yes"))
        await client.create(
            ROLES, part("a", rule("pods", "list"), rule("pods", "get"), rule("pods", "list"), gather="so")
        )
        await client.create(ROLES, part("c", rule("secrets", "get"), gather="no"))
        await client.create(ROLES, whole("w", GATHER, OR_SO) | {"rules": [rule("secrets", "delete")]})
        rules = [rule("pods", "list"), rule("pods", "get")]
        await until(client, ROLES, lambda found: found["w"]["rules"] == rules)
        await client.patch(ROLES, "a", {"rules": [rule("events", "list")]})
        await until(client, ROLES, lambda found: found["w"]["rules"] == [rule("events", "list"), rule("pods", "get")])
        await client.patch(ROLES, "b", {"metadata": {"labels": {"gather": None}}})
        await until(client, ROLES, lambda found: found["w"]["rules"] == [rule("events", "list")])
        await client.delete(ROLES, "a")
        await until(client, ROLES, lambda found: found["w"]["rules"] == [])

    beside(controllers, scenario)


def test_what_was_aggregated_is_aggregated_on(beside, until):
    async def scenario(client: Client) -> None:
        await client.create(ROLES, whole("outer", {"matchLabels": {"inner": "yes"}}))
        inner = whole("inner", GATHER)
        inner["metadata"]["labels"] = {"inner": "yes", "gather": "yes"}  # not of itself
        await client.create(ROLES, inner)
        await client.create(ROLES, part("a", rule("pods", "list"), gather="yes"))
        await until(client, ROLES, lambda found: found["outer"].get("rules") == [rule("pods", "list")])

    beside(controllers, scenario)


def test_rights_follow(api, beside, until):
    robot = InProcessClient(api, User("robot"))

    async def scenario(client: Client) -> None:
        await client.create(ROLES, whole("w", GATHER))
        reference = {"apiGroup": GROUP, "kind": "ClusterRole", "name": "w"}
        subject = {"apiGroup": GROUP, "kind": "User", "name": "robot"}
        await client.create(BINDINGS, {"metadata": {"name": "w"}, "roleRef": reference, "subjects": [subject]})
        with pytest.raises(ApiError, match="forbidden"):
            await robot.list(PODS)
        await client.create(ROLES, part("a", rule("pods", "list"), gather="yes"))
        await until(client, ROLES, lambda found: found["w"]["rules"])
        await asyncio.sleep(0)  # watchers are told of a write in the turn before RBAC is
        await robot.list(PODS)
        await client.delete(ROLES, "a")
        await until(client, ROLES, lambda found: not found["w"]["rules"])
        await asyncio.sleep(0)
        with pytest.raises(ApiError, match="forbidden"):
            await robot.list(PODS)

    beside(controllers, scenario)


def test_others_add_to_view_edit_and_admin_by_a_label(beside, until):
    async def before(client: Client) -> None:
        rules = {name: (await client.get(ROLES, name)).object["rules"] for name in ("view", "edit", "admin")}
        assert all(rules.values())
        seen.update(rules)

    async def scenario(client: Client) -> None:
        more = rule("widgets", "get")
        await client.create(ROLES, part("more", more, **{f"{GROUP}/aggregate-to-edit": "true"}))
        found = await until(client, ROLES, lambda found: more in found["admin"]["rules"])
        for name in ("edit", "admin"):
            rules = found[name]["rules"]
            assert [one for one in rules if one not in seen[name]] == [more]
            assert [one for one in seen[name] if one not in rules] == []
        assert more not in found["view"]["rules"]

    seen: dict[str, list] = {}
    beside(controllers, scenario, before)
