"""A run as a whole: the object it opens, the objects it asks for, what others write into it."""

from __future__ import annotations

import copy
from typing import Any

from engine_world import POD, START, World, dag_of, ended, outcomes, run_of, step, steps_of, values, workflow
from tiphys.workflow.engine import Run
from tiphys.workflow.engine.protocol import Begin, Changes, Fetch, Fetched, PodReport, Tick, WakeAt


def test_a_workflow_is_marked_as_argo_marks_it() -> None:
    world = World(workflow({"entrypoint": "pod", "templates": [POD]}))
    world.begin()
    meta = world.object["metadata"]
    assert meta["labels"] == {"workflows.argoproj.io/phase": "Running", "workflows.argoproj.io/completed": "false"}
    assert meta["annotations"] == {"workflows.argoproj.io/pod-name-format": "v2"}
    assert (world.status["startedAt"], world.status["progress"]) == ("2026-11-23T12:00:00Z", "0/1")
    world.play()
    assert world.object["metadata"]["labels"] == {
        "workflows.argoproj.io/phase": "Succeeded",
        "workflows.argoproj.io/completed": "true",
    }
    assert world.status["conditions"] == [
        {"type": "PodRunning", "status": "False"},
        {"type": "Completed", "status": "True"},
    ]
    assert world.status["finishedAt"] == world.node("wf")["finishedAt"]


def test_a_run_knows_its_name_phase_and_spec() -> None:
    run = Run.open(workflow({"entrypoint": "pod", "templates": [POD]}))
    assert (run.name, run.namespace, run.uid, run.phase, run.finished) == ("wf", "argo", "u-1", "", False)
    assert run.spec == {}
    run.handle(Begin(), START)
    assert run.spec["entrypoint"] == "pod"
    assert list(run.nodes) == ["wf"]
    assert run.variables["workflow.name"] == "wf"


def test_a_finished_run_takes_no_more_events() -> None:
    world = World(workflow({"entrypoint": "pod", "templates": [POD]})).play()
    assert world.run.handle(PodReport("wf", "Failed"), world.now) == Changes(finished=True)
    assert Run.open(world.object).handle(Begin(), world.now) == Changes(finished=True)


def test_an_event_that_changes_nothing_writes_nothing() -> None:
    world = World(workflow({"entrypoint": "pod", "templates": [POD]}))
    world.begin()
    world.handle(Tick())
    assert world.handle(Tick()).patch() == {}


def test_one_event_writes_the_rows_it_touches() -> None:
    world = World(workflow(steps_of(step("a", withSequence={"count": 500}))))
    world.begin()
    for command in list(world.pods.values())[:3]:
        changes = world.handle(ended(command, "Succeeded"))
        assert set(changes.nodes) == {command.node_id}
    assert world.status["progress"] == "3/500"


def test_the_moment_to_wake_is_told_once() -> None:
    world = World(workflow({"entrypoint": "w", "templates": [{"name": "w", "suspend": {"duration": "1m"}}]}))
    world.begin()
    assert [c for changes in world.changes for c in changes.commands] == [WakeAt(world.wake or START)]
    assert world.handle(Tick()).commands == ()


# -- objects


def a_template(name: str, *templates: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"templates": list(templates), **spec}}


def test_templates_are_asked_for_once_all_at_the_start() -> None:
    ref = {"name": "lib", "template": "one"}
    spec = steps_of(
        [{"name": "a", "templateRef": ref}, {"name": "b", "templateRef": {**ref, "template": "two"}}],
        {"name": "c", "templateRef": {"name": "all", "template": "three", "clusterScope": True}},
    )
    lib = a_template("lib", {**POD, "name": "one"}, {**POD, "name": "two"})
    cluster = a_template("all", {**POD, "name": "three"})
    world = World(
        workflow(spec), objects={("WorkflowTemplate", "lib"): lib, ("ClusterWorkflowTemplate", "all"): cluster}
    )
    first = world.handle(world.queue.popleft())
    assert set(first.commands) == {Fetch("WorkflowTemplate", "lib"), Fetch("ClusterWorkflowTemplate", "all")}
    assert first.nodes == {}
    world.play()
    assert world.status["phase"] == "Succeeded"
    assert set(world.status["storedTemplates"]) == {"namespaced/lib/one", "namespaced/lib/two", "cluster/all/three"}
    assert world.node("a")["templateRef"] == ref
    assert world.node("a")["templateScope"] == "local/wf"
    assert world.created[0].pod_name.startswith("wf-one-")


