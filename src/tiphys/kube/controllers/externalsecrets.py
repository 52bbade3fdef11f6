"""ExternalSecrets: Secrets made of values that are kept elsewhere, got again when they are due.

Stands in for External Secrets where there is no cluster, with the same manifests, conditions and reasons. It acts on an
ExternalSecret when it changes, when its time comes, and when somebody touches the Secret it made. No value is ever
logged or put into a condition.
"""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import logging
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Literal

from tiphys.errors import ApiError, SpecError, TiphysError
from tiphys.kit.clock import Clock, rfc3339, utc_now
from tiphys.kit.names import random_suffix
from tiphys.kube.client.api import Client, Object
from tiphys.kube.controllers import externalspec, storestatus
from tiphys.kube.controllers.loop import WorkQueue, follow
from tiphys.kube.controllers.stores import ClientFor, Provider, Reference, Stores
from tiphys.kube.objects.events import event_about
from tiphys.kube.objects.resources import Resource, served

__all__ = ["run"]

_log = logging.getLogger(__name__)
_EXTERNALS, _STORES, _CLUSTER_STORES = (
    served("external-secrets.io", plural) for plural in ("externalsecrets", "secretstores", "clustersecretstores")
)
_SECRETS, _CONFIGMAPS, _EVENTS = (served("", plural) for plural in ("secrets", "configmaps", "events"))

Key = tuple[str, str]
"""Namespace and name of an ExternalSecret."""

_SYNCED, _DELETED, _MISSING, _FAILED = "SecretSynced", "SecretDeleted", "SecretMissing", "SecretSyncedError"
_MESSAGES = {
    _SYNCED: "secret synced",
    _DELETED: "secret deleted due to DeletionPolicy",
    _MISSING: "secret will not be created due to CreationPolicy=Merge",
}


async def run(
    client: Client, client_for: ClientFor, local: Mapping[str, Provider] | None = None, clock: Clock = utc_now
) -> None:
    """Resolve ExternalSecrets until cancelled.

    Args:
        client: may get, list, watch and patch ExternalSecrets and their status, read their stores and patch the
            status of these, and get, list, watch, create, update, patch and delete Secrets.
        client_for: acts as the service account that a store names.
        local: providers that stand in for stores, by the stores' names.
        clock: for what is due.
    """
    stores = Stores(client, client_for, local or {})
    controller = _Controller(client, stores, clock)
    async with asyncio.TaskGroup() as group:
        group.create_task(storestatus.run(client, stores, clock))
        group.create_task(controller.follow_externals())
        group.create_task(controller.follow_secrets())
        for resource in (_STORES, _CLUSTER_STORES):
            group.create_task(controller.follow_stores(resource))
        group.create_task(controller.queue.run())


@dataclass(frozen=True, slots=True)
class _Uses:
    """What an ExternalSecret refers to: changes of these are looked at."""

    target: str
    store: str


