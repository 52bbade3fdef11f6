"""Lists: which objects selectors accept, pages of them, and the revision a list is of.

Called by `api`. The pages of one list show the objects as they were at its first page: what is still to come is kept
for a while, and a token whose rest is no longer kept is told so with 410, as in Kubernetes.
"""

from __future__ import annotations

import base64
import binascii
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from tiphys.errors import ApiError
from tiphys.kit.codec import DecodeError, decode, encode
from tiphys.kube.objects import selectors, status, views
from tiphys.kube.objects.resources import Resource
from tiphys.kube.store.api import Record, Store

__all__ = ["ListOptions", "Lister", "Page", "check_list", "check_watch", "predicate", "revision_of"]

_KEPT = 64
"""Lists whose further pages are kept."""

_KEPT_AT = {"source": "source.component"}
"""Fields that are selected by another name than their path."""

_NEWEST = -1
"""In a token: not a revision; go on with what there is now."""

_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)


@dataclass(frozen=True, slots=True)
class ListOptions:
    """metav1.ListOptions, as far as they say what is listed; "" and 0 are unset."""

    labels: str = ""
    fields: str = ""
    limit: int = 0
    continue_token: str = ""
    resource_version: str = ""
    match: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """A list, or a page of one. `remaining` is None where it is not told (with selectors)."""

    records: list[Record]
    revision: int
    continue_token: str = ""
    remaining: int | None = None


class _Token(NamedTuple):
    revision: int
    namespace: str
    name: str


