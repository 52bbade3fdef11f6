"""Secrets of type kubernetes.io/service-account-token: filled with a token for the account their annotation names.

Older tools, and the agent of the real Argo, read a token from such a Secret. It goes when its account goes. The token
is made by whoever composes the process; it is never logged.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections import defaultdict
from collections.abc import Callable

from tiphys.errors import ApiError
from tiphys.kit.redact import Secret
from tiphys.kube.client.api import Client, Object
from tiphys.kube.controllers.loop import WorkQueue, follow
from tiphys.kube.objects.resources import served

__all__ = ["TokenMaker", "run"]

_log = logging.getLogger(__name__)
_SECRETS, _ACCOUNTS = served("", "secrets"), served("", "serviceaccounts")
_TYPE = "kubernetes.io/service-account-token"
_NAME, _UID = "kubernetes.io/service-account.name", "kubernetes.io/service-account.uid"

Key = tuple[str, str]
"""Namespace and name."""

TokenMaker = Callable[[str, tuple[str, str], tuple[str, str]], Secret]
"""From a namespace, an account (name, uid) and the Secret (name, uid) the token is bound to: a token without end."""


async def run(client: Client, make_token: TokenMaker, authority: str) -> None:
    """Care for all such Secrets, until cancelled.

    Args:
        client: may get, list, watch, patch and delete Secrets; get, list and watch ServiceAccounts.
        make_token: makes the token.
        authority: the certificate authority of the API server, PEM.
    """
    controller = _Controller(client, make_token, authority)
    async with asyncio.TaskGroup() as group:
        group.create_task(controller.follow_secrets())
        group.create_task(controller.follow_accounts())
        group.create_task(controller.queue.run())


class _Controller:
    def __init__(self, client: Client, make_token: TokenMaker, authority: str) -> None:
        self._client = client
        self._make_token = make_token
        self._authority = authority
        self.queue: WorkQueue[Key] = WorkQueue("service account tokens", self._handle)
        self._secrets: defaultdict[Key, set[Key]] = defaultdict(set)  # account to its Secrets

    async def follow_secrets(self) -> None:
        async for event in follow(self._client, _SECRETS, field_selector=f"type={_TYPE}"):
            if event.item is None:
                continue
            key = (event.item.namespace, event.item.name)
            account = (event.item.metadata().get("annotations") or {}).get(_NAME, "")
            secrets = self._secrets[event.item.namespace, account]
            if event.type == "DELETED":
                secrets.discard(key)
            else:
                secrets.add(key)
                self.queue.add(key)

    async def follow_accounts(self) -> None:
        async for event in follow(self._client, _ACCOUNTS):
            if event.item is not None and event.type in ("ADDED", "DELETED"):
                for key in self._secrets.get((event.item.namespace, event.item.name), ()):
                    self.queue.add(key)

    async def _handle(self, key: Key) -> None:
        namespace, name = key
        secret = await self._get_secret(key)
        if secret is None or secret.get("type") != _TYPE or "deletionTimestamp" in secret["metadata"]:
            return
        metadata, data = secret["metadata"], secret.get("data") or {}
        annotations = metadata.get("annotations") or {}
        uid = await self._account_uid(namespace, annotations.get(_NAME, ""))
        if uid is None or annotations.get(_UID, uid) != uid:
            _log.info("deleting the token secret %s/%s: its service account is gone", namespace, name)
            await self._delete(key, metadata)
            return
        authority = base64.b64encode(self._authority.encode()).decode()
        if data.get("token") and data.get("ca.crt") == authority and data.get("namespace") and _UID in annotations:
            return
        filled = {"ca.crt": authority, "namespace": base64.b64encode(namespace.encode()).decode()}
        if not data.get("token"):
            token = self._make_token(namespace, (annotations[_NAME], uid), (name, metadata["uid"]))
            filled["token"] = base64.b64encode(token.reveal().encode()).decode()
        about = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"], "annotations": {_UID: uid}}
        await self._client.patch(_SECRETS, name, {"metadata": about, "data": filled}, namespace)

    async def _get_secret(self, key: Key) -> Object | None:
        try:
            return (await self._client.get(_SECRETS, key[1], key[0])).object
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    async def _account_uid(self, namespace: str, name: str) -> str | None:
        if not name:
            return None
        try:
            return (await self._client.get(_ACCOUNTS, name, namespace)).uid
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    async def _delete(self, key: Key, metadata: Object) -> None:
        try:
            await self._client.delete(_SECRETS, key[1], key[0], uid=metadata["uid"])
        except ApiError as error:
            if error.code != 404:
                raise
