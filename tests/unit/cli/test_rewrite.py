"""The file of credentials with a new password in it: all else stays as it was."""

import json
import os
import pathlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from tiphys.cli.obm.rewrite import CredentialsFile
from tiphys.credentials.given import read_given
from tiphys.errors import UsageError
from tiphys.kit.redact import Secret

MADE = Secret('Bq-"7 k: #2')

BLOCK = """\
# r1's BMC
username: root   # the factory's
password: "old-one"  # changed in May
"""
FORMS = {
    "block": BLOCK,
    "plain value": "username: root\npassword: old-one\n",
    "no line end": "password: old-one\nusername: root",
    "legacy block list": "username: root\nlegacyPasswords:\n  - older\n  - 'oldest: one'\n# end\npassword: old-one\n",
    "legacy flow list": "username: root\nlegacyPasswords: [older, 'oldest: one']\npassword: old-one\n",
    "legacy null": "username: root\nlegacyPasswords:\npassword: old-one\n",
    "json": '{"username": "root", "password": "old-one"}',
    "json with legacy": '{\n "legacyPasswords": ["older"],\n "username": "root",\n "password": "old-one"\n}\n',
    "block scalar": "password: |-\n  old-one\nusername: root\n",
    "lines of Windows": "username: root\r\npassword: old-one\r\n",
    "admin": "username: root\npassword: old-one\nadminUsername: boss\nadminPassword: its-own\n",
}


@pytest.fixture(params=FORMS, ids=str)
def path(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> pathlib.Path:
    made = tmp_path / "r1.yaml"
    made.write_text(FORMS[request.param])
    made.chmod(0o640)
    return made


def test_the_new_password_is_there_and_the_old_one_leads_the_legacy_ones(path: pathlib.Path) -> None:
    before = read_given(path)
    CredentialsFile(path).put(MADE)
    after = read_given(path)
    assert (after.username, after.password, after.admin) == (before.username, MADE, before.admin)
    assert after.legacy == (Secret("old-one"), *before.legacy)
    assert path.stat().st_mode & 0o777 == 0o640
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_check_changes_nothing(path: pathlib.Path) -> None:
    before = path.read_bytes()
    CredentialsFile(path).check()
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_comments_stay(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "file"
    path.write_text(BLOCK)
    CredentialsFile(path).put(Secret("new-one"))
    assert path.read_text() == BLOCK.replace('"old-one"', '"new-one"') + 'legacyPasswords: ["old-one"]\n'


def test_line_ends_stay(tmp_path: pathlib.Path) -> None:
    path, windows = tmp_path / "file", BLOCK.replace("\n", "\r\n").encode()
    path.write_bytes(windows)
    CredentialsFile(path).put(Secret("new-one"))
    assert path.read_bytes() == windows.replace(b'"old-one"', b'"new-one"') + b'legacyPasswords: ["old-one"]\n'


def test_five_old_ones_are_kept(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "file.json"
    path.write_text(json.dumps({"username": "root", "password": "p0"}))
    for number in range(1, 9):
        CredentialsFile(path).put(Secret(f"p{number}"))
    assert [one.reveal() for one in read_given(path).legacy] == ["p7", "p6", "p5", "p4", "p3"]


def test_the_same_password_again_writes_nothing(path: pathlib.Path) -> None:
    before = path.read_bytes()
    CredentialsFile(path).put(Secret("old-one"))
    assert path.read_bytes() == before


def test_a_link_is_followed_and_stays(tmp_path: pathlib.Path) -> None:
    real, link = tmp_path / "real.yaml", tmp_path / "link.yaml"
    real.write_text(BLOCK)
    link.symlink_to(real)
    CredentialsFile(link).put(Secret("new-one"))
    assert link.is_symlink()
    assert read_given(real).password == Secret("new-one")


def test_what_was_changed_after_the_check_is_kept(path: pathlib.Path) -> None:
    file = CredentialsFile(path)
    file.check()
    path.write_text("username: other\npassword: newer\n# by hand\n")
    file.put(MADE)
    after = read_given(path)
    assert (after.username, after.password, after.legacy) == ("other", MADE, (Secret("newer"),))
    assert "# by hand" in path.read_text()


def test_runs_that_share_a_file_lose_nothing_of_each_others(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_text(BLOCK)
    made = [[Secret(f"Made-{run}-{number}") for number in range(3)] for run in range(2)]

    def run(passwords: list[Secret]) -> None:
        for password in passwords:
            CredentialsFile(path).check()
            CredentialsFile(path).put(password)
            CredentialsFile(path).check()

    with ThreadPoolExecutor() as pool:
        list(pool.map(run, made))
    after = read_given(path)
    assert {after.password, *after.legacy} == {password for passwords in made for password in passwords}
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_run_has_left_is_used_up(path: pathlib.Path) -> None:
    (path.parent / f".{path.name}.new").write_text("password: of another time and much longer than what is to come" * 9)
    CredentialsFile(path).put(MADE)
    assert read_given(path).password == MADE
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("text", ["username: root\npassword: &a old-one\nadminUsername: x\nadminPassword: *a\n"])
def test_a_form_that_cannot_be_edited_is_refused_and_stays(text: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "file"
    path.write_text(text)
    with pytest.raises(UsageError, match="--no-write-credentials"):
        CredentialsFile(path).check()
    assert path.read_text() == text
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_cannot_be_written_is_said_before(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "locked" / "file"
    path.parent.mkdir()
    path.write_text(BLOCK)
    path.with_name(".file.new").mkdir()  # stands for a read-only folder, which does not stop root
    with pytest.raises(UsageError, match="cannot be rewritten"):
        CredentialsFile(path).check()
    assert path.read_text() == BLOCK
    assert os.listdir(path.parent)  # noqa: PTH208 - nothing was lost
