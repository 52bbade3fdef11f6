"""Who these controllers are and what they must be allowed: for whoever sets up the cluster's roles. Data only."""

from __future__ import annotations

from typing import Any

__all__ = ["RULES", "USER"]

USER = "system:tiphys:controllers"

RULES: tuple[dict[str, Any], ...] = (
    # Garbage collection and the end of a namespace touch every kind there is.
    {"apiGroups": ["*"], "resources": ["*"], "verbs": ["delete", "deletecollection", "get", "list", "patch", "watch"]},
    {"apiGroups": [""], "resources": ["namespaces/finalize"], "verbs": ["update"]},
    # What every namespace holds, what ExternalSecrets make, and what there is to tell.
    {"apiGroups": [""], "resources": ["configmaps", "events", "secrets", "serviceaccounts"], "verbs": ["create"]},
)
"""Of a ClusterRole."""
