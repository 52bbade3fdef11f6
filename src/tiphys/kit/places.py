"""Where a user's files lie, by the XDG Base Directory Specification."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from pathlib import Path

from tiphys.errors import UsageError

__all__ = ["below_home", "home"]


def below_home(environ: Mapping[str, str], variable: str, default: str, *, instead: str) -> Path:
    """The directory that `variable` names, else `default` below the home directory.

    A relative one is ignored (version 0.8 of the specification).

    Args:
        instead: what else names the place, for the message.

    Raises:
        UsageError: this user has no home.
    """
    named = Path(environ.get(variable, ""))
    return named if named.is_absolute() else home(environ, instead=instead) / default


def home(environ: Mapping[str, str], *, instead: str) -> Path:
    """$HOME, or what the list of users says.

    Raises:
        UsageError: this user has none, as in many containers.
    """
    try:
        return Path(environ.get("HOME") or pwd.getpwuid(os.getuid()).pw_dir).absolute()
    except KeyError as error:
        raise UsageError(f"this user has no home directory: set HOME; or name the place by {instead}") from error
