"""Everything that runs in `tiphys up`, built and started here and nowhere else."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from tiphys.errors import StoreError
from tiphys.kit.clock import utc_now
from tiphys.kube.client.api import Client
from tiphys.kube.controllers import clusterroles, externalsecrets, namespaces, serviceaccounts
from tiphys.kube.controllers.garbage import GarbageCollector
from tiphys.kube.controllers.localstores import local_store
from tiphys.kube.server.api import Api
from tiphys.kube.server.bootstrap import CONTROLLERS, Role, furnish
from tiphys.kube.server.http import App
from tiphys.kube.server.inprocess import InProcessClient
from tiphys.kube.server.podlogs import PodLogs
from tiphys.kube.server.reviews import Reviews
from tiphys.kube.server.serving import Server
from tiphys.kube.server.tokens import Tokens
from tiphys.kube.server.users import AUTHENTICATED, User, service_account
from tiphys.kube.store.sqlite import SqliteStore
from tiphys.kubelet import rbac as kubelet_rbac
from tiphys.kubelet.kubelet import Captured, Kubelet
from tiphys.kubelet.settings import KubeletSettings, Limits
from tiphys.local.admission import NODE, place_pod, refuse_fields
from tiphys.local.config import Settings
from tiphys.local.descriptors import raise_limit
from tiphys.local.images import WELL_KNOWN
from tiphys.local.place import HOST, Place
from tiphys.workflow.controller import rbac as controller_rbac
from tiphys.workflow.controller.controller import WorkflowController
from tiphys.workflow.executor import rbac as executor_rbac
from tiphys.workflow.executor import report
from tiphys.workflow.pods import reporting_account
from tiphys.workflow.spec import fields

__all__ = ["Local"]

_log = logging.getLogger(__name__)

_SEALED = frozenset({("", "secrets")})
_ROLES = (
    Role(controller_rbac.USER, ("User", controller_rbac.USER), controller_rbac.RULES),
    Role("system:node", ("Group", kubelet_rbac.GROUP), kubelet_rbac.RULES),
    # As in Argo's own quick start: a workflow of namespace argo that names no account can hand on outputs.
    Role("executor", ("ServiceAccount", "default"), executor_rbac.RULES, "argo"),
)
# Objects between two searches for cycles. Nearly all that a request makes goes with it, and the many that stay are
# looked through in vain: Python's 700 save 5 MiB and cost some 4 % of a fan-out of steps.
_GARBAGE = (10_000, 20, 20)


class Local:
    """One cluster on one machine.

    Raises:
        StoreError: the data directory cannot be used.
        UsageError: the port is taken.
    """

    def __init__(self, settings: Settings) -> None:
        stores = dict(local_store(setting, os.environ) for setting in settings.secret_stores)
        self._place = Place(settings.data_dir)
        self._store = SqliteStore(settings.data_dir / "tiphys.db", _SEALED)
        try:
            authority, self._token = self._place.authority, self._place.admin_token()
            self._socket = self._place.listen(settings.port)
        except BaseException:
            self._store.abandon()
            raise
        port = self._socket.getsockname()[1]
        self.server = f"https://{HOST}:{port}"
        self._api = Api(self._store, (place_pod, refuse_fields), fields={"argoproj.io": fields})
        tokens = Tokens(self._store, settings.data_dir / "tokens.key", self._token, utc_now)
        self._reviews, logs = Reviews(self._api, tokens), PodLogs(self._api)
        self._logs = logs
        self._app = App(self._api, tokens, self._reviews, logs)
        self._workflows = WorkflowController(
            self.client(User(controller_rbac.USER)), client_for=self._account, settings=None
        )
        self._kubelet = Kubelet(
            self.client(User(f"system:node:{NODE}", (kubelet_rbac.GROUP, AUTHENTICATED))),
            KubeletSettings(
                settings.data_dir / "kubelet",
                port,
                HOST,
                NODE,
                open_files=raise_limit(),
                hidden=str(settings.data_dir),
                images=(*settings.images, *WELL_KNOWN),
                host_paths=settings.host_paths,
                limits=Limits(pods=settings.pods),
            ),
            on_captured=self._report,
        )
        logs.source = self._kubelet
        client = self.client(User(CONTROLLERS))
        self._controllers: tuple[Callable[[], Coroutine[Any, Any, None]], ...] = (
            lambda: namespaces.run(client, authority),
            GarbageCollector(client).run,
            lambda: clusterroles.run(client),
            lambda: serviceaccounts.run(client, tokens.make_lasting, authority),
            lambda: externalsecrets.run(client, self._account, stores),
            self._workflows.run,
            self._kubelet.run,
        )

    def client(self, user: User) -> InProcessClient:
        """The API in process, as a user of it."""
        return InProcessClient(self._api, user, self._reviews, self._logs)

    def _account(self, namespace: str, name: str) -> Client:
        return self.client(service_account(namespace, name))

    async def _report(self, pod: dict[str, Any], captured: Mapping[str, Captured]) -> None:
        """A step's outputs are reported as the step's own account: RBAC decides, as it does on a cluster."""
        await report(self._account(*reporting_account(pod)), pod, captured)

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve until SIGTERM, SIGINT or the end of the terminal, then let go of everything; steps go on running.

        Raises:
            StoreError: a part of it ended.
        """
        gc.set_threshold(*_GARBAGE)
        try:
            await furnish(self._api, _ROLES)
            self._place.write_kubeconfig(self.server, self._token)
            certificate = self._place.certificate, self._place.key
            server = Server(self._app, certificate, ready=ready, stopping=self._app.close)
            tasks = [asyncio.create_task(run()) for run in self._controllers]
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                if signal.getsignal(number) is not signal.SIG_IGN:  # nohup: it is to outlive the terminal
                    loop.add_signal_handler(number, server.stop)
            for task in tasks:
                task.add_done_callback(lambda done: None if done.cancelled() else server.stop())
            await server.serve([self._socket])
            failed = [error for task in tasks if task.done() and (error := task.exception())]
            await asyncio.gather(self._workflows.drain(), self._kubelet.drain())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for error in failed:
                _log.error("a part of the server ended", exc_info=error)
            if failed:
                raise StoreError(f"a part of the server ended: {failed[0]!r}") from failed[0]
        finally:
            await self._store.close()
            self._socket.close()
