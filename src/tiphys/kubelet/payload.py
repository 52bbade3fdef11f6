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
        directory: of the volume.
        files: `path` (relative, may have directories), `data` (base64), `mode`.
        version: names this content; must differ from the one before.
    """
    content = f"{directory}/..{version}"
    os.mkdir(content, 0o755)
    for file in files:
        path = f"{content}/{file['path']}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            _write_whole(fd, binascii.a2b_base64(file["data"]))
            os.fchmod(fd, file["mode"])
        finally:
            os.close(fd)
    data = f"{directory}/..data"
    before = os.readlink(data) if os.path.islink(data) else ""
    if os.path.islink(f"{data}_tmp"):  # of a writer that was killed here
        os.unlink(f"{data}_tmp")
    os.symlink(f"..{version}", f"{data}_tmp")
    os.rename(f"{data}_tmp", data)
    for name in {file["path"].split("/")[0] for file in files}:
        if not os.path.lexists(f"{directory}/{name}"):
            os.symlink(f"..data/{name}", f"{directory}/{name}")
    if before:
        remove_tree(f"{directory}/{before}")


def _write_whole(fd: int, data: bytes) -> None:
    """Half a secret is none: a file system that has no room for all of it says so at the next write."""
    while data:
        data = data[os.write(fd, data) :]


def remove_tree(path: str) -> None:
    """Remove a directory and all in it, also what its owner may not write to; nothing is done where it is not there.

    However deep it is: what lies deeper than the second level is moved up first, so that no path grows too long.
    """
    if os.path.islink(path) or not os.path.isdir(path):
        return
    moved = 0
    while directories := _emptied(path):
        for name in directories:
            for below in _emptied(f"{path}/{name}"):
                while os.path.lexists(f"{path}/{moved}"):
                    moved += 1
                os.chmod(f"{path}/{name}/{below}", 0o700)  # moving a directory writes to it: its `..`
                os.rename(f"{path}/{name}/{below}", f"{path}/{moved}")
            os.rmdir(f"{path}/{name}")
    os.rmdir(path)


def _emptied(path: str) -> list[str]:
    """Remove all but directories from a directory; the names of those."""
    os.chmod(path, 0o700)
    directories = []
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                directories.append(entry.name)
            else:
                os.unlink(entry.path)
    return directories
