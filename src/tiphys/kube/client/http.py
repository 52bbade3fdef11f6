"""The API over HTTPS, for the command line: one connection, blocking calls, streams read line by line.

Written on the standard library because a command has 0.2 s in all: http.client and ssl load in 45 ms, lightkube in
250 ms (measured). Only GETs are sent again, and only when a kept connection turns out to be closed as one is sent.
"""

from __future__ import annotations

import http.client
import select
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

from tiphys.errors import ApiError, ConnectError, UsageError
from tiphys.kit.network import trouble
from tiphys.kit.plainjson import DecodeError, decode, encode
from tiphys.kit.redact import Secret
from tiphys.kube.client.api import Item, Items, Object, Propagation, WatchEvent
from tiphys.kube.client.kubeconfig import Target
from tiphys.kube.client.paths import object_path, path_of
from tiphys.kube.objects.resources import Resource

__all__ = ["HttpClient"]

_PATCH_TYPES = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
}


class HttpClient:
    """`kube.client.api.Client` with blocking methods: same names, same arguments, same errors.

    `warnings` collects what the server said in Warning headers, in order, each once.
    """

    def __init__(self, target: Target, *, user_agent: str = "tiphys", timeout: float = 60.0) -> None:
        self.target = target
        self.warnings: list[str] = []
        self._timeout = timeout
        self._agent = user_agent
        self._kept: http.client.HTTPConnection | None = None
        self._server = _address(target.server, "server", ("http", "https"))
        self._proxy = _address(target.proxy, "proxy", ("http",)) if target.proxy else None
        self._headers = [(name, _header(name, value)) for name, value in target.headers]

    def get(self, resource: Resource, name: str, namespace: str = "") -> Item:
        """One object."""
        return self._item("GET", object_path(resource, namespace, name))

    def list(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        limit: int = 0,
        continue_token: str = "",
    ) -> Items:
        """All objects, or one page of them."""
        query = {
            "labelSelector": label_selector,
            "fieldSelector": field_selector,
            "limit": str(limit or ""),
            "continue": continue_token,
        }
        value = self._json("GET", path_of(resource, namespace), query)
        meta = value.get("metadata") or {}
        kind = {"apiVersion": resource.api_version, "kind": resource.kind}  # items of a list come without
        items = [Item.of({**kind, **item}) for item in value.get("items") or []]
        return Items(items, meta.get("resourceVersion", ""), meta.get("continue") or "")

    def create(
        self,
        resource: Resource,
        value: Object,
        namespace: str = "",
        *,
        name: str = "",
        subresource: str = "",
        dry_run: bool = False,
    ) -> Item:
        """Create an object, or POST to a subresource of one."""
        path = path_of(resource, namespace, name, subresource)
        return self._item("POST", path, _dry(dry_run), value)

    def update(self, resource: Resource, value: Object, *, subresource: str = "", dry_run: bool = False) -> Item:
        """Replace an object; 409 when its resourceVersion is not the newest."""
        meta = value["metadata"]
        path = object_path(resource, meta.get("namespace", ""), meta["name"], subresource)
        return self._item("PUT", path, _dry(dry_run), value)

    def patch(
        self,
        resource: Resource,
        name: str,
        body: Object | Sequence[Object],
        namespace: str = "",
        *,
        kind: Literal["merge", "json", "strategic"] = "merge",
        subresource: str = "",
        dry_run: bool = False,
    ) -> Item:
        """Patch an object."""
        path = object_path(resource, namespace, name, subresource)
        return self._item("PATCH", path, _dry(dry_run), body, _PATCH_TYPES[kind])

    def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str = "",
        *,
        propagation: Propagation = "",
        grace_seconds: int | None = None,
        uid: str = "",
        resource_version: str = "",
    ) -> Object:
        """Delete an object; returns it, or a Status."""
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if propagation:
            options["propagationPolicy"] = propagation
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        conditions = {k: v for k, v in (("uid", uid), ("resourceVersion", resource_version)) if v}
        if conditions:
            options["preconditions"] = conditions
        return self._json("DELETE", object_path(resource, namespace, name), {}, options)

    def watch(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        resource_version: str = "",
    ) -> Iterator[WatchEvent]:
        """Changes until the server ends the watch; ApiError 410 when `resource_version` is gone."""
        query = {
            "watch": "true",
            "labelSelector": label_selector,
            "fieldSelector": field_selector,
            "resourceVersion": resource_version,
            "allowWatchBookmarks": "true",
        }
        for line in self.lines(path_of(resource, namespace), query):
            event = _decoded(line, "the watch")
            if event["type"] == "ERROR":
                raise _api_error(int(event["object"].get("code", 500)), event["object"])
            yield WatchEvent(event["type"], Item.of(event["object"]))

    def log(self, resource: Resource, pod: str, namespace: str, options: Mapping[str, str]) -> Iterator[bytes]:
        """The lines of a container's log, with their line ends; options as in the query of `…/log`."""
        yield from self.lines(object_path(resource, namespace, pod, "log"), options)

    def raw(self, path: str) -> Any:
        """GET of a path outside the resources, e.g. /version."""
        return self._json("GET", path)

    def lines(self, path: str, query: Mapping[str, str]) -> Iterator[bytes]:
        """A streamed GET, line by line, on a connection of its own."""
        connection = self._connect(timeout=None)
        try:
            response = self._send(connection, "GET", path, query, None, "")
            if response.status >= 400:
                raise _failed(response.status, response.read())
            while line := response.readline():
                yield line
        except (OSError, http.client.HTTPException) as error:
            why = trouble(error, self.target.server)
            raise ConnectError(f"the connection to {self.target.server} broke: {why}") from error
        finally:
            connection.close()

    def close(self) -> None:
        """Let go of the connection."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    # -- one request ---------------------------------------------------------------------------------------------

    def _item(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: Any = None, kind: str = ""
    ) -> Item:
        return Item.of(self._json(method, path, query, body, kind))

    def _json(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: Any = None, kind: str = ""
    ) -> Object:
        payload = None if body is None else encode(body)
        status, data = self._exchange(method, path, query or {}, payload, kind or "application/json")
        if status >= 400:
            raise _failed(status, data)
        value = _decoded(data, f"{self.target.server}{path}")
        if not isinstance(value, dict):
            raise ConnectError(f"{self.target.server}{path} did not answer with an object: is this a Kubernetes API?")
        return value

    def _exchange(
        self, method: str, path: str, query: Mapping[str, str], payload: bytes | None, kind: str
    ) -> tuple[int, bytes]:
        kept, self._kept = self._kept, None
        if kept is not None and _is_closed(kept):
            kept.close()
        elif kept is not None:
            try:
                return self._once(kept, method, path, query, payload, kind)
            except _ClosedError:
                if method != "GET":
                    raise  # it may have arrived
        return self._once(self._connect(timeout=self._timeout), method, path, query, payload, kind)

    def _once(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        query: Mapping[str, str],
        payload: bytes | None,
        kind: str,
    ) -> tuple[int, bytes]:
        try:
            response = self._send(connection, method, path, query, payload, kind)
            data = response.read()
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, ssl.SSLEOFError) as error:
            connection.close()
            raise _ClosedError(f"{self.target.server} closed the connection without an answer") from error
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            why = trouble(error, self.target.server)
            raise ConnectError(f"no answer from {self.target.server}: {why}") from error
        self._kept = connection
        return response.status, data

    def _send(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        query: Mapping[str, str],
        payload: bytes | None,
        kind: str,
    ) -> http.client.HTTPResponse:
        asked = urlencode({key: value for key, value in query.items() if value})
        prefix = urlsplit(self.target.server).path
        connection.putrequest(method, f"{prefix}{path}?{asked}" if asked else prefix + path)
        connection.putheader("Accept", "application/json")
        connection.putheader("User-Agent", self._agent)
        for name, value in self._headers:
            connection.putheader(name, value.reveal().encode())
        if payload is not None:
            connection.putheader("Content-Type", kind)
            connection.putheader("Content-Length", str(len(payload)))
        connection.endheaders(payload)
        response = connection.getresponse()
        for warning in response.headers.get_all("Warning") or ():
            text = warning.split(" ", 2)[-1].strip('"').replace('\\"', '"')
            if text not in self.warnings:
                self.warnings.append(text)
        return response

    def _connect(self, timeout: float | None) -> http.client.HTTPConnection:
        host, port = self._server
        connection: http.client.HTTPConnection
        to = self._proxy or self._server
        if self.target.tls is None:
            connection = http.client.HTTPConnection(*to, timeout=10)
        else:
            connection = _HttpsConnection(*to, self.target.tls, self.target.server_name or host)
        if self._proxy:
            connection.set_tunnel(host, port)
        try:
            connection.connect()
        except ssl.SSLCertVerificationError as error:
            raise ConnectError(
                f"the certificate of {self.target.server} is not the one the kubeconfig trusts: "
                f"{error.verify_message}; name the right certificate-authority there, or the right server"
            ) from error
        except ConnectionRefusedError as error:
            raise ConnectError(
                f"{self.target.server} refused the connection: is the server running? (`tiphys up -d` starts one here)"
            ) from error
        except OSError as error:
            raise ConnectError(f"{self.target.server} cannot be reached: {trouble(error, to[0])}") from error
        connection.sock.settimeout(timeout)
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


class _ClosedError(ConnectError):
    """A connection that was closed before an answer came."""


class _HttpsConnection(http.client.HTTPSConnection):
    """Checks the certificate against a name that may differ from the address (kubeconfig tls-server-name)."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext, server_name: str) -> None:
        super().__init__(host, port, timeout=10, context=context)
        self._tls = context
        self._server_name = server_name

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._server_name)


