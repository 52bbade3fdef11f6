"""The API over HTTP: an ASGI app. From a request to a verb of `api`, and from its result to bytes.

It parses, authenticates, negotiates and streams; it decides nothing. Malformed input ends as a metav1.Status.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from tiphys.errors import ApiError, StoreError, UsageError
from tiphys.kit import yaml
from tiphys.kit.codec import DecodeError, decode, encode
from tiphys.kube.objects import status
from tiphys.kube.objects.resources import RESOURCES, Resource, by_plural
from tiphys.kube.server import discovery, parts, protobuf, table
from tiphys.kube.server.api import Api, Page, Request, Result
from tiphys.kube.server.deletion import options_of
from tiphys.kube.server.subresources import Subresources
from tiphys.kube.server.tokens import Tokens
from tiphys.kube.server.users import ANONYMOUS, User
from tiphys.kube.store.api import Record

__all__ = ["App"]

_log = logging.getLogger(__name__)

BODY_LIMIT = 3 * 2**20
_OPEN = ("/healthz", "/livez", "/readyz", "/version")
_BOOKMARK_SECONDS = 60.0
_PATCHES = {
    "application/merge-patch+json": "merge",
    "application/json-patch+json": "json",
    "application/strategic-merge-patch+json": "strategic",
}
_NAMESPACED = frozenset((r.group, r.plural) for r in RESOURCES if r.namespaced)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Call:
    """A parsed HTTP request."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    user: User
    receive: Receive
    send: Send

    @property
    def as_table(self) -> bool:
        return "as=Table" in self.headers.get("accept", "")


