"""Where a user's files lie."""

from __future__ import annotations

import pwd
from pathlib import Path

import pytest

from tiphys.errors import UsageError
from tiphys.kit.places import below_home


def _state(**environ: str) -> Path:
    return below_home(environ, "XDG_STATE_HOME", ".local/state", instead="--state-dir")


def test_the_variable_names_the_place_but_a_relative_one_is_ignored() -> None:
    assert _state(XDG_STATE_HOME="/s", HOME="/h") == Path("/s")
    assert _state(XDG_STATE_HOME="s", HOME="/h") == Path("/h/.local/state")
    assert _state(HOME="/h") == Path("/h/.local/state")


def test_a_user_without_a_home_is_told_what_to_do(monkeypatch) -> None:
    def unknown(_uid: int) -> None:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    with pytest.raises(UsageError, match=r"no home directory: set HOME; or name the place by --state-dir$"):
        _state()
