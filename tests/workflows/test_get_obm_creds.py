"""get-obm-creds: the device's own Secret, else the fleet's, copied into one that lives as long as the workflow."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator

import pytest

from templates_world import Templates, read_by_environment


@pytest.fixture(autouse=True)
def fleet(templates: Templates) -> Iterator[Templates]:
    """With no credentials on record to begin with."""
    yield templates
    for name in templates.names("Secret"):
        if name.startswith("obm-cred"):
            templates.remove("Secret", name)


def test_the_devices_own_secret(templates: Templates) -> None:
    templates.secret("obm-creds", username="fleet", password="not this one")
    templates.secret("obm-creds-host.domain.local", username="root", password="p4ss'\"$ word")
    check = """[ "$OBM_USERNAME" = root ] && [ "$OBM_PASSWORD" = "p4ss'\\"\\$ word" ]"""
    outcome = read_by_environment(templates, check, "host.domain.local")
    outcome.succeeded()


def test_the_fleets_secret_where_the_device_has_none(templates: Templates) -> None:
    templates.secret("obm-creds", username="fleet", password="everybody's")
    check = '[ "$OBM_USERNAME/$OBM_PASSWORD" = "fleet/everybody\'s" ]'
    outcome = read_by_environment(templates, check, "host.domain.local")
    outcome.succeeded()


def test_the_secret_is_named_after_its_pod_and_belongs_to_it(templates: Templates) -> None:
    templates.secret("obm-creds", username="root", password="x")
    outcome = templates.run("get-obm-creds", hostname="host.domain.local")
    outcome.succeeded()
    prefix, _, uid = outcome.outputs["secret"].partition("obm-credentials-")
    assert not prefix
    assert len(uid) == 36


def test_the_secret_is_gone_after_the_workflow(templates: Templates) -> None:
    templates.secret("obm-creds", username="root", password="x")
    outcome = templates.run("get-obm-creds", hostname="host.domain.local")
    templates.gone("Secret", outcome.outputs["secret"])


@pytest.mark.parametrize(
    ("hostname", "secret"),
    [
        ("SRV_01", "obm-creds-srv-01-" + hashlib.sha256(b"SRV_01").hexdigest()[:8]),
        ("odd name&x=1 é", "obm-creds-odd-name-x-1-"),
        ("a..b", "obm-creds-a-b-" + hashlib.sha256(b"a..b").hexdigest()[:8]),
        ("a-.b", "obm-creds-a-b-" + hashlib.sha256(b"a-.b").hexdigest()[:8]),
        ("a" * 203, f"obm-creds-{'a' * 200}-" + hashlib.sha256(b"a" * 203).hexdigest()[:8]),
        ("srv-01", "obm-creds-srv-01 "),
        ("a" * 202, f"obm-creds-{'a' * 202} "),
    ],
)
def test_a_name_that_kubernetes_would_not_take(templates: Templates, hostname: str, secret: str) -> None:
    outcome = templates.run("get-obm-creds", hostname=hostname)
    outcome.failed(f"neither the device's Secret {secret}")


def test_no_credentials_on_record_says_which_command_mends_it(templates: Templates) -> None:
    outcome = templates.run("get-obm-creds", hostname="host.domain.local")
    outcome.failed()
    assert (
        "make one: kubectl -n argo-events create secret generic obm-creds-host.domain.local "
        "--from-literal=username=… --from-literal=password=…" in outcome.messages()
    )


@pytest.mark.parametrize(
    "values",
    [{"username": "root"}, {"username": "root", "password": ""}, {"password": "x"}, {"user": "root", "pass": "x"}],
)
def test_half_a_secret_is_no_credential(templates: Templates, values: dict[str, str]) -> None:
    templates.secret("obm-creds", username="fleet", password="must not be taken instead")
    templates.secret("obm-creds-host.domain.local", **values)
    outcome = templates.run("get-obm-creds", hostname="host.domain.local")
    outcome.failed("Secret obm-creds-host.domain.local needs the keys username and password")


def test_bytes_that_are_no_text_are_named_and_not_shown(templates: Templates) -> None:
    templates.secret_bytes("obm-creds-host.domain.local", {"username": b"root", "password": b"p4ss\xff"})
    outcome = templates.run("get-obm-creds", hostname="host.domain.local")
    outcome.failed("main: Error (exit code 1): Secret obm-creds-host.domain.local holds bytes that are no text (UTF-8)")
    assert "Traceback" not in outcome.messages()


@pytest.mark.parametrize("hostname", ["", "null"])
def test_without_a_hostname(templates: Templates, hostname: str) -> None:
    templates.secret("obm-creds", username="root", password="x")
    outcome = templates.run("get-obm-creds", hostname=hostname)
    outcome.failed()
    assert "hostname is missing" in outcome.message


def test_the_password_is_in_no_workflow_and_no_pod(templates: Templates) -> None:
    password = "correct horse battery"
    templates.secret("obm-creds", username="root", password=password)
    outcome = read_by_environment(templates, "true", "host.domain.local")
    for form in (password, base64.b64encode(password.encode()).decode()):
        assert form not in str(outcome.workflow)
