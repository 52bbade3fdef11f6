"""What a step's ServiceAccount must be allowed so that its outputs can be reported. Data only."""

from __future__ import annotations

from typing import Any

__all__ = ["RULES"]

RULES: tuple[dict[str, Any], ...] = (
    {"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": ["create", "patch"]},
)
"""Of a Role; the one that Argo's own quick start gives to the default account of `argo`."""
