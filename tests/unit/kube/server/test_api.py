"""The verbs on objects, as clients rely on them."""

import asyncio

import pytest

from tiphys.errors import ApiError, StoreError
from tiphys.kube.objects.resources import served

CONFIGMAPS = "/api/v1/namespaces/ns/configmaps"
EXTERNALS = "/apis/external-secrets.io/v1/namespaces/ns/externalsecrets"
MERGE = "application/merge-patch+json"


def test_a_name_is_made_and_taken_once(serving):
    async def scenario(http) -> None:
        names = set()
        for _ in range(3):
            made = await http("POST", CONFIGMAPS, {"metadata": {"generateName": "c-"}})
            assert made.code == 201
            names.add(made.value["metadata"]["name"])
        assert len(names) == 3
        assert all(name.startswith("c-") and len(name) == 7 for name in names)
        again = await http("POST", CONFIGMAPS, {"metadata": {"name": min(names)}})
        assert (again.code, again.value["reason"]) == (409, "AlreadyExists")
        assert again.message == f'configmaps "{min(names)}" already exists'

    serving(scenario)


def test_what_a_client_may_not_choose(serving):
    async def scenario(http) -> None:
        chosen = {"name": "c", "uid": "u", "creationTimestamp": "2001-01-01T00:00:00Z", "generation": 9}
        made = (await http("POST", CONFIGMAPS, {"metadata": chosen})).value["metadata"]
        assert made["uid"] != "u"
        assert not made["creationTimestamp"].startswith("2001")
        refused = await http("POST", CONFIGMAPS, {"metadata": {"name": "d", "resourceVersion": "1"}})
        assert "resourceVersion should not be set on objects to be created" in refused.message

    serving(scenario)


def test_a_stale_write_is_a_conflict_and_one_without_a_revision_is_not(serving):
    async def scenario(http) -> None:
        first = (await http("POST", CONFIGMAPS, {"metadata": {"name": "c"}})).value
        await http("PATCH", CONFIGMAPS + "/c", {"data": {"a": "1"}}, kind=MERGE)
        stale = await http("PUT", CONFIGMAPS + "/c", first)
        assert (stale.code, stale.value["reason"]) == (409, "Conflict")
        del first["metadata"]["resourceVersion"]
        assert (await http("PUT", CONFIGMAPS + "/c", first)).code == 200
        unchanged = await http("PUT", CONFIGMAPS + "/c", first)
        assert unchanged.value["metadata"]["resourceVersion"] == str(http.store.revision), "nothing was written"
        assert (await http("PUT", EXTERNALS + "/e", {"metadata": {"name": "e"}, "spec": {}})).code == 404
        await http("POST", EXTERNALS, {"metadata": {"name": "e"}, "spec": {}})
        answer = await http("PUT", EXTERNALS + "/e", {"metadata": {"name": "e"}, "spec": {}})
        assert "metadata.resourceVersion: Invalid value: 0: must be specified for an update" in answer.message

    serving(scenario)


def test_status_is_written_by_its_subresource_only(serving):
    async def scenario(http) -> None:
        made = await http("POST", EXTERNALS, {"metadata": {"name": "e"}, "spec": {"a": 1}, "status": {"x": 1}})
        assert "status" not in made.value
        patch = {"spec": {"a": 2}, "status": {"x": 2}, "metadata": {"labels": {"l": "m"}}}
        shown = (await http("PATCH", EXTERNALS + "/e/status", patch, kind=MERGE)).value
        assert (shown["spec"], shown["status"], "labels" in shown["metadata"]) == ({"a": 1}, {"x": 2}, False)
        assert shown["metadata"]["generation"] == 1
        shown = (await http("PATCH", EXTERNALS + "/e", patch | {"status": {"x": 3}}, kind=MERGE)).value
        assert (shown["spec"], shown["status"], shown["metadata"]["generation"]) == ({"a": 2}, {"x": 2}, 2)

    serving(scenario)


def test_both_versions_of_a_kind_are_one_object(serving):
    async def scenario(http) -> None:
        old = EXTERNALS.replace("/v1/", "/v1beta1/")
        value = {"apiVersion": "external-secrets.io/v1beta1", "kind": "ExternalSecret", "metadata": {"name": "e"}}
        assert (await http("POST", old, value)).value["apiVersion"] == "external-secrets.io/v1beta1"
        assert (await http("GET", EXTERNALS + "/e")).value["apiVersion"] == "external-secrets.io/v1"
        listed = (await http("GET", old)).value
        assert (listed["apiVersion"], listed["items"][0]["apiVersion"]) == ("external-secrets.io/v1beta1",) * 2
        wrong = await http("POST", EXTERNALS, {**value, "metadata": {"name": "f"}})
        assert "does not match the expected API version" in wrong.message

    serving(scenario)


