"""What the API server does to each built-in kind on its way in: defaults, and the rules that depend on the kind.

Called by `admission` with the object about to be written, which is completed in place. Pods have a module of their own.
Rules that hold for every kind (metadata) are in `kube.objects.meta`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tiphys.kit.codec import DecodeError, decode
from tiphys.kube.objects import status
from tiphys.kube.objects.resources import Resource
from tiphys.kube.objects.status import Cause
from tiphys.kube.objects.validation import qualified_name

__all__ = ["FINALIZER", "Strategy", "strategy_of"]

Object = dict[str, Any]
Strategy = Callable[[Object, Object | None, Resource], list[Cause]]
"""Of (new, old or None, resource): completes new, and returns what is wrong with it."""

FINALIZER = "kubernetes"
"""In a Namespace's spec.finalizers until it is empty."""

_RBAC = "rbac.authorization.k8s.io"
_DATA_LIMIT = 2**20
_key = re.compile(r"[-._a-zA-Z0-9]+")
_KEY_SAYS = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  "
    "or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
_ACCOUNT = "kubernetes.io/service-account.name"
_REQUIRED_KEYS = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}


def strategy_of(resource: Resource) -> Strategy | None:
    """The strategy of a resource; None where it has no rules of its own."""
    return _STRATEGIES.get((resource.group, resource.plural))


# -- Secrets and ConfigMaps -------------------------------------------------------------------------------------------


def _secret(new: Object, old: Object | None, resource: Resource) -> list[Cause]:
    plain = new.pop("stringData", None)
    if plain:
        data = new["data"] = dict(new.get("data") or {})
        data.update((key, base64.b64encode((text or "").encode()).decode()) for key, text in plain.items())
    if not new.get("type"):
        new["type"] = "Opaque"
    size, wrong = 0, []
    for key, text in (new.get("data") or {}).items():
        wrong += _key_errors("data", key)
        try:
            size += len(base64.b64decode(text or "", validate=True))
        except (binascii.Error, ValueError) as error:
            message = f'Secret in version "v1" cannot be handled as a Secret: illegal base64 data in data[{key}]'
            raise status.bad_request(f"{message}: use stringData for plain text") from error
    if size > _DATA_LIMIT:
        wrong.append(status.too_long_field("data", _DATA_LIMIT))
    wrong += _secret_type(new, old)
    return wrong + _immutable(new, old, ("data",))


def _secret_type(new: Object, old: Object | None) -> list[Cause]:
    if old is not None and old.get("type", "Opaque") != new["type"]:
        return [status.invalid_field("type", new["type"], "field is immutable")]
    data, annotations = new.get("data") or {}, new["metadata"].get("annotations") or {}
    if new["type"] == "kubernetes.io/service-account-token" and not annotations.get(_ACCOUNT):
        return [status.required_field(f"metadata.annotations[{_ACCOUNT}]")]
    if new["type"] == "kubernetes.io/basic-auth" and not data.keys() & {"username", "password"}:
        return [status.required_field("data[username]"), status.required_field("data[password]")]
    required = _REQUIRED_KEYS.get(new["type"], ())
    wrong = [status.required_field(f"data[{key}]") for key in required if key not in data]
    return wrong or [_not_json(key) for key in required if key.startswith(".docker") and not _is_json(data[key])]


def _is_json(encoded: str | None) -> bool:
    try:
        decode(base64.b64decode(encoded or ""))
    except DecodeError:
        return False
    return True


def _not_json(key: str) -> Cause:
    return f"data[{key}]", 'Invalid value: "<secret contents redacted>": it is not JSON'


def _configmap(new: Object, old: Object | None, resource: Resource) -> list[Cause]:
    plain, binary = new.get("data") or {}, new.get("binaryData") or {}
    wrong: list[Cause] = []
    for field, members in (("data", plain), ("binaryData", binary)):
        for key in members:
            wrong += _key_errors(field, key)
    wrong += [
        status.invalid_field(f"data[{key}]", key, f"duplicate of key present in binaryData: {key}")
        for key in plain.keys() & binary.keys()
    ]
    size = sum(len((text or "").encode()) for text in plain.values()) + sum(
        len(b or "") * 3 // 4 for b in binary.values()
    )
    if size > _DATA_LIMIT:
        wrong.append(status.too_long_field("", _DATA_LIMIT))
    return wrong + _immutable(new, old, ("data", "binaryData"))


