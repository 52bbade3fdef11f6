"""Secret stores of this machine, that stand in by name for stores which are not reachable from it.

`--secret-store nautobot=file:/etc/tiphys/nautobot.yaml` makes every ExternalSecret that refers to a store `nautobot`
read from there, so that the same manifest works here and on a cluster. Values are never logged.
"""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tiphys.errors import ConnectError, UsageError
from tiphys.kit import yaml
from tiphys.kit.codec import encode
from tiphys.kube.controllers.stores import Provider, Reference, property_of

__all__ = ["local_store"]

_EXEC_SECONDS = 30.0


def local_store(setting: str, environment: Mapping[str, str]) -> tuple[str, Provider]:
    """The name and the provider that a setting means: `NAME=file:PATH`, `NAME=env:PREFIX` or `NAME=exec:COMMAND`.

    Raises:
        UsageError: it means none of these.
    """
    name, _, source = setting.partition("=")
    kind, _, rest = source.partition(":")
    if name and rest:
        if kind == "file":
            return name, _File(Path(rest))
        if kind == "env":
            return name, _Environment(rest, environment)
        if kind == "exec":
            return name, _Command(shlex.split(rest))
    raise UsageError(f"--secret-store {name}=…: write NAME=file:/path.yaml, NAME=env:PREFIX or NAME=exec:COMMAND")


class _File:
    """A YAML file of keys, each with a text or with a map of properties; read anew each time."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def get(self, reference: Reference) -> bytes | None:
        """The text, or the map as JSON."""
        value = self._content().get(reference.key)
        return None if value is None else property_of(_bytes(value), reference)

    async def get_all(self, reference: Reference) -> bytes | None:
        """The map of properties, as JSON."""
        return await self.get(reference)

    def _content(self) -> dict[str, Any]:
        try:
            with self._path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                if stat.S_IMODE(mode) & 0o077:
                    raise UsageError(f"{self._path} can be read by others: chmod 600 it")
                data = file.read()
        except OSError as error:
            raise UsageError(f"{self._path} cannot be read: {error.strerror}") from error
        try:
            content = yaml.load(data)
        except UsageError:
            # What is wrong is told with the line it is in, and that is a secret.
            raise UsageError(f"{self._path} is not YAML: a map of keys to texts or to maps is wanted") from None
        if not isinstance(content, dict):
            raise UsageError(f"{self._path} holds no map of keys")
        return content


class _Environment:
    """Variables: PREFIX, the key, and after an underscore the property; in capitals, other characters as _."""

    def __init__(self, prefix: str, environment: Mapping[str, str]) -> None:
        self._prefix = prefix
        self._environment = environment

    async def get(self, reference: Reference) -> bytes | None:
        """The variable's value."""
        name = self._prefix + _variable(reference.key)
        if reference.property:
            name += "_" + _variable(reference.property)
        value = self._environment.get(name)
        return None if value is None else value.encode()

    async def get_all(self, reference: Reference) -> bytes | None:
        """Every variable of the key: its properties, as JSON."""
        start = self._prefix + _variable(reference.key) + "_"
        found = {name.removeprefix(start): value for name, value in self._environment.items() if name.startswith(start)}
        return encode(found) if found else None


class _Command:
    """A program that is given the key, and the property if there is one, and prints the value."""

    def __init__(self, command: list[str]) -> None:
        self._command = command

    async def get(self, reference: Reference) -> bytes | None:
        """What it prints, without the last line's end; nothing at all counts as not there."""
        arguments = [reference.key, *([reference.property] if reference.property else [])]
        printed = await self._run(arguments)
        return printed.removesuffix(b"\n") or None

    async def get_all(self, reference: Reference) -> bytes | None:
        """What it prints for the key alone: a JSON object."""
        return await self._run([reference.key]) or None

    async def _run(self, arguments: list[str]) -> bytes:
        program = self._command[0]
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,  # it may quote the secret
            )
        except OSError as error:
            raise ConnectError(f"the secret store's command {program} cannot be run: {error.strerror}") from error
        try:
            async with asyncio.timeout(_EXEC_SECONDS):
                printed, _ = await process.communicate()
        except TimeoutError as error:
            raise ConnectError(f"the secret store's command {program} took over {_EXEC_SECONDS:.0f} s") from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise ConnectError(f"the secret store's command {program} ended with exit code {process.returncode}")
        return printed


def _bytes(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else encode(value)


def _variable(name: str) -> str:
    return re.sub(r"\W", "_", name, flags=re.ASCII).upper()