class Lister:
    """Lists of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: OrderedDict[tuple[Resource, str, int], list[Record]] = OrderedDict()

    def page(self, resource: Resource, namespace: str, options: ListOptions) -> Page:
        """Objects in the order of (namespace, name).

        Raises:
            ApiError: 400, options that do not go together; 410, a revision that is no longer kept; 504, one that is
                yet to come.
        """
        accepts = predicate(resource, options.labels, options.fields)
        token = _read_token(options) if options.continue_token else None
        revision, records = self._records(resource, namespace, options, token)
        if token is not None:
            after = (token.namespace, token.name)
            records = [record for record in records if record.key[2:] > after]
        if accepts is not None:
            records = [record for record in records if accepts(record)]
        if not options.limit or len(records) <= options.limit:
            return Page(records, revision)
        last = records[options.limit - 1].key
        # A list that goes on without its snapshot stays so: its pages are of no one revision.
        loose = token is not None and token.revision == _NEWEST
        text = _write_token(_Token(_NEWEST if loose else revision, last.namespace, last.name))
        remaining = len(records) - options.limit if accepts is None else None
        return Page(records[: options.limit], revision, text, remaining)

    def _records(
        self, resource: Resource, namespace: str, options: ListOptions, token: _Token | None
    ) -> tuple[int, list[Record]]:
        newest = max(self._store.revision, 1)  # 0 would mean "any" where it is given back
        wanted = self._wanted(options, newest) if token is None else token.revision
        place = (resource, namespace, wanted)
        if wanted in (_NEWEST, newest):
            records = self._store.list(*resource.kept, namespace)
            if options.limit and wanted != _NEWEST:
                self._keep((resource, namespace, newest), records)
            return newest, records
        kept = self._kept.get(place)
        if kept is not None:
            self._kept.move_to_end(place)
            return wanted, kept
        if token is None:
            raise status.expired(f"The resourceVersion for the provided list is too old: {wanted} ({newest})")
        again = _write_token(_Token(_NEWEST, token.namespace, token.name))
        error = status.expired(_TOO_OLD)
        error.status["metadata"] = {"continue": again}
        raise error

    def _wanted(self, options: ListOptions, newest: int) -> int:
        """The revision to list at: the newest is always new enough, unless exactly another is asked for."""
        match, text = options.match, options.resource_version
        if match and match not in ("Exact", "NotOlderThan"):
            raise _bad_match(match, 'supported values: "Exact", "NotOlderThan"')
        if match and not text:
            raise _bad_match(match, "resourceVersionMatch is forbidden unless resourceVersion is provided")
        given = revision_of(text)
        if match == "Exact" and not given:
            raise _bad_match(match, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"')
        if given > newest:
            raise _too_large(given, newest)
        return given if match == "Exact" else newest

    def _keep(self, place: tuple[Resource, str, int], records: list[Record]) -> None:
        self._kept[place] = records
        self._kept.move_to_end(place)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)


def check_watch(match: str, initial: str | None) -> None:
    """What the query of a watch may say of where it begins.

    Args:
        match: its resourceVersionMatch.
        initial: its sendInitialEvents; None where it has none.

    Raises:
        ApiError: 422.
    """
    if initial is not None and match != "NotOlderThan":
        raise _forbidden_match("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
    if match and initial is None:
        raise _forbidden_match("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided")


def check_list(initial: str | None) -> None:
    """Raise the 422 of a list that asks for what only a watch has."""
    if initial is not None:
        cause = status.forbidden_field("sendInitialEvents", "sendInitialEvents is forbidden for list")
        raise status.invalid("ListOptions", "meta.k8s.io", "", [cause])


def revision_of(text: str) -> int:
    """A resourceVersion of a query; 0 for "".

    Raises:
        ApiError: 400.
    """
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise status.bad_request(
            f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        )
    return int(text)


def predicate(resource: Resource, labels: str, fields: str) -> Callable[[Record], bool] | None:
    """What selectors accept; None for everything, so that nothing is decoded for it.

    Raises:
        ApiError: 400, a selector that cannot be read, or names a field that the kind is not selected by.
    """
    wanted, having = selectors.labels(labels), selectors.fields(fields)
    selectable = ("metadata.name", "metadata.namespace", *resource.selectable)
    for path, _, _ in having:
        if path not in selectable:
            known = f"{resource.qualified} are selected by {', '.join(selectable)}"
            raise status.bad_request(f"field label not supported: {path} ({known})")
    if wanted is None and not having:
        return None

    def accepts(record: Record) -> bool:
        if wanted is not None and not wanted(record.labels):
            return False
        about = {"metadata.name": record.key.name, "metadata.namespace": record.key.namespace}
        value: dict[str, Any] | None = None
        for path, equal, text in having:
            if path in about:
                have = about[path]
            else:
                value = decode(record.value) if value is None else value
                have = selectors.field_value(value, _KEPT_AT.get(path) or views.shown_at(resource, path))
            if (have == text) is not equal:
                return False
        return True

    return accepts


def _write_token(token: _Token) -> str:
    start = f"{token.namespace}/{token.name}\0"
    data = encode({"v": "meta.k8s.io/v1", "rv": token.revision, "start": start})
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _read_token(options: ListOptions) -> _Token:
    if options.resource_version not in ("", "0"):
        raise status.bad_request("specifying resource version is not allowed when using continue")
    text = options.continue_token
    try:
        found = decode(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
        namespace, slash, name = found["start"].removesuffix("\0").partition("/")
        revision = found["rv"]
    except (binascii.Error, ValueError, DecodeError, KeyError, TypeError, AttributeError) as error:
        raise status.bad_request("continue key is not valid: start the list again without it") from error
    if not slash or type(revision) is not int or (revision < 1 and revision != _NEWEST):
        raise status.bad_request("continue key is not valid: start the list again without it")
    return _Token(revision, namespace, name)


def _bad_match(match: str, why: str) -> ApiError:
    cause = ("resourceVersionMatch", f'Forbidden: "{match}": {why}')
    return status.invalid("ListOptions", "meta.k8s.io", "", [cause])


def _forbidden_match(why: str) -> ApiError:
    return status.invalid("ListOptions", "meta.k8s.io", "", [status.forbidden_field("resourceVersionMatch", why)])


def _too_large(given: int, newest: int) -> ApiError:
    message = f"Too large resource version: {given}, current: {newest}"
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    return status.failure(504, "Timeout", f"Timeout: {message}", {"causes": [cause], "retryAfterSeconds": 1})
