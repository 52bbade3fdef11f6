"""Templates of kind `steps`."""

from __future__ import annotations

from typing import Any

import pytest

from engine_world import POD, World, dag_of, outcomes, run_of, step, steps_of, workflow


def test_groups_run_one_after_another() -> None:
    world = World(workflow(steps_of([step("a"), step("b")], step("c"))))
    world.begin()
    assert {command.node_name for command in world.created} == {"wf[0].a", "wf[0].b"}
    world.finish_pod("a")
    assert len(world.created) == 2
    world.finish_pod("b")
    assert world.created[-1].node_name == "wf[1].c"
    world.finish_pod("c")
    assert world.status["phase"] == "Succeeded"


def test_a_failed_step_ends_the_workflow_after_its_group() -> None:
    world = World(workflow(steps_of([step("a"), step("b")], step("c"))), outcomes(a="Failed")).play()
    failed = world.node("a")["id"]
    assert world.phases() == {"wf": "Failed", "wf[0]": "Failed", "wf[0].a": "Failed", "wf[0].b": "Succeeded"}
    assert world.status["message"] == world.node("wf[0]")["message"] == f"child '{failed}' failed"


def test_continue_on_forgives_what_it_names() -> None:
    def phase(on: str, end: str) -> str:
        spec = steps_of(step("a", continueOn={on: True}), step("b"))
        return str(World(workflow(spec), outcomes(a=end)).play().status["phase"])

    assert phase("failed", "Failed") == phase("error", "Error") == "Succeeded"
    assert phase("failed", "Error") == phase("error", "Failed") == "Failed"


def test_a_step_sees_outputs_of_groups_before_not_of_its_own() -> None:
    shows = run_of("show")
    told = step("b", "show", p="{{steps.a.outputs.result}}")
    templates = (shows, {"name": "pod", "container": {"image": "x"}})
    world = World(workflow(steps_of(step("a"), told, templates=templates)), outcomes(a={"result": "42"})).play()
    assert world.created[-1].template["container"]["command"] == ["echo", "42"]
    world = World(workflow(steps_of([step("a"), told], templates=templates))).play()
    assert "failed to resolve {{steps.a.outputs.result}}" in world.status["message"]


@pytest.mark.parametrize("shape", [steps_of, dag_of])
def test_no_step_is_given_the_name_of_a_value_that_is_not_there(shape: Any) -> None:
    role = "tasks" if shape is dag_of else "steps"
    reference = f"{{{{{role}.a.outputs.parameters.o}}}}"
    after = {"dependencies": ["a"]} if shape is dag_of else {}
    giver = {**POD, "name": "giver", "outputs": {"parameters": [{"name": "o", "valueFrom": {"path": "/o"}}]}}
    first = step("a", "giver", continueOn={"failed": True})
    spec = shape(first, step("b", "show", p=f"x-{reference}", **after), templates=(giver, run_of("show")))
    world = World(workflow(spec), outcomes(a="Failed")).play()
    assert [command.node_name for command in world.created] == [world.node("a")["name"]]
    assert world.status["phase"] == ("Error" if shape is dag_of else "Failed")
    ended_here = world.node("b" if shape is dag_of else "[1]")
    assert f"failed to resolve {reference}: that step has no such value" in ended_here["message"]


def test_a_value_of_a_loop_over_nothing_is_absent_and_an_input_has_its_default() -> None:
    show = run_of("show")
    show["inputs"]["parameters"][0]["default"] = "none"
    told = step("b", "show", p="{{steps.a.outputs.result}}")
    world = World(workflow(steps_of(step("a", withParam="[]"), told, templates=(POD, show)))).play()
    assert world.created[-1].template["container"]["command"] == ["echo", "none"]


def test_standard_output_is_captured_only_where_it_is_spoken_of() -> None:
    spec = steps_of(
        [step("a"), step("b")],
        step("c", "show", p="{{steps.a.outputs.result}}"),
        templates=(run_of("show"), {"name": "pod", "container": {"image": "x"}}),
    )
    world = World(workflow(spec), outcomes(a={"result": "1"})).play()
    assert {command.node_name: command.capture_result for command in world.created} == {
        "wf[0].a": True, "wf[0].b": False, "wf[1].c": False,
    }  # fmt: skip


def test_a_false_condition_skips_and_says_why() -> None:
    world = World(workflow(steps_of(step("a", when="1 == 2"), step("b", when="1 == 1")))).play()
    skipped = world.node("a")
    assert (skipped["type"], skipped["phase"], skipped["message"]) == (
        "Skipped",
        "Skipped",
        "when '1 == 2' evaluated false",
    )
    assert world.node("b")["phase"] == world.status["phase"] == "Succeeded"


def test_a_condition_that_is_none_is_an_error_of_the_group() -> None:
    world = World(workflow(steps_of(step("a", when="1 +")))).play()
    assert world.status["phase"] == "Failed"
    assert "when" in world.node("wf[0]")["message"]


def test_a_reference_into_the_dark_names_it() -> None:
    spec = steps_of(
        step("a", when="1 == 2", template="giver"),
        step("b", "show", p="{{steps.a.outputs.parameters.x}}"),
        templates=(
            run_of("show"),
            {
                "name": "giver",
                "container": {"image": "x"},
                "outputs": {"parameters": [{"name": "x", "valueFrom": {"path": "/x"}}]},
            },
        ),
    )
    world = World(workflow(spec)).play()
    assert world.status["phase"] in ("Failed", "Error")
    why = (
        "inputs.parameters.p was not supplied: {{steps.a.outputs.parameters.x}} is an absent optional: the step did "
        "not run, and neither its output nor this input has a default"
    )
    assert world.node("b")["message"] == why


def test_a_step_that_cannot_be_resolved_is_told_as_argo_tells_it() -> None:
    world = World(workflow(steps_of(step("a", when="1 +")))).play()
    assert world.node("wf[0]")["message"].startswith("failed to resolve references: Invalid 'when' expression '1 +'")


def test_what_stands_after_a_step_that_cannot_begin_is_not_begun() -> None:
    world = World(workflow(steps_of([step("a"), step("b", "show"), step("c")], templates=(POD, run_of("show"))))).play()
    assert {command.node_name for command in world.created} == {"wf[0].a"}
    assert "wf[0].c" not in world.phases()
    why = "step group deemed errored due to child wf[0].b error: inputs.parameters.p was not supplied"
    assert world.node("wf[0]")["message"] == why


def test_links_follow_the_last_nodes_of_the_group_before() -> None:
    world = World(workflow(steps_of([step("a"), step("b")], step("c")))).play()
    second = world.node("wf[1]")["id"]
    assert world.node("wf")["children"] == [world.node("wf[0]")["id"]]
    assert world.node("a")["children"] == world.node("b")["children"] == [second]
    assert world.node("wf")["outboundNodes"] == [world.node("c")["id"]]
    assert "boundaryID" not in world.node("wf")
    assert world.node("a")["boundaryID"] == world.node("wf[0]")["boundaryID"] == "wf"


def test_recursion_ends_at_a_hundred() -> None:
    spec = {"entrypoint": "main", "templates": [{"name": "main", "steps": [[step("again", "main")]]}]}
    world = World(workflow(spec)).play()
    assert world.status["phase"] == "Failed"
    deepest = [node for node in world.status["nodes"].values() if node["phase"] == "Error"]
    assert deepest[0]["message"].startswith("Maximum recursion depth exceeded")
