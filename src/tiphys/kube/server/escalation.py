"""Nobody hands out rights that he does not have: what writing a role or a binding asks of the writer.

Called by `admission`. The exceptions are Kubernetes': the verbs `escalate` (on the role written) and `bind` (on the
role bound), and a change that leaves rules and subjects alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tiphys.errors import ApiError
from tiphys.kit.codec import encode
from tiphys.kube.objects import status
from tiphys.kube.objects.resources import Resource
from tiphys.kube.server.rbac import GROUP, Authorizer, Rule
from tiphys.kube.server.users import MASTERS, User

__all__ = ["check"]

_FIELDS = (
    ("APIGroups", "apiGroups"),
    ("Resources", "resources"),
    ("NonResourceURLs", "nonResourceURLs"),
    ("ResourceNames", "resourceNames"),
    ("Verbs", "verbs"),
)


def check(
    user: User, resource: Resource, new: Mapping[str, Any], old: Mapping[str, Any] | None, authorizer: Authorizer
) -> None:
    """Judge a role or binding about to be written.

    Raises:
        ApiError: 403, with the rights that are missing; 404, the role bound is not there.
    """
    if MASTERS in user.groups:
        return
    if resource.kind in ("Role", "ClusterRole"):
        _role(user, resource, new, old, authorizer)
    else:
        _binding(user, resource, new, old, authorizer)


def _role(
    user: User, resource: Resource, new: Mapping[str, Any], old: Mapping[str, Any] | None, authorizer: Authorizer
) -> None:
    fields = ("rules", "aggregationRule")
    if old is not None and all((old.get(field) or None) == (new.get(field) or None) for field in fields):
        return
    meta = new["metadata"]
    namespace = meta.get("namespace", "")
    if authorizer.allows(user, "escalate", GROUP, resource.plural, namespace, meta["name"]):
        return
    _refuse_missing(user, resource, meta["name"], authorizer.missing(user, new.get("rules") or (), namespace))
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    if new.get("aggregationRule") and authorizer.missing(user, [everything], ""):
        raise _forbidden(resource, meta["name"], "must have cluster-admin privileges to use the aggregationRule")


def _binding(
    user: User, resource: Resource, new: Mapping[str, Any], old: Mapping[str, Any] | None, authorizer: Authorizer
) -> None:
    if old is not None and (old.get("subjects") or []) == (new.get("subjects") or []):
        return  # the roleRef cannot have changed
    meta, ref = new["metadata"], new["roleRef"]
    namespace, kind, name = meta.get("namespace", ""), ref["kind"], ref["name"]
    if authorizer.allows(user, "bind", GROUP, "roles" if kind == "Role" else "clusterroles", namespace, name):
        return
    rules = authorizer.role_rules(kind, name, namespace)
    if rules is None:
        message = f'{kind.lower()}s.{GROUP} "{name}" not found'
        raise status.failure(404, "NotFound", message, {"name": name, "group": GROUP, "kind": f"{kind.lower()}s"})
    _refuse_missing(user, resource, meta["name"], authorizer.missing(user, rules, namespace))


def _refuse_missing(user: User, resource: Resource, name: str, missing: Sequence[Rule]) -> None:
    if missing:
        rights = "\n".join(sorted(_shown(right) for right in missing))
        why = f'user "{user.name}" (groups={_list(user.groups)}) is attempting to grant RBAC permissions not currently'
        raise _forbidden(resource, name, f"{why} held:\n{rights}")


def _forbidden(resource: Resource, name: str, why: str) -> ApiError:
    details = {"name": name, "group": resource.group, "kind": resource.plural}
    return status.failure(403, "Forbidden", f'{resource.qualified} "{name}" is forbidden: {why}', details)


def _shown(right: Rule) -> str:
    return "{" + ", ".join(f"{title}:{_list(right[field])}" for title, field in _FIELDS if right.get(field)) + "}"


def _list(values: Sequence[str]) -> str:
    return "[" + " ".join(encode(value).decode() for value in values) + "]"
