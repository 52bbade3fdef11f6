"""The spec that is executed: labels, variables, limits, what is refused before anything runs."""

from __future__ import annotations

from typing import Any

import pytest

from engine_world import POD, World, steps_of, values, workflow
from tiphys.workflow.spec.validate import problems


def labelled(**metadata: Any) -> World:
    return World(workflow({"entrypoint": "pod", "templates": [POD], "workflowMetadata": metadata,
                           "arguments": {"parameters": values(team="net")}})).play()  # fmt: skip


def test_metadata_for_the_workflow_itself() -> None:
    world = labelled(
        labels={"a": "b", "of": "{{workflow.parameters.team}}"},
        annotations={"note": "for {{workflow.name}}"},
        labelsFrom={"up": {"expression": "sprig.upper(workflow.parameters.team)"}},
    )
    meta = world.object["metadata"]
    assert {"a": "b", "of": "net", "up": "NET"}.items() <= meta["labels"].items()
    assert meta["annotations"]["note"] == "for wf"


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"labels": {"a": "not a label!"}}, 'invalid label value "not a label!" for label "a"'),
        ({"labelsFrom": {"a": {"expression": "1"}}}, 'failed to evaluate label "a" expression "1": it gives no text'),
        ({"labelsFrom": {"a": {"expression": "1 +"}}}, 'failed to evaluate label "a" expression "1 +": '),
        (
            {"labelsFrom": {"a": {"expression": "'x y'"}}},
            'invalid label value "x y" for label "a" and expression "\'x y\'"',
        ),
    ],
)
def test_a_label_that_cannot_be_is_the_workflows_error(metadata: dict[str, Any], words: str) -> None:
    world = labelled(**metadata)
    assert (world.status["phase"], world.created) == ("Error", [])
    assert words in world.status["message"]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"entrypoint": "gone", "templates": [POD]}, "template gone not found"),
        ({"entrypoint": "odd", "templates": [{"name": "odd"}]}, "template 'odd' type is unknown"),
        (
            {"entrypoint": "pod", "templates": [{"name": "pod", "resource": {"action": "get"}}]},
            "template 'pod': resource is not supported yet",
        ),
        ({"entrypoint": "pod", "templates": [{**POD, "parallelism": "x"}]}, "template 'pod' cannot be read: "),
        ({"entrypoint": "pod", "templates": [POD], "parallelism": "x"}, "parallelism"),
        ({"entrypoint": "pod", "templates": [POD], "podSpecPatch": "{{"}, "Cannot find end tag"),
    ],
)
def test_what_cannot_run_is_the_workflows_error(spec: dict[str, Any], words: str) -> None:
    world = World(workflow(spec)).play()
    assert (world.status["phase"], world.created) == ("Error", [])
    assert words in world.status["message"]
    assert "\n" not in world.status["message"]


def test_what_validation_refuses_fails_before_anything_runs() -> None:
    world = World(workflow({"entrypoint": "gone", "templates": [POD]}), validate=problems).play()
    assert (world.status["phase"], world.status["message"]) == (
        "Failed",
        "invalid spec: template name 'gone' undefined",
    )
    assert "nodes" not in world.status
    assert world.object["metadata"]["labels"]["workflows.argoproj.io/completed"] == "true"


@pytest.mark.parametrize(
    "spec",
    [
        {"entrypoint": "pod", "templates": "x"},
        {"entrypoint": "pod", "templates": [{**POD, "name": {}}]},
        {"workflowTemplateRef": "x"},
        {"entrypoint": ["pod"], "templates": [POD]},
        {"entrypoint": "pod", "templates": [POD], "arguments": {"parameters": [1]}},
    ],
)
def test_a_spec_of_wrong_types_is_invalid(spec: dict[str, Any]) -> None:
    world = World(workflow(spec), validate=problems).play()
    assert world.status["phase"] == "Failed"
    assert world.status["message"].startswith("invalid spec: spec.")


def test_a_workflow_template_that_is_not_there_is_an_error() -> None:
    world = World(workflow({"workflowTemplateRef": {"name": "gone"}}), validate=problems).play()
    status = (world.status["phase"], world.status["message"])
    assert status == ("Error", 'workflowtemplates.argoproj.io "gone" not found')


def test_a_workflow_template_that_is_not_there_comes_before_what_else_is_wrong() -> None:
    both = {"workflowTemplateRef": {"name": "gone"}, "templates": [POD]}
    world = World(workflow(both), validate=problems).play()
    assert (world.status["phase"], "gone" in world.status["message"]) == ("Error", True)


def test_validation_waits_for_the_objects_it_looks_into() -> None:
    spec = steps_of({"name": "a", "templateRef": {"name": "lib", "template": "gone"}})
    lib = {"kind": "WorkflowTemplate", "metadata": {"name": "lib"}, "spec": {"templates": [POD]}}
    world = World(workflow(spec), objects={("WorkflowTemplate", "lib"): lib}, validate=problems).play()
    assert world.status["message"].startswith("invalid spec: ")
    assert "gone" in world.status["message"]


def test_a_run_that_was_begun_is_not_validated_again() -> None:
    world = World(workflow(steps_of({"name": "a", "template": "pod"})), validate=problems)
    world.begin()
    world.edit({"spec": {"entrypoint": "main", "onExit": "gone"}})
    assert world.status["phase"] == "Running"


def test_an_unclosed_tag_is_told_where_it_is_met() -> None:
    template = {"name": "pod", "container": {"image": "x", "args": ["{{inputs.parameters.x"]}}
    world = World(workflow(steps_of({"name": "a", "template": "pod"}, templates=(template,)))).play()
    assert world.status["phase"] == "Failed"
    assert "Cannot find end tag" in world.node("wf[0]")["message"]


def test_the_defaults_of_templates_lie_under_each_of_them() -> None:
    spec = {
        "entrypoint": "pod",
        "templates": [POD],
        "templateDefaults": {"timeout": "1m", "container": {"imagePullPolicy": "Never"}, "retryStrategy": {"limit": 1}},
    }
    world = World(workflow(spec)).play()
    assert world.node("wf")["type"] == "Retry"
    command = world.created[0]
    assert command.template["container"] == {**POD["container"], "imagePullPolicy": "Never"}
    assert command.deadline is not None


def test_the_arguments_of_the_workflow_are_those_of_its_entrypoint() -> None:
    template = {**POD, "inputs": {"parameters": [{"name": "team", "default": "none"}]}}
    spec = {"entrypoint": "pod", "templates": [template], "arguments": {"parameters": values(team="net")}}
    assert World(workflow(spec)).play().node("wf")["inputs"]["parameters"][0]["value"] == "net"
