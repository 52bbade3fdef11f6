"""A BMC on the network: its listener, and the way of a request through authentication to a handler.

The listener is opened and closed as the BMC restarts: while it is down, connections are really refused by the kernel.
The port stays bound all the time, so that nobody else gets it.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import socket
import ssl
from collections.abc import Callable, Coroutine
from typing import Any

from tiphys_simulators.certificates import Certificate, load_into, new_certificate
from tiphys_simulators.http import BadBodyError, HttpProtocol, Json, Request, Response
from tiphys_simulators.redfish.accounts import Account
from tiphys_simulators.redfish.behaviour import Rule
from tiphys_simulators.redfish.bmc import Bmc
from tiphys_simulators.redfish.messages import Message, RedfishError
from tiphys_simulators.redfish.queries import answer, asked
from tiphys_simulators.redfish.routes import Exchange, Privilege, Router
from tiphys_simulators.redfish.session_service import SESSIONS

__all__ = ["BmcService"]

_log = logging.getLogger(__name__)

_HTML = (
    "<!DOCTYPE html>\n<html><head><title>{0}</title></head><body><h1>{0}</h1><p>The page cannot be shown.</p></body>\n"
)


class BmcService:
    """One BMC behind one TLS listener.

    Args:
        bmc: its state.
        router: the routes of its personality.
        address, port: where it listens; port 0 = any free one.
        certificate: the one to show first; None = a new one.
        changed: called when the state file should be written.
    """

    def __init__(
        self,
        bmc: Bmc,
        router: Router,
        address: str,
        port: int,
        certificate: Certificate | None = None,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.bmc = bmc
        self.clock = bmc.clock
        self.connections: set[asyncio.Transport] = set()
        self.certificate = certificate or new_certificate(bmc.name, address)
        self._router = router
        self._changed = changed
        self._revision = bmc.revision
        self._generation = bmc.certificate_generation
        self._tasks: set[asyncio.Task[None]] = set()
        self._alarm: asyncio.Task[None] | None = None
        self._alarm_at: float | None = None
        self._started = False
        self._listener: socket.socket | None = None
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._context.num_tickets = 0  # each would be kept for hours, on every BMC
        self._context.options |= ssl.OP_NO_TICKET
        load_into(self._context, self.certificate)
        self._holder = _bound(address, port)
        self.address, self.port = self._holder.getsockname()[:2]

    @property
    def url(self) -> str:
        """`https://address:port`."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"https://{host}:{self.port}"

    def start(self) -> None:
        """Listen."""
        self._started = True
        self.refresh()

    async def stop(self) -> None:
        """Stop listening, throw out the clients, end what runs beside."""
        tasks = [*self._tasks, *([self._alarm] if self._alarm else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._close()
        self._holder.close()

    def replace(self, bmc: Bmc) -> None:
        """Another state behind the same listener, with the same certificate."""
        self.bmc = bmc
        self._revision, self._generation = -1, bmc.certificate_generation
        for connection in list(self.connections):
            connection.abort()
        self.refresh()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside the connections; its consequences are drawn when it ends."""

        async def run() -> None:
            await work
            self.refresh()

        task = asyncio.get_running_loop().create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def takes_upload(self, method: str, path: str) -> bool:
        """Whether the body of this request is a firmware image."""
        route = self._router.find(path)[0].get(method)
        return route is not None and route.upload

    # Requests

    def respond(self, request: Request) -> Response:
        """Answer one request."""
        bmc = self.bmc
        bmc.counters.requests += 1
        bmc.settle()
        if bmc.stage() != "up" and _carries_credentials(request):
            bmc.counters.authenticated_requests_during_reboot += 1
        rule: Rule | None = None
        try:
            response = self._while_restarting()
            if response is None:
                rule = bmc.rule_for(request.method, request.path)
                response = self._ruled_out(rule) or self._dispatch(request)
        except RedfishError as error:
            response = Response(error.status, bmc.personality.dialect.error(bmc, error), dict(error.headers))
        except BadBodyError:
            malformed = RedfishError(400, Message("MalformedJSON"))
            response = Response(400, bmc.personality.dialect.error(bmc, malformed))
        if rule and rule.action == "lose-answer":
            response.lost = True
        if rule and rule.action == "delay":
            response.delay = rule.seconds
        response.headers.setdefault("OData-Version", "4.0")
        response.headers.setdefault("Cache-Control", "no-cache")
        self.refresh()
        return response

    def _while_restarting(self) -> Response | None:
        stage = self.bmc.stage()
        if stage == "refused":
            return Response(lost=True)
        if stage == "unavailable":
            raise RedfishError(503, Message("ServiceTemporarilyUnavailable", ("30",)))
        return None

    def _ruled_out(self, rule: Rule | None) -> Response | None:
        if rule is None or rule.action in ("lose-answer", "delay"):
            return None
        if rule.action == "lose-request":
            return Response(lost=True)
        headers = {"Retry-After": str(rule.retry_after)} if rule.retry_after else {}
        if rule.location:
            headers["Location"] = rule.location
        if rule.html:
            return Response(rule.status, _HTML.format(rule.status), headers, content_type="text/html")
        if rule.status == 401:
            raise self.bmc.unauthorized(0)
        key = "ServiceTemporarilyUnavailable" if rule.status == 503 else "GeneralError"
        raise RedfishError(rule.status, Message(key, (str(rule.retry_after or 30),)), headers=headers)

    def _dispatch(self, request: Request) -> Response:
        path = request.path
        if request.headers.get("odata-version", "4.0") != "4.0":
            raise RedfishError(412, Message("PreconditionFailed"))
        if request.method == "GET" and path.endswith("/") and self.bmc.behaviour.redirects_trailing_slash:
            return Response(301, None, {"Location": path.rstrip("/")})
        methods, ids = self._router.find(path)
        route = methods.get("GET" if request.method == "HEAD" else request.method)
        allow = ", ".join(sorted({*methods, "HEAD"} if "GET" in methods else methods))
        exchange = Exchange(self.bmc, request, ids)
        needs: Privilege = route.needs if route else "Login"
        query = asked(request, self.bmc.personality.features) if request.method == "GET" else {}
        if query and not needs:
            needs = "Login"  # the service root is for everyone, what it leads to is not
        if needs:
            exchange = self._authenticated(exchange, needs)
        if not methods:
            raise exchange.missing()
        if route is None:
            raise RedfishError(405, Message("OperationNotAllowed"), headers={"Allow": allow})
        if request.too_large:
            raise RedfishError(413, Message("PayloadTooLarge"))
        response = route.handler(exchange)
        if request.method in ("GET", "HEAD"):
            response.headers.setdefault("Allow", allow)
            self._query(exchange, query, response)
            _describe(response)
        return response

    def _query(self, exchange: Exchange, query: dict[str, str], response: Response) -> None:
        page_size = self.bmc.behaviour.page_size
        if not (query or page_size) or response.status != 200 or not isinstance(response.body, dict):
            return

        def fetch(path: str) -> Json:
            methods, ids = self._router.find(path)
            if "GET" not in methods:
                raise exchange.missing()
            request = dataclasses.replace(exchange.request, path=path, query={})
            body: Json = methods["GET"].handler(dataclasses.replace(exchange, request=request, ids=ids)).body
            return body

        response.body = answer(exchange.request.path, response.body, query, page_size, fetch)

    def _authenticated(self, exchange: Exchange, needs: Privilege) -> Exchange:
        bmc, request = self.bmc, exchange.request
        token, basic = request.headers.get("x-auth-token"), request.basic()
        session = bmc.sessions.by_token(token) if token else None
        if session and bmc.stage() != "unauthorized":
            session.used = bmc.clock.now()
            account = bmc.account_of(session.user)
        elif basic and not token:
            account = bmc.login(*basic, request.source, "basic")
        else:
            account = None
        if account is None:
            dialect = bmc.personality.dialect
            raise RedfishError(401, dialect.no_session(), headers=dialect.authenticate_header())
        exchange = Exchange(bmc, request, exchange.ids, account, session)
        if account.must_change and not self._allowed_before_change(request, account):
            raise RedfishError(403, Message("PasswordChangeRequired", (bmc.account_path(account),)))
        if not exchange.may(needs):
            raise RedfishError(403, Message("InsufficientPrivilege"))
        return exchange

    def _allowed_before_change(self, request: Request, account: Account) -> bool:
        """Whether somebody whose password must be changed first may send this."""
        path, behaviour = request.path.rstrip("/"), self.bmc.behaviour
        if behaviour.must_change_told == "account":
            return True
        if path == self.bmc.account_path(account):
            read = request.method in ("GET", "HEAD") and not behaviour.must_change_hides_account
            return read or request.method == "PATCH"
        log_out = request.method == "DELETE" and path.startswith(SESSIONS)
        return log_out or self.bmc.personality.dialect.changes_password(request.method, path)

    # The listener, and what happens unasked

    def refresh(self) -> None:
        """Draw the consequences of the BMC's state: listener, certificate, state file, next alarm."""
        bmc = self.bmc
        bmc.settle()
        if self._generation != bmc.certificate_generation:
            self._generation = bmc.certificate_generation
            self.certificate = new_certificate(bmc.name, self.address)
            load_into(self._context, self.certificate)
            self._changed()
        if self._revision != bmc.revision:
            self._revision = bmc.revision
            self._changed()
        if bmc.stage() == "refused":
            self._close()
        elif self._started and self._listener is None:
            self._listen()
        due = bmc.next_event()
        if due != self._alarm_at:
            if self._alarm and self._alarm is not asyncio.current_task():
                self._alarm.cancel()
            self._alarm_at = due
            self._alarm = None if due is None else asyncio.get_running_loop().create_task(self._wait(due))

    async def _wait(self, due: float) -> None:
        await self.clock.sleep_until(due)
        self._alarm_at = None
        self.refresh()

    # asyncio's own server opens and closes with an await between; a BMC that restarts does it at one moment.

    def _listen(self) -> None:
        self._listener = _bound(self.address, self.port)
        self._listener.setblocking(False)
        self._listener.listen(128)
        asyncio.get_running_loop().add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        while self._listener:
            try:
                client, _ = self._listener.accept()
            except OSError:  # nobody is left, or the client has gone again
                return
            client.setblocking(False)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.spawn(self._serve(client))

    async def _serve(self, client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(lambda: HttpProtocol(self), client, ssl=self._context)
        except OSError as error:  # ssl's errors are OSErrors: a client that refuses the certificate, a port scan
            _log.debug("BMC %s: TLS handshake: %s", self.bmc.name, error)

    def _close(self) -> None:
        if self._listener:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        for connection in list(self.connections):
            connection.abort()


def _bound(address: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    with contextlib.ExitStack() as undo:
        undo.callback(listener.close)
        # The holder and the listener share the address; without this the second bind is refused.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        undo.pop_all()
    return listener


def _carries_credentials(request: Request) -> bool:
    logs_in = request.method == "POST" and request.path.rstrip("/").startswith(SESSIONS)
    return logs_in or "authorization" in request.headers or "x-auth-token" in request.headers


def _describe(response: Response) -> None:
    """The Link header that the specification asks for on resources."""
    kind = response.body.get("@odata.type", "") if isinstance(response.body, dict) else ""
    if kind.startswith("#"):
        schema = ".".join(kind[1:].split(".")[:2] if kind.count(".") > 1 else kind[1:].split(".")[:1])
        link = f"<http://redfish.dmtf.org/schemas/v1/{schema}.json>; rel=describedby"
        response.headers.setdefault("Link", link)