class _Controller:
    def __init__(self, client: Client, stores: Stores, clock: Clock) -> None:
        self._client = client
        self._stores = stores
        self._clock = clock
        self.queue: WorkQueue[Key] = WorkQueue("external secrets", self._handle)
        self._known: dict[Key, _Uses] = {}

    async def follow_externals(self) -> None:
        async for event in follow(self._client, _EXTERNALS):
            if event.item is None:
                continue
            key = (event.item.namespace, event.item.name)
            if event.type == "DELETED":
                self._known.pop(key, None)
                self.queue.forget_timer(key)
                continue
            external = event.item.fresh()
            store = ((external.get("spec") or {}).get("secretStoreRef") or {}).get("name", "")
            self._known[key] = _Uses(externalspec.target_name(external), store)
            self.queue.add(key)

    async def follow_secrets(self) -> None:
        async for event in follow(self._client, _SECRETS):
            if event.item is not None:
                touched = (event.item.namespace, event.item.name)
                for key, uses in self._known.items():
                    if (key[0], uses.target) == touched:
                        self.queue.add(key)

    async def follow_stores(self, resource: Resource) -> None:
        async for event in follow(self._client, resource):
            if event.item is not None:
                for key, uses in self._known.items():
                    if uses.store == event.item.name and event.item.namespace in ("", key[0]):
                        self.queue.add(key)

    # -- one ExternalSecret --------------------------------------------------------------------------------------

    async def _handle(self, key: Key) -> None:
        external = await self._find(_EXTERNALS, key[1], key[0])
        if external is None or "deletionTimestamp" in external["metadata"]:
            return
        now = self._clock()  # the values are of this moment, whatever it takes until the status is written
        try:
            wait = externalspec.due(external, now)
            if wait != 0 and await self._is_valid(external):
                if wait is not None:
                    self.queue.add_after(key, wait)
                return
            externalspec.check(external.get("spec") or {})
            reason = await self._refresh(external)
        except TiphysError as error:
            if isinstance(error, ApiError) and error.code == 409:
                raise  # somebody else wrote meanwhile: look again
            await self._failed(external, error)
            if await self._find(_EXTERNALS, key[1], key[0]) is None:
                return
            raise
        await self._done(external, reason, now)

    async def _is_valid(self, external: Object) -> bool:
        """Whether the Secret is as it was written; one that is not to be there is, when it is not."""
        target = external["spec"].get("target") or {}
        if target.get("creationPolicy") == "None" or (target.get("immutable") and _reason(external) == _SYNCED):
            return True
        secret = await self._find(_SECRETS, externalspec.target_name(external), external["metadata"]["namespace"])
        if secret is None:
            return _reason(external) in (_DELETED, _MISSING)
        annotations = secret["metadata"].get("annotations") or {}
        return annotations.get(externalspec.DATA_HASH) == externalspec.data_hash(secret)

    async def _refresh(self, external: Object) -> str:
        spec, namespace = external["spec"], external["metadata"]["namespace"]
        target = spec.get("target") or {}
        policy = target.get("creationPolicy") or "Owner"
        values = await self._values(spec, namespace)
        name = externalspec.target_name(external)
        present = await self._find(_SECRETS, name, namespace)
        wanted = spec.get("data") or spec.get("dataFrom")
        if wanted and not values and target.get("deletionPolicy") == "Delete":
            if present is not None and _owned(present, external):
                await self._client.delete(_SECRETS, name, namespace, uid=present["metadata"]["uid"])
            return _DELETED
        if policy == "None":
            return _SYNCED
        if present is None and policy == "Merge":
            return _MISSING
        templates = await self._templates(target.get("template") or {}, namespace)
        before = externalspec.data_hash(present) if present else ""
        secret = externalspec.fill(external, values, templates, present)
        if present is None:
            await self._client.create(_SECRETS, secret, namespace)
            await self._tell(external, "Normal", "Created", "Created Secret")
        else:
            await self._client.update(_SECRETS, secret)
            if before != externalspec.data_hash(secret):
                await self._tell(external, "Normal", "Updated", "Updated Secret")
        return _SYNCED

    async def _values(self, spec: Object, namespace: str) -> dict[str, bytes]:
        reference = spec.get("secretStoreRef") or {}
        if not reference.get("name"):
            raise SpecError("spec.secretStoreRef.name is needed")
        provider = await self._stores.open(reference.get("kind") or "SecretStore", reference["name"], namespace)
        skips = (spec.get("target") or {}).get("deletionPolicy", "Retain") != "Retain"
        values: dict[str, bytes] = {}
        for index, row in enumerate(spec.get("dataFrom") or ()):
            remote = row.get("extract") or {}
            value = await _looked_up(provider.get_all(_reference(remote)), f"spec.dataFrom[{index}]", remote)
            if value is not None:
                members = externalspec.extracted(value, remote["key"], remote.get("conversionStrategy", "Default"))
                strategy = remote.get("decodingStrategy", "None")
                values |= {name: externalspec.decoded(member, strategy) for name, member in members.items()}
            elif not skips:
                raise _not_there(f"spec.dataFrom[{index}]", remote)
        for index, row in enumerate(spec.get("data") or ()):
            remote = row["remoteRef"]
            value = await _looked_up(provider.get(_reference(remote)), f"spec.data[{index}]", remote)
            if value is not None:
                values[row["secretKey"]] = externalspec.decoded(value, remote.get("decodingStrategy", "None"))
            elif not skips:
                raise _not_there(f"spec.data[{index}]", remote)
        return values

    async def _templates(self, template: Object, namespace: str) -> dict[str, str]:
        """The texts of templateFrom."""
        texts: dict[str, str] = {}
        for index, source in enumerate(template.get("templateFrom") or ()):
            for kind, resource in (("configMap", _CONFIGMAPS), ("secret", _SECRETS)):
                wanted = source.get(kind)
                if not wanted:
                    continue
                path = f"spec.target.template.templateFrom[{index}].{kind}"
                found = await self._find(resource, wanted.get("name", ""), namespace)
                if found is None:
                    raise SpecError(f'{path}: {resource.plural} "{wanted.get("name", "")}" not found')
                data = found.get("data") or {}
                for item in wanted.get("items") or ():
                    if item["key"] not in data:
                        raise SpecError(f'{path}: "{wanted["name"]}" has no key {item["key"]}')
                    text = data[item["key"]]
                    texts[item["key"]] = text if resource is _CONFIGMAPS else base64.b64decode(text).decode()
        return texts

    async def _find(self, resource: Resource, name: str, namespace: str) -> Object | None:
        try:
            return (await self._client.get(resource, name, namespace)).object
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    # -- what is told --------------------------------------------------------------------------------------------

    async def _done(self, external: Object, reason: str, now: dt.datetime) -> None:
        status: Object = {
            "conditions": self._conditions(external, "True", reason, _MESSAGES[reason]),
            "refreshTime": rfc3339(now),
            "syncedResourceVersion": externalspec.synced_version(external),
        }
        if reason == _SYNCED and (external["spec"].get("target") or {}).get("creationPolicy") != "None":
            status["binding"] = {"name": externalspec.target_name(external)}
        await self._write(external, status)

    async def _failed(self, external: Object, error: TiphysError) -> None:
        message = f"could not sync the secret: {error}"
        conditions = self._conditions(external, "False", _FAILED, message)
        if conditions != (external.get("status") or {}).get("conditions"):
            await self._write(external, {"conditions": conditions})
            await self._tell(external, "Warning", "UpdateFailed", str(error))

    def _conditions(self, external: Object, status: str, reason: str, message: str) -> list[Object]:
        present = (external.get("status") or {}).get("conditions") or []
        before: Object = next((c for c in present if c.get("type") == "Ready"), {})
        since = before.get("lastTransitionTime") if before.get("status") == status else None
        condition = {
            "type": "Ready",
            "status": status,
            "reason": reason,
            "message": message,
            "lastTransitionTime": since or rfc3339(self._clock()),
        }
        return [*(c for c in present if c.get("type") != "Ready"), condition]

    async def _write(self, external: Object, status: Object) -> None:
        about = external["metadata"]
        body = {"metadata": {"uid": about["uid"]}, "status": status}
        try:
            await self._client.patch(_EXTERNALS, about["name"], body, about["namespace"], subresource="status")
        except ApiError as error:
            if error.code != 404:  # it was deleted meanwhile
                raise

    async def _tell(self, external: Object, kind: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        event = event_about(
            external,
            kind,
            reason,
            message,
            component="external-secrets",
            now=rfc3339(self._clock()),
            suffix=random_suffix(16),
        )
        try:
            await self._client.create(_EVENTS, event, external["metadata"]["namespace"])
        except TiphysError as error:
            _log.debug("event about %s not written: %s", external["metadata"]["name"], error)


async def _looked_up(asked: Awaitable[bytes | None], path: str, remote: Object) -> bytes | None:
    try:
        return await asked
    except TiphysError as error:
        raise SpecError(f"error processing {path} (key: {remote.get('key', '')}), err: {error}", path) from error


def _not_there(path: str, remote: Object) -> SpecError:
    asked = f", property: {remote['property']}" if remote.get("property") else ""
    return SpecError(f"error processing {path} (key: {remote['key']}{asked}), err: Secret does not exist", path)


def _reference(remote: Object) -> Reference:
    return Reference(remote.get("key", ""), remote.get("property") or "", remote.get("version") or "")


def _reason(external: Object) -> str:
    conditions = (external.get("status") or {}).get("conditions") or []
    return next((c.get("reason", "") for c in conditions if c.get("type") == "Ready"), "")


def _owned(secret: Object, external: Object) -> bool:
    owners = secret["metadata"].get("ownerReferences") or ()
    return any(owner.get("uid") == external["metadata"]["uid"] for owner in owners)
