"""What retry runs again, what it keeps, which pods it deletes."""

from __future__ import annotations

from typing import Any

import pytest

from tiphys.errors import UsageError
from tiphys.workflow.names import node_id, pod_name
from tiphys.workflow.operations.retry import retried

NOW = "2026-11-24T04:00:00Z"


def node(
    name: str, kind: str, phase: str, *children: str, boundary: str = "", template: str = "t", **more: Any
) -> dict[str, Any]:
    """A node of the workflow `wf`; what is within another has its boundary's name in `boundary`."""
    return {
        **more,
        "id": node_id("wf", name),
        "name": name,
        "displayName": name.rpartition(".")[2],
        "type": kind,
        "phase": phase,
        "templateName": template,
        "boundaryID": boundary and node_id("wf", boundary),
        "children": [node_id("wf", child) for child in children],
        "startedAt": "2026-11-24T03:00:00Z",
        "finishedAt": "2026-11-24T03:00:01Z",
        "message": "as it was",
    }


def workflow(*nodes: dict[str, Any], phase: str = "Failed") -> dict[str, Any]:
    return {
        "metadata": {
            "name": "wf",
            "labels": {
                "workflows.argoproj.io/completed": "true",
                "workflows.argoproj.io/phase": phase,
                "mine": "stays",
            },
        },
        "spec": {"shutdown": "Stop", "entrypoint": "main"},
        "status": {
            "phase": phase,
            "message": "child failed",
            "finishedAt": "2026-11-24T03:00:01Z",
            "conditions": [{"type": "PodRunning", "status": "False"}, {"type": "Completed", "status": "True"}],
            "nodes": {one["id"]: one for one in nodes},
        },
    }


def steps(*, second: str = "Failed", phase: str = "Failed") -> dict[str, Any]:
    """wf: [0] one -> [1] two, three; and an exit handler."""
    return workflow(
        node("wf", "Steps", phase, "wf[0]"),
        node("wf[0]", "StepGroup", "Succeeded", "wf[0].one", boundary="wf"),
        node("wf[0].one", "Pod", "Succeeded", "wf[1]", boundary="wf"),
        node("wf[1]", "StepGroup", second, "wf[1].two", "wf[1].three", boundary="wf"),
        node("wf[1].two", "Pod", second, boundary="wf"),
        node("wf[1].three", "Pod", "Succeeded", boundary="wf"),
        node("wf.onExit", "Pod", "Succeeded"),
        phase=phase,
    )


def phases(result: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["phase"] for one in result["status"]["nodes"].values()}


def test_failed_leaves_go_groups_run_successes_stay_the_exit_handler_goes() -> None:
    before = steps()
    fresh, pods = retried(before, NOW)
    assert phases(fresh) == {
        "wf": "Running",
        "wf[0]": "Succeeded",
        "wf[0].one": "Succeeded",
        "wf[1]": "Running",
        "wf[1].three": "Succeeded",
    }
    assert sorted(pods) == sorted([pod_name("wf", "wf[1].two", "t"), pod_name("wf", "wf.onExit", "t")])
    group = fresh["status"]["nodes"][node_id("wf", "wf[1]")]
    assert group["children"] == [node_id("wf", "wf[1].three")]
    assert (group["startedAt"], group["finishedAt"], "message" in group) == (NOW, None, False)
    assert phases(before)["wf[1].two"] == "Failed", "the argument is not changed"


def test_the_marks_of_the_end_are_taken_off() -> None:
    fresh, _ = retried(steps(), NOW)
    assert fresh["metadata"]["labels"] == {"workflows.argoproj.io/phase": "Failed", "mine": "stays"}
    assert fresh["spec"] == {"entrypoint": "main"}
    status = fresh["status"]
    assert (status["startedAt"], status["finishedAt"]) == (NOW, None)
    assert not {"phase", "message"} & set(status), "to the controller it is one not looked at yet"
    assert {"type": "Completed", "status": "False"} in status["conditions"]


