"""Watches over HTTP: from where they start, what selectors make of changes, how they end, many at once."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from tiphys.kube.objects.resources import served

CONFIGMAPS = "/api/v1/namespaces/ns/configmaps"
MERGE = "application/merge-patch+json"
TABLE = {"accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}


def configmap(name: str, **labels: str):
    return {"metadata": {"name": name, "labels": labels}}


async def shown(stream, count: int) -> list[tuple[str, str]]:
    lines = [await stream.line() for _ in range(count)]
    return [(line["type"], line["object"]["metadata"].get("name", "")) for line in lines]


def test_it_begins_with_what_is_there_or_after_a_revision(serving):
    async def scenario(http) -> None:
        first = (await http("POST", CONFIGMAPS, configmap("a"))).value["metadata"]["resourceVersion"]
        await http("POST", CONFIGMAPS, configmap("b"))
        async with http.stream(CONFIGMAPS + "?watch=1") as all_of_it:
            assert await shown(all_of_it, 2) == [("ADDED", "a"), ("ADDED", "b")]
        async with http.stream(f"{CONFIGMAPS}?watch=true&resourceVersion={first}") as since:
            assert await shown(since, 1) == [("ADDED", "b")]
            await http("DELETE", CONFIGMAPS + "/a")
            assert await shown(since, 1) == [("DELETED", "a")]
        async with http.stream(f"{CONFIGMAPS}/b?watch=1") as one:
            assert await shown(one, 1) == [("ADDED", "b")]

    serving(scenario)


def test_a_bookmark_tells_that_the_beginning_is_over(serving):
    async def scenario(http) -> None:
        await http("POST", CONFIGMAPS, configmap("a"))
        query = "?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
        async with http.stream(CONFIGMAPS + query) as stream:
            assert await shown(stream, 1) == [("ADDED", "a")]
            line = await stream.line()
            assert line["type"] == "BOOKMARK"
            assert line["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
            assert line["object"]["metadata"]["resourceVersion"] == str(http.store.revision)

    serving(scenario)


def test_what_a_selector_no_longer_selects_is_deleted_for_its_reader(serving):
    async def scenario(http) -> None:
        async with http.stream(CONFIGMAPS + "?watch=1&labelSelector=x%3Dy") as stream:
            await http("POST", CONFIGMAPS, configmap("a", x="no"))
            for value, seen in (("y", "ADDED"), ("no", "DELETED"), ("y", "ADDED")):
                patch = {"metadata": {"labels": {"x": value}}}
                await http("PATCH", CONFIGMAPS + "/a", patch, kind=MERGE)
                assert await shown(stream, 1) == [(seen, "a")]
            await http("PATCH", CONFIGMAPS + "/a", {"data": {"k": "v"}}, kind=MERGE)
            assert await shown(stream, 1) == [("MODIFIED", "a")]

    serving(scenario)


def test_a_revision_that_is_compacted_is_gone(serving):
    async def scenario(http) -> None:
        for number in range(5):
            await http("POST", CONFIGMAPS, configmap(f"c{number}"))
        http.store._hub.compacted = http.store.revision
        for query in ("watch=1&resourceVersion=1", "resourceVersion=1&resourceVersionMatch=Exact"):
            answer = await http("GET", f"{CONFIGMAPS}?{query}")
            assert (answer.code, answer.value["reason"]) == (410, "Expired")

    serving(scenario)


def test_a_reader_that_falls_too_far_behind_is_told(serving, monkeypatch):
    monkeypatch.setattr("tiphys.kube.store.hub.BACKLOG", 10)

    async def scenario(http) -> None:
        async with http.stream(CONFIGMAPS + "?watch=1") as stream:
            await http("POST", CONFIGMAPS, configmap("first"))
            assert await shown(stream, 1) == [("ADDED", "first")]
            stream.reads.clear()
            for number in range(30):
                await http.admin.create(served("", "configmaps"), configmap(f"c{number}"), "ns")
            stream.reads.set()
            line = await stream.line()
            while line["type"] != "ERROR":
                line = await stream.line()
            assert (line["object"]["code"], line["object"]["reason"]) == (410, "Expired")
            assert await stream.line() is None

    serving(scenario)


def test_two_hundred_watchers_see_every_change(serving):
    async def scenario(http) -> None:
        async with AsyncExitStack() as stack:
            paths = [CONFIGMAPS + "?watch=1", "/api/v1/configmaps?watch=1&labelSelector=x"]
            streams = [await stack.enter_async_context(http.stream(paths[n % 2])) for n in range(200)]
            await asyncio.gather(*(http("POST", CONFIGMAPS, configmap(f"c{n}", x="y")) for n in range(20)))
            wanted = sorted(("ADDED", f"c{n}") for n in range(20))
            for stream in streams:
                assert sorted(await shown(stream, 20)) == wanted
        watches = http.store._hub._watches["", "configmaps"]
        assert not watches, "a client that is gone leaves nothing behind"

    serving(scenario)


def test_the_client_s_own_end(serving):
    async def scenario(http) -> None:
        async with http.stream(CONFIGMAPS + "?watch=1&timeoutSeconds=1") as stream:
            assert await stream.line() is None

    serving(scenario)


def test_a_table_tells_its_columns_once(serving):
    async def scenario(http) -> None:
        await http("POST", CONFIGMAPS, configmap("a"))
        async with http.stream(CONFIGMAPS + "?watch=1", headers=TABLE) as stream:
            first = (await stream.line())["object"]
            assert [column["name"] for column in first["columnDefinitions"]] == ["Name", "Data", "Age"]
            await http("DELETE", CONFIGMAPS + "/a")
            second = await stream.line()
            assert second["type"] == "DELETED"
            assert second["object"]["columnDefinitions"] == []
            assert second["object"]["rows"][0]["cells"][0] == "a"

    serving(scenario)


@pytest.mark.parametrize("verb", ["get", "list"])
def test_to_watch_is_a_right_of_its_own(serving, verb):
    async def scenario(http) -> None:
        account = (await http("GET", "/api/v1/namespaces/ns/serviceaccounts/default")).value
        token = http.tokens.make("ns", ("default", account["metadata"]["uid"]), 3600)[0].reveal()
        rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": [verb]}]
        group = "rbac.authorization.k8s.io"
        await http.admin.create(served(group, "roles"), {"metadata": {"name": "r"}, "rules": rules}, "ns")
        binding = {
            "metadata": {"name": "b"},
            "roleRef": {"apiGroup": group, "kind": "Role", "name": "r"},
            "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "ns"}],
        }
        await http.admin.create(served(group, "rolebindings"), binding, "ns")
        answer = await http("GET", CONFIGMAPS + "?watch=1", token=token)
        assert 'cannot watch resource "configmaps"' in answer.message

    serving(scenario)


def test_a_server_that_stops_ends_its_watches_and_goes_on_answering(serving):
    async def scenario(http) -> None:
        async with http.stream(CONFIGMAPS + "?watch=1") as stream:
            await http("POST", CONFIGMAPS, configmap("a"))
            assert await shown(stream, 1) == [("ADDED", "a")]
            http.app.close()
            assert await stream.line() is None
        async with http.stream(CONFIGMAPS + "?watch=1") as later:
            assert await later.line() is None
        assert (await http("GET", CONFIGMAPS)).code == 200

    serving(scenario)


def test_it_does_not_last_for_ever_unless_asked_to(serving, monkeypatch):
    monkeypatch.setattr("tiphys.kube.server.http._WATCH_SECONDS", 0.01)

    async def scenario(http) -> None:
        await http("POST", CONFIGMAPS, configmap("a"))
        watch = CONFIGMAPS + "?watch=1"
        async with http.stream(watch) as ends, http.stream(watch + "&timeoutSeconds=999") as lasts:
            assert await shown(ends, 1) == await shown(lasts, 1) == [("ADDED", "a")]
            assert await ends.line() is None
            await http("POST", CONFIGMAPS, configmap("b"))
            assert await shown(lasts, 1) == [("ADDED", "b")]

    serving(scenario)
