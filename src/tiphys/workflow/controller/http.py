"""HTTP templates: from a resolved template to its request, from the answer (or its absence) to the node's end.

Runs in the controller's event loop in place of Argo's agent pod. A header's secret is read with the rights of the
workflow's ServiceAccount, goes into that header and nowhere else: not into a message, a log or the expression's scope.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import datetime as dt
import importlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

from tiphys.errors import ApiError, ExpressionError, TiphysError
from tiphys.kit.clock import Clock
from tiphys.kube.client.api import Client
from tiphys.kube.objects.resources import served
from tiphys.workflow.controller.explain import with_rule
from tiphys.workflow.controller.settings import HttpSettings
from tiphys.workflow.engine.protocol import HttpDone, SendHttp
from tiphys.workflow.expr.lang import environment, evaluate_bool

if TYPE_CHECKING:  # loaded by the first HTTP template: see the module
    from tiphys.workflow.controller.connections import Connections, Request, Response

__all__ = ["ClientFor", "HttpTemplates", "lost_in_restart"]

ClientFor = Callable[[str, str], Client]
"""A client acting as a service account: (namespace, name)."""

_SECRETS = served("", "secrets")
_REDIRECT = (301, 302, 303, 307, 308)
_CONNECTIONS = "tiphys.workflow.controller.connections"


class HttpTemplates:
    """Sends the requests of HTTP templates, as many at once as the settings allow."""

    def __init__(self, settings: HttpSettings, clock: Clock, client_for: ClientFor) -> None:
        self._settings = settings
        self._clock = clock
        self._client_for = client_for
        self._connections: Connections | None = None
        self._loading = asyncio.Lock()

    async def execute(self, command: SendHttp, namespace: str, service_account: str) -> HttpDone:
        """Send the request and say how the node ended.

        Failed is what Argo's agent calls Failed; Error is kept for a request that may have been carried out while its
        answer was lost: no retryPolicy repeats that unless it says so (OnError, Always).
        """
        http = command.template.get("http") or {}
        connections = await self._load()
        module = importlib.import_module(_CONNECTIONS)
        method = str(http.get("method") or "GET")
        try:
            request = module.Request(
                method=method,
                url=str(http.get("url") or ""),
                headers=await self._headers(http, namespace, service_account),
                body=_body(http),
                verify=not http.get("insecureSkipVerify"),
            )
            response, note = await self._follow(connections, request, self._seconds(http, command.deadline))
        except module.SendError as error:
            where = f'{method.capitalize()} "{_shown(str(http.get("url") or ""))}": {error}'
            if error.maybe_done and not module.safe(method):
                return HttpDone(
                    command.node_id, "Error", f"{where}; it may have been carried out, look before it is sent again"
                )
            return HttpDone(command.node_id, "Failed", where)
        except TiphysError as error:
            return HttpDone(command.node_id, "Failed", str(error))
        outputs = {"result": response.body.decode(errors="replace")}
        try:
            message = _verdict(http, request, response, self._clock())
        except ExpressionError as error:
            return HttpDone(command.node_id, "Failed", str(error), outputs)
        if message is None:
            return HttpDone(command.node_id, "Succeeded", "", outputs)
        return HttpDone(command.node_id, "Failed", message + note, outputs)

    async def close(self) -> None:
        """Close idle connections."""
        if self._connections is not None:
            await self._connections.close()

    async def _load(self) -> Connections:
        async with self._loading:
            if self._connections is None:
                # In a thread: the loop goes on while 150 ms of imports and the CA certificates are read.
                self._connections = await asyncio.to_thread(_new_connections, self._settings)
            return self._connections

    def _seconds(self, http: Mapping[str, Any], deadline: dt.datetime | None) -> float:
        seconds = float(http.get("timeoutSeconds") or self._settings.timeout)
        if deadline is not None:
            seconds = min(seconds, max(0.001, (deadline - self._clock()).total_seconds()))
        return seconds

    async def _follow(self, connections: Connections, request: Request, seconds: float) -> tuple[Response, str]:
        """The last answer, and a note for the message where it is a redirection that is not followed."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        for _ in range(self._settings.redirects):
            response = await connections.send(request, max(0.001, end - loop.time()))
            location = next((value for name, value in response.headers if name.lower() == "location"), "")
            if response.status not in _REDIRECT or not location:
                return response, ""
            onward = urljoin(request.url, location)
            if not _same_host(request.url, onward):
                return response, f" (redirected to {_origin(onward)}; redirects to another host are not followed)"
            request = _redirected(request, response.status, onward)
        return response, f" (stopped after {self._settings.redirects} redirects)"

    async def _headers(
        self, http: Mapping[str, Any], namespace: str, service_account: str
    ) -> tuple[tuple[str, str], ...]:
        headers = []
        for header in http.get("headers") or []:
            reference = (header.get("valueFrom") or {}).get("secretKeyRef")
            if reference is None:
                headers.append((header["name"], str(header.get("value") or "")))
                continue
            value = await self._secret(namespace, service_account, reference)
            if value is not None:
                headers.append((header["name"], value))
        return tuple(headers)

    async def _secret(self, namespace: str, service_account: str, reference: Mapping[str, Any]) -> str | None:
        name, key = reference.get("name", ""), reference.get("key", "")
        try:
            found = await self._client_for(namespace, service_account).get(_SECRETS, name, namespace)
        except ApiError as error:
            if error.code == 404 and reference.get("optional"):
                return None
            raise TiphysError(_mend(error, namespace, service_account, name, key)) from error
        data = found.object.get("data") or {}
        if key not in data:
            if reference.get("optional"):
                return None
            raise TiphysError(
                f"secret '{name}' does not have the key '{key}'; add it with: kubectl -n {namespace} patch secret "
                f'{name} --type merge -p \'{{"stringData":{{"{key}":"…"}}}}\''
            )
        try:
            return base64.b64decode(data[key]).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise TiphysError(f"key '{key}' of secret '{name}' is not text: it cannot be a header's value") from error


