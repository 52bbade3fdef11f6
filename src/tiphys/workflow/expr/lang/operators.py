"""The operator tables of expr-lang, as data: how tight an operator binds, and on which side. Read by the parser."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["BINARY", "COMPARISONS", "NEGATABLE", "PREDICATES", "UNARY", "Operator", "Parameter"]


@dataclass(frozen=True, slots=True)
class Operator:
    """`precedence`: higher binds tighter."""

    precedence: int
    right: bool = False


UNARY = {"not": Operator(50), "!": Operator(50), "-": Operator(90), "+": Operator(90)}

BINARY = {
    "|": Operator(0),
    "or": Operator(10),
    "||": Operator(10),
    "and": Operator(15),
    "&&": Operator(15),
    "==": Operator(20),
    "!=": Operator(20),
    "<": Operator(20),
    ">": Operator(20),
    ">=": Operator(20),
    "<=": Operator(20),
    "in": Operator(20),
    "matches": Operator(20),
    "contains": Operator(20),
    "startsWith": Operator(20),
    "endsWith": Operator(20),
    "..": Operator(25),
    "+": Operator(30),
    "-": Operator(30),
    "*": Operator(60),
    "/": Operator(60),
    "%": Operator(60),
    "**": Operator(100, right=True),
    "^": Operator(100, right=True),
    "??": Operator(500),
}

COMPARISONS = frozenset({"<", ">", "<=", ">="})  # may be chained: 1 < x < 3
NEGATABLE = frozenset({"in", "matches", "contains", "startsWith", "endsWith"})  # may follow "not"

Parameter = str  # "value" or "predicate"; a trailing "?" where it may be left out

PREDICATES: dict[str, tuple[Parameter, ...]] = {
    "all": ("value", "predicate"),
    "none": ("value", "predicate"),
    "any": ("value", "predicate"),
    "one": ("value", "predicate"),
    "filter": ("value", "predicate"),
    "map": ("value", "predicate"),
    "count": ("value", "predicate?"),
    "sum": ("value", "predicate?"),
    "find": ("value", "predicate"),
    "findIndex": ("value", "predicate"),
    "findLast": ("value", "predicate"),
    "findLastIndex": ("value", "predicate"),
    "groupBy": ("value", "predicate"),
    "sortBy": ("value", "predicate", "value?"),
    "reduce": ("value", "predicate", "value?"),
}
