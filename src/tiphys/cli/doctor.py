"""`tiphys doctor`: what this machine can and cannot do, and what follows."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from tiphys.cli.instance import add_data_dir, data_dir, holder
from tiphys.errors import UsageError

__all__ = ["register", "run"]

_Finding = tuple[str, str, str]  # (ok | warn | bad, what, what follows)


def register(parser: argparse.ArgumentParser) -> None:
    """Arguments of `tiphys doctor`."""
    add_data_dir(parser)


def run(options: argparse.Namespace) -> int:
    """Print the findings; 1 if one of them keeps Tiphys from working."""
    findings = [_python(), _sqlite(), _namespaces(), _clock(), _port(options), _kubectl(), _data(options)]
    for mark, what, follows in findings:
        sys.stdout.write(f"{ {'ok': '✔', 'warn': '!', 'bad': '✖'}[mark] } {what}{': ' + follows if follows else ''}\n")
    return int(any(mark == "bad" for mark, _, _ in findings))


def _python() -> _Finding:
    return "ok", f"Python {platform.python_version()} on {platform.system()} {platform.release()}", ""


def _sqlite() -> _Finding:
    if sqlite3.sqlite_version_info < (3, 37):
        return "bad", f"SQLite {sqlite3.sqlite_version}", "3.37 or newer is needed (STRICT tables): use a newer Python"
    return "ok", f"SQLite {sqlite3.sqlite_version}", ""


def _namespaces() -> _Finding:
    tool = shutil.which("unshare")
    if tool is None:
        return "warn", "mount namespaces: not tried", "install util-linux to know"
    flags = ["--mount"] if os.geteuid() == 0 else ["--user", "--map-current-user", "--mount"]
    try:
        subprocess.run([tool, *flags, "true"], capture_output=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return "warn", "mount namespaces: refused by this kernel", "steps cannot have private paths such as /tmp"
    return "ok", "mount namespaces: allowed", ""


def _clock() -> _Finding:
    """Tokens and certificates hold from a moment to another: a clock that lags refuses them all."""
    now, written = time.time(), Path(__file__).stat().st_mtime
    told = f"time: {time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(now))} UTC"
    if now < written:
        return "warn", f"{told}, before these programs were written", "set the clock, else certificates are refused"
    return "ok", told, ""


def _port(options: argparse.Namespace) -> _Finding:
    """Whether the API can have the address it had."""
    from tiphys.local.place import HOST, kept_port

    folder = data_dir(options)
    port = kept_port(folder)
    try:
        running = holder(folder)
    except UsageError:
        running = 0
    if running:
        return "ok", f"port {port} of {HOST}: in use by process {running}", ""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            follows = "`tiphys up` takes another, and copies of the kubeconfig are then of no use"
            return "warn", f"port {port} of {HOST}: {(error.strerror or str(error)).lower()}", follows
    return "ok", f"port {port} of {HOST}: free" if port else f"ports of {HOST}: free", ""


def _kubectl() -> _Finding:
    tool = shutil.which("kubectl")
    return (
        ("ok", f"kubectl: {tool}", "")
        if tool
        else ("warn", "kubectl: not on PATH", "install it to use the API by hand")
    )


def _data(options: argparse.Namespace) -> _Finding:
    folder = data_dir(options)
    try:
        pid = holder(folder)
    except UsageError as error:
        return "bad", f"data directory {folder}", str(error)
    if pid:
        return "ok", f"data directory {folder}: in use by process {pid}", ""
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not os.access(there, os.W_OK):
        return "bad", f"data directory {folder}: {there} is not writable", "choose another --data-dir"
    free = shutil.disk_usage(there).free // 2**20
    if free < 200:
        return "warn", f"data directory {folder}: {free} MiB free", "make room: a full disk stops all writes"
    return "ok", f"data directory {folder}: {free} MiB free", ""
