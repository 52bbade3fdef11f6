"""Putting a new password into the file of credentials that a command was given: the file stays as it is but for that.

Comments and order stay, its mode and owner too; it is replaced whole, so that whoever reads it sees the old or the new
one. The password that was there becomes the first of `legacyPasswords`: where several BMCs share a file, the others
still have it.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import yaml

from tiphys.credentials.given import Given, read_given
from tiphys.errors import UsageError
from tiphys.kit.redact import Secret

__all__ = ["CredentialsFile"]

_LEGACY_KEPT = 5


@dataclass(frozen=True, slots=True)
class CredentialsFile:
    """A file that `read_given` reads."""

    path: Path

    def check(self, given: Given) -> None:
        """See that it can be rewritten, before anything depends on it: a new one is laid beside it and taken away.

        Raises:
            UsageError: it cannot; says why and what else can be done.
        """
        draft = self._draft(given, Secret("Check-1_Check-1_"), durable=False)
        draft.unlink()

    def put(self, password: Secret) -> None:
        """Write it.

        Raises:
            UsageError: it cannot be written.
        """
        given = read_given(self.path)
        if given.password == password:
            return
        draft = self._draft(given, password, durable=True)
        try:
            draft.replace(self.path.resolve())
            _sync(self.path.resolve().parent)
        except OSError as error:
            raise self._problem(error.strerror or str(error)) from error

    def _draft(self, given: Given, password: Secret, *, durable: bool) -> Path:
        path = self.path.resolve()
        draft = path.with_name(f".{path.name}.new")
        try:
            text = _rewritten(path.read_text(encoding="utf-8"), given, password)
            there = path.stat()
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                if os.geteuid() == 0:
                    os.fchown(descriptor, there.st_uid, there.st_gid)
                os.fchmod(descriptor, there.st_mode & 0o777)
                file.write(text)
                file.flush()
                if durable:
                    os.fsync(descriptor)
        except OSError as error:
            raise self._problem(error.strerror or str(error)) from error
        if not _holds(draft, given, password):
            draft.unlink()
            raise self._problem("its form is too unusual to change one value in it")
        return draft

    def _problem(self, why: str) -> UsageError:
        return UsageError(
            f"{self.path} cannot be rewritten with a new password: {why}. Make it writable, or give "
            "--no-write-credentials: the new password is then in the ledger only"
        )


def _holds(draft: Path, given: Given, password: Secret) -> bool:
    try:
        written = read_given(draft)
    except UsageError:
        return False
    return (written.username, written.password, written.admin) == (given.username, password, given.admin)


def _rewritten(text: str, given: Given, password: Secret) -> str:
    """The same text with another password, and the present one among the legacy ones; JSON is YAML, too."""
    node = yaml.compose(text, Loader=yaml.CSafeLoader)
    if not isinstance(node, yaml.MappingNode):
        return text
    places = {key.value: value for key, value in node.value if isinstance(key, yaml.ScalarNode)}
    legacy = [given.password, *(one for one in given.legacy if one not in (given.password, password))][:_LEGACY_KEPT]
    listed = json.dumps([one.reveal() for one in legacy], ensure_ascii=False)
    edits = [(places["password"], json.dumps(password.reveal(), ensure_ascii=False))]
    if "legacyPasswords" in places:
        edits.append((places["legacyPasswords"], listed))
    for value, new in sorted(edits, key=lambda edit: -edit[0].start_mark.index):
        end = value.end_mark.index
        while end > value.start_mark.index and text[end - 1].isspace():  # a block list ends where the next key begins
            end -= 1
        head = text[: value.start_mark.index]
        lead = "" if head[-1:].isspace() or (head[-1:] in "[{,:" and node.flow_style) else " "
        text = head + lead + new + text[end:]
    if "legacyPasswords" in places:
        return text
    if node.flow_style:
        opening = node.start_mark.index + 1
        return f'{text[:opening]}"legacyPasswords": {listed}, {text[opening:]}'
    return f"{text.rstrip(chr(10))}\nlegacyPasswords: {listed}\n"


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
