"""RBAC: what is granted, what is not, and that nobody hands out more than he has."""

import asyncio
from typing import Any

import pytest

from tiphys.errors import ApiError
from tiphys.kube.objects.resources import served
from tiphys.kube.server.users import service_account

GROUP = "rbac.authorization.k8s.io"
ROLES, BINDINGS = served(GROUP, "roles"), served(GROUP, "rolebindings")
CLUSTER_ROLES, CLUSTER_BINDINGS = served(GROUP, "clusterroles"), served(GROUP, "clusterrolebindings")
CONFIGMAPS, SECRETS, PODS = served("", "configmaps"), served("", "secrets"), served("", "pods")
ROBOT = service_account("ns", "robot")


def rule(resources: list[str], verbs: list[str], group: str = "", names: list[str] | None = None) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs, **({"resourceNames": names} if names else {})}


def role(name: str, *rules: dict[str, Any], **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels}, "rules": list(rules)}


def binding(name: str, kind: str, of: str, subject: dict[str, str] | None = None) -> dict[str, Any]:
    subject = subject or {"kind": "ServiceAccount", "name": "robot", "namespace": "ns"}
    return {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": GROUP, "kind": kind, "name": of},
        "subjects": [subject],
    }


async def give(http, *rules: dict[str, Any]) -> None:
    await http.admin.create(ROLES, role("given", *rules), "ns")
    await http.admin.create(BINDINGS, binding("given", "Role", "given"), "ns")


async def refused(doing) -> str:
    with pytest.raises(ApiError) as error:
        await doing
    assert error.value.code == 403
    return error.value.message


def test_who_sees_a_right_come_has_it(serving):
    async def scenario(http) -> None:
        robot = http.client(ROBOT)
        await refused(robot.list(PODS, "ns"))

        async def acts() -> None:
            async for _ in http.admin.watch(BINDINGS, "ns", resource_version=str(http.store.revision)):
                await robot.list(PODS, "ns")
                return

        acting = asyncio.create_task(acts())
        await asyncio.sleep(0)
        await give(http, rule(["pods"], ["list"]))
        await asyncio.wait_for(acting, 10)

    serving(scenario)


def test_a_right_is_for_a_verb_a_resource_a_name_and_a_namespace(serving):
    async def scenario(http) -> None:
        await http.admin.create(CONFIGMAPS, {"metadata": {"name": "c"}}, "ns")
        robot = http.client(ROBOT)
        said = await refused(robot.get(CONFIGMAPS, "c", "ns"))
        assert said == (
            'configmaps "c" is forbidden: User "system:serviceaccount:ns:robot" cannot get resource "configmaps" '
            'in API group "" in the namespace "ns"'
        )
        await give(http, rule(["configmaps"], ["get"], names=["c"]), rule(["pods"], ["list"]))
        await robot.get(CONFIGMAPS, "c", "ns")
        await robot.list(PODS, "ns")
        for doing in (
            robot.get(CONFIGMAPS, "other", "ns"),
            robot.list(CONFIGMAPS, "ns"),
            robot.delete(CONFIGMAPS, "c", "ns"),
            robot.list(PODS, "default"),
            robot.list(PODS),
            robot.list(SECRETS, "ns"),
        ):
            await refused(doing)
        await http.admin.delete(BINDINGS, "given", "ns")
        await refused(robot.get(CONFIGMAPS, "c", "ns"))

    serving(scenario)


def test_a_subresource_is_a_right_of_its_own(serving):
    async def scenario(http) -> None:
        await give(http, rule(["pods"], ["*"]))
        robot = http.client(ROBOT)
        with pytest.raises(ApiError) as error:
            await anext(robot.log("p", "ns", {}))
        assert 'cannot get resource "pods/log"' in error.value.message

    serving(scenario)


def test_a_role_is_not_written_with_rights_the_writer_has_not(serving):
    async def scenario(http) -> None:
        await give(http, rule(["roles"], ["create", "patch"], GROUP), rule(["pods"], ["get", "list"]))
        robot = http.client(ROBOT)
        await robot.create(ROLES, role("fine", rule(["pods"], ["get"])), "ns")
        for rights in (
            rule(["secrets"], ["get"]),
            rule(["pods"], ["delete"]),
            rule(["*"], ["get"]),
            rule(["pods"], ["*"]),
            rule(["pods"], ["get"], "*"),
        ):
            said = await refused(robot.create(ROLES, role("more", rights), "ns"))
            assert "is attempting to grant RBAC permissions not currently held" in said
            said = await refused(robot.patch(ROLES, "fine", {"rules": [rights]}, "ns"))
            assert "not currently held" in said
        await robot.patch(ROLES, "fine", {"metadata": {"labels": {"x": "y"}}}, "ns")

    serving(scenario)


