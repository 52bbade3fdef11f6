"""What clients may send that makes no sense, and what they are told: a Status, never a mistake of the server's."""

import asyncio

import pytest

from tiphys.kit import yaml
from tiphys.kit.codec import decode
from tiphys.kube.objects.resources import RESOURCES
from tiphys.kube.server.answers import PIECE, Answers, reply
from tiphys.kube.server.requests import BODY_LIMIT

CONFIGMAPS = "/api/v1/namespaces/ns/configmaps"
WORKFLOWS = "/apis/argoproj.io/v1alpha1/namespaces/ns/workflows"
MERGE = "application/merge-patch+json"


def nested(depth: int) -> bytes:
    return b'{"metadata":{"name":"deep"},"data":' + b'{"a":' * depth + b"1" + b"}" * (depth + 1)


DEEP = b'{"metadata":{"name":"deep"},"data":' + b'{"a":' * 100_000


@pytest.mark.parametrize(
    ("body", "kind", "code", "says"),
    [
        (b"{", "application/json", 400, "cannot be read"),
        (b'{"a": 1e400}', "application/json", 400, "1e400 is too large a number"),
        (b"", "application/json", 400, "cannot be read"),
        (b"[]", "application/json", 400, "not an object"),
        (b"null", "application/json", 400, "not an object"),
        (b'"x"', "application/json", 400, "not an object"),
        (b'{"metadata": "x"}', "application/json", 400, "metadata of the object is not an object"),
        (b'{"metadata": {"name": 1}}', "application/json", 400, "metadata.name of type string"),
        (b'{"metadata": {"name": "x", "finalizers": [{}]}}', "application/json", 400, "metadata.finalizers"),
        (b'{"metadata": {"name": "x", "ownerReferences": [1]}}', "application/json", 400, "metadata.ownerReferences"),
        (b'{"metadata": {"name": "x"}, "data": []}', "application/json", 400, "cannot be handled as a ConfigMap"),
        (b'{"metadata": {"name": "x"}, "data": {"a": 1}}', "application/json", 400, "cannot be handled as a ConfigMap"),
        (b'{"metadata": {"name": "../x"}}', "application/json", 422, 'Invalid value: "../x"'),
        (b'{"metadata": {"name": "X"}}', "application/json", 422, "RFC 1123 subdomain"),
        (b'{"metadata": {}}', "application/json", 422, "name or generateName is required"),
        (b'{"metadata": {"name": "x", "namespace": "other"}}', "application/json", 400, "does not match the namespace"),
        (b'{"kind": "Secret", "metadata": {"name": "x"}}', "application/json", 400, "does not match the expected"),
        (b'{"metadata": {"name": "x", "labels": {"a b": "c"}}}', "application/json", 422, "metadata.labels"),
        (b"\xff\xfe", "application/json", 400, "cannot be read"),
        (DEEP, "application/json", 400, "cannot be read"),
        (b"[" * 200_000, "application/json", 400, "cannot be read"),
        (nested(300), "application/json", 400, "nested more than 256 deep"),
        (nested(300), "application/yaml", 400, "nested more than 256 deep"),
        (nested(900), "application/json", 400, "nested more than 256 deep"),
        (b"a: &a [*a]", "application/yaml", 400, "excessive aliasing"),
        (b"a: !!python/object/apply:os.system [x]", "application/yaml", 400, "cannot be read"),
        (b"k8s\0", "application/vnd.kubernetes.protobuf", 400, "protobuf"),
        (b"k8s\0\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "application/vnd.kubernetes.protobuf", 400, "protobuf"),
        (b"{}", "application/cbor", 415, "accepted media types include: application/json"),
        (b'{"data":"' + b"x" * BODY_LIMIT + b'"}', "application/json", 413, "limit is 3145728"),
    ],
)
def test_a_body_that_makes_no_sense(serving, body, kind, code, says):
    async def scenario(http) -> None:
        answer = await http("POST", CONFIGMAPS, body, kind=kind)
        assert (answer.code, answer.value["kind"]) == (code, "Status"), answer.body[:300]
        assert says in answer.message

    serving(scenario)


@pytest.mark.parametrize(
    ("query", "code", "says"),
    [
        ("labelSelector=((", 400, "unable to parse"),
        ("labelSelector=a%20in%20(b", 400, "unable to parse"),
        ("fieldSelector=metadata.name", 400, "invalid selector"),
        ("limit=x", 400, "limit: Invalid value"),
        ("limit=-1", 400, "limit: Invalid value"),
        ("limit=99999999999999999999", 400, "limit: Invalid value"),
        ("limit=1&continue=zzz", 400, "continue key is not valid"),
        ("limit=1&continue=eyJ2IjoxfQ", 400, "continue key is not valid"),
        ("limit=1&continue=%00%ff", 400, "continue key is not valid"),
        ("resourceVersion=x", 400, "resourceVersion: Invalid value"),
        ("resourceVersion=99999999999", 504, "Too large resource version"),
        ("resourceVersionMatch=Exact", 422, "forbidden unless resourceVersion is provided"),
        ("watch=1&resourceVersion=-1", 400, "resourceVersion: Invalid value"),
        ("watch=1&timeoutSeconds=soon", 400, "timeoutSeconds: Invalid value"),
        ("watch=1&fieldSelector=x", 400, "invalid selector"),
        ("dryRun=yes", 422, 'supported values: "All"'),
        ("includeObject=All", 400, "invalid includeObject"),
    ],
)
def test_a_query_that_makes_no_sense(serving, query, code, says):
    async def scenario(http) -> None:
        answer = await http("GET", f"{CONFIGMAPS}?{query}")
        assert answer.code == code, answer.body[:300]
        assert says in answer.message

    serving(scenario)


@pytest.mark.parametrize(
    "path",
    [
        "/readyz/nothing",
        "/api/v2",
        "/apis/apps/v1",
        "/api/v1/nodes",
        "/api/v1//pods",
        "/api/v1/namespaces//pods",
        "/api/v1/namespaces/ns/pods/",
        "/api/v1/namespaces/ns/pods/p/exec",
        "/api/v1/namespaces/ns/pods/p/log/x",
        "/api/v1/namespaces/ns/../../secrets",
        "/apis/argoproj.io/v1alpha1/namespaces/ns/workflows/a%2F..%2Fb",
        "/api/v1/configmaps/x",
        "/api/v1/namespaces/ns/namespaces/ns",
        "/openapi/v3/../../etc/passwd",
        "/%ff%fe",
    ],
)
def test_a_path_that_leads_nowhere(serving, path):
    async def scenario(http) -> None:
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            body = {} if method in ("POST", "PUT", "PATCH") else None
            answer = await http(method, path, body, kind=MERGE if method == "PATCH" else "application/json")
            assert answer.code in (404, 405, 422) or path.endswith("pods/"), (method, answer.body)
            assert answer.code < 500

    serving(scenario)


def test_a_method_that_a_path_does_not_take(serving):
    async def scenario(http) -> None:
        for method, path in (
            ("POST", CONFIGMAPS + "/kube-root-ca.crt"),
            ("PUT", CONFIGMAPS),
            ("PATCH", CONFIGMAPS),
            ("OPTIONS", CONFIGMAPS),
            ("POST", "/version"),
            ("GET", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"),
            ("DELETE", "/api/v1/namespaces/ns/pods/p/status"),
            ("PATCH", "/api/v1/namespaces/ns/serviceaccounts/default/token"),
        ):
            answer = await http(method, path, {}, kind=MERGE if method == "PATCH" else "application/json")
            assert (answer.code, answer.value["reason"]) == (405, "MethodNotAllowed"), (method, path, answer.body)

    serving(scenario)


def test_patches_that_make_no_sense(serving):
    cases = (
        (MERGE, [], 400),
        (MERGE, {"metadata": 1}, 400),
        (MERGE, {"metadata": {"uid": "other"}}, 409),
        (MERGE, {"metadata": {"resourceVersion": "1"}}, 409),
        (MERGE, {"metadata": {"name": "other"}}, 400),
        ("application/json-patch+json", {}, 400),
        ("application/json-patch+json", [{"op": "fly", "path": "/data"}], 400),
        ("application/json-patch+json", [{"op": "remove", "path": "/nope"}], 422),
        ("application/json-patch+json", [{"op": "test", "path": "/data/a", "value": "z"}], 422),
        ("application/json-patch+json", [{"op": "replace", "path": "", "value": 1}], 400),
        ("application/strategic-merge-patch+json", {"metadata": {"finalizers": [{}]}}, 400),
        ("application/apply-patch+cbor", {"data": {}}, 415),
        ("text/plain", {}, 415),
    )

    async def scenario(http) -> None:
        before = (await http("POST", CONFIGMAPS, {"metadata": {"name": "c"}, "data": {"a": "b"}})).value
        for kind, body, code in cases:
            answer = await http("PATCH", CONFIGMAPS + "/c", body, kind=kind)
            assert answer.code == code, (kind, body, answer.body)
        assert (await http("GET", CONFIGMAPS + "/c")).value == before

    serving(scenario)


def test_a_patch_as_deep_as_may_be(serving):
    async def scenario(http) -> None:
        await http("POST", WORKFLOWS, {"metadata": {"name": "w"}, "spec": {}})
        for kind in (MERGE, "application/json-patch+json"):
            body: object = 1
            for _ in range(240):
                body = {"a": body}
            patch = {"spec": body} if kind == MERGE else [{"op": "add", "path": "/spec/b", "value": body}]
            assert (await http("PATCH", WORKFLOWS + "/w", patch, kind=kind)).code == 200

    serving(scenario)


@pytest.mark.parametrize(
    ("kind", "opened"),
    [("application/json", '{"metadata": {"name": "w"}, '), ("application/yaml", "{metadata: {name: w}, ")],
)
def test_a_number_comes_back_as_clients_in_go_can_read_it(serving, kind, opened):
    sent = opened + '"spec": {"a": 1.0, "b": [1e3, -2.0E2], "c": 1.5, "d": 1e20, "e": 9007199254740993.0, "f": 1e21}}'
    kept = b'"spec":{"a":1,"b":[1000,-200],"c":1.5,"d":100000000000000000000,"e":9007199254740992,"f":1e21'

    async def scenario(http) -> None:
        assert (await http("POST", WORKFLOWS, sent.encode(), kind=kind)).code == 201
        assert kept in (await http("GET", WORKFLOWS + "/w")).body
        patched = await http("PATCH", WORKFLOWS + "/w", b'{"spec": {"a": 2.0}}', kind=MERGE)
        assert b'"spec":{"a":2,' in patched.body

    serving(scenario)


def test_others_have_their_turn_between_the_pieces_of_a_long_answer():
    async def main() -> list[str]:
        done: list[str] = []

        async def send(message) -> None:
            done.append("piece" if message["type"] == "http.response.body" else "head")

        async def other() -> None:
            done.append("other")

        waiting = asyncio.create_task(other())
        await reply(send, 200, (bytes(PIECE) for _ in range(5)))
        await waiting
        return done

    assert asyncio.run(main()) == ["head", "piece", "other", *["piece"] * 4]


def test_a_watch_is_json_and_nothing_else(serving):
    async def scenario(http) -> None:
        refused = await http("GET", CONFIGMAPS + "?watch=1", headers={"accept": "application/yaml"})
        assert (refused.code, refused.message.endswith("are accepted: application/json")) == (406, True)
        several = {"accept": "application/yaml, application/json"}
        watched = await http("GET", CONFIGMAPS + "?watch=1&timeoutSeconds=1", headers=several)
        assert (watched.code, watched.header("content-type")) == (200, ["application/json"])

    serving(scenario)


def test_a_form_of_answer_that_is_not_made(serving):
    async def scenario(http) -> None:
        answer = await http("GET", CONFIGMAPS, headers={"accept": "text/html"})
        assert (answer.code, answer.value["reason"]) == (406, "NotAcceptable")
        several = {"accept": "application/vnd.kubernetes.protobuf, application/json;as=Table;v=v1;g=meta.k8s.io"}
        assert (await http("GET", CONFIGMAPS, headers=several)).value["kind"] == "Table"
        answer = await http("GET", CONFIGMAPS, headers={"accept": "application/yaml"})
        assert answer.body.startswith(b"apiVersion: v1\n")
        only = {"accept": "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"}
        shown = (await http("GET", "/api/v1/namespaces", headers=only)).value
        assert shown["kind"] == "PartialObjectMetadataList"
        assert set(shown["items"][0]) == {"kind", "apiVersion", "metadata"}

    serving(scenario)


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda r: r.qualified)
def test_every_kind_takes_what_is_absurd_without_failing(serving, resource):
    place = f"/apis/{resource.group}/{resource.version}" if resource.group else "/api/v1"
    path = f"{place}/{'namespaces/ns/' if resource.namespaced else ''}{resource.plural}"
    junk = [None, 1, "x", [], {}, [None], [{}], {"a": None}, {"a": {"b": [[]]}}]
    tables = {"accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}

    async def scenario(http) -> None:
        for index, value in enumerate(junk):
            for field in ("spec", "status", "data", "rules", "subjects", "roleRef", "involvedObject", "lastTimestamp"):
                body = {"metadata": {"name": f"o{index}"}, "spec": {}, field: value}
                for method, where, kind in (
                    ("POST", path, "application/json"),
                    ("PATCH", f"{path}/o{index}", MERGE),
                    ("PUT", f"{path}/o{index}", "application/json"),
                ):
                    answer = await http(method, where, body, kind=kind)
                    assert answer.code < 500, (method, body, answer.body)
        if resource.stored:
            assert (await http("GET", path, headers=tables)).code == 200
            if "deletecollection" in resource.verbs:
                assert (await http("DELETE", path)).code == 200

    serving(scenario)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("fieldSelector=data.a%3Db", "field label not supported: data.a (configmaps are selected by metadata.name, "),
        ("fieldSelector=status.phase%3DRunning&watch=1", "field label not supported: status.phase"),
        ("sendInitialEvents=true", "sendInitialEvents is forbidden for list"),
        ("watch=1&sendInitialEvents=true", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"),
        ("watch=1&resourceVersionMatch=NotOlderThan", "resourceVersionMatch is forbidden for watch unless"),
    ],
)
def test_what_a_list_or_watch_is_not_asked_for_is_refused(serving, query, says):
    async def scenario(http) -> None:
        answer = await http("GET", f"{CONFIGMAPS}?{query}")
        assert answer.code in (400, 422)
        assert says in answer.message

    serving(scenario)


def test_events_are_selected_by_their_source(serving):
    async def scenario(http) -> None:
        events = "/api/v1/namespaces/ns/events"
        about = {"kind": "Pod", "namespace": "ns", "name": "p"}
        for name in ("a", "b"):
            body = {"metadata": {"name": name}, "involvedObject": about, "source": {"component": name}}
            assert (await http("POST", events, body)).code == 201
        found = (await http("GET", f"{events}?fieldSelector=source%3Db,involvedObject.name%3Dp")).value["items"]
        assert [item["metadata"]["name"] for item in found] == ["b"]

    serving(scenario)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"propagationPolicy": "Sideways"}, 'supported values: "Background", "Foreground", "Orphan"'),
        ({"propagationPolicy": "Orphan", "orphanDependents": True}, "cannot be both set"),
        ({"dryRun": ["Some"]}, 'supported values: "All"'),
    ],
)
def test_delete_options_that_do_not_exist_delete_nothing(serving, body, says):
    async def scenario(http) -> None:
        await http("POST", CONFIGMAPS, {"metadata": {"name": "c"}})
        answer = await http("DELETE", CONFIGMAPS + "/c", body)
        assert (answer.code, answer.value["reason"]) == (422, "Invalid")
        assert says in answer.message
        assert (await http("GET", CONFIGMAPS + "/c")).code == 200

    serving(scenario)


