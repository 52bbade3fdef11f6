"""Events in the words of core/v1 and of events.k8s.io/v1: the same objects, two ways to read and write them."""

import pytest

CORE, NEW = "/api/v1/namespaces/ns/events", "/apis/events.k8s.io/v1/namespaces/ns/events"
MERGE = "application/merge-patch+json"
OLD = {
    "metadata": {"name": "old"},
    "involvedObject": {"kind": "Pod", "namespace": "ns", "name": "p"},
    "reason": "Pulled",
    "message": "it was there",
    "type": "Normal",
    "count": 2,
    "firstTimestamp": "2026-01-01T00:00:00Z",
    "lastTimestamp": "2026-01-01T00:00:01Z",
    "source": {"component": "kubelet"},
    "reportingComponent": "kubelet",
}
RECORDED = {
    "metadata": {"name": "recorded"},
    "eventTime": "2026-01-01T00:00:00.000001Z",
    "regarding": {"kind": "Pod", "namespace": "ns", "name": "q"},
    "reason": "Seen",
    "action": "Looking",
    "note": "a note",
    "type": "Warning",
    "reportingController": "example.com/looker",
    "reportingInstance": "looker-1",
}


def test_an_event_of_either_version_is_read_in_the_other(serving):
    async def scenario(http) -> None:
        assert (await http("POST", CORE, OLD)).code == 201
        made = await http("POST", NEW, RECORDED)
        assert (made.code, made.value["apiVersion"], made.value["note"]) == (201, "events.k8s.io/v1", "a note")
        new = (await http("GET", NEW + "/old")).value
        assert (new["apiVersion"], new["kind"], new["note"]) == ("events.k8s.io/v1", "Event", OLD["message"])
        assert (new["regarding"], new["reportingController"]) == (OLD["involvedObject"], "kubelet")
        assert (new["deprecatedCount"], new["deprecatedSource"]) == (2, OLD["source"])
        assert new["deprecatedFirstTimestamp"] == OLD["firstTimestamp"]
        assert new["deprecatedLastTimestamp"] == OLD["lastTimestamp"]
        assert new["eventTime"] is None
        assert not {"involvedObject", "message", "count", "source"} & new.keys()
        core = (await http("GET", CORE + "/recorded")).value
        assert (core["apiVersion"], core["message"]) == ("v1", "a note")
        assert (core["involvedObject"], core["reportingComponent"]) == (RECORDED["regarding"], "example.com/looker")
        assert not {"regarding", "note", "reportingController"} & core.keys()
        listed = (await http("GET", NEW)).value
        assert (listed["kind"], [one["metadata"]["name"] for one in listed["items"]]) == (
            "EventList",
            ["old", "recorded"],
        )
        assert {one["apiVersion"] for one in listed["items"]} == {"events.k8s.io/v1"}

    serving(scenario)


def test_a_series_is_patched_in_the_words_of_its_version_and_what_happened_stays(serving):
    async def scenario(http) -> None:
        await http("POST", NEW, RECORDED)
        series = {"count": 2, "lastObservedTime": "2026-01-01T00:00:02.000000Z"}
        patched = await http("PATCH", NEW + "/recorded", {"series": series}, kind=MERGE)
        assert (patched.code, patched.value["series"]) == (200, series)
        assert (await http("GET", CORE + "/recorded")).value["series"] == series
        refused = await http("PATCH", NEW + "/recorded", {"note": "another"}, kind=MERGE)
        assert refused.code == 422
        assert "note: Invalid value" in refused.message
        assert "field is immutable" in refused.message
        # core/v1 takes it: client-go's older recorder counts in place.
        assert (await http("PATCH", CORE + "/recorded", {"count": 3}, kind=MERGE)).code == 200
        assert (await http("GET", NEW + "/recorded")).value["deprecatedCount"] == 3

    serving(scenario)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"eventTime": None}, "eventTime: Required value"),
        ({"type": "Odd"}, "type: Invalid value: has invalid value: Odd"),
        ({"action": ""}, "action: Required value"),
        ({"reportingController": ""}, "reportingController: Required value"),
        (
            {"reportingController": "a looker"},
            'reportingController: Invalid value: "a looker": name part must consist of',
        ),
        ({"deprecatedCount": 1}, "deprecatedCount: Invalid value: needs to be unset"),
        ({"series": {"count": 1}}, "series.count: Invalid value: should be at least 2"),
        ({"note": "x" * 1025}, "note: Invalid value: can have at most 1024 characters"),
        ({"regarding": {"namespace": "other"}}, 'regarding.namespace: Invalid value: "other": does not match'),
    ],
)
def test_the_newer_version_says_what_an_event_lacks(serving, change, says):
    async def scenario(http) -> None:
        refused = await http("POST", NEW, {**RECORDED, **change})
        assert refused.code == 422
        assert says in refused.message.replace('Invalid value: "": ', "Invalid value: ")

    serving(scenario)


MOMENT = "2026-01-01T00:00:00.000001Z"


