"""What of the workflow's own status an event changed."""

from __future__ import annotations

from typing import Any

from tiphys.workflow.engine.status import Status


def status(**fields: Any) -> Status:
    meta = {"labels": {"team": "net"}, "annotations": {"note": "n"}}
    return Status({"metadata": meta, "status": {**fields, "nodes": {"n": {}}}})


def test_what_is_as_it_was_is_no_change() -> None:
    known = status(phase="Running", message="m")
    known.set("phase", "Running")
    known.label("team", "net")
    known.annotate("note", "n")
    assert known.take_changes() == ({}, {}, {})


def test_changes_are_taken_once() -> None:
    known = status(phase="Running", message="m")
    known.set("phase", "Failed")
    known.set("message", None)
    known.label("team", "sec")
    known.annotate("more", "x")
    assert known.finished
    assert known.take_changes() == ({"phase": "Failed", "message": None}, {"team": "sec"}, {"more": "x"})
    assert known.take_changes() == ({}, {}, {})
    assert (known.get("message"), known.get("nodes")) == (None, None)


def test_a_condition_keeps_its_place() -> None:
    known = status(conditions=[{"type": "PodRunning", "status": "True"}, {"type": "Other", "status": "True"}])
    known.condition("PodRunning", "False")
    known.condition("Completed", "True")
    assert [f"{row['type']}={row['status']}" for row in known.get("conditions")] == [
        "PodRunning=False",
        "Other=True",
        "Completed=True",
    ]


def test_entries_of_a_map_are_added() -> None:
    known = status(storedTemplates={"a": {"name": "a"}})
    known.merge("storedTemplates", {})
    known.merge("storedTemplates", {"b": {"name": "b"}})
    known.merge("storedTemplates", {"c": {"name": "c"}})
    assert known.take_changes()[0] == {"storedTemplates": {"b": {"name": "b"}, "c": {"name": "c"}}}
    assert set(known.get("storedTemplates")) == {"a", "b", "c"}
