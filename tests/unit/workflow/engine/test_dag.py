"""Templates of kind `dag`."""

from __future__ import annotations

from typing import Any

import pytest

from engine_world import POD, World, dag_of, ended, outcomes, run_of, step, workflow
from tiphys.workflow.engine.protocol import CreatePod, PodReport


def test_a_task_starts_as_soon_as_those_it_depends_on_are_over() -> None:
    tasks = (step("a"), step("b"), step("c", dependencies=["a"]), step("d", dependencies=["a", "b"]))
    world = World(workflow(dag_of(*tasks)))
    world.begin()
    assert {command.node_name for command in world.created} == {"wf.a", "wf.b"}
    world.finish_pod("a")
    assert world.created[-1].node_name == "wf.c"
    world.finish_pod("b")
    assert world.created[-1].node_name == "wf.d"
    world.play()
    assert world.status["phase"] == "Succeeded"


def test_what_depends_on_a_failed_task_is_omitted() -> None:
    world = World(workflow(dag_of(step("a"), step("b", dependencies=["a"]), step("c"))), outcomes(a="Failed")).play()
    omitted = world.node("b")
    assert (omitted["type"], omitted["phase"], omitted["message"]) == (
        "Skipped", "Omitted", "omitted: depends condition not met",
    )  # fmt: skip
    assert world.node("c")["phase"] == "Succeeded"
    assert world.status["phase"] == "Failed"
    assert "message" not in world.status


@pytest.mark.parametrize(
    ("condition", "end", "runs"),
    [
        ("a.Succeeded", "Succeeded", True),
        ("a.Succeeded", "Failed", False),
        ("a.Failed", "Failed", True),
        ("a.Failed", "Error", False),
        ("a.Errored", "Error", True),
        ("a.Failed || a.Errored", "Error", True),
        ("!a.Succeeded", "Failed", True),
        ("a", "Failed", False),
        ("a", "Succeeded", True),
        ("a.Skipped", "Succeeded", False),
    ],
)
def test_depends_asks_how_a_task_ended(condition: str, end: str, runs: bool) -> None:
    world = World(workflow(dag_of(step("a"), step("b", depends=condition))), outcomes(a=end)).play()
    assert world.node("b")["phase"] == ("Succeeded" if runs else "Omitted")


def test_depends_knows_skipped_and_omitted_tasks() -> None:
    tasks = (
        step("skipped", when="1 == 2"),
        step("bad"),
        step("omitted", depends="bad.Succeeded"),
        step("after-skipped", depends="skipped.Skipped"),
        step("after-omitted", depends="omitted.Omitted"),
    )
    world = World(workflow(dag_of(*tasks)), outcomes(bad="Failed")).play()
    assert world.node("after-skipped")["phase"] == world.node("after-omitted")["phase"] == "Succeeded"


@pytest.mark.parametrize(
    ("ends", "any_succeeded", "all_failed"),
    [(("Failed", "Failed"), False, True), (("Failed", "Succeeded"), True, False), (("Error", "Failed"), False, False)],
)
def test_depends_asks_how_the_steps_of_a_loop_ended(
    ends: tuple[str, str], any_succeeded: bool, all_failed: bool
) -> None:
    tasks = (
        step("loop", withItems=[0, 1]),
        step("some", depends="loop.AnySucceeded"),
        step("none", depends="loop.AllFailed"),
    )
    left = iter(ends)
    world = World(workflow(dag_of(*tasks)))
    world.answer = lambda command: (
        outcomes(loop=next(left))(command) if "loop" in command.node_name else outcomes()(command)
    )
    world.play()
    assert (world.node("some")["phase"] == "Succeeded") is any_succeeded
    assert (world.node("none")["phase"] == "Succeeded") is all_failed


def test_continue_on_lets_the_next_task_run_and_the_dag_succeed() -> None:
    tasks = (step("a", continueOn={"failed": True}), step("b", dependencies=["a"]))
    world = World(workflow(dag_of(*tasks)), outcomes(a="Failed")).play()
    assert world.node("b")["phase"] == world.status["phase"] == "Succeeded"


