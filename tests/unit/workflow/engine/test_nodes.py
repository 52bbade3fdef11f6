"""Rows of nodes, read and written."""

from __future__ import annotations

from typing import Any

import pytest

from engine_world import POD, World, workflow
from tiphys.workflow.engine.nodes import Node

ROW: dict[str, Any] = {
    "id": "wf-1",
    "name": "wf[0].a",
    "displayName": "a",
    "type": "Pod",
    "templateName": "pod",
    "templateScope": "local/wf",
    "phase": "Failed",
    "boundaryID": "wf",
    "message": "m",
    "startedAt": "2026-11-23T12:00:00Z",
    "finishedAt": "2026-11-23T12:00:01Z",
    "progress": "0/1",
    "resourcesDuration": {"cpu": 0},
    "nodeFlag": {},
    "hostNodeName": "h",
    "taskResultSynced": False,
    "inputs": {"parameters": []},
    "outputs": {"exitCode": "1"},
    "children": ["wf-2", "wf-3"],
    "outboundNodes": ["wf-3"],
    "memoizationStatus": {"hit": True},
}


def test_a_row_that_is_read_is_written_as_it_was() -> None:
    assert Node.from_api(ROW["id"], ROW).to_api() == ROW


def test_what_is_empty_is_left_out() -> None:
    row = {"id": "wf", "name": "wf", "type": "Pod", "phase": "Pending", "children": [], "message": "", "inputs": None}
    assert Node.from_api(row["id"], row).to_api() == {
        "id": "wf",
        "name": "wf",
        "displayName": "wf",
        "type": "Pod",
        "phase": "Pending",
    }


def test_a_written_row_does_not_change_with_its_node() -> None:
    node = Node.from_api(ROW["id"], ROW)
    row = node.to_api()
    node.children["wf-4"] = None
    node.phase = "Succeeded"
    assert row == ROW


def test_how_a_node_ended() -> None:
    phases = ("Pending", "Running", "Succeeded", "Failed", "Error", "Skipped", "Omitted")
    nodes = [Node.from_api(ROW["id"], {**ROW, "phase": phase}) for phase in phases]
    assert [node.fulfilled for node in nodes] == [False, False, True, True, True, True, True]
    assert [node.completed for node in nodes] == [False, False, True, True, True, False, False]
    assert [node.failed for node in nodes] == [False, False, False, True, True, False, False]


@pytest.mark.parametrize("row", [{}, {"name": "wf"}, {"name": "wf", "phase": "Failed"}, {"id": "other", "type": "Pod"}])
def test_a_node_that_a_client_wrote_with_half_of_its_fields_is_one(row: dict[str, Any]) -> None:
    manifest = workflow({"entrypoint": "pod", "templates": [POD]}, phase="Running", nodes={"wf": row})
    assert World(manifest).play().status["nodes"]["wf"]["name"] == "wf"
