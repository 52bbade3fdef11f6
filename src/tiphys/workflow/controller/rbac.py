"""Who the controller is and what it must be allowed: for whoever sets up the cluster's roles. Data only."""

from __future__ import annotations

from typing import Any

__all__ = ["RULES", "USER"]

USER = "system:tiphys:workflow-controller"

RULES: tuple[dict[str, Any], ...] = (
    # Steps are pods: made, stopped (their time cut short), labelled, collected.
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["create", "delete", "get", "list", "patch", "watch"]},
    {"apiGroups": ["argoproj.io"], "resources": ["workflows"], "verbs": ["delete", "get", "list", "patch", "watch"]},
    # What workflows refer to.
    {"apiGroups": ["argoproj.io"], "resources": ["clusterworkflowtemplates", "workflowtemplates"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]},
    # Outputs of steps, written by the steps' own accounts.
    {"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": ["deletecollection", "get"]},
    # Whether an account that reported nothing was allowed to.
    {"apiGroups": ["authorization.k8s.io"], "resources": ["subjectaccessreviews"], "verbs": ["create"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]},
)
"""Of a ClusterRole. No Secrets: headers are read as the workflow's own ServiceAccount."""
