"""`when`: the conditions of Argo, which govaluate evaluates with every bare word taken as a string.

Precedence climbing over the operator table below. Numbers are floats; a quoted text that is a date is compared by its
time, as govaluate does. Called by the engine after tags are replaced, and by validation.
"""

from __future__ import annotations

import datetime as dt
import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tiphys.errors import ExpressionError
from tiphys.workflow.expr import regex
from tiphys.workflow.expr.condition_tokens import Token, as_strings, check_order, tokenize
from tiphys.workflow.expr.golang import format_value

__all__ = ["evaluate"]

_MAX_LENGTH = 64 * 1024
_MAX_DEPTH = 60
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class _FailureError(Exception):
    """govaluate's words for what went wrong while evaluating."""


def _modifier(name: str, operate: Callable[[float, float], float]) -> Callable[[Any, Any], Any]:
    def run(left: Any, right: Any) -> float:
        for value in (left, right):
            if not isinstance(value, float):
                raise _FailureError(_not_number(value, "modifier", name))
        return operate(left, right)

    return run


def _not_number(value: Any, role: str, name: str) -> str:
    return f"Value '{format_value(value)}' cannot be used with the {role} '{name}', it is not a number"


def _add(left: Any, right: Any) -> Any:
    if isinstance(left, str) or isinstance(right, str):
        return format_value(left) + format_value(right)
    if not (isinstance(left, float) and isinstance(right, float)):
        raise _FailureError(_not_number(left, "modifier", "+"))
    return left + right


def _divide(left: float, right: float) -> float:
    if right == 0:
        return math.nan if left == 0 or math.isnan(left) else math.copysign(math.inf, left) * math.copysign(1, right)
    return left / right


def _power(left: float, right: float) -> float:
    try:
        return math.pow(left, right)
    except OverflowError:
        return math.inf
    except ValueError:
        return math.nan


def _bits(operate: Callable[[int, int], int]) -> Callable[[float, float], float]:
    def run(left: float, right: float) -> float:
        if not (math.isfinite(left) and math.isfinite(right)):
            return 0.0
        return float(operate(int(left), int(right)))

    return run


def _shift(operate: Callable[[int, int], int]) -> Callable[[float, float], float]:
    return _bits(lambda value, count: operate(value % 2**64, count) % 2**64 if 0 <= count < 64 else 0)


