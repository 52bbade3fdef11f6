"""Progress and resources of a run that is over."""

from __future__ import annotations

from engine_world import POD, World, dag_of, ended, outcomes, step, steps_of, workflow
from tiphys.workflow.engine.protocol import CreatePod, PodReport


def costing(command: CreatePod) -> PodReport:
    report = ended(command, "Succeeded")
    return PodReport(report.node_id, report.phase, "", report.outputs, "h", "", {"cpu": 1, "memory": 10})


def figures(world: World, name: str) -> tuple[str, dict[str, int]]:
    node = world.node(name)
    return node["progress"], node["resourcesDuration"]


def test_a_group_counts_all_that_comes_after_it() -> None:
    world = World(workflow(steps_of([step("a"), step("b")], step("c"))), costing).play()
    assert figures(world, "wf[1]") == ("1/1", {"cpu": 1, "memory": 10})
    assert figures(world, "wf[0]") == figures(world, "wf") == ("3/3", {"cpu": 3, "memory": 30})
    assert world.status["progress"] == "3/3"
    assert world.status["resourcesDuration"] == {"cpu": 3, "memory": 30}


def test_what_can_be_reached_in_several_ways_counts_once() -> None:
    tasks = (
        step("a"),
        step("b", dependencies=["a"]),
        step("c", dependencies=["a"]),
        step("d", dependencies=["b", "c"]),
    )
    world = World(workflow(dag_of(*tasks)), costing).play()
    assert figures(world, "wf") == ("4/4", {"cpu": 4, "memory": 40})


def test_what_failed_or_was_skipped_is_not_done() -> None:
    spec = steps_of([step("a"), step("b", when="1 == 2"), step("c", continueOn={"failed": True})])
    world = World(workflow(spec), outcomes(c="Failed")).play()
    assert world.status["progress"] == world.node("wf")["progress"] == "1/2"


def test_attempts_count_each() -> None:
    spec = {"entrypoint": "pod", "templates": [{**POD, "retryStrategy": {"limit": 1}}]}
    world = World(workflow(spec), outcomes())
    world.answer = lambda command: ended(command, "Failed" if command.node_name == "wf(0)" else "Succeeded")
    world.play()
    assert world.status["progress"] == "1/2"


def test_while_it_runs_the_progress_is_that_so_far() -> None:
    world = World(workflow(steps_of(step("a", withSequence={"count": 3}))))
    world.begin()
    world.finish_pod("a(1:1)")
    assert world.node("wf")["progress"] == world.status["progress"] == "1/3"
