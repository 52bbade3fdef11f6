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
    kinds = [name for name, given in volume.items() if name != "name" and given is not None]
    if not kinds:
        return "emptyDir"
    if len(kinds) > 1:
        why = f"may not specify more than 1 volume type ({', '.join(kinds)})"
        raise SpecError(f'volume "{volume.get("name", "")}": {why}', f"spec.volumes.{kinds[1]}")
    if kinds[0] not in _KNOWN:
        why = f"volumes of this kind are not supported by this kubelet (there are {', '.join(_KNOWN)})"
        raise SpecError(f'volume "{volume.get("name", "")}": {kinds[0]}: {why}', f"spec.volumes.{kinds[0]}")
    return kinds[0]


def token_requests(spec: Mapping[str, Any]) -> list[TokenRequest]:
    """The tokens a pod needs."""
    return [
        TokenRequest(
            volume["name"],
            _required(source["serviceAccountToken"], "path", f'volume "{volume["name"]}": serviceAccountToken'),
            source["serviceAccountToken"].get("audience") or "",
            int(source["serviceAccountToken"].get("expirationSeconds") or 3600),
        )
        for volume in spec.get("volumes") or ()
        for source in (volume.get("projected") or {}).get("sources") or ()
        if source.get("serviceAccountToken") is not None
    ]


def _required(value: Mapping[str, Any], field: str, where: str) -> str:
    given = value.get(field)
    if not given or not isinstance(given, str):
        raise SpecError(f"{where}.{field}: Required value", field)
    return given


def _mode(value: Mapping[str, Any], field: str, volume: str) -> int | None:
    mode = value.get(field)
    if mode is not None and not 0 <= mode <= 0o777:
        raise SpecError(
            f'volume "{volume}": {field}: must be a number between 0 and 0777 (octal), both inclusive', field
        )
    return mode


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
    mode = _mode(given, "defaultMode", name)
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
    kinds = [key for key, value in part.items() if value is not None]
    if len(kinds) != 1:
        raise SpecError(f'volume "{volume}": a projected source must have one kind, not {kinds}', "projected.sources")
    kind, given = kinds[0], part[kinds[0]]
    if kind == "serviceAccountToken":
        return [(given["path"], tokens[volume, given["path"]].encode(), None)]
    if kind == "downwardAPI":
        items = _items(given, volume, keys=False)
        return [(path, _downward(pod, item).encode(), mode) for item, path, mode in items]
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
    items = _items(given, volume, keys=True)
    if not items:
        return [(key, data, None) for key, data in entries.items()]
    missing = [item["key"] for item, _, _ in items if item["key"] not in entries]
    if missing and not optional:
        why = f"references non-existent {'secret' if kind == 'secret' else 'config'} key: {missing[0]}"
        raise MissingSourceError(f'MountVolume.SetUp failed for volume "{volume}" : {why}')
    return [(path, entries[item["key"]], mode) for item, path, mode in items if item["key"] in entries]


def _items(given: Mapping[str, Any], volume: str, *, keys: bool) -> list[tuple[Mapping[str, Any], str, int | None]]:
    """Each of `items` with its path and mode."""
    found = []
    for index, item in enumerate(given.get("items") or ()):
        where = f'volume "{volume}": items[{index}]'
        if keys:
            _required(item, "key", where)
        found.append((item, _required(item, "path", where), _mode(item, "mode", volume)))
    return found


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
