"""What the API server does to a Pod on its way in: Kubernetes' defaults, its checks, its ServiceAccount admission.

Called by `admission`. `create` completes a new pod in place; `changes` judges an update of one. Nothing here asks the
store: the service account comes in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tiphys.errors import SpecError
from tiphys.kit.names import random_suffix
from tiphys.kube.objects import status, validation
from tiphys.kube.objects.quantities import milli
from tiphys.kube.objects.status import Cause

__all__ = ["TOKEN_PATH", "changes", "create", "mount_token", "service_account_of"]

Object = dict[str, Any]

TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - a folder
_LONGEST = 2**31 - 1
_TOLERATIONS = tuple(
    {"effect": "NoExecute", "key": f"node.kubernetes.io/{key}", "operator": "Exists", "tolerationSeconds": 300}
    for key in ("not-ready", "unreachable")
)
_UPDATE_SAYS = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def create(pod: Object) -> list[Cause]:
    """Defaults, then what is wrong."""
    spec = pod.get("spec") or {}
    if not spec.get("containers"):
        return [status.required_field("spec.containers")]
    _default(spec)
    pod["status"] = {"phase": "Pending", "qosClass": _qos_class(spec)}
    return _spec_errors(spec)


def changes(new: Object, old: Object) -> list[Cause]:
    """What an update may not do."""
    now, was = new.get("spec"), old.get("spec") or {}
    if now is was:
        return []
    if now is None or _fixed(now) != _fixed(was):
        return [status.forbidden_field("spec", _UPDATE_SAYS)]
    grace, before = now.get("terminationGracePeriodSeconds"), was.get("terminationGracePeriodSeconds")
    if grace != before and not (grace == 1 and isinstance(before, int) and before < 0):
        return [status.forbidden_field("spec", _UPDATE_SAYS)]
    tolerations = now.get("tolerations") or []
    if any(one not in tolerations for one in was.get("tolerations") or ()):
        why = "existing toleration can not be modified except its tolerationSeconds"
        return [status.forbidden_field("spec.tolerations", why)]
    return _deadline_changes(now.get("activeDeadlineSeconds"), was.get("activeDeadlineSeconds"))


def _fixed(spec: Mapping[str, Any]) -> Object:
    changing = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds")
    kept = {key: value for key, value in spec.items() if key not in changing}
    for kind in ("containers", "initContainers"):
        kept[kind] = [{key: value for key, value in one.items() if key != "image"} for one in spec.get(kind) or ()]
    return kept


def _deadline_changes(new: Any, old: Any) -> list[Cause]:
    path = "spec.activeDeadlineSeconds"
    if new == old:
        return []
    if new is None:
        return [status.invalid_field(path, None, "must not update from a positive integer to nil value")]
    wrong = _deadline_errors(new)
    if not wrong and old is not None and new > old:
        return [status.invalid_field(path, new, "must be less than or equal to previous value")]
    return wrong


def _deadline_errors(value: int) -> list[Cause]:
    if 1 <= value <= _LONGEST:
        return []
    why = f"must be between 1 and {_LONGEST}, inclusive"
    return [status.invalid_field("spec.activeDeadlineSeconds", value, why)]


# -- defaults ---------------------------------------------------------------------------------------------------------


def _containers(spec: Mapping[str, Any]) -> Iterable[tuple[str, Object]]:
    for kind in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(kind) or ()):
            yield f"spec.{kind}[{index}]", container


def _default(spec: Object) -> None:
    for key, value in (
        ("restartPolicy", "Always"),
        ("dnsPolicy", "ClusterFirst"),
        ("terminationGracePeriodSeconds", 30),
        ("schedulerName", "default-scheduler"),
        ("enableServiceLinks", True),
        ("priority", 0),
        ("preemptionPolicy", "PreemptLowerPriority"),
    ):
        if spec.get(key) is None:
            spec[key] = value
    if spec.get("securityContext") is None:
        spec["securityContext"] = {}
    tolerated = {one.get("key") for one in spec.get("tolerations") or ()}
    missing = [dict(one) for one in _TOLERATIONS if one["key"] not in tolerated]
    spec["tolerations"] = [*(spec.get("tolerations") or ()), *missing]
    for _, container in _containers(spec):
        _default_container(container)
    for volume in spec.get("volumes") or ():
        _default_volume(volume)


def _default_container(container: Object) -> None:
    image = str(container.get("image") or "")
    tagged = ":" in image.rpartition("/")[2] and not image.endswith(":latest")
    container.setdefault("imagePullPolicy", "IfNotPresent" if tagged or "@" in image else "Always")
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    resources = container.get("resources") or {}
    if resources.get("limits"):
        resources["requests"] = {**resources["limits"], **(resources.get("requests") or {})}
    container["resources"] = resources
    for port in container.get("ports") or ():
        port.setdefault("protocol", "TCP")
    for variable in container.get("env") or ():
        reference = (variable.get("valueFrom") or {}).get("fieldRef")
        if reference:
            reference.setdefault("apiVersion", "v1")


def _default_volume(volume: Object) -> None:
    sources = [key for key in volume if key != "name"]
    if not sources:
        volume["emptyDir"] = {}
    for kind in ("secret", "configMap", "projected", "downwardAPI"):
        source = volume.get(kind)
        if isinstance(source, dict):
            source.setdefault("defaultMode", 0o644)
    for item in (volume.get("downwardAPI") or {}).get("items") or ():
        if item.get("fieldRef"):
            item["fieldRef"].setdefault("apiVersion", "v1")


def _qos_class(spec: Mapping[str, Any]) -> str:
    """As in Kubernetes: by the cpu and memory that the containers ask for and are limited to."""
    asked, guaranteed = False, True
    for _, container in _containers(spec):
        resources = container.get("resources") or {}
        requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
        for name in ("cpu", "memory"):
            request, limit = requests.get(name), limits.get(name)
            asked = asked or bool(request or limit)
            guaranteed = guaranteed and limit is not None and request is not None and _equal(request, limit)
    if not asked:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"


def _equal(one: Any, other: Any) -> bool:
    try:
        return milli(one) == milli(other)
    except SpecError:  # the field's own check tells
        return False


# -- service account --------------------------------------------------------------------------------------------------


def service_account_of(spec: Object) -> str:
    """The name of the account the pod runs as, put into both fields that carry it."""
    account = str(spec.get("serviceAccountName") or spec.get("serviceAccount") or "default")
    spec["serviceAccountName"] = spec["serviceAccount"] = account
    return account


def mount_token(spec: Object, account: Mapping[str, Any]) -> None:
    """Mount a token of the account into every container, unless pod or account say no; hand down its pull secrets."""
    if account.get("imagePullSecrets") and not spec.get("imagePullSecrets"):
        spec["imagePullSecrets"] = account["imagePullSecrets"]
    wanted = spec.get("automountServiceAccountToken")
    if wanted is None:
        wanted = account.get("automountServiceAccountToken")
    if wanted is False:
        return
    volume = "kube-api-access-" + random_suffix()
    mounted = False
    for _, container in _containers(spec):
        mounts = container["volumeMounts"] = list(container.get("volumeMounts") or ())
        if not any(mount.get("mountPath") == TOKEN_PATH for mount in mounts):
            mounts.append({"mountPath": TOKEN_PATH, "name": volume, "readOnly": True})
            mounted = True
    if mounted:
        spec["volumes"] = [*(spec.get("volumes") or ()), {"name": volume, "projected": _projection()}]


def _projection() -> Object:
    namespace = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    return {
        "defaultMode": 0o644,
        "sources": [
            # 3607 is Kubernetes' own: an hour and a mark by which such tokens are known.
            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
            {"configMap": {"items": [{"key": "ca.crt", "path": "ca.crt"}], "name": "kube-root-ca.crt"}},
            {"downwardAPI": {"items": [namespace]}},
        ],
    }


# -- checks -----------------------------------------------------------------------------------------------------------


def _spec_errors(spec: Mapping[str, Any]) -> list[Cause]:
    wrong: list[Cause] = []
    volumes: set[str] = set()
    for index, volume in enumerate(spec.get("volumes") or ()):
        wrong += _name_errors(f"spec.volumes[{index}].name", volume.get("name"), volumes)
    seen: set[str] = set()
    for path, container in _containers(spec):
        wrong += _name_errors(f"{path}.name", container.get("name"), seen)
        wrong += _container_errors(path, container, volumes)
    policies = ("Always", "OnFailure", "Never")
    if spec["restartPolicy"] not in policies:
        wrong.append(status.unsupported_field("spec.restartPolicy", spec["restartPolicy"], policies))
    if spec.get("activeDeadlineSeconds") is not None:
        wrong += _deadline_errors(spec["activeDeadlineSeconds"])
    return wrong


def _name_errors(path: str, name: str | None, seen: set[str]) -> list[Cause]:
    """A name is a DNS label, and given once."""
    if not name:
        return [status.required_field(path)]
    if name in seen:
        return [status.duplicate_field(path, name)]
    seen.add(name)
    return [status.invalid_field(path, name, why) for why in validation.dns_label(name)]


def _container_errors(path: str, container: Mapping[str, Any], volumes: set[str]) -> list[Cause]:
    wrong: list[Cause] = []
    if not container.get("image"):
        wrong.append(status.required_field(f"{path}.image"))
    for kind, quantities in (container.get("resources") or {}).items():
        for name, quantity in (quantities or {}).items() if kind in ("limits", "requests") else ():
            wrong += _quantity_errors(f"{path}.resources.{kind}[{name}]", quantity)
    for index, variable in enumerate(container.get("env") or ()):
        wrong += _env_errors(f"{path}.env[{index}]", variable)
    places: set[str] = set()
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        wrong += _mount_errors(f"{path}.volumeMounts[{index}]", mount, volumes, places)
    return wrong


def _quantity_errors(path: str, quantity: str | float) -> list[Cause]:
    try:
        milli(quantity)
    except SpecError:
        why = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        return [status.invalid_field(path, quantity, why)]
    return []


def _mount_errors(path: str, mount: Mapping[str, Any], volumes: set[str], places: set[str]) -> list[Cause]:
    wrong: list[Cause] = []
    name, place = mount.get("name"), mount.get("mountPath")
    if not name:
        wrong.append(status.required_field(f"{path}.name"))
    elif name not in volumes:
        wrong.append((f"{path}.name", f'Not found: "{name}"'))
    if not place:
        wrong.append(status.required_field(f"{path}.mountPath"))
    elif place in places:
        wrong.append(status.invalid_field(f"{path}.mountPath", place, "must be unique"))
    places.add(place or "")
    return wrong


def _env_errors(path: str, variable: Mapping[str, Any]) -> list[Cause]:
    name = variable.get("name")
    if not name:
        return [status.required_field(f"{path}.name")]
    if "=" in name or not (name.isascii() and name.isprintable()):
        why = "a valid environment variable name must consist of printable ASCII characters other than '='"
        return [status.invalid_field(f"{path}.name", name, why)]
    if variable.get("valueFrom") and variable.get("value"):
        return [status.invalid_field(f"{path}.valueFrom", "", "may not be specified when `value` is not empty")]
    return []
