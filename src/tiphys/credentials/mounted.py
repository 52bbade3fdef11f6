"""Credentials as pods get them: the files of a mounted Secret, or a folder that a person made the same way."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tiphys.errors import UsageError
from tiphys.kit.redact import Secret

__all__ = ["Credentials", "read_credentials", "read_legacy", "read_value"]


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user and a password."""

    username: str
    password: Secret


def read_value(folder: Path, name: str) -> str | None:
    """The content of one file without its last line end; None where there is no such file.

    Raises:
        UsageError: it cannot be read, or is not text.
    """
    try:
        text = (folder / name).read_bytes().decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise UsageError(f"{folder / name} is not UTF-8 text (byte {error.start})") from None  # the text has the secret
    except OSError as error:
        raise UsageError(f"{folder / name} cannot be read: {error.strerror}") from error
    return text.removesuffix("\n").removesuffix("\r")


def read_credentials(folder: Path) -> Credentials:
    """Files `username` and `password`.

    Raises:
        UsageError: one is missing, empty, or holds what no header can carry.
    """
    values = {name: read_value(folder, name) for name in ("username", "password")}
    for name, value in values.items():
        if not value:
            raise UsageError(
                f"{folder / name} is missing or empty: --credentials needs a folder with the files username and "
                "password, e.g. a mounted Secret with these keys"
            )
    username, password = values["username"] or "", values["password"] or ""
    if ":" in username or not username.isprintable():
        raise UsageError(f"{folder / 'username'}: a user name has no colon and no control character")
    if not password.isprintable():
        raise UsageError(f"{folder / 'password'} has a control character, perhaps a second line")
    return Credentials(username, Secret(password))


def read_legacy(folder: Path) -> tuple[Secret, ...]:
    """File `passwords`, separated by commas; none where there is no such file."""
    text = read_value(folder, "passwords") or ""
    passwords = [word for line in text.splitlines() for word in line.split(",")]
    return tuple(Secret(password) for password in passwords if password)