def test_a_failure_that_was_allowed_for_stays() -> None:
    fresh, pods = retried(
        workflow(
            node("wf", "Steps", "Failed", "wf[0]"),
            node("wf[0]", "StepGroup", "Succeeded", "wf[0].shaky", boundary="wf"),
            node("wf[0].shaky", "Pod", "Failed", "wf[1]", boundary="wf"),
            node("wf[1]", "StepGroup", "Failed", "wf[1].good", "wf[1].bad", boundary="wf"),
            node("wf[1].good", "Pod", "Succeeded", boundary="wf"),
            node("wf[1].bad", "Pod", "Error", boundary="wf"),
        ),
        NOW,
    )
    assert phases(fresh)["wf[0].shaky"] == "Failed"
    assert "wf[1].bad" not in phases(fresh)
    assert pods == [pod_name("wf", "wf[1].bad", "t")]


RETRIED = {"retried": True}


def test_the_failed_attempts_of_what_succeeded_at_last_stay() -> None:
    fresh, pods = retried(
        workflow(
            node("wf", "DAG", "Failed", "wf.again", "wf.bad"),
            node("wf.again", "Retry", "Succeeded", "wf.again(0)", "wf.again(1)", boundary="wf"),
            node("wf.again(0)", "Pod", "Failed", boundary="wf", nodeFlag=RETRIED),
            node("wf.again(1)", "Pod", "Succeeded", boundary="wf", nodeFlag=RETRIED),
            node("wf.bad", "Pod", "Failed", boundary="wf"),
        ),
        NOW,
    )
    assert phases(fresh)["wf.again(0)"] == "Failed"
    assert pods == [pod_name("wf", "wf.bad", "t")]


@pytest.mark.parametrize("kind", ["Pod", "HTTP"])
def test_a_retry_node_that_failed_begins_with_new_attempts(kind: str) -> None:
    fresh, pods = retried(
        workflow(
            node("wf", "Retry", "Failed", "wf(0)", "wf(1)"),
            node("wf(0)", kind, "Failed", nodeFlag=RETRIED),
            node("wf(1)", kind, "Error", nodeFlag=RETRIED),
        ),
        NOW,
    )
    assert phases(fresh) == {"wf": "Running"}
    assert fresh["status"]["nodes"]["wf"]["children"] == []
    assert len(pods) == (2 if kind == "Pod" else 0)


def nested(middle: str = "DAG") -> dict[str, Any]:
    """wf: a -> in, which runs a, b and c one after the other -> z; `in` failed at b."""
    return workflow(
        node("wf", "DAG", "Failed", "wf.a"),
        node("wf.a", "Pod", "Succeeded", "wf.in", "wf.side", boundary="wf"),
        node("wf.side", "DAG", "Succeeded", "wf.side.a", boundary="wf"),
        node("wf.side.a", "Pod", "Succeeded", boundary="wf.side"),
        node("wf.in", middle, "Failed", "wf.in.a", boundary="wf"),
        node("wf.in.a", "Pod", "Succeeded", "wf.in.b", boundary="wf.in"),
        node("wf.in.b", "Pod", "Failed", "wf.in.c", boundary="wf.in"),
        node("wf.in.c", "Skipped", "Omitted", "wf.z", boundary="wf.in"),
        node("wf.z", "Skipped", "Omitted", boundary="wf"),
    )


@pytest.mark.parametrize("middle", ["DAG", "Steps", "TaskGroup"])
def test_only_what_lies_between_a_failure_and_the_top_is_set_running(middle: str) -> None:
    fresh, pods = retried(nested(middle), NOW)
    assert phases(fresh) == {
        "wf": "Running",
        "wf.a": "Succeeded",
        "wf.side": "Succeeded",
        "wf.side.a": "Succeeded",
        "wf.in": "Running",
        "wf.in.a": "Succeeded",
    }
    assert pods == [pod_name("wf", "wf.in.b", "t")]


