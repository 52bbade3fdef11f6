"""A stand-in for HashiCorp Vault that follows its published API (key-value engine version 2, log-ins), for quick tests.

Bodies and codes are those of Vault's published API. The tests that use it run on a real Vault, too, where `make vault`
has built one; until then nothing has compared the two.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import secrets
import ssl
import threading
from collections.abc import Iterator
from typing import Any

RIGHTS = {"rw": {"GET", "POST"}, "ro": {"GET"}, "none": set()}

Answer = tuple[int, Any]
DENIED: Answer = (403, {"errors": ["1 error occurred:\n\t* permission denied\n\n"]})
INVALID: Answer = (403, {"errors": ["2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"]})
PREFLIGHT = 'preflight capability check returned 403, please ensure client\'s policies grant access to path "{}/"'


class VaultStandIn:
    """One that serves; what it can be made to do is in its methods, by the names that the real one's helper has."""

    real = False

    def __init__(self, address: str) -> None:
        self.address = address
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self._documents: dict[tuple[str, str], list[dict[str, Any] | None]] = {}
        self._gone: dict[tuple[str, str], str] = {}
        self._tokens: dict[str, str] = {}
        self._roles: dict[str, str] = {}
        self._lock = threading.Lock()
        self._sealed = False
        self._redirect = ""

    # What a test does

    def token(self, rights: str = "rw") -> str:
        """A new one."""
        token = f"hvs.{secrets.token_hex(12)}"
        self._tokens[token] = rights
        return token

    def revoke_all(self) -> None:
        """No token is good any more."""
        self._tokens.clear()

    def approle(self) -> tuple[str, str]:
        """A role's id and a secret id of it."""
        role, secret = secrets.token_hex(8), secrets.token_hex(8)
        self._roles[role] = secret
        return role, secret

    def jwt(self) -> str:
        """Of a pod that may log in as role `obm`."""
        jwt = f"jwt.{secrets.token_hex(12)}"
        self._roles["obm"] = jwt
        return jwt

    def put(self, path: str, data: dict[str, Any]) -> None:
        """Somebody else writes."""
        self._documents.setdefault(("", path), []).append(data)

    def data(self, path: str) -> dict[str, Any]:
        """What is there."""
        return dict(self._documents["", path][-1] or {})

    def delete(self, path: str, how: str) -> None:
        """The newest version is `deleted` or `destroyed`."""
        self._gone["", path] = how

    def seal(self) -> None:
        """It serves nothing until it is unsealed."""
        self._sealed = True

    def redirect(self, to: str) -> None:
        """As a standby of a cluster may."""
        self._redirect = to

    # What it answers

    def answer(self, method: str, path: str, headers: dict[str, str], body: Any) -> Answer:
        """Code and body."""
        self.requests.append((method, path, headers))
        if self._sealed:
            return 503, {"errors": ["Vault is sealed"]}
        if self._redirect:
            return 307, self._redirect
        area, _, rest = path.removeprefix("/v1/").partition("/")
        if area == "auth":
            return self._log_in(rest, body)
        rights = self._tokens.get(headers.get("x-vault-token", ""))
        if rights is None:
            return INVALID if headers.get("x-vault-token") else DENIED
        if path.startswith("/v1/sys/internal/ui/mounts/"):
            return self._mount(path.rpartition("/")[2], rights)
        if method not in RIGHTS[rights] or not rest.startswith("data/"):
            return DENIED
        key = (headers.get("x-vault-namespace", ""), rest.removeprefix("data/"))
        with self._lock:
            return self._read(key) if method == "GET" else self._write(key, body)

    def _log_in(self, rest: str, body: Any) -> Answer:
        if rest == "approle/login":
            if self._roles.get(body["role_id"]) != body["secret_id"]:
                return 400, {"errors": ["invalid role or secret ID"]}
        elif self._roles.get(body["role"]) != body["jwt"]:
            return 403, {"errors": ["permission denied"]}
        return 200, {"auth": {"client_token": self.token(), "policies": ["rw"], "lease_duration": 60}}

    def _mount(self, name: str, rights: str) -> Answer:
        if rights == "none" or name not in ("secret", "old"):
            return 403, {"errors": [PREFLIGHT.format(name)]}
        options = {"version": "2" if name == "secret" else "1"}
        return 200, {"data": {"type": "kv", "path": f"{name}/", "options": options}}

    def _read(self, key: tuple[str, str]) -> Answer:
        versions = self._documents.get(key, [])
        if not versions:
            return 404, {"errors": []}
        how = self._gone.get(key, "")
        metadata = {
            "created_time": "2026-01-01T00:00:00Z",
            "custom_metadata": None,
            "deletion_time": "2026-01-02T00:00:00Z" if how == "deleted" else "",
            "destroyed": how == "destroyed",
            "version": len(versions),
        }
        return (404 if how else 200), {"data": {"data": None if how else versions[-1], "metadata": metadata}}

    def _write(self, key: tuple[str, str], body: Any) -> Answer:
        versions = self._documents.setdefault(key, [])
        cas = (body.get("options") or {}).get("cas")
        if cas is None:
            return 400, {"errors": ["check-and-set parameter required for this call"]}
        if cas != len(versions):
            return 400, {"errors": ["check-and-set parameter did not match the current version"]}
        versions.append(body["data"])
        self._gone.pop(key, None)
        metadata = {"created_time": "2026-01-01T00:00:00Z", "deletion_time": "", "destroyed": False}
        return 200, {"data": {**metadata, "version": len(versions)}}


@contextlib.contextmanager
def standing_in(certificate: tuple[str, str] | None = None) -> Iterator[VaultStandIn]:
    """Serve on loopback.

    Args:
        certificate: files of a certificate and its key, for HTTPS.
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            headers = {name.lower(): value for name, value in self.headers.items()}
            code, answer = stand_in.answer(self.command, self.path.partition("?")[0], headers, body)
            data = b"" if code == 307 else json.dumps(answer).encode()
            self.send_response(code)
            if code == 307:
                self.send_header("Location", answer)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = _serve  # noqa: N815 - as http.server calls them

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        stand_in = VaultStandIn(f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield stand_in
        finally:
            server.shutdown()
            thread.join(10)
