"""Where ExternalSecrets have their values from: the providers `kubernetes` (this API) and `fake`, and local stand-ins.

Called by `externalsecrets`. A store's provider that is not one of these is refused with the way out. Nothing here logs
a value or puts one into an error.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from tiphys.errors import ApiError, SpecError
from tiphys.kit.codec import DecodeError, decode, encode
from tiphys.kube.client.api import Client, Object
from tiphys.kube.objects import selectors
from tiphys.kube.objects.resources import served

__all__ = ["ClientFor", "Provider", "Reference", "Stores", "property_of"]

_STORES, _CLUSTER_STORES, _SECRETS, _ACCOUNTS, _NAMESPACES = (
    served("external-secrets.io", "secretstores"),
    served("external-secrets.io", "clustersecretstores"),
    served("", "secrets"),
    served("", "serviceaccounts"),
    served("", "namespaces"),
)
_HERE = re.compile(r"(https://)?kubernetes\.default(\.svc(\.cluster\.local)?)?(:443)?/?")
_KUBERNETES_FIELDS = ("auth", "remoteNamespace", "server")

ClientFor = Callable[[str, str], Client]
"""A client acting as a service account: (namespace, name)."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What to look up: a remoteRef; "" is unset."""

    key: str
    property: str = ""
    version: str = ""


class Provider(Protocol):
    """A store that is open for one ExternalSecret. None is: it is not there."""

    async def get(self, reference: Reference) -> bytes | None:
        """One value."""
        ...

    async def get_all(self, reference: Reference) -> bytes | None:
        """All that is under a key: a JSON object."""
        ...


def property_of(value: bytes, reference: Reference) -> bytes | None:
    """A member of a value that is JSON, by its name or by a path with dots; the value itself if none is asked for."""
    if not reference.property:
        return value
    try:
        found: Any = decode(value)
    except DecodeError:
        raise SpecError(f"the value of {reference.key} is not JSON: it has no property {reference.property}") from None
    if isinstance(found, dict) and reference.property in found:
        found = found[reference.property]
    else:
        for step in reference.property.split("."):
            found = found.get(step) if isinstance(found, dict) else None
    if found is None:
        return None
    return found.encode() if isinstance(found, str) else encode(found)


