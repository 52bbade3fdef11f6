"""Exit handlers of workflows, steps and tasks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine_world import POD, World, dag_of, ended, outcomes, run_of, step, steps_of, values, workflow
from tiphys.workflow.engine.protocol import PodReport

TIDY = {"name": "tidy", "container": {"image": "x", "args": ["{{workflow.status}} {{workflow.failures}}"]}}


def handled(end: str = "Succeeded", **spec: Any) -> World:
    """A workflow of one pod, with an exit handler `tidy`."""
    fields = {"entrypoint": "pod", "templates": [POD, TIDY], "onExit": "tidy", **spec}

    def answer(command: Any) -> Any:
        return ended(command, "Succeeded" if command.on_exit else end)

    return World(workflow(fields), answer)


def test_it_runs_at_the_end_and_knows_how_it_went() -> None:
    world = handled("Failed").play()
    node = world.node("wf.onExit")
    assert (node["phase"], node["nodeFlag"], node["type"]) == ("Succeeded", {"hooked": True}, "Pod")
    status, _, failures = world.created[-1].template["container"]["args"][0].partition(" ")
    assert status == "Failed"
    [told] = json.loads(json.loads(failures))
    assert list(told) == [
        "displayName",
        "message",
        "templateName",
        "phase",
        "podName",
        "finishedAt",
    ]  # as in Argo's type
    assert (told["displayName"], told["message"]) == ("wf", "main: Error (exit code 1)")
    assert world.created[-1].on_exit
    assert (world.status["phase"], world.status["message"]) == ("Failed", "main: Error (exit code 1)")


def test_without_failures_there_are_none() -> None:
    assert handled().play().created[-1].template["container"]["args"] == ['Succeeded "null"']


def test_it_fails_a_workflow_that_had_succeeded() -> None:
    world = handled()
    world.answer = lambda command: ended(command, "Failed" if command.on_exit else "Succeeded")
    world.play()
    assert (world.status["phase"], world.status["message"]) == ("Failed", "main: Error (exit code 1)")


def test_one_that_cannot_run_is_the_workflows_error() -> None:
    world = handled(onExit="nowhere").play()
    assert world.status["phase"] == "Error"
    assert world.status["message"] == "error in exit template execution : template nowhere not found"


@pytest.mark.parametrize("expression", ["workflow.status == 'Failed'", "workflow.status == 'Succeeded'", "1 +"])
def test_argo_does_not_look_at_the_expression_of_a_workflows_own_exit_hook(expression: str) -> None:
    world = handled("Failed", onExit="", hooks={"exit": {"template": "tidy", "expression": expression}}).play()
    assert (world.status["phase"], "wf.onExit" in world.phases()) == ("Failed", True)


def test_its_arguments_are_filled_in_at_the_end() -> None:
    show = run_of("tidy")
    hook = {"template": "tidy", "arguments": {"parameters": [{"name": "p", "value": "{{workflow.status}}"}]}}
    world = handled("Failed", onExit="", hooks={"exit": hook}, templates=[POD, show]).play()
    assert world.created[-1].template["container"]["command"] == ["echo", "Failed"]


@pytest.mark.parametrize("shape", [steps_of, dag_of])
@pytest.mark.parametrize("field", [{"onExit": "tidy"}, {"hooks": {"exit": {"template": "tidy"}}}])
def test_a_step_has_its_own_and_what_follows_waits_for_it(shape: Any, field: dict[str, Any]) -> None:
    second = step("b", dependencies=["a"]) if shape is dag_of else step("b")
    world = World(workflow(shape(step("a", **field), second, templates=(POD, TIDY))))
    world.begin()
    world.finish_pod("a")
    handler = world.node("a.onExit")
    assert handler["nodeFlag"] == {"hooked": True}
    assert handler["id"] in world.node("a")["children"]
    assert "b" not in {node["displayName"] for node in world.status["nodes"].values()}
    world.finish_pod("a.onExit")
    assert world.node("b")["phase"] == "Pending"
    world.play()
    assert world.status["phase"] == "Succeeded"


@pytest.mark.parametrize("shape", [steps_of, dag_of])
def test_the_end_of_a_steps_handler_does_not_matter(shape: Any) -> None:
    world = World(workflow(shape(step("a", onExit="tidy"), templates=(POD, TIDY))))
    world.answer = lambda command: ended(command, "Failed" if command.on_exit else "Succeeded")
    world.play()
    assert world.phases()[world.node("a.onExit")["name"]] == "Failed"
    assert world.status["phase"] == "Succeeded"


@pytest.mark.parametrize("shape", [steps_of, dag_of])
def test_a_steps_handler_sees_its_output_parameters_and_status_and_no_more(shape: Any) -> None:
    role = "tasks" if shape is dag_of else "steps"
    told = f"{{{{{role}.a.outputs.parameters.o}}}} {{{{{role}.a.status}}}} {{{{{role}.a.exitCode}}}}"
    hook = {
        "template": "show",
        "expression": f"{role}.a.status == 'Succeeded'",
        "arguments": {"parameters": [{"name": "p", "value": told}]},
    }
    giver = {**POD, "name": "giver", "outputs": {"parameters": [{"name": "o", "valueFrom": {"path": "/o"}}]}}
    spec = shape(step("a", "giver", hooks={"exit": hook}), templates=(giver, run_of("show")))
    world = World(workflow(spec), outcomes(a={"parameters": values(o="7")})).play()
    assert world.created[-1].template["container"]["command"][1] == f"7 Succeeded {{{{{role}.a.exitCode}}}}"


@pytest.mark.parametrize("shape", [steps_of, dag_of])
def test_the_expression_of_a_steps_handler_knows_no_outputs_of_it(shape: Any) -> None:
    role = "tasks" if shape is dag_of else "steps"
    hook = {"template": "pod", "expression": f"{role}.a.outputs.parameters.o == '7'"}
    giver = {**POD, "name": "giver", "outputs": {"parameters": [{"name": "o", "valueFrom": {"path": "/o"}}]}}
    spec = shape(step("a", "giver", hooks={"exit": hook}), templates=(giver, POD))
    world = World(workflow(spec), outcomes(a={"parameters": values(o="7")})).play()
    assert "cannot fetch parameters from <nil>" in world.status["message"]


def test_a_steps_handler_may_ask_for_other_steps() -> None:
    hook = {"template": "tidy", "expression": "steps.before.outputs.result == 'go'"}
    plain = {"name": "tidy", "container": {"image": "x"}}
    spec = steps_of(step("before"), step("a", hooks={"exit": hook}), templates=(POD, plain))
    world = World(workflow(spec), outcomes(before={"result": "go"})).play()
    assert world.node("a.onExit")["phase"] == "Succeeded"


def test_a_skipped_step_has_none() -> None:
    world = World(workflow(steps_of(step("a", when="1 == 2", onExit="tidy"), templates=(POD, TIDY)))).play()
    assert set(world.phases()) == {"wf", "wf[0]", "wf[0].a"}


def test_each_item_of_a_loop_has_its_own() -> None:
    world = World(workflow(steps_of(step("a", withItems=[0, 1], onExit="tidy"), templates=(POD, TIDY)))).play()
    assert {"wf[0].a(0:0).onExit", "wf[0].a(1:1).onExit"} <= set(world.phases())


def test_a_loop_of_a_dag_has_one_for_each_item_and_one_for_the_whole() -> None:
    world = World(workflow(dag_of(step("a", withItems=[0, 1], onExit="tidy"), templates=(POD, TIDY)))).play()
    assert {"wf.a(0:0).onExit", "wf.a(1:1).onExit", "wf.a.onExit"} <= set(world.phases())
    assert world.status["phase"] == "Succeeded"


@pytest.mark.parametrize("shape", [steps_of, dag_of])
def test_a_termination_ends_a_steps_handler_too(shape: Any) -> None:
    world = World(workflow(shape(step("a", onExit="tidy"), templates=(POD, TIDY))))
    world.begin()
    world.finish_pod("a")
    world.handle(PodReport(world.node("a.onExit")["id"], "Running"))
    world.edit({"spec": {"shutdown": "Terminate"}})
    assert world.node("a.onExit")["message"] == "workflow shutdown with strategy:  Terminate"
    assert world.stopped == [world.node("a.onExit")["id"]]
    assert world.run.finished


def test_a_handler_that_has_begun_is_seen_through_whatever_its_expression_says_now() -> None:
    hook = {"template": "tidy", "expression": "workflow.parameters.tidy == 'yes'"}
    spec = steps_of(step("a", hooks={"exit": hook}), step("b", hooks={"exit": hook}), templates=(POD, TIDY))
    world = World(workflow({**spec, "arguments": {"parameters": values(tidy="yes")}}))
    world.begin()
    world.finish_pod("a")
    world.edit({"spec": {"arguments": {"parameters": values(tidy="no")}}})
    assert world.status["phase"] == "Running"
    world.finish_pod("a.onExit")
    world.finish_pod("b")
    assert "wf[1].b.onExit" not in world.phases()
    assert world.status["phase"] == "Succeeded"


def test_a_restart_in_the_middle_of_a_handler_waits_for_it() -> None:
    world = handled("Failed")
    world.begin()
    world.finish_pod("wf")
    world.reopen()
    assert [command.node_name for command in world.pods.values()] == ["wf.onExit"]
    world.play()
    assert world.status["phase"] == "Failed"


@pytest.mark.parametrize(("shape", "told"), [(steps_of, ["0", "1"]), (dag_of, ["{{item}}", "{{item}}"])])
def test_the_handlers_of_a_steps_loop_know_its_item_and_those_of_a_dag_do_not(shape: Any, told: list[str]) -> None:
    hook = {"template": "show", "arguments": {"parameters": [{"name": "p", "value": "{{item}}"}]}}
    spec = shape(step("a", withItems=[0, 1], hooks={"exit": hook}), templates=(POD, run_of("show")))
    world = World(workflow(spec)).play()
    handlers = [node for node in world.status["nodes"].values() if node["name"].endswith(").onExit")]
    assert [node["inputs"]["parameters"][0]["value"] for node in handlers] == told
