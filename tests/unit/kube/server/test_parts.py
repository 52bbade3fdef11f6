"""Workflows in parts: what clients see is whole, what is written is what changed."""

from typing import Any

import pytest

from tiphys.kube.objects.resources import served
from tiphys.kube.store.api import Key

WORKFLOWS = served("argoproj.io", "workflows")
PATH = "/apis/argoproj.io/v1alpha1/namespaces/ns/workflows"
MERGE = "application/merge-patch+json"
SPEC = {"entrypoint": "main", "templates": [{"name": "main", "suspend": {}}]}
WHOLE = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Workflow",
    "metadata": {"name": "w"},
    "spec": SPEC,
    "status": {
        "phase": "Running",
        "nodes": {"w": {"id": "w", "phase": "Running"}, "w-1": {"id": "w-1", "phase": "Pending"}},
        "storedTemplates": {"namespaced/t/a": {"name": "a"}},
        "storedWorkflowTemplateSpec": SPEC,
    },
}


def without_metadata(value: dict[str, Any]) -> dict[str, Any]:
    return {key: member for key, member in value.items() if key not in ("metadata", "apiVersion", "kind")}


def test_a_workflow_comes_back_as_it_was_sent(serving):
    async def scenario(http) -> None:
        assert (await http("POST", PATH, WHOLE)).code == 201
        shown = (await http("GET", PATH + "/w")).value
        assert without_metadata(shown) == without_metadata(WHOLE)
        listed = (await http("GET", PATH)).value["items"]
        assert listed == [shown]
        assert (await http.admin.get(WORKFLOWS, "w", "ns")).object == shown

    serving(scenario)


@pytest.mark.parametrize(
    ("patch", "wanted"),
    [
        ({"status": {"nodes": {"w-1": {"phase": "Failed"}}}},
         lambda w: w["status"]["nodes"]["w-1"].update(phase="Failed")),
        ({"status": {"nodes": {"w-1": None}}}, lambda w: w["status"]["nodes"].pop("w-1")),
        ({"status": {"nodes": {"n": {"a": {"b": None, "c": 1}}}}},
         lambda w: w["status"]["nodes"].update(n={"a": {"c": 1}})),
        ({"status": {"nodes": None}}, lambda w: w["status"].pop("nodes")),
        ({"status": None}, lambda w: w.pop("status")),
        ({"status": {"storedTemplates": None}}, lambda w: w["status"].pop("storedTemplates")),
        ({"status": {"phase": None, "message": "m"}},
         lambda w: (w["status"].pop("phase"), w["status"].update(message="m"))),
        ({"spec": {"suspend": True}}, lambda w: w["spec"].update(suspend=True)),
        ({"spec": None}, lambda w: w.pop("spec")),
        ({"spec": {"templates": None}, "status": {"nodes": {"w": None}}},
         lambda w: (w["spec"].pop("templates"), w["status"]["nodes"].pop("w"))),
    ],
)  # fmt: skip
def test_a_merge_patch_of_parts_is_a_merge_patch_of_the_whole(serving, patch, wanted):
    async def scenario(http) -> None:
        before = (await http("POST", PATH, WHOLE)).value
        answer = await http("PATCH", PATH + "/w", patch, kind=MERGE)
        assert answer.code == 200, answer.body
        expected = without_metadata(before)
        wanted(expected)
        assert without_metadata(answer.value) == expected
        assert answer.value["metadata"]["generation"] == 2
        again = await http("PATCH", PATH + "/w", patch, kind=MERGE)
        assert again.value["metadata"]["resourceVersion"] == answer.value["metadata"]["resourceVersion"]

    serving(scenario)


