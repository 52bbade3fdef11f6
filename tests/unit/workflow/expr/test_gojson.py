"""Go's words for what is no JSON; checked against encoding/json on 60,000 texts when it was written."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiphys.workflow.expr.gojson import kind_of, syntax_error

END = "unexpected end of JSON input"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", END),
        (" \n", END),
        ("[1,", END),
        ('{"a"', END),
        ('"abc', END),
        ("heads", "invalid character 'h' looking for beginning of value"),
        ("[1,]", "invalid character ']' looking for beginning of value"),
        ("[1 2]", "invalid character '2' after array element"),
        ('{"a":1 "b"}', "invalid character '\"' after object key:value pair"),
        ('{"a" 1}', "invalid character '1' after object key"),
        ("{1:2}", "invalid character '1' looking for beginning of object key string"),
        ('{"a":1,}', "invalid character '}' looking for beginning of object key string"),
        ("1 2", "invalid character '2' after top-level value"),
        ("01", "invalid character '1' after top-level value"),
        ("-x", "invalid character 'x' in numeric literal"),
        ("1.", "invalid character ' ' after decimal point in numeric literal"),
        ("1e+", "invalid character ' ' in exponent of numeric literal"),
        ("tru", "invalid character ' ' in literal true (expecting 'e')"),
        ("nul!", "invalid character '!' in literal null (expecting 'l')"),
        ('"a\nb"', "invalid character '\\n' in string literal"),
        ('"a\x01b"', "invalid character '\\x01' in string literal"),
        (r'"\q"', "invalid character 'q' in string escape code"),
        (r'"\u12g4"', r"invalid character 'g' in \u hexadecimal character escape"),
        ("'a'", r"invalid character '\'' looking for beginning of value"),
        ("\\", r"invalid character '\\' looking for beginning of value"),
        ("é", "invalid character 'Ã' looking for beginning of value"),
        ("\x7f", r"invalid character '\x7f' looking for beginning of value"),
        ("[" * 10_001, "exceeded max depth"),
    ],
)
def test_the_place_and_the_words_are_gos(text: str, why: str) -> None:
    assert syntax_error(text) == why


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_what_is_json_is_not_found_fault_with(value: object) -> None:
    assert syntax_error(json.dumps(value, indent=1)) == ""


@pytest.mark.parametrize(
    ("value", "kind"), [({}, "object"), ([], "array"), ("", "string"), (1, "number"), (0.5, "number"), (True, "bool")]
)
def test_gos_word_for_a_value(value: object, kind: str) -> None:
    assert kind_of(value) == kind
