"""Values as Argo writes them."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from tiphys.workflow.engine.values import any_string, humanize, item_text, parameters_json


@pytest.mark.parametrize(
    ("value", "text"),
    [("x", "x"), (1, "1"), (True, "true"), (1.5, "1.5"), (1e6, "1e+06"), (None, "null"), ([1, "a"], '[1,"a"]'),
     ({"b": 1, "a": "<"}, '{"a":"\\u003c","b":1}')],
)  # fmt: skip
def test_a_parameters_value(value: Any, text: str) -> None:
    assert any_string(value) == text


def test_an_items_text_is_json_without_escapes_for_browsers() -> None:
    assert [item_text(item) for item in ("<a>", {"a": "<"}, 2)] == ["<a>", '{"a":"<"}', "2"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 seconds"), (1, "1 second"), (59, "59 seconds"), (60, "1 minute 0 seconds"), (3661, "1 hour 1 minutes"),
     (3599, "59 minutes 59 seconds"), (3600, "1 hour 0 minutes"),
     (86399, "23 hours 59 minutes"), (86400, "1 day 0 hours"), (90000, "1 day 1 hours"), (200000, "2 days 7 hours")],
)  # fmt: skip
def test_a_span_of_time_for_people(seconds: int, text: str) -> None:
    assert humanize(dt.timedelta(seconds=seconds)) == text


def test_parameters_as_json_have_their_fields_in_the_order_of_argos_type() -> None:
    source = {"default": "d", "configMapKeyRef": {"name": "c", "key": "k"}}
    rows = [
        {"value": 1, "enum": ["1"], "description": "<", "default": True, "name": "a"},
        {"valueFrom": source, "name": "b"},
    ]
    assert parameters_json(rows) == (
        '[{"name":"a","default":"true","value":"1","enum":["1"],"description":"\\u003c"},'
        '{"name":"b","valueFrom":{"configMapKeyRef":{"name":"c","key":"k"},"default":"d"}}]'
    )
