"""`{{workflow.*}}` in what a pod is given."""

from __future__ import annotations

from typing import Any

import pytest

from engine_world import World, values, workflow


def given(text: str, **meta: Any) -> str:
    """What the text is for the pod of a workflow."""
    spec = {
        "entrypoint": "pod",
        "serviceAccountName": "robot",
        "priority": 7,
        "arguments": {"parameters": values(b="2", a="1")},
        "templates": [{"name": "pod", "container": {"image": "x", "args": [text]}}],
    }
    manifest = workflow(spec)
    manifest["metadata"] |= meta
    return str(World(manifest).play().created[0].template["container"]["args"][0])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", "wf"),
        ("namespace", "argo"),
        ("uid", "u-1"),
        ("mainEntrypoint", "pod"),
        ("serviceAccountName", "robot"),
        ("priority", "7"),
        ("status", "Running"),
        ("duration", "0.000000"),
        ("parameters.a", "1"),
        ("parameters", '[{"name":"b","value":"2"},{"name":"a","value":"1"}]'),
        ("parameters.json", '[{"name":"b","value":"2"},{"name":"a","value":"1"}]'),
        ("labels.team", "net"),
        ("labels.json", '{"team":"net"}'),
        ("annotations.note", "n"),
        ("annotations", '{"note":"n","workflows.argoproj.io/scheduled-time":"2026-11-23T11:59:00Z"}'),
        ("scheduledTime", "2026-11-23T11:59:00Z"),
        ("creationTimestamp", "2026-11-23T12:00:00Z"),
        ("creationTimestamp.RFC3339", "2026-11-23T12:00:00Z"),
        ("creationTimestamp.s", "1795435200"),
        ("creationTimestamp.Y", "2026"),
        ("creationTimestamp.m", "11"),
        ("creationTimestamp.d", "23"),
        ("creationTimestamp.H", "12"),
        ("creationTimestamp.M", "00"),
        ("creationTimestamp.S", "00"),
        ("creationTimestamp.b", "Nov"),
        ("creationTimestamp.B", "November"),
        ("creationTimestamp.a", "Mon"),
        ("creationTimestamp.A", "Monday"),
        ("creationTimestamp.y", "26"),
        ("creationTimestamp.I", "12"),
        ("creationTimestamp.p", "PM"),
        ("creationTimestamp.Z", "UTC"),
        ("creationTimestamp.z", "+0000"),
        ("nothing", "{{workflow.nothing}}"),
    ],
)
def test_the_variables_of_a_workflow(name: str, value: str) -> None:
    scheduled = {"note": "n", "workflows.argoproj.io/scheduled-time": "2026-11-23T11:59:00Z"}
    assert given(f"{{{{workflow.{name}}}}}", labels={"team": "net"}, annotations=scheduled) == value


def test_without_labels_and_annotations() -> None:
    assert given("{{workflow.labels}} {{workflow.annotations.json}}") == "null null"


def test_names_with_dots_and_slashes_are_taken_whole() -> None:
    assert given("{{workflow.labels.app.kubernetes.io/name}}", labels={"app.kubernetes.io/name": "x"}) == "x"
