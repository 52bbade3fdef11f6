"""Records as answers: in the version asked for, as objects, tables or metadata alone, as JSON or YAML.

Called by `http` for single answers and lists, and by `streams` for watches. An object that is wanted as it is kept is
not even decoded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tiphys.kit import yaml
from tiphys.kit.clock import Clock
from tiphys.kit.codec import decode, encode
from tiphys.kube.objects import status, views
from tiphys.kube.server import parts, table
from tiphys.kube.server.apart import apart
from tiphys.kube.server.listing import Page
from tiphys.kube.server.requests import Call, Form, Place, Send, form_of
from tiphys.kube.store.api import Record

__all__ = ["PIECE", "Answers", "Body", "in_parts", "reply", "warnings_of"]

PIECE = 2**16
"""Bytes of an answer that are handed over at a time: the next are not made before a client has taken these."""

_META = "meta.k8s.io/v1"
_WARNINGS = 4096
"""Letters of all warnings together, as in Kubernetes."""


Body = bytes | Iterable[bytes]
"""An answer's; what is no bytes yet is made as the client takes it."""


class Answers:
    """How one call wants its answers.

    Args:
        streamed: they are the events of a watch.

    Raises:
        ApiError: 406, in no form there is; 400, an includeObject that is none.
    """

    def __init__(self, call: Call, place: Place, clock: Clock, *, streamed: bool = False) -> None:
        self._place, self._clock = place, clock
        self.form: Form = form_of(call.headers.get("accept", ""), streamed=streamed)
        self._include = call.query.get("includeObject") or "Metadata"
        if self._include not in ("None", "Metadata", "Object"):
            raise status.bad_request(f'invalid includeObject "{self._include}": None, Metadata or Object')

    @property
    def api_version(self) -> str:
        """Of the version asked for."""
        resource = self._place.resource
        return f"{resource.group}/{self._place.version}" if resource.group else self._place.version

    def one(self, record: Record) -> Body:
        """One object."""
        if self.form.shown == "Table":
            value = self._table([record])
            value["metadata"]["resourceVersion"] = str(record.revision)
            return self._written(value)
        data = self._metadata_of(record) if self.form.shown else self._object(record)
        return data if self.form.media == Form().media else self._written(decode(data))

    def many(self, page: Page) -> Body:
        """A list, in pieces that are made as the client takes them: nobody who asks for it makes us hold it whole."""
        about: dict[str, Any] = {"resourceVersion": str(page.revision)}
        if page.continue_token:
            about["continue"] = page.continue_token
            if page.remaining is not None:
                about["remainingItemCount"] = page.remaining
        if self.form.shown == "Table":
            return self._written({**self._table(page.records), "metadata": about})
        if self.form.shown:
            head = {"kind": "PartialObjectMetadataList", "apiVersion": _META, "metadata": about}
            items = map(self._metadata_of, page.records)
        else:
            head = {"kind": self._place.resource.list_kind, "apiVersion": self.api_version, "metadata": about}
            items = map(self._object, page.records)
        # Not later, in the thread that writes YAML: the parts of objects may change meanwhile.
        return _list(head, items) if self.form.media == Form().media else _yaml_list(head, list(items))

    def event(self, kind: str, record: Record, *, columns: bool) -> tuple[bytes, ...]:
        """An event of a watch, in pieces as of a list; `columns`: the first of a table tells its columns."""
        if self.form.shown == "Table":
            value = self._table([record], columns=columns)
            value["metadata"]["resourceVersion"] = str(record.revision)
            return (encode({"type": kind, "object": value}), b"\n")
        shown = self._metadata_of(record) if self.form.shown else self._object(record)
        return (b'{"type":"' + kind.encode() + b'","object":', shown, b"}\n")

    def bookmark(self, revision: int, *, initial_end: bool) -> bytes:
        """A BOOKMARK; the one after what was there at the start says so."""
        about: dict[str, Any] = {"resourceVersion": str(revision), "creationTimestamp": None}
        if initial_end:
            about["annotations"] = {"k8s.io/initial-events-end": "true"}
        value: dict[str, Any] = {"kind": self._place.resource.kind, "apiVersion": self.api_version, "metadata": about}
        if self.form.shown == "Table":
            object_ = {"kind": "PartialObjectMetadata", "apiVersion": _META, "metadata": about}
            rows = [{"cells": [], "object": object_}]
            value = {"kind": "Table", "apiVersion": _META, "metadata": {"resourceVersion": str(revision)}}
            value |= {"columnDefinitions": [], "rows": rows}
        elif self.form.shown:
            value |= {"kind": "PartialObjectMetadata", "apiVersion": _META}
        return encode({"type": "BOOKMARK", "object": value}) + b"\n"

    def _object(self, record: Record) -> bytes:
        data, resource = parts.json_of(record), self._place.resource
        if self._place.version == resource.version and resource.shows is None:
            return data
        return encode({**views.shown(resource, decode(data)), "apiVersion": self.api_version})

    def _metadata_of(self, record: Record) -> bytes:
        about = views.shown(self._place.resource, decode(record.value))["metadata"]
        return encode({"kind": "PartialObjectMetadata", "apiVersion": _META, "metadata": about})

    def _table(self, records: Sequence[Record], *, columns: bool = True) -> dict[str, Any]:
        # Only the object itself shows a Workflow's nodes: no column does.
        whole = self._include == "Object"
        objects = [parts.assembled(record) if whole else decode(record.value) for record in records]
        resource = self._place.resource
        made = table.render(resource, objects, self._clock(), include=self._include, columns=columns)
        if whole:
            for row in made["rows"]:
                row["object"] = views.shown(resource, row["object"])
        return made

    def _written(self, value: Any) -> Body:
        return encode(value) if self.form.media == Form().media else _yaml(value)


