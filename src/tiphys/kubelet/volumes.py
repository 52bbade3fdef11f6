"""What the volumes of a pod hold: files of Secrets, ConfigMaps, the downward API and tokens; directories. Pure.

Called by `plan` and, for a token that is renewed while the pod runs, by the kubelet.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tiphys.errors import SpecError
from tiphys.kubelet.env import Sources, decoded, field_value, resource_value

__all__ = ["MissingSourceError", "TokenRequest", "contents", "host_path", "in_memory", "kind_of", "token_requests"]

_MODE = 0o644
_KNOWN = ("configMap", "downwardAPI", "emptyDir", "hostPath", "projected", "secret")


class MissingSourceError(Exception):
    """The volume cannot be set up yet; Kubernetes' words, as in its FailedMount event."""


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A service account token that a projected volume holds."""

    volume: str
    path: str
    audience: str
    seconds: int


def kind_of(volume: Mapping[str, Any]) -> str:
    """`emptyDir`, `secret`, …

    Raises:
        SpecError: a kind that there is not here; the message names it.
    """
    kinds = [name for name in volume if name != "name"]
    if not kinds:
        return "emptyDir"
    if kinds[0] not in _KNOWN:
        why = f"volumes of this kind are not supported by this kubelet (there are {', '.join(_KNOWN)})"
        raise SpecError(f'volume "{volume.get("name", "")}": {kinds[0]}: {why}', f"spec.volumes.{kinds[0]}")
    return kinds[0]


def token_requests(spec: Mapping[str, Any]) -> list[TokenRequest]:
    """The tokens a pod needs."""
    return [
        TokenRequest(
            volume["name"],
            source["serviceAccountToken"]["path"],
            source["serviceAccountToken"].get("audience") or "",
            int(source["serviceAccountToken"].get("expirationSeconds") or 3600),
        )
        for volume in spec.get("volumes") or ()
        for source in (volume.get("projected") or {}).get("sources") or ()
        if "serviceAccountToken" in source
    ]


def host_path(volume: Mapping[str, Any], allowed: Sequence[str]) -> tuple[str, bool]:
    """Path of a hostPath volume, and whether it is to be made when missing.

    Raises:
        SpecError: the settings do not allow it, or its type is another than a directory's or file's.
    """
    wanted = volume["hostPath"]
    path = str(wanted.get("path") or "")
    if ".." in path.split("/") or not any(path == p or path.startswith(p.rstrip("/") + "/") for p in allowed):
        may = ", ".join(allowed) or "none; see the setting host_paths"
        raise SpecError(f'volume "{volume["name"]}": hostPath {path} is not allowed (allowed: {may})', "hostPath.path")
    kind = wanted.get("type") or ""
    if kind not in ("", "Directory", "DirectoryOrCreate", "File"):
        raise SpecError(f'volume "{volume["name"]}": hostPath type {kind} is not supported', "hostPath.type")
    return path, kind == "DirectoryOrCreate"


def in_memory(volume: Mapping[str, Any]) -> bool:
    """Whether an emptyDir is to lie in memory.

    Raises:
        SpecError: it asks for another medium.
    """
    medium = (volume.get("emptyDir") or {}).get("medium") or ""
    if medium not in ("", "Memory"):
        raise SpecError(f'volume "{volume["name"]}": emptyDir medium {medium} is not supported', "emptyDir.medium")
    return bool(medium)


def contents(
    pod: Mapping[str, Any], volume: Mapping[str, Any], sources: Sources, tokens: Mapping[tuple[str, str], str]
) -> list[dict[str, Any]] | None:
    """The files of a volume as `payload.write_payload` takes them; None for a directory.

    Args:
        tokens: by volume and path.

    Raises:
        MissingSourceError: an object or key that is not optional is not there.
        SpecError: the volume asks for what there is not.
    """
    kind, name = kind_of(volume), volume["name"]
    if kind in ("emptyDir", "hostPath"):
        return None
    given = volume[kind]
    mode = given.get("defaultMode")
    mode = _MODE if mode is None else mode
    parts = given.get("sources") or () if kind == "projected" else ({kind: given},)
    files: dict[str, dict[str, Any]] = {}
    for part in parts:
        for path, data, own in _part(pod, name, part, sources, tokens):
            _safe(name, path)
            used = mode if own is None else own
            files[path] = {"path": path, "data": base64.b64encode(data).decode(), "mode": used}
    return list(files.values())


def _part(
    pod: Mapping[str, Any],
    volume: str,
    part: Mapping[str, Any],
    sources: Sources,
    tokens: Mapping[tuple[str, str], str],
) -> list[tuple[str, bytes, int | None]]:
    kind, given = next(iter(part.items()))
    if kind == "serviceAccountToken":
        return [(given["path"], tokens[volume, given["path"]].encode(), None)]
    if kind == "downwardAPI":
        return [(i["path"], _downward(pod, i).encode(), i.get("mode")) for i in given.get("items") or ()]
    if kind not in ("configMap", "secret"):
        raise SpecError(f'volume "{volume}": projected source {kind} is not supported by this kubelet', "projected")
    name = given.get("secretName") or given.get("name") or ""
    found = (sources.secrets if kind == "secret" else sources.config_maps).get(name)
    optional = bool(given.get("optional"))
    if found is None:
        if optional:
            return []
        raise MissingSourceError(f'MountVolume.SetUp failed for volume "{volume}" : {kind.lower()} "{name}" not found')
    entries = decoded(kind.lower(), found)
    items = given.get("items")
    if not items:
        return [(key, data, None) for key, data in entries.items()]
    missing = [item["key"] for item in items if item["key"] not in entries]
    if missing and not optional:
        why = f"references non-existent {'secret' if kind == 'secret' else 'config'} key: {missing[0]}"
        raise MissingSourceError(f'MountVolume.SetUp failed for volume "{volume}" : {why}')
    return [(i["path"], entries[i["key"]], i.get("mode")) for i in items if i["key"] in entries]


def _downward(pod: Mapping[str, Any], item: Mapping[str, Any]) -> str:
    if "fieldRef" in item:
        return field_value(pod, item["fieldRef"].get("fieldPath", ""))
    ref = item.get("resourceFieldRef") or {}
    spec = pod["spec"]
    every = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    container = next((c for c in every if c["name"] == ref.get("containerName")), None)
    if container is None:
        raise SpecError(f'downwardAPI: no container "{ref.get("containerName", "")}"', "resourceFieldRef.containerName")
    return resource_value(container, ref)


def _safe(volume: str, path: str) -> None:
    if path.startswith("/") or ".." in path.split("/") or path.split("/")[0].startswith(".."):
        raise SpecError(f'volume "{volume}": path {path!r} leads out of the volume', "items.path")
