"""`tiphys up`: the cluster in the foreground, or in the background with -d."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import select
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tiphys.cli.instance import add_data_dir, data_dir
from tiphys.errors import StoreError, TiphysError, UsageError

if TYPE_CHECKING:
    from tiphys.local import Settings

__all__ = ["register", "run"]

_START_SECONDS = 60
_READY = b"ready\n"


def register(parser: argparse.ArgumentParser) -> None:
    """Arguments of `tiphys up`."""
    add_data_dir(parser)
    parser.add_argument("--port", type=int, default=0, help="port of the API on 127.0.0.1 (default: a free one, kept)")
    parser.add_argument("-d", "--detach", action="store_true", help="run in the background; return when ready")
    parser.add_argument(
        "--secret-store",
        action="append",
        default=[],
        metavar="NAME=file:PATH|env:PREFIX|exec:COMMAND",
        help="let this stand in for the SecretStore NAME of ExternalSecrets",
    )
    parser.add_argument(
        "--host-path",
        action="append",
        default=[],
        metavar="DIR",
        help="let hostPath volumes show DIR and what is below",
    )
    parser.add_argument("--merge", action="store_true", help="add the cluster to your own kubeconfig, and use it")
    parser.add_argument("--ready-fd", type=int, default=-1, help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> int:
    """Start; the foreground returns when it is told to stop."""
    if not 0 <= options.port < 65536:
        raise UsageError(f"port {options.port} does not exist: choose one from 1 to 65535")
    options.host_path = [os.path.abspath(path) for path in options.host_path]  # noqa: PTH100 - keeps links as they are
    _make(data_dir(options))
    return _background(options) if options.detach else _foreground(options)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        why = "it is no directory" if isinstance(error, FileExistsError) else error.strerror
        raise StoreError(f"{folder} cannot be made: {why}; choose another --data-dir") from error


def _foreground(options: argparse.Namespace) -> int:
    import asyncio

    from tiphys.local import Local, Settings

    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    folder = data_dir(options)
    waiting = options.ready_fd >= 0

    def ready() -> None:
        nonlocal waiting
        if waiting:
            os.write(options.ready_fd, _READY)
            os.close(options.ready_fd)
            waiting = False
        else:
            _say(options, folder, local.server)

    try:
        settings = Settings.read(folder, options.port, tuple(options.secret_store), tuple(options.host_path))
        _check(settings)
        local = Local(settings)
        asyncio.run(local.run(ready))
    except TiphysError as error:
        if waiting:  # who started us may not find it in the log: the disk may be full
            os.write(options.ready_fd, str(error).encode())
        raise
    return 0


def _check(settings: Settings) -> None:
    """What the settings name on this machine is there: a slip of the pen must not show first in a workflow.

    Raises:
        UsageError: it is not.
    """
    for path in settings.host_paths:
        if not Path(path).exists():
            raise UsageError(
                f"--host-path {path}: there is no such directory: make it (mkdir -p {path}) or name another"
            )
    for setting in settings.secret_stores:
        store, _, source = setting.partition("=")
        kind, _, rest = source.partition(":")
        if why := _unusable(kind, rest):
            raise UsageError(f"--secret-store {store}={kind}:{rest}: {why}")


def _unusable(kind: str, rest: str) -> str:
    """Why a secret store of this machine cannot be read; what is written wrongly is told by who reads it."""
    if kind == "exec":
        program = next(iter(shlex.split(rest)), "")
        return "" if shutil.which(program) else f"there is no program {program}; give its whole path"
    if kind != "file":
        return ""
    path = Path(rest)
    if not path.exists():
        return (
            "there is no such file: write it first (YAML: a map of keys to texts or to maps; chmod 600) or name another"
        )
    if not path.is_file():
        return "it is no file: name one in YAML, a map of keys to texts or to maps"
    return "" if os.access(path, os.R_OK) else "it cannot be read by this user"


def _background(options: argparse.Namespace) -> int:
    folder = data_dir(options)
    try:
        log = os.open(folder / "tiphys.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        raise StoreError(f"{folder} cannot be written: {error.strerror}; choose another --data-dir") from error
    reader, writer = os.pipe()
    began = os.fstat(log).st_size
    command = [sys.executable, "-m", "tiphys.cli.main", "up", "--data-dir", str(folder)]
    command += ["--port", str(options.port), "--ready-fd", str(writer)]
    command += [part for store in options.secret_store for part in ("--secret-store", store)]
    command += [part for path in options.host_path for part in ("--host-path", path)]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, pass_fds=(writer,)
    )
    os.close(writer)
    os.close(log)
    readable, _, _ = select.select([reader], [], [], _START_SECONDS)
    said = os.read(reader, 4096) if readable else b""
    os.close(reader)
    if said != _READY:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        with (folder / "tiphys.log").open(errors="replace") as file:
            file.seek(began)
            text = (said.decode() or file.read()).strip()
        raise UsageError(text.splitlines()[-1] if text else f"it was not ready after {_START_SECONDS} s")
    process.returncode = 0  # it goes on without us; nobody is to warn of that
    from tiphys.cli.instance import server_of

    return _say(options, folder, server_of(folder))


def _say(options: argparse.Namespace, folder: Path, server: str) -> int:
    """How to go on; the exit code. It runs even where the user's own kubeconfig could not be added to."""
    path = folder / "kubeconfig"
    code, merged = 0, None
    if options.merge:
        from tiphys.cli.kubeconfig import merge

        try:
            merged = merge(path)
        except UsageError as error:
            sys.stderr.write(f"Error: {error}\n")
            code = 1
    if merged:
        sys.stdout.write(f"tiphys is ready at {server}; kubectl uses it now ({merged})\n")
    else:
        sys.stdout.write(f"tiphys is ready at {server}\n\nexport KUBECONFIG={shlex.quote(str(path))}\n")
    sys.stdout.flush()
    return code
