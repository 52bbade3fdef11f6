"""parallelism, failFast, activeDeadlineSeconds, shutdown, suspension of the whole."""

from __future__ import annotations

from typing import Any

import pytest

from engine_world import POD, START, World, dag_of, ended, outcomes, step, steps_of, workflow
from tiphys.workflow.engine.protocol import PodReport

FAN = {"withSequence": {"count": 5}}


def running(world: World) -> int:
    """Pods that have been asked for and have not ended."""
    return len(world.pods)


@pytest.mark.parametrize("shape", [steps_of, dag_of])
def test_a_workflow_has_no_more_pods_at_once_than_it_may(shape: Any) -> None:
    world = World(workflow(shape(step("a", **FAN), parallelism=2)))
    world.begin()
    most = 0
    while not world.run.finished:
        most = max(most, running(world))
        world.step()
    assert (most, len(world.created)) == (2, 5)


@pytest.mark.parametrize("shape", [steps_of, dag_of])
def test_a_template_has_no_more_steps_at_once_than_it_may(shape: Any) -> None:
    spec = shape(step("a", **FAN))
    spec["templates"][0]["parallelism"] = 3
    world = World(workflow(spec))
    world.begin()
    assert running(world) == 3
    world.play()
    assert len(world.created) == 5


def test_each_use_of_a_template_counts_for_itself() -> None:
    inner = {**steps_of(step("x", **FAN))["templates"][0], "name": "inner", "parallelism": 1}
    world = World(workflow(steps_of([step("a", "inner"), step("b", "inner")], templates=(inner, POD))))
    world.begin()
    assert running(world) == 2


def test_those_who_wait_start_in_order_also_after_a_restart() -> None:
    world = World(workflow(steps_of(step("a", **FAN), parallelism=1)))
    world.begin()
    order = []
    while not world.run.finished:
        order.append(next(iter(world.pods.values())).node_name)
        world.handle(ended(world.pods.pop(next(iter(world.pods))), "Succeeded"))
        if not world.run.finished:
            world.reopen()
    assert order == [f"wf[0].a({n}:{n})" for n in range(5)]


def test_places_are_known_again_after_a_restart_wherever_they_were_taken() -> None:
    inner = {"name": "inner", "steps": [[step("x")]]}
    spec = steps_of(step("a", "inner"), [step("b"), step("c")], templates=(inner, POD))
    spec["templates"][0]["parallelism"] = 1
    world = World(workflow(spec))
    world.begin()
    world.finish_pod("x")
    world.reopen()
    assert running(world) == 1
    world.play()
    assert world.status["phase"] == "Succeeded"


def test_fail_fast_starts_nothing_more_after_a_failure() -> None:
    spec = steps_of(step("a", **FAN))
    spec["templates"][0] |= {"parallelism": 2, "failFast": True}
    world = World(workflow(spec), outcomes(a="Failed"))
    world.begin()
    world.handle(ended(world.pods.pop(next(iter(world.pods))), "Failed"))
    assert world.status["phase"] == "Running"
    world.handle(ended(world.pods.pop(next(iter(world.pods))), "Succeeded"))
    assert len(world.created) == 2
    assert world.status["phase"] == "Failed"
    assert world.status["message"] == "template has failed or errored children and failFast enabled"
    assert world.node("wf[0]")["message"] == world.status["message"]
    assert "outboundNodes" not in world.node("wf")


def test_fail_fast_lets_all_run_that_goes_well() -> None:
    again = {**POD, "name": "again", "retryStrategy": {"limit": 1}}
    spec = steps_of(step("a", "again", **FAN), templates=(again,))
    spec["templates"][0] |= {"parallelism": 2, "failFast": True}
    world = World(workflow(spec))
    world.answer = lambda command: ended(command, "Failed" if command.node_name.endswith("(0)") else "Succeeded")
    world.play()
    assert (len(world.created), world.status["phase"]) == (10, "Succeeded")


def test_attempts_wait_for_a_place_too() -> None:
    again = {**POD, "name": "again", "retryStrategy": {"limit": 2}}
    world = World(workflow(steps_of(step("a", "again", **FAN), templates=(again,), parallelism=1)))
    world.answer = lambda command: ended(command, "Succeeded" if command.node_name.endswith("(1)") else "Failed")
    world.begin()
    while not world.run.finished:
        assert running(world) <= 1
        assert world.step()
    assert (len(world.created), world.status["phase"]) == (10, "Succeeded")


# -- deadline


def test_what_runs_when_the_deadline_passes_fails_and_nothing_more_starts() -> None:
    world = World(workflow(steps_of([step("a"), step("b")], step("c"), activeDeadlineSeconds=30)))
    world.begin()
    assert all((command.deadline - START).total_seconds() == 30 for command in world.created if command.deadline)
    world.handle(PodReport(world.node("a")["id"], "Running"))
    world.tick(30)
    assert {name: phase for name, phase in world.phases().items() if "." in name} == {
        "wf[0].a": "Failed",
        "wf[0].b": "Failed",
    }
    assert world.node("a")["message"] == "Step exceeded its deadline"
    assert len(world.stopped) == 2
    assert world.status["phase"] == "Failed"


