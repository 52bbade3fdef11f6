"""The functions of expr-lang that take values (those with a predicate are in `predicates`), as a table.

Each row: what the arguments must be, and what is done. The compiler checks the arguments against the row.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import math
import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tiphys.errors import ExpressionError
from tiphys.kit.codec import DecodeError, decode
from tiphys.workflow.expr import duration, gotext, gotime
from tiphys.workflow.expr.golang import format_value, indented, type_name
from tiphys.workflow.expr.lang.sizes import join_texts, repeat_text, replace_text
from tiphys.workflow.expr.lang.values import FaultError, as_integer, equal, is_number, less, wrap

__all__ = ["FUNCTIONS", "Function", "call_checked", "from_json"]

_KINDS: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "number": is_number,
    "int": lambda value: type(value) is int,
    "array": lambda value: isinstance(value, list),
    "map": lambda value: isinstance(value, Mapping),
    "bool": lambda value: isinstance(value, bool),
    "time": lambda value: isinstance(value, dt.datetime),
    "duration": lambda value: isinstance(value, dt.timedelta),
    "zone": lambda value: isinstance(value, dt.tzinfo),
    "any": lambda value: True,
}


@dataclass(frozen=True, slots=True)
class Function:
    """One function.

    Attributes:
        run: what it does; called with the arguments as they are.
        parameters: a kind for each, a key of the table above; one with "?" may be left out, one with "*" repeats.
        wrong: the message for an argument of another kind, with the type's name put in; "" for the common one.
    """

    run: Callable[..., Any]
    parameters: tuple[str, ...]
    wrong: str = ""


def call_checked(name: str, function: Function, arguments: list[Any]) -> Any:
    """Check the arguments against the row, then run it."""
    parameters = function.parameters
    least = sum(1 for parameter in parameters if parameter[-1] not in "?*")
    repeats = bool(parameters) and parameters[-1].endswith("*")
    if len(arguments) < least:
        raise FaultError(f"not enough arguments to call {name}")
    if len(arguments) > len(parameters) and not repeats:
        raise FaultError(f"too many arguments to call {name}")
    for index, value in enumerate(arguments):
        kind = parameters[min(index, len(parameters) - 1)].rstrip("?*")
        if not _KINDS[kind](value):
            if function.wrong:
                raise FaultError(function.wrong.format(type_name(value)))
            raise FaultError(f"cannot use {type_name(value)} as argument (type {kind}) to call {name}")
    try:
        return function.run(*arguments)
    except ExpressionError as error:
        raise FaultError(str(error)) from error
    except (OverflowError, RecursionError, ValueError) as error:
        raise FaultError(f"{name}: value out of range") from error


# -- numbers


def _integer(value: Any) -> int:
    if isinstance(value, str):
        try:
            return gotext.parse_int(value)
        except ExpressionError as error:
            raise FaultError(f"invalid operation: int({value})") from error
    return as_integer(value)


def _float(value: Any) -> float:
    if isinstance(value, str):
        try:
            return gotext.parse_float(value)
        except ExpressionError as error:
            raise FaultError(f"invalid operation: float({value})") from error
    if not is_number(value):
        raise FaultError(f"invalid operation: float({type_name(value)})")
    return float(value)


def _whole(rounding: Callable[[float], float]) -> Callable[[Any], float]:
    def run(value: Any) -> float:
        number = float(value)
        return float(rounding(number)) if math.isfinite(number) else number

    return run


def round_half_away(value: float) -> float:
    """`math.Round`: halves away from zero."""
    return math.copysign(math.floor(abs(value) + 0.5), value) if abs(value) < 2**52 else value


def _numbers(name: str, values: tuple[Any, ...] | list[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list):
            yield from _numbers(name, value)
        elif is_number(value):
            yield value
        else:
            raise FaultError(f"invalid argument for {name} (type {type_name(value)})")


def _extreme(name: str, better: Callable[[Any, Any], bool]) -> Callable[..., Any]:
    def run(*values: Any) -> Any:
        best = None
        for value in _numbers(name, values):
            if best is None or better(value, best):
                best = value
        return best

    return run


def _mean(*values: Any) -> float:
    numbers = list(_numbers("mean", values))
    return math.fsum(numbers) / len(numbers) if numbers else 0.0


def _median(*values: Any) -> float:
    numbers = list(_numbers("median", values))
    return float(statistics.median(numbers)) if numbers else 0.0


def _shift(left: bool, logical: bool = False) -> Callable[[int, int], int]:
    def run(value: int, count: int) -> int:
        if count < 0:
            raise FaultError(f"invalid operation: negative shift count {count} (type int)")
        count = min(count, 64)
        if left:
            return wrap(value << count)
        return wrap((value % (1 << 64)) >> count) if logical else value >> count

    return run


# -- strings


def _repeat(text: str, count: Any) -> str:
    times = as_integer(count)
    if times < 0:
        raise FaultError(f"invalid argument for repeat (expected positive integer, got {times})")
    return repeat_text(text, times)


def _join(items: list[Any], glue: str = "") -> str:
    for item in items:
        if not isinstance(item, str):
            raise FaultError(f"interface conversion: interface {{}} is {type_name(item)}, not string")
    return join_texts(glue, items)


def _byte_index(text: str, index: int) -> int:
    return index if index < 0 or text.isascii() else len(text[:index].encode())


# -- JSON, base64


def from_json(text: str) -> Any:
    """`json.Unmarshal` into `any`: every number is a float64.

    Raises:
        FaultError: the text is not JSON.
    """
    try:
        return _floats(decode(text))
    except (DecodeError, RecursionError) as error:
        raise FaultError(f"invalid JSON: {error}") from error


def _floats(value: Any) -> Any:
    match value:
        case bool():
            return value
        case int():
            return float(value)
        case list():
            return [_floats(item) for item in value]
        case dict():
            return {key: _floats(item) for key, item in value.items()}
    return value


def _from_base64(text: str) -> str:
    try:
        return base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True).decode(errors="replace")
    except (binascii.Error, ValueError) as error:
        raise FaultError("illegal base64 data") from error


# -- times


def _date(*arguments: Any) -> dt.datetime:
    values = list(arguments)
    zone = values.pop(0) if values and isinstance(values[0], dt.tzinfo) else None
    if not 1 <= len(values) <= 3 or not all(isinstance(value, str) for value in values):
        raise FaultError("invalid arguments to call date (expected a string, a layout and a time zone)")
    if len(values) == 3:
        zone = gotime.load_location(values[2])
    if len(values) > 1:
        return gotime.parse_time(values[1], values[0], zone or dt.UTC)
    for name in ("DateOnly", "TimeOnly", "DateTime", "RFC3339", "RFC822", "RFC850", "RFC1123"):
        try:
            return gotime.parse_time(gotime.LAYOUTS[name], values[0], zone or dt.UTC)
        except ExpressionError:
            continue
    raise FaultError(f"invalid date {values[0]}")


# -- lists and maps


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else None


def _last(value: Any) -> Any:
    return value[-1] if isinstance(value, list) and value else None


def _get(base: Any, key: Any) -> Any:
    if isinstance(base, Mapping):
        return base.get(key) if isinstance(key, (str, int, float)) else None
    if isinstance(base, (list, str)) and is_number(key):
        items = base.encode() if isinstance(base, str) else base
        index = as_integer(key)
        return items[index] if -len(items) <= index < len(items) else None
    return None


def _take(items: list[Any], count: int) -> list[Any]:
    if count < 0:
        raise FaultError(f"slice bounds out of range [:{count}]")
    return items[:count]


def _from_pairs(pairs: list[Any]) -> dict[Any, Any]:
    result: dict[Any, Any] = {}
    for pair in pairs:
        if not isinstance(pair, list):
            raise FaultError(f"invalid pair {format_value(pair)}")
        if len(pair) != 2 or isinstance(pair[0], (list, dict)):
            raise FaultError(f"invalid pair length {format_value(pair)}")
        result[pair[0]] = pair[1]
    return result


def _uniq(items: list[Any]) -> list[Any]:
    if len(items) > 2000:
        raise FaultError("memory budget exceeded")  # every element is compared with every other
    result: list[Any] = []
    for item in items:
        if not any(equal(item, other) for other in result):
            result.append(item)
    return result


def _flatten(items: list[Any]) -> list[Any]:
    result: list[Any] = []
    for item in items:
        if isinstance(item, list):
            result.extend(_flatten(item))
        else:
            result.append(item)
    return result


def _sort(items: list[Any], order: str = "asc") -> list[Any]:
    return sort_by(items, items, order)


def sort_by(items: list[Any], values: list[Any], order: Any) -> list[Any]:
    """The items in the order of their values; "asc" or "desc"."""
    if order not in ("asc", "desc"):
        raise FaultError(f"invalid order {format_value(order)}, expected asc or desc")
    for value in values:
        less(value, values[0])  # values that cannot be compared are an error, not an order
    ranked = sorted(range(len(items)), key=lambda index: values[index], reverse=order == "desc")
    return [items[index] for index in ranked]


def _length(value: Any) -> int:
    if not isinstance(value, (str, list, Mapping, bytes)):
        raise FaultError(f"invalid argument for len (type {type_name(value)})")
    return len(value)


def _type(value: Any) -> str:
    match value:
        case None:
            return "nil"
        case float():
            return "float"
        case list() | bytes():
            return "array"
        case Mapping():
            return "map"
        case _:
            return type_name(value)


FUNCTIONS: dict[str, Function] = {
    "len": Function(_length, ("any",)),
    "type": Function(_type, ("any",)),
    "abs": Function(abs, ("number",), "invalid argument for abs (type {})"),
    "ceil": Function(_whole(math.ceil), ("number",), "invalid argument for ceil (type {})"),
    "floor": Function(_whole(math.floor), ("number",), "invalid argument for floor (type {})"),
    "round": Function(_whole(round_half_away), ("number",), "invalid argument for round (type {})"),
    "int": Function(_integer, ("any",)),
    "float": Function(_float, ("any",)),
    "string": Function(format_value, ("any",)),
    "trim": Function(lambda text, cut=None: gotext.trim(text, cut), ("string", "string?")),
    "trimPrefix": Function(lambda text, prefix=" ": text.removeprefix(prefix), ("string", "string?")),
    "trimSuffix": Function(lambda text, suffix=" ": text.removesuffix(suffix), ("string", "string?")),
    "upper": Function(str.upper, ("string",)),
    "lower": Function(str.lower, ("string",)),
    "split": Function(lambda text, by, n=-1: gotext.split(text, by, as_integer(n)), ("string", "string", "number?")),
    "splitAfter": Function(
        lambda text, by, n=-1: gotext.split(text, by, as_integer(n), keep=True), ("string", "string", "number?")
    ),
    "replace": Function(
        lambda text, old, new, n=-1: replace_text(text, old, new, as_integer(n)),
        ("string", "string", "string", "number?"),
    ),
    "repeat": Function(_repeat, ("string", "number")),
    "join": Function(_join, ("array", "string?"), "invalid argument for join (type {})"),
    "indexOf": Function(lambda text, part: _byte_index(text, text.find(part)), ("string", "string")),
    "lastIndexOf": Function(lambda text, part: _byte_index(text, text.rfind(part)), ("string", "string")),
    "hasPrefix": Function(str.startswith, ("string", "string")),
    "hasSuffix": Function(str.endswith, ("string", "string")),
    "max": Function(_extreme("max", lambda value, best: bool(value > best)), ("any", "any*")),
    "min": Function(_extreme("min", lambda value, best: bool(value < best)), ("any", "any*")),
    "mean": Function(_mean, ("any", "any*")),
    "median": Function(_median, ("any", "any*")),
    "toJSON": Function(indented, ("any",)),
    "fromJSON": Function(from_json, ("string",)),
    "toBase64": Function(lambda text: base64.b64encode(text.encode()).decode(), ("string",)),
    "fromBase64": Function(_from_base64, ("string",)),
    "duration": Function(duration.parse_go, ("string",)),
    "date": Function(_date, ("any", "string?", "string?", "string?")),
    "timezone": Function(gotime.load_location, ("string",)),
    "first": Function(_first, ("any",)),
    "last": Function(_last, ("any",)),
    "get": Function(_get, ("any", "any")),
    "take": Function(_take, ("array", "int"), "cannot take from {}"),
    "keys": Function(list, ("map",), "cannot get keys from {}"),
    "values": Function(lambda value: list(value.values()), ("map",), "cannot get values from {}"),
    "toPairs": Function(
        lambda value: [[key, item] for key, item in value.items()], ("map",), "cannot transform {} to pairs"
    ),
    "fromPairs": Function(_from_pairs, ("array",), "cannot transform {} from pairs"),
    "reverse": Function(lambda items: items[::-1], ("array",), "cannot reverse {}"),
    "uniq": Function(_uniq, ("array",), "cannot uniq {}"),
    "concat": Function(
        lambda *lists: [item for part in lists for item in part], ("array", "array*"), "cannot concat {}"
    ),
    "flatten": Function(_flatten, ("array",), "cannot flatten {}"),
    "sort": Function(_sort, ("array", "string?")),
    "bitand": Function(lambda x, y: x & y, ("int", "int")),
    "bitor": Function(lambda x, y: x | y, ("int", "int")),
    "bitxor": Function(lambda x, y: x ^ y, ("int", "int")),
    "bitnand": Function(lambda x, y: x & ~y, ("int", "int")),
    "bitshl": Function(_shift(left=True), ("int", "int")),
    "bitshr": Function(_shift(left=False), ("int", "int")),
    "bitushr": Function(_shift(left=False, logical=True), ("int", "int")),
    "bitnot": Function(lambda x: ~x, ("int",)),
}
