"""Documents kept by a program of the user's: `pass`, `op`, or a script in front of anything. One run an operation.

The contract (docs/how-to/passwords.md says it for those who write one). On standard input, one line of JSON:

    {"operation": "read", "kind": "obm-creds", "device": "r1", "name": "obm-creds-r1"}
    {"operation": "write", "kind": …, "device": …, "name": …, "values": {"username": "root", …}, "version": "7"}

On standard output, with exit code 0, one JSON object: `values` and `version` for a read (`values` absent or null: there
is no such document), `version` for a write. Exit code 3: the write's `version` is not that of the document (or, where
it is "", the document is there already); nothing was written. Exit code 4: this place can only be read, or does not
keep such documents. Any other: it failed; the first line on standard error is shown, the values of the request masked.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping
from typing import Any

from tiphys.credentials.documents import texts
from tiphys.credentials.options import Options
from tiphys.credentials.provider import ABSENT, Document, Key, Unclosed, read_only
from tiphys.errors import StoreError
from tiphys.kit.codec import DecodeError, decode, encode
from tiphys.obm.record import Conflict

__all__ = ["CommandProvider", "opened"]

_CONFLICT, _READ_ONLY = 3, 4
_SHOWN = 200


def opened(options: Options) -> CommandProvider:
    """`command:PROGRAM?arg=A&arg=B&timeout=SECONDS`."""
    program = options.path("command:PROGRAM?arg=A&arg=B")
    return CommandProvider([str(program), *options.all("arg")], options.seconds("timeout", 30), options.environ)


class CommandProvider(Unclosed):
    """`Provider`.

    Args:
        command: the program, found on PATH, and its arguments: nothing secret.
        timeout: seconds that one run may take.
        environ: of the program.
    """

    local = False  # nobody knows where the program keeps them

    def __init__(self, command: list[str], timeout: float, environ: Mapping[str, str]) -> None:
        self._command = command
        self._timeout = timeout
        self._environ = dict(environ)

    def where(self, key: Key) -> str:
        """See `Provider`."""
        return f"{self._command[0]}: {key.name}"

    def read(self, key: Key) -> Document:
        """See `Provider`."""
        answer = self._run("read", key)
        values = answer.get("values")
        if not values:
            return Document({}, self._version(key, answer)) if answer.get("version") else ABSENT
        return Document(texts(values, self.where(key)), self._version(key, answer))

    def write(self, key: Key, values: Mapping[str, str], version: str) -> str:
        """See `Provider`."""
        return self._version(key, self._run("write", key, values=dict(values), version=version))

    def _run(self, operation: str, key: Key, **more: Any) -> dict[str, Any]:
        request = {"operation": operation, "kind": key.kind, "device": key.device, "name": key.name, **more}
        code, output, errors = self._piped(encode(request) + b"\n")
        if code == _CONFLICT and operation == "write":
            raise Conflict(f"{self.where(key)} was changed by somebody else")
        if code == _READ_ONLY:
            read_only(f"command {self._command[0]}", key.name)
        if code:
            said = _masked(errors.decode(errors="replace"), more.get("values", {}).values())
            raise StoreError(
                f"{self._command[0]} could not {operation} {key.name}: exit code {code}{': ' if said else ''}{said}"
            )
        try:
            answer = decode(output)
        except DecodeError:
            answer = None
        if not isinstance(answer, dict):
            raise StoreError(
                f"{self._command[0]} answered to {operation} {key.name} with something that is no JSON object"
            )
        return answer

    def _piped(self, request: bytes) -> tuple[int, bytes, bytes]:
        """In a process group of its own, which ends with it, or with the time."""
        try:
            process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._environ,
                start_new_session=True,
            )
        except OSError as error:
            raise StoreError(f"{self._command[0]} cannot be run: {error.strerror}") from error
        with process:
            try:
                output, errors = process.communicate(request, self._timeout)
            except subprocess.TimeoutExpired:
                raise StoreError(
                    f"{self._command[0]} has not answered within {self._timeout:g} s and was ended; "
                    "what it was to do may have been done"
                ) from None
            finally:
                if process.returncode is None:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
        return process.returncode, output, errors

    def _version(self, key: Key, answer: Mapping[str, Any]) -> str:
        version = answer.get("version")
        if not isinstance(version, str) or not version:
            raise StoreError(f"{self._command[0]} gave no version for {key.name}: a text that is not empty is needed")
        return version


def _masked(text: str, values: Any) -> str:
    """The first line that says something, printable, short, without these values."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    for value in sorted(values, key=len, reverse=True):
        line = line.replace(value, "***") if value else line
    return "".join(char if char.isprintable() else " " for char in line)[:_SHOWN]
