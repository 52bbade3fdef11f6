"""Every place for passwords does the same: those that need no server of somebody else's, and one of a third party."""

from __future__ import annotations

import os
import pathlib
import secrets
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from credentials_command import command
from tiphys.credentials.conformance import CHECKS, READ_ONLY_CHECKS, Subject, Violation
from tiphys.credentials.provider import ABSENT, Document, Key, Unclosed
from tiphys.obm.record import Conflict

PLACES = ("command", "dir", "encrypted", "kubernetes")


@pytest.fixture
def subject(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Subject:
    """A fresh place of a kind."""
    if request.param == "dir":
        return Subject(f"dir:{tmp_path}/new/folder")
    if request.param == "encrypted":
        return Subject(
            f"encrypted:{tmp_path}/fleet.store?key-env=FLEET_KEY", {**os.environ, "FLEET_KEY": secrets.token_hex(32)}
        )
    if request.param == "command":
        return Subject(command(tmp_path / "documents.json"))
    cluster: Any = request.getfixturevalue("cluster")
    return Subject(f"kubernetes:default?kubeconfig={cluster.kubeconfig}")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("subject", PLACES, indirect=True)
def test_a_place(subject: Subject, check: Callable[[Subject], None]) -> None:
    check(subject)


@pytest.mark.parametrize("check", READ_ONLY_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("place", ["env", "nautobot", "command"])
def test_a_place_that_can_only_be_read(place: str, check: Callable[[Subject], None], tmp_path: pathlib.Path) -> None:
    urls = {"env": "env:BMC", "nautobot": "nautobot://127.0.0.1:1", "command": command(tmp_path / "x", "read-only")}
    check(Subject(urls[place], {**os.environ, "NAUTOBOT_TOKEN": "x"}))


def test_the_checks_can_be_run_without_a_test_framework(tmp_path: pathlib.Path) -> None:
    module = [sys.executable, "-m", "tiphys.credentials.conformance"]
    done = subprocess.run([*module, "--read-only", "env:X"], capture_output=True, text=True, timeout=50)
    assert (done.returncode, done.stdout) == (0, '{\n  "a_write_is_refused_in_words": "ok"\n}\n')
    done = subprocess.run([*module, "--read-only", f"dir:{tmp_path}"], capture_output=True, text=True, timeout=50)
    assert done.returncode == 1
    assert "Violation: a place that can only be read did as if it had written" in done.stdout


# The checks themselves find what they are for


class Careless(Unclosed):
    """A place in memory, with one fault."""

    local = True

    def __init__(self, documents: dict[str, Document], fault: str) -> None:
        self.documents = documents
        self.fault = fault

    def where(self, key: Key) -> str:
        return key.name.lower()

    def read(self, key: Key) -> Document:
        return self.documents.get(self._name(key), ABSENT)

    def write(self, key: Key, values: dict[str, str], version: str) -> str:
        before = self.read(key)
        if before.version != version and self.fault != "no comparison":
            raise Conflict(f"{values} changed" if self.fault == "says values" else "changed")
        if self.fault == "merges":
            values = {**before.values, **values}
        if self.fault == "strips":
            values = {name: value.strip() for name, value in values.items()}
        version = "1" if self.fault == "one version" else str(int(version or 0) + 1)
        self.documents[self._name(key)] = Document(values, version)
        return version

    def _name(self, key: Key) -> str:
        return key.name[:36] if self.fault == "short names" else key.name


FAULTS = {
    "no comparison": "a_write_that_lost_the_race_is_refused",
    "one version": "a_write_that_lost_the_race_is_refused",
    "says values": "a_write_that_lost_the_race_is_refused",
    "merges": "a_document_is_replaced_whole",
    "strips": "odd_texts_come_back_as_they_were_or_are_refused",
    "short names": "names_are_not_mixed_up",
}


@pytest.mark.parametrize("fault", ["", *FAULTS])
def test_the_checks_find(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    documents: dict[str, Document] = {}
    monkeypatch.setattr("tiphys.credentials.conformance.open_provider", lambda *_: Careless(documents, fault))
    subject = Subject("careless:")
    found = set()
    for check in CHECKS:
        if check.__name__ in {"the_ledger_comes_back_as_it_was_written", *FAULTS.values()}:
            try:
                check(subject)
            except (Violation, Conflict):
                found.add(check.__name__)
    assert FAULTS.get(fault) in found if fault else not found


@pytest.mark.parametrize("fault", ["forgets", "counts twice"])
def test_the_checks_find_across_processes(fault: str, tmp_path: pathlib.Path) -> None:
    """An entry point of another package, installed in a folder of the test's own."""
    url, environ = third_party(tmp_path, fault)
    checks = {check.__name__: check for check in CHECKS}
    name = {"forgets": "a_write_survives_the_death_of_its_process", "counts twice": "concurrent_writers_lose_nothing"}[
        fault
    ]
    done = subprocess.run(
        [sys.executable, "-c", _ONE_CHECK, name, url], capture_output=True, text=True, timeout=50, env=environ
    )
    assert name in checks
    assert "Violation" in done.stderr, done.stderr


_ONE_CHECK = """
import sys
from tiphys.credentials import conformance
next(check for check in conformance.CHECKS if check.__name__ == sys.argv[1])(conformance.Subject(sys.argv[2]))
"""


def third_party(folder: pathlib.Path, fault: str = "") -> tuple[str, dict[str, str]]:
    """A package with a provider `theirs`, and the environment in which it is installed."""
    package = folder / "site"
    info = package / "theirs-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[tiphys.credentials]\ntheirs = theirs:opened\nbroken = theirs:missing\n")
    (package / "theirs.py").write_text(_THEIRS)
    return f"theirs:{folder}/documents?fault={fault}", {**os.environ, "PYTHONPATH": str(package)}


_THEIRS = """
import atexit
import contextlib
from tiphys.credentials.directory import DirectoryProvider
from tiphys.obm.record import Conflict


class Theirs(DirectoryProvider):
    def __init__(self, path, fault):
        super().__init__(path)
        self._fault = fault

    def write(self, key, values, version):
        if self._fault == "forgets" and "current" in values:
            atexit.register(super().write, key, values, version)
            return version + "x"
        while self._fault == "counts twice":
            with contextlib.suppress(Conflict):
                return super().write(key, values, self.read(key).version)
        return super().write(key, values, version)


def opened(options):
    return Theirs(options.path("theirs:PATH"), options.take("fault"))
"""


def test_a_provider_of_a_third_party_passes(tmp_path: pathlib.Path) -> None:
    url, environ = third_party(tmp_path)
    module = [sys.executable, "-m", "tiphys.credentials.conformance", url]
    done = subprocess.run(module, capture_output=True, text=True, timeout=58, env=environ)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_provider_that_cannot_be_loaded_is_named(tmp_path: pathlib.Path) -> None:
    _, environ = third_party(tmp_path)
    module = [sys.executable, "-m", "tiphys.credentials.conformance", "--read-only"]
    done = subprocess.run([*module, "broken:x"], capture_output=True, text=True, timeout=50, env=environ)
    assert "the provider 'broken' (theirs:missing) cannot be loaded" in done.stdout
    done = subprocess.run([*module, "nobodys:x"], capture_output=True, text=True, timeout=50, env=environ)
    assert "'nobodys' is not known; there are broken:, command:, dir:" in done.stdout
