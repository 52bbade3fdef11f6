"""A real HashiCorp Vault for tests: core and HTTP API built from source (tests/conformance/vault), on loopback.

`make vault` builds it (Go) into `.cache/vault`: too long for every run of the tests, and
they skip without it. Storage is in memory.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

_ROOT = pathlib.Path(__file__).parent
_BINARY = _ROOT.parent / ".cache" / "vault" / "vault"
_POLICIES = {
    "rw": 'path "secret/*" { capabilities = ["create", "read", "update"] }\npath "old/*" { capabilities = ["read"] }',
    "ro": 'path "secret/*" { capabilities = ["read"] }',
    "none": 'path "elsewhere/*" { capabilities = ["read"] }',
}


class RealVault:
    """One that serves; the methods of `vault_stand_in.VaultStandIn`, but for what only a stand-in can be made to do."""

    real = True

    def __init__(self, address: str) -> None:
        self.address = address
        self._root = ""
        made = self.ask("PUT", "/sys/init", {"secret_shares": 1, "secret_threshold": 1})
        self._root = made["root_token"]
        self.ask("PUT", "/sys/unseal", {"key": made["keys"][0]})
        self.ask("POST", "/sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})
        self.ask("POST", "/sys/mounts/old", {"type": "kv", "options": {"version": "1"}})
        for name, policy in _POLICIES.items():
            self.ask("PUT", f"/sys/policies/acl/{name}", {"policy": policy})
        self.ask("POST", "/sys/auth/approle", {"type": "approle"})
        self.ask("POST", "/auth/approle/role/obm", {"token_policies": ["rw"], "secret_id_num_uses": 0})
        self.ask("GET", "/secret/config", patience=30)  # the engine is being upgraded for a moment after it is mounted

    def ask(self, method: str, path: str, body: Any = None, *, patience: float = 0) -> Any:
        """One request as root; the answer's object."""
        deadline = time.monotonic() + patience
        while True:
            data = None if body is None else json.dumps(body).encode()
            request = urllib.request.Request(f"{self.address}/v1{path}", data, method=method)
            request.add_header("X-Vault-Token", self._root)
            try:
                with urllib.request.urlopen(request, timeout=30) as response:
                    text = response.read()
                return json.loads(text) if text else None
            except urllib.error.HTTPError as error:
                if time.monotonic() > deadline:
                    raise AssertionError(f"{method} {path}: {error.code} {error.read()[:500]!r}") from error
            time.sleep(0.05)

    def token(self, rights: str = "rw") -> str:
        """A new one."""
        return str(self.ask("POST", "/auth/token/create", {"policies": [rights]})["auth"]["client_token"])

    def revoke_all(self) -> None:
        """No token that was made by a log-in is good any more."""
        self.ask("PUT", "/sys/leases/revoke-force/auth/approle", {})

    def approle(self) -> tuple[str, str]:
        """A role's id and a secret id of it."""
        role = self.ask("GET", "/auth/approle/role/obm/role-id")["data"]["role_id"]
        return role, self.ask("POST", "/auth/approle/role/obm/secret-id", {})["data"]["secret_id"]

    def put(self, path: str, data: dict[str, Any]) -> None:
        """Somebody else writes."""
        self.ask("POST", f"/secret/data/{path}", {"data": data})

    def data(self, path: str) -> dict[str, Any]:
        """What is there."""
        found: dict[str, Any] = self.ask("GET", f"/secret/data/{path}")["data"]["data"]
        return found

    def delete(self, path: str, how: str) -> None:
        """The newest version is `deleted` or `destroyed`."""
        newest = self.ask("GET", f"/secret/metadata/{path}")["data"]["current_version"]
        verb = {"deleted": "delete", "destroyed": "destroy"}[how]
        self.ask("POST", f"/secret/{verb}/{path}", {"versions": [newest]})

    def seal(self) -> None:
        """It serves nothing until it is unsealed."""
        self.ask("PUT", "/sys/seal")


@contextlib.contextmanager
def real_vault(folder: pathlib.Path) -> Iterator[RealVault]:
    """Serve one of the test's own."""
    binary = _built()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{probe.getsockname()[1]}"
    with (folder / "vault.log").open("wb") as log:
        process = subprocess.Popen([binary, place], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while not _answers(place):
            assert process.poll() is None, (folder / "vault.log").read_text()[-2000:]
            assert time.monotonic() < deadline, "Vault does not answer"
            time.sleep(0.05)
        yield RealVault(f"http://{place}")
    finally:
        process.kill()
        process.wait(30)


def _answers(place: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{place}/v1/sys/init", timeout=10):
            return True
    except OSError:
        return False


def _built() -> pathlib.Path:
    if not _BINARY.exists():
        pytest.skip("a real Vault is not built here: `make vault` does it (Go)")
    return _BINARY
