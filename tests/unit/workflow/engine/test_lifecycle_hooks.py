"""Hooks with an expression, of workflows, steps and tasks: when they start, and who waits for them."""

from __future__ import annotations

from typing import Any

import pytest

from engine_world import POD, World, dag_of, ended, outcomes, run_of, step, steps_of, values, workflow
from tiphys.workflow.engine.protocol import PodReport

HOOKED = {"hooked": True}


def when(condition: str, template: str = "pod", **fields: Any) -> dict[str, Any]:
    """A hook."""
    return {"template": template, "expression": condition, **fields}


def running(world: World, name: str) -> None:
    """The pod of this node is seen to run."""
    world.handle(PodReport(world.node(name)["id"], "Running"))


# -- of steps and tasks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [steps_of, dag_of])
def test_a_hook_starts_when_its_expression_holds_and_what_follows_waits_for_it(shape: Any) -> None:
    role = "tasks" if shape is dag_of else "steps"
    hooks = {word.lower(): when(f"{role}.a.status == '{word}'") for word in ("Running", "Succeeded", "Failed")}
    second = step("b", dependencies=["a"]) if shape is dag_of else step("b")
    world = World(workflow(shape(step("a", hooks=hooks), second)))
    world.begin()
    assert "a.hooks.running" not in {node["displayName"] for node in world.status["nodes"].values()}
    running(world, "a")
    hook = world.node("a.hooks.running")
    assert (hook["phase"], hook["nodeFlag"], hook["boundaryID"]) == ("Pending", HOOKED, "wf")
    assert hook["id"] in world.node("a")["children"]
    world.finish_pod("a")
    assert world.node("a.hooks.succeeded")["phase"] == "Pending"
    world.finish_pod("a.hooks.succeeded")
    assert "b" not in {node["displayName"] for node in world.status["nodes"].values()}
    world.finish_pod("a.hooks.running")
    assert world.node("b")["phase"] == "Pending"
    world.play()
    assert (world.status["phase"], world.status["progress"]) == ("Succeeded", "4/4")
    assert "a.hooks.failed" not in {node["displayName"] for node in world.status["nodes"].values()}


@pytest.mark.parametrize("shape", [steps_of, dag_of])
def test_how_a_hook_ends_does_not_matter_to_its_step(shape: Any) -> None:
    role = "tasks" if shape is dag_of else "steps"
    world = World(workflow(shape(step("a", hooks={"late": when(f"{role}.a.status == 'Succeeded'")}))))
    world.answer = lambda command: ended(command, "Failed" if "hooks" in command.node_name else "Succeeded")
    world.play()
    assert (world.node("a.hooks.late")["phase"], world.status["phase"]) == ("Failed", "Succeeded")


@pytest.mark.parametrize("shape", [steps_of, dag_of])
def test_a_hook_of_a_failed_step_runs_before_the_exit_handler_and_sees_its_outputs(shape: Any) -> None:
    role = "tasks" if shape is dag_of else "steps"
    told = {"parameters": [{"name": "p", "value": f"{{{{{role}.a.outputs.parameters.o}}}}"}]}
    giver = {**POD, "name": "giver", "outputs": {"parameters": [{"name": "o", "valueFrom": {"path": "/o"}}]}}
    hooks = {"failed": when(f"{role}.a.status == 'Failed'", "show", arguments=told), "exit": {"template": "pod"}}
    world = World(workflow(shape(step("a", "giver", hooks=hooks), templates=(POD, giver, run_of("show")))))
    world.answer = lambda command: (
        ended(command, "Failed", parameters=values(o="7"))
        if command.node_name.endswith("a")
        else ended(command, "Succeeded")
    )
    world.play()
    assert [command.node_name.partition("a")[2] for command in world.created] == ["", ".hooks.failed", ".onExit"]
    assert world.created[1].template["container"]["command"] == ["echo", "7"]
    assert world.status["phase"] == "Failed"


