"""What the parts of the validation hand to one another: a template where it is used, the walk through all of them."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from tiphys.workflow.spec.validate.arguments import ANYTHING, Supplied
from tiphys.workflow.spec.validate.rules import by_name
from tiphys.workflow.spec.validate.scope import Scope

__all__ = ["Base", "Template", "Walk"]


@dataclass(frozen=True, slots=True)
class Base:
    """An object whose templates are looked up by name: the one that is validated (kind "") or another."""

    kind: str
    name: str
    spec: Mapping[str, Any] = field(repr=False)
    templates: Mapping[str, Mapping[str, Any]] = field(repr=False)

    @classmethod
    def of(cls, kind: str, name: str, spec: Mapping[str, Any]) -> Base:
        """The object with this spec."""
        return cls(kind, name, spec, by_name(spec.get("templates")))


@dataclass(frozen=True, slots=True)
class Template:
    """A template where it is used.

    Attributes:
        key: tells it from all others.
        raw: as written; the values that are known are filled in once its inputs are.
        kind: container, steps, …
        depth: how many templates lead to it.
    """

    key: tuple[str, ...]
    raw: Mapping[str, Any] = field(repr=False)
    kind: str
    base: Base
    depth: int

    @property
    def name(self) -> str:
        """As written; "" for an inline one."""
        return str(self.raw.get("name") or "")


class Walk(Protocol):
    """The walk, as steps and tasks see it."""

    @property
    def known(self) -> dict[str, str]:
        """The variables that hold everywhere in the workflow, with their values or a placeholder."""
        ...

    def check_tags(self, value: Any, scope: Container[str]) -> None:
        """Raises InvalidError for a tag in the value that nothing can resolve."""
        ...

    def use(
        self, holder: Mapping[str, Any], within: Template, scope: Scope, supplied: Supplied = ANYTHING
    ) -> Mapping[str, Any] | None:
        """Check the template that a step or task of `within` uses, and give it; None where only the run can tell.

        Args:
            scope: the variables that hold at the step: an inline template sees them too.
            supplied: the arguments it gets.

        Raises:
            InvalidError
        """
        ...
