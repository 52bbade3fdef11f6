"""Pieces of manifests with tags."""

from __future__ import annotations

import pytest

from tiphys.errors import ExpressionError
from tiphys.workflow.engine.substitution import Pattern, fill_text


def test_tags_are_found_in_values_keys_and_lists() -> None:
    raw = {"a": ["{{x}}", 1, {"{{y}}": "b"}], "c": None, "d": "plain"}
    pattern = Pattern(raw)
    assert (pattern.names, pattern.tagged, pattern.nested) == ({"x", "y"}, True, False)
    assert pattern.fill({"x": "1", "y": "k"}) == {"a": ["1", 1, {"k": "b"}], "c": None, "d": "plain"}
    assert raw == {"a": ["{{x}}", 1, {"{{y}}": "b"}], "c": None, "d": "plain"}


def test_what_holds_no_tag_is_given_back_as_it_is() -> None:
    raw = {"a": [1, "b"]}
    assert Pattern(raw).fill({"b": "x"}) is raw
    tagged = {"a": raw, "b": "{{x}}"}
    assert Pattern(tagged).fill({"x": "1"})["a"] is raw


def test_what_cannot_be_resolved_stays_unless_it_must_not() -> None:
    assert Pattern("{{x}} {{y}}").fill({"x": "1"}) == "1 {{y}}"
    with pytest.raises(ExpressionError, match=r"failed to resolve \{\{y\}\}"):
        Pattern("{{x}} {{y}}").fill({"x": "1"}, strict=True)


def test_nested_tags_are_filled_from_the_inside() -> None:
    pattern = Pattern("{{inputs.parameters.{{which}}}}")
    assert pattern.nested
    assert pattern.fill({"which": "a", "inputs.parameters.a": "deep"}) == "deep"
    assert fill_text("{{a.{{b}}.{{c}}}}", {"b": "1", "c": "2", "a.1.2": "x"}) == "x"


def test_tags_that_lead_to_themselves_come_to_an_end() -> None:
    assert fill_text("{{" * 100 + "a" + "}}" * 100, {"a": "a"}).startswith("{{{{")


def test_a_tag_without_an_end_is_an_error() -> None:
    with pytest.raises(ExpressionError, match="Cannot find end tag"):
        Pattern(["{{x"])