def test_a_dry_run_answers_as_if_and_writes_nothing(serving):
    async def scenario(http) -> None:
        made = await http("POST", CONFIGMAPS + "?dryRun=All", {"metadata": {"name": "c"}})
        assert (made.code, "uid" in made.value["metadata"]) == (201, True)
        assert (await http("GET", CONFIGMAPS + "/c")).code == 404
        await http("POST", CONFIGMAPS, {"metadata": {"name": "c"}})
        before = http.store.revision
        patched = await http("PATCH", CONFIGMAPS + "/c?dryRun=All", {"data": {"a": "b"}}, kind=MERGE)
        assert patched.value["data"] == {"a": "b"}
        assert (await http("DELETE", CONFIGMAPS + "/c?dryRun=All")).code == 200
        assert (await http("DELETE", CONFIGMAPS + "?dryRun=All")).code == 200
        assert http.store.revision == before
        assert (await http("POST", CONFIGMAPS + "?dryRun=All", {"metadata": {"name": "c"}})).code == 409

    serving(scenario)


def test_preconditions_and_finalizers_of_a_delete(serving):
    async def scenario(http) -> None:
        made = (await http("POST", CONFIGMAPS, {"metadata": {"name": "c", "finalizers": ["a.b/c"]}})).value
        wrong = await http("DELETE", CONFIGMAPS + "/c", {"preconditions": {"uid": "other"}})
        assert (wrong.code, "UID in precondition: other" in wrong.message) == (409, True)
        wrong = await http("DELETE", CONFIGMAPS + "/c", {"preconditions": {"resourceVersion": "1"}})
        assert wrong.code == 409
        held = await http("DELETE", CONFIGMAPS + "/c", {"preconditions": {"uid": made["metadata"]["uid"]}})
        assert "deletionTimestamp" in held.value["metadata"]
        more = {"metadata": {"finalizers": ["a.b/c", "x.y/z"]}}
        assert (await http("PATCH", CONFIGMAPS + "/c", more, kind=MERGE)).code == 422
        gone = await http("PATCH", CONFIGMAPS + "/c", {"metadata": {"finalizers": None}}, kind=MERGE)
        assert gone.code == 200
        assert (await http("GET", CONFIGMAPS + "/c")).code == 404
        assert (await http("DELETE", CONFIGMAPS + "/c")).message == 'configmaps "c" not found'

    serving(scenario)


def test_a_pod_on_a_node_is_given_time_to_end(serving):
    spec = {"nodeName": "local", "containers": [{"name": "main", "image": "i"}]}

    async def scenario(http) -> None:
        pods = "/api/v1/namespaces/ns/pods"
        await http("POST", pods, {"metadata": {"name": "p"}, "spec": spec})
        marked = (await http("DELETE", pods + "/p", {"gracePeriodSeconds": 5})).value["metadata"]
        assert marked["deletionGracePeriodSeconds"] == 5
        gone = await http("DELETE", pods + "/p?gracePeriodSeconds=0")
        assert gone.value["metadata"]["uid"] == marked["uid"]  # as in Kubernetes, where others get a Status

    serving(scenario)


def test_all_that_match_are_deleted_and_some_namespaces_never(serving):
    async def scenario(http) -> None:
        for name, label in (("a", "x"), ("b", "x"), ("c", "y")):
            await http("POST", CONFIGMAPS, {"metadata": {"name": name, "labels": {"l": label}}})
        deleted = await http("DELETE", CONFIGMAPS + "?labelSelector=l%3Dx")
        assert [item["metadata"]["name"] for item in deleted.value["items"]] == ["a", "b"]
        assert [item["metadata"]["name"] for item in (await http("GET", CONFIGMAPS)).value["items"]] == ["c"]
        for name in ("default", "kube-system", "kube-public"):
            assert (await http("DELETE", f"/api/v1/namespaces/{name}")).code == 403
        assert (await http("DELETE", "/api/v1/namespaces")).code == 405

    serving(scenario)


