"""What the server itself does to objects on their way in: defaults, rules of the built-in kinds, no self-made rights.

Called by `api` with the object about to be written. What other parts ask of objects (workflow fields) they hand in as
`Admit` functions; this module knows Kubernetes only.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tiphys.errors import ApiError
from tiphys.kit.names import random_suffix
from tiphys.kube.objects import status
from tiphys.kube.objects.resources import Resource
from tiphys.kube.server.rbac import Authorizer
from tiphys.kube.server.users import User
from tiphys.kube.store.api import Key, Store

__all__ = ["Admission", "Admit", "escalates", "prepare"]


@dataclass(frozen=True, slots=True)
class Admission:
    """An object on its way in; `new` may be completed in place, `old` is None on CREATE."""

    user: User
    operation: str
    resource: Resource
    subresource: str
    new: dict[str, Any]
    old: dict[str, Any] | None


Admit = Callable[[Admission], Sequence[str]]
"""Returns warnings; raises ApiError to refuse."""


def prepare(asked: Admission, store: Store) -> None:
    """Defaults and rules of the built-in kinds.

    Raises:
        ApiError: 422 or 403.
    """
    if asked.resource.group == "":
        rule = _RULES.get(asked.resource.plural)
        if rule is not None:
            rule(asked, store)


def _secret(asked: Admission, store: Store) -> None:
    new, old = asked.new, asked.old
    plain = new.pop("stringData", None)
    if plain:
        data = new.setdefault("data", {})
        for key, value in plain.items():
            data[key] = base64.b64encode(str(value).encode()).decode()
    new.setdefault("type", "Opaque")
    for key, value in (new.get("data") or {}).items():
        try:
            base64.b64decode(value or "", validate=True)
        except (ValueError, TypeError) as error:
            raise status.bad_request(
                f"data[{key}] of the Secret is not base64: use stringData for plain text"
            ) from error
    _immutable(asked, ("data",))
    if old is not None and old.get("type", "Opaque") != new["type"]:
        raise _invalid(asked, status.invalid_field("type", new["type"], "field is immutable"))


def _invalid(asked: Admission, *causes: status.Cause) -> ApiError:
    return status.invalid(asked.resource.kind, asked.resource.group, asked.new["metadata"]["name"], causes)


def _configmap(asked: Admission, store: Store) -> None:
    _immutable(asked, ("data", "binaryData"))


def _immutable(asked: Admission, fields: Sequence[str]) -> None:
    old, new = asked.old, asked.new
    if old is None or not old.get("immutable"):
        return
    wrong = [field for field in fields if (old.get(field) or {}) != (new.get(field) or {})]
    if not new.get("immutable"):
        wrong.append("immutable")
    if wrong:
        errors = [status.forbidden_field(field, "field is immutable when `immutable` is set") for field in wrong]
        raise _invalid(asked, *errors)


def _namespace(asked: Admission, store: Store) -> None:
    if asked.old is None:
        asked.new["spec"] = {"finalizers": ["kubernetes"]}
        asked.new["status"] = {"phase": "Active"}
        asked.new["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = asked.new["metadata"]["name"]


_POD_MUTABLE = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "nodeName")


def _pod(asked: Admission, store: Store) -> None:
    new = asked.new
    spec = new.setdefault("spec", {})
    if asked.old is not None:
        if asked.subresource != "status":
            _pod_unchanged(asked, asked.old.get("spec") or {}, spec)
        return
    if not spec.get("containers"):
        raise _invalid(asked, status.required_field("spec.containers"))
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("schedulerName", "default-scheduler")
    spec.setdefault("securityContext", {})
    spec.setdefault("enableServiceLinks", True)
    for container in (*spec.get("initContainers", ()), *spec["containers"]):
        container.setdefault("terminationMessagePath", "/dev/termination-log")
        container.setdefault("terminationMessagePolicy", "File")
        container.setdefault("imagePullPolicy", "IfNotPresent")
        container.setdefault("resources", {})
    _service_account(asked, spec, store)
    new["status"] = {"phase": "Pending", "qosClass": "BestEffort"}


def _pod_unchanged(asked: Admission, old: dict[str, Any], new: dict[str, Any]) -> None:
    def fixed(spec: dict[str, Any]) -> dict[str, Any]:
        kept = {key: value for key, value in spec.items() if key not in _POD_MUTABLE}
        for kind in ("containers", "initContainers"):
            kept[kind] = [{k: v for k, v in c.items() if k != "image"} for c in spec.get(kind) or ()]
        return kept

    if fixed(old) != fixed(new):
        why = (
            "pod updates may not change fields other than `spec.containers[*].image`,"
            "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to "
            "existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously "
            "negative)"
        )
        raise _invalid(asked, status.forbidden_field("spec", why))


def _service_account(asked: Admission, spec: dict[str, Any], store: Store) -> None:
    """The ServiceAccount admission plug-in: the account exists, and its token is mounted unless somebody says no."""
    account = spec.get("serviceAccountName") or spec.get("serviceAccount") or "default"
    spec["serviceAccountName"] = spec["serviceAccount"] = account
    meta = asked.new["metadata"]
    if store.get(Key("", "serviceaccounts", meta["namespace"], account)) is None:
        why = f'error looking up service account {meta["namespace"]}/{account}: serviceaccount "{account}" not found'
        raise ApiError(403, "Forbidden", f'pods "{meta["name"]}" is forbidden: {why}')
    if spec.get("automountServiceAccountToken") is False:
        return
    path = "/var/run/secrets/kubernetes.io/serviceaccount"
    volume = "kube-api-access-" + random_suffix()
    mounted = False
    for container in (*spec.get("initContainers", ()), *spec["containers"]):
        mounts = container.setdefault("volumeMounts", [])
        if not any(mount.get("mountPath") == path for mount in mounts):
            mounts.append({"name": volume, "readOnly": True, "mountPath": path})
            mounted = True
    if not mounted:
        return
    field = {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
    sources = [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": field}]}},
    ]
    spec.setdefault("volumes", []).append({"name": volume, "projected": {"defaultMode": 420, "sources": sources}})


_RULES: dict[str, Callable[[Admission, Store], None]] = {
    "secrets": _secret,
    "configmaps": _configmap,
    "namespaces": _namespace,
    "pods": _pod,
}


def escalates(asked: Admission, authorizer: Authorizer) -> None:
    """Nobody hands out rights that he does not have, but for those with `escalate` or `bind`.

    Raises:
        ApiError: 403; 422 when a roleRef changes.
    """
    new, kind, meta = asked.new, asked.resource.kind, asked.new["metadata"]
    namespace = meta.get("namespace", "")
    if kind in ("Role", "ClusterRole"):
        rules, verb, role = new.get("rules") or [], "escalate", (asked.resource.plural, meta["name"])
    else:
        ref = new.get("roleRef") or {}
        ref.setdefault("apiGroup", asked.resource.group)
        if asked.old is not None and asked.old.get("roleRef") != ref:
            wrong = [status.invalid_field("roleRef", ref, "cannot change roleRef")]
            raise _invalid(asked, *wrong)
        rules = authorizer.role_rules(ref.get("kind", ""), ref.get("name", ""), namespace)
        verb, role = "bind", ("roles" if ref.get("kind") == "Role" else "clusterroles", ref.get("name", ""))
    group = asked.resource.group
    if authorizer.covers(asked.user, rules, namespace) or authorizer.allows(
        asked.user, verb, group, *role[:1], namespace, role[1]
    ):
        return
    what = f'{asked.resource.qualified} "{meta["name"]}" is forbidden: user "{asked.user.name}"'
    who = f"{what} (groups={list(asked.user.groups)}) is attempting to grant RBAC permissions not currently held"
    raise ApiError(403, "Forbidden", who)
