"""What docs/how-to/passwords.md shows of a program in front of `pass`; this `pass` answers as the real one does."""

from __future__ import annotations

import os
import pathlib
import re

import pytest

from tiphys.credentials.given import Given
from tiphys.credentials.on_record import read_on_record
from tiphys.credentials.provider import Key
from tiphys.credentials.stores import open_provider, schemes
from tiphys.errors import StoreError
from tiphys.kit.redact import Secret

PAGE = (pathlib.Path(__file__).parents[3] / "docs" / "how-to" / "passwords.md").read_text()

PASS = """#!/bin/sh
case "$*" in
  "show bmc/r1") printf 'p4ss"word: x\\nusername: root\\nurl: https://10.0.0.7\\n' ;;
  "show bmc/locked") echo 'gpg: decryption failed: No secret key' >&2; exit 2 ;;
  *) echo "Error: ${2} is not in the password store." >&2; exit 1 ;;
esac
"""


def test_the_program_in_front_of_pass(tmp_path: pathlib.Path) -> None:
    (shown,) = re.findall(r"```python\n(#!/usr/bin/env python3\n.*?)```", PAGE, re.DOTALL)
    for name, text in (("pass", PASS), ("from-pass", shown)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    store = open_provider(f"command:{tmp_path}/from-pass", environ)
    assert read_on_record(store, "r1") == Given("root", Secret('p4ss"word: x'))
    with pytest.raises(StoreError, match="no credentials of r2 are on record"):
        read_on_record(store, "r2")
    with pytest.raises(StoreError, match=r"could not read obm-creds-locked: exit code 1: gpg: decryption failed"):
        read_on_record(store, "locked")
    with pytest.raises(StoreError, match="can only be read"):
        store.read(Key("obm-record", "r1"))


def test_every_place_is_on_the_page() -> None:
    for scheme in schemes():
        assert f"`{scheme}:" in PAGE or scheme == "nautobot+http"