class Stores:
    """Opens stores.

    Args:
        client: reads the stores, and the Secrets of a ClusterSecretStore that names no account.
        client_for: acts as the account that a store names.
        local: providers that stand in for stores, by name.
    """

    def __init__(self, client: Client, client_for: ClientFor, local: Mapping[str, Provider]) -> None:
        self._client = client
        self._client_for = client_for
        self._local = local

    async def open(self, kind: str, name: str, namespace: str) -> Provider:
        """The provider of a store, for an ExternalSecret of a namespace.

        Raises:
            SpecError: the store is not there, may not be used from the namespace, or has a provider unknown here.
        """
        if name in self._local:
            return self._local[name]
        cluster = kind == "ClusterSecretStore"
        try:
            item = await self._client.get(*((_CLUSTER_STORES, name) if cluster else (_STORES, name, namespace)))
        except ApiError as error:
            if error.code != 404:
                raise
            raise SpecError(
                f'could not get {kind} "{name}": it is not there; create it, or start with --secret-store {name}=file:…'
            ) from error
        if cluster:
            await self._check_conditions(item.object.get("spec") or {}, name, namespace)
        return await self.provider_of(item.object)

    async def provider_of(self, store: Object) -> Provider:
        """The provider of a (Cluster)SecretStore.

        Raises:
            SpecError: it is unknown here, or uses a field that is.
        """
        kind, about = store["kind"], store["metadata"]
        if about["name"] in self._local:
            return self._local[about["name"]]
        told, cluster = f'{kind} "{about["name"]}"', kind == "ClusterSecretStore"
        return await self._provider(
            store.get("spec") or {}, told, about["name"], about.get("namespace", ""), cluster=cluster
        )

    async def _check_conditions(self, spec: Object, name: str, namespace: str) -> None:
        conditions = spec.get("conditions") or []
        if not conditions:
            return
        labels = ((await self._client.get(_NAMESPACES, namespace)).object["metadata"]).get("labels") or {}
        for condition in conditions:
            if namespace in (condition.get("namespaces") or ()):
                return
            if any(re.search(pattern, namespace) for pattern in condition.get("namespaceRegexes") or ()):
                return
            if "namespaceSelector" in condition:
                selector = selectors.from_object(condition["namespaceSelector"])
                if selector is None or selector(labels):
                    return
        raise SpecError(
            f'using ClusterSecretStore "{name}" is not allowed from namespace "{namespace}": denied by spec.conditions'
        )

    async def _provider(self, spec: Object, told: str, name: str, namespace: str, *, cluster: bool) -> Provider:
        if more := set(spec) - {"conditions", "controller", "provider", "refreshInterval", "retrySettings"}:
            raise SpecError(f"{told}: spec.{min(more)} is not supported here")
        providers = spec.get("provider") or {}
        if set(providers) == {"fake"}:
            return _Fake(providers["fake"].get("data") or [])
        if set(providers) != {"kubernetes"}:
            found = ", ".join(sorted(providers)) or "none"
            raise SpecError(
                f"{told}: the provider {found} is not available here (kubernetes and fake are): "
                f"start with --secret-store {name}=file:… to have another stand in for it"
            )
        kubernetes = providers["kubernetes"]
        if more := set(kubernetes) - set(_KUBERNETES_FIELDS):
            raise SpecError(f"{told}: spec.provider.kubernetes.{min(more)} is not supported here")
        url = (kubernetes.get("server") or {}).get("url") or ""
        if url and not _HERE.fullmatch(url):
            raise SpecError(f"{told}: spec.provider.kubernetes.server.url {url} is another cluster: not supported here")
        reader = await self._reader(kubernetes.get("auth") or {}, told, namespace, cluster=cluster)
        return _Kubernetes(reader, kubernetes.get("remoteNamespace") or "default")

    async def _reader(self, auth: Object, told: str, namespace: str, *, cluster: bool) -> Client:
        if more := set(auth) - {"serviceAccount"}:
            raise SpecError(f"{told}: spec.provider.kubernetes.auth.{min(more)} is not supported here")
        account = auth.get("serviceAccount") or {}
        if not account.get("name"):
            if cluster:  # made by an administrator, who may read every Secret anyway
                return self._client
            raise SpecError(f"{told}: spec.provider.kubernetes.auth.serviceAccount must say who reads the Secrets")
        # A SecretStore must not borrow an account of another namespace.
        where = account.get("namespace") or namespace if cluster else namespace
        try:
            await self._client.get(_ACCOUNTS, account["name"], where)
        except ApiError as error:
            if error.code != 404:
                raise
            raise SpecError(f'{told}: its service account "{where}/{account["name"]}" is not there') from error
        return self._client_for(where, account["name"])


class _Kubernetes:
    """Secrets of a namespace of this cluster."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client = client
        self._namespace = namespace

    async def get(self, reference: Reference) -> bytes | None:
        """One key of a Secret; without a property all of them as JSON."""
        data = await self._data(reference)
        if data is None:
            return None
        if not reference.property:
            return encode({key: value.decode(errors="replace") for key, value in data.items()})
        if reference.property in data:
            return data[reference.property]
        name, dot, rest = reference.property.partition(".")
        return property_of(data[name], Reference(reference.key, rest)) if dot and name in data else None

    async def get_all(self, reference: Reference) -> bytes | None:
        """All keys of a Secret, as JSON; with a property those of the JSON in that key."""
        return await self.get(reference)

    async def _data(self, reference: Reference) -> dict[str, bytes] | None:
        if reference.version:
            raise SpecError("remoteRef.version is not supported by the provider kubernetes")
        try:
            secret = (await self._client.get(_SECRETS, reference.key, self._namespace)).object
        except ApiError as error:
            if error.code == 404:
                return None
            raise
        return {key: base64.b64decode(value or "") for key, value in (secret.get("data") or {}).items()}


class _Fake:
    """Values that stand in the store itself."""

    def __init__(self, rows: list[Object]) -> None:
        self._rows = rows

    async def get(self, reference: Reference) -> bytes | None:
        """The value of a key and version."""
        for row in self._rows:
            if (row.get("key"), row.get("version") or "") == (reference.key, reference.version):
                value = row.get("value")
                known = encode(row.get("valueMap")) if value is None else str(value).encode()
                return property_of(known, reference)
        return None

    async def get_all(self, reference: Reference) -> bytes | None:
        """The value of a key: JSON."""
        return await self.get(reference)
