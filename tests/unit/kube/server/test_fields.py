"""Fields that a kind has not: warned about, refused, or let be; and the schemas that tell which it has."""

import pytest

from tiphys.kube.objects.resources import RESOURCES

WORKFLOWS = "/apis/argoproj.io/v1alpha1/namespaces/ns/workflows"
CONFIGMAPS = "/api/v1/namespaces/ns/configmaps"
MERGE = "application/merge-patch+json"


class Known:
    """Who knows the fields of workflows."""

    def unknown(self, kind, obj):
        assert kind == "Workflow"
        return [f"spec.{key}" for key in obj.get("spec", {}) if key != "entrypoint"]

    def openapi(self, kind):
        return {f"x.{kind}": {"type": "object", "properties": {"spec": {"type": "object"}}}}


def workflow(**spec):
    return {"metadata": {"name": "w"}, "spec": {"entrypoint": "main", **spec}}


def pod(**container):
    return {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "main", "image": "i", **container}]}}


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (WORKFLOWS, workflow(foo=1, bar=[]), ["spec.foo", "spec.bar"]),
        (CONFIGMAPS, {"metadata": {"name": "c"}, "daata": {}, "data": {"daata": "x"}}, ["daata"]),
        (
            "/api/v1/namespaces/ns/pods",
            pod(imagee="x", env=[{"name": "A", "valu": "b"}], resources={"limits": {"cpu": "1"}, "limit": {}}),
            [f"spec.containers[0].{name}" for name in ("imagee", "env[0].valu", "resources.limit")],
        ),
        ("/api/v1/namespaces/ns/secrets", {"metadata": {"name": "s", "label": {}}}, ["metadata.label"]),
        (
            "/apis/rbac.authorization.k8s.io/v1/namespaces/ns/roles",
            {"metadata": {"name": "r"},
             "rules": [{"verbs": ["get"], "apiGroups": [""], "resource": [], "resources": ["x"]}]},
            ["rules[0].resource"],
        ),
    ],
)  # fmt: skip
def test_what_becomes_of_a_field_that_is_unknown(serving, path, value, told):
    async def scenario(http) -> None:
        answer = await http("POST", path + "?fieldValidation=Strict&dryRun=All", value)
        shown = ", ".join(f'unknown field "{field}"' for field in told)
        assert answer.code == 400
        assert answer.message.endswith(f": strict decoding error: {shown}")
        assert not (await http("POST", path + "?fieldValidation=Ignore&dryRun=All", value)).header("warning")
        answer = await http("POST", path, value)
        assert answer.code == 201
        assert answer.header("warning") == [rf'299 - "unknown field \"{field}\""' for field in told]

    serving(scenario, fields={"argoproj.io": Known()})


def test_words_of_the_refusal_and_of_a_patch(serving):
    async def scenario(http) -> None:
        answer = await http("POST", WORKFLOWS + "?fieldValidation=Strict", workflow(foo=1))
        assert answer.message == (
            'Workflow in version "v1alpha1" cannot be handled as a Workflow: '
            'strict decoding error: unknown field "spec.foo"'
        )
        await http("POST", WORKFLOWS, workflow())
        path = WORKFLOWS + "/w?fieldValidation=Strict"
        answer = await http("PATCH", path, {"spec": {"foo": 1}}, kind=MERGE)
        assert answer.code == 422
        assert answer.message.endswith('patch: Invalid value: "{...}": strict decoding error: unknown field "spec.foo"')
        answer = await http("PATCH", WORKFLOWS + "/w", {"spec": {"foo": 1}}, kind=MERGE)
        assert answer.header("warning") == [r'299 - "unknown field \"spec.foo\""']
        answer = await http("PATCH", path, {"status": {"phase": "Running"}}, kind=MERGE)
        assert answer.code == 200, "what a patch leaves alone is not judged"
        value = (await http("GET", WORKFLOWS + "/w")).value
        assert (await http("PUT", path, value)).code == 400

    serving(scenario, fields={"argoproj.io": Known()})


def test_more_warnings_than_a_client_takes(serving):
    async def scenario(http) -> None:
        answer = await http("POST", WORKFLOWS, workflow(**{f"field{number:04}": 1 for number in range(2_000)}))
        assert answer.code == 201
        warnings = answer.header("warning")
        assert 50 < len(warnings) < 200
        assert sum(map(len, warnings)) < 8_000

    serving(scenario, fields={"argoproj.io": Known()})


def test_a_validation_that_is_none(serving):
    async def scenario(http) -> None:
        answer = await http("POST", CONFIGMAPS + "?fieldValidation=strict", {"metadata": {"name": "c"}})
        assert answer.code == 422
        assert 'supported values: "", "Ignore", "Strict", "Warn"' in answer.message

    serving(scenario)


def test_a_schema_for_every_kind(serving):
    async def scenario(http) -> None:
        paths = (await http("GET", "/openapi/v3")).value["paths"]
        for resource in RESOURCES:
            for version in resource.versions:
                place = f"apis/{resource.group}/{version}" if resource.group else f"api/{version}"
                document = (await http("GET", paths[place]["serverRelativeURL"])).value
                schemas = document["components"]["schemas"]
                kind = {"group": resource.group, "version": version, "kind": resource.kind}
                (schema,) = (s for s in schemas.values() if kind in s.get("x-kubernetes-group-version-kind", ()))
                assert schema["type"] == "object"
        core = (await http("GET", "/openapi/v3/api/v1")).value["components"]["schemas"]
        assert core["io.k8s.api.core.v1.ConfigMap"]["properties"]["data"] == {
            "type": "object",
            "additionalProperties": {"type": "string"},
        }
        volume = core["io.k8s.api.core.v1.Volume"]["properties"]
        assert volume["emptyDir"] == {"$ref": "#/components/schemas/io.k8s.api.core.v1.EmptyDirVolumeSource"}
        assert (await http("GET", "/openapi/v3/apis/apps/v1")).code == 404

    serving(scenario, fields={"argoproj.io": Known()})


def references(value):
    if isinstance(value, dict):
        for key, member in value.items():
            yield from [member] if key == "$ref" else references(member)
    elif isinstance(value, list):
        for member in value:
            yield from references(member)


def test_every_reference_of_a_schema_leads_somewhere(serving):
    async def scenario(http) -> None:
        for place in (await http("GET", "/openapi/v3")).value["paths"]:
            document = (await http("GET", f"/openapi/v3/{place}")).value
            for reference in references(document):
                assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"]

    serving(scenario, fields={"argoproj.io": Known()})