def test_a_deadline_holds_for_suspensions_and_not_for_exit_handlers() -> None:
    spec = {
        "entrypoint": "wait",
        "templates": [{"name": "wait", "suspend": {}}, {**POD, "name": "tidy"}],
        "activeDeadlineSeconds": 10,
        "onExit": "tidy",
    }
    world = World(workflow(spec))
    world.begin()
    world.tick(10)
    assert world.node("wf")["message"] == "Step exceeded its deadline"
    assert [(command.node_name, command.deadline) for command in world.created] == [("wf.onExit", None)]
    world.tick(10)
    world.finish_pod("wf.onExit")
    assert (world.status["phase"], world.status["message"]) == ("Failed", "Step exceeded its deadline")


def test_no_more_attempts_after_the_deadline() -> None:
    spec = {
        "entrypoint": "pod",
        "templates": [{**POD, "retryStrategy": {"backoff": {"duration": "1m"}}}],
        "activeDeadlineSeconds": 30,
    }
    world = World(workflow(spec), outcomes(wf="Failed"))
    world.begin()
    world.handle(ended(world.pods.pop(next(iter(world.pods))), "Failed"))
    world.tick(30)
    assert world.status["message"] == "retry exceeded workflow deadline 2026-11-23 12:00:30 +0000 UTC"


# -- shutdown


def handled(shutdown: str) -> World:
    """A workflow of two steps with an exit handler, shut down while the first runs."""
    world = World(workflow(steps_of(step("a"), step("b"), templates=(POD, {**POD, "name": "tidy"}), onExit="tidy")))
    world.begin()
    world.handle(PodReport(world.node("a")["id"], "Running"))
    world.edit({"spec": {"shutdown": shutdown}})
    return world


def test_a_stop_ends_what_runs_and_runs_the_exit_handler() -> None:
    world = handled("Stop")
    assert world.node("a")["message"] == "workflow shutdown with strategy:  Stop"
    world.play()
    assert world.node("wf.onExit")["phase"] == "Succeeded"
    assert "wf[1]" not in world.phases()
    assert (world.status["phase"], world.status["message"]) == ("Failed", "Stopped with strategy 'Stop'")


def test_a_termination_runs_none() -> None:
    world = handled("Terminate")
    assert world.run.finished
    assert "wf.onExit" not in world.phases()
    assert (world.status["phase"], world.status["message"]) == ("Failed", "Stopped with strategy 'Terminate'")


def test_a_termination_after_a_stop_ends_the_exit_handler() -> None:
    world = handled("Stop")
    world.handle(PodReport(world.node("wf.onExit")["id"], "Running"))
    world.edit({"spec": {"shutdown": "Terminate"}})
    assert world.run.finished
    assert world.node("wf.onExit")["phase"] == "Failed"


def test_a_shutdown_ends_retries_and_dags() -> None:
    spec = dag_of(step("a", "again"), templates=({**POD, "name": "again", "retryStrategy": {"limit": 5}},))
    world = World(workflow(spec))
    world.begin()
    world.edit({"spec": {"shutdown": "Stop"}})
    assert world.node("wf.a")["message"] == "Stopped with strategy 'Stop'"
    assert world.status["phase"] == "Failed"


def test_a_shutdown_before_the_first_pod_runs_nothing() -> None:
    world = World(workflow(steps_of(step("a"), shutdown="Terminate"))).play()
    assert world.created == []
    assert world.node("a")["message"] == "workflow shutdown with strategy: Terminate"
    assert world.status["phase"] == "Failed"


# -- suspension of the whole


def test_a_suspended_workflow_takes_results_and_starts_nothing() -> None:
    world = World(workflow(steps_of(step("a"), step("b"), step("c"))))
    world.begin()
    world.edit({"spec": {"suspend": True}})
    world.finish_pod("a")
    assert world.node("a")["phase"] == "Succeeded"
    assert len({command.node_id for command in world.created}) == 1
    world.edit({"spec": {"suspend": None}})
    assert "wf[1].b" in world.phases()
    world.play()
    assert world.status["phase"] == "Succeeded"


def test_a_workflow_that_is_suspended_from_the_start_waits() -> None:
    world = World(workflow(dag_of(step("a"), suspend=True))).play()
    assert (world.status["phase"], world.created) == ("Running", [])
    world.edit({"spec": {"suspend": False}})
    assert world.play().status["phase"] == "Succeeded"


def test_a_suspended_workflow_can_be_terminated() -> None:
    world = World(workflow(steps_of(step("a"), step("b"))))
    world.begin()
    world.edit({"spec": {"suspend": True}})
    world.edit({"spec": {"shutdown": "Terminate"}})
    assert world.status["phase"] == "Failed"
