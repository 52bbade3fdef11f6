"""A Workflow kept in parts is the same object to everybody: taken apart, patched by part, put together again."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tiphys.kit.codec import decode, encode
from tiphys.kube.objects.patches import merge_patch
from tiphys.kube.objects.resources import served
from tiphys.kube.server import parts
from tiphys.kube.store.api import Key, Record

WORKFLOWS = served("argoproj.io", "workflows")
KEY = Key("argoproj.io", "workflows", "ns", "w")

leaves = st.none() | st.booleans() | st.integers(0, 9) | st.text("ab", max_size=2)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab", max_size=1), inner)
)
maps = st.dictionaries(st.sampled_from("abc"), values, max_size=3)
nodes = st.dictionaries(st.sampled_from(("n1", "n2", "n3", "")), maps, min_size=1, max_size=3)
members = {
    "nodes": nodes,
    "storedTemplates": maps,
    "storedWorkflowTemplateSpec": maps,
    "phase": leaves,
    "message": leaves,
}
objects = st.fixed_dictionaries({}, optional={"spec": maps, "status": st.fixed_dictionaries({}, optional=members)})

# A patch names anything and takes away anything; what it may not do without the whole is for `replaces` to tell.
changes = st.dictionaries(st.sampled_from("abc"), st.none() | values, max_size=3)
node_patches = st.dictionaries(st.sampled_from(("n1", "n2", "n4")), st.none() | changes, min_size=1, max_size=3)
patched = {
    "nodes": node_patches,
    "storedTemplates": st.none() | changes,
    "storedWorkflowTemplateSpec": st.none() | changes,
    "phase": st.none() | leaves,
}
patches = st.fixed_dictionaries({"status": st.fixed_dictionaries({}, optional=patched)}, optional={"spec": changes})


def kept(value: dict[str, Any]) -> Record:
    """An object as the store keeps it."""
    value = copy.deepcopy(value)
    rows = parts.difference({}, parts.take_parts(WORKFLOWS, value))
    return Record(KEY, 1, 1, "u", {}, encode(value), {name: part for name, part in rows.items() if part is not None})


def tidy(value: dict[str, Any]) -> dict[str, Any]:
    """Without what is nothing: an empty map of nodes, and an empty status."""
    value = copy.deepcopy(value)
    status = value.get("status")
    if isinstance(status, dict):
        if status.get("nodes") == {}:
            del status["nodes"]
        for name in ("storedTemplates", "storedWorkflowTemplateSpec"):
            if name in status and status[name] is None:
                del status[name]
    if not value.get("status"):
        value.pop("status", None)
    return value


@given(objects)
def test_what_was_taken_apart_is_put_together(value: dict[str, Any]) -> None:
    record = kept(value)
    assert tidy(parts.assembled(record)) == tidy(value)
    assert decode(parts.json_of(record)) == parts.assembled(record)
    assert b"n1" not in record.value


@settings(max_examples=300)
@given(objects, patches)
def test_a_patch_of_parts_is_a_patch_of_the_whole(value: dict[str, Any], patch: dict[str, Any]) -> None:
    assert not parts.replaces(WORKFLOWS, patch)
    record, expected = kept(value), merge_patch(value, patch)
    patch = copy.deepcopy(patch)
    named = parts.take_parts(WORKFLOWS, patch)
    rows = parts.merged(record.parts, named)
    now = {name: part for name, part in {**record.parts, **rows}.items() if part is not None}
    after = Record(KEY, 2, 1, "u", {}, encode(merge_patch(decode(record.value), patch)), now)
    assert tidy(parts.assembled(after)) == tidy(expected)
    assert rows.keys() <= named.keys(), "only what the patch names is written"


@pytest.mark.parametrize(
    "patch",
    [
        {"spec": None},
        {"spec": 1},
        {"status": None},
        {"status": []},
        {"status": {"nodes": None}},
        {"status": {"nodes": "x"}},
        {"status": {"storedTemplates": []}},
    ],
)
def test_what_takes_parts_away_without_naming_them_needs_the_whole(patch: dict[str, Any]) -> None:
    assert parts.replaces(WORKFLOWS, patch)
    assert not parts.replaces(served("", "configmaps"), patch)


@given(objects, objects)
def test_only_the_parts_that_differ_are_written(before: dict[str, Any], after: dict[str, Any]) -> None:
    record, wanted = kept(before), kept(after)
    rows = parts.difference(record.parts, parts.take_parts(WORKFLOWS, copy.deepcopy(after)))
    now = {name: part for name, part in {**record.parts, **rows}.items() if part is not None}
    assert now == wanted.parts
    assert all(record.parts.get(name) != part for name, part in rows.items())
