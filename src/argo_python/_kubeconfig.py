"""A kubeconfig: where the API server of its current context is, and who asks.

Loaded by `_client` only where a kubeconfig is named: a pod needs none, and each module costs its start some time.
"""

from __future__ import annotations

import base64
import binascii
import json
import ssl
import tempfile
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from argo_python._errors import KubernetesError

__all__ = ["Target", "read_kubeconfig"]

# What says who asks or which way, and is not honoured: to leave it out would be to ask as somebody else, or elsewhere.
_REFUSED = ("exec", "auth-provider", "username", "as", "proxy-url", "tls-server-name")


class Target(NamedTuple):
    """Where requests go.

    Attributes:
        prefix: what comes before each path, without a slash at its end; "" on most clusters.
        tls: None = plain HTTP.
        token_file: read anew for each request where it is given.
        namespace: of the context; "" where it has none.
    """

    address: tuple[str, int]
    prefix: str
    tls: ssl.SSLContext | None
    token: str
    token_file: Path | None
    namespace: str


def read_kubeconfig(path: Path) -> Target:
    """The target of a kubeconfig's current context; paths in it begin at its own folder, as for kubectl.

    Raises:
        KubernetesError: it cannot be used as it is; names the field.
    """
    config = _read(path)
    context = _entry(config, "context", config.get("current-context", ""), path)
    cluster = _entry(config, "cluster", context.get("cluster", ""), path)
    user = _entry(config, "user", context.get("user", ""), path)
    if refused := next((name for name in _REFUSED if cluster.get(name) or user.get(name)), None):
        raise KubernetesError(f"kubeconfig {path}: {refused} is not honoured here; use a token or a client certificate")
    token, token_file = user.get("token") or "", user.get("tokenFile")
    if not isinstance(token, str):
        raise KubernetesError(f"kubeconfig {path}: the user's token is no text; put it in quotes")
    certified = user.get("client-certificate") or user.get("client-certificate-data")
    if not token and not token_file and not certified:
        raise KubernetesError(f"the user of {path} has neither a token nor a client certificate")
    try:
        url = urlsplit(str(cluster.get("server") or ""))
        address = (url.hostname or "", url.port or (443 if url.scheme == "https" else 80))
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError("a URL with http:// or https:// is needed")
    except ValueError as error:
        raise KubernetesError(
            f"kubeconfig {path}: the server {cluster.get('server')!r} cannot be used: {error}"
        ) from error
    tls = _tls(cluster, user if certified else {}, path) if url.scheme == "https" else None
    return Target(
        address,
        url.path.rstrip("/"),
        tls,
        token,
        path.parent / token_file if token_file and not token else None,
        str(context.get("namespace") or ""),
    )


def _tls(cluster: dict[str, Any], user: dict[str, Any], path: Path) -> ssl.SSLContext:
    authority = _pem(cluster, "certificate-authority", path)
    try:
        tls = ssl.create_default_context(cadata=authority.decode("ascii") if authority else None)
    except (ssl.SSLError, ValueError) as error:
        raise KubernetesError(f"kubeconfig {path}: certificate-authority holds no certificate") from error
    if cluster.get("insecure-skip-tls-verify"):
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    certificate, key = _pem(user, "client-certificate", path), _pem(user, "client-key", path)
    if certificate:
        with tempfile.NamedTemporaryFile() as both:  # ssl takes files only; nobody else may read this one
            both.write(certificate + b"\n" + key)
            both.flush()
            try:
                tls.load_cert_chain(both.name)
            except (ssl.SSLError, ValueError) as error:
                raise KubernetesError(f"kubeconfig {path}: client-certificate and client-key do not fit") from error
    return tls


def _pem(entry: dict[str, Any], name: str, path: Path) -> bytes:
    """A certificate or key: in the kubeconfig itself, else in the file it names; b"" where there is none."""
    try:
        if data := entry.get(f"{name}-data"):
            return base64.b64decode(data, validate=True)
        return (path.parent / entry[name]).read_bytes() if entry.get(name) else b""
    except (binascii.Error, TypeError, ValueError) as error:
        raise KubernetesError(f"kubeconfig {path}: {name}-data is not base64") from error
    except OSError as error:
        raise KubernetesError(f"kubeconfig {path}: {name} {entry[name]} cannot be read: {error.strerror}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise KubernetesError(f"kubeconfig {path} cannot be read: {why}") from error
    try:
        value = json.loads(text)
    except ValueError:
        try:
            import yaml  # only for a kubeconfig that is not JSON
        except ImportError as error:
            raise KubernetesError(f"kubeconfig {path} is YAML: reading it needs the package PyYAML") from error
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise KubernetesError(f"kubeconfig {path} is not YAML") from error
    if not isinstance(value, dict):
        raise KubernetesError(f"{path} is not a kubeconfig")
    return value


def _entry(config: dict[str, Any], kind: str, name: str, path: Path) -> dict[str, Any]:
    entries = config.get(f"{kind}s")
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and entry.get("name") == name and isinstance(entry.get(kind), dict):
            return dict(entry[kind])
    raise KubernetesError(f"kubeconfig {path} has no {name!r} in {kind}s")
