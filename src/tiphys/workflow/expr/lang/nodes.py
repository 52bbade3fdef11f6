"""The syntax tree of an expression: frozen nodes, each with its place in the source. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = [
    "Array",
    "Binary",
    "Builtin",
    "Call",
    "Conditional",
    "Constant",
    "Identifier",
    "Let",
    "MapLiteral",
    "Member",
    "Node",
    "Pointer",
    "Sequence",
    "Slice",
    "Unary",
]


@dataclass(frozen=True, slots=True)
class Node:
    """Any node; `at` is the index in the source that errors name."""

    at: int


@dataclass(frozen=True, slots=True)
class Constant(Node):
    """A literal."""

    value: Any


@dataclass(frozen=True, slots=True)
class Identifier(Node):
    """A name of the environment or of a `let`."""

    name: str


@dataclass(frozen=True, slots=True)
class Pointer(Node):
    """`#`, `#index`, `#acc`, or the leading dot of a predicate."""

    name: str


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """`-a`, `not a`."""

    operator: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """`a + b`."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Member(Node):
    """`a.b`, `a[b]`, `a?.b`, `a?.[b]`."""

    base: Node
    key: Node
    optional: bool


@dataclass(frozen=True, slots=True)
class Slice(Node):
    """`a[1:2]`."""

    base: Node
    start: Node | None
    end: Node | None


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A function of the environment or a method of a value."""

    callee: Node
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Builtin(Node):
    """A function of the language; for those with a predicate, the second argument is evaluated for each element."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Conditional(Node):
    """`a ? b : c`, `if a { b } else { c }`."""

    condition: Node
    then: Node
    otherwise: Node


@dataclass(frozen=True, slots=True)
class Let(Node):
    """`let name = value; body`."""

    name: str
    value: Node
    body: Node


@dataclass(frozen=True, slots=True)
class Sequence(Node):
    """`a; b`: the value of the last."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Array(Node):
    """`[a, b]`."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class MapLiteral(Node):
    """`{a: 1}`."""

    pairs: tuple[tuple[Node, Node], ...]