@pytest.mark.parametrize(
    ("forgiven", "end", "phase"),
    [
        ("failed", "Failed", "Succeeded"),
        ("error", "Error", "Succeeded"),
        ("failed", "Error", "Error"),
        ("error", "Failed", "Failed"),
    ],
)
def test_a_target_is_forgiven_what_it_names(forgiven: str, end: str, phase: str) -> None:
    spec = dag_of(step("a", continueOn={forgiven: True}), step("b"))
    assert World(workflow(spec), outcomes(a=end)).play().status["phase"] == phase


def test_a_branch_that_did_not_run_ended_as_what_came_before_it() -> None:
    again = {**POD, "name": "again", "retryStrategy": {"limit": 1}}
    tasks = (step("a", "again"), step("b", dependencies=["a"], when="1 == 2"), step("c", depends="a.Failed"))
    world = World(workflow(dag_of(*tasks, templates=(POD, again))))
    left = iter(["Failed", "Succeeded"])
    world.answer = lambda command: ended(command, next(left))
    world.play()
    assert (world.node("b")["phase"], world.node("c")["phase"], world.status["phase"]) == (
        "Skipped", "Omitted", "Succeeded",
    )  # fmt: skip


def test_only_what_the_targets_need_runs() -> None:
    tasks = (step("a"), step("b", dependencies=["a"]), step("c", dependencies=["a"]))
    world = World(workflow(dag_of(*tasks, dag={"target": "b"}))).play()
    assert set(world.phases()) == {"wf", "wf.a", "wf.b"}


def test_the_first_failed_target_decides_or_the_last() -> None:
    def phase(fail_fast: bool) -> str:
        spec = dag_of(step("a"), step("b"), dag={"failFast": fail_fast})
        return str(World(workflow(spec), outcomes(a="Failed", b="Error")).play().status["phase"])

    assert phase(True) == "Failed"
    assert phase(False) == "Error"


def test_tasks_speak_of_those_before_them_however_far() -> None:
    show = run_of("show")
    tasks = (
        step("a"),
        step("b", dependencies=["a"]),
        step("c", "show", dependencies=["b"], p="{{tasks.a.outputs.result}}"),
        step("stranger", "show", p="{{tasks.a.outputs.result}}"),
    )
    world = World(workflow(dag_of(*tasks, templates=(show, {"name": "pod", "container": {"image": "x"}}))))
    world.answer = outcomes(a={"result": "42"})
    world.play()
    assert world.node("c")["inputs"]["parameters"][0]["value"] == "42"
    assert world.node("stranger")["phase"] == "Error"
    assert (
        world.node("stranger")["message"] == "failed to resolve {{tasks.a.outputs.result}}: that step has no such value"
    )


@pytest.mark.parametrize(
    ("tasks", "words"),
    [
        ([step("a", dependencies=["nobody"])], "depends on 'nobody', which is not defined"),
        ([step("a", dependencies=["b"]), step("b", dependencies=["a"])], "in a circle"),
        ([step("a"), step("b", depends="a.Sideways")], "task result 'Sideways' for task 'a' is invalid"),
        ([step("a"), step("b", depends="a &&")], "invalid depends 'a &&'"),
    ],
)
def test_a_dag_that_cannot_be_says_why(tasks: list[dict[str, object]], words: str) -> None:
    world = World(workflow(dag_of(*tasks))).play()
    assert world.status["phase"] == "Error"
    assert words in world.status["message"]


def test_an_unknown_target_is_told() -> None:
    world = World(workflow(dag_of(step("a"), dag={"target": "b"}))).play()
    assert "target 'b' is not defined" in world.status["message"]


def test_a_loop_is_a_group_of_nodes() -> None:
    world = World(workflow(dag_of(step("a", withItems=["x", "y"]), step("b", dependencies=["a"])))).play()
    group = world.node("wf.a")
    assert group["type"] == "TaskGroup"
    assert group["children"] == [world.node("a(0:x)")["id"], world.node("a(1:y)")["id"]]
    assert world.node("b")["id"] in world.node("a(0:x)")["children"]