def test_a_put_writes_only_what_differs_and_a_json_patch_sees_the_whole(serving):
    async def scenario(http) -> None:
        value = (await http("POST", PATH, WHOLE)).value
        value["status"]["nodes"]["w"]["phase"] = "Failed"
        del value["status"]["nodes"]["w-1"]
        put = await http("PUT", PATH + "/w", value)
        assert without_metadata(put.value) == without_metadata(value)
        operations = [
            {"op": "test", "path": "/status/nodes/w/phase", "value": "Failed"},
            {"op": "replace", "path": "/spec/entrypoint", "value": "other"},
        ]
        patched = await http("PATCH", PATH + "/w", operations, kind="application/json-patch+json")
        assert patched.value["spec"] == {**SPEC, "entrypoint": "other"}
        assert patched.value["status"] == value["status"]

    serving(scenario)


def test_the_row_of_a_workflow_holds_neither_spec_nor_nodes(serving):
    async def scenario(http) -> None:
        await http("POST", PATH, WHOLE)
        record = http.store.get(Key("argoproj.io", "workflows", "ns", "w"))
        assert b"templates" not in record.value
        assert b"Pending" not in record.value
        body = {"status": {"nodes": {"w-1": {"phase": "Succeeded"}}}}
        spec = record.parts["/spec"]
        await http("PATCH", PATH + "/w", body, kind=MERGE)
        assert record.parts["/spec"] is spec, "untouched parts are not even copied"

    serving(scenario)


def test_a_node_cannot_take_the_place_of_the_spec(serving):
    async def scenario(http) -> None:
        await http("POST", PATH, WHOLE)
        for body in ({"status": {"nodes": {"/spec": {}}}}, {**WHOLE, "status": {"nodes": {"/spec": {}}}}):
            answer = await http("PATCH", PATH + "/w", body, kind=MERGE)
            assert answer.code == 422
            assert "does not begin with a slash" in answer.message
        assert (await http("GET", PATH + "/w")).value["spec"] == SPEC

    serving(scenario)


def test_admission_sees_a_spec_that_changes_and_is_not_asked_about_a_status(serving):
    seen = []

    def admit(asked):
        if asked.resource is WORKFLOWS:
            seen.append((asked.operation, asked.new["spec"].get("suspend"), (asked.old or {}).get("spec") is not None))
        return ["careful"]

    async def scenario(http) -> None:
        assert (await http("POST", PATH, WHOLE)).header("warning") == ['299 - "careful"']
        patched = await http("PATCH", PATH + "/w", {"spec": {"suspend": True}}, kind=MERGE)
        assert patched.header("warning") == ['299 - "careful"']
        assert not (await http("PATCH", PATH + "/w", {"status": {"phase": "Failed"}}, kind=MERGE)).header("warning")

    serving(scenario, admit=[admit])
    assert seen == [("CREATE", None, False), ("UPDATE", True, True)]


def test_a_watch_shows_the_whole_and_gathers_what_changed_meanwhile(serving):
    async def scenario(http) -> None:
        await http("POST", PATH, WHOLE)
        async with http.stream(PATH + "?watch=1") as stream:
            first = await stream.line()
            assert (first["type"], first["object"]["spec"]) == ("ADDED", SPEC)
            for phase in ("Succeeded", "Failed"):
                await http("PATCH", PATH + "/w", {"status": {"nodes": {"w-1": {"phase": phase}}}}, kind=MERGE)
            line = await stream.line()
            while line["object"]["status"]["nodes"]["w-1"]["phase"] != "Failed":
                line = await stream.line()
            assert line["type"] == "MODIFIED"
            stream.reads.clear()
            for number in range(5):
                await http("PATCH", PATH + "/w", {"status": {"nodes": {"w-1": {"n": number}}}}, kind=MERGE)
            stream.reads.set()
            lines = 0
            while line["object"]["status"]["nodes"]["w-1"].get("n") != 4:
                line, lines = await stream.line(), lines + 1
            assert lines <= 2, "one that was under way, and one for all that came meanwhile"
            await http("DELETE", PATH + "/w")
            while line["type"] != "DELETED":
                line = await stream.line()
            assert set(line["object"]["status"]["nodes"]) == {"w", "w-1"}

    serving(scenario)
