"""What is written when, and what a tree that is read again knows."""

from __future__ import annotations

from engine_world import World, dag_of, ended, step, steps_of, workflow


def fan_out(count: int) -> World:
    world = World(workflow(steps_of(step("a", withSequence={"count": count}))))
    world.begin()
    return world


def test_a_large_group_is_not_written_with_each_of_its_children() -> None:
    world = fan_out(1000)
    world.changes.clear()
    for command in list(world.pods.values()):
        world.handle(ended(world.pods.pop(command.node_id), "Succeeded"))
    group, entry = world.node("wf[0]")["id"], "wf"
    for node_id in (group, entry):
        assert sum(node_id in changes.nodes for changes in world.changes) < 100
    assert world.node("wf[0]")["progress"] == world.node("wf")["progress"] == "1000/1000"
    assert len(world.node("wf[0]")["children"]) == 1000


def test_a_small_group_is() -> None:
    world = fan_out(3)
    for done in (1, 2):
        world.handle(ended(world.pods.pop(next(iter(world.pods))), "Succeeded"))
        assert world.node("wf[0]")["progress"] == f"{done}/3"


def test_rows_that_waited_are_reckoned_again_after_a_restart() -> None:
    world = fan_out(300)
    for command in list(world.pods.values())[:3]:
        world.handle(ended(world.pods.pop(command.node_id), "Succeeded"))
    world.reopen()
    assert world.node("wf")["progress"] == world.status["progress"] == "3/300"
    world.play()
    assert world.node("wf[0]")["progress"] == "300/300"


def test_progress_goes_on_after_a_restart() -> None:
    world = fan_out(3)
    for done in (1, 2):
        world.handle(ended(world.pods.pop(next(iter(world.pods))), "Succeeded"))
        world.reopen()
        assert world.node("wf[0]")["progress"] == world.node("wf")["progress"] == f"{done}/3"


def test_fields_of_a_row_that_the_engine_does_not_know_stay() -> None:
    world = World(workflow(dag_of(step("a"))))
    world.begin()
    world.edit({"status": {"nodes": {"wf": {"memoizationStatus": {"hit": False}}}}})
    world.play()
    assert world.node("wf")["memoizationStatus"] == {"hit": False}
    assert world.run.nodes["wf"]["memoizationStatus"] == {"hit": False}
