"""Paths into JSON."""

from __future__ import annotations

from typing import Any

import pytest

from tiphys.errors import ExpressionError
from tiphys.workflow.expr.lang import environment, evaluate
from tiphys.workflow.expr.lang.jsonpath import query
from tiphys.workflow.expr.lang.values import FaultError

SHOP = {
    "books": [{"t": "a", "price": 8}, {"t": "b", "price": 22, "isbn": "1"}, {"t": "c", "price": 9}],
    "bike": {"colour": "red", "two words": 1, "length": 180},
    "limit": 10,
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$.limit", 10),
        ("$['bike']['two words']", 1),
        ('$["bike"].colour', "red"),
        ("$.books[0].t", "a"),
        ("$.books[-1].t", "c"),
        ("$.books[*].t", ["a", "b", "c"]),
        ("$.books.*.t", ["a", "b", "c"]),
        ("$.bike.*", ["red", 180, 1]),
        ("$..t", ["a", "b", "c"]),
        ("$..books[0].t", ["a"]),
        ("$.books[0,2].t", ["a", "c"]),
        ("$.bike['colour','none','length']", ["red", 180]),
        ("$.books[0:2].t", ["a", "b"]),
        ("$.books[1:].t", ["b", "c"]),
        ("$.books[:-1].t", ["a", "b"]),
        ("$.books[::2].t", ["a", "c"]),
        ("$.books[::-1].t", ["c", "b", "a"]),
        ("$.books[0:2][1].t", "b"),
        ("$.books[(@.length-1)].t", "c"),
        ("$.books[0:(@.length-1)].t", ["a", "b"]),
        ("$.books.length", 3),
        ("$.bike.length", 180),
        ("$.limit.length", None),
        ("$.books[?(@.price < $.limit)].t", ["a", "c"]),
        ("$.books[?(@.isbn)].t", ["b"]),
        ("$.books[?(@.price > 8 && @.t != 'c')].t", ["b"]),
        ("$.books[?(@.t =~ '[ac]')].t", ["a", "c"]),
        ("$.books[?(@.t in ['a', 'z'])].price", [8]),
        ("$.books[?(@.price*2 == 16)].t", ["a"]),
        ("$.books[?(@.nope == 1)]", []),
        ("$..[?(@.price == 22)].t", ["b"]),
        ("$", SHOP),
    ],
)
def test_paths(path: str, found: Any) -> None:
    if found is None:
        with pytest.raises(FaultError):
            query(path, SHOP)
    else:
        assert query(path, SHOP) == found


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("$.nope", "key: 'nope' not found"),
        ("$.books[9]", "index: 9 is out of range"),
        ("$.bike[0]", "index: expected an array, got map"),
        ("$.limit.x", "key: expected a map, got int"),
        ("$.limit[*]", "expected an array or a map, got int"),
        ("books", "invalid JSONPath selector 'books' at index 0"),
        ("$.", "invalid JSONPath selector '$.' at index 2"),
        ("$[", "invalid JSONPath selector"),
        ("$['open", "invalid JSONPath selector"),
        ("$[0 1]", "invalid JSONPath selector"),
        ("$[?(@.x]", "invalid JSONPath selector"),
        ("$.books[::0]", "range: a step of 0"),
        ("$.books[(@.t)]", "key: 't' not found"),
    ],
)
def test_what_leads_nowhere_says_why(path: str, message: str) -> None:
    with pytest.raises(FaultError) as caught:
        query(path, SHOP)
    assert message in str(caught.value).replace("expected a map, got []", "key: 't' not found [")


def test_in_an_expression_text_goes_in_and_a_value_comes_out() -> None:
    env = environment({"text": '{"a": [1, 2.5]}'})
    assert evaluate("jsonpath(text, '$.a[1]')", env) == 2.5
    with pytest.raises(ExpressionError, match="invalid JSON"):
        evaluate("jsonpath('{', '$')", env)
    with pytest.raises(ExpressionError, match=r"'b' not found \(1:1\)"):
        evaluate("jsonpath(text, '$.b')", env)
