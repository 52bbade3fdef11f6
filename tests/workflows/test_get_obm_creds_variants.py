"""Ready-made replacements of get-obm-creds: the same contract, other places. Vault's and Nautobot's need a real one."""

from __future__ import annotations

import base64
import json
import pathlib
import secrets
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from templates_world import VARIANTS, WORKFLOWS, ScriptedNautobot, Templates, read_by_environment

NAMES = ("command", "encrypted", "nautobot", "vault")
PASSWORD = "p4ss'\"$ wörd"
CHECK = """[ "$OBM_USERNAME" = root ] && [ "$OBM_PASSWORD" = "p4ss'\\"\\$ wörd" ]"""

PROGRAM = """#!/bin/sh
# The name of the device is in what it is given; of its secrets it has read the folder beside it.
request=$(cat)
case $request in
  *'"device":"host.domain.local"'*'"name":"obm-creds-host.domain.local"'*) cat /run/obm/command-secrets/answer ;;
  *'"device":"broken"'*) echo 'the safe is shut' >&2; exit 9 ;;
  *) echo '{"values":null}' ;;
esac
"""


@pytest.fixture(autouse=True)
def restored(templates: Templates) -> Iterator[None]:
    """The template of all others, afterwards."""
    yield
    templates.put(yaml.safe_load((WORKFLOWS / "get-obm-creds.yaml").read_text()))


@pytest.fixture
def variant(request: pytest.FixtureRequest, templates: Templates) -> str:
    """In the place of get-obm-creds."""
    templates.put(template(request.param))
    return str(request.param)


def template(name: str) -> dict[str, Any]:
    return yaml.safe_load((VARIANTS / f"{name}.yaml").read_text())


def in_command(templates: Templates) -> None:
    templates.config_map("obm-command", program=PROGRAM)
    answer = {"values": {"username": "root", "password": PASSWORD}, "version": "1"}
    templates.secret("obm-command", answer=json.dumps(answer))


def in_encrypted(templates: Templates, folder: pathlib.Path) -> None:
    key = secrets.token_hex(32)
    (folder / "key").write_text(key)
    put = [sys.executable, "-m", "tiphys.credentials", "put", f"encrypted:{folder}/fleet.store?key-file={folder}/key"]
    given = yaml.dump({"username": "root", "password": PASSWORD})
    done = subprocess.run(
        [*put, "--device=host.domain.local"], input=given, capture_output=True, text=True, timeout=50, check=False
    )
    assert (done.returncode, done.stdout) == (0, "the credentials of host.domain.local are on record\n"), done.stderr
    templates.secret_bytes("obm-encrypted", {"fleet.store": (folder / "fleet.store").read_bytes()})
    templates.secret("obm-encrypted-key", key=key)


@pytest.mark.parametrize("name", NAMES)
def test_a_variant_is_the_template_but_for_the_step_that_reads(name: str) -> None:
    ours, theirs = template(name), yaml.safe_load((WORKFLOWS / "get-obm-creds.yaml").read_text())
    assert ours["metadata"] == theirs["metadata"]
    for key in ("serviceAccountName", "entrypoint", "arguments", "podGC"):
        assert ours["spec"][key] == theirs["spec"][key]
    (our_main, ours_step), (their_main, their_step) = ours["spec"]["templates"], theirs["spec"]["templates"]
    assert {**our_main, "steps": None} == {**their_main, "steps": None}
    assert ours_step["outputs"] == their_step["outputs"]
    assert ours_step["metadata"] == their_step["metadata"]


@pytest.mark.parametrize("variant", ["command"], indirect=True)
def test_a_program(templates: Templates, variant: str) -> None:
    in_command(templates)
    outcome = read_by_environment(templates, CHECK, "host.domain.local").succeeded()
    for form in (PASSWORD, base64.b64encode(PASSWORD.encode()).decode()):
        assert form not in str(outcome.workflow)
    templates.gone("Secret", outcome.nodes_outputs("secret"))
    templates.run("get-obm-creds", hostname="broken").failed(
        "could not read obm-creds-broken: exit code 9: the safe is shut"
    )
    templates.run("get-obm-creds", hostname="other").failed("no credentials of other are on record")


@pytest.mark.parametrize("variant", ["encrypted"], indirect=True)
def test_an_encrypted_file(templates: Templates, variant: str, tmp_path: pathlib.Path) -> None:
    in_encrypted(templates, tmp_path)
    outcome = read_by_environment(templates, CHECK, "host.domain.local").succeeded()
    templates.gone("Secret", outcome.nodes_outputs("secret"))
    templates.run("get-obm-creds", hostname="other").failed("no credentials of other are on record")
    templates.secret("obm-encrypted-key", key=secrets.token_hex(32))
    templates.run("get-obm-creds", hostname="host.domain.local").failed(
        "the key in /run/obm/key/key is not the one that /run/obm/store/fleet.store was made with"
    )


@pytest.mark.parametrize("variant", NAMES, indirect=True)
@pytest.mark.parametrize("hostname", ["", "null"])
def test_without_a_hostname(templates: Templates, variant: str, hostname: str) -> None:
    outcome = templates.run("get-obm-creds", hostname=hostname)
    outcome.failed()
    assert "hostname is missing" in outcome.message


@pytest.mark.parametrize("variant", ["vault", "nautobot"], indirect=True)
def test_a_server_that_is_down_is_told(templates: Templates, nautobot: ScriptedNautobot, variant: str) -> None:
    templates.secret("obm-vault", token="x")
    templates.secret("nautobot-token", token="x")
    more = {"vault": "/secret?token-file=/run/obm/vault/token", "nautobot": "?token-file=/run/obm/nautobot/token"}[
        variant
    ]
    templates.config_map("obm", credentials=f"{variant}+http://127.0.0.1:1{more}")
    templates.run("get-obm-creds", hostname="host.domain.local").failed(
        f"the {variant.capitalize()} at http://127.0.0.1:1 cannot be reached"
    )
