"""Server-side apply: who owns which field, conflicts, and what goes when its last owner no longer names it."""

import json
from typing import Any

import pytest

CONFIGMAPS = "/api/v1/namespaces/ns/configmaps"
PODS = "/api/v1/namespaces/ns/pods"
WORKFLOWS = "/apis/argoproj.io/v1alpha1/namespaces/ns/workflows"
APPLY = "application/apply-patch+yaml"
FIELDS = {"f:data": {"f:a": {}}, "f:metadata": {"f:labels": {"f:l": {}}}}
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"


def config(data: dict[str, Any] | None = None, **meta: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", **meta}, "data": data or {}}


def by(manager: str, *, force: bool = False) -> str:
    return f"{CONFIGMAPS}/c?fieldManager={manager}" + ("&force=true" if force else "")


def owners(value: dict[str, Any]) -> dict[tuple[str, str], Any]:
    return {(row["manager"], row["operation"]): row["fieldsV1"] for row in value["metadata"].get("managedFields", ())}


def test_the_first_apply_makes_the_object_and_notes_its_owner(serving):
    async def scenario(http) -> None:
        made = await http("PATCH", by("one"), config({"a": "1"}, labels={"l": "x"}), kind=APPLY)
        assert (made.code, made.value["data"]) == (201, {"a": "1"})
        assert owners(made.value) == {("one", "Apply"): FIELDS}
        again = await http("PATCH", by("one"), config({"a": "1"}, labels={"l": "x"}), kind=APPLY)
        assert (again.code, again.value) == (200, made.value)  # nothing changed: the same revision, the same time

    serving(scenario)


def test_what_is_no_longer_applied_goes_and_what_others_own_stays(serving):
    async def scenario(http) -> None:
        await http("PATCH", by("one"), config({"a": "1", "b": "2", "c": "3"}), kind=APPLY)
        shared = await http("PATCH", by("two"), config({"b": "2", "d": "4"}), kind=APPLY)
        assert shared.value["data"] == {"a": "1", "b": "2", "c": "3", "d": "4"}  # the same value is no conflict
        left = await http("PATCH", by("one"), config({"a": "1"}), kind=APPLY)
        assert left.value["data"] == {"a": "1", "b": "2", "d": "4"}
        none = await http("PATCH", by("two"), config(), kind=APPLY)
        assert none.value["data"] == {"a": "1"}
        assert owners(none.value) == {("one", "Apply"): {"f:data": {"f:a": {}}}, ("two", "Apply"): {"f:data": {}}}

    serving(scenario)


def test_a_field_of_another_owner_is_a_conflict_unless_it_is_forced(serving):
    async def scenario(http) -> None:
        await http("PATCH", by("one"), config({"a": "1", "b": "2"}), kind=APPLY)
        refused = await http("PATCH", by("two"), config({"a": "9"}), kind=APPLY)
        assert (refused.code, refused.value["reason"]) == (409, "Conflict")
        assert refused.message == 'Apply failed with 1 conflict: conflict with "one": .data.a'
        (cause,) = refused.value["details"]["causes"]
        assert cause == {"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": ".data.a"}
        both = await http("PATCH", by("two"), config({"a": "9", "b": "9"}), kind=APPLY)
        assert both.message == 'Apply failed with 2 conflicts: conflicts with "one":\n- .data.a\n- .data.b'
        taken = await http("PATCH", by("two", force=True), config({"a": "9"}), kind=APPLY)
        assert taken.value["data"] == {"a": "9", "b": "2"}
        assert owners(taken.value) == {
            ("one", "Apply"): {"f:data": {"f:b": {}}},
            ("two", "Apply"): {"f:data": {"f:a": {}}},
        }

    serving(scenario)


def test_other_writes_own_what_they_change(serving):
    async def scenario(http) -> None:
        await http("PATCH", by("one"), config({"a": "1", "b": "2"}), kind=APPLY)
        patched = await http("PATCH", by("editor"), {"data": {"a": "7", "n": "8"}}, kind=MERGE)
        assert owners(patched.value) == {
            ("one", "Apply"): {"f:data": {"f:b": {}}},
            ("editor", "Update"): {"f:data": {"f:a": {}, "f:n": {}}},
        }
        refused = await http("PATCH", by("one"), config({"a": "1"}), kind=APPLY)
        assert 'conflict with "editor" using v1 at ' in refused.message
        gone = await http("PATCH", by("editor"), {"data": {"a": None, "n": None}}, kind=MERGE)
        assert owners(gone.value) == {("one", "Apply"): {"f:data": {"f:b": {}}}}

    serving(scenario)


def test_what_was_there_before_the_first_apply_has_an_owner(serving):
    async def scenario(http) -> None:
        await http("POST", CONFIGMAPS, config({"a": "1", "b": "2"}))
        refused = await http("PATCH", by("one"), config({"a": "9"}), kind=APPLY)
        assert 'conflict with "before-first-apply" using v1 at ' in refused.message
        assert "managedFields" not in (await http("GET", CONFIGMAPS + "/c")).value["metadata"]
        same = await http("PATCH", by("one"), config({"a": "1"}), kind=APPLY)
        assert owners(same.value)["before-first-apply", "Update"] == {"f:data": {"f:a": {}, "f:b": {}}}

    serving(scenario)


def test_what_kubectl_applied_on_its_own_side_it_may_change_by_the_server_s(serving):
    last = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(config({"a": "1", "b": "2"}))}

    async def scenario(http) -> None:
        await http("POST", CONFIGMAPS, config({"a": "1", "b": "2"}, annotations=last))
        refused = await http("PATCH", by("other"), config({"a": "3"}), kind=APPLY)
        assert refused.code == 409
        applied = await http("PATCH", by("kubectl"), config({"a": "3"}), kind=APPLY)
        assert (applied.code, applied.value["data"]) == (200, {"a": "3", "b": "2"})
        noted = json.loads(next(iter(applied.value["metadata"]["annotations"].values())))
        assert noted["data"] == {"a": "3"}
        await http("PATCH", by("editor"), {"data": {"b": "5"}}, kind=MERGE)
        assert (await http("PATCH", by("kubectl"), config({"b": "6"}), kind=APPLY)).code == 409

    serving(scenario)