def test_a_role_is_not_bound_by_who_has_not_its_rights(serving):
    async def scenario(http) -> None:
        await give(http, rule(["rolebindings"], ["create", "patch"], GROUP), rule(["pods"], ["get"]))
        await http.admin.create(ROLES, role("small", rule(["pods"], ["get"])), "ns")
        await http.admin.create(ROLES, role("large", rule(["secrets"], ["get"])), "ns")
        robot = http.client(ROBOT)
        await robot.create(BINDINGS, binding("a", "Role", "small"), "ns")
        for kind, name in (("Role", "large"), ("ClusterRole", "cluster-admin"), ("ClusterRole", "edit")):
            said = await refused(robot.create(BINDINGS, binding("b", kind, name), "ns"))
            assert "not currently held" in said
        await refused(robot.create(CLUSTER_BINDINGS, binding("c", "ClusterRole", "view")))
        with pytest.raises(ApiError, match="cannot change roleRef"):
            await robot.patch(BINDINGS, "a", {"roleRef": {"kind": "Role", "name": "large"}}, "ns")
        with pytest.raises(ApiError, match="not found"):
            await robot.create(BINDINGS, binding("d", "Role", "nowhere"), "ns")
        everybody = {"kind": "Group", "name": "system:authenticated", "apiGroup": GROUP}
        await http.admin.create(BINDINGS, binding("e", "Role", "large"), "ns")
        await http.admin.delete(BINDINGS, "e", "ns")
        await refused(robot.create(BINDINGS, binding("e", "Role", "large", everybody), "ns"))

    serving(scenario)


@pytest.mark.parametrize("verb", ["bind", "escalate"])
def test_the_verbs_that_let_him_all_the_same(serving, verb):
    async def scenario(http) -> None:
        await http.admin.create(ROLES, role("large", rule(["secrets"], ["get"])), "ns")
        await give(http, rule(["roles", "rolebindings"], ["create", verb], GROUP))
        robot = http.client(ROBOT)
        made = {
            "bind": lambda: robot.create(BINDINGS, binding("b", "Role", "large"), "ns"),
            "escalate": lambda: robot.create(ROLES, role("own", rule(["secrets"], ["get"])), "ns"),
        }
        own = made.pop(verb)
        (other,) = made.values()
        await refused(other())
        await own()

    serving(scenario)


def test_an_aggregated_role_is_for_administrators(serving):
    async def scenario(http) -> None:
        rules = rule(["clusterroles"], ["create"], group=GROUP), rule(["pods"], ["list"])
        await http.admin.create(CLUSTER_ROLES, role("w", *rules))
        await http.admin.create(CLUSTER_BINDINGS, binding("w", "ClusterRole", "w"))
        robot = http.client(ROBOT)
        await robot.create(CLUSTER_ROLES, role("plain", rule(["pods"], ["list"])))
        whole = role("whole", rule(["pods"], ["list"]))
        whole["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": {"gather": "yes"}}]}
        said = await refused(robot.create(CLUSTER_ROLES, whole))
        assert said.endswith("must have cluster-admin privileges to use the aggregationRule")

    serving(scenario)


def test_a_binding_to_a_role_that_is_not_there_is_told_in_the_denial(serving):
    async def scenario(http) -> None:
        await http.admin.create(ROLES, role("r", rule(["pods"], ["get"])), "ns")
        await http.admin.create(BINDINGS, binding("b", "Role", "r"), "ns")
        await http.admin.delete(ROLES, "r", "ns")
        said = await refused(http.client(ROBOT).list(PODS, "ns"))
        assert said.endswith(': RBAC: role.rbac.authorization.k8s.io "r" not found')

    serving(scenario)


def test_a_right_for_some_names_is_one_to_list_and_watch_each_of_them(serving):
    async def scenario(http) -> None:
        await give(http, rule(["secrets"], ["list", "watch"], names=["s"]))
        for name in ("s", "other"):
            await http.admin.create(SECRETS, {"metadata": {"name": name}}, "ns")
        robot = http.client(ROBOT)
        found = await robot.list(SECRETS, "ns", field_selector="metadata.name=s")
        assert [item.name for item in found.items] == ["s"]
        async for event in robot.watch(SECRETS, "ns", field_selector="metadata.name=s,type=Opaque"):
            assert event.item.name == "s"
            break
        for selector in ("", "metadata.name=other", "metadata.name!=s", "type=Opaque", "metadata.name=s,metadata.name"):
            await refused(robot.list(SECRETS, "ns", field_selector=selector))
        assert 'secrets "other" is forbidden' in await refused(
            robot.list(SECRETS, "ns", field_selector="metadata.name=other")
        )
        await refused(robot.delete_collection(SECRETS, "ns", field_selector="metadata.name=s"))

    serving(scenario)


def test_a_namespace_is_in_itself(serving):
    namespaces = served("", "namespaces")

    async def scenario(http) -> None:
        await give(http, rule(["namespaces"], ["get", "list"]))
        robot = http.client(ROBOT)
        assert (await robot.get(namespaces, "ns")).name == "ns"
        said = await refused(robot.get(namespaces, "default"))
        assert said.endswith('cannot get resource "namespaces" in API group "" in the namespace "default"')
        await refused(robot.list(namespaces))
        await refused(robot.list(namespaces, field_selector="metadata.name=ns"))

    serving(scenario)


def test_a_right_for_the_empty_name_is_not_one_for_all(serving):
    async def scenario(http) -> None:
        await give(http, rule(["secrets"], ["get"], names=["", "a"]), rule(["roles"], ["create"], GROUP))
        robot = http.client(ROBOT)
        await refused(robot.create(ROLES, role("all", rule(["secrets"], ["get"])), "ns"))
        await refused(robot.create(ROLES, role("other", rule(["secrets"], ["get"], names=["b"])), "ns"))
        await robot.create(ROLES, role("same", rule(["secrets"], ["get"], names=["", "a"])), "ns")

    serving(scenario)
