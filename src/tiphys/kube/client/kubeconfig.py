"""Which cluster, as whom, in which namespace: kubeconfig files, flags and the files inside a pod.

Called by the command line only. Reads files and the environment and may run a credential plugin; sends nothing.
The order is kubectl's: flags, then the files of $KUBECONFIG merged (the first to say a thing wins) or ~/.kube/config,
then the service account of the pod this runs in.
"""

from __future__ import annotations

import base64
import binascii
import os
import ssl
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tiphys.errors import ConnectError, TiphysError, UsageError
from tiphys.kit.plainjson import DecodeError, decode, encode
from tiphys.kit.redact import Secret

__all__ = ["Overrides", "Target", "default_paths", "load"]

POD_FILES = Path("/var/run/secrets/kubernetes.io/serviceaccount")

_PLUGIN = {
    **dict.fromkeys(("apiVersion", "command", "installHint"), str),
    "args": [str],
    "env": [{"name": str, "value": str}],
    "provideClusterInfo": bool,
}
_USER = {
    **dict.fromkeys(("token", "tokenFile", "as", "username", "password"), str),
    **dict.fromkeys(("client-certificate", "client-certificate-data", "client-key", "client-key-data"), str),
    "as-groups": [str],
    "exec": _PLUGIN,
}
_CLUSTER = {
    **dict.fromkeys(("server", "tls-server-name", "proxy-url"), str),
    **dict.fromkeys(("certificate-authority", "certificate-authority-data"), str),
    "insecure-skip-tls-verify": bool,
}
_SHAPE = {
    "current-context": str,
    "clusters": [{"name": str, "cluster": _CLUSTER}],
    "users": [{"name": str, "user": _USER}],
    "contexts": [{"name": str, "context": dict.fromkeys(("cluster", "user", "namespace"), str)}],
}
"""What is read of a kubeconfig, and what each must be (client.config.k8s.io v1)."""


@dataclass(frozen=True, slots=True)
class Overrides:
    """What flags say; "" and False mean: as the kubeconfig has it. Named as kubectl's flags."""

    kubeconfig: str = ""
    context: str = ""
    cluster: str = ""
    user: str = ""
    server: str = ""
    token: str = ""
    namespace: str = ""
    certificate_authority: str = ""
    client_certificate: str = ""
    client_key: str = ""
    insecure_skip_tls_verify: bool = False
    tls_server_name: str = ""
    as_user: str = ""
    as_groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """A cluster to speak to, and as whom.

    Attributes:
        server: URL, e.g. "https://127.0.0.1:6443".
        headers: of every request; the Authorization among them is a Secret.
        tls: None for plain http.
        server_name: what the certificate is checked against; "" for the host of `server`.
        proxy: URL of an HTTP proxy, or "".
    """

    server: str
    namespace: str
    headers: tuple[tuple[str, str | Secret], ...]
    tls: ssl.SSLContext | None
    server_name: str = ""
    proxy: str = ""


def default_paths(environ: Mapping[str, str]) -> list[Path]:
    """The kubeconfig files that count, in order; some may not exist."""
    listed = environ.get("KUBECONFIG", "")
    if listed:
        return [Path(part) for part in listed.split(os.pathsep) if part]
    home = environ.get("HOME", "")
    return [Path(home) / ".kube" / "config"] if home else []


def load(overrides: Overrides, environ: Mapping[str, str] = os.environ) -> Target:
    """The target of this command.

    Raises:
        UsageError: no cluster is configured, or the configuration is wrong; the message says which file and what.
        ConnectError: a credential plugin failed.
    """
    paths = [Path(overrides.kubeconfig)] if overrides.kubeconfig else default_paths(environ)
    if overrides.kubeconfig and not paths[0].exists():
        raise UsageError(f"kubeconfig {paths[0]} does not exist")
    config = _merge(paths)
    if not config["contexts"] and not overrides.server:
        pod = _in_pod(overrides, environ)
        if pod is not None:
            return pod
        tried = ", ".join(map(str, paths)) or "nothing"
        raise UsageError(
            f"no cluster is configured (looked at {tried}): start one with `tiphys up -d` and do what it prints, "
            "or set KUBECONFIG to the kubeconfig of a cluster"
        )
    name = overrides.context or config["current-context"]
    if name and name not in config["contexts"]:
        known = ", ".join(sorted(config["contexts"])) or "none"
        raise UsageError(f"context {name!r} does not exist in the kubeconfig; there are: {known}")
    context = config["contexts"].get(name, {})
    cluster = _named(config["clusters"], overrides.cluster or context.get("cluster", ""), "cluster")
    user = _named(config["users"], overrides.user or context.get("user", ""), "user")
    server = overrides.server or cluster.get("server", "")
    if not server:
        raise UsageError("the kubeconfig names no server: choose a context with --context, or give --server")
    if "://" not in server:
        server = "https://" + server
    namespace = overrides.namespace or context.get("namespace", "") or "default"
    headers = _impersonation(overrides, user)
    authorization, certificate = _credentials(overrides, user, environ, cluster, server)
    if authorization is not None:
        headers.append(("Authorization", authorization))
    tls = _tls(overrides, cluster, certificate) if server.startswith("https://") else None
    server_name = overrides.tls_server_name or cluster.get("tls-server-name") or ""
    return Target(server.rstrip("/"), namespace, tuple(headers), tls, server_name, cluster.get("proxy-url") or "")


