"""From a Pod and what it refers to, to a plan that a shim carries out: every value resolved, every path absolute. Pure.

Called by the kubelet. `references` says what must be read first; `make` does the rest. A plan holds secrets: it goes to
the shim in a memory file and is never logged or written to a disk.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tiphys.errors import SpecError
from tiphys.kit.codec import DecodeError, decode
from tiphys.kubelet import volumes
from tiphys.kubelet.env import ConfigError, Sources, environment, expand
from tiphys.kubelet.images import lookup
from tiphys.kubelet.settings import KubeletSettings

__all__ = [
    "CAPTURE",
    "ENDS_WITH",
    "Capture",
    "ContainerConfigError",
    "ContainerPlan",
    "Mount",
    "Place",
    "Plan",
    "Volume",
    "make",
    "references",
]

CAPTURE = "tiphys.io/capture"
"""Annotation: JSON list of {"name", "container", "file" | "stdout": true, "limit"}: read when the container ended."""
ENDS_WITH = "tiphys.io/ends-with"
"""Annotation: the container after whose end the others are terminated."""
_DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
_WORKFLOW = "workflows.argoproj.io/workflow"
_CAPTURE_LIMIT = 1 << 20


class ContainerConfigError(ConfigError):
    """`ConfigError` of a certain container."""

    def __init__(self, container: str, message: str) -> None:
        super().__init__(message)
        self.container = container


@dataclass(frozen=True, slots=True)
class Place:
    """Where the pod will run.

    Attributes:
        directory: of the pod, on disk; volumes that are directories lie in it.
        memory: of the pod, on a tmpfs; volumes that are files lie in it.
        home: the user's home directory.
        commands: names of the commands of this Python environment.
        kept: directories that are seen under their own path wherever they lie.
    """

    directory: str
    memory: str
    home: str = "/"
    commands: frozenset[str] = field(default_factory=frozenset)
    kept: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Volume:
    """`files` None: a directory, made when `create`."""

    name: str
    path: str
    files: list[dict[str, Any]] | None
    create: bool


@dataclass(frozen=True, slots=True)
class Mount:
    """A volume at a path of a container."""

    source: str
    sub_path: str
    path: str
    read_only: bool


@dataclass(frozen=True, slots=True)
class Capture:
    """What to read when a container has ended."""

    name: str
    container: str
    limit: int
    file: str = ""
    stdout: bool = False


@dataclass(frozen=True, slots=True)
class ContainerPlan:
    """A container, resolved."""

    name: str
    argv: list[str]
    env: dict[str, str]
    cwd: str
    mounts: list[Mount]
    termination_path: str
    termination_policy: str
    read_only_root: bool
    no_new_privileges: bool
    drop_capabilities: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """A pod, resolved. Seconds are counted from the start; `deadline` None: no limit.

    `memory` is the pod's directory on a tmpfs; it goes with the pod's processes.
    """

    uid: str
    namespace: str
    memory: str
    volumes: list[Volume]
    init: list[ContainerPlan]
    containers: list[ContainerPlan]
    restart_policy: str
    deadline: float | None
    grace: float
    ends_with: str
    captures: list[Capture]
    logs: dict[str, int]
    backoff: dict[str, float]
    root_bytes: int
    processes: int
    python: bool


def references(spec: Mapping[str, Any]) -> tuple[set[str], set[str]]:
    """Names of the ConfigMaps and of the Secrets that a pod refers to."""
    config_maps: set[str] = set()
    secrets: set[str] = set()
    for container in _all_containers(spec):
        for source in container.get("envFrom") or ():
            config_maps.add((source.get("configMapRef") or {}).get("name", ""))
            secrets.add((source.get("secretRef") or {}).get("name", ""))
        for variable in container.get("env") or ():
            value_from = variable.get("valueFrom") or {}
            config_maps.add((value_from.get("configMapKeyRef") or {}).get("name", ""))
            secrets.add((value_from.get("secretKeyRef") or {}).get("name", ""))
    for volume in spec.get("volumes") or ():
        for part in (volume, *((volume.get("projected") or {}).get("sources") or ())):
            config_maps.add((part.get("configMap") or {}).get("name", ""))
            secret = part.get("secret") or {}
            secrets.add(secret.get("secretName") or secret.get("name", ""))
    return config_maps - {""}, secrets - {""}


def _all_containers(spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]


def make(
    pod: Mapping[str, Any],
    settings: KubeletSettings,
    place: Place,
    sources: Sources,
    tokens: Mapping[tuple[str, str], str],
    *,
    deadline: float | None,
) -> Plan:
    """The plan of a pod.

    Args:
        tokens: service account tokens by volume and path.
        deadline: seconds left of activeDeadlineSeconds.

    Raises:
        ContainerConfigError, MissingSourceError: something the pod refers to is not there (yet).
        SpecError: the pod asks for what there is not; it names the field.
    """
    meta, spec = pod["metadata"], pod["spec"]
    made = [_volume(pod, volume, settings, place, sources, tokens) for volume in spec.get("volumes") or ()]
    by_name = {volume.name: volume for volume in made}
    captures = _captures(meta.get("annotations") or {})

    def containers(kind: str) -> list[ContainerPlan]:
        return [_container(pod, c, settings, place, by_name, sources) for c in spec.get(kind) or ()]

    return Plan(
        uid=meta["uid"],
        namespace=meta["namespace"],
        memory=place.memory,
        volumes=made,
        init=containers("initContainers"),
        containers=containers("containers"),
        restart_policy=spec.get("restartPolicy") or "Always",
        deadline=deadline,
        grace=float(_or(spec.get("terminationGracePeriodSeconds"), 30)),
        ends_with=_ends_with(meta),
        captures=captures,
        logs={"max_bytes": settings.logs.max_bytes, "max_files": settings.logs.max_files},
        backoff={"first": settings.limits.backoff_first, "longest": settings.limits.backoff_longest},
        root_bytes=settings.limits.root_bytes,
        processes=settings.limits.processes,
        python=any(_is_python(command, place) for command in _all_commands(spec)),
    )


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value


def _ends_with(meta: Mapping[str, Any]) -> str:
    annotations = meta.get("annotations") or {}
    if ENDS_WITH in annotations:
        return str(annotations[ENDS_WITH])
    # Argo's controller kills sidecars when the main container has ended; here the kubelet does.
    return str(annotations.get(_DEFAULT_CONTAINER, "")) if _WORKFLOW in (meta.get("labels") or {}) else ""


def _all_commands(spec: Mapping[str, Any]) -> list[str]:
    return [str(c["command"][0]) for c in _all_containers(spec) if c.get("command")]


def _is_python(command: str, place: Place) -> bool:
    """A guess, which costs only time where it is wrong: whether the warm interpreter can run it."""
    name = command.rpartition("/")[2]
    return name.startswith("python") or name in place.commands


def _captures(annotations: Mapping[str, str]) -> list[Capture]:
    if CAPTURE not in annotations:
        return []
    try:
        wanted = decode(annotations[CAPTURE])
        return [
            Capture(
                name=str(item["name"]),
                container=str(item.get("container") or "main"),
                limit=int(item.get("limit") or _CAPTURE_LIMIT),
                file=str(item.get("file") or ""),
                stdout=bool(item.get("stdout")),
            )
            for item in wanted
        ]
    except (DecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise SpecError(f"annotation {CAPTURE} is no list of what to capture: {error}", CAPTURE) from error


def _volume(
    pod: Mapping[str, Any],
    volume: Mapping[str, Any],
    settings: KubeletSettings,
    place: Place,
    sources: Sources,
    tokens: Mapping[tuple[str, str], str],
) -> Volume:
    name = str(volume["name"])
    kind = volumes.kind_of(volume)
    if kind == "hostPath":
        path, create = volumes.host_path(volume, settings.host_paths)
        return Volume(name, path, None, create)
    files = volumes.contents(pod, volume, sources, tokens)
    if files is None and not volumes.in_memory(volume):
        return Volume(name, f"{place.directory}/volumes/{name}", None, True)
    return Volume(name, f"{place.memory}/{name}", files, True)


def _container(
    pod: Mapping[str, Any],
    container: Mapping[str, Any],
    settings: KubeletSettings,
    place: Place,
    by_name: Mapping[str, Volume],
    sources: Sources,
) -> ContainerPlan:
    name = str(container["name"])
    image = lookup(str(container.get("image") or ""), settings.images, settings.default_image)
    base = {
        "HOME": place.home,
        **dict(image.env),
        "HOSTNAME": str(pod["spec"].get("hostname") or pod["metadata"]["name"])[:63].rstrip("-."),
        "KUBERNETES_SERVICE_HOST": settings.api_host,
        "KUBERNETES_SERVICE_PORT": str(settings.api_port),
        "KUBERNETES_SERVICE_PORT_HTTPS": str(settings.api_port),
    }
    try:
        env = environment(pod, container, base, sources)
    except ConfigError as error:
        raise ContainerConfigError(name, str(error)) from error
    command = container.get("command") or image.command
    argv = [expand(str(word), env) for word in (*(command or ()), *(container.get("args") or ()))]
    if command is None or not argv:
        where = f"spec.containers[{name}].command"
        why = f"what the image {container.get('image', '')!r} would run is not known here"
        mend = "give the container a command, or the image an entry in the settings (images: in config.yaml)"
        raise SpecError(f"{where}: {why}: {mend}", where)
    security = {**_without_user(pod["spec"].get("securityContext")), **(container.get("securityContext") or {})}
    return ContainerPlan(
        name=name,
        argv=argv,
        env=env,
        cwd=str(container.get("workingDir") or image.working_dir),
        mounts=[_mount(mount, by_name, env) for mount in container.get("volumeMounts") or ()],
        termination_path=str(container.get("terminationMessagePath") or "/dev/termination-log"),
        termination_policy=str(container.get("terminationMessagePolicy") or "File"),
        read_only_root=bool(security.get("readOnlyRootFilesystem")),
        no_new_privileges=security.get("allowPrivilegeEscalation") is False,
        drop_capabilities="ALL" in ((security.get("capabilities") or {}).get("drop") or ()),
    )


def _without_user(security: Mapping[str, Any] | None) -> dict[str, Any]:
    return {key: value for key, value in (security or {}).items() if not key.startswith("runAs")}


def _mount(mount: Mapping[str, Any], by_name: Mapping[str, Volume], env: Mapping[str, str]) -> Mount:
    name, given = str(mount.get("name")), str(mount.get("mountPath") or "")
    if name not in by_name:
        raise SpecError(f'volumeMounts: there is no volume "{name}" in spec.volumes', "volumeMounts.name")
    path = posixpath.normpath(given)  # `/dev/.` is /dev to whoever compares
    if not path.startswith("/") or path.strip("/") == "" or ".." in given.split("/"):
        raise SpecError(f"volumeMounts: mountPath {given!r} is not an absolute path below /", "volumeMounts.mountPath")
    sub_path = str(mount.get("subPath") or expand(str(mount.get("subPathExpr") or ""), env))
    if sub_path.startswith("/") or ".." in sub_path.split("/"):
        raise SpecError(f"volumeMounts: subPath {sub_path!r} leads out of the volume", "volumeMounts.subPath")
    volume = by_name[name]
    read_only = bool(mount.get("readOnly")) or volume.files is not None
    return Mount(volume.path, sub_path, f"/{path.lstrip('/')}", read_only)
