"""Sets of fields of an object, as metadata.managedFields writes them (FieldsV1). Pure.

A field is a path of steps, each as FieldsV1 spells it: `f:NAME` a member of a map, `k:{"name":"x"}` an item of a list
that merges by a field, `v:"x"` a member of a list of plain values that merges. Other lists are one field, as a whole.
Called by `apply`. The rules are those of sigs.k8s.io/structured-merge-diff.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tiphys.kit.codec import DecodeError, decode, encode

__all__ = ["Fields", "Path", "changes", "fields_of", "from_v1", "remove", "shown", "to_v1"]

Path = tuple[str, ...]
Fields = frozenset[Path]

_SETS = ("finalizers",)
_ITEM: Any = object()
"""Stands for an item of a list that merges by a field: that it is there."""


def fields_of(value: Any, keys: Mapping[str, str]) -> Fields:
    """The fields a value sets; `keys` as in `patches`: the lists that merge, by which field."""
    return frozenset(path for path, _ in _leaves(value, keys, ()))


def changes(old: Any, new: Any, keys: Mapping[str, str]) -> tuple[Fields, Fields]:
    """The fields that `new` adds or sets to another value, and those it has no more."""
    before, after = dict(_leaves(old, keys, ())), dict(_leaves(new, keys, ()))
    written = frozenset(path for path, value in after.items() if path not in before or before[path] != value)
    return written, frozenset(before.keys() - after.keys())


def _leaves(value: Any, keys: Mapping[str, str], path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict) and value:
        for name, member in value.items():
            yield from _leaves(member, keys, (*path, f"f:{name}"))
    elif isinstance(value, list) and (steps := _steps(value, path, keys)) is not None:
        for step, item in zip(steps, value, strict=True):
            yield (*path, step), _ITEM
            if isinstance(item, dict):
                yield from _leaves(item, keys, (*path, step))
    elif path:
        yield path, value


def _steps(items: list[Any], path: Path, keys: Mapping[str, str]) -> list[str] | None:
    """How the items of a list are named; None for a list that is one field."""
    field = path[-1].removeprefix("f:") if path else ""
    if not items:
        return None
    if field in _SETS and all(isinstance(item, str) for item in items):
        return [f"v:{encode(item).decode()}" for item in items]
    key = keys.get(field)
    if key is None or not all(isinstance(item, dict) and isinstance(item.get(key), str | int) for item in items):
        return None
    return [f"k:{encode({key: item[key]}).decode()}" for item in items]


def remove(value: Any, gone: Iterable[Path], kept: Fields, keys: Mapping[str, str]) -> Any:
    """The value without some fields and what they leave empty; an item stays where `kept` has a field of it."""
    held = {path[:length] for path in kept for length in range(1, len(path) + 1)}
    return _without(value, frozenset(gone), held, keys, ())


def _without(value: Any, gone: Fields, held: set[Path], keys: Mapping[str, str], path: Path) -> Any:
    if isinstance(value, dict):
        members = ((name, member, (*path, f"f:{name}")) for name, member in value.items())
        kept = {n: _without(m, gone, held, keys, at) for n, m, at in members if at not in gone or at in held}
        return {n: m for n, m in kept.items() if m not in ({}, []) or value[n] == m}
    if isinstance(value, list) and (steps := _steps(value, path, keys)) is not None:
        named = (((*path, step), item) for step, item in zip(steps, value, strict=True))
        return [_without(item, gone, held, keys, at) for at, item in named if at not in gone or at in held]
    return value


def to_v1(fields: Iterable[Path]) -> dict[str, Any]:
    """As FieldsV1."""
    root: dict[str, Any] = {}
    for path in sorted(fields):
        here = root
        for step in path:
            here = here.setdefault(step, {})
        here["."] = {}
    return _trimmed(root)


def _trimmed(node: dict[str, Any]) -> dict[str, Any]:
    """Only what has members and is a field itself says so."""
    return {} if node.keys() == {"."} else {step: _trimmed(below) for step, below in node.items()}


def from_v1(value: Any) -> Fields:
    """From FieldsV1.

    Raises:
        ValueError: it is none.
    """
    return frozenset(_read(value, ()))


def _read(node: Any, path: Path) -> Iterator[Path]:
    if not isinstance(node, dict) or len(path) > 256:
        raise ValueError("fieldsV1 is a tree of objects")
    if not node and path:
        yield path
    for step, below in node.items():
        if step == ".":
            yield path
        elif step[:2] in ("f:", "k:", "v:", "i:"):
            yield from _read(below, (*path, step))
        else:
            raise ValueError(f"fieldsV1 has no step {step!r}")


def shown(path: Path) -> str:
    """As messages have it: `.spec.containers[name="c"].image`."""
    return "".join(_shown(step) for step in path)


def _shown(step: str) -> str:
    kind, text = step[:2], step[2:]
    if kind == "f:":
        return f".{text}"
    if kind == "k:":
        try:
            return "[" + ",".join(f"{key}={encode(value).decode()}" for key, value in decode(text).items()) + "]"
        except (DecodeError, AttributeError):
            return f"[{text}]"
    return f"[{text}]" if kind == "i:" else f"[={text}]"
