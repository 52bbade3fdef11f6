"""The verbs of the API on objects: authorize, admit, decide against the newest state, store. No HTTP in here.

Called by `http` for the wire and by `inprocess` for the controllers and the kubelet: every caller is a user, and RBAC
holds for all of them alike.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tiphys.errors import ApiError, StoreError
from tiphys.kit.clock import Clock, utc_now
from tiphys.kit.codec import decode, encode
from tiphys.kit.names import generate_name
from tiphys.kube.objects import meta, patches, selectors, status
from tiphys.kube.objects.resources import RESOURCES, Resource, by_plural
from tiphys.kube.server import parts
from tiphys.kube.server.admission import Admission, Admit, escalates, prepare
from tiphys.kube.server.deletion import DeleteOptions, check
from tiphys.kube.server.rbac import GROUP as RBAC
from tiphys.kube.server.rbac import Authorizer
from tiphys.kube.server.users import User
from tiphys.kube.server.watching import ObjectWatch
from tiphys.kube.store.api import Decision, Delete, Key, Put, Record, Store

__all__ = ["Api", "Page", "Request", "Result"]

_NAMESPACES = next(r for r in RESOURCES if r.plural == "namespaces")
_NO_STRATEGIC = (
    "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, "
    "application/merge-patch+json"
)
_TRIES = 8
"""How often a generated name may be taken already."""


@dataclass(frozen=True, slots=True)
class Request:
    """Who asks for what: the part that all verbs share."""

    user: User
    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """A written object, and what to warn of."""

    record: Record
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """A list, or a page of one."""

    records: list[Record]
    revision: int
    continue_token: str = ""
    remaining: int = 0


class Api:
    """See the module.

    Args:
        store: where objects are.
        admit: functions called with every object about to be written; they may raise ApiError, and return warnings.
        clock: for timestamps.
    """

    def __init__(self, store: Store, admit: Sequence[Admit] = (), clock: Clock = utc_now) -> None:
        self.store = store
        self.authorizer = Authorizer(store)
        self.clock = clock
        self._admit = tuple(admit)

    # -- reading -------------------------------------------------------------------------------------------------

    def authorize(self, request: Request, verb: str) -> None:
        """Raise the 403 if RBAC does not let the user."""
        r = request
        if not self.authorizer.allowed(r.user, verb, r.resource, r.namespace, r.name, r.subresource):
            raise status.forbidden(r.user.name, verb, r.resource, r.namespace, r.name, r.subresource)

    def get(self, request: Request) -> Record:
        """One object."""
        self.authorize(request, "get")
        record = self.store.get(_key(request))
        if record is None:
            raise status.not_found(request.resource, request.name)
        return record

    def page(
        self, request: Request, *, labels: str = "", fields: str = "", limit: int = 0, continue_token: str = ""
    ) -> Page:
        """Objects in the order of (namespace, name); a page of `limit` with a token for the next."""
        self.authorize(request, "list")
        accepts = _predicate(labels, fields)
        records = self.store.list(request.resource.group, request.resource.plural, request.namespace)
        if accepts is not None:
            records = [record for record in records if accepts(record)]
        if continue_token:
            after = _from_token(continue_token)
            records = [record for record in records if [record.key.namespace, record.key.name] > after]
        revision = max(self.store.revision, 1)
        if not limit or len(records) <= limit:
            return Page(records, revision)
        last = records[limit - 1].key
        token = encode([last.namespace, last.name]).hex()
        return Page(records[:limit], revision, token, len(records) - limit)

    def watch(self, request: Request, *, labels: str = "", fields: str = "", after: str = "") -> ObjectWatch:
        """Changes after a revision; "" and "0" show first what there is."""
        self.authorize(request, "watch")
        accepts = _predicate(labels, fields)
        if after and not after.isdigit():
            raise status.bad_request(f'Invalid value: "{after}": resourceVersion must be an unsigned integer')
        present = not int(after or 0)
        start = self.store.revision if present else int(after)
        resource = request.resource
        watch = self.store.watch(resource.group, resource.plural, request.namespace, after=start)
        records = self.store.list(resource.group, resource.plural, request.namespace) if present else []
        return ObjectWatch(watch, records, accepts)

    # -- writing -------------------------------------------------------------------------------------------------

    async def create(self, request: Request, value: dict[str, Any]) -> Result:
        """A new object; `metadata.generateName` makes a name."""
        self.authorize(request, "create")
        resource = request.resource
        about = value.setdefault("metadata", {})
        if request.name and about.setdefault("name", request.name) != request.name:
            raise status.bad_request(
                f"the name of the object ({about['name']}) is not that of the URL ({request.name})"
            )
        self._check_namespace(request)
        value["apiVersion"], value["kind"] = resource.api_version, resource.kind
        generated = not about.get("name") and bool(about.get("generateName"))
        if not about.get("name") and not generated:
            raise status.bad_request("name or generateName is required: give the object a metadata.name")
        for last in range(_TRIES, -1, -1):
            if generated:
                about["name"] = generate_name(about["generateName"])
            try:
                return await self._create(request, value)
            except ApiError as error:
                if not generated or error.reason != "AlreadyExists" or not last:
                    raise
        raise status.already_exists(resource, about["name"])

    async def _create(self, request: Request, value: dict[str, Any]) -> Result:
        resource, warnings = request.resource, list[str]()
        key = Key(resource.group, resource.plural, request.namespace, value["metadata"]["name"])

        def decide(before: Record | None) -> Decision:
            if before is not None:
                raise status.already_exists(resource, key.name)
            new = meta.for_create(
                resource, value, namespace=request.namespace, now=self.clock(), uid=str(uuid.uuid4()), suffix=""
            )
            warnings.extend(self._admitted(request, "CREATE", new, None))
            nodes = parts.take_parts(resource, new)
            return Put(new, parts.difference({}, nodes))

        return Result(await self._decide(request, key, decide), tuple(warnings))

    async def update(self, request: Request, value: dict[str, Any]) -> Result:
        """Replace an object, or with a subresource that part of it."""
        self.authorize(request, "update")
        given = (value.get("metadata") or {}).get("name") or request.name
        if given != request.name:
            raise status.bad_request(f"the name of the object ({given}) is not that of the URL ({request.name})")
        return await self._change(request, lambda _: value)

    async def patch(self, request: Request, body: Any, kind: str) -> Result:
        """Change an object by a patch: merge, json or strategic."""
        self.authorize(request, "patch")
        if kind == "merge" and isinstance(body, dict):
            nodes = parts.take_parts(request.resource, body)
            return await self._change(request, lambda old: patches.merge_patch(old, body), nodes=nodes, whole=False)
        if kind == "json":
            return await self._change(request, lambda old: patches.json_patch(old, body))
        if kind == "strategic":
            if request.resource.group in ("argoproj.io", "external-secrets.io"):
                raise status.unsupported_media_type(_NO_STRATEGIC)
            return await self._change(request, lambda old: patches.strategic_merge(old, body))
        raise status.bad_request("the body of a patch is an object (merge, strategic) or a list of operations (json)")

    async def _change(
        self,
        request: Request,
        change: Callable[[dict[str, Any]], Any],
        *,
        nodes: Mapping[str, Any] | None = None,
        whole: bool = True,
    ) -> Result:
        """`whole`: the change sees and gives the object with its parts; else `nodes` is a merge patch of them."""
        resource, key = request.resource, _key(request)
        warnings: list[str] = []

        def decide(before: Record | None) -> Decision:
            if before is None:
                raise status.not_found(resource, request.name)
            old = parts.assembled(before) if whole else decode(before.value)
            new = change(old)
            if not isinstance(new, dict) or not isinstance(new.setdefault("metadata", {}), dict):
                raise status.bad_request("the result is not an object with metadata")
            sent = new["metadata"].get("resourceVersion")
            if sent not in (None, "", str(before.revision)):
                raise status.conflict(resource, request.name)
            new = _of_subresource(resource, request.subresource, old, new)
            new["apiVersion"], new["kind"] = resource.api_version, resource.kind
            now = parts.take_parts(resource, new)
            parts.take_parts(resource, old)
            changed = parts.difference(before.parts, now) if whole else parts.merged(before.parts, nodes or {})
            new = meta.for_update(resource, new, old, parts_changed=bool(changed))
            warnings.extend(self._admitted(request, "UPDATE", new, old))
            if meta.finished(resource, new):
                return Delete(new)
            return Put(new, changed) if changed or not meta.same(new, old) else None

        return Result(await self._decide(request, key, decide), tuple(warnings))

    async def delete(self, request: Request, options: DeleteOptions = DeleteOptions()) -> tuple[Record, bool]:  # noqa: B008
        """Delete, or mark for it: the last state, and whether it is gone."""
        self.authorize(request, "delete")
        gone = False

        def decide(before: Record | None) -> Decision:
            nonlocal gone
            if before is None:
                raise status.not_found(request.resource, request.name)
            old = decode(before.value)
            check(request.resource, old["metadata"], options)
            new = self._marked(request.resource, old, options)
            gone = new is None
            if new is None:
                return Delete()
            return None if meta.same(new, old) else Put(new)

        return await self._decide(request, _key(request), decide), gone

    async def delete_collection(
        self, request: Request, options: DeleteOptions, *, labels: str = "", fields: str = ""
    ) -> Page:
        """Delete all that match; those that were there."""
        self.authorize(request, "deletecollection")
        accepts = _predicate(labels, fields)
        found = self.store.list(request.resource.group, request.resource.plural, request.namespace)
        found = [record for record in found if accepts is None or accepts(record)]
        for record in found:

            def decide(before: Record | None) -> Decision:
                if before is None:
                    return None
                new = self._marked(request.resource, decode(before.value), options)
                return Delete() if new is None else Put(new)

            if not request.dry_run:
                await self._stored(record.key, decide)
        self._wrote(request.resource)
        return Page(found, self.store.revision)

    def _marked(self, resource: Resource, old: dict[str, Any], options: DeleteOptions) -> dict[str, Any] | None:
        grace = options.grace_seconds
        return meta.for_delete(resource, old, now=self.clock(), propagation=options.propagation, grace_seconds=grace)

    # -- what all writes share -----------------------------------------------------------------------------------

    async def _decide(self, request: Request, key: Key, decide: Callable[[Record | None], Decision]) -> Record:
        if request.dry_run:
            return self._dry(key, decide)
        record = await self._stored(key, decide)
        self._wrote(request.resource)
        if record is None:
            raise status.not_found(request.resource, key.name)
        return record

    async def _stored(self, key: Key, decide: Callable[[Record | None], Decision]) -> Record | None:
        try:
            return await self.store.mutate(key, decide)
        except StoreError as error:
            raise status.unavailable(str(error)) from error

    def _dry(self, key: Key, decide: Callable[[Record | None], Decision]) -> Record:
        before = self.store.get(key)
        decision = decide(before)
        if isinstance(decision, Put):
            value = decision.value
            changed = {name: part for name, part in decision.parts.items() if part is not None}
            revision = before.revision if before else 0
            about = value["metadata"]
            if not revision:
                about.pop("resourceVersion", None)
            return Record(key, revision, revision, about["uid"], about.get("labels") or {}, encode(value), changed)
        if before is None:
            raise status.not_found(by_plural(key.group, key.resource) or _NAMESPACES, key.name)
        return before

    def _wrote(self, resource: Resource) -> None:
        if resource.group == RBAC:
            self.authorizer.changed()

    def _admitted(self, request: Request, operation: str, new: dict[str, Any], old: dict[str, Any] | None) -> list[str]:
        asked = Admission(request.user, operation, request.resource, request.subresource, new, old)
        prepare(asked, self.store)
        if request.resource.group == RBAC:
            escalates(asked, self.authorizer)
        return [warning for admit in self._admit for warning in admit(asked)]

    def _check_namespace(self, request: Request) -> None:
        if not request.resource.namespaced:
            return
        if not request.namespace:
            raise status.bad_request("an empty namespace may not be set during creation")
        record = self.store.get(Key("", "namespaces", "", request.namespace))
        if record is None:
            raise status.not_found(_NAMESPACES, request.namespace)
        if "deletionTimestamp" in decode(record.value)["metadata"]:
            why = f"because namespace {request.namespace} is being terminated"
            what = (
                f'{request.resource.qualified} "{request.name}" is forbidden: unable to create new content in namespace'
            )
            raise ApiError(403, "Forbidden", f"{what} {request.namespace} {why}")


def _key(request: Request) -> Key:
    return Key(request.resource.group, request.resource.plural, request.namespace, request.name)


def _from_token(token: str) -> list[str]:
    try:
        after = decode(bytes.fromhex(token))
    except ValueError as error:
        raise status.bad_request("continue key is not valid: start the list again") from error
    if not isinstance(after, list):
        raise status.bad_request("continue key is not valid: start the list again")
    return after


def _predicate(labels: str, fields: str) -> Callable[[Record], bool] | None:
    """What selectors accept; None for everything, so that nothing is decoded for it."""
    wanted, having = selectors.labels(labels), selectors.fields(fields)
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
                have = selectors.field_value(value, path)
            if (have == text) is not equal:
                return False
        return True

    return accepts


def _of_subresource(resource: Resource, subresource: str, old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """A write of the object leaves status alone where status is a subresource; a write of status all the rest."""
    if subresource in ("status", "finalize"):
        field = "status" if subresource == "status" else "spec"
        kept = dict(old)
        kept["metadata"] = dict(old["metadata"])
        if field in new:
            kept[field] = new[field]
        return kept
    if "status" in resource.subresources:
        new = {key: value for key, value in new.items() if key != "status"}
        if "status" in old:
            new["status"] = old["status"]
    return new