def _list(head: dict[str, Any], items: Iterable[bytes]) -> Iterator[bytes]:
    yield encode(head)[:-1] + b',"items":['
    for index, item in enumerate(items):
        if index:
            yield b","
        yield item
    yield b"]}"


def _yaml(value: Any) -> Iterator[bytes]:
    yield yaml.dump(value).encode()


def _yaml_list(head: dict[str, Any], items: Sequence[bytes]) -> Iterator[bytes]:
    yield from _yaml(head if items else {**head, "items": []})
    if items:
        yield b"items:\n"
    for item in items:
        yield from _yaml([decode(item)])


def warnings_of(warnings: Iterable[str]) -> tuple[tuple[bytes, bytes], ...]:
    """The Warning headers of an answer: RFC 7234, 299 "Miscellaneous persistent warning"; as many as clients take."""
    headers, left = list[tuple[bytes, bytes]](), _WARNINGS
    for text in dict.fromkeys(warnings):
        left -= len(text)
        if left < 0:
            break
        headers.append((b"warning", b'299 - "' + _quoted(text) + b'"'))
    return tuple(headers)


def _quoted(text: str) -> bytes:
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return plain.replace("\\", "\\\\").replace('"', '\\"').encode("latin-1", "replace")


async def reply(
    send: Send,
    code: int,
    body: Body,
    kind: str = "application/json",
    *,
    headers: Iterable[tuple[bytes, bytes]] = (),
) -> None:
    """A whole answer; what is large goes as the client takes it, in chunks where its length is not known."""
    pieces = in_parts((body,) if isinstance(body, bytes) else body)
    part, following = await _next(pieces, kind) or b"", await _next(pieces, kind)
    about = [(b"content-type", kind.encode()), *headers]
    if following is None or isinstance(body, bytes):
        size = len(body) if isinstance(body, bytes) else len(part)
        about.append((b"content-length", str(size).encode()))
    await send({"type": "http.response.start", "status": code, "headers": about})
    while following is not None:
        await send({"type": "http.response.body", "body": part, "more_body": True})
        await asyncio.sleep(0)  # others have their turn, and a client that has gone is noticed
        part, following = following, await _next(pieces, kind)
    await send({"type": "http.response.body", "body": part})


async def _next(pieces: Iterator[bytes], kind: str) -> bytes | None:
    """The next of them; YAML takes seconds to write where JSON takes milliseconds, so others do not wait for it."""
    if kind != "application/yaml":
        return next(pieces, None)
    return await apart(lambda: next(pieces, None))


def in_parts(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in parts of PIECE or less."""
    gathered = bytearray()
    for piece in pieces:
        for start in range(0, len(piece), PIECE):
            part = piece[start : start + PIECE]
            if len(gathered) + len(part) > PIECE:
                yield bytes(gathered)
                gathered.clear()
            gathered += part
    yield bytes(gathered)
