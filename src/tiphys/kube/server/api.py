"""The verbs of the API on objects: authorize, admit, decide against the newest state, store. No HTTP in here.

Called by `http` for the wire and by `inprocess` for the controllers and the kubelet: every caller is a user, and RBAC
holds for all of them alike.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from tiphys.errors import ApiError, StoreError
from tiphys.kit.clock import Clock, rfc3339, utc_now
from tiphys.kit.codec import decode, encode
from tiphys.kit.names import random_suffix
from tiphys.kube.objects import meta, patches, selectors, status, views
from tiphys.kube.objects.apply import Applier, applied, tracked
from tiphys.kube.objects.resources import Resource, served
from tiphys.kube.server import parts, shapes
from tiphys.kube.server.admission import Admission, Admit, check_namespace, prepare
from tiphys.kube.server.asked import Request, Result
from tiphys.kube.server.changes import changed
from tiphys.kube.server.deletion import PROTECTED, DeleteOptions, check
from tiphys.kube.server.fields import Catalogue, Fields
from tiphys.kube.server.listing import Lister, ListOptions, Page, predicate, revision_of
from tiphys.kube.server.rbac import Authorizer
from tiphys.kube.server.watching import ObjectWatch
from tiphys.kube.store.api import Decision, Delete, Key, Put, Record, Store

__all__ = ["Api", "Request", "Result"]

_NAMESPACES = served("", "namespaces")
_Refusal = Callable[[Resource, str], ApiError]
_NOBODY: Mapping[str, Fields] = MappingProxyType({})
_NO_STRATEGIC = (
    "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, "
    "application/merge-patch+json"
)
_TRIES = 8
"""How often a generated name may be taken already."""


class Api:
    """See the module.

    Args:
        store: where objects are.
        admit: functions called with every object about to be written; they may raise ApiError, and return warnings.
        clock: for timestamps.
        fields: who knows the fields of the kinds of an API group that is not built in.

    Attributes:
        authorizer: what RBAC says.
        catalogue: which fields the kinds have.
    """

    def __init__(
        self,
        store: Store,
        admit: Sequence[Admit] = (),
        clock: Clock = utc_now,
        fields: Mapping[str, Fields] = _NOBODY,
    ) -> None:
        self.store = store
        self.authorizer = Authorizer(store)
        self.clock = clock
        self.catalogue = Catalogue(fields)
        self._admit = tuple(admit)
        self._lister = Lister(store)

    # -- reading -------------------------------------------------------------------------------------------------

    def authorize(self, request: Request, verb: str, selected: str = "") -> None:
        """Raise the 403 if RBAC does not let the user, the 405 if there is no such verb for the kind.

        Args:
            request: what is asked.
            verb: in RBAC's words.
            selected: the one name that a list or watch is about.
        """
        r, name = request, request.name or selected
        # As in Kubernetes, a namespace is in itself: its own admin may get it.
        namespace = r.name if r.resource is _NAMESPACES else r.namespace
        if self.authorizer.allowed(r.user, verb, r.resource, namespace, name, r.subresource):
            if not r.subresource and verb not in r.resource.verbs:
                why = f'{verb} is not supported on resources of kind "{r.resource.qualified}"'
                raise status.method_not_allowed(why)
            return
        error = status.forbidden(r.user.name, verb, r.resource, namespace, name, r.subresource)
        if broken := self.authorizer.held(r.user, namespace).errors:
            shown = broken[0] if len(broken) == 1 else "[" + ", ".join(broken) + "]"
            raise status.failure(403, error.reason, f"{error.message}: RBAC: {shown}", error.status.get("details"))
        raise error

    def get(self, request: Request) -> Record:
        """One object."""
        self.authorize(request, "get")
        record = self.store.get(_key(request))
        if record is None:
            raise status.not_found(request.resource, request.name)
        return record

    def page(self, request: Request, options: ListOptions = ListOptions()) -> Page:  # noqa: B008 - frozen
        """Objects in the order of (namespace, name); a page of `limit` with a token for the next."""
        self.authorize(request, "list", selectors.only_name(options.fields))
        return self._lister.page(request.resource, request.namespace, options)

    def watch(
        self, request: Request, *, labels: str = "", fields: str = "", after: str = "", initial: bool | None = None
    ) -> ObjectWatch:
        """Changes after a revision; "" and "0" show first what there is.

        Args:
            initial: the query's sendInitialEvents: show what there is, then a BOOKMARK (True), or do not (False).

        Raises:
            ApiError: 400, a selector or revision that cannot be read; 410, the revision is no longer kept.
        """
        self.authorize(request, "watch", selectors.only_name(fields))
        resource, revision = request.resource, revision_of(after)
        accepts = predicate(resource, labels, fields)
        shown = initial if initial is not None else not revision
        start = self.store.revision if shown or not revision else revision
        watch = self.store.watch(*resource.kept, request.namespace, after=start)
        present = self.store.list(*resource.kept, request.namespace) if shown else []
        return ObjectWatch(watch, start, present, accepts, tell_start=bool(initial))

    # -- writing -------------------------------------------------------------------------------------------------

    async def create(self, request: Request, value: dict[str, Any], owners: list[Any] | None = None) -> Result:
        """A new object; `metadata.generateName` makes a name; `owners` are the managedFields of one that is applied."""
        self.authorize(request, "create")
        resource = request.resource
        value["apiVersion"], value["kind"] = resource.api_version, resource.kind
        if (value.get("metadata") or {}).get("resourceVersion"):
            raise status.bad_request("resourceVersion should not be set on objects to be created")
        check_namespace(resource, request.namespace, value, self.store)
        for last in range(_TRIES, -1, -1):
            new = meta.for_create(
                resource,
                value,
                namespace=request.namespace,
                name=request.name,
                now=self.clock(),
                uid=str(uuid.uuid4()),
                suffix=random_suffix(),
            )
            generated = not (value.get("metadata") or {}).get("name") and not request.name
            try:
                return await self._create(request, decode(encode(new)) if generated else _owned(new, owners))
            except ApiError as error:
                if not generated or error.reason != "AlreadyExists" or not last:
                    raise
        raise status.already_exists(resource, new["metadata"]["name"])

    async def _create(self, request: Request, new: dict[str, Any]) -> Result:
        resource, warnings = request.resource, list[str]()
        key = Key(*resource.kept, request.namespace, new["metadata"]["name"])
        if resource.custom and "status" in resource.subresources:
            new.pop("status", None)  # only the subresource writes it

        def decide(before: Record | None) -> Decision:
            if before is not None:
                raise status.already_exists(resource, key.name)
            warnings.extend(self._unknown(request, new, status.not_decodable))
            warnings.extend(self._admitted(request, "CREATE", new, None))
            taken = parts.take_parts(resource, new)
            return Put(views.kept(resource, new), parts.difference({}, taken))

        return Result(await self._decide(request, key, decide), tuple(warnings))

    async def update(self, request: Request, value: dict[str, Any]) -> Result:
        """Replace an object, or with a subresource that part of it."""
        self.authorize(request, "update")
        resource, about = request.resource, value.get("metadata") or {}
        given = about.get("name") or request.name
        if given != request.name:
            message = f"the name of the object ({given}) does not match the name on the URL ({request.name})"
            raise status.bad_request(message)

        def replaced(_: dict[str, Any]) -> dict[str, Any]:
            if resource.custom and not about.get("resourceVersion"):
                cause = status.invalid_field("metadata.resourceVersion", 0, "must be specified for an update")
                raise status.invalid(resource.kind, resource.group, request.name, [cause])
            return value

        return await self._change(request, replaced, status.not_decodable)

    async def patch(self, request: Request, body: Any, kind: str) -> Result:
        """Change an object by a patch: merge, json or strategic."""
        self.authorize(request, "patch")
        if kind == "merge" and isinstance(body, dict):
            if parts.kept_in_parts(request.resource) and not parts.replaces(request.resource, body):
                return await self._merge(request, body)
            return await self._change(request, lambda old: patches.merge_patch(old, body), status.not_patchable)
        if kind == "json" and isinstance(body, list):
            return await self._change(request, lambda old: patches.json_patch(old, body), status.not_patchable)
        if kind == "strategic" and isinstance(body, dict):
            if request.resource.custom:
                raise status.unsupported_media_type(_NO_STRATEGIC)
            return await self._change(request, lambda old: patches.strategic_merge(old, body), status.not_patchable)
        raise status.bad_request("the body of a patch is an object (merge, strategic) or a list of operations (json)")

    async def apply(self, request: Request, config: dict[str, Any], *, force: bool) -> tuple[Result, bool]:
        """Make what an applied configuration says, and note that its manager owns these fields: the object, if new.

        Args:
            config: as the client sent it, of the resource's kind.
            force: take fields that others own.

        Raises:
            ApiError: 409, fields that others own would get another value.
        """
        self.authorize(request, "patch")
        resource, by = request.resource, replace(self._applier(request), force=force)
        for last in range(_TRIES, -1, -1):
            try:
                result = await self._change(
                    request, lambda old: applied(resource, old, config, by), status.not_decodable, by_apply=True
                )
                return result, False
            except ApiError as error:
                if error.reason != "NotFound" or request.subresource:
                    raise
            try:
                return await self._applied_first(request, applied(resource, None, config, by)), True
            except ApiError as error:
                if error.reason != "AlreadyExists" or not last:
                    raise
        raise status.already_exists(resource, request.name)

    async def _applied_first(self, request: Request, value: dict[str, Any]) -> Result:
        about = value["metadata"]
        if about.get("uid") or about.get("resourceVersion"):
            why = "the provided object names a uid or resourceVersion, and no existing object was found"
            raise status.conflict(request.resource, request.name, why)
        owners = about.get("managedFields")
        return await self.create(request, value, owners)

    def _tracked(self, request: Request, old: dict[str, Any], new: dict[str, Any], sent: Any) -> dict[str, Any]:
        if not old["metadata"].get("managedFields"):  # nobody ever applied it
            return new
        return tracked(request.resource, old, new, sent, self._applier(request))

    def _applier(self, request: Request) -> Applier:
        return Applier(request.manager or request.user.name, rfc3339(self.clock()), request.subresource)

    async def _change(
        self,
        request: Request,
        change: Callable[[dict[str, Any]], Any],
        refused: _Refusal,
        *,
        by_apply: bool = False,
    ) -> Result:
        """Write what `change` makes of the whole object."""
        resource, key = request.resource, _key(request)
        warnings: list[str] = []

        def decide(before: Record | None) -> Decision:
            if before is None:
                raise status.not_found(resource, request.name)
            old = views.shown(resource, parts.assembled(before))
            made = changed(resource, request.subresource, change(old), old, before)
            owners = made["metadata"].get("managedFields")
            new = meta.for_update(resource, made, old)
            warnings.extend(self._unknown(request, new, refused))
            warnings.extend(self._admitted(request, "UPDATE", new, old))
            new = _owned(new, owners) if by_apply else self._tracked(request, old, new, owners)
            unchanged = meta.same(new, old)
            taken, kept = parts.take_parts(resource, new), views.kept(resource, new)
            if meta.finished(resource, new):
                return Delete(kept)
            return None if unchanged else Put(kept, parts.difference(before.parts, taken))

        return Result(await self._decide(request, key, decide), tuple(warnings))

    async def _merge(self, request: Request, body: dict[str, Any]) -> Result:
        """A merge patch of an object kept in parts: the work is that of the parts it names, whatever else there is."""
        resource, key = request.resource, _key(request)
        warnings: list[str] = []
        named = parts.take_parts(resource, body)

        def decide(before: Record | None) -> Decision:
            if before is None:
                raise status.not_found(resource, request.name)
            old = decode(before.value)
            made = changed(resource, request.subresource, patches.merge_patch(old, body), old, before)
            rows = parts.merged(before.parts, named)
            owners = made["metadata"].get("managedFields")
            new = meta.for_update(resource, made, old, parts_changed=bool(rows))
            if (spec := rows.get(parts.SPEC)) is not None:
                was, whole = {**old, "spec": parts.spec_of(before)}, {**new, "spec": decode(spec)}
                warnings.extend(self._unknown(request, whole, status.not_patchable))
                warnings.extend(self._admitted(request, "UPDATE", whole, was))
                rows[parts.SPEC] = encode(whole["spec"])
                new = {**self._tracked(request, was, whole, owners)}
                del new["spec"]
            else:
                shapes.check(resource, new, old)
                new = self._tracked(request, old, new, owners)
            if meta.finished(resource, new):
                return Delete(new)
            return Put(new, rows) if rows or not meta.same(new, old) else None

        return Result(await self._decide(request, key, decide), tuple(warnings))

    async def delete(self, request: Request, options: DeleteOptions = DeleteOptions()) -> tuple[Record, bool]:  # noqa: B008
        """Delete, or mark for it: the last state, and whether it is gone."""
        self.authorize(request, "delete")
        if request.resource is _NAMESPACES and request.name in PROTECTED:
            what = f'namespaces "{request.name}" is forbidden: this namespace may not be deleted'
            raise status.failure(403, "Forbidden", what, {"name": request.name, "kind": "namespaces"})
        gone = False

        def decide(before: Record | None) -> Decision:
            nonlocal gone
            if before is None:
                raise status.not_found(request.resource, request.name)
            old = decode(before.value)
            check(request.resource, old["metadata"], options)
            decision = self._marked(request.resource, old, options)
            gone = isinstance(decision, Delete)
            return decision

        return await self._decide(request, _key(request), decide), gone

    async def delete_collection(
        self, request: Request, options: DeleteOptions, *, labels: str = "", fields: str = ""
    ) -> Page:
        """Delete all that match; those that were there."""
        self.authorize(request, "deletecollection")
        resource = request.resource
        found = self._lister.page(resource, request.namespace, ListOptions(labels, fields))
        records = [r for r in found.records if resource is not _NAMESPACES or r.key.name not in PROTECTED]

        def decide(before: Record | None) -> Decision:
            return None if before is None else self._marked(resource, decode(before.value), options)

        if not request.dry_run:
            # All decided at once, so that they share a commit.
            await asyncio.gather(*(self._stored(record.key, decide) for record in records))
        return Page(records, self.store.revision)

    def _marked(self, resource: Resource, old: dict[str, Any], options: DeleteOptions) -> Decision:
        grace = options.grace_seconds
        new = meta.for_delete(resource, old, now=self.clock(), propagation=options.propagation, grace_seconds=grace)
        if new is None:
            return Delete()
        return None if meta.same(new, old) else Put(new)

    # -- what all writes share -----------------------------------------------------------------------------------

    async def _decide(self, request: Request, key: Key, decide: Callable[[Record | None], Decision]) -> Record:
        if request.dry_run:
            return self._dry(request, key, decide)
        record = await self._stored(key, decide)
        if record is None:
            raise status.not_found(request.resource, key.name)
        return record

    async def _stored(self, key: Key, decide: Callable[[Record | None], Decision]) -> Record | None:
        try:
            return await self.store.mutate(key, decide)
        except StoreError as error:
            raise status.unavailable(str(error)) from error

    def _dry(self, request: Request, key: Key, decide: Callable[[Record | None], Decision]) -> Record:
        before = self.store.get(key)
        decision = decide(before)
        if isinstance(decision, Put):
            about, revision = decision.value["metadata"], before.revision if before else 0
            if not revision:
                about.pop("resourceVersion", None)
            present = dict(before.parts) if before else {}
            changed = {name: decision.parts.get(name, present.get(name)) for name in {**present, **decision.parts}}
            kept = {name: part for name, part in changed.items() if part is not None}
            labels = about.get("labels") or {}
            return Record(key, revision, revision, about["uid"], labels, encode(decision.value), kept)
        if before is None:
            raise status.not_found(request.resource, key.name)
        return before

    def _unknown(self, request: Request, new: dict[str, Any], refused: _Refusal) -> list[str]:
        """Fields that the kind has not: as warnings, or refused, as the request asks for."""
        if request.field_validation == "Ignore":
            return []
        told = [f'unknown field "{path}"' for path in self.catalogue.unknown(request.resource, new)]
        if told and request.field_validation == "Strict":
            raise refused(request.resource, "strict decoding error: " + ", ".join(told))
        return told

    def _admitted(self, request: Request, operation: str, new: dict[str, Any], old: dict[str, Any] | None) -> list[str]:
        asked = Admission(request.user, operation, request.resource, request.subresource, new, old)
        prepare(asked, self.store, self.authorizer)
        return [warning for admit in self._admit for warning in admit(asked)]


def _owned(value: dict[str, Any], owners: list[Any] | None) -> dict[str, Any]:
    return {**value, "metadata": {**value["metadata"], "managedFields": owners}} if owners else value


def _key(request: Request) -> Key:
    return Key(*request.resource.kept, request.namespace, request.name)
