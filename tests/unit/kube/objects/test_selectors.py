"""Selectors as kubectl and argo send them."""

import pytest

from tiphys.errors import ApiError
from tiphys.kube.objects import selectors

HAVE = {"app": "web", "tier": "front", "n": "5", "workflows.argoproj.io/completed": "true"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("app=web", True), ("app==web", True), ("app!=web", False), ("other!=x", True), ("app", True), ("!app", False),
        ("!workflows.argoproj.io/controller-instanceid", True), ("app in (web, db)", True), ("app notin (web)", False),
        ("x notin (web)", True), ("app=web,tier=back", False), ("workflows.argoproj.io/completed!=true,!x", False),
        ("n>4", True), ("n<5", False), ("app=", False), ("x in ()", False),
        ("x in (a,)", False), ("app = web , tier in(front)", True), ("app in (in,notin,web)", True),
    ],
)  # fmt: skip
def test_label_selectors(text: str, matches: bool) -> None:
    selector = selectors.labels(text)
    assert selector is not None
    assert selector(HAVE) is matches


@pytest.mark.parametrize(
    "text", ["a b", "=x", "a in b", "a in (b", ",", "a=b=c", "in (a)", "a/b/c", "-a", "a=-", "n>x"]
)
def test_a_selector_that_cannot_be_parsed_is_a_400(text: str) -> None:
    with pytest.raises(ApiError) as caught:
        selectors.labels(text)
    assert caught.value.code == 400


def test_label_selector_objects() -> None:
    selector = selectors.from_object(
        {"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "tier", "operator": "In", "values": ["front"]}]}
    )
    assert selector is not None
    assert selector(HAVE)
    assert selectors.from_object({}) is None
    with pytest.raises(ApiError, match='"Maybe" is not a valid label selector operator'):
        selectors.from_object({"matchExpressions": [{"key": "a", "operator": "Maybe"}]})
    with pytest.raises(ApiError, match="values must be specified when `operator` is 'In'"):
        selectors.from_object({"matchExpressions": [{"key": "a", "operator": "In"}]})


def test_field_selectors() -> None:
    assert selectors.fields("metadata.name=x,status.phase!=Running") == [
        ("metadata.name", True, "x"), ("status.phase", False, "Running"),
    ]  # fmt: skip
    assert selectors.fields(r"a=x\,y\=z") == [("a", True, "x,y=z")]
    assert selectors.field_value({"status": {"phase": "Running"}}, "status.phase") == "Running"
    assert selectors.field_value({}, "status.phase") == ""
    with pytest.raises(ApiError, match=r"can't understand 'metadata\.name'"):
        selectors.fields("metadata.name")
