"""What the operators of expr-lang do to values: Go's numbers, comparisons, members. Pure functions on plain data.

A value is None, bool, int, float, str, bytes, list, dict, datetime, timedelta, tzinfo or a function. A `FaultError` is
an error without a place; the compiler adds it.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping
from typing import Any

from tiphys.workflow.expr import regex
from tiphys.workflow.expr.golang import format_value, type_name

__all__ = [
    "ARITHMETIC",
    "FaultError",
    "as_integer",
    "check_bool",
    "contains",
    "equal",
    "fetch",
    "is_number",
    "less",
    "make_range",
    "negate",
    "slice_of",
    "wrap",
]

_WRAP = 1 << 63


class FaultError(Exception):
    """What went wrong, in expr-lang's words, not yet with its place."""


def is_number(value: Any) -> bool:
    """int or float, not bool."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def wrap(value: int) -> int:
    """A 64-bit integer overflows as Go's."""
    return value if -_WRAP <= value < _WRAP else (value + _WRAP) % (2 * _WRAP) - _WRAP


def as_integer(value: Any) -> int:
    """runtime.ToInt: floats lose their fraction."""
    if not is_number(value):
        raise FaultError(f"invalid operation: int({type_name(value)})")
    if isinstance(value, float):
        return wrap(int(value)) if math.isfinite(value) else -_WRAP
    return int(value)


def check_bool(value: Any, otherwise: str = "interface conversion: interface {{}} is {}, not bool") -> bool:
    """A condition's value; `otherwise` is what is said of another type, which stands in it as {}."""
    if not isinstance(value, bool):
        raise FaultError(otherwise.format(_nil_name(value)))
    return value


def _nil_name(value: Any) -> str:
    return "nil" if value is None else type_name(value)


def mismatch(operator: str, left: Any, right: Any) -> FaultError:
    """What is said of two values that do not go together."""
    return FaultError(f"invalid operation: {operator} (mismatched types {type_name(left)} and {type_name(right)})")


def equal(left: Any, right: Any) -> bool:
    """Numbers by value, whatever their kind; everything else only within its type."""
    if is_number(left) and is_number(right):
        return bool(left == right)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(equal(item, right[key]) for key, item in left.items())
    if isinstance(left, dt.datetime) and isinstance(right, dt.datetime):
        return left == right
    return type(left) is type(right) and bool(left == right)


def _ordered(left: Any, right: Any) -> bool:
    if is_number(left) and is_number(right):
        return True
    return any(isinstance(left, kind) and isinstance(right, kind) for kind in (str, dt.datetime, dt.timedelta))


def less(left: Any, right: Any) -> bool:
    """`left < right`."""
    if not _ordered(left, right):
        raise mismatch("<", left, right)
    return bool(left < right)


def _less_equal(left: Any, right: Any) -> bool:
    if not _ordered(left, right):
        raise mismatch("<=", left, right)
    return bool(left <= right)


def _more(left: Any, right: Any) -> bool:
    if not _ordered(left, right):
        raise mismatch(">", left, right)
    return bool(left > right)


def _more_equal(left: Any, right: Any) -> bool:
    if not _ordered(left, right):
        raise mismatch(">=", left, right)
    return bool(left >= right)


def _sum(value: int | float) -> int | float:
    return wrap(value) if isinstance(value, int) else value


def _add(left: Any, right: Any) -> Any:
    if is_number(left) and is_number(right):
        return _sum(left + right)
    if isinstance(left, str) and isinstance(right, str):
        return left + right
    if isinstance(left, (dt.datetime, dt.timedelta)) and isinstance(right, (dt.datetime, dt.timedelta)):
        try:
            return left + right  # type: ignore[operator]
        except (TypeError, OverflowError) as error:
            raise mismatch("+", left, right) from error
    raise mismatch("+", left, right)


def _subtract(left: Any, right: Any) -> Any:
    if is_number(left) and is_number(right):
        return _sum(left - right)
    if isinstance(left, (dt.datetime, dt.timedelta)) and isinstance(right, (dt.datetime, dt.timedelta)):
        try:
            return left - right  # type: ignore[operator]
        except (TypeError, OverflowError) as error:
            raise mismatch("-", left, right) from error
    raise mismatch("-", left, right)