def lost_in_restart(command: SendHttp) -> HttpDone | None:
    """The end of a node whose request an earlier process may have sent; None where it can simply be sent again."""
    method = str((command.template.get("http") or {}).get("method") or "GET")
    if method in ("GET", "HEAD"):
        return None
    message = (
        f"the outcome of {method} is unknown: the controller was restarted before the answer came; "
        "look whether it was carried out before it is sent again (retryPolicy OnError or Always sends it again)"
    )
    return HttpDone(command.node_id, "Error", message)


def _new_connections(settings: HttpSettings) -> Connections:
    made: Connections = importlib.import_module(_CONNECTIONS).Connections(settings)
    return made


def _body(http: Mapping[str, Any]) -> bytes:
    encoded = (http.get("bodyFrom") or {}).get("bytes")
    if encoded is None:
        return str(http.get("body") or "").encode()
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise TiphysError("http.bodyFrom.bytes is not base64") from error


def _mend(error: ApiError, namespace: str, service_account: str, name: str, key: str) -> str:
    """The API's refusal to give a Secret, with what mends it."""
    if error.code == 403:
        return with_rule(error.message, namespace, service_account)
    if error.code == 404:
        return (
            f"{error.message}; make it with: kubectl -n {namespace} create secret generic {name} --from-literal={key}=…"
        )
    return error.message


# -- redirects --------------------------------------------------------------------------------------------------------


def _same_host(before: str, after: str) -> bool:
    """The same server as far as a name can tell; from https back to http never, that would bare the headers."""
    old, new = urlsplit(before), urlsplit(after)
    if old.hostname != new.hostname:
        return False
    return _port(old) == _port(new) if old.scheme == new.scheme else (old.scheme, new.scheme) == ("http", "https")


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _redirected(request: Request, status: int, url: str) -> Request:
    if status in (307, 308) or request.method in ("GET", "HEAD"):
        return replace(request, url=url)
    return replace(request, url=url, method="GET", body=b"")  # as every HTTP client does after 301, 302, 303


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _shown(url: str) -> str:
    """The URL without a password."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}:***@{host}")) if at else url


# -- the answer -------------------------------------------------------------------------------------------------------


def _verdict(http: Mapping[str, Any], request: Request, response: Response, now: dt.datetime) -> str | None:
    """None for success, else the message, in Argo's words."""
    condition = http.get("successCondition")
    if not condition:
        if 200 <= response.status < 300:
            return None
        return f"received non-2xx response code: {response.status}"
    scope = {
        "request": {
            "method": request.method,
            "url": http.get("url", ""),
            "body": http.get("body", ""),
            "bodyBytes": list(request.body) if http.get("bodyFrom") else [],
            "headers": {h["name"]: [h.get("value", "")] for h in http.get("headers") or [] if not h.get("valueFrom")},
        },
        "response": {
            "statusCode": response.status,
            "body": response.body.decode(errors="replace"),
            "headers": _canonical(response.headers),
        },
    }
    if evaluate_bool(condition, environment(scope, now=now)):
        return None
    return f"successCondition '{condition}' evaluated false"


def _canonical(headers: tuple[tuple[str, str], ...]) -> dict[str, list[str]]:
    """Names as Go spells them: each word's first letter large."""
    gathered: dict[str, list[str]] = {}
    for name, value in headers:
        gathered.setdefault("-".join(word.capitalize() for word in name.split("-")), []).append(value)
    return gathered
