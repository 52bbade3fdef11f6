"""Manifests from files, directories, URLs and standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tiphys.cli.decoding import decoded
from tiphys.errors import TiphysError, UsageError
from tiphys.kit import yaml

__all__ = ["Source", "objects", "objects_of_kind", "read", "walk"]

Object = dict[str, Any]

_MANIFESTS = frozenset((".yaml", ".yml", ".json"))


class Source(NamedTuple):
    """A file's content, and what to call it."""

    name: str
    text: str


def read(paths: Sequence[str]) -> list[Source]:
    """The files; "-" alone is standard input, and a URL is fetched.

    Raises:
        UsageError: one that cannot be read.
    """
    if list(paths) == ["-"]:
        return [Source("stdin", sys.stdin.read())]
    return [Source(path, _fetched(path) if "://" in path else _text(Path(path))) for path in paths]


def walk(paths: Sequence[str]) -> Iterator[Source]:
    """The files, and the manifests (.yaml, .yml, .json) in the directories and below, in order of their names.

    Raises:
        UsageError: one that cannot be read.
    """
    for path in paths:
        root = Path(path)
        if path == "-":
            yield Source("stdin", sys.stdin.read())
        elif root.is_dir():
            for found in sorted(root.rglob("*")):
                if found.suffix in _MANIFESTS and found.is_file():
                    yield Source(str(found), _text(found))
        elif root.suffix in _MANIFESTS or path.startswith("/dev/"):
            yield Source(path, _text(root))
        elif not root.exists():
            raise UsageError(f"{path} does not exist")


def objects(source: Source) -> list[Object]:
    """The objects of a file, as Argo reads them; the items of a List each by itself.

    Raises:
        UsageError: it is not YAML.
    """
    found: list[Object] = []
    try:
        documents = yaml.load_all(source.text)
    except TiphysError as error:
        raise UsageError(f"{source.name} is not YAML: {error}") from error
    for document in documents:
        if isinstance(document, dict) and document.get("kind") == "List":
            found += [item for item in document.get("items") or () if isinstance(item, dict)]
        elif isinstance(document, dict):
            found.append(document)
    return [decoded(one) for one in found]


def objects_of_kind(paths: Sequence[str], kind: str, what: str) -> list[Object]:
    """The objects of a kind in the files; `what` is what people call them.

    Raises:
        UsageError: a file that cannot be read, or none of them has any.
    """
    found = [one for source in read(paths) for one in objects(source) if one.get("kind") == kind]
    if not found:
        raise UsageError(f"No {what} found in given files")
    for one in found:
        if not isinstance(one.get("metadata"), dict) or not isinstance(one.get("spec"), dict):
            raise UsageError(f"a {kind} in the given files has no metadata or no spec")
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise UsageError(f"open {path}: {(error.strerror or str(error)).lower()}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not text in UTF-8") from error


def _fetched(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise UsageError(f"{url} cannot be read: give a file, http:// or https://")
    import http.client
    import urllib.error
    import urllib.request
    from urllib.parse import urlsplit

    from tiphys.kit.network import trouble

    try:
        with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - the scheme was looked at
            text: str = answer.read().decode()
    except urllib.error.HTTPError as error:
        error.close()
        raise UsageError(f"{url} cannot be read: it answers {error.code} {error.reason}; check the address") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{url} is not text in UTF-8") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise UsageError(f"{url} cannot be read: {trouble(error, urlsplit(url).hostname or '')}") from error
    return text