def _multiply(left: Any, right: Any) -> Any:
    if is_number(left) and is_number(right):
        return _sum(left * right)
    pair = (left, right) if isinstance(left, dt.timedelta) else (right, left)
    if isinstance(pair[0], dt.timedelta) and is_number(pair[1]):
        try:
            return pair[0] * pair[1]
        except (OverflowError, ValueError) as error:
            raise mismatch("*", left, right) from error
    raise mismatch("*", left, right)


def _divide(left: Any, right: Any) -> float:
    if not (is_number(left) and is_number(right)):
        raise mismatch("/", left, right)
    if right == 0:
        return math.nan if left == 0 or math.isnan(left) else math.copysign(math.inf, left) * math.copysign(1, right)
    return float(left) / float(right)


def _modulo(left: Any, right: Any) -> int:
    if not (type(left) is int and type(right) is int):
        raise mismatch("%", left, right)
    if right == 0:
        raise FaultError("integer divide by zero")
    remainder = abs(left) % abs(right)  # Go's takes the sign of the left side
    return -remainder if left < 0 else remainder


def _power(left: Any, right: Any) -> float:
    if not (is_number(left) and is_number(right)):
        raise mismatch("**", left, right)
    try:
        return math.pow(left, right)
    except OverflowError:
        return math.inf
    except ValueError:
        return math.nan if left else math.inf


def _text_test(name: str, test: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    def run(left: Any, right: Any) -> bool:
        if left is None or right is None:
            return False
        for side in (left, right):
            if not isinstance(side, str):
                raise FaultError(f"interface conversion: interface {{}} is {type_name(side)}, not string")
        return test(left, right)

    run.__name__ = name
    return run


def contains(left: Any, right: Any) -> bool:
    """`left in right`: an element of a list, a key of a map."""
    match right:
        case None:
            return False
        case list():
            return any(equal(item, left) for item in right)
        case Mapping():
            return isinstance(left, (str, int, float)) and left in right
        case _:
            raise FaultError(f'operator "in" not defined on {type_name(right)}')


ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "==": equal,
    "!=": lambda left, right: not equal(left, right),
    "<": less,
    "<=": _less_equal,
    ">": _more,
    ">=": _more_equal,
    "+": _add,
    "-": _subtract,
    "*": _multiply,
    "/": _divide,
    "%": _modulo,
    "**": _power,
    "^": _power,
    "in": contains,
    "matches": _text_test("matches", lambda text, pattern: regex.compile_pattern(pattern).matches(text)),
    "contains": _text_test("contains", lambda text, part: part in text),
    "startsWith": _text_test("startsWith", str.startswith),
    "endsWith": _text_test("endsWith", str.endswith),
}


def negate(value: Any) -> Any:
    """Unary minus."""
    if isinstance(value, dt.timedelta):
        return -value
    if not is_number(value):
        raise FaultError(f"invalid operation: - (mismatched type {type_name(value)})")
    return _sum(-value)


def make_range(start: Any, end: Any) -> range:
    """`start..end`, both included."""
    return range(as_integer(start), as_integer(end) + 1)


def fetch(base: Any, key: Any) -> Any:
    """`base[key]`: a missing key of a map is nil, an index outside is a fault."""
    match base:
        case Mapping():
            try:
                return base.get(key)
            except TypeError as error:
                raise FaultError(f"cannot fetch {format_value(key)} from {type_name(base)}") from error
        case list() | str() | bytes():
            items = base.encode() if isinstance(base, str) else base
            if not is_number(key):
                raise FaultError(f"cannot fetch {format_value(key)} from {type_name(base)}")
            index = as_integer(key)
            index += len(items) if index < 0 else 0
            if not 0 <= index < len(items):
                raise FaultError(f"index out of range: {index} (array length is {len(items)})")
            return items[index]
        case _:
            raise FaultError(f"cannot fetch {format_value(key)} from {type_name(base)}")


def slice_of(base: Any, start: Any, end: Any) -> Any:
    """`base[start:end]`; a string is cut by bytes, as in Go."""
    if not isinstance(base, (list, str, bytes)):
        raise FaultError(f"cannot slice {type_name(base)}")
    items = base.encode() if isinstance(base, str) and not base.isascii() else base
    first, last = (as_integer(start) if start is not None else 0, as_integer(end) if end is not None else len(items))
    first = max(first + len(items), 0) if first < 0 else first
    last = max(last + len(items), 0) if last < 0 else min(last, len(items))
    part = items[min(first, last) : last]
    return part.decode(errors="replace") if isinstance(base, str) and isinstance(part, bytes) else part
