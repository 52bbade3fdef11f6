"""Credentials as they are handed to a command: a YAML or JSON file of a person, or the folder of a mounted Secret.

Whatever is wrong with them is said without a character of their content.
"""

from __future__ import annotations

import difflib
import errno
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tiphys.errors import UsageError
from tiphys.kit import yaml
from tiphys.kit.redact import Secret

__all__ = ["Given", "given_from", "read_given", "read_legacy", "read_value", "values_of"]


_KEYS = ("username", "password", "legacyPasswords", "adminUsername", "adminPassword")


@dataclass(frozen=True, slots=True)
class Given:
    """A user, the password on record, and earlier ones that may be on the BMC still.

    Attributes:
        admin: another administrator and its password, who may unlock the user and set its password.
    """

    username: str
    password: Secret
    legacy: tuple[Secret, ...] = ()
    admin: tuple[str, Secret] | None = None


def read_value(folder: Path, name: str) -> str | None:
    """The content of one file without its last line end; None where there is no such file.

    Raises:
        UsageError: it cannot be read, or is not text.
    """
    return _content(folder / name)


def _content(path: Path) -> str | None:
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text (byte {error.start})") from None  # the text has the secret
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return (
                None  # as a device's key in a mounted ConfigMap, where the device's name is as long as Nautobot allows
            )
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    return text.removesuffix("\n").removesuffix("\r")


def read_given(path: Path) -> Given:
    """A file with `username`, `password` and perhaps `legacyPasswords` (a list), `adminUsername` and `adminPassword`.

    Or a folder with files `username`, `password`, and perhaps `adminUsername` and `adminPassword`.

    Raises:
        UsageError: one is missing, empty, or holds what no header can carry.
    """
    if path == Path():
        raise UsageError("--credentials is needed: a YAML or JSON file with username and password")
    needed = (
        "; --credentials needs a YAML or JSON file with username and password, or a folder with these two files, "
        "e.g. a mounted Secret"
    )
    return given_from(_of_folder(path) if path.is_dir() else _of_file(path), str(path), needed)


def given_from(values: Mapping[str, object], where: str, needed: str = "") -> Given:
    """Credentials of values read somewhere.

    Args:
        where: for messages.
        needed: what to say beside the name of a value that is missing.

    Raises:
        UsageError: one is missing, empty, or holds what no header can carry.
    """
    username, password = (_text(where, name, values.get(name), needed) for name in ("username", "password"))
    if ":" in username:
        raise UsageError(f"{where}: username has a colon, which no user name may have")
    legacy = values.get("legacyPasswords") or []
    if not isinstance(legacy, list):
        raise UsageError(f"{where}: legacyPasswords must be a list")
    older = tuple(Secret(_text(where, "legacyPasswords", one, needed)) for one in legacy)
    return Given(username, Secret(password), older, _admin(where, values, needed))


def _admin(where: str, values: Mapping[str, object], needed: str) -> tuple[str, Secret] | None:
    if not values.get("adminUsername") and not values.get("adminPassword"):
        return None
    user, password = (_text(where, name, values.get(name), needed) for name in ("adminUsername", "adminPassword"))
    return user, Secret(password)


def _text(where: str, name: str, value: object, needed: str) -> str:
    if value is None or value == "":
        raise UsageError(f"{where}: {name} is missing or empty{needed}")
    if not isinstance(value, str):
        raise UsageError(f"{where}: {name} must be a text; put it in quotes")
    if not value.isprintable():
        raise UsageError(f"{where}: {name} has a control character, perhaps a second line")
    return value


def _of_folder(folder: Path) -> dict[str, object]:
    names = ("username", "password", "adminUsername", "adminPassword")
    return {name: read_value(folder, name) for name in names}


def _of_file(path: Path) -> dict[str, object]:
    text = _content(path)
    if text is None:
        raise UsageError(f"{path} does not exist; --credentials needs a file with username and password")
    return values_of(text, str(path))


def values_of(text: str, where: str) -> dict[str, object]:
    """Of YAML or JSON, for `given_from`.

    Raises:
        UsageError: it is neither, or has keys that nobody knows.
    """
    try:
        values = yaml.load(text)
    except UsageError:
        raise UsageError(f"{where} is not YAML or JSON") from None  # the parser's words may hold the password
    if not isinstance(values, dict):
        raise UsageError(f"{where} must be a mapping with username and password")
    if unknown := sorted(map(str, set(values) - set(_KEYS))):
        raise UsageError(f"{where} has a key that is not known{_meant(unknown[0])}; the keys are: {', '.join(_KEYS)}")
    return values


def _meant(key: str) -> str:
    """What a key that is not known was to be; the key itself is not shown: it may be a password in a wrong place."""
    near = difflib.get_close_matches(key, _KEYS, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def read_legacy(folder: Path) -> tuple[Secret, ...]:
    """File `passwords`, separated by commas; none where there is no such file."""
    text = read_value(folder, "passwords") or ""
    passwords = [word for line in text.splitlines() for word in line.split(",")]
    return tuple(Secret(password) for password in passwords if password)
