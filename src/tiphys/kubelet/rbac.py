"""What the kubelet must be allowed: for whoever sets up the cluster's roles. Data only."""

from __future__ import annotations

from typing import Any

__all__ = ["GROUP", "RULES"]

GROUP = "system:nodes"
"""The group of `system:node:NAME`, the user a kubelet is."""

RULES: tuple[dict[str, Any], ...] = (
    # Its pods: watched, their ends written, and the last word of a deletion.
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["delete", "get", "list", "watch"]},
    {"apiGroups": [""], "resources": ["pods/status"], "verbs": ["patch"]},
    # What they mount and have in their environment.
    {"apiGroups": [""], "resources": ["configmaps", "secrets"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]},
)
"""Of a ClusterRole."""