def test_a_field_that_is_there_twice_is_told_or_refused(serving):
    body = b'{"metadata":{"name":"NAME"},"data":{"a":"1","b":"x","a":"2"}}'

    async def scenario(http) -> None:
        warned = await http("POST", CONFIGMAPS, body.replace(b"NAME", b"warned"))
        assert (warned.code, warned.value["data"]["a"]) == (201, "2")
        assert ("warning", '299 - "duplicate field \\"data.a\\""') in warned.headers
        quiet = await http("POST", CONFIGMAPS + "?fieldValidation=Ignore", body.replace(b"NAME", b"quiet"))
        assert "warning" not in dict(quiet.headers)
        strict = await http("POST", CONFIGMAPS + "?fieldValidation=Strict", body.replace(b"NAME", b"strict"))
        assert (strict.code, strict.value["reason"]) == (400, "BadRequest")
        assert 'strict decoding error: duplicate field "data.a"' in strict.message
        patch = b'{"data":{"a":"3","a":"4"}}'
        patched = await http("PATCH", CONFIGMAPS + "/warned?fieldValidation=Strict", patch, kind=MERGE)
        assert (patched.code, patched.value["reason"]) == (422, "Invalid")
        assert (await http("GET", CONFIGMAPS + "/warned")).value["data"]["a"] == "2"

    serving(scenario)


