"""What `tiphys up` is told: by flags, and by `config.yaml` in the data directory. Reading it; nothing acts on it here.

secretStores: {nautobot: "file:/etc/tiphys/nautobot.yaml"}
hostPaths: [/srv/firmware]
images:
- pattern: "docker.io/library/python:3.12*"
  env: {PATH: "/opt/python3.12/bin:/usr/bin:/bin"}
  command: [python3]
  workingDir: /
pods: 110
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tiphys.errors import TiphysError, UsageError
from tiphys.kit import yaml
from tiphys.kubelet.settings import DEFAULT_PATH, Image

__all__ = ["FILE", "Settings"]

FILE = "config.yaml"
_KEYS = ("hostPaths", "images", "pods", "secretStores")
_IMAGE_KEYS = ("command", "env", "pattern", "workingDir")


@dataclass(frozen=True, slots=True)
class Settings:
    """See the module.

    Attributes:
        data_dir: everything that is kept; made if it is missing.
        port: of the API; 0 for the one used last here, or a free one.
        secret_stores: stores of this machine that stand in for others, e.g. `nautobot=file:/etc/nautobot.yaml`.
        host_paths: what hostPath volumes may show of this machine, and below.
        images: command environments that stand for images.
        pods: whose processes may live at the same time.
    """

    data_dir: Path
    port: int = 0
    secret_stores: tuple[str, ...] = ()
    host_paths: tuple[str, ...] = ()
    images: tuple[Image, ...] = ()
    pods: int = 110

    @classmethod
    def read(
        cls, data_dir: Path, port: int = 0, secret_stores: tuple[str, ...] = (), host_paths: tuple[str, ...] = ()
    ) -> Settings:
        """The file's settings, where there is one, and those of the flags after them.

        Raises:
            UsageError: the file has something that cannot be read, or that nobody knows.
        """
        path = data_dir / FILE
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            text = b"{}"
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}") from error
        try:
            value = yaml.load(text) or {}
        except TiphysError as error:
            raise UsageError(f"{path}: {error}") from error
        found = _checked(value, _KEYS, str(path))
        stores = _checked(found.get("secretStores", {}), None, f"{path}: secretStores")
        pods = found.get("pods", 110)
        if type(pods) is not int or pods < 1:
            raise UsageError(f"{path}: pods: {pods!r} is not a number of 1 or more")
        return cls(
            data_dir,
            port,
            (*(f"{name}={source}" for name, source in stores.items()), *secret_stores),
            (*_strings(found.get("hostPaths", []), f"{path}: hostPaths"), *host_paths),
            tuple(_image(entry, f"{path}: images[{index}]") for index, entry in enumerate(found.get("images", []))),
            pods,
        )


def _image(entry: Any, where: str) -> Image:
    known = _checked(entry, _IMAGE_KEYS, where)
    pattern = known.get("pattern")
    if not isinstance(pattern, str) or not pattern:
        raise UsageError(f'{where}.pattern: name the images it stands for, e.g. pattern: "python:3.12*"')
    env = {"PATH": DEFAULT_PATH, **_checked(known.get("env", {}), None, f"{where}.env")}
    command = _strings(known["command"], f"{where}.command") if "command" in known else None
    return Image(pattern, tuple((k, str(v)) for k, v in env.items()), command, str(known.get("workingDir") or "/"))


def _checked(value: Any, keys: tuple[str, ...] | None, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"{where}: a mapping is expected, not {type(value).__name__}")
    for key in value:
        if keys is not None and key not in keys:
            raise UsageError(f"{where}: {key!r} is no setting; there are: {', '.join(keys)}")
    return value


def _strings(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise UsageError(f"{where}: a list of strings is expected")
    return tuple(value)