def test_a_hook_of_a_retried_step_hangs_beside_the_attempts() -> None:
    again = {**POD, "name": "again", "retryStrategy": {"limit": 2}}
    hooks = {
        "started": when('steps["a"].status == "Running"'),
        "success": when('steps["a"].status == "Succeeded"'),
        "failed": when('steps["a"].status == "Failed"'),
    }
    world = World(workflow(steps_of(step("a", "again", hooks=hooks), step("b"), templates=(again, POD))))
    world.answer = lambda command: ended(command, "Failed" if command.node_name.endswith("a(0)") else "Succeeded")
    world.play()
    names = [world.status["nodes"][child]["name"] for child in world.node("a")["children"]]
    assert names == ["wf[0].a(0)", "wf[0].a.hooks.started", "wf[0].a(1)", "wf[0].a.hooks.success"]
    assert world.node("a")["phase"] == world.node("b")["phase"] == world.status["phase"] == "Succeeded"
    assert world.node("a(1)")["nodeFlag"] == {"retried": True}


def test_a_hook_that_retries_is_flagged_as_its_attempts_are() -> None:
    again = {**POD, "name": "again", "retryStrategy": {"limit": 1}}
    hooks = {"late": when("steps.a.status == 'Succeeded'", "again"), "exit": {"template": "again"}}
    world = World(workflow(steps_of(step("a", hooks=hooks), templates=(again, POD))))
    world.answer = lambda command: ended(command, "Failed" if command.node_name.endswith("(0)") else "Succeeded")
    world.play()
    for name in ("wf[0].a.hooks.late", "wf[0].a.onExit"):
        both = {"hooked": True, "retried": True}  # the Retry node, too, in Argo
        assert world.node(name)["type"] == "Retry"
        assert world.node(name)["nodeFlag"] == world.node(f"{name}(1)")["nodeFlag"] == both
    assert world.status["phase"] == "Succeeded"


def test_each_item_of_a_steps_loop_has_its_hooks_and_a_loop_of_a_dag_has_them_once() -> None:
    each = {"late": when('steps["a({{item}}:{{item}})"].status == "Succeeded"')}
    world = World(workflow(steps_of(step("a", withItems=[0, 1], hooks=each)))).play()
    assert {"wf[0].a(0:0).hooks.late", "wf[0].a(1:1).hooks.late"} <= set(world.phases())
    once = {"late": when("tasks.a.status == 'Succeeded'")}
    world = World(workflow(dag_of(step("a", withItems=[0, 1], hooks=once)))).play()
    assert [name for name in world.phases() if "hooks" in name] == ["wf.a.hooks.late"]
    assert world.status["phase"] == "Succeeded"


def test_a_hook_of_a_task_may_ask_whether_it_was_omitted() -> None:
    after = step("b", depends="a.Failed", hooks={"left-out": when("tasks.b.status == 'Omitted'")})
    world = World(workflow(dag_of(step("a"), after))).play()
    assert (world.node("b.hooks.left-out")["phase"], world.status["phase"]) == ("Succeeded", "Succeeded")


def test_what_a_failed_task_leaves_out_has_no_hooks_of_its_running() -> None:
    """As TestTemplateLevelHooksDagHasDependencyVersion of Argo's own suite expects it."""
    hooks = {
        name: {word.lower(): when(f"tasks.{name}.status == '{word}'") for word in ("Running", "Succeeded")}
        for name in "AB"
    }
    spec = dag_of(step("A", hooks=hooks["A"]), step("B", dependencies=["A"], hooks=hooks["B"]))
    world = World(workflow(spec), outcomes(A="Failed")).play()
    assert world.phases() == {"wf": "Failed", "wf.A": "Failed", "wf.A.hooks.running": "Succeeded", "wf.B": "Omitted"}
    assert world.status["progress"] == "1/2"


