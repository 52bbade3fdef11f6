"""Kubernetes Events (core/v1) as controllers and the kubelet write them. Pure: the moment and the suffix come in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

__all__ = ["event_about"]

_MESSAGE_LIMIT = 1024  # Kubernetes' own


def event_about(
    about: Mapping[str, Any],
    kind: Literal["Normal", "Warning"],
    reason: str,
    message: str,
    *,
    component: str,
    now: str,
    suffix: str,
) -> dict[str, Any]:
    """An Event about an object; one about a cluster-scoped object goes to the namespace `default`.

    Args:
        about: the object: apiVersion, kind and metadata are looked at.
        kind: its type.
        reason: one word in CamelCase, for machines.
        message: a sentence, for people; cut to what Kubernetes takes.
        component: who says it.
        now: RFC 3339.
        suffix: makes the name unique.
    """
    meta = about["metadata"]
    involved = {
        "apiVersion": about["apiVersion"],
        "kind": about["kind"],
        "name": meta["name"],
        "namespace": meta.get("namespace"),
        "uid": meta.get("uid"),
    }
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{meta['name']}.{suffix}", "namespace": meta.get("namespace") or "default"},
        "involvedObject": {field: value for field, value in involved.items() if value},
        "type": kind,
        "reason": reason,
        "message": message[:_MESSAGE_LIMIT],
        "count": 1,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "source": {"component": component},
        "reportingComponent": component,
        "reportingInstance": "",
    }
