"""What the API server asks of this package when an object of argoproj.io is about to be written.

One function for the composition root to hang into the server's admission; unknown fields are the server's own question
(`fields.unknown`), because fieldValidation decides what becomes of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tiphys.kube.objects import status
from tiphys.workflow.spec.fields import KINDS, unknown, wrong
from tiphys.workflow.spec.support import not_honoured

__all__ = ["admit"]

_GROUP = "argoproj.io"
_SECRET_PARAMETER = re.compile(r"\.parameters\[\d+\]\.secret$")
_ADVICE = (
    "Argo has no secret parameters: the value is seen by all who may read the workflow; "
    "hand over the name of a Secret instead"
)
_CRON = (
    "a CronWorkflow is stored, nothing starts it yet: its schedule is not honoured; "
    "tiphys submit --from cronwf/{name} runs it once"
)


def admit(kind: str, new: Mapping[str, Any], old: Mapping[str, Any] | None = None) -> list[str]:
    """Refuse an object that cannot be honoured whole; the warnings to give with one that can.

    Args:
        kind: of argoproj.io/v1alpha1; others pass.
        new: the object about to be written, with its name.
        old: the object as it stands, for an update; a spec that is not changed is not judged again.

    Raises:
        ApiError: 422, a field is of another type than its own, is missing, or is not supported yet.
    """
    if kind not in KINDS or (old is not None and old.get("spec") == new.get("spec")):
        return []
    meta = new.get("metadata")
    name = str(meta.get("name") or "") if isinstance(meta, dict) else ""
    if causes := wrong(kind, new):
        raise status.invalid(kind, _GROUP, name, causes)
    if refused := not_honoured(kind, new):
        message = f'{kind}.{_GROUP} "{name}" is invalid: {"; ".join(map(str, refused))}'
        reasons = [{"reason": "FieldValueNotSupported", "message": str(one), "field": one.path} for one in refused]
        details = {"name": name, "group": _GROUP, "kind": kind, "causes": reasons}
        raise status.failure(422, "Invalid", message, details)
    warnings = [f"{path}: {_ADVICE}" for path in unknown(kind, new) if _SECRET_PARAMETER.search(path)]
    return [*warnings, _CRON.format(name=name)] if kind == "CronWorkflow" else warnings
