"""What is served, as clients ask for it."""

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
