"""Records in a ConfigMap, passwords in a Secret, each written with a compare-and-swap by resourceVersion.

`obm-record-DEVICE` holds no secret and can be shown to anybody; `obm-passwords-DEVICE` holds what was last seen to
work, and what is about to be written.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from typing import Any

from tiphys.credentials.documents import object_name, passwords_from, passwords_to, record_from, record_to
from tiphys.errors import ApiError, StoreError
from tiphys.kube.client.http import HttpClient
from tiphys.kube.client.kubeconfig import Overrides, load
from tiphys.kube.objects.resources import served
from tiphys.obm.record import Conflict, Passwords, Record

__all__ = ["KubernetesStore", "connect"]

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


class KubernetesStore:
    """`obm.record.Store` for one BMC."""

    def __init__(self, client: HttpClient, device: str, namespace: str = "") -> None:
        self._client = client
        self._namespace = namespace or client.target.namespace
        self._record = _Object(client, "configmaps", self._namespace, object_name("obm-record", device))
        self._passwords = _Object(client, "secrets", self._namespace, object_name("obm-passwords", device))

    def load_record(self) -> Record | None:
        """See `Store`."""
        text = self._record.load().get("record")
        return record_from(text, self._record.where) if text else None

    def save_record(self, record: Record) -> None:
        """See `Store`."""
        self._record.save({"record": record_to(record)})

    def load_passwords(self) -> Passwords:
        """See `Store`."""
        try:
            values = {name: base64.b64decode(value).decode() for name, value in self._passwords.load().items()}
        except (binascii.Error, UnicodeDecodeError):
            raise StoreError(f"{self._passwords.where} holds something that is no text") from None
        return passwords_from(values, self._passwords.where)

    def save_passwords(self, passwords: Passwords) -> None:
        """See `Store`."""
        values = passwords_to(passwords)
        self._passwords.save({name: base64.b64encode(value.encode()).decode() for name, value in values.items()})


class _Object:
    """One object, and its resourceVersion as last seen."""

    def __init__(self, client: HttpClient, plural: str, namespace: str, name: str) -> None:
        self._client = client
        self._resource = served("", plural)
        self._namespace = namespace
        self._name = name
        self._present: dict[str, Any] | None = None

    @property
    def where(self) -> str:
        """For messages."""
        return f"{self._resource.kind} {self._namespace}/{self._name}"

    def load(self) -> dict[str, str]:
        """Its `data`; empty where there is no such object."""
        try:
            self._present = self._client.get(self._resource, self._name, self._namespace).object
        except ApiError as error:
            if error.code != 404:
                raise
            self._present = None
        data: dict[str, str] = (self._present or {}).get("data") or {}
        return data

    def save(self, data: dict[str, str]) -> None:
        try:
            if self._present is None:
                value = {
                    "apiVersion": "v1",
                    "kind": self._resource.kind,
                    "metadata": {"name": self._name, "namespace": self._namespace, "labels": _LABELS},
                    "data": data,
                }
                self._present = self._client.create(self._resource, value, self._namespace).object
            else:
                self._present = self._client.update(self._resource, {**self._present, "data": data}).object
        except ApiError as error:
            if error.code in (404, 409):  # deleted, or created or changed by somebody else
                raise Conflict(f"{self.where} was changed by somebody else") from error
            raise
