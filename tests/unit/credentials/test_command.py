"""A program of the user's as the place for passwords: its contract, and what becomes of one that does not keep it."""

from __future__ import annotations

import json
import os
import pathlib
import sys

import pytest

from credentials_command import command
from tiphys.credentials.provider import Key
from tiphys.credentials.stores import open_provider
from tiphys.errors import StoreError, UsageError
from tiphys.obm.record import Conflict

KEY = Key("obm-passwords", "R1 (old)")


def test_no_secret_is_in_its_arguments_or_its_environment(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "documents.json"
    store = open_provider(command(path), {**os.environ, "OURS": "kept"})
    version = store.write(KEY, {"current": "hunter2"}, "")
    assert dict(store.read(KEY).values) == {"current": "hunter2"}
    with pytest.raises(Conflict):
        store.write(KEY, {"current": "hunter3"}, version + "0")
    calls = (tmp_path / "documents.json.calls").read_text()
    assert "hunter" not in calls
    assert all(json.loads(call)["environ"]["OURS"] == "kept" for call in calls.splitlines())


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("fail", r"^\S+ could not write obm-passwords-\S+: exit code 7: the safe is shut: \*\*\*$"),
        ("talk", "answered to write obm-passwords-.* with something that is no JSON object$"),
        ("read-only", "can only be read, and holds no more than the credentials on record; keep"),
        ("no-version", "gave no version for obm-passwords-"),
    ],
)
def test_one_that_does_otherwise_is_named(mode: str, said: str, tmp_path: pathlib.Path) -> None:
    with pytest.raises(StoreError, match=said) as caught:
        open_provider(command(tmp_path / "x", mode)).write(KEY, {"current": "hunter2"}, "")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(("mode", "said"), [("no-version", "gave no version"), ("numbers", "password must be a text")])
def test_an_answer_to_a_read_that_cannot_be_used(mode: str, said: str, tmp_path: pathlib.Path) -> None:
    with pytest.raises(StoreError, match=said) as caught:
        open_provider(command(tmp_path / "x", mode)).read(KEY)
    assert "12345" not in str(caught.value)


def test_one_that_does_not_answer_is_ended(tmp_path: pathlib.Path) -> None:
    with pytest.raises(StoreError, match="has not answered within 3 s and was ended"):
        open_provider(command(tmp_path / "x", "sleep", timeout="3")).read(KEY)
    pid = int((tmp_path / "x.pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("command:", "needs a path"),
        (f"command:{sys.executable}?timeout=soon", "timeout must be a number of seconds above 0"),
        (f"command:{sys.executable}?timeout=0", "timeout must be a number of seconds above 0"),
        (f"command:{sys.executable}?argument=x", "unknown: argument"),
    ],
)
def test_a_url_that_cannot_be_used(url: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        open_provider(url)


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(StoreError, match=r"^/nowhere/at-all cannot be run: No such file or directory$"):
        open_provider("command:/nowhere/at-all").read(KEY)


def test_one_that_reads_nothing_of_what_it_is_given() -> None:
    with pytest.raises(StoreError, match=r"could not write .*: exit code 1$"):
        open_provider("command:false").write(KEY, {"current": "x" * 1_000_000}, "")
