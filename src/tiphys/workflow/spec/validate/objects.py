"""The four kinds as wholes: names, entrypoint, exit handler, every template; the schedule of a CronWorkflow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from tiphys.errors import SpecError
from tiphys.workflow.spec.cron import check_schedule
from tiphys.workflow.spec.fields import unreadable
from tiphys.workflow.spec.validate.arguments import ANYTHING, Supplied, check_arguments
from tiphys.workflow.spec.validate.context import Base
from tiphys.workflow.spec.validate.rules import (
    PLACEHOLDER,
    InvalidError,
    Lookup,
    Problem,
    by_name,
    field_names,
    text_of,
)
from tiphys.workflow.spec.validate.steps import check_hooks
from tiphys.workflow.spec.validate.walk import Templates

__all__ = ["problems"]

_LONGEST: Final = 63  # a label's value
_LONGEST_CRON: Final = 52  # and room for the moment
_NESTED: Final = 100
_CALLED: Final = {
    "ClusterWorkflowTemplate": "cluster workflow template",
    "Workflow": "workflow",
    "WorkflowTemplate": "workflow template",
}
_STRATEGIES: Final = ("", "OnPodCompletion", "OnPodSuccess", "OnWorkflowCompletion", "OnWorkflowSuccess")
_POLICIES: Final = ("", "Allow", "Forbid", "Replace")
_OF_ALL: Final = ("name", "namespace", "mainEntrypoint", "serviceAccountName", "uid", "status")
_WITH_JSON: Final = ("annotations", "labels")


def problems(obj: Mapping[str, Any], lookup: Lookup, *, lint: bool = False) -> list[Problem]:
    """Why an object cannot run; the first one is what Argo says. Empty: it can.

    Args:
        obj: a Workflow, WorkflowTemplate, ClusterWorkflowTemplate or CronWorkflow, by its `kind`; any JSON.
        lookup: gives the objects that it refers to; what it raises passes through, so that who asks can fetch and call
            again.
        lint: arguments without a value are let pass: they come with the submission.
    """
    kind = obj.get("kind") or "Workflow"
    if _is_too_deep(obj):
        return [Problem("", f"the object is nested more than {_NESTED} levels deep")]
    if found := unreadable(kind, obj):
        return [Problem(path, f"{path}: {what}") for path, what in found]
    if kind == "CronWorkflow":
        return _of_cron(obj, lookup)
    if kind not in _CALLED:
        return []
    name = (obj.get("metadata") or {}).get("name") or ""
    if len(name) > _LONGEST:
        what = f'{_CALLED[kind]} name "{name}" must not be more than {_LONGEST} characters long'
        return [Problem("metadata.name", f"{what} (currently {len(name)})")]
    return _Whole(obj, lookup, lint=lint).problems()


def _is_too_deep(obj: Any) -> bool:
    level = [obj]
    for _ in range(_NESTED):
        level = [
            inner
            for item in level
            for inner in (item.values() if isinstance(item, dict) else item)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def _of_cron(cron: Mapping[str, Any], lookup: Lookup) -> list[Problem]:
    spec, name = cron["spec"], (cron.get("metadata") or {}).get("name") or ""
    schedules = [*(spec.get("schedules") or ()), *filter(None, [spec.get("schedule")])]
    if spec.get("schedules") and spec.get("schedule"):
        both = "cron workflow cant be configured with both Spec.Schedule and Spec.Schedules"
        return [Problem("spec.schedule", both)]
    if len(name) > _LONGEST_CRON:
        what = f'cron workflow name "{name}" must not be more than {_LONGEST_CRON} characters long'
        return [Problem("metadata.name", f"{what} (currently {len(name)})")]
    for schedule in schedules:
        try:
            check_schedule(schedule)
        except SpecError as error:
            return [Problem("spec.schedules", f"cron schedule {schedule} is malformed: {error}")]
    policy = spec.get("concurrencyPolicy") or ""
    if policy not in _POLICIES:
        return [Problem("spec.concurrencyPolicy", f"'{policy}' is not a valid concurrencyPolicy")]
    if (spec.get("startingDeadlineSeconds") or 0) < 0:
        return [Problem("spec.startingDeadlineSeconds", "startingDeadlineSeconds must be positive")]
    workflow = {"kind": "Workflow", "metadata": {"generateName": f"{name}-"}, "spec": spec["workflowSpec"]}
    return [
        Problem(found.path.replace("spec", "spec.workflowSpec", 1), f"cannot validate Workflow: {found.message}")
        for found in _Whole(workflow, lookup, lint=False).problems()
    ]


class _Whole:
    """A Workflow, or a template object seen as one."""

    def __init__(self, obj: Mapping[str, Any], lookup: Lookup, *, lint: bool) -> None:
        self._meta = obj.get("metadata") or {}
        self._spec: Mapping[str, Any] = obj["spec"]
        self._alone = obj.get("kind") != "Workflow"
        self._may_be_empty = lint or self._alone
        self._walk = Templates(lookup, alone=self._alone)
        self._base = Base.of("", "", self._spec)
        self._found: list[Problem] = []

    def problems(self) -> list[Problem]:
        """One stage after another; what is needed for all that follow comes first."""
        ready = self._stage("spec", self._find_base) and self._stage("spec.templates", self._check_names)
        if not (ready and self._stage("spec.arguments", self._check_arguments)):
            return self._found
        self._learn()
        self._stage("spec.entrypoint", self._check_entrypoint)
        self._stage("spec.onExit", self._check_exit_handler)
        self._stage("spec.hooks", lambda: check_hooks(self._spec.get("hooks"), "hooks"))
        self._stage("spec.podGC.strategy", self._check_pod_gc)
        for index, template in enumerate(self._base.spec.get("templates") or ()):
            name = template.get("name") or ""
            where = f"spec.templates[{index}]" if self._base.kind == "" else "spec.workflowTemplateRef"
            self._stage(where, partial(self._walk.enter, name, self._base), f"templates.{name} ")
        return self._found

    def _stage(self, path: str, check: Callable[[], None], prefix: str = "") -> bool:
        try:
            check()
        except InvalidError as error:
            self._found.append(Problem(path, f"{prefix}{error}"))
            return False
        return True

    def _find_base(self) -> None:
        ref = self._spec.get("workflowTemplateRef")
        if ref is None:
            return
        if self._spec.get("templates"):
            raise InvalidError("Templates is invalid field in spec if workflow referred WorkflowTemplate reference")
        kind = "ClusterWorkflowTemplate" if ref.get("clusterScope") else "WorkflowTemplate"
        self._base = self._walk.fetch(kind, ref.get("name") or "")

    def _check_names(self) -> None:
        field_names(self._spec.get("templates") or (), "spec.templates")

    def _check_arguments(self) -> None:
        check_arguments(self._arguments(), "spec.arguments.", may_be_empty=self._may_be_empty)

    def _arguments(self) -> dict[str, Any]:
        """The workflow's own, and those of its WorkflowTemplate that it does not name."""
        own = self._spec.get("arguments") or {}
        if self._base.spec is self._spec:
            return dict(own)
        theirs = self._base.spec.get("arguments") or {}
        return {
            kind: list({**by_name(theirs.get(kind)), **by_name(own.get(kind))}.values())
            for kind in ("parameters", "artifacts")
        }

    def _learn(self) -> None:
        """What `workflow.…` there is."""
        known = self._walk.known
        known |= {f"workflow.{name}": PLACEHOLDER for name in _OF_ALL}
        parameters = self._arguments().get("parameters") or []
        if parameters:
            known |= {"workflow.parameters": PLACEHOLDER, "workflow.parameters.json": PLACEHOLDER}
        for parameter in parameters:
            value = parameter.get("value")
            known[f"workflow.parameters.{parameter['name']}"] = PLACEHOLDER if value is None else text_of(value)
        for kind in _WITH_JSON:
            known |= {f"workflow.{kind}": PLACEHOLDER, f"workflow.{kind}.json": PLACEHOLDER}
            known |= {f"workflow.{kind}.{key}": PLACEHOLDER for key in self._meta.get(kind) or ()}
        for spec in (self._spec, self._base.spec):
            metadata = spec.get("workflowMetadata") or {}
            for kind, field in (("annotations", "annotations"), ("labels", "labels"), ("labels", "labelsFrom")):
                known |= {f"workflow.{kind}.{key}": PLACEHOLDER for key in metadata.get(field) or ()}
        if self._spec.get("priority") is not None:
            known["workflow.priority"] = text_of(self._spec["priority"])

    def _check_entrypoint(self) -> None:
        entrypoint = self._spec.get("entrypoint") or self._base.spec.get("entrypoint") or ""
        if self._alone and not entrypoint:
            return
        if not entrypoint:
            raise InvalidError("spec.entrypoint is required")
        supplied = ANYTHING if self._alone else Supplied.of(self._arguments())
        self._enter(entrypoint, supplied)

    def _check_exit_handler(self) -> None:
        handler = self._spec.get("onExit") or self._base.spec.get("onExit")
        if handler:
            self._walk.known["workflow.failures"] = PLACEHOLDER
            self._enter(handler, Supplied.of(self._spec.get("arguments") or {}))

    def _enter(self, name: str, supplied: Supplied) -> None:
        """Check a template that the spec itself names; as Argo, in other words when it is another object's."""
        if self._base.kind:
            ref = self._spec["workflowTemplateRef"]
            if "{{" in name:
                return
            if name not in self._base.templates:
                raise InvalidError(f"template reference {ref.get('name') or ''}.{name} not found")
        self._walk.enter(name, self._base, supplied)

    def _check_pod_gc(self) -> None:
        strategy = (self._spec.get("podGC") or {}).get("strategy") or ""
        if strategy not in _STRATEGIES:
            raise InvalidError(f"podGC.strategy unknown strategy '{strategy}'")