def test_a_run_keeps_to_the_template_it_began_with() -> None:
    spec = steps_of({"name": "a", "templateRef": {"name": "lib", "template": "one"}}, {
        "name": "b", "templateRef": {"name": "lib", "template": "one"}})  # fmt: skip
    world = World(workflow(spec), objects={("WorkflowTemplate", "lib"): a_template("lib", {**POD, "name": "one"})})
    world.begin()
    world.objects = {}
    world.reopen()
    assert world.play().status["phase"] == "Succeeded"


def test_a_reference_may_be_known_only_when_it_is_used() -> None:
    spec = steps_of(
        step("which"),
        {"name": "a", "templateRef": {"name": "{{steps.which.outputs.result}}", "template": "one"}},
    )
    world = World(workflow(spec), outcomes(which={"result": "lib"}))
    world.objects = {("WorkflowTemplate", "lib"): a_template("lib", {**POD, "name": "one"})}
    assert world.play().status["phase"] == "Succeeded"
    assert world.node("a")["templateRef"]["name"] == "lib"


def test_a_template_that_is_not_there_is_told() -> None:
    spec = steps_of({"name": "a", "templateRef": {"name": "lib", "template": "one"}})
    world = World(workflow(spec)).play()
    assert "workflow template lib not found" in world.node("a")["message"]
    assert world.status["phase"] in ("Failed", "Error")


def test_templates_within_templates_are_asked_for_too() -> None:
    inner = a_template("inner", {**POD, "name": "deep"})
    outer = a_template(
        "outer", {"name": "top", "steps": [[{"name": "x", "templateRef": {"name": "inner", "template": "deep"}}]]}
    )
    spec = steps_of({"name": "a", "templateRef": {"name": "outer", "template": "top"}})
    world = World(workflow(spec), objects={("WorkflowTemplate", "outer"): outer, ("WorkflowTemplate", "inner"): inner})
    assert world.play().status["phase"] == "Succeeded"
    assert world.node("x")["templateScope"] == "namespaced/outer"


def test_names_within_a_template_are_looked_up_where_it_comes_from() -> None:
    lib = a_template("lib", {"name": "top", "steps": [[step("x", "helper")]]}, {**POD, "name": "helper"})
    spec = steps_of({"name": "a", "templateRef": {"name": "lib", "template": "top"}})
    world = World(workflow(spec), objects={("WorkflowTemplate", "lib"): lib})
    assert world.play().status["phase"] == "Succeeded"


def test_a_workflow_can_be_made_of_a_whole_template() -> None:
    spec = {
        "entrypoint": "show",
        "arguments": {"parameters": values(p="default", q="kept")},
        "templates": [run_of("show")],
    }
    own = {"workflowTemplateRef": {"name": "whole"}, "arguments": {"parameters": values(p="mine")}}
    spec["templates"][0]["container"]["command"] = ["{{workflow.parameters.p}} {{workflow.parameters.q}}"]
    spec["templates"][0]["inputs"] = {}
    world = World(workflow(own), objects={("WorkflowTemplate", "whole"): {"spec": spec}}).play()
    assert world.created[0].template["container"]["command"] == ["mine kept"]
    assert world.object["metadata"]["labels"]["workflows.argoproj.io/workflow-template"] == "whole"
    assert world.status["storedWorkflowTemplateSpec"]["entrypoint"] == "show"


def test_a_whole_template_that_is_not_there_is_the_end() -> None:
    world = World(workflow({"workflowTemplateRef": {"name": "whole"}})).play()
    assert world.status["phase"] == "Error"
    assert "whole" in world.status["message"]


# -- what others write


def as_retried(world: World, *gone: str) -> dict[str, Any]:
    """The object as `argo retry` writes it: failed leaves away, what encloses them going on, the workflow running."""
    changed = copy.deepcopy(world.object)
    status, labels = changed["status"], changed["metadata"]["labels"]
    del labels["workflows.argoproj.io/completed"]
    labels["workflows.argoproj.io/phase"] = "Running"
    status |= {"phase": "Running", "startedAt": "2026-11-23T13:00:00Z"}
    status.pop("message", None)
    status.pop("finishedAt", None)
    away = {world.node(name)["id"] for name in gone}
    nodes = {}
    for node_id, node in status["nodes"].items():
        if node_id in away:
            continue
        if node["phase"] in ("Failed", "Error"):
            node |= {"phase": "Running", "startedAt": "2026-11-23T13:00:00Z"}
            node.pop("finishedAt", None)
            node.pop("message", None)
        node["children"] = [child for child in node.get("children", []) if child not in away]
        nodes[node_id] = node
    status["nodes"] = nodes
    return changed


