"""The client over HTTPS and a connection that the server ends between two requests."""

from __future__ import annotations

import http.server
import select
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tiphys.kit.clock import utc_now
from tiphys.kube.client.http import HttpClient
from tiphys.kube.client.kubeconfig import Target
from tiphys.kube.objects.resources import served
from tiphys.kube.server import pki


class Impatient(http.server.BaseHTTPRequestHandler):
    """Answers one request of each connection and ends it without having said so."""

    protocol_version = "HTTP/1.1"
    timeout = 10

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.do_GET()

    def do_GET(self) -> None:
        self.server.asked.append(self.command)  # type: ignore[attr-defined]
        body = b'{"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "a", "resourceVersion": "1"}}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture(params=["http", "https"])
def impatient(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[HttpClient, list[str]]]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Impatient)
    server.asked = []  # type: ignore[attr-defined]
    tls = None
    if request.param == "https":
        pki.make(tmp_path, utc_now())
        ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ours.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
        server.socket = ours.wrap_socket(server.socket, server_side=True)
        tls = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    client = HttpClient(Target(f"{request.param}://127.0.0.1:{server.server_port}", "", (), tls))
    yield client, server.asked  # type: ignore[attr-defined]
    client.close()
    server.shutdown()
    thread.join()
    server.server_close()


def ended(client: HttpClient) -> None:
    """Wait until the kept connection has been ended by the server."""
    assert client._kept is not None
    assert select.select([client._kept.sock], [], [], 10)[0]


def test_a_connection_that_was_ended_meanwhile_costs_no_request(impatient: tuple[HttpClient, list[str]]) -> None:
    client, asked = impatient
    configmaps = served("", "configmaps")
    client.get(configmaps, "a", "default")
    ended(client)
    client.create(configmaps, {"metadata": {"name": "a"}}, "default")
    ended(client)
    client.get(configmaps, "a", "default")
    assert asked == ["GET", "POST", "GET"]
