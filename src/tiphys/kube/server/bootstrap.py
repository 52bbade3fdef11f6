"""What a cluster holds before anybody asks: namespaces and roles, made at each start where they are missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tiphys.errors import ApiError
from tiphys.kube.objects.resources import served
from tiphys.kube.server.api import Api, Request
from tiphys.kube.server.rbac import GROUP
from tiphys.kube.server.users import ADMIN

__all__ = ["CONTROLLERS", "NAMESPACES", "Role", "furnish"]

CONTROLLERS = "system:tiphys:controllers"
"""The user the controllers of `kube.controllers` are."""

NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease", "argo", "argo-events")

_READ, _WRITE = ["get", "list", "watch"], ["create", "delete", "deletecollection", "patch", "update"]
_ARGO = ["workflows", "workflowtemplates", "cronworkflows", "workflowtaskresults", "workflowtasksets"]
_SELF = ["selfsubjectaccessreviews", "selfsubjectrulesreviews"]


def _rule(group: str, resources: list[str], verbs: list[str]) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}


def _view(verbs: list[str]) -> list[dict[str, Any]]:
    return [
        _rule("", ["configmaps", "events", "pods", "pods/log", "serviceaccounts"], verbs),
        _rule("events.k8s.io", ["events"], verbs),
        _rule("", ["namespaces", "services"], _READ),
        _rule("argoproj.io", _ARGO, verbs),
        _rule("external-secrets.io", ["externalsecrets", "secretstores"], verbs),
    ]


_ROLES: dict[str, list[dict[str, Any]]] = {
    "cluster-admin": [
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
        {"nonResourceURLs": ["*"], "verbs": ["*"]},
    ],
    "system:discovery": [
        {
            "nonResourceURLs": ["/api", "/api/*", "/apis", "/apis/*", "/openapi/*", "/version", "/version/"],
            "verbs": ["get"],
        }
    ],
    "system:basic-user": [
        _rule("authorization.k8s.io", _SELF, ["create"]),
        _rule("authentication.k8s.io", ["selfsubjectreviews"], ["create"]),
    ],
    CONTROLLERS: [
        # The garbage collector may find an owner or a dependent in any kind, and a namespace is emptied of every kind.
        {"apiGroups": ["*"], "resources": ["*"], "verbs": [*_READ, "delete", "deletecollection", "patch"]},
        _rule("", ["configmaps", "events", "secrets", "serviceaccounts"], ["create"]),
        _rule("", ["namespaces/finalize", "secrets"], ["update"]),
        _rule(GROUP, ["clusterroles"], ["escalate"]),
    ],
}
_PEOPLES: dict[str, list[dict[str, Any]]] = {
    "view": _view(_READ),
    "edit": [*_view([*_READ, *_WRITE]), _rule("", ["secrets"], [*_READ, *_WRITE])],
    "admin": [
        _rule("", ["serviceaccounts/token"], ["create"]),
        _rule(GROUP, ["roles", "rolebindings"], [*_READ, *_WRITE]),
    ],
}
"""What these roles add to those before them. Others add to them by a label, as Argo's manifests do."""

_AGGREGATE = "rbac.authorization.k8s.io/aggregate-to-"
_BINDINGS = {
    "cluster-admin": ("Group", "system:masters"),
    "system:discovery": ("Group", "system:authenticated"),
    "system:basic-user": ("Group", "system:authenticated"),
    CONTROLLERS: ("User", CONTROLLERS),
}


@dataclass(frozen=True, slots=True)
class Role:
    """A ClusterRole that somebody needs from the start, and its binding.

    Attributes:
        subject: kind (User, Group or ServiceAccount) and name.
        namespace: of a Role and its RoleBinding instead; the ServiceAccount's, too.
    """

    name: str
    subject: tuple[str, str]
    rules: Sequence[dict[str, Any]]
    namespace: str = ""


async def furnish(api: Api, roles: Sequence[Role] = ()) -> None:
    """Make what is missing: what every cluster has, and the roles of those that run on this one."""
    for name in NAMESPACES:
        await _make(api, "", "namespaces", {"metadata": {"name": name}})
    for role, rules in _ROLES.items():
        await _make(api, GROUP, "clusterroles", {"metadata": {"name": role}, "rules": rules})
    await _make_peoples(api)
    for role, subject in _BINDINGS.items():
        await _bind(api, role, subject)
    for each in roles:
        plural = "roles" if each.namespace else "clusterroles"
        value = {"metadata": {"name": each.name}, "rules": list(each.rules)}
        await _make(api, GROUP, plural, value, each.namespace)
        await _bind(api, each.name, each.subject, each.namespace)


async def _make_peoples(api: Api) -> None:
    names, rules = list(_PEOPLES), list[dict[str, Any]]()
    for name, next_one in zip(names, [*names[1:], ""], strict=True):
        rules += _PEOPLES[name]
        part = {"name": f"system:aggregate-to-{name}", "labels": {f"{_AGGREGATE}{name}": "true"}}
        await _make(api, GROUP, "clusterroles", {"metadata": part, "rules": _PEOPLES[name]})
        about = {"name": name, **({"labels": {f"{_AGGREGATE}{next_one}": "true"}} if next_one else {})}
        chosen = {"clusterRoleSelectors": [{"matchLabels": {f"{_AGGREGATE}{name}": "true"}}]}
        await _make(api, GROUP, "clusterroles", {"metadata": about, "aggregationRule": chosen, "rules": list(rules)})


async def _bind(api: Api, role: str, subject: tuple[str, str], namespace: str = "") -> None:
    kind, who = subject
    bound = {"kind": kind, "name": who} | (
        {"namespace": namespace} if kind == "ServiceAccount" else {"apiGroup": GROUP}
    )
    reference = {"apiGroup": GROUP, "kind": "Role" if namespace else "ClusterRole", "name": role}
    plural = "rolebindings" if namespace else "clusterrolebindings"
    value = {"metadata": {"name": role}, "roleRef": reference, "subjects": [bound]}
    await _make(api, GROUP, plural, value, namespace)


async def _make(api: Api, group: str, plural: str, value: dict[str, Any], namespace: str = "") -> None:
    try:
        await api.create(Request(ADMIN, served(group, plural), namespace), value)
    except ApiError as error:
        if error.reason != "AlreadyExists":
            raise
