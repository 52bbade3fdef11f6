"""HTTP requests read: the path, the query, the body, and the forms of answer a client takes. No decisions in here.

Called by `http`. Whatever arrives, what comes out is a value or an ApiError with its Status.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote

from tiphys.errors import UsageError
from tiphys.kit import yaml
from tiphys.kit.codec import DecodeError, decode_sent
from tiphys.kube.objects import status
from tiphys.kube.objects.resources import RESOURCES, Resource, by_plural
from tiphys.kube.server import protobuf
from tiphys.kube.server.apart import apart
from tiphys.kube.server.users import User

__all__ = [
    "BODY_LIMIT",
    "Call",
    "Form",
    "Place",
    "Receive",
    "Scope",
    "Send",
    "body_of",
    "form_of",
    "headers_of",
    "is_true",
    "parsed",
    "path_of",
    "place_of",
    "why_absent",
]

BODY_LIMIT = 3 * 2**20
_DEEPEST = 256
_SHORT_YAML = 2**14
"""Bytes of YAML that are read at once: 0.1 s at the worst."""

_NAMESPACED = frozenset((r.group, r.plural) for r in RESOURCES if r.namespaced)
_JSON, _YAML = "application/json", "application/yaml"
_YAMLS = (_YAML, "application/x-yaml", "text/yaml", "text/x-yaml")

_Shown = Literal["", "Table", "PartialObjectMetadata"]
_SHOWN: Mapping[str, _Shown] = {
    "": "",
    "Table": "Table",
    "PartialObjectMetadata": "PartialObjectMetadata",
    "PartialObjectMetadataList": "PartialObjectMetadata",
}

_ENTERED = "a container here is a process that nobody enters: read its log, or run the command as a pod of its own"
_NETWORK = "pods share the network of this machine: ask 127.0.0.1 at the port itself"
_ABSENT: Mapping[str, str] = {
    "attach": _ENTERED,
    "ephemeralcontainers": _ENTERED,
    "eviction": "there is no other machine to go to: delete the pod",
    "exec": _ENTERED,
    "portforward": _NETWORK,
    "proxy": _NETWORK,
}

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Form:
    """How an answer is written: what is shown of objects, and in which notation."""

    shown: _Shown = ""
    media: str = _JSON


@dataclass(frozen=True, slots=True)
class Place:
    """What a path names; `name` and `subresource` are "" where it names none."""

    resource: Resource
    version: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """A request of an authenticated user."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    user: User
    receive: Receive
    send: Send

    @classmethod
    def of(cls, scope: Scope, headers: Mapping[str, str], user: User, receive: Receive, send: Send) -> Call:
        """From an ASGI scope."""
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True, errors="replace"))
        return cls(scope["method"], path_of(scope), query, headers, user, receive, send)


def path_of(scope: Scope) -> str:
    """The path as it was sent: an escaped slash is part of a name, not a step."""
    raw = scope.get("raw_path")
    return raw.partition(b"?")[0].decode("latin-1") if raw else str(scope["path"])


