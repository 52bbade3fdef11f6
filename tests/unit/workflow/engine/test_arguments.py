"""Inputs of templates, outputs of templates made of steps, values of ConfigMaps."""

from __future__ import annotations

from typing import Any

import pytest

from engine_world import POD, World, dag_of, outcomes, run_of, step, steps_of, values, workflow

LABEL = {"workflows.argoproj.io/configmap-type": "Parameter"}


def one(template: dict[str, Any], objects: dict[tuple[str, str], Any] | None = None, **spec: Any) -> World:
    return World(workflow({"entrypoint": template["name"], "templates": [template], **spec}), objects=objects).play()


def taking(*parameters: dict[str, Any]) -> dict[str, Any]:
    return {**POD, "inputs": {"parameters": list(parameters)}}


def test_an_argument_wins_over_the_default_and_the_default_over_nothing() -> None:
    template = taking({"name": "given", "default": "d"}, {"name": "left", "default": "d"}, {"name": "set", "value": 3})
    world = one(template, arguments={"parameters": values(given="g")})
    assert {row["name"]: row["value"] for row in world.node("wf")["inputs"]["parameters"]} == {
        "given": "g",
        "left": "d",
        "set": "3",
    }


def test_a_parameter_nobody_supplied_is_an_error_that_names_it() -> None:
    world = one(taking({"name": "who"}))
    assert world.status["phase"] == "Error"
    assert world.status["message"] == "error in entry template execution: inputs.parameters.who was not supplied"


def test_values_of_every_kind_are_text() -> None:
    spec = steps_of(
        [step("a", "show", p=True), step("b", "show", p=1.0), step("c", "show", p=0), step("d", "show", p="")],
        templates=(run_of("show"),),
    )
    world = World(workflow(spec)).play()
    assert [world.node(name)["inputs"]["parameters"][0]["value"] for name in "abcd"] == ["true", "1", "0", ""]


def test_expressions_and_nested_tags_in_arguments() -> None:
    spec = steps_of(
        step(
            "a", "show", p="{{=asInt(workflow.parameters.n) * 2}} {{workflow.parameters.{{workflow.parameters.which}}}}"
        ),
        templates=(run_of("show"),),
        arguments={"parameters": values(n="21", which="n")},
    )
    world = World(workflow(spec)).play()
    assert world.node("a")["inputs"]["parameters"][0]["value"] == "42 21"


def test_what_comes_from_outside_is_not_filled_in_again() -> None:
    spec = steps_of(
        step("a"), step("b", "show", p="{{steps.a.outputs.result}}"), templates=(POD, run_of("show")),
        arguments={"parameters": values(secret="s3")},
    )  # fmt: skip
    world = World(workflow(spec), outcomes(a={"result": "{{workflow.parameters.secret}}"})).play()
    assert world.node("b")["inputs"]["parameters"][0]["value"] == "{{workflow.parameters.secret}}"


# -- ConfigMaps


def from_map(**more: Any) -> dict[str, Any]:
    return taking({"name": "url", "valueFrom": {"configMapKeyRef": {"name": "nautobot", "key": "url"}, **more}})


def config_map(labels: dict[str, str] = LABEL, **data: str) -> dict[tuple[str, str], Any]:
    return {("ConfigMap", "nautobot"): {"metadata": {"labels": labels}, "data": data}}


def test_an_input_out_of_a_config_map() -> None:
    world = one(from_map(), config_map(url="http://n"))
    assert world.node("wf")["inputs"]["parameters"][0]["value"] == "http://n"


@pytest.mark.parametrize(
    ("objects", "words", "command"),
    [
        ({}, "ConfigMap 'nautobot' does not exist in namespace argo", "kubectl -n argo create configmap nautobot"),
        (config_map({}, url="u"), "needs to have the label", "kubectl -n argo label configmap nautobot"),
        (config_map(uri="u"), "does not have the key 'url'", "kubectl -n argo patch configmap nautobot"),
    ],
)
def test_a_config_map_that_cannot_be_read_says_what_mends_it(objects: Any, words: str, command: str) -> None:
    message = one(from_map(), objects).status["message"]
    assert words in message
    assert command in message
    assert "\n" not in message
    assert one(from_map(default="d"), objects).status["phase"] == "Succeeded"


def test_a_config_map_is_read_anew_by_a_later_step() -> None:
    template = {**from_map(), "name": "read"}
    world = World(workflow(steps_of(step("a", "read"), step("b", "read"), templates=(template,))),
                  objects=config_map(url="old"))  # fmt: skip
    world.begin()
    world.objects = config_map(url="new")
    world.finish_pod("a")
    world.play()
    assert world.node("a")["inputs"]["parameters"][0]["value"] == "old"
    assert world.node("b")["inputs"]["parameters"][0]["value"] == "new"


def test_a_workflow_parameter_out_of_a_config_map() -> None:
    ref = {"name": "p", "valueFrom": {"configMapKeyRef": {"name": "nautobot", "key": "url"}}}
    template = {**POD, "container": {"image": "x", "args": ["{{workflow.parameters.p}}"]}}
    world = one(template, config_map(url="http://n"), arguments={"parameters": [ref]})
    assert world.created[0].template["container"]["args"] == ["http://n"]
    failed = one(template, {}, arguments={"parameters": [ref]})
    assert failed.status["phase"] == "Failed"
    assert failed.status["message"].startswith("failed to set global parameters: failed to set global parameter p from")


