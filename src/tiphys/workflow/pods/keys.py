"""Labels and annotations that workflow, controller, executor and kubelet agree on. Names only.

Those under `workflows.argoproj.io` are Argo's and mean what they mean there; those under `tiphys.io` are ours.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "CAPTURE",
    "COMPLETED",
    "DEFAULT_CONTAINER",
    "ENDS_WITH",
    "EXECUTOR_SERVICE_ACCOUNT",
    "MAIN",
    "NODE_ID",
    "NODE_NAME",
    "ON_EXIT",
    "OUTPUTS",
    "POD_GC_STRATEGY",
    "POD_UID",
    "REPORT_COMPLETED",
    "RESULT",
    "SCRIPT",
    "SCRIPT_DIR",
    "WORKFLOW",
    "capture_name",
]

WORKFLOW: Final = "workflows.argoproj.io/workflow"
COMPLETED: Final = "workflows.argoproj.io/completed"
ON_EXIT: Final = "workflows.argoproj.io/on-exit"
REPORT_COMPLETED: Final = "workflows.argoproj.io/report-outputs-completed"
NODE_ID: Final = "workflows.argoproj.io/node-id"
NODE_NAME: Final = "workflows.argoproj.io/node-name"
POD_GC_STRATEGY: Final = "workflows.argoproj.io/pod-gc-strategy"
DEFAULT_CONTAINER: Final = "kubectl.kubernetes.io/default-container"

SCRIPT: Final = "workflows.tiphys.io/script"
"""Pod annotation: the source of a script template, mounted by a downwardAPI volume."""
OUTPUTS: Final = "workflows.tiphys.io/outputs"
"""Pod annotation: JSON of the template's declared outputs: {"parameters": [...], "result": bool}."""
EXECUTOR_SERVICE_ACCOUNT: Final = "workflows.tiphys.io/executor-service-account"
"""Pod annotation: who reports the outputs, where it is not the pod's own service account."""
POD_UID: Final = "workflows.tiphys.io/pod-uid"
"""WorkflowTaskResult annotation: the pod it speaks of; a retried node has the same id and another pod."""
CAPTURE: Final = "tiphys.io/capture"
"""Pod annotation: JSON list of what the kubelet reads when a container has ended (see `build.capture_of`)."""
ENDS_WITH: Final = "tiphys.io/ends-with"
"""Pod annotation: the container after whose end the others (sidecars) are terminated."""

MAIN: Final = "main"
SCRIPT_DIR: Final = "/argo/staging"
RESULT: Final = "result"
"""Name, in CAPTURE, of the standard output."""


def capture_name(parameter: str) -> str:
    """Name, in CAPTURE, of an output parameter's file."""
    return f"parameters.{parameter}"
