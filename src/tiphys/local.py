"""The composition root: store, API server, controllers and kubelet in one process.

Called by `tiphys up`. Everything that runs is built here and nowhere else; the parts do not know each other.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import secrets
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from tiphys.errors import StoreError, UsageError
from tiphys.kit.clock import utc_now
from tiphys.kit.redact import Secret
from tiphys.kube.client.api import Client
from tiphys.kube.controllers import externalsecrets, namespaces, serviceaccounts
from tiphys.kube.controllers.garbage import GarbageCollector
from tiphys.kube.controllers.localstores import local_store
from tiphys.kube.server.api import Api
from tiphys.kube.server.bootstrap import CONTROLLERS, furnish
from tiphys.kube.server.http import App
from tiphys.kube.server.inprocess import InProcessClient
from tiphys.kube.server.podlogs import PodLogs
from tiphys.kube.server.reviews import Reviews
from tiphys.kube.server.tokens import Tokens
from tiphys.kube.server.users import User, service_account
from tiphys.kube.store.sqlite import SqliteStore

__all__ = ["Local", "Settings", "default_data_dir", "kubeconfig"]

_SEALED = frozenset({("", "secrets")})
HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Settings:
    """What `tiphys up` is told.

    Attributes:
        data_dir: everything that is kept; made if it is missing.
        port: of the API; 0 for the one used last here, or a free one.
        secret_stores: stores of this machine that stand in for others, e.g. `nautobot=file:/etc/nautobot.yaml`.
    """

    data_dir: Path
    port: int = 0
    secret_stores: tuple[str, ...] = ()


def default_data_dir() -> Path:
    """$XDG_DATA_HOME/tiphys, or ~/.local/share/tiphys."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "tiphys"


class Local:
    """One cluster on one machine.

    Raises:
        StoreError: the data directory cannot be used.
        UsageError: the port is taken.
    """

    def __init__(self, settings: Settings) -> None:
        self._dir = settings.data_dir
        self._stores = dict(local_store(setting, os.environ) for setting in settings.secret_stores)
        try:
            self._dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{self._dir} cannot be made: {error.strerror}; choose another --data-dir") from error
        self._store = SqliteStore(self._dir / "tiphys.db", _SEALED)
        try:
            self._pki = self._certificates()
            token = self._admin_token()
            self._socket = self._bind(settings.port)
        except BaseException:
            self._store.abandon()
            raise
        port = self._socket.getsockname()[1]
        self.server = f"https://{HOST}:{port}"
        self._api = Api(self._store)
        self._tokens = Tokens(self._store, self._dir / "tokens.key", token, utc_now)
        self._reviews, self._logs = Reviews(self._api, self._tokens), PodLogs(self._api)
        self._app = App(self._api, self._tokens, self._reviews, self._logs)
        self._token = token

    def _certificates(self) -> Path:
        folder = self._dir / "pki"
        if not (folder / "ca.crt").exists():
            from tiphys.kube.server import pki

            pki.make(folder, utc_now())
        return folder

    def _admin_token(self) -> Secret:
        path = self._dir / "admin.token"
        if not path.exists():
            _private(path, secrets.token_urlsafe(32))
        return Secret(path.read_text().strip())

    def _bind(self, port: int) -> socket.socket:
        kept = self._dir / "port"
        wanted = port
        if not port and kept.exists():
            with contextlib.suppress(ValueError):
                wanted = int(kept.read_text())
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, wanted))
        except OSError as error:
            if port or not wanted:
                listener.close()
                raise UsageError(
                    f"port {port} of {HOST} cannot be used: {error.strerror}; choose another --port"
                ) from error
            listener.bind((HOST, 0))  # the one used last is taken: any free one, as nobody asked for it
        listener.listen(512)
        kept.write_text(f"{listener.getsockname()[1]}\n")
        return listener

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve until SIGTERM or SIGINT, then let go of everything."""
        try:
            await furnish(self._api)
            authority = (self._pki / "ca.crt").read_text()
            tasks = [asyncio.create_task(controller) for controller in self._controllers(authority)]
            path = self._dir / "kubeconfig"
            _private(path, kubeconfig(self.server, authority.encode(), self._token))
            config = uvicorn.Config(
                self._app,
                http="httptools",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                ssl_keyfile=self._pki / "server.key",
                ssl_certfile=self._pki / "server.crt",
                timeout_graceful_shutdown=1,
                timeout_keep_alive=60,
            )
            server = _Server(config, ready)
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, server.stop)
            for task in tasks:
                task.add_done_callback(lambda done: None if done.cancelled() else server.stop())
            await server.serve([self._socket])
            failed = [task for task in tasks if task.done() and task.exception()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if failed:
                raise StoreError(f"a controller ended: {failed[0].exception()!r}; see the log")
        finally:
            await self._store.close()
            self._socket.close()

    def client(self, user: User) -> InProcessClient:
        """The API in process, as a user of it."""
        return InProcessClient(self._api, user, self._reviews, self._logs)

    def _controllers(self, authority: str) -> list[Coroutine[Any, Any, None]]:
        client = self.client(User(CONTROLLERS))

        def client_for(namespace: str, name: str) -> Client:
            return self.client(service_account(namespace, name))

        return [
            namespaces.run(client, authority),
            GarbageCollector(client).run(),
            serviceaccounts.run(client, self._tokens.make_lasting, authority),
            externalsecrets.run(client, client_for, self._stores),
        ]


class _Server(uvicorn.Server):
    """uvicorn, told when to stop by us, and telling when it listens."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    def stop(self) -> None:
        self.should_exit = True


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
    """Write a file that only its owner can read, all or nothing."""
    fresh = path.with_name(path.name + ".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)