def test_lists_that_merge_have_owners_for_each_item(serving):
    def pod(*names: str, **more: Any) -> dict[str, Any]:
        containers = [{"name": name, "image": "i", **more} for name in names]
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": containers}}

    async def scenario(http) -> None:
        place = PODS + "/p?fieldManager=one"
        made = await http("PATCH", place, pod("x", "y"), kind=APPLY)
        item = {".": {}, "f:image": {}, "f:name": {}}
        wanted = {f'k:{{"name":"{name}"}}': item for name in "xy"}
        assert owners(made.value) == {("one", "Apply"): {"f:spec": {"f:containers": wanted}}}
        other = await http("PATCH", PODS + "/p?fieldManager=two", pod("x", image="j"), kind=APPLY)
        assert other.message.endswith('conflict with "one": .spec.containers[name="x"].image')

    serving(scenario)


def test_finalizers_are_owned_one_by_one(serving):
    async def scenario(http) -> None:
        await http("PATCH", by("one"), config({}, finalizers=["x/a"]), kind=APPLY)
        both = await http("PATCH", by("two"), config({}, finalizers=["x/b"]), kind=APPLY)
        assert sorted(both.value["metadata"]["finalizers"]) == ["x/a", "x/b"]
        assert owners(both.value)["two", "Apply"]["f:metadata"] == {"f:finalizers": {'v:"x/b"': {}}}
        left = await http("PATCH", by("two"), config(), kind=APPLY)
        assert left.value["metadata"]["finalizers"] == ["x/a"]

    serving(scenario)


