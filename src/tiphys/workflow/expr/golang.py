"""Values written as Go writes them: `%v`, `fmt.Sprintf`, `encoding/json`, `%q`.

Argo's users see these forms in loop names, parameters and messages, so the engine and the expression language use this
module wherever Argo formats a value.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Mapping
from typing import Any

from tiphys.errors import ExpressionError
from tiphys.kit.codec import encode
from tiphys.workflow.expr import duration

__all__ = ["format_value", "indented", "marshal", "quote", "sprintf", "type_name"]

_VERB = re.compile(r"%(?P<flags>[-+# 0]*)(?P<width>\d*)(?:\.(?P<precision>\d*))?(?P<verb>.?)", re.DOTALL)
_HTML = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})
_MAX_WIDTH = 4096


def type_name(value: Any) -> str:
    """What `%T` prints for the Go value this one stands for."""
    match value:
        case None:
            return "<nil>"
        case bool():
            return "bool"
        case int():
            return "int"
        case float():
            return "float64"
        case str():
            return "string"
        case bytes():
            return "[]uint8"
        case list() | tuple():
            return "[]interface {}"
        case Mapping():
            return "map[string]interface {}"
        case dt.datetime():
            return "time.Time"
        case dt.timedelta():
            return "time.Duration"
        case _:
            return "func" if callable(value) else type(value).__name__


def format_value(value: Any) -> str:
    """What `%v` prints: strings as they are, `[a b]` for lists, `map[k:v]` with sorted keys for maps."""
    match value:
        case str():
            return value
        case None:
            return "<nil>"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return _format_float(value)
        case bytes():
            return "[" + " ".join(str(byte) for byte in value) + "]"
        case list() | tuple():
            return "[" + " ".join(format_value(item) for item in value) + "]"
        case Mapping():
            pairs = sorted((format_value(key), format_value(item)) for key, item in value.items())
            return "map[" + " ".join(f"{key}:{item}" for key, item in pairs) + "]"
        case dt.timedelta():
            return duration.format_duration(value)
        case dt.datetime():
            return _format_time(value)
        case _:
            return str(value)


def _format_float(value: float) -> str:
    """`%g`: the shortest digits, with an exponent below 1e-4 and from 1e6 on, however many digits there are."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    digits, exponent = _shortest(value)
    sign = "-" if value < 0 else ""
    if exponent < -4 or exponent >= 6:
        mantissa = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
        return f"{sign}{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
    return sign + _plain(digits, exponent)


def _shortest(value: float) -> tuple[str, int]:
    """The shortest digits that give the value back, and the decimal exponent of the first one."""
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    leading = len(whole + fraction) - len(digits)
    first = len(whole) - 1 - leading + int(exponent or 0)
    return digits.rstrip("0") or "0", first


def _plain(digits: str, exponent: int) -> str:
    if exponent < 0:
        return "0." + "0" * (-exponent - 1) + digits
    if len(digits) <= exponent + 1:
        return digits + "0" * (exponent + 1 - len(digits))
    return digits[: exponent + 1] + "." + digits[exponent + 1 :]


def _format_time(value: dt.datetime) -> str:
    fraction = f".{value.microsecond:06d}".rstrip("0").rstrip(".")
    zone = value.strftime("%z %Z") if value.tzinfo is not None else "+0000 UTC"
    return f"{value:%Y-%m-%d %H:%M:%S}{fraction} {zone}"


def marshal(value: Any, *, html: bool = True, sort: bool = True) -> str:
    """JSON as `json.Marshal` writes it: compact, keys sorted, whole floats without a point, `<>&` escaped.

    Args:
        html: escape `<>&`.
        sort: the keys, as those of a Go map; else they are the fields of a struct, in their order.

    Raises:
        ExpressionError: the value has no JSON (a function, NaN, infinity).
    """
    try:
        text = encode(_jsonable(value), sort=sort).decode()
    except (TypeError, RecursionError) as error:
        raise ExpressionError(f"json: unsupported type: {type_name(value)}") from error
    return text.translate(_HTML) if html else text