def test_a_value_wins_over_a_config_map() -> None:
    ref = {"name": "p", "value": "mine", "valueFrom": {"configMapKeyRef": {"name": "gone", "key": "url"}}}
    template = {**POD, "container": {"image": "x", "args": ["{{workflow.parameters.p}}"]}}
    assert one(template, arguments={"parameters": [ref]}).created[0].template["container"]["args"] == ["mine"]


def test_an_input_may_be_made_of_others_but_not_by_who_hands_it_in() -> None:
    declared = [
        {"name": "a", "value": "1"},
        {"name": "b", "default": "{{= inputs.parameters.a + '!' }}"},
        {"name": "c"},
    ]
    template = {**POD, "inputs": {"parameters": declared}}
    given = {"arguments": {"parameters": [{"name": "c", "value": "{{inputs.parameters.a}}"}]}}
    node = one(template, **given).node("wf")
    assert [row["value"] for row in node["inputs"]["parameters"]] == ["1", "1!", "{{inputs.parameters.a}}"]


def test_a_workflow_parameter_without_a_value_is_told() -> None:
    world = one(POD, arguments={"parameters": [{"name": "p"}]})
    words = "either value or valueFrom must be specified in order to set global parameter p"
    assert world.status["message"] == f"failed to set global parameters: {words}"


# -- outputs of steps and DAGs


def inner(kind: str, source: dict[str, Any], **parameter: Any) -> dict[str, Any]:
    """A template of one step `a`, that puts out `o`."""
    shape = {"steps": [[step("a")]]} if kind == "steps" else {"dag": {"tasks": [step("a")]}}
    return {"name": "inner", **shape, "outputs": {"parameters": [{"name": "o", "valueFrom": source, **parameter}]}}


def outer(kind: str, source: dict[str, Any], **parameter: Any) -> World:
    shape, role = (steps_of, "steps") if kind == "steps" else (dag_of, "tasks")
    after = {} if kind == "steps" else {"dependencies": ["x"]}
    spec = shape(
        step("x", "inner"),
        step("y", "show", p=f"{{{{{role}.x.outputs.parameters.o}}}}", **after),
        templates=(inner(kind, source, **parameter), run_of("show"), POD),
    )
    return World(workflow(spec), outcomes(a={"result": "42", "parameters": values(k="v")})).play()


@pytest.mark.parametrize("kind", ["steps", "dag"])
@pytest.mark.parametrize(
    ("source", "value"),
    [
        ({"parameter": "{{ROLE.a.outputs.result}}"}, "42"),
        ({"parameter": "{{ROLE.a.outputs.parameters.k}}"}, "v"),
        ({"expression": "asInt(ROLE.a.outputs.result) + 1"}, "43"),
        ({"expression": "ROLE.a.outputs.parameters.k == 'v' ? 'yes' : 'no'"}, "yes"),
        ({"parameter": "{{ROLE.gone.outputs.result}}", "default": "d"}, "d"),
        ({"expression": "ROLE.gone.outputs.result", "default": "d"}, "d"),
    ],
)
def test_an_output_of_steps_reaches_what_comes_after(kind: str, source: dict[str, Any], value: str) -> None:
    role = "steps" if kind == "steps" else "tasks"
    world = outer(kind, {key: text.replace("ROLE", role) for key, text in source.items()})
    assert world.node("x")["outputs"]["parameters"] == [{"name": "o", "value": value}]
    assert world.node("y")["inputs"]["parameters"][0]["value"] == value


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"parameter": "{{steps.gone.outputs.result}}"}, 'Unable to resolve: "steps.gone.outputs.result"'),
        ({"expression": "nil"}, 'failed to evaluate expression "nil"'),
        ({"expression": "1 +"}, "unexpected token EOF"),
    ],
)
def test_an_output_that_cannot_be_told_is_an_error(source: dict[str, Any], words: str) -> None:
    world = outer("steps", source)
    assert world.node("x")["phase"] == "Error"
    assert words in world.node("x")["message"]


def test_an_output_of_steps_may_be_named_globally() -> None:
    world = outer("dag", {"parameter": "{{tasks.a.outputs.result}}"}, globalName="g")
    assert world.status["outputs"]["parameters"] == values(g="42")


# -- outputs of what did not run


def skipped_giver(source: dict[str, Any], taker: dict[str, Any], argument: str) -> World:
    giver = {**POD, "name": "give", "outputs": {"parameters": [{"name": "o", "valueFrom": source}]}}
    spec = steps_of(step("a", "give", when="1 == 2"), step("b", "take", p=argument), templates=(giver, taker))
    return World(workflow(spec)).play()


TAKER = {**run_of("take"), "inputs": {"parameters": [{"name": "p", "default": "mine"}]}}


def test_a_skipped_step_gives_its_outputs_default() -> None:
    world = skipped_giver({"path": "/o", "default": "theirs"}, TAKER, "{{steps.a.outputs.parameters.o}}")
    assert world.node("b")["inputs"]["parameters"][0]["value"] == "theirs"


def test_without_one_the_input_takes_its_own() -> None:
    world = skipped_giver({"path": "/o"}, TAKER, "{{steps.a.outputs.parameters.o}}")
    assert world.node("b")["inputs"]["parameters"][0]["value"] == "mine"


def test_an_expression_can_fall_back_on_something_else() -> None:
    world = skipped_giver({"path": "/o"}, TAKER, "{{=steps.a.outputs.parameters.o ?? 'else'}}")
    assert world.node("b")["inputs"]["parameters"][0]["value"] == "else"


def test_within_a_text_an_absent_output_is_an_error() -> None:
    world = skipped_giver({"path": "/o"}, TAKER, "so: {{steps.a.outputs.parameters.o}}")
    assert "absent optional" in world.node("wf[1]")["message"]
    assert world.status["phase"] == "Failed"
