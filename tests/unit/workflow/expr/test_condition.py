"""`when`, against what govaluate answers."""

from __future__ import annotations

import pytest

from tiphys.errors import ExpressionError
from tiphys.workflow.expr.condition import evaluate

TRUE = [
    "",
    "foo == foo",
    "'ref/branch/master' == 'ref/branch/master'",
    "foo != bar",
    "1 < 2",
    "1/2 == 0.5",
    "a < b",
    "(foo == bar) || (foo == foo)",
    "Error in (Failed, Error)",
    "!(Succeeded in (Failed, Error))",
    "true == true",
    "true",
    "1 == 1.0",
    "0x10 == 16",
    "2 ** 3 == 8 && 7 % 4 == 3",
    "-1 < 0 && !false",
    "1 + 2 * 3 == 7",
    "5 & 3 == 1 && (5 | 3) == 7 && (1 << 4) == 16",
    "'abc' =~ '^a.c$' && 'abc' !~ 'x'",
    "'2026-01-02' < '2026-01-03'",
    "true ? true : false",
    '"" == ""',
    "foo == 'foo'",
    "[with space] == 'with space'",
    "1 == 1 && 2 == 2 || false",
    "'a' + 1 == 'a1'",
]
FALSE = [
    "foo == bar",
    "foo != foo",
    "'1' == 1",
    "1 > 2",
    "a > b",
    "(1 > 0) && (11 < 2)",
    "Succeeded in (Failed, Error)",
    "!true",
    "false ? true : false",
    "'' != ''",
    "true == 'true'",
]


@pytest.mark.parametrize("when", TRUE)
def test_true(when: str) -> None:
    assert evaluate(when) is True


@pytest.mark.parametrize("when", FALSE)
def test_false(when: str) -> None:
    assert evaluate(when) is False


@pytest.mark.parametrize(
    ("when", "message"),
    [
        ("1 + 1", "Expected boolean evaluation for '1 + 1'. Got 2"),
        ("foo", "Expected boolean evaluation for 'foo'. Got foo"),
        ("(1 == 1", "Invalid 'when' expression '(1 == 1': Unbalanced parenthesis"),
        ("1 ==", "Invalid 'when' expression '1 ==': Unexpected end of expression"),
        ("'open", "Invalid 'when' expression ''open': Unclosed string literal"),
        (
            "a - b == c",
            "Failed to evaluate 'when' expresion 'a - b == c': Value 'a' cannot be used with the modifier '-'",
        ),
        (
            "a =< b",
            "Invalid 'when' expression 'a =< b': Invalid token: '=<' (hint: try wrapping the affected",
        ),
        ("a.b == 1", "Unable to access unexported field 'b' in token 'a.b'"),
        ("{{steps.a.outputs.result}} == 1", "Invalid token: '{{' (hint"),
        ("'a' =~ '('", "error parsing regexp: missing ): (: `(`"),
        ("1 in 2", "cannot be used with the comparator 'in'"),
        ("!1", "cannot be used with the prefix '!'"),
        ("1 && true", "cannot be used with the logical operator '&&', it is not a bool"),
    ],
)
def test_what_is_no_condition_is_told_in_argos_words(when: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate(when)
    assert message in str(caught.value)
