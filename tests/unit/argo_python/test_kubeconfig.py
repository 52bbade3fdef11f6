"""What argo_python takes from a kubeconfig, and what it refuses rather than leave it out."""

from __future__ import annotations

import base64
import json
import pathlib
import ssl
from typing import Any

import pytest

from argo_python import ArgoWorkflow, KubernetesError
from argo_python._kubeconfig import read_kubeconfig
from tiphys.kit.clock import utc_now
from tiphys.kube.server import pki


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """With an authority, a certificate and its key."""
    pki.make(tmp_path, utc_now())
    return tmp_path


def written(folder: pathlib.Path, user: dict[str, Any], **cluster: Any) -> pathlib.Path:
    path = folder / "config"
    config = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "there"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://k8s.example/k8s/clusters/c-1/", **cluster}}],
        "users": [{"name": "u", "user": user}],
    }
    path.write_text(json.dumps(config))
    return path


def text(path: pathlib.Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def test_the_path_of_the_server_comes_before_each_requests(folder: pathlib.Path) -> None:
    target = read_kubeconfig(written(folder, {"token": "t"}))
    assert (target.address, target.prefix) == (("k8s.example", 443), "/k8s/clusters/c-1")
    assert (target.token, target.namespace) == ("t", "there")
    client = ArgoWorkflow(config_file=str(written(folder, {"token": "t"})))._client
    asked = []

    class Connection:
        def request(self, method: str, path: str, *_: object) -> None:
            asked.append(path)
            raise OSError("seen")

        def close(self) -> None:
            """Nothing."""

    client._connect = Connection  # type: ignore[method-assign,assignment]
    with pytest.raises(KubernetesError, match="seen"):
        client.request("GET", "/api/v1/pods")
    assert asked == ["/k8s/clusters/c-1/api/v1/pods"]


@pytest.mark.parametrize("inline", [True, False])
def test_certificates_in_it_and_beside_it(folder: pathlib.Path, inline: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []
    load = ssl.SSLContext.load_cert_chain
    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", lambda *given: (loaded.append(1), load(*given)))
    names = {"client-certificate": "server.crt", "client-key": "server.key"}
    user = {f"{key}-data": text(folder / name) for key, name in names.items()} if inline else names
    authority = (
        {"certificate-authority-data": text(folder / "ca.crt")} if inline else {"certificate-authority": "ca.crt"}
    )
    target = read_kubeconfig(written(folder, user, **authority))
    assert target.tls is not None
    assert len(target.tls.get_ca_certs()) == 1
    assert target.tls.verify_mode == ssl.CERT_REQUIRED
    assert loaded == [1]


def test_a_file_with_the_token_lies_beside_it(folder: pathlib.Path) -> None:
    assert read_kubeconfig(written(folder, {"tokenFile": "token"})).token_file == folder / "token"


@pytest.mark.parametrize(
    ("user", "cluster", "words"),
    [
        ({"exec": {"command": "aws"}}, {}, "exec is not honoured"),
        ({"token": "t", "as": "admin"}, {}, "as is not honoured"),
        ({"token": "t"}, {"proxy-url": "http://p"}, "proxy-url is not honoured"),
        ({"token": 5}, {}, "token is no text"),
        ({}, {}, "neither a token nor a client certificate"),
        ({"token": "t"}, {"server": "https://k:port"}, "server 'https://k:port' cannot be used"),
        ({"token": "t"}, {"server": "k8s.example"}, "server 'k8s.example' cannot be used"),
        ({"token": "t"}, {"certificate-authority-data": "!!"}, "certificate-authority-data is not base64"),
        ({"token": "t"}, {"certificate-authority-data": "aGFsbG8="}, "certificate-authority holds no certificate"),
        ({"token": "t"}, {"certificate-authority": "gone.crt"}, "certificate-authority gone.crt cannot be read"),
        ({"client-certificate-data": "YQ==", "client-key-data": "YQ=="}, {}, "client-key do not fit"),
    ],
)
def test_what_cannot_be_used_is_named(
    folder: pathlib.Path, user: dict[str, Any], cluster: dict[str, Any], words: str
) -> None:
    with pytest.raises(KubernetesError, match=words):
        read_kubeconfig(written(folder, user, **cluster))


@pytest.mark.parametrize("config", [{"contexts": "x"}, {"contexts": ["x"]}, {"contexts": None}, []])
def test_what_is_no_kubeconfig_is_told(tmp_path: pathlib.Path, config: Any) -> None:
    (tmp_path / "config").write_text(json.dumps(config))
    with pytest.raises(KubernetesError, match="config"):
        read_kubeconfig(tmp_path / "config")
