"""Suspending, resuming, and setting suspended nodes."""

from __future__ import annotations

from typing import Any

import pytest

from tiphys.errors import ApiError, UsageError
from tiphys.workflow.operations.selection import matching
from tiphys.workflow.operations.suspension import NodeValues, resumed, suspended, with_node_values

NOW = "2026-11-24T04:00:00Z"


def waiting(**spec: Any) -> dict[str, Any]:
    outputs = {"parameters": [{"name": "answer", "globalName": "global", "valueFrom": {"supplied": {}}}]}
    return {
        "metadata": {"name": "wf"},
        "spec": spec,
        "status": {
            "nodes": {
                "a": {"id": "a", "type": "Suspend", "phase": "Running", "displayName": "approve", "outputs": outputs},
                "b": {"id": "b", "type": "Pod", "phase": "Running", "displayName": "busy"},
            }
        },
    }


def test_suspend_is_written_once() -> None:
    assert (suspended(waiting()) or {})["spec"] == {"suspend": True}
    assert suspended(waiting(suspend=True)) is None


def test_what_has_completed_is_not_suspended() -> None:
    done = {"metadata": {"labels": {"workflows.argoproj.io/completed": "true"}}, "spec": {}}
    with pytest.raises(UsageError, match="cannot suspend completed workflows"):
        suspended(done)


def test_resume_ends_the_nodes_that_wait() -> None:
    workflow = waiting(suspend=True)
    del workflow["status"]["nodes"]["a"]["outputs"]
    fresh = resumed(workflow, NOW)
    assert fresh is not None
    assert fresh["spec"] == {}
    node = fresh["status"]["nodes"]["a"]
    assert (node["phase"], node["finishedAt"]) == ("Succeeded", NOW)
    assert fresh["status"]["nodes"]["b"]["phase"] == "Running"
    assert resumed(fresh, NOW) is None


def test_resume_needs_the_outputs_that_are_waited_for_or_their_defaults() -> None:
    with pytest.raises(UsageError, match="raw output parameter 'answer' has not been set"):
        resumed(waiting(), NOW)
    workflow = waiting()
    workflow["status"]["nodes"]["a"]["outputs"]["parameters"][0]["valueFrom"]["default"] = "maybe"
    fresh = resumed(workflow, NOW)
    assert fresh is not None
    (parameter,) = fresh["status"]["nodes"]["a"]["outputs"]["parameters"]
    assert parameter == {"name": "answer", "globalName": "global", "value": "maybe"}


def test_a_supplied_output_is_set_once_and_made_global() -> None:
    values = NodeValues(outputs={"answer": "yes"})
    fresh = with_node_values(waiting(), "displayName=approve", values, NOW)
    node = fresh["status"]["nodes"]["a"]
    assert node["phase"] == "Running"
    assert node["outputs"]["parameters"][0]["value"] == "yes"
    assert fresh["status"]["outputs"]["parameters"] == [{"name": "global", "value": "yes"}]
    with pytest.raises(UsageError, match="it was already set"):
        with_node_values(fresh, "displayName=approve", values, NOW)


@pytest.mark.parametrize(
    ("selector", "values", "says"),
    [
        (
            "displayName=busy",
            NodeValues(phase="Failed"),
            "no suspend nodes matching nodeFieldSelector: displayName=busy",
        ),
        ("displayName=approve", NodeValues(outputs={"x": "y"}), "node is not expecting output parameter 'x'"),
        ("displayName=approve", NodeValues(), "no suspend nodes matching"),
    ],
)
def test_what_cannot_be_set_is_said(selector: str, values: NodeValues, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        with_node_values(waiting(), selector, values, NOW)


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ("", True),
        ("phase=Failed", True),
        ("phase!=Failed", False),
        ("templateRef.name=wt,templateRef.template=main", True),
        ("templateName=main", True),
        ("inputs.parameters.host.value=r1", True),
        ("inputs.parameters.other.value=", True),
        ("nonsense=1", False),
    ],
)
def test_node_field_selectors(selector: str, matches: bool) -> None:
    node = {
        "phase": "Failed",
        "templateRef": {"name": "wt", "template": "main"},
        "inputs": {"parameters": [{"name": "host", "value": "r1"}]},
    }
    assert matching(selector)(node) is matches


def test_a_selector_that_is_none() -> None:
    with pytest.raises(ApiError, match="can't understand 'phase'"):
        matching("phase")
