"""Regular expressions of Go."""

from __future__ import annotations

import pytest

from tiphys.errors import ExpressionError
from tiphys.workflow.expr.regex import compile_pattern, quote_meta


def test_a_part_that_matches_is_enough() -> None:
    assert compile_pattern("b+").matches("abbc")
    assert not compile_pattern("^b").matches("abbc")
    assert compile_pattern(r"(?i)É").matches("é")


def test_finding() -> None:
    pattern = compile_pattern("a.")
    assert (pattern.find("xabac"), pattern.find("x")) == ("ab", "")
    assert pattern.find_all("abacad") == ["ab", "ac", "ad"]
    assert (pattern.find_all("abacad", 2), pattern.find_all("abacad", 0)) == (["ab", "ac"], [])
    assert compile_pattern("a*").find_all("baac") == ["", "aa", ""]


def test_replacing() -> None:
    assert compile_pattern("(?P<n>a)(b)?").replace_all("ab ac", "[${n}$2$$$9]") == "[ab$] [a$]c"
    assert compile_pattern("a*").replace_all("baac", "x") == "xbxcx"
    assert compile_pattern("(a)").replace_all("a", "$1$1", literal=True) == "$1$1"


def test_splitting() -> None:
    assert compile_pattern(",").split("a,b,c") == ["a", "b", "c"]
    assert compile_pattern(",").split("a,b,c", 2) == ["a", "b,c"]
    assert compile_pattern("").split("abc") == ["a", "b", "c"]
    assert compile_pattern(",").split("a", 0) == []


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("(", r"missing \): \("),
        ("a**", "bad repetition operator"),
        ("(?<=a)b", "invalid perl operator"),
        (r"\1", "invalid escape"),
    ],
)
def test_a_pattern_that_is_none_is_told(source: str, why: str) -> None:
    with pytest.raises(ExpressionError, match=f"error parsing regexp: {why}"):
        compile_pattern(source)


def test_quoting() -> None:
    assert quote_meta("a.b*(c)[d]") == r"a\.b\*\(c\)\[d\]"