def test_a_retry_runs_only_what_had_failed() -> None:
    for spec in (
        steps_of([step("a"), step("b")], step("c")),
        dag_of(step("a"), step("b"), step("c", dependencies=["a", "b"])),
    ):
        world = World(workflow(spec), outcomes(b="Failed")).play()
        gone = ["b", "c"] if "dag" in spec["templates"][0] else ["b"]
        world.object = as_retried(world, *gone)
        world.answer = outcomes()
        world.created.clear()
        world.reopen()
        world.play()
        assert {command.node_name.rpartition(".")[2] for command in world.created} == {"b", "c"}
        assert world.status["phase"] == "Succeeded"
        assert "message" not in world.status
        assert world.status["progress"] == "3/3"


def test_a_retry_begins_the_exit_handler_anew() -> None:
    spec = steps_of(step("a"), templates=(POD, {**POD, "name": "tidy"}), onExit="tidy")
    world = World(workflow(spec), outcomes(a="Failed")).play()
    world.object = as_retried(world, "a", "wf.onExit")
    world.answer = outcomes()
    world.created.clear()
    world.reopen()
    world.play()
    assert [command.node_name for command in world.created] == ["wf[0].a", "wf.onExit"]
    assert world.status["phase"] == "Succeeded"


def test_a_resubmission_with_memory_runs_what_had_not_succeeded() -> None:
    first = World(workflow(steps_of(step("a"), step("b"))), outcomes(b="Failed")).play()
    nodes = copy.deepcopy(first.status["nodes"])
    for node in nodes.values():
        node.pop("message", None)
        if node["type"] == "Pod" and node["phase"] == "Succeeded":
            node |= {"phase": "Skipped", "type": "Skipped", "message": f"original pod: {node['id']}"}
        elif node["type"] == "Pod":
            node["phase"] = "Pending"
            del node["startedAt"], node["finishedAt"]
        else:
            node["phase"] = "Pending"
    world = World(workflow(steps_of(step("a"), step("b")), nodes=nodes)).play()
    assert [command.node_name for command in world.created] == ["wf[1].b"]
    assert world.node("b")["startedAt"] == "2026-11-23T12:00:00Z"
    assert world.status["phase"] == "Succeeded"


def test_a_node_that_can_no_more_be_reached_is_ended_with_the_workflow() -> None:
    world = World(workflow(steps_of(step("a"))))
    world.begin()
    stray = {
        "id": "wf-1",
        "name": "wf[7].x",
        "displayName": "x",
        "type": "Suspend",
        "phase": "Running",
        "boundaryID": "wf",
    }
    world.edit({"status": {"nodes": {"wf-1": stray}}})
    world.play()
    assert world.status["phase"] == "Succeeded"
    assert world.status["nodes"]["wf-1"]["phase"] == "Failed"


def test_the_controller_may_stop_between_any_two_events() -> None:
    spec = steps_of(
        [step("a"), step("b", "again")],
        step("c", "inner", withItems=[1, 2]),
        templates=(
            POD,
            {**POD, "name": "again", "retryStrategy": {"limit": 3, "backoff": {"duration": "5"}}},
            {
                "name": "inner",
                "dag": {"tasks": [step("x"), step("y", depends="x.Failed"), step("z", depends="x || y")]},
            },
        ),
        onExit="pod",
    )

    def play(*, cut: bool) -> dict[str, Any]:
        tries = {"b": 0}

        def answer(command: Any) -> Any:
            if ".b(" in command.node_name:
                tries["b"] += 1
            return ended(
                command, "Failed" if ".b(" in command.node_name and "(2)" not in command.node_name else "Succeeded"
            )

        world = World(workflow(spec), answer)
        while not world.run.finished and world.step():
            if cut and not world.run.finished:
                world.reopen()
        return {
            name: (node["phase"], node.get("message"))
            for node in world.status["nodes"].values()
            for name in [node["name"]]
        }

    assert play(cut=True) == play(cut=False)


def test_fetched_objects_nobody_asked_for_are_taken_quietly() -> None:
    world = World(workflow(steps_of(step("a"))))
    world.begin()
    world.handle(Fetched("WorkflowTemplate", "x", None, "gone"))
    assert world.play().status["phase"] == "Succeeded"
