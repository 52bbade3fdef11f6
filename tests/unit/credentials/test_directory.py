"""Records in files: compare-and-swap, durability, and who still lives."""

import os
import pathlib
import subprocess
import sys

import pytest

from tiphys.credentials.directory import DirectoryStore, process_gone, process_name
from tiphys.errors import StoreError
from tiphys.kit.redact import Secret
from tiphys.obm.record import Conflict, Passwords, Record


def test_the_second_of_two_writers_is_refused(tmp_path: pathlib.Path) -> None:
    one, other = DirectoryStore(tmp_path, "r1"), DirectoryStore(tmp_path, "r1")
    assert one.load_record() is None
    assert other.load_record() is None
    one.save_record(Record("r1", "first"))
    with pytest.raises(Conflict):
        other.save_record(Record("r1", "second"))
    assert other.load_record() == Record("r1", "first")
    other.save_record(Record("r1", "second"))
    with pytest.raises(Conflict):
        one.save_record(Record("r1", "third"))


def test_passwords_are_kept_from_others(tmp_path: pathlib.Path) -> None:
    store = DirectoryStore(tmp_path / "new" / "folder", "r1")
    assert store.load_passwords() == Passwords()
    store.save_passwords(Passwords("root", Secret("hunter2")))
    assert DirectoryStore(tmp_path / "new" / "folder", "r1").load_passwords() == Passwords("root", Secret("hunter2"))
    assert {file.stat().st_mode & 0o077 for file in (tmp_path / "new" / "folder").iterdir()} == {0}


def test_a_damaged_file_is_named(tmp_path: pathlib.Path) -> None:
    (tmp_path / "obm-record-r1.json").write_text("{")
    with pytest.raises(StoreError, match=r"obm-record-r1\.json is not a record"):
        DirectoryStore(tmp_path, "r1").load_record()


def test_who_still_lives() -> None:
    assert not process_gone(process_name())
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        start = pathlib.Path(f"/proc/{other.pid}/stat").read_text().rpartition(")")[2].split()[19]
        name = f"{os.uname().nodename}/{other.pid}/{start}"
        assert not process_gone(name)
        assert process_gone(f"{os.uname().nodename}/{other.pid}/1")  # another process that had this pid
    assert process_gone(name)
    assert not process_gone("elsewhere/1/1")
    assert not process_gone("anything")
