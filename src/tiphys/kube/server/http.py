"""The API over HTTP: an ASGI app. From a request to a verb of `api`, and from its result to bytes.

It authenticates, negotiates and routes; it decides nothing. Whatever goes wrong ends as a metav1.Status.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, MutableMapping
from typing import Any

from tiphys.errors import ApiError, StoreError
from tiphys.kit.codec import encode
from tiphys.kube.objects import status
from tiphys.kube.objects.apply import LONGEST_NAME
from tiphys.kube.objects.resources import Resource
from tiphys.kube.objects.status import Cause
from tiphys.kube.server import discovery
from tiphys.kube.server.answers import Answers, reply, warnings_of
from tiphys.kube.server.api import Api, Request, Result
from tiphys.kube.server.deletion import options_of
from tiphys.kube.server.duplicates import duplicates
from tiphys.kube.server.impersonation import acting
from tiphys.kube.server.listing import ListOptions, check_list, check_watch
from tiphys.kube.server.openapi import OpenApi
from tiphys.kube.server.podlogs import PodLogs
from tiphys.kube.server.requests import (
    Call,
    Place,
    Receive,
    Scope,
    Send,
    body_of,
    headers_of,
    is_true,
    parsed,
    path_of,
    place_of,
    why_absent,
)
from tiphys.kube.server.reviews import Reviews
from tiphys.kube.server.streams import Streams
from tiphys.kube.server.tokens import Tokens
from tiphys.kube.server.turns import Turns
from tiphys.kube.server.users import ANONYMOUS, User

__all__ = ["App"]

_log = logging.getLogger(__name__)

_PATCHES = {
    "application/merge-patch+json": "merge",
    "application/json-patch+json": "json",
    "application/strategic-merge-patch+json": "strategic",
}
_WRITES = {"POST": "create", "PUT": "update", "PATCH": "patch"}
_APPLY = "application/apply-patch+yaml"
_SHOWN_WHEN_GONE = ("pods", "serviceaccounts")
"""Of these a delete answers with the object, also when it is gone; of others with a Status."""

_WATCH_SECONDS = 1800.0
"""A watch that does not say how long it is to last ends after this, and up to twice this, time."""

_KINDS_BELOW = {"token": ("authentication.k8s.io/v1", "TokenRequest")}


class App:
    """The ASGI application.

    Args:
        api: the verbs.
        tokens: who a bearer token is.
        reviews: what is asked but not kept.
        logs: of pods.
        turns: how many requests of a user are answered at a time.
    """

    def __init__(self, api: Api, tokens: Tokens, reviews: Reviews, logs: PodLogs, turns: Turns | None = None) -> None:
        self._api, self._tokens, self._reviews, self._logs = api, tokens, reviews, logs
        self._turns = turns or Turns()
        self._openapi = OpenApi(api.catalogue)
        self._streams = Streams()

    def close(self) -> None:
        """End watches and logs that are followed; other requests are answered still."""
        self._streams.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        begun = False

        async def sent(message: MutableMapping[str, Any]) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._answer(scope, receive, sent)
            return
        except ApiError as error:
            told = error
        except StoreError as error:
            told = status.unavailable(str(error))
        except Exception:  # noqa: BLE001 - the top: a mistake of ours must not end without a Status
            _log.exception("%s %s", scope["method"], scope["path"])
            told = status.internal("see the server's log")
        if begun:
            _log.info("%s %s ended early: %s", scope["method"], scope["path"], told)
            return
        headers = []
        if seconds := (told.status.get("details") or {}).get("retryAfterSeconds"):
            headers.append((b"retry-after", str(seconds).encode()))
        await reply(send, told.code, encode(told.status), headers=headers)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers, path = headers_of(scope), path_of(scope)
        user = self._user(headers.get("authorization", ""))
        if user is not ANONYMOUS:
            user = acting(user, scope["headers"], self._api.authorizer)
        call = Call.of(scope, headers, user, receive, send)
        path = path.rstrip("/") or "/"
        if (told := discovery.health(path, verbose="verbose" in call.query)) is not None:
            await reply(send, 200, told, "text/plain")
            return
        if user.name == ANONYMOUS.name and path != "/version":
            raise status.unauthorized()
        place = place_of(path)
        if place is None and (why := why_absent(path)):
            raise status.not_served(path, why)
        if place is not None and _lasts(call, place):
            await self._resource(call, place)
            return
        async with self._turns.turn(user.name):
            if place is not None:
                await self._resource(call, place)
            else:
                await self._document(call, path)

    async def _document(self, call: Call, path: str) -> None:
        if path != "/version" and not self._api.authorizer.allows_path(call.user, "get", path):
            why = f'User "{call.user.name}" cannot get path "{path}"'
            raise status.failure(403, "Forbidden", f"forbidden: {why}")
        accept = call.headers.get("accept", "")
        found = self._openapi.respond(path, accept) or discovery.respond(path, accept)
        if found is None:
            raise status.not_served(path)
        if call.method not in ("GET", "HEAD"):
            raise status.method_not_allowed()
        await reply(call.send, 200, *found)

    def _user(self, authorization: str) -> User:
        if not authorization:
            return ANONYMOUS
        scheme, _, token = authorization.partition(" ")
        user = self._tokens.user(token.strip()) if scheme.lower() == "bearer" else None
        if user is None:
            raise status.unauthorized()
        return user

    # -- verbs ---------------------------------------------------------------------------------------------------

    async def _resource(self, call: Call, place: Place) -> None:
        dry_run, validation = call.query.get("dryRun", ""), call.query.get("fieldValidation") or "Warn"
        wrong = [status.unsupported_field("dryRun", dry_run, ("All",))] if dry_run not in ("", "All") else []
        if len(call.query.get("fieldManager", "").encode()) > LONGEST_NAME:
            wrong.append(status.too_long_field("fieldManager", LONGEST_NAME))
        if validation not in ("Ignore", "Warn", "Strict"):
            wrong.append(status.unsupported_field("fieldValidation", validation, ("", "Ignore", "Strict", "Warn")))
        if wrong:
            raise status.invalid("CreateOptions", "meta.k8s.io", "", wrong)
        request = Request(
            call.user,
            place.resource,
            place.namespace,
            place.name,
            place.subresource,
            bool(dry_run),
            validation,
            _manager(call),
        )
        handler = {
            "GET": self._read,
            "HEAD": self._read,
            "POST": self._create,
            "PUT": self._update,
            "PATCH": self._patch,
            "DELETE": self._delete,
        }.get(call.method)
        if handler is None:
            raise status.method_not_allowed()
        if (verb := _WRITES.get(call.method)) is not None:
            self._api.authorize(request, verb)  # who may not gets no body read
        await handler(call, place, request)

    async def _read(self, call: Call, place: Place, request: Request) -> None:
        if place.subresource == "log":
            await self._streams.log(call, self._logs.read(request, call.query))
            return
        if not place.resource.stored or place.subresource not in ("", "status"):
            raise status.method_not_allowed()
        if is_true(call.query.get("watch", "")):
            await self._watch(call, place, request)
            return
        answers = Answers(call, place, self._api.clock)
        if place.name:
            body = answers.one(self._api.get(request))
        else:
            check_list(call.query.get("sendInitialEvents"))
            body = answers.many(self._api.page(request, _list_options(call)))
        await reply(call.send, 200, body, answers.form.media)

    async def _watch(self, call: Call, place: Place, request: Request) -> None:
        fields = call.query.get("fieldSelector", "")
        if place.name:
            fields = f"{fields},metadata.name={place.name}".lstrip(",")
        answers = Answers(call, place, self._api.clock, streamed=True)
        initial = call.query.get("sendInitialEvents")
        check_watch(call.query.get("resourceVersionMatch", ""), initial)
        watch = self._api.watch(
            request,
            labels=call.query.get("labelSelector", ""),
            fields=fields,
            after=call.query.get("resourceVersion", ""),
            initial=None if initial is None else is_true(initial),
        )
        # Nobody watches for ever with rights that he may have lost: kube-apiserver's time, different for each.
        seconds = _number(call, "timeoutSeconds") or _WATCH_SECONDS * (1 + random.random())  # noqa: S311
        await self._streams.watch(call, answers, watch, self._api.store, seconds)

    async def _create(self, call: Call, place: Place, request: Request) -> None:
        value, twice = await _object(call, request)
        _check_kind(value, place)
        if place.subresource or not place.resource.stored:
            await reply(call.send, 201, encode(await self._reviews.create(request, value)))
            return
        if place.name:
            raise status.method_not_allowed()
        await self._written(call, place, 201, await self._api.create(request, value), twice)

    async def _update(self, call: Call, place: Place, request: Request) -> None:
        if not place.name or place.subresource in ("log", "token"):
            raise status.method_not_allowed()
        value, twice = await _object(call, request)
        _check_kind(value, place)
        await self._written(call, place, 200, await self._api.update(request, value), twice)

    async def _patch(self, call: Call, place: Place, request: Request) -> None:
        if not place.name or place.subresource in ("log", "token"):
            raise status.method_not_allowed()
        media = call.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media == _APPLY:
            await self._apply(call, place, request)
            return
        if "force" in call.query:
            raise _bad_patch(status.forbidden_field("force", "may not be specified for non-apply patch"))
        kind = _PATCHES.get(media)
        if kind is None:
            known = ", ".join((*_PATCHES, _APPLY))
            why = f"the body of the request was in an unknown format - accepted media types include: {known}"
            raise status.unsupported_media_type(why)
        data = await body_of(call)
        body, twice = await parsed(data, media), _twice(data, request, status.not_patchable)
        await self._written(call, place, 200, await self._api.patch(request, body, kind), twice)

    async def _apply(self, call: Call, place: Place, request: Request) -> None:
        if not call.query.get("fieldManager"):
            raise _bad_patch(status.required_field("fieldManager", "is required for apply patch"))
        config = await parsed(await body_of(call), "application/yaml")
        if not isinstance(config, dict) or not isinstance(config.setdefault("metadata", {}), dict):
            raise status.bad_request("the body of an apply is an object with metadata")
        for field in ("apiVersion", "kind"):
            if not config.get(field):
                raise status.bad_request(f"the body of an apply names its {field}")
        _check_kind(config, place)
        result, new = await self._api.apply(request, config, force=is_true(call.query.get("force", "")))
        await self._written(call, place, 201 if new else 200, result)

    async def _delete(self, call: Call, place: Place, request: Request) -> None:
        if place.subresource:
            raise status.method_not_allowed()
        data = await body_of(call)
        body = await parsed(data, call.headers.get("content-type", "")) if data else {}
        if not isinstance(body, dict):
            raise status.bad_request("the body of a delete is DeleteOptions, or nothing")
        options = options_of(body, call.query)
        if options.dry_run:
            request = Request(request.user, request.resource, request.namespace, request.name, "", dry_run=True)
        answers = Answers(call, place, self._api.clock)
        if not place.name:
            about = _list_options(call)
            page = await self._api.delete_collection(request, options, labels=about.labels, fields=about.fields)
            await reply(call.send, 200, answers.many(page), answers.form.media)
            return
        record, gone = await self._api.delete(request, options)
        if gone and place.resource.plural not in _SHOWN_WHEN_GONE:
            await reply(call.send, 200, encode(status.success(request.resource, request.name, record.uid)))
        else:
            await reply(call.send, 200, answers.one(record), answers.form.media)

    async def _written(
        self, call: Call, place: Place, code: int, result: Result, warnings: tuple[str, ...] = ()
    ) -> None:
        answers = Answers(call, place, self._api.clock)
        headers = warnings_of((*warnings, *result.warnings))
        await reply(call.send, code, answers.one(result.record), answers.form.media, headers=headers)


def _lasts(call: Call, place: Place) -> bool:
    """Whether the answer goes on until somebody ends it."""
    field = "follow" if place.subresource == "log" else "watch"
    return call.method == "GET" and is_true(call.query.get(field, ""))


def _list_options(call: Call) -> ListOptions:
    query = call.query
    return ListOptions(
        query.get("labelSelector", ""),
        query.get("fieldSelector", ""),
        _number(call, "limit"),
        query.get("continue", ""),
        query.get("resourceVersion", ""),
        query.get("resourceVersionMatch", ""),
    )


def _manager(call: Call) -> str:
    """Who writes: as the query names him, or the program, as Kubernetes takes it from the User-Agent."""
    return (call.query.get("fieldManager") or call.headers.get("user-agent", "").partition("/")[0])[:LONGEST_NAME]


def _bad_patch(cause: Cause) -> ApiError:
    return status.invalid("PatchOptions", "meta.k8s.io", "", [cause])


def _number(call: Call, name: str) -> int:
    text = call.query.get(name, "")
    if text and not (text.isascii() and text.isdigit() and len(text) < 19):
        raise status.bad_request(f'{name}: Invalid value: "{text}": strconv.ParseInt: parsing "{text}": invalid syntax')
    return int(text or 0)


async def _object(call: Call, request: Request) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The object of a body, and what to warn of."""
    data, media = await body_of(call), call.headers.get("content-type", "")
    value = await parsed(data, media)
    if not isinstance(value, dict):
        raise status.bad_request("the body of the request is not an object")
    if not isinstance(value.get("metadata"), dict | None):
        raise status.bad_request("the metadata of the object is not an object")
    return value, _twice(data, request, status.not_decodable) if "json" in (media or "json") else ()


def _twice(data: bytes, request: Request, refused: Callable[[Resource, str], ApiError]) -> tuple[str, ...]:
    """The fields that a JSON body has twice: as warnings, or refused, as the request asks for."""
    if request.field_validation == "Ignore":
        return ()
    told = tuple(f'duplicate field "{path}"' for path in duplicates(data))
    if told and request.field_validation == "Strict":
        raise refused(request.resource, "strict decoding error: " + ", ".join(told))
    return told


def _check_kind(value: dict[str, Any], place: Place) -> None:
    """What the object says it is must be what the URL is for; what it leaves out, the URL says."""
    resource = place.resource
    wanted = (f"{resource.group}/{place.version}" if resource.group else place.version, resource.kind)
    wanted = _KINDS_BELOW.get(place.subresource, wanted)
    given = (value.get("apiVersion") or wanted[0], value.get("kind") or wanted[1])
    if given != wanted:
        raise status.bad_request(
            f"the API version in the data ({given[0]}, Kind={given[1]}) does not match the expected API version "
            f"({wanted[0]}, Kind={wanted[1]})"
        )
