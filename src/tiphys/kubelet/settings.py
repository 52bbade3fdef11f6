"""What the kubelet is told: where things lie, how images become commands, how much of everything."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

__all__ = ["DEFAULT_PATH", "Image", "KubeletSettings", "Limits", "Logs", "python_environment"]

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# What most Python steps import; loaded once, inherited by every fork.
_PRELOAD = (
    "argparse", "base64", "collections", "contextlib", "dataclasses", "datetime", "functools", "hashlib", "http.client",
    "importlib.machinery", "io", "itertools", "json", "logging", "os", "pathlib", "random", "re", "runpy", "shutil",
    "ssl", "string", "subprocess", "tempfile", "threading", "time", "traceback", "types", "typing", "urllib.parse",
    "urllib.request", "uuid",
)  # fmt: skip


def python_environment() -> tuple[str, ...]:
    """The directories of this Python environment, a checkout's too: every container sees them, wherever they lie."""
    roots = {sys.prefix, sys.base_prefix}
    beside = {path for path in sys.path if path.startswith("/") and Path(path).is_dir()}
    found = roots | {path for path in beside if not any(path.startswith(f"{root}/") for root in roots)}
    return tuple(sorted(found - {"/usr"}))


@dataclass(frozen=True, slots=True)
class Image:
    """The local command environment that stands for images.

    Attributes:
        pattern: of image names, as in a shell (`ghcr.io/*/argo_python*`); the first that matches is taken.
        env: variables the image would bring; PATH above all. `env` of the container wins.
        command: what the image would run when the container names no command, its args after it; () where the args
            alone are the command; None where that is not known: then the container must name one.
        working_dir: where it would run.
    """

    pattern: str
    env: tuple[tuple[str, str], ...] = ()
    command: tuple[str, ...] | None = None
    working_dir: str = "/"


@dataclass(frozen=True, slots=True)
class Logs:
    """Rotation of container logs, as the kubelet's containerLogMaxSize and containerLogMaxFiles."""

    max_bytes: int = 10 << 20
    max_files: int = 5


@dataclass(frozen=True, slots=True)
class Limits:
    """How much at once.

    Attributes:
        pods: whose processes may live at the same time; the others wait, first come, first served.
        starts: pods being started at the same time (fork, mounts, exec), where the processors are the bottleneck.
        processes: of a pod (and threads), where the kubelet is not root's.
        root_bytes: what a container may write outside its volumes and /tmp; kept in memory.
        running_after: seconds after which a pod that still runs is shown as Running; one that ends before is written
            once, at its end.
        backoff_first, backoff_longest: seconds between restarts of a container.
        retry_config: seconds between looks for a ConfigMap or Secret that a pod waits for.
    """

    pods: int = 110
    starts: int = 8
    processes: int = 4096
    root_bytes: int = 64 << 20
    running_after: float = 0.1
    backoff_first: float = 10.0
    backoff_longest: float = 300.0
    retry_config: float = 1.0


@dataclass(frozen=True, slots=True)
class KubeletSettings:
    """All of it.

    Attributes:
        root: the kubelet's own directory; made when missing. Pods' files, logs and records.
        api_port: of the API server on loopback, for KUBERNETES_SERVICE_PORT.
        memory: where files of secrets and tokens are kept while a pod runs: a tmpfs, never a disk.
        images: the image table; what it does not match gets `default_image`.
        default_image: this Python environment's commands, then the host's.
        open_files: the soft and the hard limit of pods; None for those of this process.
        hidden: a directory of the host that no container sees: the server's, with its keys; "" for none.
        host_paths: prefixes of the host that hostPath volumes may show; () for none.
        sandbox: "auto": mount namespaces where the kernel lets this user have them, else `paths`.
        preload: modules of the warm interpreter that Python steps are forked from; () for cold starts.
    """

    root: Path
    api_port: int
    api_host: str = "127.0.0.1"
    node_name: str = "local"
    memory: Path = Path("/dev/shm")  # noqa: S108 - a directory of our own, 0700, is made in it
    images: tuple[Image, ...] = ()
    default_image: Image = field(
        default=Image(
            "*",
            (("PATH", f"{Path(sys.executable).parent}:{DEFAULT_PATH}"), ("LANG", "C.UTF-8")),
        )
    )
    open_files: tuple[int, int] | None = None
    hidden: str = ""
    host_paths: tuple[str, ...] = ()
    sandbox: Literal["auto", "namespaces", "paths"] = "auto"
    preload: tuple[str, ...] = _PRELOAD
    logs: Logs = Logs()
    limits: Limits = Limits()
