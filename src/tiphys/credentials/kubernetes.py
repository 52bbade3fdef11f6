"""Records in a ConfigMap, passwords in a Secret, each written with a compare-and-swap by resourceVersion.

`obm-record-DEVICE` holds no secret and can be shown to anybody; `obm-passwords-DEVICE` holds what was last seen to
work, and what is about to be written.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Callable, Mapping
from typing import Any

from tiphys.credentials.kept import KeptStore
from tiphys.credentials.options import Options
from tiphys.credentials.provider import ABSENT, Document, Key
from tiphys.errors import ApiError, StoreError
from tiphys.kube.client.http import HttpClient
from tiphys.kube.client.kubeconfig import Overrides, load
from tiphys.kube.objects.resources import Resource, served
from tiphys.obm.record import Conflict

__all__ = ["KubernetesProvider", "KubernetesStore", "connect", "opened"]

_LABELS = {"app.kubernetes.io/managed-by": "tiphys-obm"}


def connect(kubeconfig: str = "", namespace: str = "", environ: Mapping[str, str] = os.environ) -> HttpClient:
    """The cluster of the pod this runs in, else the kubeconfig's.

    A pod on this machine shares the home folder of its user: the kubeconfig there is not the pod's business.

    Raises:
        UsageError: no cluster is configured.
    """
    if "KUBERNETES_SERVICE_HOST" in environ:
        environ = {name: value for name, value in environ.items() if name not in ("HOME", "KUBECONFIG")}
    return HttpClient(load(Overrides(kubeconfig=kubeconfig, namespace=namespace), environ), user_agent="tiphys-obm")


def opened(options: Options) -> KubernetesProvider:
    """`kubernetes:NAMESPACE?kubeconfig=FILE`; both may be left out."""
    kubeconfig = options.take("kubeconfig")
    return KubernetesProvider(lambda: connect(kubeconfig, options.rest, options.environ), options.rest)


class KubernetesProvider:
    """`Provider`: records are ConfigMaps, all else is Secrets, by the documents' names.

    Args:
        connected: makes a client; again where the cluster no longer takes the one it has: the token of a pod is renewed
            every hour, in its file.
        namespace: default: the client's own.
    """

    local = False

    def __init__(self, connected: Callable[[], HttpClient], namespace: str = "") -> None:
        self._connected = connected
        self._client = client = connected()
        self._namespace = namespace or client.target.namespace
        self._seen: dict[Key, dict[str, Any]] = {}  # so that an update costs one request, and keeps others' labels

    def where(self, key: Key) -> str:
        """See `Provider`."""
        return f"{_resource(key).kind} {self._namespace}/{key.name}"

    def read(self, key: Key) -> Document:
        """See `Provider`."""
        try:
            found = self._asked(lambda client: client.get(_resource(key), key.name, self._namespace).object)
        except ApiError as error:
            if error.code != 404:
                raise
            return ABSENT
        self._seen[key] = found
        data: dict[str, str] = found.get("data") or {}
        if key.kind != "obm-record":
            try:
                data = {name: base64.b64decode(value).decode() for name, value in data.items()}
            except (binascii.Error, UnicodeDecodeError):
                raise StoreError(f"{self.where(key)} holds something that is no text") from None
        return Document(data, found["metadata"]["resourceVersion"])

    def write(self, key: Key, values: Mapping[str, str], version: str) -> str:
        """See `Provider`."""
        resource, data = _resource(key), dict(values)
        if key.kind != "obm-record":
            data = {name: base64.b64encode(value.encode()).decode() for name, value in data.items()}
        try:
            if not version:
                metadata: dict[str, Any] = {"name": key.name, "namespace": self._namespace, "labels": _LABELS}
                made = {"apiVersion": "v1", "kind": resource.kind, "metadata": metadata, "data": data}
                written = self._asked(lambda client: client.create(resource, made, self._namespace).object)
            else:
                present = self._seen.get(key) or self._asked(
                    lambda client: client.get(resource, key.name, self._namespace).object
                )
                metadata = {**present["metadata"], "resourceVersion": version}
                changed = {**present, "metadata": metadata, "data": data}
                written = self._asked(lambda client: client.update(resource, changed).object)
        except ApiError as error:
            if error.code in (404, 409):  # deleted, or created or changed by somebody else
                raise Conflict(f"{self.where(key)} was changed by somebody else") from error
            raise
        self._seen[key] = written
        return str(written["metadata"]["resourceVersion"])

    def _asked(self, request: Callable[[HttpClient], dict[str, Any]]) -> dict[str, Any]:
        try:
            return request(self._client)
        except ApiError as error:
            if error.code != 401:
                raise
        self._client.close()  # a 401 has done nothing: the request may be made again, with the token of now
        self._client = self._connected()
        return request(self._client)

    def close(self) -> None:
        """See `Provider`."""
        self._client.close()


class KubernetesStore(KeptStore):
    """`obm.record.Store` for one BMC, in a cluster."""

    def __init__(self, client: HttpClient, device: str, namespace: str = "") -> None:
        super().__init__(KubernetesProvider(lambda: client, namespace), device)


def _resource(key: Key) -> Resource:
    return served("", "configmaps" if key.kind == "obm-record" else "secrets")
