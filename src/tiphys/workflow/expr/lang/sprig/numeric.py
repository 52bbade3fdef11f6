"""Numbers and sums of sprig: text counts as the number it holds, and as 0 where it holds none."""

from __future__ import annotations

import decimal
import math
import re
from collections.abc import Callable
from typing import Any

from tiphys.errors import ExpressionError
from tiphys.workflow.expr import gotext
from tiphys.workflow.expr.lang.functions import Function
from tiphys.workflow.expr.lang.sizes import check_size
from tiphys.workflow.expr.lang.values import FaultError, as_integer, is_number, wrap

__all__ = ["FUNCTIONS", "to_float", "to_int"]

_OCTAL = re.compile(r"([+-]?)0([0-7]+)")


def to_int(value: Any) -> int:
    """As `cast.ToInt64`: what is no number is 0."""
    if isinstance(value, str):
        text = re.sub(r"\.0*$", "", value)
        octal = _OCTAL.fullmatch(text)
        try:
            number = int(octal[1] + octal[2], 8) if octal else int(text, 0)
        except ValueError:
            return 0
        return number if wrap(number) == number else 0
    if isinstance(value, bool):
        return int(value)
    return as_integer(value) if is_number(value) else 0


def to_float(value: Any) -> float:
    """As `cast.ToFloat64`: what is no number is 0."""
    if isinstance(value, str):
        try:
            return gotext.parse_float(value)
        except ExpressionError:
            return 0.0
    return float(value) if isinstance(value, (int, float)) else 0.0


def _fold(operate: Callable[[int, int], int]) -> Callable[..., int]:
    def run(first: Any, *rest: Any) -> int:
        total = to_int(first)
        for value in rest:
            total = wrap(operate(total, to_int(value)))
        return total

    return run


def _fold_decimal(operate: Callable[[decimal.Decimal, decimal.Decimal], decimal.Decimal]) -> Callable[..., float]:
    def run(first: Any, *rest: Any) -> float:
        try:
            total = decimal.Decimal(str(to_float(first)))
            for value in rest:
                total = operate(total, decimal.Decimal(str(to_float(value))))
        except decimal.DecimalException as error:
            raise FaultError("decimal division by 0 or value out of range") from error
        return float(total)

    return run


def _divide(left: int, right: int) -> int:
    if right == 0:
        raise FaultError("integer divide by zero")
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _modulo(left: int, right: int) -> int:
    return left - right * _divide(left, right)


def _round(value: Any, places: Any, on: float = 0.5) -> float:
    scale = 10.0 ** max(-300, min(300, as_integer(places)))
    digit = to_float(value) * scale
    fraction = math.modf(digit)[0]
    return (math.ceil(digit) if fraction >= on else math.floor(digit)) / scale


def _range(start: Any, stop: Any, step: Any) -> list[int]:
    first, last, stride = as_integer(start), as_integer(stop), as_integer(step)
    if stride == 0 or (last < first) != (stride < 0):
        return []
    numbers = range(first, last, stride)
    check_size(len(numbers))
    return list(numbers)


def _until(count: Any) -> list[int]:
    return _range(0, count, -1 if count < 0 else 1)


def _seq(*numbers: Any) -> str:
    start, step, end = 1, 0, 0
    match numbers:
        case (last,):
            end = as_integer(last)
        case (first, last):
            start, end = as_integer(first), as_integer(last)
        case (first, stride, last):
            start, step, end = as_integer(first), as_integer(stride), as_integer(last)
            if end < start and step > 0:
                return ""
        case _:
            return ""
    beyond = -1 if end < start else 1
    return " ".join(map(str, _range(start, end + beyond, step or beyond)))


def _octal(value: Any) -> int:
    try:
        return int(str(value), 8)
    except ValueError:
        return 0


_ANY, _MORE = ("any",), ("any", "any*")

FUNCTIONS: dict[str, Function] = {
    "atoi": Function(lambda text: int(text) if re.fullmatch(r"[+-]?[0-9]{1,18}", text) else 0, ("string",)),
    "int": Function(to_int, _ANY),
    "int64": Function(to_int, _ANY),
    "float64": Function(to_float, _ANY),
    "toDecimal": Function(_octal, _ANY),
    "add": Function(_fold(lambda total, value: total + value), _MORE),
    "add1": Function(lambda value: wrap(to_int(value) + 1), _ANY),
    "sub": Function(_fold(lambda total, value: total - value), ("any", "any")),
    "mul": Function(_fold(lambda total, value: total * value), _MORE),
    "div": Function(_fold(_divide), ("any", "any")),
    "mod": Function(_fold(_modulo), ("any", "any")),
    "max": Function(_fold(max), _MORE),
    "biggest": Function(_fold(max), _MORE),
    "min": Function(_fold(min), _MORE),
    "addf": Function(_fold_decimal(lambda total, value: total + value), _MORE),
    "add1f": Function(lambda value: _fold_decimal(lambda a, b: a + b)(value, 1), _ANY),
    "subf": Function(_fold_decimal(lambda total, value: total - value), _MORE),
    "mulf": Function(_fold_decimal(lambda total, value: total * value), _MORE),
    "divf": Function(_fold_decimal(lambda total, value: total / value), _MORE),
    "maxf": Function(lambda *values: max(map(to_float, values)), _MORE),
    "minf": Function(lambda *values: min(map(to_float, values)), _MORE),
    "ceil": Function(lambda value: float(math.ceil(to_float(value))), _ANY),
    "floor": Function(lambda value: float(math.floor(to_float(value))), _ANY),
    "round": Function(_round, ("any", "number", "number?")),
    "until": Function(_until, ("number",)),
    "untilStep": Function(_range, ("number", "number", "number")),
    "seq": Function(_seq, ("number*",)),
}