def _merge(paths: list[Path]) -> dict[str, Any]:
    merged: dict[str, Any] = {"contexts": {}, "clusters": {}, "users": {}, "current-context": ""}
    for path in paths:
        try:
            text = path.read_text()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise UsageError(f"kubeconfig {path} cannot be read: {error.strerror}") from error
        document = _document(path, text)
        if not isinstance(document, dict):
            raise UsageError(f"kubeconfig {path} is not a kubeconfig: it is no map of keys")
        if wrong := _misfit(document, _SHAPE, ""):
            raise UsageError(f"kubeconfig {path} is not a kubeconfig: {wrong}")
        merged["current-context"] = merged["current-context"] or document.get("current-context") or ""
        for kind, inner in (("contexts", "context"), ("clusters", "cluster"), ("users", "user")):
            for entry in document.get(kind) or []:
                value = dict(entry.get(inner) or {})
                value["__folder__"] = path.parent  # relative file names are relative to their kubeconfig
                merged[kind].setdefault(entry.get("name") or "", value)
    return merged


def _misfit(value: Any, shape: Any, where: str) -> str:
    """What is not as it must be, and where; "" for nothing. What is null is not there, as in Go."""
    if value is None:
        return ""
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return f"{where} is no map of keys"
        found = (_misfit(value.get(key), inner, f"{where}.{key}".lstrip(".")) for key, inner in shape.items())
    elif isinstance(shape, list):
        if not isinstance(value, list):
            return f"{where} is no list"
        found = (
            f"{where}[{index}] is empty" if one is None else _misfit(one, shape[0], f"{where}[{index}]")
            for index, one in enumerate(value)
        )
    else:
        wanted = "text: put it into quotes" if shape is str else "true or false"
        return "" if isinstance(value, shape) else f"{where} must be {wanted}"
    return next(filter(None, found), "")


def _document(path: Path, text: str) -> Any:
    """A kubeconfig's content. That of `tiphys up` is JSON, which is read without the 50 ms that loading YAML takes."""
    try:
        if text.startswith("{"):
            return decode(text)
    except DecodeError:
        pass  # a flow map of YAML
    from tiphys.kit import yaml

    try:
        return yaml.load(text) or {}
    except TiphysError as error:
        raise UsageError(f"kubeconfig {path} is not YAML: {error}") from error


def _named(entries: Mapping[str, Any], name: str, what: str) -> dict[str, Any]:
    if not name:
        return {}
    found = entries.get(name)
    if found is None:
        raise UsageError(f"{what} {name!r} does not exist in the kubeconfig")
    return dict(found)


def _file_or_data(entry: Mapping[str, Any], key: str) -> bytes | None:
    data = entry.get(key + "-data")
    if data:
        try:
            return base64.b64decode(str(data), validate=True)
        except (binascii.Error, ValueError) as error:
            raise UsageError(f"{key}-data in the kubeconfig is not base64") from error
    path = str(entry.get(key) or "")
    if not path:
        return None
    folder: Path = entry.get("__folder__", Path())
    try:
        return (folder / path).read_bytes()
    except OSError as error:
        raise UsageError(f"{key} {path} of the kubeconfig cannot be read: {error.strerror}") from error


def _impersonation(overrides: Overrides, user: Mapping[str, Any]) -> list[tuple[str, str | Secret]]:
    name = overrides.as_user or user.get("as", "")
    groups = overrides.as_groups or tuple(user.get("as-groups") or ())
    headers: list[tuple[str, str | Secret]] = [("Impersonate-User", name)] if name else []
    headers.extend(("Impersonate-Group", group) for group in groups)
    return headers


_Certificate = tuple[bytes, bytes] | None


