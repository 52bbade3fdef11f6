"""What a task waits for."""

from __future__ import annotations

import pytest

from tiphys.errors import ExpressionError
from tiphys.workflow.expr.depends import TaskResult, TaskState, from_dependencies, parse


def state(*results: str, **on: bool) -> TaskState:
    return TaskState(frozenset(TaskResult(result) for result in results), **on)


@pytest.mark.parametrize(
    ("text", "tasks"),
    [
        ("a", ("a",)),
        ("a && b.Succeeded || !(c-d.Failed)", ("a", "b", "c-d")),
        ("a.Succeeded || a.Skipped", ("a",)),
        ("1st", ("1st",)),
    ],
)
def test_it_names_tasks_once_in_order(text: str, tasks: tuple[str, ...]) -> None:
    assert parse(text).tasks == tasks


def test_loops_are_those_asked_for_their_items() -> None:
    assert parse("a.AnySucceeded || b.AllFailed || c.Succeeded").loops == {"a", "b"}


@pytest.mark.parametrize(
    ("result", "bare"),
    [
        ("Succeeded", True),
        ("Skipped", True),
        ("Daemoned", True),
        ("Failed", False),
        ("Errored", False),
        ("Omitted", False),
    ],
)
def test_a_bare_name_is_a_task_that_went_well(result: str, bare: bool) -> None:
    assert parse("a").evaluate({"a": state(result)}) is bare
    assert from_dependencies(["a"]).evaluate({"a": state(result)}) is bare


def test_continue_on_is_forgiven_by_a_bare_name_only() -> None:
    failed = state("Failed", continue_on_failed=True)
    assert parse("a").evaluate({"a": failed})
    assert not parse("a.Succeeded").evaluate({"a": failed})
    assert parse("a").evaluate({"a": state("Errored", continue_on_error=True)})
    assert not parse("a").evaluate({"a": state("Errored", continue_on_failed=True)})


def test_dependencies_are_all_wanted() -> None:
    both = from_dependencies(["a", "b", "a"])
    assert both.tasks == ("a", "b")
    assert both.evaluate({"a": state("Succeeded"), "b": state("Skipped")})
    assert not both.evaluate({"a": state("Succeeded"), "b": state("Failed")})
    assert from_dependencies([]).evaluate({})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.Finished", "task result 'Finished' for task 'a' is invalid"),
        ("a &&", "invalid depends 'a &&': unexpected token EOF"),
        ("(a", "invalid depends '(a': unexpected token EOF"),
        ("a b", "invalid depends 'a b': unexpected token Identifier"),
    ],
)
def test_what_is_no_condition_is_told(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert message in str(caught.value)


def test_a_condition_without_a_boolean_is_told_when_it_is_asked() -> None:
    with pytest.raises(ExpressionError, match=r"unable to evaluate expression 'a \? \"x\" : \"y\"'"):
        parse('a ? "x" : "y"').evaluate({"a": state("Succeeded"), "x": state("Failed"), "y": state("Failed")})