@pytest.mark.parametrize("change", [{"kind": "Secret"}, {"apiVersion": "v2"}, {"apiVersion": "apps/v1"}])
@pytest.mark.parametrize("kind", [MERGE, "application/strategic-merge-patch+json"])
def test_no_patch_makes_another_kind_of_an_object(serving, change, kind):
    async def scenario(http) -> None:
        await http("POST", CONFIGMAPS, {"metadata": {"name": "c"}})
        answer = await http("PATCH", CONFIGMAPS + "/c", change, kind=kind)
        assert (answer.code, answer.value["reason"]) == (400, "BadRequest")
        assert "does not match the expected API version (v1, Kind=ConfigMap)" in answer.message

    serving(scenario)


def test_a_label_or_annotation_of_null_is_an_empty_one(serving):
    async def scenario(http) -> None:
        body = {"metadata": {"name": "c", "labels": {"a": None}, "annotations": {"b": None, "c": "d"}}}
        made = await http("POST", CONFIGMAPS, body)
        assert (made.code, made.value["metadata"]["labels"]) == (201, {"a": ""})
        assert made.value["metadata"]["annotations"] == {"b": "", "c": "d"}
        assert len((await http("GET", CONFIGMAPS + "?labelSelector=a%3D")).value["items"]) == 1

    serving(scenario)


