"""metav1.DeleteOptions: what a delete asks for, from a request's body and query. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tiphys.kit.codec import DecodeError, Struct, convert
from tiphys.kube.objects import status
from tiphys.kube.objects.resources import Resource

__all__ = ["PROTECTED", "DeleteOptions", "check", "options_of"]

_NUMBER = re.compile(r"-?[0-9]{1,18}")
_LONGEST_GRACE = 2**31 - 1
_POLICIES = ("Background", "Foreground", "Orphan")

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


class _Preconditions(Struct):
    uid: str | None = None
    resourceVersion: str | None = None  # noqa: N815 - the field's name


class _Options(Struct):
    propagationPolicy: str | None = None  # noqa: N815
    orphanDependents: bool | None = None  # noqa: N815
    gracePeriodSeconds: int | None = None  # noqa: N815
    preconditions: _Preconditions | None = None
    dryRun: list[str] | None = None  # noqa: N815


def options_of(body: Mapping[str, Any], query: Mapping[str, str]) -> DeleteOptions:
    """From a request's body and query; the body wins.

    Raises:
        ApiError: 400, it cannot be read; 422, a value is not one Kubernetes knows.
    """
    try:
        asked = convert(body, _Options)
    except DecodeError as error:
        raise status.bad_request(f"the body of the request is not DeleteOptions: {error}") from error
    propagation = asked.propagationPolicy or query.get("propagationPolicy") or ""
    wrong = []
    if propagation and asked.orphanDependents is not None:
        why = "orphanDependents and deletionPropagation cannot be both set"
        wrong.append(status.invalid_field("propagationPolicy", propagation, why))
    elif asked.orphanDependents is not None:
        propagation = "Orphan" if asked.orphanDependents else "Background"
    if propagation not in ("", *_POLICIES):
        wrong.append(status.unsupported_field("propagationPolicy", propagation, _POLICIES))
    if asked.dryRun not in (None, [], ["All"]):
        wrong.append(status.unsupported_field("dryRun", asked.dryRun, ("All",)))
    if wrong:
        raise status.invalid("DeleteOptions", "meta.k8s.io", "", wrong)
    grace, text = asked.gracePeriodSeconds, query.get("gracePeriodSeconds", "")
    if grace is None and text:
        if not _NUMBER.fullmatch(text):
            raise status.bad_request(f'invalid gracePeriodSeconds "{text}": a number of seconds')
        grace = int(text)
    conditions = asked.preconditions or _Preconditions()
    return DeleteOptions(
        propagation,
        # As in Kubernetes, a negative one is a second.
        None if grace is None else min(grace if grace >= 0 else 1, _LONGEST_GRACE),
        conditions.uid or "",
        conditions.resourceVersion or "",
        bool(asked.dryRun or query.get("dryRun")),
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
