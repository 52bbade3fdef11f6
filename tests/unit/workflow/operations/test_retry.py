"""What retry runs again, what it keeps, which pods it deletes."""

from __future__ import annotations

from typing import Any

import pytest

from tiphys.errors import UsageError
from tiphys.workflow.names import node_id, pod_name
from tiphys.workflow.operations.retry import retried

NOW = "2026-11-24T04:00:00Z"


def node(name: str, kind: str, phase: str, *children: str, boundary: str = "", template: str = "t") -> dict[str, Any]:
    """A node of the workflow `wf`."""
    return {
        "id": node_id("wf", name),
        "name": name,
        "displayName": name.rpartition(".")[2],
        "type": kind,
        "phase": phase,
        "templateName": template,
        "boundaryID": boundary,
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
    assert fresh["metadata"]["labels"] == {"workflows.argoproj.io/phase": "Running", "mine": "stays"}
    assert fresh["spec"] == {"entrypoint": "main"}
    status = fresh["status"]
    assert (status["phase"], status["startedAt"], status["finishedAt"]) == ("Running", NOW, None)
    assert "message" not in status
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


def test_the_failed_attempts_of_what_succeeded_at_last_stay() -> None:
    fresh, pods = retried(
        workflow(
            node("wf", "DAG", "Failed", "wf.again", "wf.bad"),
            node("wf.again", "Retry", "Succeeded", "wf.again(0)", "wf.again(1)", boundary="wf"),
            node("wf.again(0)", "Pod", "Failed", boundary="wf"),
            node("wf.again(1)", "Pod", "Succeeded", boundary="wf"),
            node("wf.bad", "Pod", "Failed", boundary="wf"),
        ),
        NOW,
    )
    assert phases(fresh)["wf.again(0)"] == "Failed"
    assert pods == [pod_name("wf", "wf.bad", "t")]


def test_a_failed_retry_node_goes_with_its_attempts() -> None:
    fresh, pods = retried(
        workflow(
            node("wf", "Retry", "Failed", "wf(0)", "wf(1)"),
            node("wf(0)", "Pod", "Failed"),
            node("wf(1)", "Pod", "Failed"),
        ),
        NOW,
    )
    assert phases(fresh) == {}
    assert len(pods) == 2


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


def test_a_node_that_still_runs_stands_in_the_way() -> None:
    with pytest.raises(UsageError, match="Workflow cannot be retried with node wf in Running phase"):
        retried(workflow(node("wf", "Pod", "Running")), NOW)


def test_parameters_reach_the_stored_spec_as_well() -> None:
    before = workflow()
    before["status"]["storedWorkflowTemplateSpec"] = {"shutdown": "Stop", "entrypoint": "main"}
    fresh, _ = retried(before, NOW, parameters=["a=b"])
    assert fresh["spec"]["arguments"]["parameters"] == [{"name": "a", "value": "b"}]
    assert fresh["status"]["storedWorkflowTemplateSpec"] == {
        "entrypoint": "main",
        "arguments": {"parameters": [{"name": "a", "value": "b"}]},
    }