def test_a_loop_with_a_failed_step_has_failed() -> None:
    world = World(
        workflow(dag_of(step("a", withItems=[0, 1]))),
        lambda c: outcomes(**{"a": "Failed" if "1:" in c.node_name else "Succeeded"})(c),
    ).play()
    assert world.node("wf.a")["phase"] == world.status["phase"] == "Failed"


def test_a_task_whose_template_errs_says_so_in_its_own_words() -> None:
    world = World(workflow(dag_of(step("a", "nowhere")))).play()
    assert world.node("a")["message"] == "task 'wf.a' errored: template nowhere not found"
    assert world.status["phase"] == "Error"


GIVER = {
    "name": "giver",
    "container": {"image": "x"},
    "outputs": {"parameters": [{"name": "o", "globalName": "g", "valueFrom": {"path": "/o"}}]},
}


def test_a_dag_exports_what_its_tasks_put_out_in_their_order() -> None:
    def put_out(command: CreatePod) -> PodReport:
        return ended(command, "Succeeded", parameters=[{"name": "o", "globalName": "g", "value": command.node_name}])

    world = World(workflow(dag_of(step("b", "giver"), step("a", "giver"), templates=(GIVER,))), put_out)
    world.begin()
    world.finish_pod("a")
    world.finish_pod("b")
    assert world.status["outputs"]["parameters"] == [{"name": "g", "value": "wf.a"}], "though b ended last"


def test_what_a_dag_names_globally_is_exported_by_the_dag_around_it() -> None:
    own = {"parameters": [{"name": "r", "globalName": "r", "valueFrom": {"parameter": "{{tasks.a.exitCode}}"}}]}
    inner = {"name": "inner", "dag": {"tasks": [step("a")]}, "outputs": own}
    alone = World(workflow({"entrypoint": "inner", "templates": [inner, POD]})).play()
    assert (alone.node("wf")["outputs"]["parameters"][0]["value"], "outputs" in alone.status) == ("0", False)
    around = World(workflow(dag_of(step("i", "inner"), templates=(inner, POD)))).play()
    assert around.status["outputs"]["parameters"] == [{"name": "r", "value": "0"}]


def test_the_exit_handlers_of_a_loops_tasks_speak_of_the_task() -> None:
    hook = {"template": "pod", "expression": "tasks.a.status == 'Succeeded'"}
    world = World(workflow(dag_of(step("a", withItems=[1], hooks={"exit": hook})))).play()
    assert world.status["phase"] == "Succeeded"
    assert {"wf.a(0:1).onExit", "wf.a.onExit"} <= set(world.phases())


def test_a_task_after_results_that_make_no_list_is_an_error_though_it_does_not_ask_for_them() -> None:
    talk = {"name": "talk", "script": {"image": "python", "command": ["python"], "source": "print(1)"}}
    asks = step("asks", "show", p="{{tasks.each.outputs.result}}", dependencies=["each"])
    after = step("after", dependencies=["each"])
    last = step("last", dependencies=["asks", "after"])
    spec = dag_of(step("each", "talk", withItems=[1, 2]), asks, after, last, templates=(talk, run_of("show"), POD))
    world = World(workflow(spec), outcomes(each={"result": "heads"})).play()
    why = "invalid character 'h' looking for beginning of value"
    assert [world.node(name)["message"] for name in ("asks", "after")] == [why, why]
    assert world.node("last")["phase"] == "Omitted"
    assert world.status["phase"] == "Error"


def test_the_exit_handler_of_a_task_that_could_not_begin_runs() -> None:
    def ended_with(**fields: Any) -> set[str]:
        tasks = (step("a", hooks={"exit": {"template": "pod"}}, **fields), step("z", dependencies=["a"]))
        return {name for name in World(workflow(dag_of(*tasks))).play().phases() if name.endswith(".onExit")}

    assert ended_with(withParam="no list") == {"wf.a.onExit"}
    assert ended_with(when="1 +") == {"wf.a.onExit"}
    assert ended_with(when="false") == set(), "nor that of one that was not to run"
