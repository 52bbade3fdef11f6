"""Values as Go prints them."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import pytest

from tiphys.errors import ExpressionError
from tiphys.workflow.expr.golang import format_value, indented, marshal, quote, sprintf, type_name


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "x"), (None, "<nil>"), (True, "true"), (-3, "-3"),
        (1.0, "1"), (0.5, "0.5"), (1e6, "1e+06"), (123456.0, "123456"), (1234567.0, "1.234567e+06"), (1e-5, "1e-05"),
        (0.0001, "0.0001"), (1e21, "1e+21"), (-0.0, "-0"), (math.inf, "+Inf"), (math.nan, "NaN"), (100000.0, "100000"),
        ([1, "a", None], "[1 a <nil>]"), ({"b": 1, "a": [2]}, "map[a:[2] b:1]"), (b"ab", "[97 98]"),
        (dt.timedelta(seconds=90), "1m30s"),
        (dt.datetime(2026, 1, 2, 3, 4, 5, 120000, tzinfo=dt.UTC), "2026-01-02 03:04:05.12 +0000 UTC"),
    ],
)  # fmt: skip
def test_percent_v(value: Any, text: str) -> None:
    assert format_value(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [True, None]}, '{"a":[true,null],"b":1}'),
        (1.0, "1"),
        (1e21, "1e21"),
        (0.5, "0.5"),
        ("<é&>", '"\\u003cé\\u0026\\u003e"'),
        (dt.timedelta(seconds=1), "1000000000"),
        (dt.datetime(2026, 1, 2, tzinfo=dt.UTC), '"2026-01-02T00:00:00Z"'),
    ],
)
def test_json(value: Any, text: str) -> None:
    assert marshal(value) == text


def test_json_without_escapes_for_browsers_and_with_line_breaks() -> None:
    assert marshal("<", html=False) == '"<"'
    assert indented({"b": [1], "a": {}}) == '{\n  "a": {},\n  "b": [\n    1\n  ]\n}'


@pytest.mark.parametrize("value", [math.nan, math.inf, print, {"a": print}])
def test_what_has_no_json_is_told(value: Any) -> None:
    with pytest.raises(ExpressionError, match="json: unsupported"):
        marshal(value)


@pytest.mark.parametrize(
    ("template", "values", "text"),
    [
        ("%d", (7,), "7"), ("%03d|%-4d|%+d|% d", (7, 7, 7, 7), "007|7   |+7| 7"),
        ("%x %X %#x %o %b", (255,) * 5, "ff FF 0xff 377 11111111"),
        ("%5s|%-5s|%.2s|%q", ("ab", "ab", "abc", 'a"b'), '   ab|ab   |ab|"a\\"b"'), ("%v %t", ([1], True), "[1] true"),
        ("%.2f %6.1f %e %g", (1.005, 2.25, 1.5, 1e6), "1.00    2.2 1.500000e+00 1e+06"),
        ("%c %U", (65, 65), "A U+0041"),
        ("%%", (), "%"), ("%d", (), "%!d(MISSING)"), ("%d", ("x",), "%!d(string=x)"), ("a", (1,), "a%!(EXTRA int=1)"),
        ("%", (), "%!(NOVERB)"), ("testuser%02X", (11,), "testuser0B"), ("-%05d", (-42,), "--0042"),
    ],
)  # fmt: skip
def test_printf(template: str, values: tuple[Any, ...], text: str) -> None:
    assert sprintf(template, *values) == text


def test_quotes_and_types() -> None:
    assert quote('a"\n') == '"a\\"\\n"'
    assert [type_name(value) for value in (None, 1, 1.0, "", True, [], {}, b"")] == [
        "<nil>", "int", "float64", "string", "bool", "[]interface {}", "map[string]interface {}", "[]uint8",
    ]  # fmt: skip
