"""Names and ids, against what real ones are."""

from __future__ import annotations

import pytest

from tiphys.workflow.engine.names import display_name, loop_index, node_id, pod_name, step_of


def test_ids_are_those_of_argo() -> None:
    assert node_id("wf", "wf") == "wf"
    assert (
        node_id("container-on-exit-fp8r5", "container-on-exit-fp8r5[0].stepA") == "container-on-exit-fp8r5-2775884244"
    )
    assert (
        node_id("container-on-exit-fp8r5", "container-on-exit-fp8r5[1].stepB") == "container-on-exit-fp8r5-3252557200"
    )


def test_pods_are_named_after_template_and_node() -> None:
    assert pod_name("wfname", "wfname", "templatename") == "wfname"
    assert pod_name("wfname", "nodename", "templatename") == "wfname-templatename-1454367246"
    assert pod_name("wfname", "stp.inline", "") == "wfname-2902770869"
    long = pod_name("w" * 200, "node", "t" * 100)
    assert len(long) <= 253
    assert long.startswith("w" * 200 + "-" + "t" * 41 + "-")


@pytest.mark.parametrize(
    ("name", "boundary", "shown"),
    [
        ("wf[0].a", "wf", "a"),
        ("wf[0]", "wf", "[0]"),
        ("wf[0].a[1].b", "wf[0].a", "b"),
        ("wf.task(1:x)", "wf", "task(1:x)"),
        ("wf[0].a(0:x.y)", "wf", "a(0:x.y)"),
    ],
)
def test_what_is_shown_is_the_name_within_its_boundary(name: str, boundary: str, shown: str) -> None:
    assert display_name(name, boundary) == shown


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("wf[0].fan-out(0:x)(1)", "fan-out"),
        ("wf[0].a", "a"),
        ("wf.task(0:a.b[c)", "task"),
        ("wf", "wf"),
        ("wf.a.onExit", "onExit"),
        ("wf[3]", "wf"),
    ],
)
def test_the_step_a_node_stands_for(name: str, step: str) -> None:
    assert step_of(name) == step


def test_the_index_of_an_item() -> None:
    assert loop_index("a(12:x:y(") == 12