def _credentials(
    overrides: Overrides, user: Mapping[str, Any], environ: Mapping[str, str], cluster: Mapping[str, Any], server: str
) -> tuple[Secret | None, _Certificate]:
    flags = {"client-certificate": overrides.client_certificate, "client-key": overrides.client_key}
    entry = {**user, **{key: value for key, value in flags.items() if value}}
    certificate, key = _file_or_data(entry, "client-certificate"), _file_or_data(entry, "client-key")
    pair: _Certificate = (certificate, key) if certificate and key else None
    if overrides.token:
        return Secret("Bearer " + overrides.token), pair
    if user.get("token"):
        return Secret("Bearer " + user["token"]), pair
    if user.get("tokenFile"):
        path = user.get("__folder__", Path()) / user["tokenFile"]
        try:
            return Secret("Bearer " + path.read_text().strip()), pair
        except OSError as error:
            raise UsageError(f"tokenFile {path} of the kubeconfig cannot be read: {error.strerror}") from error
    if user.get("username"):
        basic = f"{user['username']}:{user.get('password', '')}".encode()
        return Secret("Basic " + base64.b64encode(basic).decode()), pair
    if user.get("exec"):
        return _run_plugin(user["exec"], environ, cluster, server)
    if user.get("auth-provider"):
        raise UsageError("auth-provider in the kubeconfig is not supported (Kubernetes removed it in 1.26): use exec")
    return None, pair


def _run_plugin(
    plugin: Mapping[str, Any], environ: Mapping[str, str], cluster: Mapping[str, Any], server: str
) -> tuple[Secret | None, _Certificate]:
    """A credential plugin of client.authentication.k8s.io v1 or v1beta1 (kubeconfig `exec`)."""
    version = plugin.get("apiVersion", "")
    if version not in ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"):
        raise UsageError(f"exec in the kubeconfig has apiVersion {version!r}; v1 and v1beta1 are supported")
    spec: dict[str, Any] = {"interactive": False}
    if plugin.get("provideClusterInfo"):
        wanted = ("certificate-authority-data", "insecure-skip-tls-verify", "tls-server-name", "proxy-url")
        spec["cluster"] = {"server": server, **{key: cluster[key] for key in wanted if key in cluster}}
    info = encode({"apiVersion": version, "kind": "ExecCredential", "spec": spec}).decode()
    env = {
        **environ,
        **{e["name"]: e.get("value") or "" for e in plugin.get("env") or [] if e.get("name")},
        "KUBERNETES_EXEC_INFO": info,
    }
    command = [plugin.get("command") or "", *(plugin.get("args") or [])]
    try:
        done = subprocess.run(command, env=env, capture_output=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        hint = plugin.get("installHint") or "is it installed?"
        raise ConnectError(f"the credential plugin {command[0]!r} of the kubeconfig cannot be run: {hint}") from error
    if done.returncode:
        raise ConnectError(
            f"the credential plugin {command[0]!r} of the kubeconfig failed with exit code {done.returncode}: "
            f"{done.stderr.decode(errors='replace').strip()[-300:]}"
        )
    try:
        status = decode(done.stdout).get("status") or {}
    except (DecodeError, AttributeError) as error:
        raise ConnectError(f"the credential plugin {command[0]!r} printed no ExecCredential") from error
    certificate, key = status.get("clientCertificateData"), status.get("clientKeyData")
    token = status.get("token")
    return (
        Secret("Bearer " + token) if token else None,
        (certificate.encode(), key.encode()) if certificate and key else None,
    )


def _tls(overrides: Overrides, cluster: Mapping[str, Any], certificate: _Certificate) -> ssl.SSLContext:
    entry = dict(cluster)
    if overrides.certificate_authority:
        entry.pop("certificate-authority-data", None)
        entry["certificate-authority"] = str(Path(overrides.certificate_authority).absolute())
    authority = _file_or_data(entry, "certificate-authority")
    try:
        context = ssl.create_default_context(cadata=authority.decode() if authority else None)
    except (ssl.SSLError, UnicodeDecodeError) as error:
        raise UsageError("the certificate-authority of the kubeconfig is not a PEM certificate") from error
    if overrides.insecure_skip_tls_verify or cluster.get("insecure-skip-tls-verify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate is not None:
        _load_pair(context, certificate)
    return context


def _load_pair(context: ssl.SSLContext, pair: tuple[bytes, bytes]) -> None:
    """Hand OpenSSL a key that has no file: through an anonymous one, so that it is never on disk."""
    descriptor = os.memfd_create("client-certificate", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, pair[0] + b"\n" + pair[1])
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    except ssl.SSLError as error:
        raise UsageError(
            "the client certificate and key of the kubeconfig do not fit together or are not PEM"
        ) from error
    finally:
        os.close(descriptor)


def _in_pod(overrides: Overrides, environ: Mapping[str, str]) -> Target | None:
    host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", "")
    if not host or not (POD_FILES / "token").exists():
        return None
    host = f"[{host}]" if ":" in host else host
    return Target(
        f"https://{host}:{port or 443}",
        overrides.namespace or (POD_FILES / "namespace").read_text().strip(),
        (("Authorization", Secret("Bearer " + (POD_FILES / "token").read_text().strip())),),
        ssl.create_default_context(cafile=str(POD_FILES / "ca.crt")),
    )