def indented(value: Any) -> str:
    """JSON as `json.MarshalIndent(value, "", "  ")` writes it.

    Raises:
        ExpressionError: the value has no JSON.
    """
    compact = marshal(value)  # refuses what has no JSON
    text = json.dumps(json.loads(compact), indent=2, ensure_ascii=False, sort_keys=True)
    return text.translate(_HTML)


def _jsonable(value: Any) -> Any:
    match value:
        case float():
            if math.isnan(value) or math.isinf(value):
                raise ExpressionError(f"json: unsupported value: {_format_float(value)}")
            return int(value) if value.is_integer() and abs(value) < 1e21 else value
        case bool() | int() | str() | None | bytes():
            return value
        case list() | tuple():
            return [_jsonable(item) for item in value]
        case Mapping():
            return {key if isinstance(key, str) else format_value(key): _jsonable(item) for key, item in value.items()}
        case dt.timedelta():
            return duration.nanoseconds(value)
        case dt.datetime():
            text = value.isoformat()
            head, dot, tail = text.partition(".")
            if dot:
                text = f"{head}.{tail[:6].rstrip('0')}".rstrip(".") + tail[6:]
            return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text
        case _:
            raise ExpressionError(f"json: unsupported type: {type_name(value)}")


def quote(text: str) -> str:
    """`%q`: in double quotes, with Go's escapes."""
    return json.dumps(text, ensure_ascii=False)


def sprintf(template: str, *values: Any) -> str:
    """`fmt.Sprintf` for the verbs of manifests: d b o x X c q s v t e f g and flags, width, precision.

    A verb that does not suit its value prints `%!d(string=x)`, as Go does: it is no error there either.
    """
    rest = list(values)
    used = 0

    def render(match: re.Match[str]) -> str:
        nonlocal used
        verb = match["verb"]
        if verb == "%":
            return "%"
        if not verb:
            return "%!(NOVERB)"
        if used >= len(rest):
            return f"%!{verb}(MISSING)"
        used += 1
        return _one_verb(verb, match, rest[used - 1])

    text = _VERB.sub(render, template)
    if used < len(rest):
        extra = ", ".join(f"{type_name(value)}={format_value(value)}" for value in rest[used:])
        text += f"%!(EXTRA {extra})"
    return text


def _one_verb(verb: str, match: re.Match[str], value: Any) -> str:
    flags, precision = match["flags"], match["precision"]
    width = min(int(match["width"] or 0), _MAX_WIDTH)
    body = _verb_body(verb, flags, None if precision is None else min(int(precision or 0), _MAX_WIDTH), value)
    if body is None:
        return f"%!{verb}({type_name(value)}={format_value(value)})"
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if number and not body.startswith("-"):
        body = ("+" if "+" in flags else " " if " " in flags else "") + body
    if "-" in flags:
        return body.ljust(width)
    if "0" in flags and number:
        sign = body[:1] if body[:1] in ("-", "+", " ") else ""
        return sign + body[len(sign) :].rjust(width - len(sign), "0")
    return body.rjust(width)


def _verb_body(verb: str, flags: str, precision: int | None, value: Any) -> str | None:
    """The value under one verb without padding; None where the verb does not suit it."""
    if verb == "v":
        return format_value(value)
    if verb == "t":
        return format_value(value) if isinstance(value, bool) else None
    if isinstance(value, str):
        body = value if precision is None else value[:precision]
        hexadecimal = body.encode().hex()
        forms = {"s": body, "q": quote(body), "x": hexadecimal, "X": hexadecimal.upper()}
        return forms.get(verb)
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        prefix = {"x": "0x", "X": "0X", "o": "0", "b": "0b"}.get(verb, "") if "#" in flags else ""
        if verb in "dboxX":
            digits = format(abs(value), verb).rjust(precision or 0, "0")
            return ("-" if value < 0 else "") + prefix + digits
        if verb in "cqU":
            point = value if 0 <= value <= 0x10FFFF else 0xFFFD
            return {"c": chr(point), "q": f"'{chr(point)}'", "U": f"U+{point:04X}"}[verb]
        return None
    if isinstance(value, float) and verb in "eEfFgG":
        return (
            format(value, f".{6 if precision is None else precision}{verb}")
            if verb not in "gG" or precision
            else _format_float(value)
        )
    return None