@pytest.mark.parametrize(
    ("shape", "phase", "message"),
    [
        (steps_of, "Failed", "unable to evaluate"),
        (dag_of, "Error", "error in entry template execution: unable to evaluate"),
    ],
)
def test_a_hook_that_cannot_be_evaluated_fails_steps_and_is_the_error_of_a_dag(
    shape: Any, phase: str, message: str
) -> None:
    world = World(workflow(shape(step("a", hooks={"odd": when("steps.nobody.status == tasks.nobody.status")})))).play()
    assert world.status["phase"] == phase
    assert world.status["message"].startswith(message)


@pytest.mark.parametrize("shape", [steps_of, dag_of])
@pytest.mark.parametrize("name", ["exit", "late"])
def test_a_hook_whose_template_cannot_be_run_says_so(shape: Any, name: str) -> None:
    hook = {"template": "show", "expression": "true"}
    world = World(workflow(shape(step("a", hooks={name: hook}), templates=(POD, run_of("show"))))).play()
    assert world.status["phase"] == ("Failed" if (shape, name) == (steps_of, "late") else "Error")
    assert world.status["message"].endswith("inputs.parameters.p was not supplied")


@pytest.mark.parametrize("shape", [steps_of, dag_of])
def test_the_expression_of_an_exit_hook_that_cannot_be_evaluated_is_the_workflows_error(shape: Any) -> None:
    world = World(workflow(shape(step("a", hooks={"exit": when("1 +")})))).play()
    assert world.status["phase"] == world.node("wf")["phase"] == "Error"


def test_the_same_in_steps_within_a_step_fails_it() -> None:
    inner = {"name": "inner", "steps": [[step("a", hooks={"exit": when("1 +")})]]}
    world = World(workflow(steps_of(step("outer", "inner"), templates=(inner, POD)))).play()
    assert (world.node("outer")["phase"], world.status["phase"]) == ("Failed", "Failed")


@pytest.mark.parametrize("shape", [steps_of, dag_of])
def test_a_restart_takes_up_the_hooks_that_have_begun_and_starts_none_twice(shape: Any) -> None:
    role = "tasks" if shape is dag_of else "steps"
    hooks = {word.lower(): when(f"{role}.a.status == '{word}'") for word in ("Running", "Succeeded")}
    world = World(workflow(shape(step("a", hooks=hooks))))
    world.begin()
    running(world, "a")
    world.reopen()
    world.handle(PodReport(world.node("a")["id"], "Succeeded"))
    world.reopen()
    assert {command.node_name.partition("a")[2] for command in world.pods.values()} == {
        ".hooks.running",
        ".hooks.succeeded",
    }
    assert world.status["phase"] == "Running"
    world.play()
    assert (world.status["phase"], world.status["progress"]) == ("Succeeded", "3/3")


def test_a_hook_of_nested_steps_goes_on_when_they_have_ended() -> None:
    inner = {"name": "inner", "steps": [[step("x")]]}
    spec = steps_of(step("a", "inner", hooks={"on": when("steps.a.status == 'Running'")}), templates=(inner, POD))
    world = World(workflow(spec))
    world.begin()
    world.finish_pod("x")
    assert (world.node("a")["phase"], world.node("a.hooks.on")["phase"]) == ("Succeeded", "Pending")
    assert world.status["phase"] == "Running"
    world.play()
    assert (world.node("a.hooks.on")["phase"], world.status["phase"]) == ("Succeeded", "Succeeded")


def test_a_termination_ends_the_hooks_too() -> None:
    world = World(workflow(steps_of(step("a", hooks={"on": when("steps.a.status == 'Running'")}))))
    world.begin()
    running(world, "a")
    running(world, "a.hooks.on")
    world.edit({"spec": {"shutdown": "Terminate"}})
    assert world.node("a.hooks.on")["message"] == "workflow shutdown with strategy:  Terminate"
    assert world.run.finished


@pytest.mark.parametrize("limit", [{"parallelism": 1}, {}])
def test_a_hook_for_which_there_is_no_place_waits_for_one(limit: dict[str, int]) -> None:
    spec = steps_of(step("a", hooks={"on": when("steps.a.status == 'Running'")}), **limit)
    if not limit:
        spec["templates"][0]["parallelism"] = 1
    world = World(workflow(spec))
    world.begin()
    running(world, "a")
    assert len(world.pods) == 1
    world.finish_pod("a")
    assert [command.node_name for command in world.pods.values()] == ["wf[0].a.hooks.on"]
    assert world.play().status["phase"] == "Succeeded"


