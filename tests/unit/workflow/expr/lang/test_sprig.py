"""sprig's functions, with the arguments in sprig's order."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from tiphys.errors import ExpressionError
from tiphys.workflow.expr.lang import environment, evaluate

NOW = dt.datetime(2026, 11, 23, 12, 0, 0, tzinfo=dt.UTC)


def value(call: str) -> Any:
    return evaluate(f"sprig.{call}", environment({"m": {"a": 1, "b": {"c": 2}}, "none": None}, now=NOW))


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("trim(' a ')", "a"),
        ("trimAll('$', '$5$')", "5"),
        ("trimPrefix('-', '-a')", "a"),
        ("trimSuffix('-', 'a-')", "a"),
        ("upper('a')", "A"),
        ("title('hello big world')", "Hello Big World"),
        ("untitle('ABC')", "aBC"),
        ("repeat(3, 'ab')", "ababab"),
        ("substr(1, 3, 'hello')", "el"),
        ("trunc(2, 'hello')", "he"),
        ("trunc(-2, 'hello')", "lo"),
        ("abbrev(5, 'hello world')", "he..."),
        ("contains('b', 'abc')", True),
        ("hasPrefix('a', 'abc')", True),
        ("replace('-', '_', 'a-b-c')", "a_b_c"),
        ("indent(2, 'a\\nb')", "  a\n  b"),
        ("nindent(1, 'a')", "\n a"),
        ("quote('a', 1)", '"a" "1"'),
        ("squote('a')", "'a'"),
        ("cat('a', none, 1)", "a 1"),
        ("plural('one', 'many', 2)", "many"),
        ("snakecase('FirstName')", "first_name"),
        ("kebabcase('HTTPServer')", "http-server"),
        ("camelcase('http_server')", "HttpServer"),
        ("nospace(' a b ')", "ab"),
        ("initials('First Try')", "FT"),
        ("swapcase('aB')", "Ab"),
        ("join('-', ['a', 1])", "a-1"),
        ("split('$', 'a$b')._1", "b"),
        ("splitList('$', 'a$b')", ["a", "b"]),
        ("splitn('$', 2, 'a$b$c')._1", "b$c"),
        ("b64dec(sprig.b64enc('hi'))", "hi"),
        ("b32dec(sprig.b32enc('hi'))", "hi"),
        ("b64dec('%')", "illegal base64 data"),
        ("sha256sum('')", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("sha1sum('')", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("adler32sum('a')", "6422626"),
        ("urlParse('http://u@h:8/p?q=1#f').host", "h:8"),
        ("urlJoin({'scheme': 'http', 'host': 'h', 'path': '/p'})", "http://h/p"),
        ("base('/a/b.c')", "b.c"),
        ("dir('/a/b.c')", "/a"),
        ("ext('/a/b.c')", ".c"),
        ("clean('/a/../b')", "/b"),
        ("isAbs('/a')", True),
        ("osBase('/a/b')", "b"),
        ("regexMatch('^a', 'abc')", True),
        ("regexFind('b.', 'abc')", "bc"),
        ("regexFindAll('.', 'abc', 2)", ["a", "b"]),
        ("regexReplaceAll('(a)', 'ba', '<$1>')", "b<a>"),
        ("regexReplaceAllLiteral('a', 'ba', '$1')", "b$1"),
        ("regexSplit(',', 'a,b', -1)", ["a", "b"]),
        ("regexQuoteMeta('a.b')", r"a\.b"),
        ("add(1, '2', 3.9)", 6),
        ("sub(5, 2)", 3),
        ("mul(2, 3, 4)", 24),
        ("div(-7, 2)", -3),
        ("mod(-7, 2)", -1),
        ("max(1, 5, 3)", 5),
        ("min(4, 2)", 2),
        ("addf(0.1, 0.2)", 0.3),
        ("divf(1, 4)", 0.25),
        ("round(123.5555, 3)", 123.556),
        ("ceil(1.1)", 2.0),
        ("floor('1.9')", 1.0),
        ("int('0x1f')", 31),
        ("atoi('x')", 0),
        ("float64('2.5')", 2.5),
        ("until(3)", [0, 1, 2]),
        ("untilStep(3, 0, -2)", [3, 1]),
        ("seq(3)", "1 2 3"),
        ("seq(0, 2, 5)", "0 2 4"),
        ("seq(3, 1)", "3 2 1"),
        ("list(1, 'a')", [1, "a"]),
        ("first([1, 2])", 1),
        ("rest([1, 2])", [2]),
        ("initial([1, 2])", [1]),
        ("last([1, 2])", 2),
        ("append([1], 2)", [1, 2]),
        ("prepend([1], 0)", [0, 1]),
        ("reverse([1, 2])", [2, 1]),
        ("uniq([1, 1, 2])", [1, 2]),
        ("without([1, 2, 3], 2)", [1, 3]),
        ("has(2, [1, 2])", True),
        ("compact([0, 1, '', 'a'])", [1, "a"]),
        ("slice([1, 2, 3], 1)", [2, 3]),
        ("chunk(2, [1, 2, 3])", [[1, 2], [3]]),
        ("concat([1], [2])", [1, 2]),
        ("sortAlpha(['b', 'a'])", ["a", "b"]),
        ("dict('a', 1, 'b')", {"a": 1, "b": ""}),
        ("get(m, 'a')", 1),
        ("get(m, 'z')", ""),
        ("set(m, 'z', 3).z", 3),
        ("hasKey(m, 'a')", True),
        ("pick(m, 'a')", {"a": 1}),
        ("omit(m, 'b')", {"a": 1}),
        ("pluck('a', m, {})", [1]),
        ("dig('b', 'c', 0, m)", 2),
        ("dig('x', 'c', 0, m)", 0),
        ("merge({'a': 1}, {'a': 2, 'b': 3})", {"a": 1, "b": 3}),
        ("mergeOverwrite({'a': 1}, {'a': 2})", {"a": 2}),
        ("default('d', '')", "d"),
        ("default('d', 'v')", "v"),
        ("coalesce(none, '', 'c')", "c"),
        ("empty([])", True),
        ("all(1, 'a')", True),
        ("any(0, '')", False),
        ("ternary('y', 'n', true)", "y"),
        ("fromJson('{\"a\": 1}').a", 1.0),
        ("toJson({'a': '<'})", '{"a":"\\u003c"}'),
        ("toRawJson({'a': '<'})", '{"a":"<"}'),
        ("typeOf(1)", "int"),
        ("kindOf([])", "slice"),
        ("deepEqual([1], [1])", True),
        ("date('2006-01-02', sprig.now())", "2026-11-23"),
        ("dateInZone('15:04', sprig.now(), 'Europe/Berlin')", "13:00"),
        ("dateModify('-1h', sprig.now()).Hour()", 11),
        ("toDate('2006-01-02', '2026-01-02').Day()", 2),
        ("unixEpoch(sprig.now())", "1795435200"),
        ("duration('95')", "1m35s"),
        ("durationRound('2h10m5s')", "2h"),
        ("durationRound(90000000000)", "1m"),
        ("durationRound([])", "0s"),
        ("durationRound(sprig.dateModify('-49h', sprig.now()))", "2d"),
        ("ago(sprig.dateModify('-90s', sprig.now()))", "1m30s"),
        ("htmlDate(0)", "1970-01-01"),
    ],
)
def test_functions(call: str, expected: Any) -> None:
    found = value(call)
    assert found == expected
    assert type(found) is type(expected)


def test_nothing_is_changed_in_place() -> None:
    env = environment({"m": {"a": 1}})
    assert evaluate("sprig.set(m, 'b', 2) == nil ? nil : m", env) == {"a": 1}
    assert evaluate("sprig.merge(m, {'c': 3}) == nil ? nil : m", env) == {"a": 1}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("uuidv4()", "sprig.uuidv4 is not supported: it gives another value each time"),
        ("env('HOME')", "sprig.env is not supported: an expression sees only its workflow"),
        ("fail('no')", "no"),
        ("div(1, 0)", "integer divide by zero"),
        ("mustFromJson('{')", "invalid JSON"),
        ("chunk(0, [1])", "the size must be more than 0"),
        ("slice([1], 2)", "slice bounds out of range"),
        ("regexMatch('(', 'a')", "error parsing regexp"),
        ("nothing('x')", "nothing is nil; cannot call nil as function"),
    ],
)
def test_what_cannot_be_is_told(call: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        value(call)
    assert message in str(caught.value)


def test_without_a_time_what_asks_for_it_is_refused() -> None:
    with pytest.raises(ExpressionError, match="the time is not known here"):
        evaluate("sprig.now()", environment({}))
