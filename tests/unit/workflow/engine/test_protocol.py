"""Changes as a patch."""

from __future__ import annotations

from tiphys.workflow.engine.protocol import Changes


def test_nothing_changed_is_no_patch() -> None:
    assert Changes(finished=True).patch() == {}


def test_only_what_changed_is_in_the_patch() -> None:
    assert Changes(labels={"a": "b"}).patch() == {"metadata": {"labels": {"a": "b"}}}
    assert Changes(annotations={"a": None}).patch() == {"metadata": {"annotations": {"a": None}}}
    assert Changes(nodes={"n": {"id": "n"}}).patch() == {"status": {"nodes": {"n": {"id": "n"}}}}
    assert Changes(status={"phase": "Failed", "message": None}, nodes={"n": {}}).patch() == {
        "status": {"phase": "Failed", "message": None, "nodes": {"n": {}}}
    }
