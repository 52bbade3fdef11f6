"""What a workflow's author lays over the pods: variables in the spec's shared parts, and podSpecPatch. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from tiphys.errors import SpecError, UsageError
from tiphys.kit import yaml
from tiphys.kube.objects.patches import strategic_merge

__all__ = ["patch_spec", "substitute"]

T = TypeVar("T")

_TAG = re.compile(r"\{\{\s*([A-Za-z0-9_.\-]+)\s*\}\}")


def substitute(value: T, scope: Mapping[str, str]) -> T:
    """`value` with every `{{variable}}` of the scope filled in; others stay as they stand, as Argo leaves them here.

    For the parts of a spec that belong to no template: those of templates were substituted by the engine.
    """
    filled: Any = value
    if isinstance(value, str):
        if "{{" in value:
            filled = _TAG.sub(lambda tag: scope.get(tag[1], tag[0]), value)
    elif isinstance(value, dict):
        filled = {key: substitute(item, scope) for key, item in value.items()}
    elif isinstance(value, list):
        filled = [substitute(item, scope) for item in value]
    return filled  # type: ignore[no-any-return]


def patch_spec(pod_spec: Mapping[str, Any], patches: Sequence[str]) -> dict[str, Any]:
    """The pod's spec with each podSpecPatch (YAML or JSON) merged in, in their order.

    Raises:
        SpecError: a patch is no YAML, or no map.
    """
    patched = dict(pod_spec)
    for text in patches:
        try:
            patch = yaml.load(text)
        except UsageError as error:
            raise SpecError(f"Error applying PodSpecPatch: {error}", "podSpecPatch") from error
        if not isinstance(patch, dict):
            raise SpecError(f"Error applying PodSpecPatch: invalid podSpecPatch {text!r}: it is no map", "podSpecPatch")
        patched = strategic_merge(patched, patch)
    return patched
