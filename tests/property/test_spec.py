"""Whatever JSON comes in as a workflow, it is judged: with findings, never with an error of ours."""

import contextlib
import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tiphys.errors import ApiError
from tiphys.workflow.spec import fields
from tiphys.workflow.spec.admit import admit
from tiphys.workflow.spec.support import not_honoured
from tiphys.workflow.spec.validate import problems

KINDS = st.sampled_from(sorted(fields.KINDS))
NAMES = st.sampled_from(sorted({name for type_ in fields.types() for name in fields.fields_of(type_)}))
SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False) | st.text(max_size=5)
TEXTS = st.sampled_from(
    ("", "a", "main", "{{item}}", "{{inputs.parameters.p}}", "{{", "}}", "{{=", "@every", "* * * * *")
)
JSON = st.recursive(
    SCALARS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=20,
)
ARGUMENTS = {"parameters": [{"name": "p", "value": "{{item}}"}], "artifacts": [{"name": "f", "raw": {"data": ""}}]}
LEAF = {
    "name": "leaf",
    "inputs": {"parameters": [{"name": "p", "default": 1}], "artifacts": [{"name": "f", "path": "/f"}]},
    "outputs": {"parameters": [{"name": "o", "globalName": "g", "valueFrom": {"path": "/o"}}]},
    "retryStrategy": {"limit": 2, "backoff": {"duration": "1s"}},
    "timeout": "10s",
    "container": {"image": "x", "args": ["{{inputs.parameters.p}}"], "env": [{"name": "A", "value": "b"}]},
}
STEP = {"name": "s", "template": "leaf", "withItems": [1, {"a": 2}], "arguments": ARGUMENTS, "hooks": {"exit": {}}}
WORKFLOW = {
    "metadata": {"name": "wf"},
    "spec": {
        "entrypoint": "main",
        "onExit": "leaf",
        "arguments": {"parameters": [{"name": "p", "value": 1, "enum": [1]}]},
        "workflowMetadata": {"labels": {"a": "b"}, "labelsFrom": {"c": {"expression": "d"}}},
        "templates": [
            {"name": "main", "steps": [[STEP]], "templateRef": {"name": "t", "template": "u"}},
            {"name": "dag", "dag": {"tasks": [STEP, {**STEP, "name": "t", "depends": "s.Failed"}], "target": "s"}},
            LEAF,
        ],
    },
}


def judge(kind: str, obj: dict[str, Any]) -> None:
    """Ask everything there is to ask."""
    fields.unknown(kind, obj)
    fields.wrong(kind, obj)
    not_honoured(kind, obj)
    problems({**obj, "kind": kind}, lambda kind, name: "not found")
    with contextlib.suppress(ApiError):
        admit(kind, obj)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(inner for key, item in entries for inner in places(item, (*path, key)))]


PLACES = st.sampled_from(places(WORKFLOW["spec"]))


@settings(deadline=None, max_examples=200)
@given(KINDS, JSON, JSON)
def test_any_json_is_judged(kind: str, metadata: Any, spec: Any) -> None:
    judge(kind, {"metadata": metadata, "spec": spec})


@settings(deadline=None, max_examples=400)
@given(KINDS, st.lists(st.tuples(PLACES, JSON), min_size=1, max_size=3))
def test_a_workflow_with_anything_anywhere_is_judged(kind: str, changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    obj: Any = copy.deepcopy(WORKFLOW)
    for place, value in changes:
        holder, last = obj["spec"], place[-1] if place else None
        try:
            for key in place[:-1]:
                holder = holder[key]
            if last is not None and isinstance(holder, dict | list):
                holder[last] = value
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change has taken the place away
    if kind == "CronWorkflow":
        obj["spec"] = {"schedules": ["@daily"], "workflowSpec": obj["spec"]}
    judge(kind, obj)


def test_an_object_nested_as_deep_as_can_be_is_judged() -> None:
    inner: dict[str, Any] = LEAF
    for _ in range(2000):
        inner = {"steps": [[{"name": "s", "inline": inner}]]}
    judge("Workflow", {"metadata": {"name": "wf"}, "spec": {"entrypoint": "main", "templates": [inner]}})


def test_templates_that_call_one_another_without_end_are_judged() -> None:
    chain = [{"name": f"t{i}", "steps": [[{"name": "s", "template": f"t{i + 1}"}]]} for i in range(2000)]
    chain.append({"name": "t2000", "steps": [[{"name": "s", "template": "t0"}]]})
    spec = {"entrypoint": "t0", "templates": chain}
    assert (
        problems({"kind": "Workflow", "metadata": {"name": "wf"}, "spec": spec}, lambda kind, name: "not found") == []
    )
    judge("Workflow", {"metadata": {"name": "wf"}, "spec": spec})
