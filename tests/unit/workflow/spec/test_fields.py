"""The table of Argo's fields: what it does not have, what is of another type, the schemas made from it."""

import itertools

import pytest

from tiphys.workflow.spec import fields


def workflow(**spec):
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "wf"}, "spec": spec}


def test_a_workflow_as_people_write_it_has_nothing_unknown_and_nothing_wrong() -> None:
    step = {
        "name": "a",
        "template": "main",
        "arguments": {"parameters": [{"name": "n", "value": 3}]},
        "withItems": [None, 1],
    }
    main = {"name": "main", "container": {"image": "busybox", "resources": {"limits": {"cpu": 1, "memory": "1Gi"}}}}
    both = workflow(
        templates=[{"name": "all", "steps": [[step]]}, main], parallelism=2, hooks={"exit": {"template": "a"}}
    )
    assert fields.unknown("Workflow", both) == []
    assert fields.wrong("Workflow", both) == []


@pytest.mark.parametrize(
    ("spec", "paths"),
    [
        ({"foo": 1}, ["spec.foo"]),
        ({"templates": [{}, {"contaner": {}}]}, ["spec.templates[1].contaner"]),
        ({"templates": [{"steps": [[{}, {"whn": ""}]]}]}, ["spec.templates[0].steps[0][1].whn"]),
        ({"hooks": {"exit": {"tmpl": ""}}}, ["spec.hooks.exit.tmpl"]),
        (
            {"templates": [{"container": {"env": [{"name": "A", "vale": ""}]}}]},
            ["spec.templates[0].container.env[0].vale"],
        ),
        (
            {"templates": [{"outputs": {"parameters": [{"name": "p", "secret": True}]}}]},
            ["spec.templates[0].outputs.parameters[0].secret"],
        ),
        ({"podMetadata": {"labels": {"any": "thing"}}}, []),
        ({"templates": [{"plugin": {"any": {"thing": 1}}}]}, []),
    ],
)
def test_unknown_fields_are_named_by_their_paths(spec: dict, paths: list[str]) -> None:
    assert fields.unknown("Workflow", workflow(**spec)) == paths


def test_unknown_fields_are_found_outside_the_spec_but_not_in_the_status() -> None:
    obj = {**workflow(), "speck": {}, "status": {"what": "ever"}}
    obj["metadata"]["lables"] = {}
    assert fields.unknown("Workflow", obj) == ["speck", "metadata.lables"]


@pytest.mark.parametrize(
    ("spec", "path", "bits"),
    [
        ({"priority": 2**31}, "spec.priority", 32),
        ({"priority": -(2**31) - 1}, "spec.priority", 32),
        ({"priority": 1e300}, "spec.priority", 32),
        ({"parallelism": 2**63}, "spec.parallelism", 64),
        (
            {"templates": [{"name": "a", "retryStrategy": {"limit": 2**31}}]},
            "spec.templates[0].retryStrategy.limit",
            32,
        ),
    ],
)
def test_a_number_that_gos_clients_could_not_read_is_refused(spec: dict, path: str, bits: int) -> None:
    [(where, what)] = fields.wrong("Workflow", workflow(**spec))
    assert where == path
    assert what.endswith(f"{path} in body must be an integer of {bits} bits")


def test_the_largest_numbers_of_their_types_are_taken() -> None:
    spec = {"priority": -(2**31), "parallelism": 2**63 - 1, "activeDeadlineSeconds": 2**31}
    assert fields.wrong("Workflow", workflow(**spec)) == []


def test_other_kinds_have_no_table() -> None:
    assert fields.unknown("Pod", {"any": 1}) == []
    assert fields.wrong("Pod", {"spec": 1}) == []


@pytest.mark.parametrize(
    ("spec", "path", "wanted", "found"),
    [
        ({"parallelism": "2"}, "spec.parallelism", "integer", "string"),
        ({"parallelism": True}, "spec.parallelism", "integer", "boolean"),
        ({"parallelism": 1.5}, "spec.parallelism", "integer", "number"),
        ({"entrypoint": 1}, "spec.entrypoint", "string", "integer"),
        ({"entrypoint": None}, "spec.entrypoint", "string", "null"),
        ({"suspend": "yes"}, "spec.suspend", "boolean", "string"),
        ({"templates": 3}, "spec.templates", "array", "integer"),
        ({"templates": {"name": "a"}}, "spec.templates", "array", "object"),
        ({"templates": [{"steps": [[None]]}]}, "spec.templates[0].steps[0][0]", "object", "null"),
        ({"templates": [{"steps": [{"name": "a"}]}]}, "spec.templates[0].steps[0]", "array", "object"),
        ({"hooks": []}, "spec.hooks", "object", "array"),
        ({"nodeSelector": {"disk": 1}}, "spec.nodeSelector.disk", "string", "integer"),
        ({"retryStrategy": {"limit": [1]}}, "spec.retryStrategy.limit", "integer,string", "array"),
    ],
)
def test_a_value_of_another_type_is_told_as_kube_apiserver_does(spec: dict, path: str, wanted: str, found: str) -> None:
    message = f'Invalid value: "{found}": {path} in body must be of type {wanted}: "{found}"'
    assert fields.wrong("Workflow", workflow(**spec)) == [(path, message)]


def test_numbers_are_taken_where_argo_takes_them() -> None:
    spec = {
        "parallelism": 2.0,
        "retryStrategy": {"limit": "3", "backoff": {"factor": 2}},
        "arguments": {"parameters": [{"name": "a", "value": 1.5}, {"name": "b", "value": True}]},
        "templates": [{"activeDeadlineSeconds": "{{inputs.parameters.seconds}}"}],
    }
    assert fields.wrong("Workflow", workflow(**spec)) == []


def test_what_must_be_there_and_is_not_is_named() -> None:
    spec = {"templates": [{"dag": {"tasks": [{}]}, "inputs": {"parameters": [{"value": 1}]}}]}
    assert fields.wrong("Workflow", workflow(**spec)) == [
        ("spec.templates[0].dag.tasks[0].name", "Required value"),
        ("spec.templates[0].inputs.parameters[0].name", "Required value"),
    ]
    assert fields.wrong("Workflow", {"kind": "Workflow", "metadata": {}}) == [("spec", "Required value")]


def test_the_schemas_are_closed_and_every_kind_has_one() -> None:
    for kind in fields.KINDS:
        schemas = fields.openapi(kind)
        first = next(iter(schemas.values()))
        assert first["x-kubernetes-group-version-kind"][0]["kind"] == kind
        pending = list(schemas.values())
        while pending:
            item = pending.pop()
            if isinstance(item, dict):
                reference = item.get("$ref")
                assert reference is None or reference.rpartition("/")[2] in schemas
                pending += item.values()


def test_a_schema_says_what_the_table_says() -> None:
    schemas = fields.openapi("Workflow")
    template = schemas["io.argoproj.v1alpha1.Template"]["properties"]
    step = {"$ref": "#/components/schemas/io.argoproj.v1alpha1.WorkflowStep"}
    assert template["steps"] == {"type": "array", "items": {"type": "array", "items": step}}
    assert template["nodeSelector"] == {"type": "object", "additionalProperties": {"type": "string"}}
    assert schemas["io.argoproj.v1alpha1.Parameter"]["required"] == ["name"]


def test_depth_does_not_matter() -> None:
    inner: dict = {"name": "x"}
    for _ in range(5000):
        inner = {"steps": [[{"inline": inner, "oops": 1}]]}
    assert len(list(itertools.islice(fields.unknown("Workflow", workflow(templates=[inner])), 5000))) == 5000
