"""One small client of the Kubernetes API: in-cluster configuration or a kubeconfig, JSON in and out.

Called by `_workflow` only. It never logs, and no error carries a request's body or header.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import ssl
from pathlib import Path
from typing import Any

from argo_python._errors import Denied, KubernetesError, NotInPod

__all__ = ["KubernetesClient"]

POD_FILES = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class KubernetesClient:
    """Requests to one API server as one user.

    Attributes:
        namespace: the pod's own, or the kubeconfig context's; "" where neither says.
    """

    def __init__(self, config_file: str | None = None) -> None:
        self.namespace = ""
        self._prefix = ""
        self._token = ""
        self._token_file: Path | None = None
        self._context: ssl.SSLContext | None
        if config_file:
            self._from_kubeconfig(Path(config_file))
        else:
            self._in_cluster()

    def _in_cluster(self) -> None:
        files = Path(os.environ.get("TIPHYS_SERVICEACCOUNT_DIR", POD_FILES))
        host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
        self._token_file = files / "token"
        try:
            if not host:
                raise FileNotFoundError
            self._token_file.read_bytes()
            self._context = ssl.create_default_context(cafile=str(files / "ca.crt"))
            self.namespace = (files / "namespace").read_text().strip()
        except ssl.SSLError as error:
            raise KubernetesError(f"{files}/ca.crt holds no certificate: {error.reason or error}") from error
        except OSError as error:
            raise NotInPod(
                "Kubernetes cannot be reached from here: this process runs in no pod with a service account token "
                "(name a kubeconfig with config_file=)"
            ) from error
        if not port.isdecimal():
            raise KubernetesError(f"KUBERNETES_SERVICE_PORT is not a port: {port!r}")
        self._address = (host.strip("[]"), int(port))

    def _from_kubeconfig(self, path: Path) -> None:
        from argo_python._kubeconfig import read_kubeconfig  # not in a pod

        target = read_kubeconfig(path)
        self._address, self._prefix, self._context = target.address, target.prefix, target.tls
        self._token, self._token_file, self.namespace = target.token, target.token_file, target.namespace

    def request(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, kind: str = "application/json"
    ) -> dict[str, Any]:
        """Send one request and give the answer's object.

        Raises:
            Denied: 401 or 403.
            KubernetesError: any other refusal, or no answer.
        """
        headers = {"Accept": "application/json", "User-Agent": "argo-python"}
        if token := self._bearer():
            headers["Authorization"] = "Bearer " + token
        payload = None
        if body is not None:
            payload = json.dumps(body)
            headers["Content-Type"] = kind
        try:
            connection = self._connect()
            try:
                connection.request(method, self._prefix + path, payload, headers)
                response = connection.getresponse()
                data = response.read()
            finally:
                connection.close()
        except (OSError, http.client.HTTPException) as error:
            raise KubernetesError(f"no answer from the Kubernetes API at {self._address[0]}: {error}") from error
        return _result(response.status, data, f"the Kubernetes API at {self._address[0]}:{self._address[1]}")

    def claims(self) -> dict[str, Any]:
        """What the pod's token says of the pod (`kubernetes.io`), unverified; {} where it says nothing."""
        try:
            body = self._bearer().split(".")[1]
            value = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["kubernetes.io"]
        except (IndexError, KeyError, TypeError, ValueError):
            return {}
        return value if isinstance(value, dict) else {}

    def _bearer(self) -> str:
        """The token as it is now: a pod's is renewed while the pod runs."""
        if self._token_file is not None:
            try:
                self._token = self._token_file.read_text().strip()
            except (OSError, ValueError) as error:
                raise KubernetesError(f"the token {self._token_file} cannot be read: {type(error).__name__}") from error
        if not self._token.isascii() or self._token.split() not in ([], [self._token]):
            # http.client would show the whole of it.
            raise KubernetesError(f"the token in {self._token_file or 'the kubeconfig'} is none: it is not one word")
        return self._token

    def _connect(self) -> http.client.HTTPConnection:
        if self._context is None:
            return http.client.HTTPConnection(*self._address, timeout=30)
        return http.client.HTTPSConnection(*self._address, timeout=30, context=self._context)


def _result(status: int, data: bytes, who: str) -> dict[str, Any]:
    """The object of an answer; whatever is no object was not said by the API, so nothing has been done.

    Raises:
        Denied, KubernetesError: see `KubernetesClient.request`.
    """
    try:
        value = json.loads(data)
    except ValueError:
        value = None
    if 200 <= status < 300 and isinstance(value, dict):
        return value
    if status < 400:
        raise KubernetesError(f"{who} answered {status} with something that is no object: is there a proxy?", status)
    if not isinstance(value, dict):
        value = {}
    message = str(value.get("message") or f"{who} answered {status}")
    if status == 401:
        message += ": the token is not valid (any more)"
    if status in (401, 403):
        rule = _rule(message)
        raise Denied(
            f"{message}\nAdd this rule to a Role bound to the ServiceAccount:\n{rule}" if rule else message, status
        )
    raise KubernetesError(message, status)


def _rule(message: str) -> str:
    found = re.search(r'cannot (\S+) resource "([^"]+)" in API group "([^"]*)"', message)
    return f'- {{apiGroups: ["{found[3]}"], resources: ["{found[2]}"], verbs: ["{found[1]}"]}}' if found else ""
