"""The labels and annotations by which Argo's parts find workflows."""

from __future__ import annotations

__all__ = [
    "ARCHIVING_STATUS",
    "CLUSTER_TEMPLATE",
    "COMPLETED",
    "CREATOR",
    "CRON_WORKFLOW",
    "INSTANCE",
    "PHASE",
    "POD_NAME_FORMAT",
    "PREVIOUS_NAME",
    "SCHEDULED_TIME",
    "TEMPLATE",
    "WORKFLOW",
]

_PREFIX = "workflows.argoproj.io/"

ARCHIVING_STATUS = _PREFIX + "workflow-archiving-status"
CLUSTER_TEMPLATE = _PREFIX + "cluster-workflow-template"
COMPLETED = _PREFIX + "completed"
CREATOR = tuple(_PREFIX + name for name in ("creator", "creator-email", "creator-preferred-username"))
CRON_WORKFLOW = _PREFIX + "cron-workflow"
INSTANCE = _PREFIX + "controller-instanceid"
PHASE = _PREFIX + "phase"
POD_NAME_FORMAT = _PREFIX + "pod-name-format"
PREVIOUS_NAME = _PREFIX + "resubmitted-from-workflow"
SCHEDULED_TIME = _PREFIX + "scheduled-time"
TEMPLATE = _PREFIX + "workflow-template"
WORKFLOW = _PREFIX + "workflow"