def test_a_field_manager_is_short(serving):
    async def scenario(http) -> None:
        refused = await http("POST", f"{CONFIGMAPS}?fieldManager={'x' * 129}", {"metadata": {"name": "c"}})
        assert refused.code == 422
        assert "fieldManager: Too long: may not be more than 128 bytes" in refused.message

    serving(scenario)


def test_a_list_is_made_as_its_client_takes_it(serving):
    async def scenario(http) -> None:
        names = [f"c{n:02}" for n in range(40)]
        for name in names:
            await http("POST", CONFIGMAPS, {"metadata": {"name": name}, "data": {"a": "x" * 20_000}})
        for accept in ("application/json", "application/yaml"):
            listed = await http("GET", CONFIGMAPS, headers={"accept": accept})
            value = decode(listed.body) if "json" in accept else yaml.load(listed.body)
            assert [item["metadata"]["name"] for item in value["items"]] == names
        small = await http("GET", CONFIGMAPS + "?limit=1")
        assert small.header("content-length") == [str(len(small.body))]
        empty = (await http("GET", CONFIGMAPS + "?labelSelector=none")).value
        assert (empty["kind"], empty["items"]) == ("ConfigMapList", [])

    serving(scenario)


def test_of_a_list_that_nobody_takes_little_is_made(serving, monkeypatch):
    made = []
    one = Answers._object

    def counted(self, record):
        made.append(record)
        return one(self, record)

    monkeypatch.setattr(Answers, "_object", counted)

    async def scenario(http) -> None:
        for n in range(20):
            await http("POST", CONFIGMAPS, {"metadata": {"name": f"c{n}"}, "data": {"a": "x" * 50_000}})
        async with http.stream(CONFIGMAPS) as stream:
            made.clear()
            stream.reads.clear()
            await stream.begun.wait()
            assert 0 < len(made) < 10
            stream.reads.set()
            assert len(decode(await stream.whole())["items"]) == len(made) == 20

    serving(scenario)


