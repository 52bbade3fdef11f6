"""From an image's name to the local commands that stand for it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from tiphys.kubelet.settings import Image

__all__ = ["lookup"]


def lookup(name: str, table: Sequence[Image], default: Image) -> Image:
    """The first entry whose pattern matches the image's name, whole or without its tag or digest."""
    bare = name.partition("@")[0]
    head, slash, last = bare.rpartition("/")
    bare = f"{head}{slash}{last.partition(':')[0]}"
    for image in table:
        if fnmatchcase(name, image.pattern) or fnmatchcase(bare, image.pattern):
            return image
    return default
