"""Lists, maps, defaults, JSON and types of sprig. Nothing is changed in place: `set` and `merge` give a new map."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tiphys.errors import ExpressionError
from tiphys.workflow.expr.golang import format_value, indented, marshal, type_name
from tiphys.workflow.expr.lang.functions import Function, from_json
from tiphys.workflow.expr.lang.sprig.rows import with_must
from tiphys.workflow.expr.lang.sprig.texts import to_strings
from tiphys.workflow.expr.lang.values import FaultError, as_integer, equal

__all__ = ["FUNCTIONS"]

_MAX_COMPARED = 2000  # elements of a list of which each is compared with each

_KIND_NAMES = {"nil": "invalid", "[]interface {}": "slice", "map[string]interface {}": "map", "[]uint8": "slice"}


def _empty(value: Any) -> bool:
    return value is None or (isinstance(value, (str, list, Mapping, bool, int, float)) and not value)


def _in(items: list[Any], value: Any) -> bool:
    return any(type(item) is type(value) and equal(item, value) for item in items)


def _compared(items: list[Any]) -> list[Any]:
    if len(items) > _MAX_COMPARED:
        raise FaultError("memory budget exceeded")
    return items


def _uniq(items: list[Any]) -> list[Any]:
    found: list[Any] = []
    for item in _compared(items):
        if not _in(found, item):
            found.append(item)
    return found


def _chunk(size: Any, items: list[Any]) -> list[list[Any]]:
    width = as_integer(size)
    if width <= 0:
        raise FaultError("chunk: the size must be more than 0")
    return [items[at : at + width] for at in range(0, len(items), width)]


def _slice(items: list[Any], start: Any = 0, end: Any = None) -> list[Any]:
    first, last = as_integer(start), len(items) if end is None else as_integer(end)
    if not 0 <= first <= last <= len(items):
        raise FaultError(f"slice bounds out of range [{first}:{last}]")
    return items[first:last]


def _dict(*pairs: Any) -> dict[str, Any]:
    return {format_value(pairs[at]): pairs[at + 1] if at + 1 < len(pairs) else "" for at in range(0, len(pairs), 2)}


def _dig(*path: Any) -> Any:
    *keys, default, value = path
    for key in keys:
        if not isinstance(key, str):
            raise FaultError(f"interface conversion: interface {{}} is {type_name(key)}, not string")
        if not isinstance(value, Mapping):
            raise FaultError(
                f"interface conversion: interface {{}} is {type_name(value)}, not map[string]interface {{}}"
            )
        if key not in value:
            return default
        value = value[key]
    return value


def _merged(overwrite: bool) -> Callable[..., dict[str, Any]]:
    def merge(target: Mapping[str, Any], source: Mapping[str, Any]) -> dict[str, Any]:
        merged = dict(target)
        for key, value in source.items():
            known = merged.get(key)
            if isinstance(known, Mapping) and isinstance(value, Mapping):
                merged[key] = merge(known, value)
            elif _empty(known) or (overwrite and not _empty(value)):
                merged[key] = value
        return merged

    def run(target: Mapping[str, Any], *sources: Mapping[str, Any]) -> dict[str, Any]:
        merged = dict(target)
        for source in sources:
            merged = merge(merged, source)
        return merged

    return run


def _lenient_json(text: str) -> Any:
    try:
        return from_json(text)
    except FaultError:
        return None


def _lenient(encode: Callable[[Any], str]) -> Callable[[Any], str]:
    def run(value: Any) -> str:
        try:
            return encode(value)
        except ExpressionError:
            return ""

    return run


def _kind(value: Any) -> str:
    name = type_name(value)
    return _KIND_NAMES.get("nil" if value is None else name, "struct" if name == "time.Time" else name)


def _coalesce(*values: Any) -> Any:
    return next((value for value in values if not _empty(value)), None)


_LIST = ("array",)

FUNCTIONS: dict[str, Function] = {
    "list": Function(lambda *items: list(items), ("any*",)),
    "tuple": Function(lambda *items: list(items), ("any*",)),
    **with_must("first", lambda items: items[0] if items else None, _LIST),
    **with_must("last", lambda items: items[-1] if items else None, _LIST),
    **with_must("rest", lambda items: items[1:], _LIST),
    **with_must("initial", lambda items: items[:-1], _LIST),
    **with_must("reverse", lambda items: items[::-1], _LIST),
    **with_must("append", lambda items, item: [*items, item], ("array", "any")),
    **with_must("push", lambda items, item: [*items, item], ("array", "any")),
    **with_must("prepend", lambda items, item: [item, *items], ("array", "any")),
    **with_must("compact", lambda items: [item for item in items if not _empty(item)], _LIST),
    **with_must("uniq", _uniq, _LIST),
    **with_must(
        "without",
        lambda items, *out: [item for item in _compared(items) if not _in(list(out), item)],
        ("array", "any*"),
    ),
    **with_must("has", lambda item, items: items is not None and _in(items, item), ("any", "array")),
    **with_must("slice", _slice, ("array", "number?", "number?")),
    **with_must("chunk", _chunk, ("number", "array")),
    "concat": Function(lambda *lists: [item for items in lists for item in items], ("array*",)),
    "sortAlpha": Function(lambda items: sorted(to_strings(items)), ("any",)),
    "dict": Function(_dict, ("any*",)),
    "get": Function(lambda values, key: values.get(key, ""), ("map", "string")),
    "set": Function(lambda values, key, value: {**values, key: value}, ("map", "string", "any")),
    "unset": Function(lambda values, key: {k: v for k, v in values.items() if k != key}, ("map", "string")),
    "hasKey": Function(lambda values, key: key in values, ("map", "string")),
    "pluck": Function(lambda key, *maps: [values[key] for values in maps if key in values], ("string", "map*")),
    "keys": Function(lambda *maps: [key for values in maps for key in values], ("map*",)),
    "values": Function(lambda values: list(values.values()), ("map",)),
    "pick": Function(lambda values, *keys: {key: values[key] for key in keys if key in values}, ("map", "string*")),
    "omit": Function(
        lambda values, *keys: {key: value for key, value in values.items() if key not in keys}, ("map", "string*")
    ),
    "dig": Function(_dig, ("any", "any", "any", "any*")),
    **with_must("merge", _merged(overwrite=False), ("map", "map*")),
    **with_must("mergeOverwrite", _merged(overwrite=True), ("map", "map*")),
    **with_must("deepCopy", lambda value: value, ("any",)),
    "default": Function(lambda value, given=None: value if _empty(given) else given, ("any", "any?")),
    "empty": Function(_empty, ("any",)),
    "coalesce": Function(_coalesce, ("any*",)),
    "all": Function(lambda *values: not any(map(_empty, values)), ("any*",)),
    "any": Function(lambda *values: not all(map(_empty, values)), ("any*",)),
    "ternary": Function(lambda yes, no, condition: yes if condition else no, ("any", "any", "bool")),
    "fromJson": Function(_lenient_json, ("string",)),
    "mustFromJson": Function(from_json, ("string",)),
    "toJson": Function(_lenient(marshal), ("any",)),
    "mustToJson": Function(marshal, ("any",)),
    "toPrettyJson": Function(_lenient(indented), ("any",)),
    "mustToPrettyJson": Function(indented, ("any",)),
    "toRawJson": Function(_lenient(lambda value: marshal(value, html=False)), ("any",)),
    "mustToRawJson": Function(lambda value: marshal(value, html=False), ("any",)),
    "typeOf": Function(type_name, ("any",)),
    "typeIs": Function(lambda target, value: target == type_name(value), ("string", "any")),
    "kindOf": Function(_kind, ("any",)),
    "kindIs": Function(lambda target, value: target == _kind(value), ("string", "any")),
    "deepEqual": Function(lambda left, right: type(left) is type(right) and equal(left, right), ("any", "any")),
}