# -- of the workflow --------------------------------------------------------------------------------------------------


def test_the_workflows_hooks_follow_its_phase_and_the_exit_handler_waits_for_them() -> None:
    words = ("Running", "Succeeded", "Failed")
    hooks = {word.lower(): when(f'workflow.status == "{word}"') for word in words} | {"exit": {"template": "pod"}}
    world = World(workflow(steps_of(step("a"), hooks=hooks)))
    world.begin()
    hook = world.node("wf.hooks.running")
    assert (hook["phase"], hook["nodeFlag"]) == ("Pending", HOOKED)
    assert "boundaryID" not in hook
    assert hook["id"] in world.node("wf")["children"]
    world.finish_pod("wf[0].a")
    assert (world.node("wf")["phase"], world.node("wf.hooks.succeeded")["phase"]) == ("Succeeded", "Pending")
    world.finish_pod("wf.hooks.succeeded")
    assert (world.status["phase"], "wf.onExit" in world.phases()) == ("Running", False)
    world.reopen()
    world.finish_pod("wf.hooks.running")
    assert world.node("wf.onExit")["phase"] == "Pending"
    world.play()
    assert (world.status["phase"], world.status["progress"]) == ("Succeeded", "4/4")
    assert "wf.hooks.failed" not in world.phases()


def test_a_workflows_hook_knows_what_failed() -> None:
    show = {"name": "show", "container": {"image": "x", "args": ["{{workflow.status}} {{workflow.failures}}"]}}
    hooks = {"failed": when("workflow.status == 'Failed'", "show")}
    world = World(workflow(steps_of(step("a"), templates=(POD, show), hooks=hooks)), outcomes(a="Failed")).play()
    told = next(c for c in world.created if c.node_name == "wf.hooks.failed").template["container"]["args"][0]
    assert told.startswith("Failed ")
    assert '\\"displayName\\":\\"a\\"' in told
    assert (world.status["phase"], world.status["progress"]) == ("Failed", "1/2")


def test_a_workflows_hook_may_speak_of_exported_outputs() -> None:
    out = {"name": "o", "globalName": "told", "valueFrom": {"path": "/o"}}
    giver = {**POD, "name": "giver", "outputs": {"parameters": [out]}}
    hooks = {"told": when("(workflow.outputs?.parameters?.told ?? '') == '7'")}
    spec = steps_of(step("a", "giver"), step("b"), templates=(giver, POD), hooks=hooks)
    world = World(workflow(spec))
    world.begin()
    a = world.pods.pop(world.node("a")["id"])
    row = {"name": "o", "globalName": "told", "value": "7"}
    world.handle(ended(a, "Succeeded", parameters=[row]))
    assert world.node("wf.hooks.told")["phase"] == "Pending"
    assert world.play().status["phase"] == "Succeeded"


@pytest.mark.parametrize("shape", [steps_of, dag_of])
def test_a_workflows_hook_that_cannot_be_evaluated_is_its_error_and_the_exit_handler_runs(shape: Any) -> None:
    hooks = {"odd": when("workflow.nothing.at.all == 'x'"), "exit": {"template": "pod"}}
    world = World(workflow(shape(step("a"), hooks=hooks))).play()
    assert world.status["phase"] == world.node("wf")["phase"] == "Error"
    assert world.status["message"].startswith("unable to evaluate")
    assert world.node("wf.onExit")["phase"] == "Succeeded"


def test_a_workflows_hook_that_can_only_be_evaluated_for_a_while_is_its_error_in_the_end() -> None:
    hooks = {"odd": when("workflow.status == 'Running' ? false : workflow.nothing.at.all == 'x'")}
    world = World(workflow(steps_of(step("a"), hooks=hooks))).play()
    assert (world.node("wf")["phase"], world.status["phase"]) == ("Succeeded", "Error")