def headers_of(scope: Scope) -> dict[str, str]:
    """Headers by lower-case name; of several the last."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def place_of(path: str) -> Place | None:
    """The resource of a path; None where none is served."""
    steps = [unquote(step) for step in path.removeprefix("/").removesuffix("/").split("/")]
    if steps[0] == "api" and len(steps) > 2:
        group, version, rest = "", steps[1], steps[2:]
    elif steps[0] == "apis" and len(steps) > 3:
        group, version, rest = steps[1], steps[2], steps[3:]
    else:
        return None
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and (group, rest[2]) in _NAMESPACED:
        namespace, rest = rest[1], rest[2:]
        if not namespace:
            return None
    resource = by_plural(group, rest[0])
    if resource is None or version not in resource.versions or len(rest) > 3 or "" in rest[1:]:
        return None
    name, subresource = (*rest[1:], "", "")[:2]
    if subresource and subresource not in resource.subresources:
        return None
    if resource.namespaced and name and not namespace:
        return None
    return Place(resource, version, namespace, name, subresource)


def why_absent(path: str) -> str:
    """What to do instead of that which a pod has in a cluster and not here; "" where it is something else."""
    steps = path.strip("/").split("/")
    below = len(steps) > 6 and steps[:3] == ["api", "v1", "namespaces"] and steps[4] == "pods"
    return _ABSENT.get(steps[6], "") if below else ""


def is_true(text: str) -> bool:
    """A boolean of a query, as Go reads it."""
    return text in ("1", "t", "T", "true", "TRUE", "True")


def form_of(accept: str, *, streamed: bool = False) -> Form:
    """The first form of an Accept header that there is; of a watch, whose events are lines, that is JSON only.

    Raises:
        ApiError: 406.
    """
    yamls = () if streamed else _YAMLS
    for wanted in accept.split(",") if accept else ("*/*",):
        media, *parameters = (part.strip() for part in wanted.split(";"))
        if media not in (_JSON, *yamls, "*/*", "application/*"):
            continue
        given = dict(parameter.partition("=")[::2] for parameter in parameters)
        shown = _SHOWN.get(given.get("as", ""))
        if shown is not None and (not shown or given.get("v", "v1") == "v1"):
            return Form(shown, _YAML if media in yamls else _JSON)
    accepted = _JSON if streamed else f"{_JSON}, {_YAML}"
    raise status.not_acceptable(f"only the following media types are accepted: {accepted}")


async def body_of(call: Call) -> bytes:
    """The whole body.

    Raises:
        ApiError: 413, it is larger than the API takes; 400, it was cut off.
    """
    if int_of(call.headers.get("content-length", "")) > BODY_LIMIT:
        raise status.too_large(BODY_LIMIT)
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


def int_of(text: str) -> int:
    """A number of a header or query; 0 where there is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


async def parsed(data: bytes, content_type: str) -> Any:
    """A body as plain data: JSON, YAML or Kubernetes protobuf.

    Raises:
        ApiError: 400, it cannot be read; 415, it is something else.
    """
    media = content_type.partition(";")[0].strip().lower()
    if media in _YAMLS and len(data) > _SHORT_YAML:
        return await apart(lambda: _parsed(data, media))
    return _parsed(data, media)


def _parsed(data: bytes, media: str) -> Any:
    try:
        if media == protobuf.MEDIA_TYPE:
            return protobuf.to_json(data)
        if media in _YAMLS:
            return _shallow(_json_or_yaml(data), data)
        if media in ("", _JSON, "text/json") or media.endswith("+json"):
            return _shallow(decode_sent(data), data)
    except (DecodeError, UsageError, UnicodeDecodeError, RecursionError) as error:
        raise status.bad_request(f"the body of the request cannot be read: {error}") from error
    accepted = f"{_JSON}, {_YAML}, {protobuf.MEDIA_TYPE}"
    why = "the body of the request was in an unknown format"
    raise status.unsupported_media_type(f"{why} ({media}) - accepted media types include: {accepted}")


def _json_or_yaml(data: bytes) -> Any:
    """JSON is YAML, what kubectl sends to be applied for example, and read fifty times as fast."""
    if data[:1] == b"{":
        try:
            return decode_sent(data)
        except DecodeError:
            pass  # {a: b}, or the error that YAML has for it
    return yaml.load(data)


def _shallow(value: Any, data: bytes) -> Any:
    """The value, if what looks into it level by level (merging, comparing) can reach its ground."""
    # In a single line, as JSON comes, each level takes a bracket.
    if data.count(b"{") + data.count(b"[") <= _DEEPEST and b"\n" not in data:
        return value
    level = [value]
    for _ in range(_DEEPEST):
        level = [member for parent in level for member in _members(parent)]
        if not level:
            return value
    raise status.bad_request(f"the body of the request is nested more than {_DEEPEST} deep")


def _members(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