def test_nothing_is_made_in_a_namespace_that_is_not_there_or_goes(serving):
    async def scenario(http) -> None:
        nowhere = await http("POST", "/api/v1/namespaces/nowhere/configmaps", {"metadata": {"name": "c"}})
        assert (nowhere.code, nowhere.message) == (404, 'namespaces "nowhere" not found')
        await http("DELETE", "/api/v1/namespaces/ns")
        going = await http("POST", CONFIGMAPS, {"metadata": {"name": "c"}})
        assert (going.code, going.value["details"]["causes"][0]["reason"]) == (403, "NamespaceTerminating")

    serving(scenario)


def test_a_list_comes_in_pages_that_show_one_moment(serving):
    async def scenario(http) -> None:
        for number in range(7):
            await http("POST", CONFIGMAPS, {"metadata": {"name": f"c{number}"}})
        names, token, revisions = list[str](), "", set()
        while True:
            page = (await http("GET", f"{CONFIGMAPS}?limit=3&continue={token}")).value
            names += [item["metadata"]["name"] for item in page["items"]]
            revisions.add(page["metadata"]["resourceVersion"])
            if not (token := page["metadata"].get("continue", "")):
                break
            assert page["metadata"]["remainingItemCount"] == 7 - len(names)
            await http("DELETE", f"{CONFIGMAPS}/c6")
            await http("POST", CONFIGMAPS, {"metadata": {"name": f"b{len(names)}"}})
        assert names == [f"c{number}" for number in range(7)]
        assert len(revisions) == 1

    serving(scenario)


def test_a_page_that_is_no_longer_kept_says_how_to_go_on(serving):
    async def scenario(http) -> None:
        for number in range(4):
            await http("POST", CONFIGMAPS, {"metadata": {"name": f"c{number}"}})
        token = (await http("GET", CONFIGMAPS + "?limit=2")).value["metadata"]["continue"]
        await http("POST", CONFIGMAPS, {"metadata": {"name": "new"}})
        http.api._lister._kept.clear()
        gone = await http("GET", f"{CONFIGMAPS}?limit=2&continue={token}")
        assert (gone.code, gone.value["reason"]) == (410, "Expired")
        rest = await http("GET", f"{CONFIGMAPS}?limit=9&continue={gone.value['metadata']['continue']}")
        assert [item["metadata"]["name"] for item in rest.value["items"]] == ["c2", "c3", "new"]

    serving(scenario)


def test_a_disk_that_cannot_be_written_is_not_the_clients_fault(serving):
    async def scenario(http) -> None:
        http.store.fail = StoreError("the disk is full")
        answer = await http("POST", CONFIGMAPS, {"metadata": {"name": "c"}})
        assert (answer.code, answer.value["reason"], answer.message) == (503, "ServiceUnavailable", "the disk is full")
        http.store.fail = None
        assert (await http("POST", CONFIGMAPS, {"metadata": {"name": "c"}})).code == 201

    serving(scenario)


def test_objects_handed_in_and_given_out_in_process_are_nobodys_but_the_callers(serving):
    async def scenario(http) -> None:
        resource, value = served("", "configmaps"), {"metadata": {"name": "c"}, "data": {"a": "b"}}
        made = await http.admin.create(resource, value, "ns")
        value["data"]["a"] = made.object["data"]["a"] = "changed"
        assert (await http.admin.get(resource, "c", "ns")).object["data"] == {"a": "b"}
        with pytest.raises(ApiError):
            await http.admin.update(resource, {**made.object, "metadata": {**made.object["metadata"], "uid": "x"}})

    serving(scenario)


def test_writes_at_the_same_time_are_decided_one_after_the_other(serving):
    async def scenario(http) -> None:
        await http("POST", CONFIGMAPS, {"metadata": {"name": "c"}, "data": {}})
        patches = [{"data": {f"k{number}": "v"}} for number in range(50)]
        answers = await asyncio.gather(*(http("PATCH", CONFIGMAPS + "/c", p, kind=MERGE) for p in patches))
        assert {answer.code for answer in answers} == {200}
        assert len((await http("GET", CONFIGMAPS + "/c")).value["data"]) == 50
        added = [{"op": "add", "path": "/data/once", "value": "x"}]
        guarded = [{"op": "test", "path": "/data/once", "value": None}, *added]
        kind = "application/json-patch+json"
        answers = await asyncio.gather(*(http("PATCH", CONFIGMAPS + "/c", guarded, kind=kind) for _ in range(3)))
        assert {answer.code for answer in answers} == {422}

    serving(scenario)
