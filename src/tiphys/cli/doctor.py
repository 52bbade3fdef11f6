"""`tiphys doctor`: what this machine can and cannot do, and what follows."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sqlite3
import subprocess
import sys

from tiphys.cli.instance import add_data_dir, data_dir, holder

__all__ = ["register", "run"]

_Finding = tuple[str, str, str]  # (ok | warn | bad, what, what follows)


def register(parser: argparse.ArgumentParser) -> None:
    """Arguments of `tiphys doctor`."""
    add_data_dir(parser)


def run(options: argparse.Namespace) -> int:
    """Print the findings; 1 if one of them keeps Tiphys from working."""
    findings = [_python(), _sqlite(), _namespaces(), _kubectl(), _data(options)]
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
    done = subprocess.run([tool, *flags, "true"], capture_output=True, check=False, timeout=10)
    if done.returncode:
        return "warn", "mount namespaces: refused by this kernel", "steps cannot have private paths such as /tmp"
    return "ok", "mount namespaces: allowed", ""


def _kubectl() -> _Finding:
    tool = shutil.which("kubectl")
    return (
        ("ok", f"kubectl: {tool}", "")
        if tool
        else ("warn", "kubectl: not on PATH", "install it to use the API by hand")
    )


def _data(options: argparse.Namespace) -> _Finding:
    folder = data_dir(options)
    pid = holder(folder)
    if pid:
        return "ok", f"data directory {folder}: in use by process {pid}", ""
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not os.access(there, os.W_OK):
        return "bad", f"data directory {folder}: {there} is not writable", "choose another --data-dir"
    free = shutil.disk_usage(there).free // 2**20
    if free < 200:
        return "warn", f"data directory {folder}: {free} MiB free", "make room: a full disk stops all writes"
    return "ok", f"data directory {folder}: {free} MiB free", ""