def _comparison(name: str, operate: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def run(left: Any, right: Any) -> bool:
        if isinstance(left, str) and isinstance(right, str):
            return operate(left, right)
        if not (isinstance(left, float) and isinstance(right, float)):
            raise _FailureError(_not_number(left, "comparator", name))
        return operate(left, right)

    return run


def _equal(left: Any, right: Any) -> bool:
    return type(left) is type(right) and bool(left == right)


def _regexp(name: str) -> Callable[[Any, Any], bool]:
    def run(left: Any, right: Any) -> bool:
        for value in (left, right):
            if not isinstance(value, str):
                raise _FailureError(_not_number(value, "comparator", name))
        return regex.compile_pattern(right).matches(left) == (name == "=~")

    return run


def _in(left: Any, right: Any) -> bool:
    if not isinstance(right, list):
        raise _FailureError(_not_number(right, "comparator", "in"))
    return any(_equal(left, value) for value in right)


@dataclass(frozen=True, slots=True)
class _Operator:
    precedence: int
    apply: Callable[[Any, Any], Any]


# Loosest first; `,` builds the lists that `in` looks into.
_SEPARATOR, _TERNARY, _OR, _AND, _COMPARE, _BITWISE, _SHIFT, _ADD, _MULTIPLY, _EXPONENT = range(1, 11)
_OPERATORS = {
    "==": _Operator(_COMPARE, _equal),
    "!=": _Operator(_COMPARE, lambda left, right: not _equal(left, right)),
    "<": _Operator(_COMPARE, _comparison("<", lambda left, right: left < right)),
    "<=": _Operator(_COMPARE, _comparison("<=", lambda left, right: left <= right)),
    ">": _Operator(_COMPARE, _comparison(">", lambda left, right: left > right)),
    ">=": _Operator(_COMPARE, _comparison(">=", lambda left, right: left >= right)),
    "=~": _Operator(_COMPARE, _regexp("=~")),
    "!~": _Operator(_COMPARE, _regexp("!~")),
    "in": _Operator(_COMPARE, _in),
    "&": _Operator(_BITWISE, _modifier("&", _bits(lambda left, right: left & right))),
    "|": _Operator(_BITWISE, _modifier("|", _bits(lambda left, right: left | right))),
    "^": _Operator(_BITWISE, _modifier("^", _bits(lambda left, right: left ^ right))),
    "<<": _Operator(_SHIFT, _modifier("<<", _shift(lambda value, count: value << count))),
    ">>": _Operator(_SHIFT, _modifier(">>", _shift(lambda value, count: value >> count))),
    "+": _Operator(_ADD, _add),
    "-": _Operator(_ADD, _modifier("-", lambda left, right: left - right)),
    "*": _Operator(_MULTIPLY, _modifier("*", lambda left, right: left * right)),
    "/": _Operator(_MULTIPLY, _modifier("/", _divide)),
    "%": _Operator(_MULTIPLY, _modifier("%", lambda left, right: math.fmod(left, right) if right else math.nan)),
    "**": _Operator(_EXPONENT, _modifier("**", _power)),
}
# These decide by their left side whether the right one is evaluated.
_DECIDING = {",": _SEPARATOR, "?": _TERNARY, ":": _TERNARY, "??": _TERNARY, "||": _OR, "&&": _AND}

Code = Callable[[], Any]


def evaluate(when: str) -> bool:
    """Whether a step runs; no condition is a yes.

    Args:
        when: the condition, its tags replaced.

    Raises:
        ExpressionError: with Argo's words, its misspelling included.
    """
    if not when:
        return True
    code = _compile(when) if len(when) <= _MAX_LENGTH else _too_long(when)
    try:
        result = code()
    except (_FailureError, ExpressionError) as error:
        raise ExpressionError(f"Failed to evaluate 'when' expresion '{when}': {error}") from error
    if not isinstance(result, bool):
        raise ExpressionError(f"Expected boolean evaluation for '{when}'. Got {format_value(result)}")
    return result


def _too_long(when: str) -> Code:
    raise ExpressionError(f"Invalid 'when' expression '{when[:60]}…': longer than {_MAX_LENGTH} characters")


@functools.lru_cache(maxsize=2048)
def _compile(when: str) -> Code:
    try:
        tokens = tokenize(when)
    except ExpressionError as error:
        hint = ' (hint: try wrapping the affected expression in quotes ("))' if "Invalid token" in str(error) else ""
        raise ExpressionError(f"Invalid 'when' expression '{when}': {error}{hint}") from error
    strings = as_strings(tokens)
    try:
        check_order(strings)
        return _Parser(strings).whole()
    except ExpressionError as error:
        raise ExpressionError(f"Failed to parse 'when' expression '{when}': {error}") from error


class _Parser:
    """Precedence climbing over tokens whose order is known to be possible."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._index = 0
        self._depth = 0

    def _kind(self) -> str:
        return self._tokens[self._index].kind if self._index < len(self._tokens) else ""

    def _next(self) -> Token:
        if self._index >= len(self._tokens):
            raise ExpressionError("Unexpected end of expression")
        self._index += 1
        return self._tokens[self._index - 1]

    def whole(self) -> Code:
        code = self._expression(0)
        if self._index < len(self._tokens):
            raise ExpressionError(f"Unable to plan token {self._tokens[self._index]}")
        return code

    def _expression(self, precedence: int) -> Code:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise ExpressionError(f"condition is nested deeper than {_MAX_DEPTH}")
        first = self._operand()
        steps: list[Callable[[Any], Any]] = []
        while self._kind() in ("COMPARATOR", "MODIFIER", "LOGICALOP", "TERNARY", "SEPARATOR"):
            name = self._tokens[self._index].value
            tight = _DECIDING[name] if name in _DECIDING else _OPERATORS[name].precedence
            if tight < precedence:
                break
            self._next()
            steps.append(_step(name, self._expression(tight + 1)))
        self._depth -= 1
        if not steps:
            return first

        def run() -> Any:
            value = first()
            for step in steps:
                value = step(value)
            return value

        return run

    def _operand(self) -> Code:
        token = self._next()
        match token.kind:
            case "NUMERIC" | "BOOLEAN" | "STRING":
                return lambda: token.value
            case "TIME":
                seconds = float((token.value - _EPOCH) // dt.timedelta(seconds=1))
                return lambda: seconds
            case "PREFIX":
                return _prefix(token.value, self._operand())
            case "ACCESSOR":
                return _no_parameter(token.value.partition(".")[0])
            case "CLAUSE" if self._kind() == "CLAUSE_CLOSE":
                self._next()
                return lambda: None
            case "CLAUSE":
                inner = self._expression(0)
                if self._next().kind != "CLAUSE_CLOSE":
                    raise ExpressionError("Unbalanced parenthesis")
                return inner
        raise ExpressionError(f"Unable to plan token {token}")


def _step(name: str, right: Code) -> Callable[[Any], Any]:
    match name:
        case "&&":
            return lambda left: left is not False and _bool(name, left, right())
        case "||":
            return lambda left: left is True or _bool(name, left, right())
        case "?":
            return lambda left: None if left is False else _chosen(left, right())
        case ":" | "??":
            return lambda left: right() if left is None else left
        case ",":
            return lambda left: [*left, right()] if isinstance(left, list) else [left, right()]
    operate = _OPERATORS[name].apply
    return lambda left: operate(left, right())


def _bool(name: str, left: Any, right: Any) -> bool:
    """The right side of && or ||, when the left one has not decided; both are evaluated before either is checked."""
    for value in (left, right):
        if not isinstance(value, bool):
            raise _FailureError(_not_bool(value, "logical", name))
    return bool(right)


def _chosen(condition: Any, value: Any) -> Any:
    if not isinstance(condition, bool):
        raise _FailureError(_not_bool(condition, "ternary", "?"))
    return value


def _not_bool(value: Any, role: str, name: str) -> str:
    return f"Value '{format_value(value)}' cannot be used with the {role} operator '{name}', it is not a bool"


def _prefix(name: str, operand: Code) -> Code:
    def run() -> Any:
        value = operand()
        if not isinstance(value, bool if name == "!" else float):
            raise _FailureError(f"Value '{format_value(value)}' cannot be used with the prefix '{name}'")
        if name == "!":
            return not value
        return -value if name == "-" else float(~int(value))

    return run


def _no_parameter(name: str) -> Code:
    def run() -> Any:
        raise _FailureError(f"No parameter '{name}' found.")

    return run
