"""Pods, HTTP requests, suspensions: what is asked for, what their ends mean, timeouts."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from engine_world import POD, START, World, dag_of, ended, outcomes, run_of, step, steps_of, values, workflow
from tiphys.workflow.engine.protocol import CancelHttp, HttpDone, PodGone, PodReport, SendHttp, StopPod, Tick


def one(template: dict[str, Any], **spec: Any) -> World:
    return World(workflow({"entrypoint": template["name"], "templates": [template], **spec}))


# -- pods


def test_a_pod_is_asked_for_with_its_template_filled_in() -> None:
    template = {
        "name": "pod",
        "inputs": {"parameters": [{"name": "who", "default": "{{workflow.name}}"}]},
        "container": {
            "image": "x",
            "args": ["hello {{inputs.parameters.who}} from {{pod.name}} {{node.name}} {{unknown}}"],
        },
    }
    world = one(template)
    world.begin()
    command = world.created[0]
    assert (command.node_id, command.node_name, command.pod_name, command.template_name) == ("wf", "wf", "wf", "pod")
    assert command.template["container"]["args"] == ["hello wf from wf wf {{unknown}}"]
    assert command.template["inputs"]["parameters"][0]["value"] == "wf"
    assert (command.deadline, command.on_exit, command.capture_result) == (None, False, False)
    assert world.node("wf")["phase"] == "Pending"


def test_all_inputs_can_be_had_as_json() -> None:
    template = {
        "name": "pod",
        "inputs": {"parameters": [{"name": "a", "default": "1"}, {"name": "b", "default": "2"}]},
        "container": {"image": "x", "args": ["{{inputs.parameters}}"]},
    }
    world = one(template)
    world.begin()
    assert json.loads(world.created[0].template["container"]["args"][0]) == [
        {"name": "a", "default": "1", "value": "1"},
        {"name": "b", "default": "2", "value": "2"},
    ]


def test_a_template_knows_where_its_outputs_go() -> None:
    template = {
        "name": "pod",
        "container": {"image": "x", "args": ["{{outputs.parameters.o.path}} {{outputs.parameters.none.path}}"]},
        "outputs": {"parameters": [{"name": "o", "valueFrom": {"path": "/tmp/o"}}, {"name": "none"}]},
    }
    world = one(template)
    world.begin()
    assert world.created[0].template["container"]["args"] == ["/tmp/o {{outputs.parameters.none.path}}"]


def test_reports_move_a_node_forward_only() -> None:
    world = one(POD)
    world.begin()
    world.handle(PodReport("wf", "Pending", "ContainerCreating: soon"))
    assert world.node("wf")["message"] == "ContainerCreating: soon"
    world.handle(PodReport("wf", "Running", host="node-1"))
    assert (world.node("wf")["phase"], world.node("wf")["hostNodeName"]) == ("Running", "node-1")
    assert "message" not in world.node("wf")
    world.handle(PodReport("wf", "Pending", "late news"))
    assert world.node("wf")["phase"] == "Running"
    world.handle(PodReport("wf", "Succeeded", outputs={"exitCode": "0"}, resources_duration={"memory": 4}))
    world.handle(PodReport("wf", "Failed", "later still"))
    node = world.node("wf")
    assert (node["phase"], node["outputs"], node["resourcesDuration"]) == (
        "Succeeded",
        {"exitCode": "0"},
        {"memory": 4},
    )
    assert world.status["resourcesDuration"] == {"memory": 4}
    assert node["progress"] == world.status["progress"] == "1/1"


def test_reports_of_unknown_nodes_change_nothing() -> None:
    world = one(POD)
    world.begin()
    world.handle(Tick())
    before = world.object
    world.handle(PodReport("wf-404", "Failed"))
    world.handle(PodGone("wf-404"))
    world.handle(HttpDone("wf", "Failed"))
    assert world.object == before


def test_a_pod_that_goes_before_it_ran_is_made_again_after_it_ran_is_an_error() -> None:
    world = one(POD)
    world.begin()
    world.handle(PodGone("wf"))
    assert len(world.created) == 2
    world.handle(PodReport("wf", "Running"))
    world.handle(PodGone("wf"))
    assert (world.node("wf")["phase"], world.status["message"]) == ("Error", "pod deleted")


def test_a_pod_ends_by_its_templates_timeout_or_the_workflows_deadline_whichever_is_first() -> None:
    def deadline(timeout: str, seconds: int | None) -> dt.datetime | None:
        world = one({**POD, "timeout": timeout}, **({} if seconds is None else {"activeDeadlineSeconds": seconds}))
        world.begin()
        return world.created[0].deadline

    assert deadline("", None) is None
    assert deadline("1m", None) == START + dt.timedelta(seconds=60)
    assert deadline("1m", 30) == START + dt.timedelta(seconds=30)
    assert deadline("1m", 90) == START + dt.timedelta(seconds=60)


def test_a_pod_that_is_pending_when_its_timeout_is_over_has_failed() -> None:
    world = World(workflow(steps_of(step("a"), templates=({**POD, "timeout": "10s"},))))
    world.begin()
    world.tick(10)
    assert (world.node("a")["phase"], world.node("a")["message"]) == ("Failed", "timeout")
    assert world.stopped == [world.node("a")["id"]]
    assert (world.status["phase"], world.status["message"]) == ("Failed", "timeout")


def test_a_timeout_that_is_no_duration_is_told() -> None:
    world = one({**POD, "timeout": "soon"})
    world.begin()
    assert world.node("wf")["message"] == 'invalid timeout format. time: invalid duration "soon"'
    assert world.status["phase"] == "Error"


# -- HTTP

ASK = {"name": "ask", "http": {"url": "http://h/{{workflow.name}}", "timeoutSeconds": 3}}


def test_a_request_is_sent_once_and_its_answer_ends_the_node() -> None:
    world = one(ASK)
    world.begin()
    request = world.requests.pop("wf")
    assert request == SendHttp("wf", {**ASK, "http": {"url": "http://h/wf", "timeoutSeconds": 3}}, None)
    assert (world.node("wf")["type"], world.node("wf")["phase"]) == ("HTTP", "Pending")
    world.handle(HttpDone("wf", "Succeeded", outputs={"result": "body"}))
    assert (world.node("wf")["outputs"], world.status["phase"]) == ({"result": "body"}, "Succeeded")
    assert world.status["progress"] == "1/1"


def test_a_failed_request_keeps_its_body_and_may_be_retried() -> None:
    world = one({**ASK, "retryStrategy": {"limit": 1}})
    world.begin()
    first = world.node("wf(0)")["id"]
    world.handle(HttpDone(first, "Failed", "received non-2xx response code: 500", {"result": "oops"}))
    assert world.node("wf(0)")["outputs"] == {"result": "oops"}
    assert world.node("wf(1)")["id"] in world.requests


def test_a_request_is_sent_again_after_a_restart() -> None:
    world = one(ASK)
    world.begin()
    world.reopen()
    assert list(world.requests) == ["wf"]


def test_a_request_nobody_waits_for_any_more_is_cancelled() -> None:
    world = one(ASK)
    world.begin()
    world.edit({"spec": {"shutdown": "Terminate"}})
    assert [type(command) for command in world.changes[-1].commands] == [CancelHttp]
    assert (world.node("wf")["phase"], world.node("wf")["message"]) == ("Failed", "Stopped with strategy 'Terminate'")


# -- suspensions


def test_a_suspension_with_a_duration_ends_by_itself() -> None:
    world = one({"name": "wait", "suspend": {"duration": "90"}})
    world.begin()
    assert (world.node("wf")["type"], world.node("wf")["phase"]) == ("Suspend", "Running")
    assert world.wake == START + dt.timedelta(seconds=90)
    world.tick(89)
    assert world.status["phase"] == "Running"
    world.tick(1)
    assert world.status["phase"] == "Succeeded"


def test_a_duration_that_is_none_is_told() -> None:
    world = one({"name": "wait", "suspend": {"duration": "a while"}})
    world.begin()
    assert "unable to parse a while as a duration" in world.status["message"]


def test_a_suspension_waits_for_somebody() -> None:
    world = World(workflow(steps_of(step("hold", "wait"), step("a"), templates=(POD, {"name": "wait", "suspend": {}}))))
    world.begin()
    assert world.wake is None
    node = world.node("hold")
    world.edit({"status": {"nodes": {node["id"]: {"phase": "Succeeded", "finishedAt": "2026-11-23T12:01:00Z"}}}})
    world.play()
    assert world.status["phase"] == "Succeeded"
    assert world.node("hold")["finishedAt"] == "2026-11-23T12:01:00Z"


CHOICE = {
    "name": "ask",
    "suspend": {},
    "inputs": {"parameters": [{"name": "answer", "default": "NO", "enum": ["YES", "NO"]}]},
    "outputs": {"parameters": [{"name": "answer", "valueFrom": {"supplied": {}}}]},
}


def test_what_somebody_supplied_is_an_output() -> None:
    spec = steps_of(
        step("hold", "ask"), step("a", "show", p="{{steps.hold.outputs.parameters.answer}}"),
        templates=(CHOICE, run_of("show")),
    )  # fmt: skip
    world = World(workflow(spec))
    world.begin()
    node = world.node("hold")
    assert node["outputs"]["parameters"] == [{"name": "answer", "valueFrom": {"supplied": {}}}]
    assert node["inputs"]["parameters"][0]["enum"] == ["YES", "NO"]
    given = [{"name": "answer", "value": "YES", "valueFrom": {"supplied": {}}}]
    world.edit({"status": {"nodes": {node["id"]: {"phase": "Succeeded", "outputs": {"parameters": given}}}}})
    world.play()
    assert world.node("a")["inputs"]["parameters"][0]["value"] == "YES"


def test_what_somebody_supplied_may_be_named_globally() -> None:
    world = World(workflow(steps_of(step("hold", "ask"), templates=(CHOICE,))))
    world.begin()
    given = [{"name": "answer", "value": "YES", "globalName": "said"}]
    node = {"phase": "Succeeded", "outputs": {"parameters": given}}
    world.edit({"status": {"nodes": {world.node("hold")["id"]: node}}})
    assert world.status["outputs"]["parameters"] == values(said="YES")


def test_a_stop_of_the_suspension_fails_it() -> None:
    world = World(workflow(steps_of(step("hold", "wait"), templates=({"name": "wait", "suspend": {}},))))
    world.begin()
    world.edit({"status": {"nodes": {world.node("hold")["id"]: {"phase": "Failed", "message": "no"}}}})
    assert world.status["phase"] == "Failed"


def test_outputs_that_nobody_supplied_get_their_defaults_when_time_is_over() -> None:
    template = {
        **CHOICE,
        "suspend": {"duration": "1m"},
        "outputs": {"parameters": [{"name": "answer", "valueFrom": {"supplied": {}, "default": "MAYBE"}}]},
    }
    world = one(template)
    world.begin()
    world.tick(60)
    assert world.node("wf")["outputs"]["parameters"] == [{"name": "answer", "value": "MAYBE"}]


def test_the_default_of_the_input_of_the_same_name_will_do() -> None:
    world = one({**CHOICE, "suspend": {"duration": "1m"}})
    world.begin()
    world.tick(60)
    assert world.node("wf")["outputs"]["parameters"] == [{"name": "answer", "value": "NO"}]


def test_an_input_can_bring_the_choice_with_it() -> None:
    template = {"name": "ask", "suspend": {}, "inputs": {"parameters": [{"name": "answer"}, {"name": "other"}]}}
    given = values(answer='{"enum": ["a", "b"]}', other='{"enum": []}')
    world = one(template, arguments={"parameters": given})
    world.begin()
    answer, other = world.node("wf")["inputs"]["parameters"]
    assert (answer["enum"], answer["default"]) == (["a", "b"], "a")
    assert "enum" not in other


def test_without_a_default_it_is_an_error_of_the_suspension() -> None:
    world = one({
        "name": "ask", "suspend": {"duration": "1m"},
        "outputs": {"parameters": [{"name": "answer", "valueFrom": {"supplied": {}}}]},
    })  # fmt: skip
    world.begin()
    world.tick(60)
    assert world.node("wf")["message"] == (
        "raw output parameter 'answer' has not been set and does not have a default value"
    )


def test_an_output_named_globally_is_the_workflows() -> None:
    giver = {
        "name": "give",
        "container": {"image": "x"},
        "outputs": {"parameters": [{"name": "o", "globalName": "mine", "valueFrom": {"path": "/o"}}]},
    }
    spec = steps_of(step("a", "give"), step("b", "show", p="{{workflow.outputs.parameters.mine}}"),
                    templates=(giver, run_of("show")))  # fmt: skip
    output = [{"name": "o", "globalName": "mine", "value": "7"}]
    world = World(workflow(spec), outcomes(a={"parameters": output})).play()
    assert world.status["outputs"]["parameters"] == values(mine="7")
    assert world.node("b")["inputs"]["parameters"][0]["value"] == "7"


def test_pods_that_outlive_what_they_were_part_of_are_waited_for() -> None:
    spec = steps_of([step("bad", when="1 +"), step("slow")])
    world = World(workflow(dag_of(step("a", "inner"), templates=(POD, {**spec["templates"][0], "name": "inner"}))))
    world.begin()
    for command in list(world.pods.values()):
        assert world.status["phase"] == "Running"
        world.pods.pop(command.node_id)
        world.handle(ended(command, "Succeeded"))
    assert world.run.finished


def test_what_lies_deeper_under_an_error_is_given_up_but_for_its_pods() -> None:
    deep = {"name": "deep", "dag": {"tasks": [step("slow"), step("held", "wait"), step("asked", "ask")]}}
    spec = steps_of(
        [step("nested", "deep"), step("good"), step("bad", hooks={"exit": {"template": "pod", "expression": "1 +"}})],
        templates=(deep, POD, {"name": "wait", "suspend": {}}, ASK),
    )
    world = World(workflow(spec))
    world.begin()
    world.finish_pod("bad")
    assert world.node("wf[0]")["phase"] == "Error"
    given_up = "abandoned: what it was part of has ended"
    assert world.node("held")["message"] == world.node("nested")["message"] == given_up
    assert world.requests == {}
    assert (world.node("slow")["phase"], world.status["phase"]) == ("Pending", "Running")
    assert world.status["conditions"] == [{"type": "PodRunning", "status": "False"}]
    world.handle(PodReport(world.node("slow")["id"], "Running"))
    assert world.status["conditions"] == [{"type": "PodRunning", "status": "True"}]
    world.finish_pod("slow")
    assert world.status["phase"] == "Running"
    world.reopen()
    world.handle(PodReport(world.node("good")["id"], "Succeeded"))
    assert (world.node("good")["phase"], world.status["phase"]) == ("Succeeded", "Error")


def test_a_stopped_pod_is_told_to_end() -> None:
    world = one(POD)
    world.begin()
    world.handle(PodReport("wf", "Running"))
    world.edit({"spec": {"shutdown": "Stop"}})
    assert world.changes[-1].commands == (StopPod("wf", "wf"),)
    assert world.node("wf")["message"] == "workflow shutdown with strategy:  Stop"
    assert (world.status["phase"], world.status["message"]) == ("Failed", "Stopped with strategy 'Stop'")
