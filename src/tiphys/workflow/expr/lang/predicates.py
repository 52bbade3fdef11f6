"""The functions of expr-lang that run a piece of expression for each element: filter, map, reduce, …

Called by compiled code only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tiphys.workflow.expr.golang import type_name
from tiphys.workflow.expr.lang.frame import Code, Frame
from tiphys.workflow.expr.lang.functions import sort_by
from tiphys.workflow.expr.lang.values import ARITHMETIC, FaultError, check_bool

__all__ = ["PREDICATE_RUNS"]

Run = Callable[[Frame, list[Code]], Any]

_add = ARITHMETIC["+"]


def _elements(frame: Frame, value: Any, name: str, *, backwards: bool = False) -> Iterator[tuple[int, Any]]:
    """Each element in turn, with the frame pointing at it; the frame is as before afterwards."""
    if not isinstance(value, list):
        raise FaultError(f"builtin {name} takes only array (got {type_name(value)})")
    before = frame.item, frame.index, frame.acc
    indices = range(len(value) - 1, -1, -1) if backwards else range(len(value))
    try:
        for index in indices:
            frame.spend(1)
            frame.item, frame.index = value[index], index
            yield index, value[index]
    finally:
        frame.item, frame.index, frame.acc = before


def _matching(name: str, *, backwards: bool = False) -> Callable[[Frame, list[Code]], Iterator[tuple[int, Any]]]:
    def run(frame: Frame, codes: list[Code]) -> Iterator[tuple[int, Any]]:
        for index, item in _elements(frame, codes[0](frame), name, backwards=backwards):
            if check_bool(codes[1](frame)):
                yield index, item

    return run


def _next(found: Iterator[tuple[int, Any]], place: int, missing: Any) -> Any:
    """The first one found; the iterator is closed, which puts the frame back."""
    try:
        return next(found, (missing, missing))[place]
    finally:
        found.close()  # type: ignore[attr-defined]


def _all(frame: Frame, codes: list[Code]) -> bool:
    return all(check_bool(codes[1](frame)) for _ in _elements(frame, codes[0](frame), "all"))


def _one(frame: Frame, codes: list[Code]) -> bool:
    return len(list(_matching("one")(frame, codes))) == 1


def _count(frame: Frame, codes: list[Code]) -> int:
    if len(codes) == 1:
        return sum(1 for _, item in _elements(frame, codes[0](frame), "count") if check_bool(item))
    return sum(1 for _ in _matching("count")(frame, codes))


def _sum(frame: Frame, codes: list[Code]) -> Any:
    total: Any = 0
    for _, item in _elements(frame, codes[0](frame), "sum"):
        total = _add(total, codes[1](frame) if len(codes) > 1 else item)
    return total


def _map(frame: Frame, codes: list[Code]) -> list[Any]:
    return [codes[1](frame) for _ in _elements(frame, codes[0](frame), "map")]


def _group_by(frame: Frame, codes: list[Code]) -> dict[Any, list[Any]]:
    groups: dict[Any, list[Any]] = {}
    for _, item in _elements(frame, codes[0](frame), "groupBy"):
        key = codes[1](frame)
        if isinstance(key, (list, dict)):
            raise FaultError(f"runtime error: hash of unhashable type {type_name(key)}")
        groups.setdefault(key, []).append(item)
    return groups


def _sort_by(frame: Frame, codes: list[Code]) -> list[Any]:
    items: list[Any] = []
    values: list[Any] = []
    for _, item in _elements(frame, codes[0](frame), "sortBy"):
        items.append(item)
        values.append(codes[1](frame))
    return sort_by(items, values, codes[2](frame) if len(codes) > 2 else "asc")


def _reduce(frame: Frame, codes: list[Code]) -> Any:
    value = codes[0](frame)
    started = len(codes) > 2
    acc = codes[2](frame) if started else None
    for _, item in _elements(frame, value, "reduce"):
        if not started:
            acc, started = item, True
            continue
        frame.acc = acc
        acc = codes[1](frame)
    if not started:
        raise FaultError("reduce of empty array with no initial value")
    return acc


PREDICATE_RUNS: dict[str, Run] = {
    "all": _all,
    "none": lambda frame, codes: not _next(_matching("none")(frame, codes), 0, -1) >= 0,
    "any": lambda frame, codes: bool(_next(_matching("any")(frame, codes), 0, -1) >= 0),
    "one": _one,
    "filter": lambda frame, codes: [item for _, item in _matching("filter")(frame, codes)],
    "map": _map,
    "count": _count,
    "sum": _sum,
    "find": lambda frame, codes: _next(_matching("find")(frame, codes), 1, None),
    "findIndex": lambda frame, codes: _next(_matching("findIndex")(frame, codes), 0, -1),
    "findLast": lambda frame, codes: _next(_matching("findLast", backwards=True)(frame, codes), 1, None),
    "findLastIndex": lambda frame, codes: _next(_matching("findLastIndex", backwards=True)(frame, codes), 0, -1),
    "groupBy": _group_by,
    "sortBy": _sort_by,
    "reduce": _reduce,
}
