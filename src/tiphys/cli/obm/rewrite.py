"""Putting a new password into the file of credentials that a command was given: the file stays as it is but for that.

Comments and order stay, its mode and owner too; it is replaced whole, so that whoever reads it sees the old or the new
one. The password that was there becomes the first of `legacyPasswords`: where several BMCs share a file, the others
still have it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

from tiphys.credentials.given import Given, given_from, values_of
from tiphys.errors import UsageError
from tiphys.kit.redact import Secret

__all__ = ["CredentialsFile"]

_LEGACY_KEPT = 5
_LOCK_SECONDS = 10.0
_LOCK_AGAIN_SECONDS = 0.01
_TRIED = Secret("Check-1_Check-1_")


class CredentialsFile:
    """A file that `read_given` reads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._real = ""
        self._form: _Form | None = None

    def check(self) -> None:
        """See that it can be rewritten, before anything depends on it: a new one is laid beside it and taken away.

        Raises:
            UsageError: it cannot; says why and what else can be done.
        """
        try:
            with self._draft() as draft:
                draft.write(self._read().with_password(_TRIED))
                os.unlink(draft.path)  # noqa: PTH108 - for each BMC
        except OSError as error:
            raise self._problem(error.strerror or str(error)) from error

    def put(self, password: Secret) -> None:
        """Write it.

        Raises:
            UsageError: it cannot be written.
        """
        try:
            with self._draft() as draft:
                form = self._read()
                if form.given.password == password:
                    os.unlink(draft.path)  # noqa: PTH108 - as above
                    return
                draft.write(form.with_password(password))
                os.fsync(draft.descriptor)
                os.replace(draft.path, self._real)  # noqa: PTH105 - as above
                _sync(os.path.dirname(self._real))  # noqa: PTH120 - as above
        except OSError as error:
            raise self._problem(error.strerror or str(error)) from error

    def _read(self) -> _Form:
        """What is in it now, in a form that is known to take another password.

        Raises:
            UsageError: it does not take one, or is no such file.
        """
        self._real = self._real or os.path.realpath(self.path)
        try:
            text = Path(self._real).read_bytes().decode()
        except (OSError, UnicodeDecodeError) as error:
            raise self._problem(getattr(error, "strerror", None) or "it is not UTF-8 text") from None
        if self._form is None or self._form.text != text:
            form = _Form.of(text, given_from(values_of(text, str(self.path)), str(self.path)))
            if not form.takes(_TRIED):
                raise self._problem("its form is too unusual to change one value in it")
            self._form = form
        return self._form

    @contextlib.contextmanager
    def _draft(self) -> Iterator[_Draft]:
        """The file beside it that takes its place, locked: several BMCs may share the file, and have runs of their own.

        Raises:
            OSError: it cannot be made, or another run holds it for too long.
        """
        self._real = self._real or os.path.realpath(self.path)
        folder, name = os.path.split(self._real)
        path = f"{folder}/.{name}.new"
        until = time.monotonic() + _LOCK_SECONDS
        while True:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                if _locked(descriptor) and _is_at(descriptor, path):  # else it has become the file, or was taken away
                    try:
                        yield _Draft(descriptor, path, self._real)
                    except BaseException:
                        if _is_at(descriptor, path):
                            os.unlink(path)  # noqa: PTH108 - for each BMC
                        raise
                    return
            finally:
                os.close(descriptor)
            if time.monotonic() > until:
                raise OSError(errno.EBUSY, f"another run has held {path} for {_LOCK_SECONDS} s")
            time.sleep(_LOCK_AGAIN_SECONDS)

    def _problem(self, why: str) -> UsageError:
        return UsageError(
            f"{self.path} cannot be rewritten with a new password: {why}. Make it writable, or give "
            "--no-write-credentials: the new password is then in the ledger only"
        )


class _Draft(NamedTuple):
    """A file that is to take the place of another one."""

    descriptor: int
    path: str
    of: str

    def write(self, text: str) -> None:
        """Make it this text, with the mode and owner of the other one."""
        there = os.stat(self.of)  # noqa: PTH116 - for each BMC
        if os.geteuid() == 0:
            os.fchown(self.descriptor, there.st_uid, there.st_gid)
        os.fchmod(self.descriptor, there.st_mode & 0o777)
        os.ftruncate(self.descriptor, 0)  # a run was killed
        data = text.encode()
        while data:
            data = data[os.write(self.descriptor, data) :]


class _Form(NamedTuple):
    """A text, what it holds, and where.

    Attributes:
        places: begin, end, and what must stand before the value, of `password` and `legacyPasswords`.
        opening: where a key may be added; -1 = at the end, in a line of its own.
    """

    text: str
    given: Given
    places: dict[str, tuple[int, int, str]]
    opening: int

    @classmethod
    def of(cls, text: str, given: Given) -> _Form:
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
        if not isinstance(node, yaml.MappingNode):
            raise AssertionError("it has just been read as a mapping")
        found = {key.value: value for key, value in node.value if isinstance(key, yaml.ScalarNode)}
        places = {
            name: _place(text, found[name], flow=bool(node.flow_style))
            for name in ("password", "legacyPasswords")
            if name in found
        }
        return cls(text, given, places, node.start_mark.index + 1 if node.flow_style else -1)

    def with_password(self, password: Secret) -> str:
        """The same text with another password, and the present one among the legacy ones; JSON is YAML, too."""
        given = self.given
        others = (one for one in given.legacy if one not in (given.password, password))
        listed = _quoted([one.reveal() for one in (given.password, *others)][:_LEGACY_KEPT])
        values = {"password": _quoted(password.reveal()), "legacyPasswords": listed}
        text = self.text
        for name, (begin, end, lead) in sorted(self.places.items(), key=lambda place: -place[1][0]):
            text = text[:begin] + lead + values[name] + text[end:]
        if "legacyPasswords" in self.places:
            return text
        if self.opening >= 0:
            return f'{text[: self.opening]}"legacyPasswords": {listed}, {text[self.opening :]}'
        return f"{text.rstrip(chr(10))}\nlegacyPasswords: {listed}\n"

    def takes(self, password: Secret) -> bool:
        """Whether with this one it holds this one, and all else as before."""
        try:
            held = given_from(values_of(self.with_password(password), ""), "")
        except UsageError:
            return False
        return (held.username, held.password, held.admin) == (self.given.username, password, self.given.admin)


def _place(text: str, value: yaml.Node, *, flow: bool) -> tuple[int, int, str]:
    begin, end = value.start_mark.index, value.end_mark.index
    while end > begin and text[end - 1].isspace():  # a block list ends where the next key begins
        end -= 1
    head = text[:begin]
    return begin, end, "" if head[-1:].isspace() or (head[-1:] in "[{,:" and flow) else " "


def _quoted(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(descriptor: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False


def _sync(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
