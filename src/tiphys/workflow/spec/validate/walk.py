"""The way through the templates of a workflow: from each use of a template to the template, checked once."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import replace
from typing import Any, Final

from tiphys.workflow.spec.fields import unreadable
from tiphys.workflow.spec.resolve import kinds_of
from tiphys.workflow.spec.validate.arguments import ANYTHING, Supplied, bind
from tiphys.workflow.spec.validate.context import Base, Template
from tiphys.workflow.spec.validate.dag import check_dag
from tiphys.workflow.spec.validate.extras import check_metrics
from tiphys.workflow.spec.validate.leaves import check_inputs, check_leaf, check_outputs, check_timeout
from tiphys.workflow.spec.validate.rules import PLACEHOLDER, InvalidError, Lookup, text_of
from tiphys.workflow.spec.validate.scope import LEAVES, POD_LEAVES, RETRY_VARIABLES, Scope
from tiphys.workflow.spec.validate.steps import check_steps
from tiphys.workflow.spec.validate.tags import fill, resolvable

__all__ = ["Templates"]

_DEEPEST: Final = 100  # of templates in templates: no run goes deeper (Argo's limit)
_POLICIES: Final = ("", "Always", "OnError", "OnFailure", "OnTransientError")
_CHOOSE: Final = "choose one of: container, containerSet, steps, script, resource, dag, suspend, template, template ref"


class Templates:
    """The walk of one validation; `context.Walk` says what steps and tasks see of it.

    Attributes:
        known: the variables that hold everywhere in the workflow, with their values or a placeholder.
    """

    def __init__(self, lookup: Lookup, *, alone: bool) -> None:
        """`alone`: a template object is validated, without the workflow that will use it."""
        self.known: dict[str, str] = {}
        self._alone = alone
        self._lookup = lookup
        self._objects: dict[tuple[str, str], Base] = {}
        self._checked: set[tuple[str, ...]] = set()

    def fetch(self, kind: str, name: str) -> Base:
        """A WorkflowTemplate or ClusterWorkflowTemplate.

        Raises:
            InvalidError: in the API's words why there is none, or that its own fields are wrong.
        """
        if (kind, name) not in self._objects:
            found = self._lookup(kind, name)
            if isinstance(found, str):
                raise InvalidError(found)
            for path, what in unreadable(kind, found):
                raise InvalidError(f"{kind} {name}: {path}: {what}")
            self._objects[kind, name] = Base.of(kind, name, found.get("spec") or {})
        return self._objects[kind, name]

    def check_tags(self, value: Any, scope: Container[str]) -> None:
        """As `context.Walk` says."""
        resolvable(value, scope, self.known, parameters_may_come=self._alone)

    def enter(self, name: str, base: Base, supplied: Supplied = ANYTHING) -> None:
        """Check a template of an object by its name.

        Raises:
            InvalidError
        """
        self._check_use(self._named(name, base, 0), supplied, None)

    def use(
        self, holder: Mapping[str, Any], within: Template, scope: Scope, supplied: Supplied = ANYTHING
    ) -> Mapping[str, Any] | None:
        """As `context.Walk` says."""
        found = self._resolve(holder, within)
        if found is None:
            return None
        self._check_use(found, supplied, scope if "inline" in holder else None)
        return found.raw

    # -- from a use to the template -----------------------------------------------------------------------------------

    def _resolve(self, holder: Mapping[str, Any], within: Template) -> Template | None:
        ref, name, inline = holder.get("templateRef"), holder.get("template") or "", holder.get("inline")
        depth = within.depth + 1
        if ref is not None:
            if name:
                raise InvalidError("template name cannot be specified with templateRef.")
            if not ref.get("name"):
                raise InvalidError("resource name is required")
            if not ref.get("template"):
                raise InvalidError("template name is required")
            if "{{" in f"{ref['name']}{ref['template']}":
                return None
        if inline is not None:
            key = (*within.key, "inline", str(holder.get("name") or ""))
            return Template(key, inline, _kind(inline), within.base, depth)
        if ref is not None:
            return self._referred(ref, depth)
        if not name:
            raise InvalidError("failed to get a template")
        return self._named(name, within.base, depth)

    def _named(self, name: str, base: Base, depth: int) -> Template:
        found = base.templates.get(name)
        if found is None:
            raise InvalidError(f"template name '{name}' undefined")
        return Template((base.kind, base.name, name), found, _kind(found), base, depth)

    def _referred(self, ref: Mapping[str, Any], depth: int) -> Template:
        kind = "ClusterWorkflowTemplate" if ref.get("clusterScope") else "WorkflowTemplate"
        name = ref["template"]
        none = f"template reference {ref['name']}.{name} not found"
        try:
            base = self.fetch(kind, ref["name"])
        except InvalidError as error:
            raise InvalidError(none if str(error).endswith("not found") else str(error)) from error
        found = base.templates.get(name)
        if found is None:
            raise InvalidError(none)
        return Template((base.kind, base.name, name), found, _kind(found), base, depth)

    # -- the template -------------------------------------------------------------------------------------------------

    def _check_use(self, template: Template, supplied: Supplied, around: Scope | None) -> None:
        seen = template.key in self._checked
        if not seen:
            _check_form(template)
        try:
            bound = bind(template.raw, supplied)
        except InvalidError as error:
            raise InvalidError(f"templates.{template.name} {error}") from error
        if seen and not template.raw.get("timeout"):
            return
        local = dict.fromkeys(_locals(template), PLACEHOLDER)
        filled = replace(template, raw=self._filled(bound, local))
        check_timeout(filled)
        if not seen and template.depth < _DEEPEST:
            self._checked.add(template.key)
            self._check_inside(filled, Scope(_inputs_of(template) | set(local), around))

    def _filled(self, raw: Mapping[str, Any], local: Mapping[str, str]) -> Mapping[str, Any]:
        """The template with the variables that are known filled in: the workflow's first, then the inputs."""
        first = fill(raw, {**self.known, **local})
        second = {"inputs.parameters": PLACEHOLDER}
        for parameter in (first.get("inputs") or {}).get("parameters") or ():
            if "value" in parameter:
                second[f"inputs.parameters.{parameter['name']}"] = text_of(parameter["value"])
        for field in ("inputs", "outputs"):
            for artifact in (first.get(field) or {}).get("artifacts") or ():
                second[f"{field}.artifacts.{artifact['name']}.path"] = artifact.get("path") or PLACEHOLDER
        return fill(first, second)

    def _check_inside(self, template: Template, scope: Scope) -> None:
        if template.kind == "steps":
            check_steps(self, template, scope)
        elif template.kind == "dag":
            check_dag(self, template, scope)
        else:
            check_leaf(self, template, scope)
        check_outputs(self, template, scope)
        check_metrics(template)