def test_the_hooks_of_a_workflow_whose_entry_is_retried_are_no_attempts() -> None:
    """As TestWorkflowLevelHooksWithRetry of Argo's own suite expects it."""
    hooks = {word.lower(): when(f'workflow.status == "{word}"', "hook") for word in ("Failed", "Running")}
    again = {**POD, "name": "again", "retryStrategy": {"limit": 1}}
    spec = {"entrypoint": "again", "templates": [again, {**POD, "name": "hook"}], "hooks": hooks}
    world = World(workflow(spec))
    world.answer = lambda command: ended(command, "Failed" if command.node_name.startswith("wf(") else "Succeeded")
    world.play()
    assert (world.status["phase"], world.status["progress"]) == ("Failed", "2/4")
    assert world.node("wf.hooks.running")["nodeFlag"] == world.node("wf.hooks.failed")["nodeFlag"] == HOOKED
    assert (world.node("wf")["type"], world.node("wf")["message"]) == ("Retry", "No more retries left")


def test_an_exit_handler_that_retries_is_taken_up_by_a_restart_at_any_moment() -> None:
    again = {**POD, "name": "again", "retryStrategy": {"limit": 1}}
    late = when("steps.a.status == 'Succeeded'", "again")
    spec = steps_of(step("a", "again", hooks={"late": late, "exit": {"template": "again"}}), templates=(again, POD))
    world = World(workflow({**spec, "onExit": "again"}))
    world.answer = lambda command: ended(command, "Failed" if command.node_name.endswith("(0)") else "Succeeded")
    while not world.run.finished:
        world.step()
        world.reopen()
    assert (world.status["phase"], world.status["progress"]) == ("Succeeded", "4/8")
    assert [node["phase"] for node in world.status["nodes"].values() if node["type"] == "Retry"] == ["Succeeded"] * 4


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"shutdown": "Stop"}, "Stopped with strategy 'Stop'"),
        ({"activeDeadlineSeconds": 1}, "retry exceeded workflow deadline 2026-11-23 12:00:01 +0000 UTC"),
    ],
)
def test_an_exit_handler_is_not_tried_again_in_a_workflow_that_is_stopped_or_out_of_time(
    edit: dict[str, Any], message: str
) -> None:
    again = {**POD, "name": "again", "retryStrategy": {"limit": 3}}
    world = World(workflow(steps_of(step("a"), templates=(POD, again), onExit="again")))
    world.begin()
    world.finish_pod("a", None)
    world.edit({"spec": edit})
    world.tick(2)
    world.finish_pod("wf.onExit(0)", ended(world.pods[world.node("wf.onExit(0)")["id"]], "Failed"))
    assert (world.node("wf.onExit")["phase"], world.node("wf.onExit")["message"]) == ("Failed", message)
    assert world.run.finished


def test_while_a_task_is_pending_only_the_hooks_of_targets_are_looked_at() -> None:
    def pending(name: str) -> dict[str, Any]:
        return {"early": when(f"tasks.{name}.status == 'Pending'")}

    spec = dag_of(step("a", hooks=pending("a")), step("b", hooks=pending("b"), dependencies=["a"]))
    world = World(workflow(spec)).play()
    assert [name for name in world.phases() if "hooks" in name] == ["wf.b.hooks.early"]


@pytest.mark.parametrize("shape", [steps_of, dag_of])
def test_a_hook_outlives_its_step_after_a_restart_as_before(shape: Any) -> None:
    role = "tasks" if shape is dag_of else "steps"
    world = World(workflow(shape(step("a", hooks={"on": when(f"{role}.a.status == 'Running'")}))))
    world.begin()
    running(world, "a")
    world.reopen()
    world.handle(PodReport(world.node("a")["id"], "Succeeded"))
    assert world.status["phase"] == "Running"
    world.finish_pod("a.hooks.on")
    assert (world.node("a.hooks.on")["phase"], world.status["phase"]) == ("Succeeded", "Succeeded")
