"""Which provider a URL means: those of Tiphys, and those of other packages by the entry points `tiphys.credentials`."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast

from tiphys.credentials.options import Options
from tiphys.credentials.provider import Provider
from tiphys.errors import TiphysError, UsageError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

__all__ = ["GROUP", "Opener", "is_url", "open_provider", "schemes"]

GROUP = "tiphys.credentials"
"""Entry points: the name is the scheme, the object an `Opener`."""

Opener = Callable[[Options], Provider]

# Loaded when they are used: a command on a laptop loads no HTTP client of Vault's.
_OURS = {
    "command": "tiphys.credentials.command",
    "dir": "tiphys.credentials.directory",
    "encrypted": "tiphys.credentials.encrypted",
    "env": "tiphys.credentials.environment",
    "kubernetes": "tiphys.credentials.kubernetes",
    "nautobot": "tiphys.credentials.nautobot",
    "nautobot+http": "tiphys.credentials.nautobot",
    "vault": "tiphys.credentials.vault",
    "vault+http": "tiphys.credentials.vault",
}
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):")


def is_url(text: str) -> bool:
    """Whether this names a place by a URL with a scheme that is known; a file of such a name is `./…`."""
    found = _SCHEME.match(text)
    return bool(found and found[1] in schemes())


def schemes() -> list[str]:
    """All that are known, sorted."""
    return sorted({*_OURS, *_of_others().names})


def open_provider(url: str, environ: Mapping[str, str] = os.environ) -> Provider:
    """The provider of a URL: nothing is asked of it yet.

    Raises:
        UsageError: no such scheme, an option that it does not know, or a package that it needs and that is not there.
    """
    found = _SCHEME.match(url)
    if not found:
        raise UsageError(f"--store {url}: a URL is needed that begins with one of {_listed()}")
    opener = _opener(found[1], url)
    options = Options.of(url, environ)
    provider = opener(options)
    options.done()
    return provider


def _opener(scheme: str, url: str) -> Opener:
    if scheme in _OURS:
        return cast(Opener, importlib.import_module(_OURS[scheme]).opened)
    points = list(_of_others().select(name=scheme))
    if not points:
        raise UsageError(f"--store {url.partition('?')[0]}: {scheme!r} is not known; there are {_listed()}")
    try:
        return cast(Opener, points[0].load())
    except TiphysError:
        raise
    except (ImportError, AttributeError) as error:
        raise UsageError(f"the provider {scheme!r} ({points[0].value}) cannot be loaded: {error}") from error


def _of_others() -> EntryPoints:
    from importlib import metadata  # 15 ms, and a file or a folder needs none

    return metadata.entry_points(group=GROUP)


def _listed() -> str:
    return ", ".join(f"{scheme}:" for scheme in schemes())
