"""metav1.DeleteOptions: what a delete asks for, from a request's body and query. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tiphys.kube.objects import status
from tiphys.kube.objects.resources import Resource

__all__ = ["PROTECTED", "DeleteOptions", "check", "options_of"]

PROTECTED = frozenset(("default", "kube-public", "kube-system"))
"""Namespaces nobody may delete."""


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """metav1.DeleteOptions, as far as they change what happens; "" and None are unset."""

    propagation: str = ""
    grace_seconds: int | None = None
    uid: str = ""
    resource_version: str = ""
    dry_run: bool = False


def options_of(body: Mapping[str, Any], query: Mapping[str, str]) -> DeleteOptions:
    """From a request's body and query; the body wins.

    Raises:
        ApiError: 400, a value is not one Kubernetes knows.
    """
    propagation = body.get("propagationPolicy") or query.get("propagationPolicy") or ""
    if not propagation and body.get("orphanDependents") is not None:
        propagation = "Orphan" if body["orphanDependents"] else "Background"
    if propagation not in ("", "Background", "Foreground", "Orphan"):
        raise status.bad_request(f'invalid propagationPolicy "{propagation}": Background, Foreground or Orphan')
    grace = body.get("gracePeriodSeconds", query.get("gracePeriodSeconds"))
    if grace is not None and not str(grace).lstrip("-").isdigit():
        raise status.bad_request(f'invalid gracePeriodSeconds "{grace}": a number of seconds')
    conditions = body.get("preconditions") or {}
    dry_run = bool(body.get("dryRun") or query.get("dryRun"))
    return DeleteOptions(
        propagation,
        None if grace is None else max(int(grace), 0),
        conditions.get("uid") or "",
        conditions.get("resourceVersion") or "",
        dry_run,
    )


def check(resource: Resource, meta: Mapping[str, Any], options: DeleteOptions) -> None:
    """Raise the 409 of a precondition that does not hold."""
    if options.uid and options.uid != meta["uid"]:
        why = f"Precondition failed: UID in precondition: {options.uid}, UID in object meta: {meta['uid']}"
        raise status.conflict(resource, meta["name"], why)
    if options.resource_version and options.resource_version != meta["resourceVersion"]:
        why = (
            f"Precondition failed: ResourceVersion in precondition: {options.resource_version}, "
            f"ResourceVersion in object meta: {meta['resourceVersion']}"
        )
        raise status.conflict(resource, meta["name"], why)
