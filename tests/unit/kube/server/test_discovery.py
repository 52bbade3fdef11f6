"""What is served, as clients ask for it."""

import pytest

from tiphys.kube.objects.resources import RESOURCES

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def test_every_resource_is_listed_where_clients_look(serving):
    async def scenario(http) -> None:
        groups = {group["name"] for group in (await http("GET", "/apis")).value["groups"]}
        assert groups == {resource.group for resource in RESOURCES} - {""}
        for resource in RESOURCES:
            for version in resource.versions:
                place = f"/apis/{resource.group}/{version}" if resource.group else f"/api/{version}"
                rows = {row["name"]: row for row in (await http("GET", place)).value["resources"]}
                assert rows[resource.plural]["kind"] == resource.kind
                assert rows[resource.plural]["namespaced"] is resource.namespaced
                assert all(f"{resource.plural}/{name}" in rows for name in resource.subresources)
        assert (await http("GET", "/apis/argoproj.io")).value["preferredVersion"]["version"] == "v1alpha1"
        assert (await http("GET", "/apis/apps/v1")).code == 404

    serving(scenario)


def test_all_of_it_in_one_answer(serving):
    async def scenario(http) -> None:
        for path, core in (("/api", True), ("/apis", False)):
            answer = await http("GET", path, headers={"accept": f"{AGGREGATED},application/json"})
            assert answer.header("content-type") == [AGGREGATED]
            found = {
                (item["metadata"].get("name", ""), version["version"], row["resource"])
                for item in answer.value["items"]
                for version in item["versions"]
                for row in version["resources"]
            }
            wanted = {(r.group, v, r.plural) for r in RESOURCES for v in r.versions if (r.group == "") is core}
            assert found == wanted

    serving(scenario)


def test_the_version_is_one_that_clients_take(serving):
    async def scenario(http) -> None:
        version = (await http("GET", "/version")).value
        assert (version["major"], version["minor"].isdigit()) == ("1", True)
        assert version["gitVersion"].startswith(f"v1.{version['minor']}.")

    serving(scenario)


def test_the_root_lists_the_paths_and_each_of_them_is_there(serving):
    async def scenario(http) -> None:
        paths = (await http("GET", "/")).value["paths"]
        assert {"/api/v1", "/apis/argoproj.io/v1alpha1", "/openapi/v2", "/readyz/ping", "/version"} <= set(paths)
        for path in paths:
            assert (await http("GET", path)).code == 200, path

    serving(scenario)


def test_health_is_told_check_by_check(serving):
    async def scenario(http) -> None:
        assert (await http("GET", "/readyz")).body == b"ok"
        assert (await http("GET", "/readyz?verbose")).body == b"[+]ping ok\n[+]etcd ok\nreadyz check passed\n"
        assert (await http("GET", "/readyz/ping?verbose")).body == b"ok"

    serving(scenario)


def test_what_is_not_served_is_named_with_details_that_old_clients_look_into(serving):
    async def scenario(http) -> None:
        answer = await http("POST", "/api/v1/namespaces/ns/pods/p/eviction", {})
        assert (answer.code, answer.value["reason"]) == (404, "NotFound")
        assert "/api/v1/namespaces/ns/pods/p/eviction is not served" in answer.message
        assert answer.value["details"]["causes"][0]["reason"] == "UnexpectedServerResponse"

    serving(scenario)


@pytest.mark.parametrize(
    ("below", "says"),
    [
        ("exec?command=ls", "is not served: a container here is a process that nobody enters: read its log"),
        ("attach", "nobody enters"),
        ("portforward", "is not served: pods share the network of this machine"),
        ("proxy/index.html", "ask 127.0.0.1"),
        ("eviction", "delete the pod"),
    ],
)
def test_what_pods_have_in_a_cluster_only_is_refused_with_what_to_do(serving, below, says):
    async def scenario(http) -> None:
        token = (await http("POST", "/api/v1/namespaces/ns/serviceaccounts/default/token", {})).value["status"]["token"]
        for each in (token, "admin-token"):  # also to those who may not
            answer = await http("POST", f"/api/v1/namespaces/ns/pods/p/{below}", token=each)
            assert answer.code == 404
            assert says in answer.message

    serving(scenario)


def test_there_are_no_services_and_none_can_be_made(serving):
    async def scenario(http) -> None:
        services = "/api/v1/namespaces/ns/services"
        assert (await http("GET", services)).value["items"] == []
        protobuf = "application/vnd.kubernetes.protobuf"
        for method, path, verb in (
            ("POST", services, "create"),
            ("PUT", f"{services}/s", "update"),
            ("PATCH", f"{services}/s", "patch"),
            ("DELETE", f"{services}/s", "delete"),
            ("DELETE", services, "deletecollection"),
        ):
            answer = await http(method, path, None if method == "DELETE" else b"k8s\0", kind=protobuf)
            assert answer.code == 405, answer.body
            assert answer.message == f'{verb} is not supported on resources of kind "services"'

    serving(scenario)


def test_who_may_not_write_gets_no_body_read(serving):
    async def scenario(http) -> None:
        for method, path in (("POST", "configmaps"), ("PUT", "configmaps/c"), ("PATCH", "configmaps/c")):
            headers = {"impersonate-user": "joe", "content-type": "application/json"}
            answer = await http(method, f"/api/v1/namespaces/ns/{path}", b"{not json", headers=headers)
            assert answer.code == 403, answer.body

    serving(scenario)
