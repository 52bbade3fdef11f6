"""Evaluate an expression against an environment: the way into the language."""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections.abc import Mapping
from typing import Any

from tiphys.errors import ExpressionError
from tiphys.workflow.expr.golang import format_value
from tiphys.workflow.expr.lang.argofunctions import functions
from tiphys.workflow.expr.lang.compiler import compile_tree
from tiphys.workflow.expr.lang.frame import Code, Frame
from tiphys.workflow.expr.lang.parser import parse
from tiphys.workflow.expr.lang.values import FaultError

__all__ = ["environment", "evaluate", "evaluate_bool"]


_LONGEST_SHOWN = 1000
_KNOWN_BEFORE = re.compile(
    r"unknown name|unknown pointer|cannot redeclare|non-bool expression|cannot use|not enough arguments"
    r"|too many arguments|builtin \w+ takes|invalid operation: \S+ \(mismatched type"
)
"""What expr-lang finds before it runs an expression; ours finds it when it comes to it."""


@functools.lru_cache(maxsize=2048)
def _compiled(source: str) -> Code:
    return compile_tree(source, parse(source))


def evaluate(source: str, env: Mapping[str, Any]) -> Any:
    """The value of an expression.

    Args:
        source: the expression, without `{{=` and `}}`.
        env: names to plain data and functions, as `environment` makes it; nothing else can be read.

    Raises:
        ExpressionError: it does not parse, a name is unknown, types do not fit, or it would cost too much.
    """
    return _run(source, _compiled(source), env)


def _run(source: str, code: Code, env: Mapping[str, Any]) -> Any:
    try:
        return code(Frame(env))
    except FaultError as fault:
        raise ExpressionError(str(fault)) from fault
    except (RecursionError, MemoryError) as error:
        raise ExpressionError(f"expression is nested too deeply: {source[:60]}") from error


def evaluate_bool(source: str, env: Mapping[str, Any]) -> bool:
    """The value of a condition.

    Raises:
        ExpressionError: as `evaluate`, or the value is no bool.
    """
    code = _compiled(source)  # what is wrong with it as it stands is told as it is
    try:
        value = _run(source, code, env)
    except ExpressionError as error:
        if _KNOWN_BEFORE.match(str(error)) or len(source) > _LONGEST_SHOWN:
            raise
        raise ExpressionError(f"unable to evaluate expression '{source}': {error}") from error
    if not isinstance(value, bool):
        raise ExpressionError(f"unable to cast expression result '{format_value(value)}' to bool")
    return value


def environment(scope: Mapping[str, Any], *, now: dt.datetime | None = None) -> dict[str, Any]:
    """An environment for `evaluate`: dotted names as nested maps, and Argo's functions (asInt, jsonpath, sprig, …).

    Where a name is a parent of another ("a" and "a.b"), the longer one stays.

    Args:
        scope: variables by dotted name.
        now: the time that `now()` gives; without it, functions that need the time are refused.
    """
    env: dict[str, Any] = {}
    for name, value in scope.items():
        head, dot, rest = name.partition(".")
        if not dot:
            env.setdefault(name, value)
            continue
        level = env.get(head)
        if not isinstance(level, _Level):
            level = env[head] = _Level()
        while dot:
            head, dot, rest = rest.partition(".")
            if not dot:
                level.setdefault(head, value)
            else:
                inner = level.get(head)
                if not isinstance(inner, _Level):
                    inner = level[head] = _Level()
                level = inner
    env.update(functions(now))
    return env


class _Level(dict[str, Any]):
    """A map made of dotted names, told from a map that is a value."""

    __slots__ = ()
