"""Patches: the laws of merge patches, and that a difference applied gives what it was taken from."""

import contextlib
import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tiphys.errors import ApiError
from tiphys.kube.objects.patches import json_patch, merge_patch, strategic_merge

NAMES = st.sampled_from(("a", "b", "c", "x/y", "~"))
SCALARS = st.one_of(st.booleans(), st.integers(-3, 3), st.sampled_from(("", "s", "t")))
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.dictionaries(NAMES, inner, max_size=4), st.lists(inner, max_size=3)),
    max_leaves=12,
)
OBJECTS = st.dictionaries(NAMES, JSON, max_size=4)
PATCHES = st.dictionaries(NAMES, st.one_of(st.none(), JSON, st.dictionaries(NAMES, st.none() | JSON)), max_size=4)


def difference(before: Any, after: Any) -> Any:
    """A merge patch from one object to another."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        return after
    patch: dict[str, Any] = {name: None for name in before if name not in after}
    for name, value in after.items():
        if name not in before or before[name] != value or type(before[name]) is not type(value):
            patch[name] = difference(before.get(name), value)
    return patch


@given(OBJECTS, OBJECTS)
def test_a_difference_applied_gives_the_other_object(before: Any, after: Any) -> None:
    assert merge_patch(before, difference(before, after)) == after


@given(OBJECTS, PATCHES)
def test_a_merge_patch_twice_is_the_same_as_once_and_inputs_stay(before: Any, patch: Any) -> None:
    inputs = copy.deepcopy((before, patch))
    once = merge_patch(before, patch)
    assert merge_patch(once, patch) == once
    assert (before, patch) == inputs


@given(OBJECTS, PATCHES)
def test_without_merge_keys_a_strategic_patch_is_a_merge_patch(before: Any, patch: Any) -> None:
    assert strategic_merge(before, patch, {}) == merge_patch(before, patch)


ITEMS = st.lists(st.builds(lambda n, v: {"name": n, "v": v}, NAMES, SCALARS), max_size=5, unique_by=lambda i: i["name"])


@given(ITEMS, ITEMS)
def test_a_keyed_list_merges_to_the_union_and_the_patch_wins(before: Any, patch: Any) -> None:
    merged = strategic_merge({"l": before}, {"l": patch}, {"l": "name"})["l"]
    expected = {item["name"]: item for item in before} | {item["name"]: item for item in patch}
    assert {item["name"]: item for item in merged} == expected
    assert len(merged) == len(expected)
    order = [item["name"] for item in merged]
    assert [n for n in order if n in {i["name"] for i in patch}] == [item["name"] for item in patch]


POINTERS = st.lists(NAMES | st.sampled_from(("0", "1", "-")), max_size=3).map(
    lambda steps: "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)
)
OPERATIONS = st.one_of(
    st.fixed_dictionaries({"op": st.sampled_from(("add", "replace", "test")), "path": POINTERS, "value": JSON}),
    st.fixed_dictionaries({"op": st.just("remove"), "path": POINTERS}),
    st.fixed_dictionaries({"op": st.sampled_from(("copy", "move")), "path": POINTERS, "from": POINTERS}),
)


@given(OBJECTS, st.lists(OPERATIONS, max_size=5))
def test_a_json_patch_applies_or_is_refused_and_inputs_stay(before: Any, operations: Any) -> None:
    inputs = copy.deepcopy((before, operations))
    with contextlib.suppress(ApiError):
        json_patch(before, operations)
    assert (before, operations) == inputs


@given(OBJECTS, NAMES, JSON)
def test_add_then_test_then_remove_gives_the_object_without_it(before: Any, name: str, value: Any) -> None:
    path = "/" + name.replace("~", "~0").replace("/", "~1")
    added = json_patch(
        before, [{"op": "add", "path": path, "value": value}, {"op": "test", "path": path, "value": value}]
    )
    assert added == {**before, name: value}
    assert json_patch(added, [{"op": "remove", "path": path}]) == {k: v for k, v in before.items() if k != name}