@pytest.mark.parametrize(
    ("selector", "gone"),
    [
        ("name=wf.side.a", {"wf.side.a", "wf.in.b", "wf.in.c", "wf.z"}),
        ("displayName=side", {"wf.side", "wf.side.a", "wf.in.b", "wf.in.c", "wf.z"}),
        ("name=wf.a", {"wf.a", "wf.side", "wf.side.a", "wf.in", "wf.in.a", "wf.in.b", "wf.in.c", "wf.z"}),
        ("name=wf", {"wf", "wf.a", "wf.side", "wf.side.a", "wf.in", "wf.in.a", "wf.in.b", "wf.in.c", "wf.z"}),
        ("displayName=none-has-this-name", {"wf.in.b", "wf.in.c", "wf.z"}),
    ],
)
def test_what_is_named_goes_with_all_that_followed_it_beside_what_failed(selector: str, gone: set[str]) -> None:
    before = nested()
    fresh, _ = retried(before, NOW, restart_successful=True, selector=selector)
    assert {one["name"] for one in before["status"]["nodes"].values()} - set(phases(fresh)) == gone
    assert retried(before, NOW, selector=selector) == retried(before, NOW), "a selector alone names nothing"


def expanded() -> dict[str, Any]:
    """wf: a loop of three, each tried once; the second failed."""
    return workflow(
        node("wf", "DAG", "Failed", "wf.loop"),
        node("wf.loop", "TaskGroup", "Failed", "wf.loop(0:a)", "wf.loop(1:b)", "wf.loop(2:c)", boundary="wf"),
        node("wf.loop(0:a)", "Retry", "Succeeded", "wf.loop(0:a)(0)", boundary="wf"),
        node("wf.loop(0:a)(0)", "Pod", "Succeeded", boundary="wf", nodeFlag=RETRIED),
        node("wf.loop(1:b)", "Retry", "Failed", "wf.loop(1:b)(0)", boundary="wf"),
        node("wf.loop(1:b)(0)", "Pod", "Failed", boundary="wf", nodeFlag=RETRIED),
        node("wf.loop(2:c)", "Pod", "Succeeded", boundary="wf", memoizationStatus={"hit": True}),
    )


def test_of_a_loop_only_the_failed_turns_are_run_again() -> None:
    fresh, pods = retried(expanded(), NOW)
    assert phases(fresh) == {
        "wf": "Running",
        "wf.loop": "Running",
        "wf.loop(0:a)": "Succeeded",
        "wf.loop(0:a)(0)": "Succeeded",
        "wf.loop(1:b)": "Running",
        "wf.loop(2:c)": "Succeeded",
    }
    assert pods == [pod_name("wf", "wf.loop(1:b)(0)", "t")]


def test_a_loop_that_is_to_run_with_other_parameters_is_expanded_anew() -> None:
    fresh, pods = retried(expanded(), NOW, parameters=["items=[1]"])
    assert phases(fresh) == {"wf": "Running", "wf.loop": "Running"}
    assert len(pods) == 3


def test_the_containers_of_a_pod_go_with_it() -> None:
    fresh, pods = retried(
        workflow(
            node("wf", "DAG", "Failed", "wf.set"),
            node("wf.set", "Pod", "Failed", "wf.set.one", boundary="wf"),
            node("wf.set.one", "Container", "Succeeded", "wf.set.two", boundary="wf.set"),
            node("wf.set.two", "Container", "Failed", boundary="wf.set"),
        ),
        NOW,
        restart_successful=True,
        selector="displayName=one",
    )
    assert phases(fresh) == {"wf": "Running"}
    assert pods == [pod_name("wf", "wf.set", "t")]


def test_what_is_no_execution_stays_as_it_failed() -> None:
    fresh, pods = retried(
        workflow(
            node("wf", "Steps", "Failed", "wf[0]"),
            node("wf[0]", "StepGroup", "Failed", "wf[0].approve", boundary="wf"),
            node("wf[0].approve", "Suspend", "Failed", boundary="wf"),
        ),
        NOW,
    )
    assert (set(phases(fresh).values()), pods) == ({"Failed"}, []), "as argo 4.1 was recorded"


def test_a_suspended_step_that_is_named_waits_again() -> None:
    before = workflow(
        node("wf", "Steps", "Failed", "wf[0]"),
        node("wf[0]", "StepGroup", "Failed", "wf[0].approve", boundary="wf"),
        node("wf[0].approve", "Suspend", "Failed", boundary="wf"),
    )
    fresh, _ = retried(before, NOW, restart_successful=True, selector="displayName=approve")
    assert phases(fresh) == {"wf": "Running", "wf[0]": "Running"}


