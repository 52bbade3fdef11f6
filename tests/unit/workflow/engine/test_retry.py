"""retryStrategy: how many attempts, after which ends, after which waits."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest

from engine_world import POD, START, World, ended, outcomes, step, steps_of, workflow
from tiphys.workflow.engine.protocol import CreatePod, PodGone, PodReport


def retried(strategy: dict[str, Any], *ends: str | PodReport, template: dict[str, Any] | None = None) -> World:
    """A workflow of one pod with this strategy, whose attempts end so; after the last one, all end well."""
    left: Iterator[Any] = iter(ends)

    def answer(command: CreatePod) -> PodReport:
        end = next(left, "Succeeded")
        return ended(command, end) if isinstance(end, str) else end

    spec = {"entrypoint": "pod", "templates": [{**(template or POD), "retryStrategy": strategy}]}
    return World(workflow(spec), answer)


def attempts(world: World) -> int:
    return sum("(" in node["name"] for node in world.status["nodes"].values())


def test_attempts_go_on_until_one_succeeds() -> None:
    world = retried({"limit": 5}, "Failed", "Failed").play()
    assert world.phases() == {"wf": "Succeeded", "wf(0)": "Failed", "wf(1)": "Failed", "wf(2)": "Succeeded"}
    assert world.node("wf")["type"] == "Retry"
    assert world.node("wf(1)")["nodeFlag"] == {"retried": True}
    assert "message" not in world.node("wf")


def test_a_limit_ends_them() -> None:
    world = retried({"limit": "2"}, "Failed", "Failed", "Failed", "Failed").play()
    assert (attempts(world), world.status["phase"], world.status["message"]) == (3, "Failed", "No more retries left")


def test_without_a_limit_there_is_none() -> None:
    assert attempts(retried({}, *["Failed"] * 40).play()) == 41


@pytest.mark.parametrize(
    ("policy", "end", "message", "again"),
    [
        ("", "Failed", "", True),
        ("", "Error", "e", False),
        ("OnFailure", "Failed", "", True),
        ("OnFailure", "Error", "e", False),
        ("OnError", "Error", "e", True),
        ("OnError", "Failed", "", False),
        ("Always", "Failed", "", True),
        ("Always", "Error", "e", True),
        ("OnTransientError", "Error", "dial: i/o timeout", True),
        ("OnTransientError", "Failed", "main: Error (exit code 1)", False),
    ],
)
def test_the_policy_says_after_which_ends(policy: str, end: str, message: str, again: bool) -> None:
    strategy = {"limit": 3, **({"retryPolicy": policy} if policy else {})}
    first = PodReport("wf-", end, message)  # type: ignore[arg-type]
    world = retried(strategy)
    world.answer = lambda command: (
        PodReport(command.node_id, first.phase, message)
        if command.node_name == "wf(0)"
        else ended(command, "Succeeded")
    )
    world.play()
    assert attempts(world) == (2 if again else 1)
    assert world.status["phase"] == ("Succeeded" if again else end)
    if not again:
        assert world.node("wf").get("message", "") == world.node("wf(0)").get("message", "")


def test_a_policy_that_is_none_is_told() -> None:
    world = retried({"limit": 1, "retryPolicy": "Sometimes"}, "Failed").play()
    assert (world.status["phase"], world.node("wf")["message"]) == ("Error", "Sometimes is not a valid RetryPolicy")


def test_waits_grow_by_the_factor_and_not_above_the_cap() -> None:
    backoff = {"duration": "10", "factor": 2, "cap": "25s"}
    world = retried({"limit": 5, "backoff": backoff}, "Failed", "Failed", "Failed", "Failed")
    world.begin()
    waits, messages = [], []
    for number in range(4):
        world.finish_pod(f"wf({number})")
        assert world.wake is not None
        waits.append((world.wake - world.now).total_seconds())
        messages.append(world.node("wf")["message"])
        world.tick(waits[-1] - 1)
        assert f"wf({number + 1})" not in world.phases()
        world.tick(1)
        assert world.phases()[f"wf({number + 1})"] == "Pending"
    assert waits == [10, 20, 25, 25]
    assert messages == ["Backoff for 10 seconds", "Backoff for 20 seconds"] + ["Backoff for 25 seconds"] * 2
    assert "message" not in world.node("wf")


def test_a_wait_outlives_a_restart() -> None:
    world = retried({"limit": 1, "backoff": {"duration": "1m"}}, "Failed")
    world.begin()
    world.finish_pod("wf(0)")
    world.now += dt.timedelta(seconds=20)
    world.reopen()
    assert world.wake == START + dt.timedelta(seconds=60)
    world.tick(40)
    assert "wf(1)" in world.phases()


def test_no_wait_would_end_after_the_longest_time() -> None:
    backoff = {"duration": "30s", "factor": 2, "maxDuration": "1m"}
    world = retried({"limit": 9, "backoff": backoff}, "Failed", "Failed").play()
    assert world.status["message"] == "Backoff would exceed max duration limit"
    assert attempts(world) == 2


def test_an_attempt_that_ends_after_the_longest_time_is_the_last() -> None:
    world = retried({"limit": 9, "backoff": {"duration": "1s", "maxDuration": "1m"}}, "Failed")
    world.begin()
    world.now += dt.timedelta(seconds=61)
    world.finish_pod("wf(0)")
    assert world.status["message"] == "Max duration limit exceeded"


def test_an_expression_decides_over_the_last_try() -> None:
    for expression, count in {
        "lastRetry.exitCode == '1'": 4,
        "asInt(lastRetry.exitCode) > 1": 1,
        "lastRetry.status == 'Failed' && asInt(retries) < 2": 3,
        "lastRetry.message matches 'exit code 1'": 4,
        "asFloat(lastRetry.duration) < 100": 4,
    }.items():
        world = retried({"limit": 3, "expression": expression}, *["Failed"] * 9).play()
        assert attempts(world) == count, expression
        assert world.status["message"] == (
            "No more retries left" if count == 4 else "retryStrategy.expression evaluated to false"
        )


def test_with_an_expression_errors_are_retried_too() -> None:
    world = retried({"limit": 1, "expression": "true"}, "Error").play()
    assert world.status["phase"] == "Succeeded"


def test_an_expression_that_is_none_is_an_error_with_its_place() -> None:
    world = retried({"expression": "lastRetry.nothing +"}, "Failed").play()
    assert world.status["phase"] == "Error"
    assert "unexpected token EOF" in world.status["message"]


def test_an_attempt_knows_its_number_and_the_one_before() -> None:
    template = {
        "name": "pod",
        "container": {"image": "x", "args": ["{{retries}} {{lastRetry.exitCode}} {{lastRetry.status}}.{{pod.name}}"]},
    }
    world = retried({"limit": 3}, "Failed", template=template).play()
    first, second = (command.template["container"]["args"][0] for command in world.created)
    assert first == f"0 0 .{world.created[0].pod_name}"
    assert second == f"1 1 Failed.{world.created[1].pod_name}"
    assert world.created[0].pod_name != world.created[1].pod_name


def test_the_outputs_are_those_of_the_last_attempt() -> None:
    spec = steps_of(
        step("a", "again"),
        step("b", "show", p="{{steps.a.outputs.result}}"),
        templates=(
            {**POD, "name": "again", "retryStrategy": {"limit": 2}},
            {"name": "show", "inputs": {"parameters": [{"name": "p"}]}, "container": {"image": "x"}},
        ),
    )
    world = World(workflow(spec), outcomes(a={"result": "late"})).play()
    assert world.node("wf[0].a")["outputs"]["result"] == "late"
    assert world.node("b")["inputs"]["parameters"][0]["value"] == "late"


def test_a_workflow_wide_strategy_holds_for_templates_without_one() -> None:
    spec = steps_of(step("a"), retryStrategy={"limit": 1})
    world = World(workflow(spec), outcomes(a="Failed")).play()
    assert set(world.phases()) == {
        *("wf", "wf(0)", "wf(0)[0]", "wf(0)[0].a", "wf(0)[0].a(0)", "wf(0)[0].a(1)"),
        *("wf(1)", "wf(1)[0]", "wf(1)[0].a", "wf(1)[0].a(0)", "wf(1)[0].a(1)"),
    }


def test_tags_in_a_strategy_are_filled_in() -> None:
    template = {
        "name": "pod",
        "inputs": {"parameters": [{"name": "limit", "default": "1"}]},
        "container": {"image": "x"},
    }
    world = retried({"limit": "{{inputs.parameters.limit}}"}, *["Failed"] * 5, template=template).play()
    assert attempts(world) == 2


def test_a_limit_that_is_no_number_is_told() -> None:
    world = retried({"limit": "many"}, "Failed").play()
    assert world.status["message"] == "error in entry template execution: value 'many' cannot be resolved to an int"


def test_an_attempt_that_is_gone_without_a_word_is_an_error_and_may_be_retried() -> None:
    world = retried({"limit": 1, "retryPolicy": "OnError"})
    world.begin()
    command = world.created[0]
    world.handle(PodReport(command.node_id, "Running"))
    world.handle(PodGone(command.node_id))
    assert world.phases() == {"wf": "Running", "wf(0)": "Error", "wf(1)": "Pending"}
    assert world.node("wf(0)")["message"] == "pod deleted"
