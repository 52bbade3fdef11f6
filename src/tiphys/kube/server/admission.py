"""What an object meets on its way in: its shape, the strategy of its kind, RBAC's rule against escalation.

Called by `api` with every object about to be written, on the newest state. What other parts of the house ask of objects
(the fields of a Workflow, the node of a Pod) they hand in as `Admit` functions; this module knows Kubernetes only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tiphys.kit.codec import Struct, decode
from tiphys.kube.objects import status
from tiphys.kube.objects.resources import Resource, served
from tiphys.kube.objects.status import Cause
from tiphys.kube.server import escalation, podstrategy, shapes
from tiphys.kube.server.rbac import GROUP as RBAC
from tiphys.kube.server.rbac import Authorizer
from tiphys.kube.server.strategies import strategy_of
from tiphys.kube.server.users import User
from tiphys.kube.store.api import Key, Store

__all__ = ["Admission", "Admit", "check_namespace", "prepare"]

_NAMESPACES = served("", "namespaces")


class Admission(Struct, frozen=True):
    """An object on its way in. A patch of a Workflow that leaves its spec alone is not shown: its status is its own.

    Attributes:
        operation: CREATE or UPDATE.
        new: may be completed in place; what it shares with `old` must not be changed. Of a Workflow, a patch of its
            spec shows neither its nodes nor its stored templates.
        old: None on CREATE.
    """

    user: User
    operation: str
    resource: Resource
    subresource: str
    new: dict[str, Any]
    old: dict[str, Any] | None


Admit = Callable[[Admission], Sequence[str]]
"""Returns warnings; raises ApiError to refuse."""


def prepare(asked: Admission, store: Store, authorizer: Authorizer) -> None:
    """Complete the object, or refuse it.

    Raises:
        ApiError: 400, 403, 404 or 422.
    """
    shapes.check(asked.resource, asked.new, asked.old)
    causes: list[Cause] = []
    if asked.resource.group == "" and asked.resource.plural == "pods":
        causes = _pod(asked, store)
    elif not asked.subresource:
        strategy = strategy_of(asked.resource)
        if strategy is not None:
            causes = strategy(asked.new, asked.old, asked.resource)
    if causes:
        raise status.invalid(asked.resource.kind, asked.resource.group, asked.new["metadata"]["name"], causes)
    if asked.resource.group == RBAC:
        escalation.check(asked.user, asked.resource, asked.new, asked.old, authorizer)


def _pod(asked: Admission, store: Store) -> list[Cause]:
    if asked.subresource:
        return []
    if asked.old is not None:
        return podstrategy.changes(asked.new, asked.old)
    spec, meta = asked.new.get("spec"), asked.new["metadata"]
    if spec and spec.get("containers"):
        name, namespace = podstrategy.service_account_of(spec), meta["namespace"]
        record = store.get(Key("", "serviceaccounts", namespace, name))
        if record is None:
            why = f'error looking up service account {namespace}/{name}: serviceaccount "{name}" not found'
            message = f'pods "{meta["name"]}" is forbidden: {why}'
            raise status.failure(403, "Forbidden", message, {"name": meta["name"], "kind": "pods"})
        podstrategy.mount_token(spec, decode(record.value))
    return podstrategy.create(asked.new)


def check_namespace(resource: Resource, namespace: str, value: Mapping[str, Any], store: Store) -> None:
    """Nothing is made in a namespace that is not there, or is going.

    Raises:
        ApiError: 400, 403 or 404.
    """
    if not resource.namespaced:
        return
    if not namespace:
        raise status.bad_request("an empty namespace may not be set during creation")
    record = store.get(Key("", "namespaces", "", namespace))
    if record is None:
        raise status.not_found(_NAMESPACES, namespace)
    # Looking for the word is enough to decode only what may carry the field: this is asked at every create.
    if b'"deletionTimestamp"' in record.value and "deletionTimestamp" in decode(record.value)["metadata"]:
        about = value.get("metadata") or {}
        name = about.get("name") or about.get("generateName") or ""
        message = (
            f'{resource.qualified} "{name}" is forbidden: unable to create new content in namespace '
            f"{namespace} because it is being terminated"
        )
        what = f"namespace {namespace} is being terminated"
        cause = {"reason": "NamespaceTerminating", "message": what, "field": "metadata.namespace"}
        raise status.failure(403, "Forbidden", message, {"name": name, "kind": resource.plural, "causes": [cause]})