def _address(url: str, what: str, schemes: Sequence[str]) -> tuple[str, int]:
    """Host and port of a URL."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"the {what} {url} is no address ({error}): give one such as https://10.0.0.1:6443") from error
    if not host or parts.scheme not in schemes:
        raise UsageError(f"the {what} {url} is no address: give one such as {schemes[-1]}://10.0.0.1:6443")
    return host, port or (443 if parts.scheme == "https" else 80)


def _header(name: str, value: str | Secret) -> Secret:
    """A header's value, in UTF-8 as Go's clients send it."""
    kept = value if isinstance(value, Secret) else Secret(value)
    if any(ord(sign) < 32 or ord(sign) == 127 for sign in kept.reveal()):
        raise UsageError(
            f"the header {name} would hold a line end or another control character: look at the token, and at --as"
        )
    return kept


def _is_closed(connection: http.client.HTTPConnection) -> bool:
    """Whether the server has ended a connection on which nothing is awaited: all that can be read then is its end."""
    if connection.sock is None:
        return True
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return bool(poll.poll(0))


def _dry(dry_run: bool) -> dict[str, str]:
    return {"dryRun": "All"} if dry_run else {}


def _decoded(data: bytes, where: str) -> Any:
    try:
        return decode(data)
    except DecodeError as error:
        raise ConnectError(f"{where} did not answer with JSON: is this a Kubernetes API?") from error


def _failed(code: int, data: bytes) -> ApiError:
    try:
        status = decode(data)
    except DecodeError:
        status = None
    if isinstance(status, dict) and status.get("kind") == "Status":
        return _api_error(code, status)
    text = data.decode(errors="replace").strip()
    return ApiError(code, "", f"the server answered {code}: {text[:300] or 'nothing'}")


def _api_error(code: int, status: Object) -> ApiError:
    return ApiError(code, status.get("reason") or "", status.get("message") or f"the server answered {code}", status)
