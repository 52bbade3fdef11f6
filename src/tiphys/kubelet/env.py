"""A container's environment and command line, by Kubernetes' rules. Pure.

Called by `plan`. Values come from `Sources`, what of the cluster the pod refers to, read beforehand.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tiphys.errors import SpecError
from tiphys.kube.objects.quantities import milli

__all__ = ["ConfigError", "Sources", "decoded", "environment", "expand", "field_value", "resource_value"]

_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['([^']*)'\]")


class ConfigError(Exception):
    """The container waits with CreateContainerConfigError: something it refers to is not there yet."""


@dataclass(frozen=True, slots=True)
class Sources:
    """The ConfigMaps and Secrets of the pod's namespace that it names, by name; None for one that is not there."""

    config_maps: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)
    secrets: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)


def decoded(kind: str, value: Mapping[str, Any]) -> dict[str, bytes]:
    """The entries of a ConfigMap ("configmap") or Secret ("secret") as bytes."""
    if kind == "secret":
        return {key: base64.b64decode(text or "") for key, text in (value.get("data") or {}).items()}
    entries = {key: str(text).encode() for key, text in (value.get("data") or {}).items()}
    return entries | {key: base64.b64decode(text) for key, text in (value.get("binaryData") or {}).items()}


def expand(text: str, env: Mapping[str, str]) -> str:
    """`$(NAME)` replaced where the variable is known; `$$` is a dollar sign, so `$$(NAME)` stays `$(NAME)`."""
    if "$" not in text:
        return text

    def value(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        return env.get(found[1], found[0])

    return _REFERENCE.sub(value, text)


def environment(
    pod: Mapping[str, Any],
    container: Mapping[str, Any],
    base: Mapping[str, str],
    sources: Sources,
) -> dict[str, str]:
    """The variables of a container, later ones over earlier: base, envFrom, env.

    Any key is a name, as in Kubernetes since 1.32 (RelaxedEnvironmentVariableValidation).

    Args:
        base: what the image, the node and the cluster give.

    Raises:
        ConfigError: a ConfigMap, a Secret or a key that is not optional is not there.
        SpecError: a field that cannot be a variable's source.
    """
    env = dict(base)
    for source in container.get("envFrom") or ():
        env |= _from_all(pod, source, sources)
    given: dict[str, str] = {}
    for variable in container.get("env") or ():
        name = variable["name"]
        if variable.get("valueFrom"):
            value = _from_one(pod, container, variable["valueFrom"], sources)
            if value is None:
                continue
        else:
            value = expand(str(variable.get("value") or ""), env | given)
        given[name] = value
    return env | given


def _from_all(pod: Mapping[str, Any], source: Mapping[str, Any], sources: Sources) -> dict[str, str]:
    secret = source.get("secretRef")
    kind, ref = ("secret", secret) if secret else ("configmap", source.get("configMapRef") or {})
    prefix = source.get("prefix") or ""
    entries = _entries(pod, kind, ref, sources) or {}
    return {f"{prefix}{key}": value.decode(errors="replace") for key, value in entries.items()}


def _entries(pod: Mapping[str, Any], kind: str, ref: Mapping[str, Any], sources: Sources) -> dict[str, bytes] | None:
    """All entries; None where the object is not there and need not be."""
    value = (sources.secrets if kind == "secret" else sources.config_maps).get(ref.get("name", ""))
    if value is not None:
        return decoded(kind, value)
    if ref.get("optional"):
        return None
    raise ConfigError(f'{kind} "{ref.get("name", "")}" not found')


def _from_one(
    pod: Mapping[str, Any], container: Mapping[str, Any], source: Mapping[str, Any], sources: Sources
) -> str | None:
    if "fieldRef" in source:
        return field_value(pod, source["fieldRef"].get("fieldPath", ""))
    if "resourceFieldRef" in source:
        return resource_value(container, source["resourceFieldRef"])
    for field_name, kind in (("configMapKeyRef", "configmap"), ("secretKeyRef", "secret")):
        if ref := source.get(field_name):
            entries = _entries(pod, kind, ref, sources)
            if entries is None or (ref.get("key", "") not in entries and ref.get("optional")):
                return None
            if ref.get("key", "") not in entries:
                where = f"{pod['metadata'].get('namespace', '')}/{ref.get('name', '')}"
                what = "ConfigMap" if kind == "configmap" else "Secret"
                raise ConfigError(f"couldn't find key {ref.get('key', '')} in {what} {where}")
            return entries[ref["key"]].decode(errors="replace")
    raise SpecError(f"env valueFrom {', '.join(source) or '{}'}: not supported here", "valueFrom")


def field_value(pod: Mapping[str, Any], path: str) -> str:
    """A fieldRef of the downward API.

    Raises:
        SpecError: Kubernetes knows no such path.
    """
    meta, spec = pod["metadata"], pod.get("spec") or {}
    if found := _SUBSCRIPT.fullmatch(path):
        return str((meta.get(found[1]) or {}).get(found[2], ""))
    if path in ("metadata.labels", "metadata.annotations"):
        entries = meta.get(path.removeprefix("metadata.")) or {}
        return "\n".join(f'{key}="{_quoted(str(value))}"' for key, value in sorted(entries.items()))
    known = {
        "metadata.name": meta.get("name"),
        "metadata.namespace": meta.get("namespace"),
        "metadata.uid": meta.get("uid"),
        "spec.nodeName": spec.get("nodeName") or "local",
        "spec.serviceAccountName": spec.get("serviceAccountName"),
        "status.hostIP": "127.0.0.1",
        "status.hostIPs": "127.0.0.1",
        "status.podIP": "127.0.0.1",
        "status.podIPs": "127.0.0.1",
    }
    if path not in known:
        raise SpecError(f'unsupported fieldPath: "{path}"', "fieldRef.fieldPath")
    return str(known[path] or "")


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def resource_value(container: Mapping[str, Any], ref: Mapping[str, Any]) -> str:
    """A resourceFieldRef: the limit or request, in units of `divisor`, rounded up; 0 where none is set.

    Raises:
        SpecError: no resource has that name.
    """
    name = ref.get("resource", "")
    kind, dot, resource = name.partition(".")
    if not dot or kind not in ("limits", "requests"):
        raise SpecError(f'unsupported resource "{name}"', "resourceFieldRef.resource")
    resources = container.get("resources") or {}
    amount = (resources.get(kind) or {}).get(resource)
    if amount is None and kind == "requests":
        amount = (resources.get("limits") or {}).get(resource)
    unit = milli(ref.get("divisor") or "1") or 1000
    return str(-(-milli(amount if amount is not None else 0) // unit))