class App:
    """The ASGI application."""

    def __init__(self, api: Api, tokens: Tokens, subresources: Subresources) -> None:
        self._api, self._tokens, self._special = api, tokens, subresources

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        try:
            await self._answer(scope, receive, send)
        except ApiError as error:
            await _reply(send, error.code, encode(error.status))
        except StoreError as error:
            await _reply(send, 500, encode(status.internal(str(error)).status))
        except Exception:  # noqa: BLE001 - the top: a mistake of ours must not end without a Status
            _log.exception("%s %s", scope["method"], scope["path"])
            await _reply(send, 500, encode(status.internal("see the server's log").status))

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        path = scope["path"]
        user = self._user(headers.get("authorization", ""))
        call = _Call(scope["method"], path, query, headers, user, receive, send)
        if path in _OPEN[:3]:
            await _reply(send, 200, b"ok", "text/plain")
            return
        if user is ANONYMOUS and path not in _OPEN:
            raise status.unauthorized()
        found = discovery.respond(path.rstrip("/") or "/", headers.get("accept", ""))
        if found is not None and call.method in ("GET", "HEAD"):
            await _reply(send, 200, encode(found[0]), found[1])
            return
        await self._resource(call, *_place(path))

    def _user(self, authorization: str) -> User:
        scheme, _, token = authorization.partition(" ")
        if not authorization:
            return ANONYMOUS
        user = self._tokens.user(token.strip()) if scheme.lower() == "bearer" else None
        if user is None:
            raise status.unauthorized()
        return user

    # -- verbs ---------------------------------------------------------------------------------------------------

    async def _resource(
        self, call: _Call, resource: Resource, version: str, namespace: str, name: str, subresource: str
    ) -> None:
        dry_run = call.query.get("dryRun", "")
        if dry_run not in ("", "All"):
            raise status.bad_request(f'Invalid value for dryRun: "{dry_run}": All is the only one')
        request = Request(call.user, resource, namespace, name, subresource, bool(dry_run))
        if subresource == "log":
            await self._log(call, request)
            return
        verb = {
            "GET": self._read,
            "POST": self._create,
            "PUT": self._update,
            "PATCH": self._patch,
            "DELETE": self._delete,
        }
        handler = verb.get("GET" if call.method == "HEAD" else call.method)
        if handler is None:
            raise status.method_not_allowed()
        await handler(call, request, version)

    async def _read(self, call: _Call, request: Request, version: str) -> None:
        if not request.resource.stored or request.subresource not in ("", "status"):
            raise status.method_not_allowed()
        if call.query.get("watch") in ("true", "1"):
            await self._watch(call, request, version)
        elif request.name:
            await self._one(call, request, version, 200, Result(self._api.get(request)))
        else:
            selectors = {"labels": call.query.get("labelSelector", ""), "fields": call.query.get("fieldSelector", "")}
            limit = call.query.get("limit") or "0"
            if not limit.isdigit():
                raise status.bad_request(f'invalid limit "{limit}": a number')
            token = call.query.get("continue", "")
            page = self._api.page(request, limit=int(limit), continue_token=token, **selectors)
            await self._many(call, request, version, page)

    async def _create(self, call: _Call, request: Request, version: str) -> None:
        value = await _body(call)
        _check_kind(value, request, version)
        if request.subresource or not request.resource.stored:
            answer = await self._special.create(request, value)
            await _reply(call.send, 201, encode(answer))
            return
        if request.name:
            raise status.method_not_allowed()
        await self._one(call, request, version, 201, await self._api.create(request, value))

    async def _update(self, call: _Call, request: Request, version: str) -> None:
        value = await _body(call)
        _check_kind(value, request, version)
        if not request.name:
            raise status.method_not_allowed()
        await self._one(call, request, version, 200, await self._api.update(request, value))

    async def _patch(self, call: _Call, request: Request, version: str) -> None:
        media = call.headers.get("content-type", "").partition(";")[0].strip()
        kind = _PATCHES.get(media)
        if kind is None:
            known = ", ".join(sorted(_PATCHES))
            raise status.unsupported_media_type(
                f"the body of the request was in an unknown format ({media or 'none'}) - accepted media types: {known}"
            )
        body = await _json(call)
        await self._one(call, request, version, 200, await self._api.patch(request, body, kind))

    async def _delete(self, call: _Call, request: Request, version: str) -> None:
        data = await _read_body(call)
        body = _parsed(data, call.headers.get("content-type", "")) if data else {}
        options = options_of(body if isinstance(body, dict) else {}, call.query)
        if options.dry_run:
            request = Request(request.user, request.resource, request.namespace, request.name, "", dry_run=True)
        if not request.name:
            selectors = {"labels": call.query.get("labelSelector", ""), "fields": call.query.get("fieldSelector", "")}
            await self._many(call, request, version, await self._api.delete_collection(request, options, **selectors))
            return
        record, gone = await self._api.delete(request, options)
        if gone:
            await _reply(call.send, 200, encode(status.success(request.resource, request.name, record.uid)))
        else:
            await self._one(call, request, version, 200, Result(record))

    # -- answers -------------------------------------------------------------------------------------------------

    async def _one(self, call: _Call, request: Request, version: str, code: int, result: Result) -> None:
        warnings = tuple(
            (b"warning", b'299 - "' + text.replace('"', '\\"').encode("latin-1", "replace") + b'"')
            for text in result.warnings
        )
        if call.as_table:
            value = parts.assembled(result.record)
            include = call.query.get("includeObject", "Metadata")
            body = encode(table.render(request.resource, [value], self._api.clock(), include=include))
        else:
            body = _shown(request.resource, version, result.record)
        await _reply(call.send, code, body, extra=warnings)

    async def _many(self, call: _Call, request: Request, version: str, page: Page) -> None:
        resource = request.resource
        about: dict[str, Any] = {"resourceVersion": str(page.revision)}
        if page.continue_token:
            about.update({"continue": page.continue_token, "remainingItemCount": page.remaining})
        if call.as_table:
            include = call.query.get("includeObject", "Metadata")
            objects = [parts.assembled(record) for record in page.records]
            value = table.render(resource, objects, self._api.clock(), include=include)
            value["metadata"] = about
            await _reply(call.send, 200, encode(value))
            return
        place = f"{resource.group}/{version}" if resource.group else version
        head = encode({"kind": resource.list_kind, "apiVersion": place, "metadata": about})[:-1]
        items = b",".join(_shown(resource, version, record) for record in page.records)
        await _reply(call.send, 200, head + b',"items":[' + items + b"]}")

    async def _watch(self, call: _Call, request: Request, version: str) -> None:
        fields = call.query.get("fieldSelector", "")
        if request.name:
            fields = f"{fields},metadata.name={request.name}".lstrip(",")
        watch = self._api.watch(
            request,
            labels=call.query.get("labelSelector", ""),
            fields=fields,
            after=call.query.get("resourceVersion", ""),
        )
        timeout = call.query.get("timeoutSeconds", "")
        stream = _Stream(call, request.resource, version, self._api)
        ended = asyncio.ensure_future(_disconnected(call.receive))
        try:
            await stream.start()
            async with asyncio.timeout(float(timeout) if timeout.isdigit() and int(timeout) else None):
                await stream.run(watch, ended)
        except TimeoutError:
            pass  # the client asked for an end
        except ApiError as error:
            await stream.line({"type": "ERROR", "object": error.status})
        finally:
            watch.close()
            ended.cancel()
        await stream.end()

    async def _log(self, call: _Call, request: Request) -> None:
        chunks = self._special.log(call.user, request.name, request.namespace, call.query)
        first = await anext(chunks, b"")
        headers = [(b"content-type", b"text/plain")]
        await call.send({"type": "http.response.start", "status": 200, "headers": headers})
        await call.send({"type": "http.response.body", "body": first, "more_body": True})
        async for chunk in chunks:
            await call.send({"type": "http.response.body", "body": chunk, "more_body": True})
        await call.send({"type": "http.response.body", "body": b""})


