"""From a workflow and its WorkflowTemplate to the spec that is run; from a template to itself over the defaults.

Called by the engine when a run begins, and by `validate`. Fetches nothing: who calls brings the objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tiphys.errors import ApiError, SpecError
from tiphys.kube.objects.patches import KUBERNETES_KEYS, strategic_merge

__all__ = [
    "MERGE_KEYS",
    "TEMPLATE_KINDS",
    "kinds_of",
    "merge_workflow_spec",
    "with_template_defaults",
]

MERGE_KEYS: Mapping[str, str] = {
    **KUBERNETES_KEYS,
    "artifacts": "name",
    "parameters": "name",
    "sidecars": "name",
    "tasks": "name",
    "templates": "name",
    "tolerations": "key",
}
"""The patchMergeKey of the lists of a WorkflowSpec; other lists are replaced whole."""

TEMPLATE_KINDS = (
    "container",
    "containerSet",
    "steps",
    "script",
    "resource",
    "dag",
    "suspend",
    "data",
    "http",
    "plugin",
)
"""The fields of a template of which it must have exactly one."""


def merge_workflow_spec(
    workflow: Mapping[str, Any], template_spec: Mapping[str, Any] | None, defaults: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The spec that is run: the workflow's over the WorkflowTemplate's over the controller's defaults.

    A strategic merge; hooks and labelsFrom are taken whole by their names, and `suspend` is the workflow's own.

    Args:
        workflow: the whole object.
        template_spec: the spec of what its workflowTemplateRef names; None without one.
        defaults: a WorkflowSpec of the controller's settings; None for none.

    Raises:
        SpecError: an item of a list that merges by a name has none.
    """
    own = workflow.get("spec") or {}
    merged: dict[str, Any] = dict(own)
    for lower in (template_spec, defaults):
        if lower:
            merged = _merge_over(lower, merged)
    merged.pop("suspend", None)
    if own.get("suspend") is not None:
        merged["suspend"] = own["suspend"]
    return merged


def _merge_over(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    merged = _strategic(lower, upper)
    if hooks := {**(lower.get("hooks") or {}), **(upper.get("hooks") or {})}:
        merged["hooks"] = hooks
    sources = [(spec.get("workflowMetadata") or {}).get("labelsFrom") or {} for spec in (lower, upper)]
    if any(sources):
        merged["workflowMetadata"] = {**merged["workflowMetadata"], "labelsFrom": {**sources[0], **sources[1]}}
    return merged


def _strategic(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return dict(strategic_merge(lower, upper, MERGE_KEYS))
    except ApiError as error:
        raise SpecError(f"cannot merge the workflow with its template: {error}", "spec") from error


def kinds_of(template: Mapping[str, Any]) -> list[str]:
    """Which of container, steps, … a template has; one, if it is right."""
    return [kind for kind in TEMPLATE_KINDS if template.get(kind) is not None]


def with_template_defaults(template: Mapping[str, Any], defaults: Mapping[str, Any] | None) -> dict[str, Any]:
    """A template over the spec's `templateDefaults`; what these say of other kinds of template is dropped.

    Raises:
        SpecError: an item of a list that merges by a name has none.
    """
    if not defaults:
        return dict(template)
    own = kinds_of(template)
    merged = _strategic(defaults, template)
    return {key: value for key, value in merged.items() if key not in TEMPLATE_KINDS or key in own}