def _key_errors(field: str, key: str) -> list[Cause]:
    if len(key) > 253:
        return [status.invalid_field(f"{field}[{key}]", key, "must be no more than 253 characters")]
    if not _key.fullmatch(key):
        return [status.invalid_field(f"{field}[{key}]", key, _KEY_SAYS)]
    if key in (".", "..") or key.startswith(".."):
        return [status.invalid_field(f"{field}[{key}]", key, "must not start with '..'")]
    return []


def _immutable(new: Object, old: Object | None, fields: Sequence[str]) -> list[Cause]:
    if old is None or not old.get("immutable"):
        return []
    wrong = [field for field in fields if (old.get(field) or {}) != (new.get(field) or {})]
    if not new.get("immutable"):
        wrong.insert(0, "immutable")
    return [status.forbidden_field(field, "field is immutable when `immutable` is set") for field in wrong]


# -- Namespaces -------------------------------------------------------------------------------------------------------


def _namespace(new: Object, old: Object | None, resource: Resource) -> list[Cause]:
    name = new["metadata"]["name"]
    new["metadata"]["labels"] = {**(new["metadata"].get("labels") or {}), "kubernetes.io/metadata.name": name}
    if old is None:
        new["spec"] = {"finalizers": [FINALIZER]}
        new["status"] = {"phase": "Active"}
    return []


# -- RBAC -------------------------------------------------------------------------------------------------------------


def _role(new: Object, old: Object | None, resource: Resource) -> list[Cause]:
    wrong: list[Cause] = []
    new.setdefault("rules", [])
    for index, rule in enumerate(new.get("rules") or ()):
        wrong += _rule_errors(f"rules[{index}]", rule, namespaced=resource.namespaced)
    return wrong


def _rule_errors(path: str, rule: Mapping[str, Any], *, namespaced: bool) -> list[Cause]:
    if not rule.get("verbs"):
        return [status.required_field(f"{path}.verbs", "verbs must contain at least one value")]
    if rule.get("nonResourceURLs"):
        if namespaced:
            why = "namespaced rules cannot apply to non-resource URLs"
            return [status.invalid_field(f"{path}.nonResourceURLs", rule["nonResourceURLs"], why)]
        if any(rule.get(field) for field in ("apiGroups", "resources", "resourceNames")):
            why = "rules cannot apply to both regular resources and non-resource URLs"
            return [status.invalid_field(f"{path}.nonResourceURLs", rule["nonResourceURLs"], why)]
        return []
    wrong = []
    if not rule.get("apiGroups"):
        wrong.append(status.required_field(f"{path}.apiGroups", "resource rules must supply at least one api group"))
    if not rule.get("resources"):
        wrong.append(status.required_field(f"{path}.resources", "resource rules must supply at least one resource"))
    return wrong


def _binding(new: Object, old: Object | None, resource: Resource) -> list[Cause]:
    wrong: list[Cause] = []
    ref = new["roleRef"] = dict(new.get("roleRef") or {})
    ref["apiGroup"] = ref.get("apiGroup") or _RBAC
    kinds = ("Role", "ClusterRole") if resource.namespaced else ("ClusterRole",)
    if ref["apiGroup"] != _RBAC:
        wrong.append(status.unsupported_field("roleRef.apiGroup", ref["apiGroup"], (_RBAC,)))
    if ref.get("kind") not in kinds:
        wrong.append(status.unsupported_field("roleRef.kind", ref.get("kind") or "", kinds))
    if not ref.get("name"):
        wrong.append(status.required_field("roleRef.name"))
    for index, subject in enumerate(new.get("subjects") or ()):
        wrong += _subject_errors(f"subjects[{index}]", subject, new["metadata"].get("namespace", ""))
    if old is not None and {**ref} != {"apiGroup": _RBAC, **(old.get("roleRef") or {})}:
        wrong.append(status.invalid_field("roleRef", ref, "cannot change roleRef"))
    return wrong


