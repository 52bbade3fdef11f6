"""expr-lang: what expressions are worth."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from tiphys.errors import ExpressionError
from tiphys.workflow.expr.lang import environment, evaluate, evaluate_bool, identifiers

SCOPE: dict[str, Any] = {
    "name": "wf",
    "steps.a.outputs.result": "7",
    "steps.b-c.status": "Failed",
    "xs": [3, 1, 2],
    "m": {"k": {"z": 1}, "l": [10, 20]},
    "none": None,
    "yes": True,
    "people": [{"name": "ann", "age": 30}, {"name": "bob", "age": 20}, {"name": "cy", "age": 30}],
}
NOW = dt.datetime(2026, 11, 23, 12, 0, 0, tzinfo=dt.UTC)

VALUES = [
    ("1 + 2 * 3 - 4", 3),
    ("(1 + 2) * 3", 9),
    ("7 / 2", 3.5),
    ("-7 % 3", -1),
    ("2 ** 3 ** 2", 512.0),
    ("2 ^ 3", 8.0),
    ("0x1F + 0b11 + 0o7 + 1_000", 1041),
    ("1.5e3", 1500.0),
    ("1 < 2 and 2 <= 2 and not (3 > 4)", True),
    ("1 < 2 < 3", True),
    ("3 > 2 > 2", False),
    ("1 == 1.0 && '1' != 1", True),
    ("'a' + \"b\" + `c`", "abc"),
    (r"'tab\t\x41\u00e9'", "tab\tAé"),
    ("'abc' contains 'b' and 'abc' startsWith 'a' and 'abc' endsWith 'c'", True),
    ("'abc' matches '^a.c$'", True),
    ("'abc' not contains 'x'", True),
    ("2 in [1, 2] and 'k' in m and 9 not in xs", True),
    ("yes ? 'a' : 'b'", "a"),
    ("none ?? 'else'", "else"),
    ("m?.q?.z", None),
    ("none?.k.z", None),
    ("m.k.z + m['l'][1]", 21),
    ("xs[-1]", 2),
    ("xs[1:]", [1, 2]),
    ("'hello'[1:3]", "el"),
    ("[xs[:-1], xs[-2:], xs[0:99], xs[5:], 'hé'[1:]]", [[3, 1], [1, 2], [3, 1, 2], [], "é"]),
    ("(2 * duration('1h') + duration('1m') * 3).Minutes()", 123.0),
    ("now()?.Year()", 2026),
    ("steps['b-c'].status", "Failed"),
    ("asInt(steps.a.outputs.result) + 1", 8),
    ("asFloat('1.5') * 2", 3.0),
    ("string(1.0) + string([1]) + string(true)", "1[1]true"),
    ("let x = 2; let y = x * 3; x + y", 8),
    ("if yes { 'a' } else { 'b' }", "a"),
    ("1..3", [1, 2, 3]),
    ("xs | sort() | map(# * 2)", [2, 4, 6]),
    ("filter(xs, # > 1)", [3, 2]),
    ("people | filter(.age == 30) | map(.name)", ["ann", "cy"]),
    ("all(xs, # > 0) and any(xs, # == 2) and none(xs, # > 5) and one(xs, # == 1)", True),
    ("count(xs, # > 1)", 2),
    ("sum(xs) + sum(people, .age)", 86),
    ("reduce(xs, #acc + #)", 6),
    ("reduce(xs, #acc + # * #index, 100)", 105),
    ("find(people, .age < 25).name", "bob"),
    ("findIndex(xs, # == 1)", 1),
    ("findLast(people, .age == 30).name", "cy"),
    ("findLastIndex(xs, # > 5)", -1),
    ("groupBy(people, .age)[20][0].name", "bob"),
    ("sortBy(people, .age, 'desc') | map(.name)", ["ann", "cy", "bob"]),
    ("map(xs, {let d = # * 2; d + 1})", [7, 3, 5]),
    ("{'a': 1, b: [2], (name): 3}", {"a": 1, "b": [2], "wf": 3}),
    ("len('héllo') + len(xs) + len(m)", 10),
    ("type(1) + type('') + type(1.5) + type(nil) + type([]) + type({})", "intstringfloatnilarraymap"),
    ("max(1, 5, 2) + min([4, 3])", 8),
    ("mean(1, 2, 3) + median([1, 2, 9])", 4.0),
    ("abs(-2) + ceil(1.2) + floor(1.8) + round(2.5)", 8.0),
    ("int('5') + int(2.9) + float('0.5')", 7.5),
    ("upper('a') + lower('B') + trim(' c ') + trimPrefix('xd', 'x') + trimSuffix('ey', 'y')", "Abcde"),
    ("split('a,b,c', ',', 2)", ["a", "b,c"]),
    ("replace('aaa', 'a', 'b', 2) + repeat('x', 3) + join(['p', 'q'], '-')", "bbaxxxp-q"),
    ("indexOf('abcb', 'b') + lastIndexOf('abcb', 'b')", 4),
    ("toJSON({'b': 1, 'a': [1]})", '{\n  "a": [\n    1\n  ],\n  "b": 1\n}'),
    ("toJson({'b': '<', 'a': 1})", '{"a":1,"b":"\\u003c"}'),
    ("fromJSON('{\"a\": [1, null]}').a[0]", 1.0),
    ("fromBase64(toBase64('hi'))", "hi"),
    ("keys({'a': 1}) + '' == ''", None),
    ("first(xs) + last(xs) + len(take(xs, 2))", 7),
    ("uniq([1, 1.0, 2, '2'])", [1, 2, "2"]),
    ("concat([1], [2, 3]) | reverse()", [3, 2, 1]),
    ("flatten([1, [2, [3]]])", [1, 2, 3]),
    ("toPairs({'a': 1}) | fromPairs()", {"a": 1}),
    ("get(m, 'nope') == nil and get(xs, 9) == nil", True),
    ("bitand(6, 3) + bitor(4, 1) + bitxor(7, 2) + bitshl(1, 3) + bitshr(16, 2) + bitnot(-1)", 24),
    ("9223372036854775807 + 1", -9223372036854775808),
    ("duration('90s').Minutes()", 1.5),
    ("now().Year()", 2026),
    ("(now() - duration('1h')).Hour()", 11),
    ("date('2026-01-02').Weekday()", 5),
    ("date('2026-01-02') < now()", True),
    ("now().Format('2006-01-02')", "2026-11-23"),
    ("date('2026-01-31').AddDate(0, 1, 0).Format('2006-01-02')", "2026-03-03"),
    ("// note\n1 /* two */ + 2", 3),
    ("1; 2", 2),
    ("[1, 2,]", [1, 2]),
    ("$env.name", "wf"),
    ("::upper('a')", "A"),
]


def value(source: str) -> Any:
    return evaluate(source, environment(SCOPE, now=NOW))


@pytest.mark.parametrize(("source", "expected"), [row for row in VALUES if row[1] is not None or "??" in row[0]])
def test_values(source: str, expected: Any) -> None:
    found = value(source)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize("source", ["m?.q?.z", "none?.k.z", "get(m, 'q')", "first([])", "none?.Year()"])
def test_nil(source: str) -> None:
    assert value(source) is None


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("1 +", "unexpected token EOF (1:3)"),
        ("1 2", 'unexpected token Number("2") (1:3)'),
        ("(1", "unexpected token EOF (1:2)"),
        ("'open", "literal not terminated (1:6)"),
        ("a ~ b", "unrecognized character: U+007E '~' (1:3)"),
        ("nowhere", "unknown name nowhere (1:1)"),
        ("1 +\n  nowhere", "unknown name nowhere (2:3)"),
        ("1 + 'a'", "invalid operation: + (mismatched types int and string) (1:3)"),
        ("'a' < 1", "invalid operation: < (mismatched types string and int) (1:5)"),
        ("xs[9]", "index out of range: 9 (array length is 3) (1:3)"),
        ("name.x", "cannot fetch x from string (1:6)"),
        ("1 % 0", "integer divide by zero (1:3)"),
        ("1 && true", "invalid operation: && (mismatched types int and bool) (1:3)"),
        ("false or 'x'", "invalid operation: or (mismatched types bool and string) (1:7)"),
        ("not name", "invalid operation: not (mismatched type string) (1:1)"),
        ("-name", "invalid operation: - (mismatched type string) (1:1)"),
        ("name ? 1 : 2", "non-bool expression (type string) used as condition (1:1)"),
        ("1 /* open", "unclosed comment (1:10)"),
        ("asInt('x')", "invalid operation: int(x) (1:1)"),
        ("asInt([])", "invalid operation: int([]interface {})"),
        ("upper(1)", "cannot use int as argument (type string) to call upper (1:1)"),
        ("upper()", "not enough arguments to call upper (1:1)"),
        ("upper('a', 'b')", "too many arguments to call upper (1:1)"),
        ("filter(1, true)", "builtin filter takes only array (got int) (1:1)"),
        ("filter(xs, #)", "interface conversion: interface {} is int, not bool"),
        ("m.k()", "map[string]interface {} is not callable"),
        ("none()", "expected at least 2 arguments"),
        ("1 ?? 2 + 3", "Operator (+) and coalesce expressions (??) cannot be mixed"),
        ("let name = 1; let name = 2; name", "cannot redeclare variable name"),
        ("let len = 1; len", "cannot redeclare builtin len"),
        ("9223372036854775808", "integer literal is too large (1:1)"),
        ("12abc", 'bad number syntax: "12a"'),
        ("fromJSON('{')", "invalid JSON"),
        ("reduce([], #acc)", "reduce of empty array with no initial value"),
        ("sort([1, 'a'])", "invalid operation: "),
        ("'a' matches '('", "error parsing regexp: missing ): (: `(`"),
        ("date('x')", "invalid date x"),
        ("duration('x')", 'time: invalid duration "x"'),
        ("join(map(1..2000, 'x'), repeat('y', 1000))", "memory budget exceeded"),
        ("replace(repeat('x', 2000), 'x', repeat('y', 1000))", "memory budget exceeded"),
        ("repeat('xx', 500001)", "memory budget exceeded"),
        ("1..1000001", "memory budget exceeded"),
        ("map(1..600000, #)", "memory budget exceeded"),
        ("sprig.join(sprig.repeat(1000, 'y'), 1..2000)", "memory budget exceeded"),
        ("sprig.indent(1000001, 'a')", "memory budget exceeded"),
        ("(" * 61 + "1" + ")" * 61, "expression is nested deeper than 60"),
        ("1" + " + 1" * 10_000, "expression exceeds maximum allowed nodes"),
        ("'" + "x" * 70_000 + "'", "at most 65536 are allowed"),
        ("now().Nope()", "type time.Time has no method Nope"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(source: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        value(source)
    assert message in str(caught.value).partition("\n")[0]


def test_the_line_is_shown_with_a_mark_under_the_place() -> None:
    def told(source: str) -> str:
        with pytest.raises(ExpressionError) as caught:
            value(source)
        return str(caught.value)

    assert told("1 +\n\tnowhere\n+ 2") == "unknown name nowhere (2:2)\n |  nowhere\n | .^"
    assert told("") == "unexpected token EOF"
    assert told("nowhere + '" + "x" * 990 + "'") == "unknown name nowhere (1:1)", "a long line is left out"


def test_a_condition_that_breaks_while_it_runs_is_named_whole() -> None:
    def told(source: str) -> str:
        with pytest.raises(ExpressionError) as caught:
            evaluate_bool(source, {"name": "x", "gone": None})
        return str(caught.value).partition("\n")[0]

    assert told("gone.x == 1") == "unable to evaluate expression 'gone.x == 1': cannot fetch x from <nil> (1:6)"
    assert told("int(name) > 2") == "unable to evaluate expression 'int(name) > 2': invalid operation: int(x) (1:1)"
    assert told("name > 2") == "invalid operation: > (mismatched types string and int) (1:6)"
    assert told("nowhere") == "unknown name nowhere (1:1)"
    assert told("1 +") == "unexpected token EOF (1:3)"


def test_a_condition_must_be_a_bool() -> None:
    assert evaluate_bool("1 == 1", {}) is True
    with pytest.raises(ExpressionError, match="unable to cast expression result '1' to bool"):
        evaluate_bool("1", {})


def test_dotted_names_become_maps_and_the_longer_one_stays() -> None:
    env = environment({"a": "x", "a.b": "y", "a.b.c": "z", "d": {"e": 1}})
    assert evaluate("a.b.c", env) == "z"
    assert evaluate("d.e", env) == 1


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("a.b.c + d['e-f'].g", {"a.b.c", "d.e-f.g"}),
        ("a[b].c", {"a", "b"}),
        ("f(x.y) + upper(z)", {"x.y", "z"}),
        ("a?.b.c", {"a"}),
        ("a.b ?? c.d", {"a", "c.d"}),
        ("let v = w.x; v.y", {"w.x"}),
        ("map(xs, .k + # + y)", {"xs", "y"}),
        ("{k: v}", {"v"}),
        ("sprig.trim(a)", {"a"}),
        ("t.s.Format(l)", {"t.s", "l"}),
        ("a ? b : [c, d[1:e]]", {"a", "b", "c", "d", "e"}),
    ],
)
def test_the_names_an_expression_cannot_do_without(source: str, found: set[str]) -> None:
    assert identifiers(source) == found