def _check_form(template: Template) -> None:
    raw, kinds = template.raw, kinds_of(template.raw)
    if not kinds:
        raise InvalidError(f"template '{template.name}' type is unknown")
    policy = (raw.get("retryStrategy") or {}).get("retryPolicy") or ""
    if policy not in _POLICIES:
        raise InvalidError(f"{policy} is not a valid RetryPolicy")
    if len(kinds) > 1:
        raise InvalidError(f"templates.{template.name} multiple template types specified. {_CHOOSE}")
    check_inputs(template)
    if any(not container.get("name") for container in raw.get("initContainers") or ()):
        raise InvalidError("initContainers must all have container name")


def _kind(raw: Mapping[str, Any]) -> str:
    return next(iter(kinds_of(raw)), "")


def _locals(template: Template) -> list[str]:
    """Variables that are the template's own."""
    names = ["pod.name"] if template.kind in POD_LEAVES else []
    return [*names, *RETRY_VARIABLES] if template.raw.get("retryStrategy") is not None else names


def _inputs_of(template: Template) -> set[str]:
    """The inputs of the template, and the paths of a leaf's outputs, as variables."""
    inputs, outputs = template.raw.get("inputs") or {}, template.raw.get("outputs") or {}
    scope = {f"inputs.parameters.{parameter['name']}" for parameter in inputs.get("parameters") or ()}
    if scope:
        scope.add("inputs.parameters")
    for artifact in inputs.get("artifacts") or ():
        scope.add(f"inputs.artifacts.{artifact['name']}")
        if template.kind in LEAVES:
            scope.add(f"inputs.artifacts.{artifact['name']}.path")
    if template.kind in LEAVES:
        paths = [("artifacts", artifact, artifact) for artifact in outputs.get("artifacts") or ()]
        paths += [("parameters", one, one.get("valueFrom") or {}) for one in outputs.get("parameters") or ()]
        scope |= {f"outputs.{kind}.{one['name']}.path" for kind, one, source in paths if source.get("path")}
    return scope