def _subject_errors(path: str, subject: Object, namespace: str) -> list[Cause]:
    kind, wrong = subject.get("kind"), []
    if not subject.get("name"):
        wrong.append(status.required_field(f"{path}.name"))
    if kind == "ServiceAccount":
        if not (subject.get("namespace") or namespace):
            wrong.append(status.required_field(f"{path}.namespace"))
        if subject.get("apiGroup"):
            wrong.append(status.unsupported_field(f"{path}.apiGroup", subject["apiGroup"], ("",)))
    elif kind in ("User", "Group"):
        subject["apiGroup"] = subject.get("apiGroup") or _RBAC
        if subject["apiGroup"] != _RBAC:
            wrong.append(status.unsupported_field(f"{path}.apiGroup", subject["apiGroup"], (_RBAC,)))
    else:
        known = ("Group", "ServiceAccount", "User")
        wrong.append(status.unsupported_field(f"{path}.kind", kind or "", known))
    return wrong


# -- Events -----------------------------------------------------------------------------------------------------------


def _event(new: Object, old: Object | None, resource: Resource) -> list[Cause]:
    """The rules of ValidateEventCreate and ValidateEventUpdate: events.k8s.io asks for more than core does."""
    core = resource.shows is None
    about, text, who = (
        ("involvedObject", "message", "reportingComponent") if core else ("regarding", "note", "reportingController")
    )
    wrong: list[Cause] = []
    named, where = (new.get(about) or {}).get("namespace") or "", new["metadata"].get("namespace", "")
    if named != where and (named or where != "default"):
        wrong.append(status.invalid_field(f"{about}.namespace", named, "does not match event.namespace"))
    if new.get("eventTime"):
        for field in (who, "reportingInstance", "action", "reason"):
            if not new.get(field):
                wrong.append(status.required_field(field))
            elif field != who and len(new[field]) > 128:
                wrong.append(status.invalid_field(field, "", "can have at most 128 characters"))
        wrong += [status.invalid_field(who, new[who], why) for why in qualified_name(new.get(who) or "x")]
        if len(new.get(text) or "") > 1024:
            wrong.append(status.invalid_field(text, "", "can have at most 1024 characters"))
    if core:
        return wrong
    wrong += _series(new) if old is None or new.get("series") != old.get("series") else []
    return wrong + (_new_event(new) if old is None else _same_event(new, old))


def _new_event(new: Object) -> list[Cause]:
    wrong: list[Cause] = []
    if not new.get("eventTime"):
        wrong.append(status.required_field("eventTime"))
    if new.get("type") not in ("Normal", "Warning"):
        wrong.append(status.invalid_field("type", "", f"has invalid value: {new.get('type') or ''}"))
    fields = (field for field in new if field.startswith("deprecated") and new[field])
    return wrong + [status.invalid_field(field, "", "needs to be unset") for field in fields]


def _same_event(new: Object, old: Object) -> list[Cause]:
    """What happened stays what it was; how often (series) may change."""
    fields = sorted((new.keys() | old.keys()) - {"apiVersion", "kind", "metadata", "series"})
    changed = (field for field in fields if (new.get(field) or None) != (old.get(field) or None))
    return [status.invalid_field(field, new.get(field), "field is immutable") for field in changed]


def _series(new: Object) -> list[Cause]:
    series, wrong = new.get("series"), list[Cause]()
    if series is not None and (series.get("count") or 0) < 2:
        wrong.append(status.invalid_field("series.count", "", "should be at least 2"))
    if series is not None and not series.get("lastObservedTime"):
        wrong.append(status.required_field("series.lastObservedTime"))
    return wrong


_STRATEGIES: dict[tuple[str, str], Strategy] = {
    ("", "configmaps"): _configmap,
    ("", "events"): _event,
    ("", "namespaces"): _namespace,
    ("", "secrets"): _secret,
    ("events.k8s.io", "events"): _event,
    (_RBAC, "clusterrolebindings"): _binding,
    (_RBAC, "clusterroles"): _role,
    (_RBAC, "rolebindings"): _binding,
    (_RBAC, "roles"): _role,
}
