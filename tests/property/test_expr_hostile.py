"""Expressions come from users: whatever the text, the answer is a value or an ExpressionError, and it comes soon."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tiphys.errors import ExpressionError
from tiphys.workflow.expr import condition, depends, duration, gotime, lang, regex, tags
from tiphys.workflow.expr.golang import format_value, marshal, sprintf
from tiphys.workflow.expr.lang.functions import FUNCTIONS
from tiphys.workflow.expr.lang.jsonpath import query
from tiphys.workflow.expr.lang.operators import BINARY, PREDICATES, UNARY
from tiphys.workflow.expr.lang.sprig import functions as sprig_functions
from tiphys.workflow.expr.lang.values import FaultError

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
SCOPE = {
    "a": "text",
    "b.c": "1",
    "n": 3,
    "f": -1.5,
    "xs": [3, 1, 2],
    "m": {"k": [1, {"z": None}]},
    "none": None,
    "t": True,
}

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
_PIECES = (
    *("sprig.", "jsonpath", "asInt", "now", "nil", "true", "in", "if", "else", "let x =", "#index", "#acc", "é", " "),
    *("'", '"', "`", "{{", "}}", "{{=", "\\", "\ud800", "\x00", "'2006-01-02'", *"()[]{},;.?:#"),
    *("0", "1e400", "0x", "10000000000000000000", "-1", "1.5"),
)
_WORDS = st.sampled_from([*SCOPE, *FUNCTIONS, *PREDICATES, *BINARY, *UNARY, *sprig_functions(None), *_PIECES])
SOUP = st.lists(_WORDS, max_size=14).map(" ".join) | st.lists(_WORDS, max_size=14).map("".join) | st.text(max_size=30)


def quietly(action: Callable[[], Any]) -> None:
    """Nothing but the language's own error comes out."""
    with contextlib.suppress(ExpressionError):
        action()


@settings(max_examples=600, deadline=None)
@given(SOUP)
def test_any_text_is_a_value_or_an_error_of_the_language(text: str) -> None:
    env = lang.environment(SCOPE, now=NOW)
    quietly(lambda: format_value(lang.evaluate(text, env)))
    quietly(lambda: marshal(lang.evaluate(text, env)))
    quietly(lambda: lang.identifiers(text))


@settings(max_examples=300, deadline=None)
@given(SOUP)
def test_any_text_is_a_condition_or_an_error(text: str) -> None:
    quietly(lambda: condition.evaluate(text))
    quietly(lambda: depends.parse(text))


@settings(max_examples=300, deadline=None)
@given(SOUP, st.booleans(), st.booleans())
def test_any_text_with_tags_is_filled_or_an_error(text: str, strict: bool, json: bool) -> None:
    for whole in (text, f"{{{{={text}}}}}", f"{{{{{text}}}}}"):
        quietly(lambda whole=whole: tags.substitute(whole, SCOPE, strict=strict, json=json, now=NOW))  # type: ignore[misc]
        quietly(lambda whole=whole: tags.names(whole))  # type: ignore[misc]


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(sorted(FUNCTIONS)), st.lists(_JSON, max_size=4))
def test_a_function_takes_any_values_or_says_what_it_wants(name: str, values: list[Any]) -> None:
    names = [f"v{index}" for index in range(len(values))]
    env = lang.environment(dict(zip(names, values, strict=True)), now=NOW)
    quietly(lambda: format_value(lang.evaluate(f"{name}({', '.join(names)})", env)))


@settings(max_examples=800, deadline=None)
@given(st.sampled_from(sorted(sprig_functions(None))), st.lists(_JSON, max_size=4))
def test_so_do_those_of_sprig(name: str, values: list[Any]) -> None:
    names = [f"v{index}" for index in range(len(values))]
    env = lang.environment(dict(zip(names, values, strict=True)), now=NOW)
    quietly(lambda: format_value(lang.evaluate(f"sprig.{name}({', '.join(names)})", env)))


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(sorted(BINARY.keys() - {"|"})), _JSON, _JSON)
def test_an_operator_takes_any_values_or_says_what_it_wants(operator: str, left: Any, right: Any) -> None:
    env = lang.environment({"left": left, "right": right})
    quietly(lambda: lang.evaluate(f"left {operator} right", env))