@pytest.mark.parametrize(
    ("path", "event", "field"),
    [
        (NEW, {**RECORDED, "eventTime": "yesterday"}, "eventTime"),
        (NEW, {**RECORDED, "eventTime": "2026-01-01T00:00:00Z"}, "eventTime"),
        (NEW, {**RECORDED, "eventTime": "2026-02-30T00:00:00.000000Z"}, "eventTime"),
        (NEW, {**RECORDED, "eventTime": "2026-01-01 00:00:00.000000Z"}, "eventTime"),
        (NEW, {**RECORDED, "series": {"count": 2, "lastObservedTime": MOMENT[:-1]}}, "series.lastObservedTime"),
        (CORE, {**OLD, "firstTimestamp": "soon"}, "firstTimestamp"),
        (CORE, {**OLD, "lastTimestamp": ""}, "lastTimestamp"),
        (CORE, {**OLD, "eventTime": "0001-01-01T00:00:00.000000+01:00"}, "eventTime"),
    ],
)
def test_a_moment_that_clients_in_go_could_not_read_is_refused(serving, path, event, field):
    async def scenario(http) -> None:
        refused = await http("POST", path, event)
        assert refused.code == 400
        assert refused.message.endswith(f"at `$.{field}`")
        assert (await http("GET", CORE)).value["items"] == []

    serving(scenario)


@pytest.mark.parametrize("field", ["acquireTime", "renewTime"])
def test_so_is_one_of_a_lease(serving, field):
    async def scenario(http) -> None:
        leases = "/apis/coordination.k8s.io/v1/namespaces/ns/leases"
        refused = await http("POST", leases, {"metadata": {"name": "mine"}, "spec": {field: "2026-01-01T00:00:00Z"}})
        assert (refused.code, f"`$.spec.{field}`" in refused.message) == (400, True)
        assert (await http("POST", leases, {"metadata": {"name": "mine"}, "spec": {field: MOMENT}})).code == 201

    serving(scenario)


def test_a_field_of_the_other_version_is_told_and_not_kept(serving):
    async def scenario(http) -> None:
        made = await http("POST", NEW, {**RECORDED, "message": "old word"})
        assert made.header("warning") == ['299 - "unknown field \\"message\\""']
        assert (await http("GET", CORE + "/recorded")).value["message"] == "a note"
        body = {**RECORDED, "metadata": {"name": "another"}, "message": "old word"}
        strict = await http("POST", NEW + "?fieldValidation=Strict", body)
        assert strict.code == 400
        assert 'unknown field "message"' in strict.message

    serving(scenario)


def test_events_are_watched_selected_and_tabled_in_the_words_asked_for(serving):
    async def scenario(http) -> None:
        await http("POST", NEW, RECORDED)
        async with http.stream(f"{NEW}?watch=1&fieldSelector=regarding.kind%3DPod,reportingController%3Dkubelet") as it:
            await http("POST", CORE, OLD)
            event = await it.line()
            assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "old")
            assert event["object"]["note"] == OLD["message"]
        async with http.stream(f"{CORE}?watch=1&fieldSelector=involvedObject.name%3Dq") as it:
            assert (await it.line())["object"]["message"] == "a note"
        refused = await http("GET", f"{NEW}?fieldSelector=involvedObject.kind%3DPod")
        assert "field label not supported: involvedObject.kind" in refused.message
        accept = {"accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
        table = (await http("GET", NEW + "/recorded?includeObject=Object", headers=accept)).value
        assert "a note" in table["rows"][0]["cells"]
        assert table["rows"][0]["object"]["note"] == "a note"

    serving(scenario)


def test_owners_of_fields_are_told_in_the_words_of_the_version(serving):
    apply = "application/apply-patch+yaml"

    async def scenario(http) -> None:
        body = {**RECORDED, "apiVersion": "events.k8s.io/v1", "kind": "Event"}
        made = await http("PATCH", NEW + "/recorded?fieldManager=me", body, kind=apply)
        assert made.code == 201
        assert "f:note" in made.value["metadata"]["managedFields"][0]["fieldsV1"]
        (owner,) = (await http("GET", CORE + "/recorded")).value["metadata"]["managedFields"]
        assert (owner["apiVersion"], "f:message" in owner["fieldsV1"], "f:note" in owner["fieldsV1"]) == (
            "v1",
            True,
            False,
        )
        conflict = await http("PATCH", NEW + "/recorded?fieldManager=you", {**body, "note": "other"}, kind=apply)
        assert (conflict.code, ".note" in conflict.message) == (409, True)

    serving(scenario)


def test_rights_are_asked_for_by_the_group_of_the_path(serving):
    async def scenario(http) -> None:
        rule = {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["list"]}
        rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/ns"
        await http("POST", f"{rbac}/roles", {"metadata": {"name": "r"}, "rules": [rule]})
        binding = {"metadata": {"name": "r"}, "roleRef": {"kind": "Role", "name": "r"}}
        binding["subjects"] = [{"kind": "ServiceAccount", "name": "default", "namespace": "ns"}]
        await http("POST", f"{rbac}/rolebindings", binding)
        asked = await http("POST", "/api/v1/namespaces/ns/serviceaccounts/default/token", {"spec": {}})
        token = asked.value["status"]["token"]
        assert (await http("GET", NEW, token=token)).code == 200
        assert (await http("GET", CORE, token=token)).code == 403

    serving(scenario)