def test_others_are_answered_while_yaml_is_read_and_written(serving):
    """A body of YAML takes a thousand times as long as one of JSON: seconds."""
    many = b"metadata: {name: many}\ndata: {" + b",".join(b"k%d: x" % n for n in range(6_000)) + b"}"

    async def others(http, doing) -> int:
        task, count = asyncio.create_task(doing), 0
        while not task.done():
            assert (await http("GET", CONFIGMAPS + "?labelSelector=none")).code == 200
            count += 1
            await asyncio.sleep(0)
        assert (await task).code in (200, 201)
        return count

    async def scenario(http) -> None:
        assert await others(http, http("POST", CONFIGMAPS, many, kind="application/yaml")) > 5
        accept = {"accept": "application/yaml"}
        assert await others(http, http("GET", CONFIGMAPS, headers=accept)) > 5
        assert await others(http, http("GET", CONFIGMAPS + "/many", headers=accept)) > 5

    serving(scenario)


def test_json_that_is_applied_is_read_as_json(serving, monkeypatch):
    monkeypatch.setattr(yaml, "load", None)

    async def scenario(http) -> None:
        config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1"}}
        made = await http("PATCH", CONFIGMAPS + "/c?fieldManager=me", config, kind="application/apply-patch+yaml")
        assert (made.code, made.value["data"]) == (201, {"a": "1"})

    serving(scenario)