def test_a_daemon_that_runs_does_not_stand_in_the_way() -> None:
    fresh, pods = retried(
        workflow(
            node("wf", "DAG", "Failed", "wf.server", "wf.bad"),
            node("wf.server", "Pod", "Running", boundary="wf", daemoned=True),
            node("wf.bad", "Pod", "Failed", boundary="wf"),
        ),
        NOW,
    )
    assert phases(fresh) == {"wf": "Running", "wf.server": "Running"}
    assert pods == [pod_name("wf", "wf.bad", "t")]


def test_of_several_ways_up_the_one_beside_the_node_is_taken() -> None:
    fresh, _ = retried(
        workflow(
            node("wf", "DAG", "Failed", "wf.in", "wf.x"),
            node("wf.in", "DAG", "Succeeded", "wf.in.a", boundary="wf"),
            node("wf.in.a", "Pod", "Succeeded", "wf.join", boundary="wf.in"),
            node("wf.x", "Pod", "Succeeded", "wf.join", boundary="wf"),
            node("wf.join", "Pod", "Failed", boundary="wf"),
        ),
        NOW,
    )
    assert phases(fresh) == {"wf": "Running", "wf.in": "Succeeded", "wf.in.a": "Succeeded", "wf.x": "Succeeded"}


def test_the_exit_handler_goes_with_all_that_is_in_it() -> None:
    fresh, pods = retried(
        workflow(
            node("wf", "Pod", "Succeeded"),
            node("wf.onExit", "Steps", "Failed", "wf.onExit[0]"),
            node("wf.onExit[0]", "StepGroup", "Failed", "wf.onExit[0].bad", boundary="wf.onExit"),
            node("wf.onExit[0].bad", "Pod", "Failed", boundary="wf.onExit"),
        ),
        NOW,
    )
    assert phases(fresh) == {"wf": "Succeeded"}
    assert pods == [pod_name("wf", "wf.onExit[0].bad", "t")]


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([node("wf", "DAG", "Failed", "wf.lost")], "node wf has the child wf-[0-9]+, which is not among the nodes"),
        ([node("wf", "DAG", "Failed"), node("wf.a", "Pod", "Failed")], "couldn't find parent node for wf-"),
        (
            [node("wf", "DAG", "Failed", "wf.a"), node("wf.a", "Pod", "Failed", "wf", boundary="wf")],
            "node wf.* is above itself",
        ),
        (
            [
                node("wf", "DAG", "Failed", "wf.a"),
                node("wf.a", "DAG", "Failed", "wf.a.b", boundary="wf.x"),
                node("wf.a.b", "Pod", "Failed", boundary="wf.a"),
            ],
            "what encloses node wf.a is not above it",
        ),
    ],
)
def test_nodes_that_are_no_tree_are_refused(nodes: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        retried(workflow(*nodes), NOW)


def test_a_succeeded_workflow_needs_to_be_told_what() -> None:
    done = steps(second="Succeeded", phase="Succeeded")
    with pytest.raises(UsageError, match="To retry a succeeded workflow, set the options restartSuccessful"):
        retried(done, NOW)
    fresh, pods = retried(done, NOW, restart_successful=True, selector="displayName=one")
    assert phases(fresh) == {"wf": "Running", "wf[0]": "Running"}
    assert set(pods) == {pod_name("wf", name, "t") for name in ("wf[0].one", "wf[1].two", "wf[1].three", "wf.onExit")}


@pytest.mark.parametrize("phase", ["Running", "Pending", ""])
def test_one_that_runs_is_not_retried(phase: str) -> None:
    with pytest.raises(UsageError, match=f"Cannot retry a workflow in phase {phase}"):
        retried(workflow(phase=phase), NOW)


def test_parameters_reach_the_stored_spec_as_well() -> None:
    before = workflow()
    before["status"]["storedWorkflowTemplateSpec"] = {"shutdown": "Stop", "entrypoint": "main"}
    fresh, _ = retried(before, NOW, parameters=["a=b"])
    assert fresh["spec"]["arguments"]["parameters"] == [{"name": "a", "value": "b"}]
    assert fresh["status"]["storedWorkflowTemplateSpec"] == {
        "entrypoint": "main",
        "arguments": {"parameters": [{"name": "a", "value": "b"}]},
    }
