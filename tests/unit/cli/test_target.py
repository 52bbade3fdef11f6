"""From the global flags and the environment to the cluster."""

from __future__ import annotations

import base64
import json
import pathlib

import pytest

from tiphys.cli.globals import GLOBAL
from tiphys.cli.grammar import parse
from tiphys.cli.session import Session
from tiphys.cli.target import target_of
from tiphys.errors import UsageError
from tiphys.kit.redact import Secret
from tiphys.kube.client.kubeconfig import Target


@pytest.fixture
def kubeconfig(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """One with a token, in a namespace of its own."""
    for name in ("ARGO_TOKEN", "ARGO_NAMESPACE", "ARGO_SERVER", "ARGO_INSTANCEID"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "kubeconfig"
    path.write_text(
        json.dumps(
            {
                "current-context": "c",
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "of-the-context"}}],
                "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
                "users": [{"name": "u", "user": {"token": "from-the-file"}}],
            }
        )
    )
    monkeypatch.setenv("KUBECONFIG", str(path))
    return path


def target(*words: str) -> Target:
    return target_of(parse(words, GLOBAL), "")


def headers(found: Target) -> dict[str, str]:
    return {name: value.reveal() if isinstance(value, Secret) else value for name, value in found.headers}


def test_the_kubeconfig_says_it_all(kubeconfig: pathlib.Path) -> None:
    found = target()
    assert (found.server, found.namespace) == ("http://127.0.0.1:1", "of-the-context")
    assert headers(found) == {"Authorization": "Bearer from-the-file"}
    assert "from-the-file" not in repr(found)


def test_flags_go_before_it(kubeconfig: pathlib.Path) -> None:
    found = target("--server", "http://127.0.0.2:2", "--token", "mine", "--proxy-url", "http://proxy:3128")
    assert (found.server, found.proxy) == ("http://127.0.0.2:2", "http://proxy:3128")
    assert headers(found) == {"Authorization": "Bearer mine"}


def test_impersonation_and_passwords(kubeconfig: pathlib.Path) -> None:
    found = target(
        "--as", "u", "--as-group", "g", "--as-group", "h", "--as-uid", "1", "--username", "n", "--password", "p"
    )
    assert ("Impersonate-User", "u") in found.headers
    assert [value for name, value in found.headers if name == "Impersonate-Group"] == ["g", "h"]
    assert headers(found)["Impersonate-Uid"] == "1"
    assert headers(found)["Authorization"] == "Basic " + base64.b64encode(b"n:p").decode()


def test_argos_token_variable(kubeconfig: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGO_TOKEN", "Bearer theirs")
    assert headers(target())["Authorization"] == "Bearer theirs"
    monkeypatch.setenv("ARGO_TOKEN", "Basic abc")
    with pytest.raises(UsageError, match="ARGO_TOKEN with Basic is not used"):
        target()


def test_the_namespace_is_the_flags_then_the_environments_then_the_contexts(
    kubeconfig: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Session(parse([], GLOBAL)).namespace == "of-the-context"
    monkeypatch.setenv("ARGO_NAMESPACE", "of-the-environment")
    assert Session(parse([], GLOBAL)).namespace == "of-the-environment"
    assert Session(parse(["-n", "of-the-flag"], GLOBAL)).namespace == "of-the-flag"


def test_the_selector_of_an_instance(kubeconfig: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Session(parse([], GLOBAL)).selector == "!workflows.argoproj.io/controller-instanceid"
    monkeypatch.setenv("ARGO_INSTANCEID", "one")
    assert Session(parse([], GLOBAL)).selector == "workflows.argoproj.io/controller-instanceid=one"


def test_a_kubeconfig_that_is_named_and_missing_is_not_replaced_by_the_one_of_this_machine(
    kubeconfig: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIPHYS_DATA_DIR", str(kubeconfig.parent))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "mistyped"))
    with pytest.raises(UsageError, match=r"no cluster is configured \(looked at .*/mistyped\)"):
        target()
    monkeypatch.delenv("KUBECONFIG")
    assert target().server == "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"clusters": 1}, "clusters is no list"),
        ({"clusters": [None]}, "clusters[0] is empty"),
        ({"contexts": ["c"]}, "contexts[0] is no map of keys"),
        ({"current-context": ["c"]}, "current-context must be text: put it into quotes"),
        ({"users": [{"name": "u", "user": {"token": 12345}}]}, "users[0].user.token must be text: put it into quotes"),
        ({"users": [{"name": "u", "user": {"as-groups": [1]}}]}, "users[0].user.as-groups[0] must be text"),
        (
            {"users": [{"name": "u", "user": {"exec": {"env": [{"name": 1}]}}}]},
            "users[0].user.exec.env[0].name must be",
        ),
        (
            {"clusters": [{"name": "c", "cluster": {"insecure-skip-tls-verify": "yes"}}]},
            "clusters[0].cluster.insecure-skip-tls-verify must be true or false",
        ),
    ],
)
def test_what_is_wrong_in_a_kubeconfig_is_told_with_its_place(
    kubeconfig: pathlib.Path, change: dict[str, object], says: str
) -> None:
    kubeconfig.write_text(json.dumps(json.loads(kubeconfig.read_text()) | change))
    with pytest.raises(UsageError) as caught:
        target()
    assert str(caught.value).startswith(f"kubeconfig {kubeconfig} is not a kubeconfig: {says}")


def test_what_is_null_in_a_kubeconfig_is_not_there(kubeconfig: pathlib.Path) -> None:
    given = json.loads(kubeconfig.read_text())
    given["users"].append({"name": None, "user": None})
    given["clusters"][0]["cluster"] |= {"proxy-url": None, "tls-server-name": None}
    kubeconfig.write_text(json.dumps(given))
    assert (target().server, target().proxy) == ("http://127.0.0.1:1", "")
