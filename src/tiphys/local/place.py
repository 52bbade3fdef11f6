"""Where a cluster lives: its data directory, certificates, the administrator's token, its port and its kubeconfig."""

from __future__ import annotations

import base64
import json
import secrets
import socket
import ssl
from pathlib import Path

from tiphys.errors import StoreError, UsageError
from tiphys.kit.clock import utc_now
from tiphys.kit.files import write_private
from tiphys.kit.redact import Secret

__all__ = ["HOST", "Place", "kept_port", "kubeconfig"]

HOST = "127.0.0.1"


class Place:
    """A data directory; made if it is missing, private to its owner.

    Raises:
        StoreError: it cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{folder} cannot be made: {error.strerror}; choose another --data-dir") from error

    @property
    def certificate(self) -> Path:
        """Of the server; beside it lie its key and the authority."""
        return self._certificates() / "server.crt"

    @property
    def key(self) -> Path:
        """The server's private key."""
        return self._certificates() / "server.key"

    @property
    def authority(self) -> str:
        """The certificate authority, PEM.

        Raises:
            StoreError: it, or what goes with it, is damaged.
        """
        folder = self._certificates()
        path = folder / "ca.crt"
        try:
            text = path.read_text()
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.certificate, self.key)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise StoreError(
                f"the certificates in {folder} are damaged or not complete: restore them from a backup; or remove "
                "them, and new ones are made, which copies of the kubeconfig do not know"
            ) from error
        return text

    def _certificates(self) -> Path:
        folder = self.folder / "pki"
        if not (folder / "ca.crt").exists():
            from tiphys.kube.server import pki  # cryptography.x509 costs 75 ms, and this happens once

            try:
                pki.make(folder, utc_now())
            except OSError as error:
                raise StoreError(f"{folder} cannot be written: {error.strerror}") from error
        return folder

    def admin_token(self) -> Secret:
        """The token of the administrator; made at the first start."""
        path = self.folder / "admin.token"
        if not path.exists():
            _private(path, secrets.token_urlsafe(32))
        try:
            return Secret(path.read_text().strip())
        except (OSError, UnicodeDecodeError) as error:
            raise StoreError(f"{path} cannot be read as a token: remove it, and another is made") from error

    def listen(self, port: int) -> socket.socket:
        """A listening socket on loopback.

        Args:
            port: 0 for the one used last here, or a free one where that is taken.

        Raises:
            UsageError: the port is taken.
        """
        wanted = port or kept_port(self.folder)
        # asyncio sets TCP_NODELAY only where the socket says that it is TCP; without it each answer waits 40 ms.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, wanted))
        except OSError as error:
            if port or not wanted:
                listener.close()
                raise UsageError(
                    f"port {port} of {HOST} cannot be used: {error.strerror}; choose another --port"
                ) from error
            listener.bind((HOST, 0))  # nobody asked for the one used last
        listener.listen(512)
        _private(self.folder / "port", f"{listener.getsockname()[1]}\n")
        return listener

    def write_kubeconfig(self, server: str, token: Secret) -> None:
        """The file that kubectl, argo and tiphys read."""
        _private(self.folder / "kubeconfig", kubeconfig(server, self.authority.encode(), token))


def kept_port(folder: Path) -> int:
    """The port last used with a data directory; 0 where it was never started, or nobody can tell."""
    try:
        port = int((folder / "port").read_text())
    except (OSError, ValueError):
        return 0
    return port if 0 < port < 65536 else 0


def kubeconfig(server: str, authority: bytes, token: Secret) -> str:
    """A kubeconfig, as JSON (which is YAML): every client reads it fast."""
    name = "tiphys"
    cluster = {"server": server, "certificate-authority-data": base64.b64encode(authority).decode()}
    value = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": {"token": token.reveal()}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": "default"}}],
    }
    return json.dumps(value, indent=1) + "\n"


def _private(path: Path, text: str) -> None:
    try:
        write_private(path, text.encode())
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}") from error
