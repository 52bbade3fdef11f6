"""The three patches."""

import copy

import pytest

from tiphys.errors import ApiError
from tiphys.kube.objects.patches import json_patch, merge_patch, strategic_merge

POD = {
    "metadata": {"finalizers": ["a"], "labels": {"x": "1"}},
    "spec": {
        "containers": [{"name": "m", "image": "i", "env": [{"name": "A", "value": "1"}]}, {"name": "s"}],
        "list": [1],
    },
}


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}), ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}), ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}), (["a"], {"a": "b"}, {"a": "b"}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)  # fmt: skip
def test_merge_patch_as_in_the_rfc(target: object, patch: object, result: object) -> None:
    before = copy.deepcopy(target)
    assert merge_patch(target, patch) == result
    assert target == before


def test_json_patch_operations() -> None:
    document = {"a": {"b": [1, 2]}, "c~d/e": 1}
    operations = [
        {"op": "test", "path": "/a/b/1", "value": 2}, {"op": "add", "path": "/a/b/1", "value": 9},
        {"op": "add", "path": "/a/b/-", "value": 3}, {"op": "replace", "path": "/c~0d~1e", "value": 2},
        {"op": "copy", "from": "/a/b", "path": "/z"}, {"op": "move", "from": "/a/b/0", "path": "/first"},
        {"op": "remove", "path": "/a/b/0"},
    ]  # fmt: skip
    assert json_patch(document, operations) == {"a": {"b": [2, 3]}, "c~d/e": 2, "z": [1, 9, 2, 3], "first": 1}
    assert document == {"a": {"b": [1, 2]}, "c~d/e": 1}


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ({"op": "test", "path": "/a", "value": 2}, 422), ({"op": "remove", "path": "/x"}, 422),
        ({"op": "replace", "path": "/x", "value": 1}, 422), ({"op": "add", "path": "/l/5", "value": 1}, 422),
        ({"op": "add", "path": "x", "value": 1}, 400), ({"op": "jump", "path": "/x"}, 400),
        ({"op": "add", "path": "/x"}, 400),
        ({"op": "move", "from": "/l", "path": "/l/0"}, 422), ({"op": "test", "path": "/t", "value": 1}, 422),
    ],
)  # fmt: skip
def test_json_patch_refusals(operation: dict, code: int) -> None:
    with pytest.raises(ApiError) as caught:
        json_patch({"a": 1, "l": [], "t": True}, [operation])
    assert caught.value.code == code


def test_strategic_merge_by_key() -> None:
    patch = {
        "metadata": {"finalizers": ["b", "a"]},
        "spec": {"containers": [{"name": "m", "env": [{"name": "B", "value": "2"}]}, {"name": "new"}], "list": [2]},
    }
    merged = strategic_merge(POD, patch)
    assert [c["name"] for c in merged["spec"]["containers"]] == ["m", "new", "s"]
    assert merged["spec"]["containers"][0]["env"] == [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]
    assert merged["spec"]["containers"][0]["image"] == "i"
    assert merged["metadata"]["finalizers"] == ["b", "a"]
    assert merged["spec"]["list"] == [2]


def test_strategic_directives() -> None:
    merged = strategic_merge(
        POD,
        {
            "metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "labels": {"$patch": "replace", "y": "2"}},
            "spec": {
                "$setElementOrder/containers": [{"name": "z"}, {"name": "m"}],
                "containers": [{"name": "s", "$patch": "delete"}, {"name": "z"}],
            },
        },
    )
    assert merged["metadata"] == {"finalizers": [], "labels": {"y": "2"}}
    assert [c["name"] for c in merged["spec"]["containers"]] == ["z", "m"]


@pytest.mark.parametrize(
    ("before", "patch", "after"),
    [
        ("abc", {"l": "xb"}, "xabc"), ("ab", {"l": "c"}, "cab"),
        ("axb", {"$setElementOrder/l": "acb", "l": "c"}, "acxb"), ("ab", {"$setElementOrder/l": "ba"}, "ba"),
        ("abcd", {"$setElementOrder/l": "cda", "l": "d"}, "bcda"), ("", {"l": "ba"}, "ba"),
        ("aab", {"l": "b"}, "aab"), ("ab", {"$retainKeys": ["m"], "l": "c"}, "c"),
    ],
)  # fmt: skip
def test_the_order_of_a_merged_list(before: str, patch: dict, after: str) -> None:
    def items(names: str) -> list[dict]:
        return [{"name": name} for name in names]

    keyed = {key: items(value) if isinstance(value, str) else value for key, value in patch.items()}
    merged = strategic_merge({"l": items(before)}, keyed, {"l": "name"})
    assert "".join(item["name"] for item in merged["l"]) == after


def test_an_item_without_its_merge_key_is_refused() -> None:
    with pytest.raises(ApiError, match="an item of the list containers has no name"):
        strategic_merge(POD, {"spec": {"containers": [{"image": "i"}]}})


def test_json_patch_cannot_fill_the_memory() -> None:
    bomb = [{"op": "copy", "from": "", "path": f"/{n}"} for n in range(40)]
    with pytest.raises(ApiError) as caught:
        json_patch({"a": "x" * 100}, bomb)
    assert caught.value.code == 413


def test_json_patch_tells_true_from_one_at_any_depth() -> None:
    with pytest.raises(ApiError, match="testing value /a failed"):
        json_patch({"a": [{"b": True}]}, [{"op": "test", "path": "/a", "value": [{"b": 1}]}])
    assert json_patch({"a": 1.0}, [{"op": "test", "path": "/a", "value": 1}]) == {"a": 1.0}
