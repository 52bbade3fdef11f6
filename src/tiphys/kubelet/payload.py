"""Files of secret, configMap, downwardAPI and projected volumes, as Kubernetes lays them out; for shim and kubelet.

`key -> ..data/key`, `..data -> ..NAME`: a new content is made beside the old one and appears as a whole.
"""

from __future__ import annotations

import binascii
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["remove_tree", "write_payload"]


def write_payload(directory: str, files: list[dict[str, Any]], version: str) -> None:
    """Put the files in place of those that are there.

    Args:
        directory: of the volume; made when missing.
        files: `path` (relative, may have directories), `data` (base64), `mode`.
        version: names this content; must differ from the one before.
    """
    content = f"{directory}/..{version}"
    os.makedirs(content, 0o755)
    for file in files:
        path = f"{content}/{file['path']}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, binascii.a2b_base64(file["data"]))
            os.fchmod(fd, file["mode"])
        finally:
            os.close(fd)
    data = f"{directory}/..data"
    before = os.readlink(data) if os.path.islink(data) else ""
    os.symlink(f"..{version}", f"{data}_tmp")
    os.rename(f"{data}_tmp", data)
    for name in {file["path"].split("/")[0] for file in files}:
        if not os.path.lexists(f"{directory}/{name}"):
            os.symlink(f"..data/{name}", f"{directory}/{name}")
    if before:
        remove_tree(f"{directory}/{before}")


def remove_tree(path: str) -> None:
    """Remove a directory and all in it, also what its owner may not write to; nothing is done where it is not there."""
    try:
        entries = list(os.scandir(path))
    except PermissionError:
        os.chmod(path, 0o700)
        entries = list(os.scandir(path))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            remove_tree(entry.path)
        else:
            try:
                os.unlink(entry.path)
            except PermissionError:
                os.chmod(path, 0o700)
                os.unlink(entry.path)
    try:
        os.rmdir(path)
    except PermissionError:
        os.chmod(os.path.dirname(path), 0o700)
        os.rmdir(path)
