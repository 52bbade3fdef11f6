"""A new workflow out of one that has run."""

from __future__ import annotations

from typing import Any

import pytest

from tiphys.errors import UsageError
from tiphys.workflow.names import node_id
from tiphys.workflow.operations.resubmit import resubmitted

NOW = "2026-11-24T04:00:00Z"


def ended(phase: str = "Failed") -> dict[str, Any]:
    nodes = [
        {"name": "old-1", "type": "Steps", "phase": "Failed", "children": ["old-1[0]"], "message": "bad"},
        {"name": "old-1[0]", "type": "StepGroup", "phase": "Failed", "boundaryID": "old-1", "children": []},
        {"name": "old-1[0].good", "type": "Pod", "phase": "Succeeded", "boundaryID": "old-1"},
        {"name": "old-1[0].bad", "type": "Pod", "phase": "Failed", "boundaryID": "old-1", "message": "exit 3"},
        {"name": "old-1.onExit", "type": "Pod", "phase": "Succeeded"},
    ]
    for one in nodes:
        one["id"] = node_id("old-1", str(one["name"]))
        one["children"] = [node_id("old-1", child) for child in one.get("children") or []]
    return {
        "metadata": {
            "name": "old-1",
            "generateName": "old-",
            "namespace": "ns",
            "uid": "u",
            "labels": {
                "workflows.argoproj.io/phase": phase,
                "workflows.argoproj.io/completed": "true",
                "workflows.argoproj.io/creator": "me",
                "mine": "stays",
            },
        },
        "spec": {"shutdown": "Terminate", "entrypoint": "main"},
        "status": {"phase": phase, "nodes": {one["id"]: one for one in nodes}},
    }


def test_the_spec_and_the_users_labels_are_carried_over() -> None:
    made = resubmitted(ended(), NOW, "abcde")
    assert made["metadata"] == {
        "generateName": "old-",
        "namespace": "ns",
        "labels": {"mine": "stays", "workflows.argoproj.io/resubmitted-from-workflow": "old-1"},
    }
    assert made["spec"] == {"entrypoint": "main"}
    assert "status" not in made


def test_memoized_takes_over_what_succeeded_under_new_ids() -> None:
    made = resubmitted(ended(), NOW, "abcde", memoized=True)
    assert made["metadata"]["name"] == "old-abcde"
    nodes = {one["name"]: one for one in made["status"]["nodes"].values()}
    assert set(nodes) == {"old-abcde", "old-abcde[0]", "old-abcde[0].good", "old-abcde[0].bad"}
    good = nodes["old-abcde[0].good"]
    assert (good["type"], good["phase"]) == ("Skipped", "Skipped")
    assert good["message"] == f"original pod: {node_id('old-1', 'old-1[0].good')}"
    assert good["id"] == node_id("old-abcde", "old-abcde[0].good")
    bad = nodes["old-abcde[0].bad"]
    assert (bad["phase"], bad["startedAt"], "message" in bad) == ("Pending", None, False)
    assert nodes["old-abcde[0]"]["boundaryID"] == "old-abcde"


def test_memoized_is_for_failures() -> None:
    with pytest.raises(UsageError, match="workflow must be Failed/Error to resubmit in memoized mode"):
        resubmitted(ended("Succeeded"), NOW, "abcde", memoized=True)
