"""Small text functions of Go."""

from __future__ import annotations

import pytest

from tiphys.errors import ExpressionError
from tiphys.workflow.expr.gotext import parse_float, parse_int, split, trim


def test_trimming() -> None:
    assert (trim(" a "), trim("xax", "x"), trim("a", "")) == ("a", "a", "a")


def test_splitting() -> None:
    assert split("a,b,c", ",") == ["a", "b", "c"]
    assert split("a,b,c", ",", 2) == ["a", "b,c"]
    assert split("a,b,c", ",", 0) == []
    assert split("abc", "") == ["a", "b", "c"]
    assert split("abc", "", 2) == ["a", "bc"]
    assert split("a,b", ",", keep=True) == ["a,", "b"]


def test_numbers() -> None:
    assert (parse_int("-42"), parse_float("1e3"), parse_float(".5")) == (-42, 1000.0, 0.5)


@pytest.mark.parametrize("text", ["", "1_000", "0x1", "1.0", " 1", "٣"])
def test_what_is_no_whole_number_is_told(text: str) -> None:
    with pytest.raises(ExpressionError, match="invalid syntax"):
        parse_int(text)


def test_what_does_not_fit_is_told() -> None:
    with pytest.raises(ExpressionError, match="value out of range"):
        parse_int("9223372036854775808")
