"""Resources that show what another one keeps, in their own words: events.k8s.io/v1 shows the Events of core/v1. Pure.

Called by the API's verbs, which read and write in the words of the resource that was asked for, and by what makes
answers of records. Every other resource shows its objects as they are kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tiphys.kube.objects.resources import Resource, served

__all__ = ["kept", "shown", "shown_at"]

_EVENTS = served("", "events")
_NAMES = {
    "count": "deprecatedCount",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "involvedObject": "regarding",
    "lastTimestamp": "deprecatedLastTimestamp",
    "message": "note",
    "reportingComponent": "reportingController",
    "source": "deprecatedSource",
}
"""Fields of a core/v1 Event by what events.k8s.io/v1 calls them (conversions of k8s.io/kubernetes/pkg/apis/events)."""

_CORE_NAMES = {new: name for name, new in _NAMES.items()}


def shown(resource: Resource, value: dict[str, Any]) -> dict[str, Any]:
    """A kept object in the words of the resource."""
    if resource.shows is None:
        return value
    # eventTime is not optional there: clients that are strict about it read null as "at no time".
    return {"eventTime": None, **_renamed(value, _NAMES, resource)}


def kept(resource: Resource, value: dict[str, Any]) -> dict[str, Any]:
    """An object in the words of the resource, as it is to be kept; fields that only the other has are dropped."""
    if resource.shows is None:
        return value
    own = {key: member for key, member in value.items() if key not in _NAMES}
    if own.get("eventTime", "") is None:
        del own["eventTime"]
    return _renamed(own, _CORE_NAMES, _EVENTS)


def shown_at(resource: Resource, path: str) -> str:
    """Where a field that a selector names is kept."""
    if resource.shows is None:
        return path
    first, dot, rest = path.partition(".")
    return _CORE_NAMES.get(first, first) + dot + rest


def _renamed(value: Mapping[str, Any], names: Mapping[str, str], to: Resource) -> dict[str, Any]:
    made = {names.get(key, key): member for key, member in value.items()}
    made |= {"apiVersion": to.api_version, "kind": to.kind}
    if owners := (made.get("metadata") or {}).get("managedFields"):
        owned = [_owned(row, names, to) for row in owners]
        made["metadata"] = {**made["metadata"], "managedFields": owned}
    return made


def _owned(row: Any, names: Mapping[str, str], to: Resource) -> Any:
    """A row of managedFields: its fields are called as the object's."""
    if not isinstance(row, dict) or not isinstance(fields := row.get("fieldsV1"), dict):
        return row  # refused where it is read
    renamed = {f"f:{names.get(key[2:], key[2:])}" if key.startswith("f:") else key: v for key, v in fields.items()}
    return {**row, "apiVersion": to.api_version, "fieldsV1": renamed}
