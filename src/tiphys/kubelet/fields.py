"""Which fields of a pod are honoured here, which have nothing to act on, and which are refused. Data and a check. Pure.

A field that is not in these tables is refused with its path: a pod never runs with a part of what it asks for missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tiphys.errors import SpecError

__all__ = ["check"]

_POD = frozenset((
    "activeDeadlineSeconds", "containers", "hostname", "initContainers", "nodeName", "restartPolicy", "securityContext",
    "serviceAccountName", "terminationGracePeriodSeconds", "volumes",
))  # fmt: skip
# There is one node, the network and process table are the host's, and nothing is pulled.
_POD_WITHOUT_EFFECT = frozenset((
    "affinity", "automountServiceAccountToken", "dnsPolicy", "enableServiceLinks", "hostIPC", "hostNetwork", "hostPID",
    "imagePullSecrets", "nodeSelector", "os", "overhead", "preemptionPolicy", "priority", "priorityClassName",
    "schedulerName", "serviceAccount", "setHostnameAsFQDN", "shareProcessNamespace", "subdomain", "tolerations",
    "topologySpreadConstraints",
))  # fmt: skip
_CONTAINER = frozenset((
    "args", "command", "env", "envFrom", "image", "name", "resources", "securityContext", "terminationMessagePath",
    "terminationMessagePolicy", "volumeMounts", "workingDir",
))  # fmt: skip
_CONTAINER_WITHOUT_EFFECT = frozenset(("imagePullPolicy", "ports", "resizePolicy", "stdin", "stdinOnce"))
_SECURITY = frozenset((
    "allowPrivilegeEscalation", "capabilities", "readOnlyRootFilesystem", "runAsGroup", "runAsNonRoot", "runAsUser",
))  # fmt: skip
# Volumes belong to the user the processes run as, which is what fsGroup is for; the profiles are the host's.
_SECURITY_WITHOUT_EFFECT = frozenset((
    "appArmorProfile", "fsGroup", "fsGroupChangePolicy", "seLinuxChangePolicy", "seLinuxOptions", "seccompProfile",
))  # fmt: skip
_MOUNT = frozenset(("mountPath", "name", "readOnly", "subPath", "subPathExpr"))
_MOUNT_WITHOUT_EFFECT = frozenset(("mountPropagation", "recursiveReadOnly"))


def check(spec: Mapping[str, Any], uid: int, gid: int, namespaces: bool) -> None:
    """Refuse what cannot be honoured.

    Args:
        uid, gid: of the user that the pod's processes will run as.
        namespaces: containers have a view of the file system of their own.

    Raises:
        SpecError: names the field and why.
    """
    _only(spec, _POD | _POD_WITHOUT_EFFECT, "spec")
    _security(spec.get("securityContext") or {}, "spec.securityContext", uid, gid, namespaces)
    for path, container in _containers(spec):
        _only(container, _CONTAINER | _CONTAINER_WITHOUT_EFFECT, path)
        _security(container.get("securityContext") or {}, f"{path}.securityContext", uid, gid, namespaces)
        for index, mount in enumerate(container.get("volumeMounts") or ()):
            _only(mount, _MOUNT | _MOUNT_WITHOUT_EFFECT, f"{path}.volumeMounts[{index}]")


def _containers(spec: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for kind in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(kind) or ()):
            yield f"spec.{kind}[{index}]", container


def _only(value: Mapping[str, Any], known: frozenset[str], path: str) -> None:
    for name, given in value.items():
        if name not in known and given not in (None, False, "", [], {}):
            raise SpecError(f"not supported by this kubelet: {path}.{name}", f"{path}.{name}")


def _security(context: Mapping[str, Any], path: str, uid: int, gid: int, namespaces: bool) -> None:
    _only(context, _SECURITY | _SECURITY_WITHOUT_EFFECT, path)
    for name, ours in (("runAsUser", uid), ("runAsGroup", gid)):
        wanted = context.get(name)
        if wanted is not None and wanted != ours:
            why = f"pods run as the user of the kubelet here ({ours})"
            raise SpecError(f"not supported by this kubelet: {path}.{name}: {wanted}: {why}", f"{path}.{name}")
    if context.get("runAsNonRoot") and uid == 0:
        why = "container has runAsNonRoot and the kubelet runs as root: start tiphys as an ordinary user"
        raise SpecError(f"{path}.runAsNonRoot: {why}", f"{path}.runAsNonRoot")
    capabilities = context.get("capabilities") or {}
    if capabilities.get("add") or (uid == 0 and set(capabilities.get("drop") or ()) - {"ALL"}):
        raise SpecError(
            f"not supported by this kubelet: {path}.capabilities (only drop: [ALL])", f"{path}.capabilities"
        )
    if context.get("readOnlyRootFilesystem") and not namespaces:
        raise SpecError(f"{path}.readOnlyRootFilesystem: needs mount namespaces (see tiphys doctor)", path)
