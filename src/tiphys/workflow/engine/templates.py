"""Templates: where a name leads, what is kept of what was read, what is found out once about each.

A template stored in the workflow's status wins over the object it came from, so that a run keeps to what it began with.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tiphys.errors import SpecError, TiphysError
from tiphys.kit.codec import DecodeError, convert, encode
from tiphys.workflow.engine.protocol import FetchKind
from tiphys.workflow.engine.substitution import Pattern
from tiphys.workflow.spec.resolve import kinds_of, with_template_defaults
from tiphys.workflow.spec.types import RetryStrategy, Template, TemplateRef, template_of

__all__ = ["Base", "Library", "Missing", "Resolved", "TemplateError", "Use"]

_RESULT: Final = re.compile(r"(?:steps|tasks)(?:\.([\w-]+)|\[(?:'|\\?\")([^'\"\\]+)(?:'|\\?\")\])\.outputs\.result")


class TemplateError(TiphysError):
    """No such template, or none that can run; the message is Argo's."""


class Missing(Exception):  # noqa: N818 - no error: the run goes on once the object is there
    """Objects must be fetched first: this one, and those that are known to be needed as well."""

    def __init__(self, kind: FetchKind, name: str, others: tuple[Missing, ...] = ()) -> None:
        super().__init__(f"{kind} {name}")
        self.kind = kind
        self.name = name
        self.others = others


@dataclass(frozen=True, slots=True)
class Base:
    """Where template names are looked up: the workflow itself (`local`), a WorkflowTemplate, a cluster's one."""

    scope: str
    name: str

    def __str__(self) -> str:
        return f"{self.scope}/{self.name}"


@dataclass(frozen=True, slots=True)
class Use:
    """How a step, task, hook or entrypoint names a template; `name` is the step's, as expanded."""

    name: str = ""
    template: str = ""
    ref: TemplateRef | None = None
    inline: dict[str, Any] | None = None

    @classmethod
    def of_reference(cls, reference: Mapping[str, Any], name: str) -> Use:
        """By a node's templateRef."""
        return cls(name, ref=convert(reference, TemplateRef))


@dataclass(slots=True)
class Resolved:
    """A template, ready to run.

    Attributes:
        base: where the names within it are looked up.
        kind: container, steps, …
        results: the steps or tasks whose standard output someone in it asks for.
        patterns: pieces of it found to hold tags, by whoever fills them in.
    """

    raw: dict[str, Any]
    lens: Template
    base: Base
    kind: str
    retry: RetryStrategy | None = None
    patterns: dict[Any, Pattern] = field(default_factory=dict)
    _results: frozenset[str] | None = None

    @property
    def name(self) -> str:
        """As the pod's name shows it; "" for an inline template."""
        return self.lens.name

    @property
    def results(self) -> frozenset[str]:
        """Names of steps or tasks of which `outputs.result` is spoken of."""
        if self._results is None:
            text = encode(self.raw).decode()
            self._results = frozenset(plain or quoted for plain, quoted in _RESULT.findall(text))
        return self._results

    def pattern(self, key: Any, raw: Any) -> Pattern:
        """The pattern of a piece of this template, made at the first call for `key`."""
        found = self.patterns.get(key)
        if found is None:
            found = self.patterns[key] = Pattern(raw)
        return found


class Library:
    """The templates of a run: its own, those stored with it, those fetched.

    Attributes:
        local: where the names of the workflow's own spec are looked up.
    """

    def __init__(self, name: str, stored: Mapping[str, dict[str, Any]]) -> None:
        self.local = Base("local", name)
        self._added: dict[str, dict[str, Any]] = {}
        self._stored = dict(stored)
        self._own: dict[str, dict[str, Any]] = {}
        self._defaults: dict[str, Any] = {}
        self._retry: RetryStrategy | None = None
        self._objects: dict[tuple[str, str], dict[str, Any] | str] = {}
        self._resolved: dict[str, Resolved] = {}

    def set_spec(self, spec: Mapping[str, Any], retry: RetryStrategy | None) -> None:
        """The spec to run: its templates, what goes under each of them, what holds for those without retryStrategy."""
        self._own = {template["name"]: template for template in spec.get("templates") or () if template.get("name")}
        self._defaults = spec.get("templateDefaults") or {}
        self._retry = retry

    def put(self, kind: str, name: str, value: dict[str, Any] | None, error: str) -> None:
        """The answer to a `Missing`."""
        self._objects[kind, name] = value if value is not None else error

    def look(self, kind: FetchKind, name: str) -> dict[str, Any] | str:
        """An object that was fetched, or in the API's words why it could not be.

        Raises:
            Missing: it was not fetched.
        """
        found = self._objects.get((kind, name))
        if found is None:
            raise Missing(kind, name)
        return found

    def forget_config_maps(self) -> None:
        """Steps that begin later read them anew."""
        for key in [key for key in self._objects if key[0] == "ConfigMap"]:
            del self._objects[key]

    def resolve(self, use: Use, base: Base) -> Resolved:
        """The template that `use`, written in a template of `base`, leads to.

        Raises:
            Missing, TemplateError
        """
        if use.inline is not None:
            self._store(f"{base}/inline/{use.name}", use.inline, base)
            return self._made(use.inline, base)
        if use.ref is not None and use.ref.name:
            base = Base("cluster" if use.ref.cluster_scope else "namespaced", use.ref.name)
        name = use.ref.template if use.ref is not None and use.ref.name else use.template
        key = f"{base}/{name}"
        resolved = self._resolved.get(key)
        if resolved is None:
            resolved = self._resolved[key] = self._made(self._look_up(base, name, key), base)
        return resolved

    def take_added(self) -> dict[str, dict[str, Any]]:
        """The templates to be stored in the status since the last call."""
        added, self._added = self._added, {}
        return added

    def store_all(self, base: Base, templates: list[dict[str, Any]]) -> None:
        """Keep the templates of a WorkflowTemplate that is run as a whole."""
        for template in templates:
            self._store(f"{base}/{template.get('name', '')}", template, base)

    def _look_up(self, base: Base, name: str, key: str) -> dict[str, Any]:
        if base == self.local:
            if name not in self._own:
                raise TemplateError(f"template {name} not found")
            return self._own[name]
        if key in self._stored:
            return self._stored[key]
        value = self.look("ClusterWorkflowTemplate" if base.scope == "cluster" else "WorkflowTemplate", base.name)
        if isinstance(value, str):
            raise TemplateError(f"workflow template {base.name} not found" if "not found" in value else value)
        for template in (value.get("spec") or {}).get("templates") or ():
            if template.get("name") == name:
                self._store(key, template, base)
                return dict(template)
        raise TemplateError(f"template {name} not found in workflow template {base.name}")

    def _store(self, key: str, template: dict[str, Any], base: Base) -> None:
        if base.scope != "local" and key not in self._stored:
            self._stored[key] = self._added[key] = template

    def _made(self, raw: dict[str, Any], base: Base) -> Resolved:
        kinds = kinds_of(raw)
        if not kinds:
            raise TemplateError(f"template '{raw.get('name', '')}' type is unknown")
        try:
            raw = with_template_defaults(raw, self._defaults)
            lens = template_of(raw)
        except (DecodeError, SpecError) as error:
            raise TemplateError(f"template '{raw.get('name', '')}' cannot be read: {error}") from error
        return Resolved(raw, lens, base, kinds[0], lens.retry_strategy or self._retry)