def test_workflows_are_applied_and_their_steps_own_nothing(serving):
    def workflow(**spec: Any) -> dict[str, Any]:
        meta = {"name": "w"}
        return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": meta, "spec": spec}

    async def scenario(http) -> None:
        place = WORKFLOWS + "/w?fieldManager="
        made = await http("PATCH", place + "one", workflow(entrypoint="a", templates=[{"name": "a"}]), kind=APPLY)
        assert owners(made.value) == {("one", "Apply"): {"f:spec": {"f:entrypoint": {}, "f:templates": {}}}}
        running = {"phase": "Running", "nodes": {"w": {"id": "w"}}}
        ran = await http("PATCH", place + "c", {"status": running}, kind=MERGE)
        assert owners(ran.value)["c", "Update"] == {"f:status": {"f:phase": {}}}
        stopped = await http("PATCH", place + "user", {"spec": {"shutdown": "Stop"}}, kind=MERGE)
        assert owners(stopped.value)["user", "Update"] == {"f:spec": {"f:shutdown": {}}}
        left = await http("PATCH", place + "one", workflow(entrypoint="a"), kind=APPLY)
        assert left.value["spec"] == {"entrypoint": "a", "shutdown": "Stop"}
        assert left.value["status"] == running

    serving(scenario)


def test_the_owners_can_be_given_back_and_forgotten(serving):
    async def scenario(http) -> None:
        made = (await http("PATCH", by("one"), config({"a": "1"}), kind=APPLY)).value
        replaced = await http("PUT", CONFIGMAPS + "/c", {**made, "data": {"a": "1"}})
        assert owners(replaced.value) == owners(made)
        renamed = [{**made["metadata"]["managedFields"][0], "manager": "other"}]
        patch = [{"op": "replace", "path": "/metadata/managedFields", "value": renamed}]
        moved = await http("PATCH", CONFIGMAPS + "/c", patch, kind=JSON_PATCH)
        assert owners(moved.value) == {("other", "Apply"): {"f:data": {"f:a": {}}}}
        bad = [{"op": "replace", "path": "/metadata/managedFields", "value": [{"operation": "Apply", "fieldsV1": 1}]}]
        refused = await http("PATCH", CONFIGMAPS + "/c", bad, kind=JSON_PATCH)
        assert (refused.code, "metadata.managedFields" in refused.message) == (422, True)
        patch[0]["value"] = [{}]
        forgotten = await http("PATCH", CONFIGMAPS + "/c", patch, kind=JSON_PATCH)
        assert "managedFields" not in forgotten.value["metadata"]

    serving(scenario)


def test_a_dry_run_of_an_apply_leaves_nothing(serving):
    async def scenario(http) -> None:
        made = await http("PATCH", by("one") + "&dryRun=All", config({"a": "1"}), kind=APPLY)
        assert (made.code, made.value["data"]) == (201, {"a": "1"})
        assert (await http("GET", CONFIGMAPS + "/c")).code == 404

    serving(scenario)


@pytest.mark.parametrize(
    ("query", "body", "code", "says"),
    [
        ("", config(), 422, "fieldManager: Required value: is required for apply patch"),
        ("?fieldManager=m", {"metadata": {"name": "c"}}, 400, "names its apiVersion"),
        ("?fieldManager=m", {"apiVersion": "v1", "kind": "Pod"}, 400, "does not match the expected API version"),
        ("?fieldManager=m", config(managedFields=[{}]), 400, "metadata.managedFields must be nil"),
        ("?fieldManager=m", config(uid="u"), 409, "no existing object was found"),
        ("?fieldManager=m", {**config(), "metadata": {"name": "d"}}, 400, "does not match the name on the URL"),
        ("?fieldManager=m", [], 400, "is an object with metadata"),
        ("?fieldManager=m", {**config(), "data": {"a": 1}}, 400, "cannot be handled as a ConfigMap"),
        ("?fieldManager=m&fieldValidation=Strict", {**config(), "dota": {}}, 400, 'unknown field "dota"'),
    ],
)
def test_an_apply_that_makes_no_sense_is_refused(serving, query, body, code, says):
    async def scenario(http) -> None:
        answer = await http("PATCH", f"{CONFIGMAPS}/c{query}", body, kind=APPLY)
        assert answer.code == code, answer.message
        assert says in answer.message
        assert (await http("GET", CONFIGMAPS + "/c")).code == 404

    serving(scenario)


def test_force_is_for_applies_only(serving):
    async def scenario(http) -> None:
        answer = await http("PATCH", CONFIGMAPS + "/c?force=true", {}, kind=MERGE)
        assert (answer.code, "may not be specified for non-apply patch" in answer.message) == (422, True)

    serving(scenario)
