"""`{{name}}` and `{{=expression}}`."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from tiphys.errors import ExpressionError
from tiphys.workflow.expr.tags import names, substitute

SCOPE: dict[str, Any] = {
    "workflow.name": "wf",
    "inputs.parameters.n": "7",
    "inputs.parameters.with-hyphen": "h",
    "steps.a.outputs.result": '{"k": [1, 2]}',
    "absent": None,
    "steps.a.outputs.parameters.gone": None,
}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("plain", "plain"),
        ("{{workflow.name}}-{{ inputs.parameters.n }}", "wf-7"),
        ("{{=asInt(inputs.parameters.n) + 1}}", "8"),
        ("{{=inputs.parameters['with-hyphen']}}", "h"),
        ("{{= toJson(fromJSON(steps.a.outputs.result).k) }}", "[1,2]"),
        ("{{=jsonpath(steps.a.outputs.result, '$.k[1]')}}", "2"),
        ("{{=workflow.name == 'wf'}}", "true"),
        ("{{=[1, 'a']}}", '[1,"a"]'),
        ("{{=steps.a.outputs.parameters.gone ?? 'else'}}", "else"),
        ("{{=nowhere ?? 'else'}}", "{{=nowhere ?? 'else'}}"),
        ("{{workflow.{{x}}}}", "{{workflow.{{x}}}}"),
        ("{{workflow.{{workflow.name}}}}", "{{workflow.wf}}"),
        ("{{unknown}}", "{{unknown}}"),
        ("{{absent}}", "{{absent}}"),
        ("{{=unknown.thing}}", "{{=unknown.thing}}"),
        ("{{=1 +}}", "{{=1 +}}"),
    ],
)
def test_tags_are_filled_in_or_left(text: str, filled: str) -> None:
    assert substitute(text, SCOPE, strict=False) == filled


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{unknown}}", "failed to resolve {{unknown}}"),
        ("{{=unknown.thing}}", "failed to evaluate expression: unknown.thing is missing"),
        ("{{=inputs.parameters.m}}", "failed to evaluate expression: inputs.parameters.m is missing"),
        ("{{=1 +}}", "failed to evaluate expression: unexpected token EOF"),
        ("{{=nil}}", 'failed to evaluate expression "nil"'),
        ("{{x", 'Cannot find end tag="}}"'),
    ],
)
def test_what_must_be_resolved_and_cannot_is_told(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        substitute(text, SCOPE)
    assert message in str(caught.value)


def test_some_names_may_stay() -> None:
    assert substitute("{{retries}} {{workflow.name}}", SCOPE, keep=lambda name: name == "retries") == "{{retries}} wf"
    assert (
        substitute("{{=asInt(retries) + 1}}", SCOPE, keep=lambda name: name == "retries") == "{{=asInt(retries) + 1}}"
    )


def test_in_json_values_are_escaped_and_expressions_unescaped() -> None:
    scope = {"v": 'a"\n', "n": "1"}
    assert substitute('{"k":"{{v}}"}', scope, json=True) == '{"k":"a\\"\\n"}'
    assert substitute('{"k":"{{=n == \\"1\\" ? \\"y\\" : v}}"}', scope, json=True) == '{"k":"y"}'


def test_names_are_those_that_are_needed() -> None:
    assert names("{{a.b}} {{=x.y + f(z['q-r'].s)}} {{ c }}") == {"a.b", "x.y", "z.q-r.s", "c"}
    assert names("{{outer.{{inner}}}}") == {"inner"}
    assert names("{{=a?.b.c ?? d}} {{=map(xs, # + y)}} {{=let v = w; v}}") == {"a", "d", "xs", "y", "w"}
    assert names("none") == frozenset()


def test_time_is_given_from_outside() -> None:
    now = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
    assert substitute("{{=sprig.date('2006', now())}}", {}, now=now) == "2026"
    with pytest.raises(ExpressionError):
        substitute("{{=now()}}", {})


def test_a_text_too_long_to_keep_is_filled_in_all_the_same() -> None:
    assert substitute("x" * 20_000 + "{{workflow.name}}", SCOPE) == "x" * 20_000 + "wf"
