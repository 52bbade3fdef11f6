"""Credentials handed to a command."""

import pathlib
import traceback

import pytest

from tiphys.credentials.given import read_given, read_legacy
from tiphys.errors import UsageError
from tiphys.kit.redact import Secret


def folder(path: pathlib.Path, **files: bytes) -> pathlib.Path:
    for name, data in files.items():
        (path / name).write_bytes(data)
    return path


def test_one_line_end_is_not_of_the_password(tmp_path: pathlib.Path) -> None:
    read = read_given(folder(tmp_path, username=b"root\n", password=b" pass word \r\n"))
    assert (read.username, read.password) == ("root", Secret(" pass word "))
    assert "pass word" not in repr(read)


@pytest.mark.parametrize(
    "files",
    [
        {"username": b"root"}, {"password": b"x"}, {"username": b"root", "password": b""},
        {"username": b"ro:ot", "password": b"x"}, {"username": b"root", "password": b"two\nlines"},
        {"username": b"root", "password": b"hunter2\xff"},
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_named_and_not_shown(files: dict[str, bytes], tmp_path: pathlib.Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_given(folder(tmp_path, **files))
    assert str(tmp_path) in str(caught.value)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_earlier_passwords(tmp_path: pathlib.Path) -> None:
    assert read_legacy(tmp_path) == ()
    assert read_legacy(folder(tmp_path, passwords=b"calvin,, old one\nthird\n")) == (
        Secret("calvin"),
        Secret(" old one"),
        Secret("third"),
    )


def written(folder: pathlib.Path, text: str) -> pathlib.Path:
    path = folder / "bmc.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "text",
    [
        "username: root\npassword: new\nlegacyPasswords: [old, older]\n",
        '{"username": "root", "password": "new", "legacyPasswords": ["old", "older"]}',
    ],
    ids=["yaml", "json"],
)
def test_a_file_of_a_person(text: str, tmp_path: pathlib.Path) -> None:
    read = read_given(written(tmp_path, text))
    assert (read.username, read.password, read.legacy) == ("root", Secret("new"), (Secret("old"), Secret("older")))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hunter2", "must be a mapping with username and password"),
        (
            "username: root\npassword: hunter2\npasword: x",
            "has a key that is not known \\(did you mean password\\?\\); the keys are",
        ),
        ("username: root\nhunter2: x", "has a key that is not known; the keys are"),
        ("username: root\npassword: [hunter2]", "password must be a text"),
        ("username: root\npassword: 12345", "put it in quotes"),
        ("username: root\npassword: x\nlegacyPasswords: hunter2", "must be a list"),
        ("username: root\npassword: hunter2: x", "is not YAML or JSON"),
        ("username: ro:ot\npassword: hunter2", "has a colon"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_and_not_shown(text: str, said: str, tmp_path: pathlib.Path) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        read_given(written(tmp_path, text))
    assert "bmc.yaml" in str(caught.value)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