_STEPS = (
    "$",
    "@",
    ".",
    "..",
    "*",
    "[",
    "]",
    "(",
    ")",
    "?(",
    "'",
    ",",
    ":",
    "a",
    "k",
    "0",
    "-1",
    "length",
    "@.k",
    " == ",
    "&&",
)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(_STEPS), max_size=14).map("".join), _JSON)
def test_any_path_leads_somewhere_or_says_why_not(path: str, value: Any) -> None:
    with contextlib.suppress(FaultError, ExpressionError):
        query(f"${path}", value)


@settings(deadline=None)
@given(st.text(max_size=20), st.text(max_size=20))
def test_any_text_is_a_pattern_a_layout_a_duration_or_an_error(text: str, other: str) -> None:
    quietly(lambda: regex.compile_pattern(text).replace_all(other, text))
    quietly(lambda: regex.compile_pattern(text).split(other))
    quietly(lambda: gotime.parse_time(text, other))
    quietly(lambda: gotime.format_time(text, NOW))
    quietly(lambda: duration.parse(text))
    sprintf(text, 1, "x")


@pytest.mark.parametrize(
    "source",
    [
        "(" * 50_000,
        "[" * 5_000 + "]" * 5_000,
        "!" * 50_000 + "true",
        "-" * 5_000 + "1",
        "a" + ".b" * 20_000,
        "1" + "+1" * 9_000,
        "1" + "+1" * 4_000,
        "a ? " * 3_000 + "1" + " : 2" * 3_000,
        "let x = 1; " * 3_000 + "x",
        "1..1000000000000",
        "1..999999 | map(#) | map(#) | map(#) | map(#)",
        "map(1..1000, map(1..1000, map(1..1000, #)))",
        "filter(1..900000, true) | sort() | reverse() | uniq()",
        "repeat(repeat(repeat('x', 1000), 1000), 1000)",
        "reduce(1..500000, #acc + 'xxxxxxxxxx', '')",
        "2 ** 2 ** 2 ** 2 ** 2 ** 2 ** 2",
        "9223372036854775807 * 9223372036854775807",
        "1 << 999999999999",
        "bitshl(1, 999999999999)",
        "'" + "a" * 5_000 + "' matches '(a+)+(b+)+$'",
        "'" + "a" * 5_000 + "' matches '" + "(a?){1000}" + "'",
        "sprig.untilStep(0, 1000000000000, 1)",
        "sprig.repeat(1000000000, 'x')",
        "sprig.indent(1000000000, 'x')",
        "sprig.regexReplaceAll('', sprig.repeat(100000, 'x'), sprig.repeat(100000, 'y'))",
        "sprig.replace('x', sprig.repeat(1000, 'x'), sprig.repeat(100000, 'x'))",
        "jsonpath('" + "[" * 3_000 + "]" * 3_000 + "', '$" + "..*" * 20 + "')",
        "jsonpath(toJson(1..300), '$..*..*..*..*')",
        "fromJSON('" + "[" * 100_000 + "]" * 100_000 + "')",
        "date('9999-12-31T23:59:59Z') + duration('2000000h')",
        "duration('" + "9" * 5_000 + "h')",
        "date('" + "1" * 500 + "x', '" + "02" * 400 + "')",
        "sprig.toDate('" + "_2.000" * 400 + "', '" + "1" * 500 + "x')",
        "'" + "1" * 500 + "x' == '2006'",
        "flatten(" + "[" * 40 + "1" + "]" * 40 + ")",
        "sprig.chunk(1, 1..400000) | map(concat(#, #))",
        "join(map(1..100000, 'x'), repeat('y', 100000))",
        "replace(repeat('x', 1000000), 'x', repeat('y', 1000))",
        "split(repeat('x', 1000000), '')",
        "toJSON(map(1..100, 1..10000))",
        "'" + "x" * 100_000 + "'",
    ],
)
def test_the_work_an_expression_can_make_is_bounded(source: str) -> None:
    env = lang.environment(SCOPE, now=NOW)
    quietly(lambda: lang.evaluate(source, env))
    quietly(lambda: condition.evaluate(source))
    quietly(lambda: depends.parse(source))
    quietly(lambda: tags.substitute("{{=" + source + "}}", SCOPE))