class _Stream:
    """A watch on the wire: a JSON object a line."""

    def __init__(self, call: _Call, resource: Resource, version: str, api: Api) -> None:
        self._call, self._resource, self._version, self._api = call, resource, version, api
        self._bookmarks = call.query.get("allowWatchBookmarks") in ("true", "1")
        self._tables = 0

    async def start(self) -> None:
        headers = [(b"content-type", b"application/json")]
        await self._call.send({"type": "http.response.start", "status": 200, "headers": headers})

    async def end(self) -> None:
        await self._call.send({"type": "http.response.body", "body": b""})

    async def line(self, value: Any) -> None:
        await self._call.send({"type": "http.response.body", "body": encode(value) + b"\n", "more_body": True})

    async def run(self, watch: Any, ended: asyncio.Future[None]) -> None:
        """Until the client goes."""
        upcoming = asyncio.ensure_future(anext(watch))
        try:
            while True:
                await asyncio.wait((upcoming, ended), timeout=_BOOKMARK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if ended.done():
                    return
                if not upcoming.done():
                    await self._bookmark()
                    continue
                try:
                    batch = upcoming.result()
                except StopAsyncIteration:
                    return
                lines = b"".join(self._event(event.type, event.record) for event in batch)
                await self._call.send({"type": "http.response.body", "body": lines, "more_body": True})
                upcoming = asyncio.ensure_future(anext(watch))
        finally:
            upcoming.cancel()

    async def _bookmark(self) -> None:
        if self._bookmarks:
            about = {"metadata": {"resourceVersion": str(self._api.store.revision)}}
            place = self._resource.api_version
            value = {"kind": self._resource.kind, "apiVersion": place, **about}
            await self.line({"type": "BOOKMARK", "object": value})

    def _event(self, kind: str, record: Record) -> bytes:
        if not self._call.as_table:
            shown = _shown(self._resource, self._version, record)
            return b'{"type":"' + kind.encode() + b'","object":' + shown + b"}\n"
        include = self._call.query.get("includeObject", "Metadata")
        value = table.render(
            self._resource, [parts.assembled(record)], self._api.clock(), include=include, columns=not self._tables
        )
        self._tables += 1
        value["metadata"]["resourceVersion"] = str(record.revision)
        return encode({"type": kind, "object": value}) + b"\n"


def _place(path: str) -> tuple[Resource, str, str, str, str]:
    """Resource, version, namespace, name and subresource of a path.

    Raises:
        ApiError: 404, nothing is served there.
    """
    steps = [unquote(step) for step in path.strip("/").split("/")]
    missing = status.failure(404, "NotFound", "the server could not find the requested resource")
    if steps[0] == "api" and len(steps) > 2:
        group, version, rest = "", steps[1], steps[2:]
    elif steps[0] == "apis" and len(steps) > 3:
        group, version, rest = steps[1], steps[2], steps[3:]
    else:
        raise missing
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and (group, rest[2]) in _NAMESPACED:
        namespace, rest = rest[1], rest[2:]
    resource = by_plural(group, rest[0])
    if resource is None or version not in resource.versions or len(rest) > 3:
        raise missing
    name, subresource = (*rest[1:], "", "")[:2]
    if (subresource and subresource not in resource.subresources) or (namespace and not resource.namespaced):
        raise missing
    if name and resource.namespaced and not namespace:
        raise missing
    return resource, version, namespace, name, subresource


def _shown(resource: Resource, version: str, record: Record) -> bytes:
    """An object in the version that was asked for."""
    data = parts.json_of(record)
    if version == resource.version:
        return data
    value = decode(data)
    value["apiVersion"] = f"{resource.group}/{version}"
    return encode(value)


def _check_kind(value: dict[str, Any], request: Request, version: str) -> None:
    resource = request.resource
    place = f"{resource.group}/{version}" if resource.group else version
    given = (value.get("apiVersion", place), value.get("kind", resource.kind))
    if request.subresource == "token" or given == (place, resource.kind):
        return
    raise status.bad_request(
        f"the object is {given[1]} of {given[0]}, and the URL is for {resource.kind} of {place}: they must be the same"
    )


async def _read_body(call: _Call) -> bytes:
    chunks, size = [], 0
    while True:
        message = await call.receive()
        if message["type"] == "http.disconnect":
            raise status.bad_request("the request ended before its body did")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > BODY_LIMIT:
            raise status.too_large(BODY_LIMIT)
        chunks.append(chunk)
        if not message.get("more_body"):
            return b"".join(chunks)


async def _json(call: _Call) -> Any:
    try:
        return decode(await _read_body(call))
    except DecodeError as error:
        raise status.bad_request(f"the body of the request is not JSON: {error}") from error


def _parsed(data: bytes, media: str) -> Any:
    media = media.partition(";")[0].strip()
    if media == protobuf.MEDIA_TYPE:
        return protobuf.to_json(data)
    try:
        return yaml.load(data) if media in ("application/yaml", "application/x-yaml") else decode(data)
    except (DecodeError, UsageError) as error:
        raise status.bad_request(f"the body of the request cannot be read: {error}") from error


async def _body(call: _Call) -> dict[str, Any]:
    value = _parsed(await _read_body(call), call.headers.get("content-type", ""))
    if not isinstance(value, dict) or not isinstance(value.get("metadata", {}) or {}, dict):
        raise status.bad_request("the body of the request is not an object with metadata")
    if value.get("metadata") is None:
        value["metadata"] = {}
    return value


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _reply(
    send: Send, code: int, body: bytes, kind: str = "application/json", *, extra: tuple[tuple[bytes, bytes], ...] = ()
) -> None:
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode()), *extra]
    await send({"type": "http.response.start", "status": code, "headers": headers})
    await send({"type": "http.response.body", "body": body})
