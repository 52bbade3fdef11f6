"""Records in files: compare-and-swap, durability, and who still lives."""

import os
import pathlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tiphys.credentials.directory import DirectoryProvider, DirectoryStore, process_gone, process_name
from tiphys.credentials.provider import Key
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
    with pytest.raises(StoreError, match=r"obm-record-r1\.json is not as it was written"):
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


KEY = Key("obm-passwords", "r1")


def test_a_write_that_was_cut_off_anywhere_leaves_what_was_there(tmp_path: pathlib.Path) -> None:
    store = DirectoryProvider(tmp_path)
    first = store.write(KEY, {"current": "a"}, "")
    file = tmp_path / "obm-passwords-r1.json"
    before = file.read_bytes()
    store.write_soon(KEY, {"current": "b"}, first)
    after = file.read_bytes()
    assert len(after) == len(before)
    begin, end = len(before.rstrip()), len(after.rstrip())
    cut = [after[:size] + before[size:] for size in range(begin, end)]
    for data in (*cut, *(after[:size] for size in range(begin, end))):
        file.write_bytes(data)
        found = store.read(KEY)
        assert (dict(found.values), found.version) == ({"current": "a"}, first)
        version = store.write(KEY, {"current": "c"}, first)
        assert (store.read(KEY).values, store.read(KEY).version) == ({"current": "c"}, version)
    file.write_bytes(after[: end - 8] + bytes(len(after) - end + 8))  # as some file systems show what the power cut off
    assert store.read(KEY).values == {"current": "a"}


def test_a_file_keeps_its_size_while_its_page_has_room(tmp_path: pathlib.Path) -> None:
    store, version, sizes = DirectoryProvider(tmp_path), "", []
    for number in range(1000):
        write = store.write if number % 3 else store.write_soon
        version = write(KEY, {"current": f"Secret-{number}"}, version)
        assert store.read(KEY).version == version
        data = (tmp_path / "obm-passwords-r1.json").read_bytes()
        sizes.append(len(data))
        begin = int(version.partition("-")[0])
        # A power cut may leave the second of two pages alone, and half a line is not told from a damaged one.
        assert begin // 4096 == data.index(b"\n", begin) // 4096
    assert set(sizes) <= {4096, 8192, 12288}
    assert sizes == sorted(sizes)


def test_a_superseded_password_does_not_stay_in_its_file(tmp_path: pathlib.Path) -> None:
    store, version = DirectoryProvider(tmp_path), ""
    for number in range(300):
        version = store.write(KEY, {"current": f"Secret-{number}"}, version)
        text = (tmp_path / "obm-passwords-r1.json").read_text()
        assert text.split() == [f'{{"current":"Secret-{number}"}}']
        assert len(text) < 9000


def _nearly_full(folder: pathlib.Path) -> tuple[DirectoryProvider, str, pathlib.Path]:
    """Its next write begins the file again; what is in it is `{"current": "old"}`."""
    store, file, version = DirectoryProvider(folder), folder / "obm-passwords-r1.json", ""
    while not version or int(version.partition("-")[0]) < (8 << 10) - 35:
        version = store.write(KEY, {"current": "old"}, version)
    return store, version, file


def test_a_file_begins_again_without_a_new_one(tmp_path: pathlib.Path) -> None:
    store, version, file = _nearly_full(tmp_path)
    before = file.stat()
    version = store.write(KEY, {"current": "new"}, version)
    assert file.read_text().split() == ['{"current":"new"}']
    assert (file.stat().st_ino, file.stat().st_size) == (before.st_ino, before.st_size)
    assert store.read(KEY).version == version


def test_a_file_of_writes_that_nobody_waits_for_begins_again_too(tmp_path: pathlib.Path) -> None:
    store, file = DirectoryProvider(tmp_path), tmp_path / "obm-passwords-r1.json"
    version, text = store.write(KEY, {"current": "0"}, ""), ""
    before = file.stat()
    for number in range(2000):
        version = store.write_soon(KEY, {"current": str(number)}, version)
        assert store.read(KEY).values == {"current": str(number)}
        if version.startswith("0-"):
            text = file.read_text()
            break
    assert text.split() == [f'{{"current":"{number}"}}']
    assert file.stat().st_ino == before.st_ino


@pytest.mark.parametrize("effect", ["fdatasync", "pwrite"])
def test_a_new_beginning_that_does_not_come_about_leaves_what_was_there(
    effect: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, version, file = _nearly_full(tmp_path)

    real = os.pwrite

    def fail(descriptor: int, data: bytes = b"", offset: int = 1) -> int:
        if not offset:
            return real(descriptor, data, offset)  # the line itself; not the blanks behind it
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, effect, fail)
        with pytest.raises(StoreError, match="cannot be written"):
            store.write(KEY, {"current": "new"}, version)
    assert (store.read(KEY).values, store.read(KEY).version) == ({"current": "old"}, version)
    version = store.write(KEY, {"current": "newer"}, version)
    assert file.read_text().split() == ['{"current":"newer"}']
    assert store.read(KEY).version == version


def test_a_look_at_a_file_that_is_begun_again_waits_for_the_whole_line(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, version = DirectoryProvider(tmp_path), ""
    version = store.write(KEY, {"current": "a"}, "")
    read, cut = os.read, iter([b" " * 9])  # what was blank before the write, and the blanks behind it
    monkeypatch.setattr(os, "read", lambda descriptor, size: next(cut, None) or read(descriptor, size))
    found = store.read(KEY)
    assert (found.values, found.version) == ({"current": "a"}, version)


def test_a_document_that_a_person_has_edited_is_read_whole(tmp_path: pathlib.Path) -> None:
    store = DirectoryProvider(tmp_path)
    version = store.write(KEY, {"current": "a"}, "")
    (tmp_path / "obm-passwords-r1.json").write_text('{\n  "current": "b",\n  "username": "root"\n}')
    with pytest.raises(Conflict):
        store.write(KEY, {"current": "c"}, version)
    edited = store.read(KEY)
    assert edited.values == {"current": "b", "username": "root"}
    store.write_soon(KEY, {"current": "d"}, edited.version)
    assert store.read(KEY).values == {"current": "d"}


def test_a_line_that_is_damaged_is_not_passed_over(tmp_path: pathlib.Path) -> None:
    store = DirectoryProvider(tmp_path)
    version = store.write_soon(KEY, {"current": "b"}, store.write(KEY, {"current": "a"}, ""))
    file = tmp_path / "obm-passwords-r1.json"
    file.write_bytes(file.read_bytes().rstrip()[:-2] + b"\n" + b" " * 99 + b"\n")
    with pytest.raises(StoreError, match="mend it, or delete it"):
        store.read(KEY)
    with pytest.raises(StoreError, match="mend it, or delete it"):
        store.write(KEY, {"current": "c"}, version)


def test_no_write_is_lost_while_the_file_is_replaced_under_those_who_wait(tmp_path: pathlib.Path) -> None:
    key, padding = Key("obm-passwords", "r1"), "x" * 3000  # every third write replaces the file

    def count(_: int) -> None:
        provider, done = DirectoryProvider(tmp_path), 0
        while done < 40:
            before = provider.read(key)
            number = int(before.values.get("number", "0")) + 1
            try:
                provider.write_soon(key, {"number": str(number), "padding": padding}, before.version)
                done += 1
            except Conflict:
                pass

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(count, range(6)))
    assert DirectoryProvider(tmp_path).read(key).values["number"] == "240"
    assert [path.name for path in tmp_path.iterdir()] == ["obm-passwords-r1.json"]
