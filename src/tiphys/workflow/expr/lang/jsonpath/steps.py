"""What a path is made of. Data only; made by `reader`, followed by `walk`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tiphys.workflow.expr.lang.frame import Code

__all__ = ["Expression", "Filter", "Index", "Key", "Member", "Path", "Range", "Recursive", "Step", "Union", "Wildcard"]


@dataclass(frozen=True, slots=True)
class Key:
    """`.name`, `['name']`."""

    name: str


@dataclass(frozen=True, slots=True)
class Index:
    """`[2]`; a negative one counts from the end."""

    at: int


@dataclass(frozen=True, slots=True)
class Wildcard:
    """`*`: every member."""


@dataclass(frozen=True, slots=True)
class Recursive:
    """`..`: the value and all below it."""


@dataclass(frozen=True, slots=True)
class Expression:
    """The source of a filter or script, its paths taken out and put into variables."""

    code: Code
    paths: Mapping[str, Path]


@dataclass(frozen=True, slots=True)
class Filter:
    """`[?(…)]`: the members for which the expression is true."""

    expression: Expression


Member = Key | Index | Expression  # an expression gives a key or an index


@dataclass(frozen=True, slots=True)
class Range:
    """`[start:end:step]`."""

    start: Index | Expression | None
    end: Index | Expression | None
    step: Index | Expression | None


@dataclass(frozen=True, slots=True)
class Union:
    """`[0,2]`, `['a','b']`."""

    members: tuple[Member, ...]


Step = Member | Wildcard | Recursive | Filter | Range | Union


@dataclass(frozen=True, slots=True)
class Path:
    """`absolute`: it begins with `$`, not with `@`."""

    absolute: bool
    steps: tuple[Step, ...]
