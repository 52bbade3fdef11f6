"""`ArgoWorkflow`: what a step may do with the Kubernetes API. The names are those other people's workflows rely on."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from argo_python._client import KubernetesClient
from argo_python._errors import KubernetesError, OwnershipError

__all__ = ["ArgoWorkflow", "Pod"]

_MERGE = "application/merge-patch+json"
_LONGEST_HOSTNAME = 60  # 63, but for the dots and dashes that are cut from its end


class Pod(NamedTuple):  # a dataclass would cost a quarter of the start of every step
    """A pod, as far as ownership needs it."""

    name: str
    uid: str


class ArgoWorkflow:
    """The workflow this step belongs to.

    Args:
        namespace: where Secrets are made; None is the pod's own, else "argo-events".
        config_file: a kubeconfig; None is the in-cluster configuration.
    """

    def __init__(self, namespace: str | None = "argo-events", config_file: str | None = None) -> None:
        self._client = KubernetesClient(config_file)
        self.namespace: str = namespace or self._client.namespace or "argo-events"
        self._path = f"/api/v1/namespaces/{quote(self.namespace, safe='')}"

    def get_pod(self, name: str) -> Pod:
        """A pod of the namespace (needs `get` on pods).

        Raises:
            KubernetesError: it is not there, or may not be seen.
        """
        pod = self._client.request("GET", f"{self._path}/pods/{quote(name, safe='')}")
        meta = pod.get("metadata") or {}
        if not meta.get("uid"):
            raise KubernetesError(f"the Kubernetes API answered with something that is no pod when asked for {name}")
        return Pod(meta["name"], meta["uid"])

    def create_secret(
        self,
        name: str,
        data: Mapping[str, str | bytes],
        persist: bool = False,
        *,
        string_data: Mapping[str, str | bytes] | None = None,
        labels: Mapping[str, str] | None = None,
        owner: Mapping[str, Any] | None = None,
    ) -> str:
        """Create an Opaque Secret, or patch the one that has the name; returns its name.

        Args:
            name: the Secret's name; unless `persist` (or `owner` is given) the pod's uid is appended.
            data: values that are base64 already, as text or as `base64.b64encode` gives it.
            persist: without an owner: it stays until somebody deletes it.
            string_data: values as they are: texts, or any bytes.
            labels: of the Secret.
            owner: an ownerReference to use in place of the pod's.

        Raises:
            OwnershipError: HOSTNAME is not set.
            Denied: the service account lacks a right; the message has the rule.
            KubernetesError: any other refusal.
            TypeError: a value that is neither text nor bytes.
        """
        values = {key: _text("data", key, value) for key, value in data.items()}
        for key, value in (string_data or {}).items():
            values[key] = b64encode(
                value if isinstance(value, bytes) else _text("string_data", key, value).encode(errors="surrogateescape")
            ).decode()
        meta: dict[str, Any] = {"name": name, "namespace": self.namespace}
        if owner is not None:
            meta["ownerReferences"] = [dict(owner)]
        elif not persist:
            pod = self._own_pod()
            meta["name"] = f"{name}-{pod.uid}"
            meta["ownerReferences"] = [
                {
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "name": pod.name,
                    "uid": pod.uid,
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ]
        if labels:
            meta["labels"] = dict(labels)
        secret: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "Opaque",
            "metadata": meta,
            "data": values,
        }
        self._put(secret)
        return str(meta["name"])

    def _put(self, secret: Mapping[str, Any]) -> None:
        """Create, else patch; once more where it vanished in between."""
        path = f"{self._path}/secrets"
        name = quote(secret["metadata"]["name"], safe="")
        for call, passed_over in (("POST", 409), ("PATCH", 404), ("POST", 0)):
            where, kind = (path, "application/json") if call == "POST" else (f"{path}/{name}", _MERGE)
            try:
                self._client.request(call, where, dict(secret), kind=kind)
            except KubernetesError as error:
                if error.status != passed_over:
                    raise
            else:
                return

    def _own_pod(self) -> Pod:
        name = os.environ.get("HOSTNAME", "")
        if not name:
            raise OwnershipError("Unable to determine ownership of secret.")
        if len(name) >= _LONGEST_HOSTNAME:
            # A host name is cut; with the cut name for an owner the Secret would be collected at once.
            whole = str((self._client.claims().get("pod") or {}).get("name", ""))
            name = whole if whole.startswith(name) else name
        uid = os.environ.get("KUBERNETES_POD_UID", "")
        return Pod(name, uid) if uid else self.get_pod(name)


def _text(where: str, key: str, value: object) -> str:
    """A value as JSON takes it; an error has its key only."""
    if isinstance(value, bytes):
        return value.decode("ascii")
    if not isinstance(value, str):
        raise TypeError(f"{where}[{key!r}] must be text or bytes, not {type(value).__name__}")
    return value
