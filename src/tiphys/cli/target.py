"""From the global flags and the environment to the cluster: loaded only by commands that speak to one."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import os

from tiphys.cli.grammar import Options
from tiphys.cli.instance import default_data_dir
from tiphys.errors import UsageError
from tiphys.kit.redact import Secret
from tiphys.kube.client.kubeconfig import Overrides, Target, default_paths, load

__all__ = ["target_of"]


def target_of(options: Options, namespace: str) -> Target:
    """The cluster to speak to.

    Without any kubeconfig, that of `tiphys up` on this machine is taken; but not in place of one that was named and
    is missing: what was meant for another cluster must not run here.

    Raises:
        UsageError: no cluster is configured, or the configuration is wrong.
    """
    kubeconfig = options.text("kubeconfig")
    named = kubeconfig or options.text("server") or os.environ.get("KUBECONFIG")
    if not named and not any(path.exists() for path in default_paths(os.environ)):
        with contextlib.suppress(UsageError):  # no home: it may be a pod, which needs none
            own = default_data_dir() / "kubeconfig"
            kubeconfig = str(own) if own.exists() else ""
    target = load(
        Overrides(
            kubeconfig=kubeconfig,
            context=options.text("context"),
            cluster=options.text("cluster"),
            user=options.text("user"),
            server=options.text("server"),
            token=_token(options),
            namespace=namespace,
            certificate_authority=options.text("certificate-authority"),
            client_certificate=options.text("client-certificate"),
            client_key=options.text("client-key"),
            insecure_skip_tls_verify=options.on("insecure-skip-tls-verify"),
            tls_server_name=options.text("tls-server-name"),
            as_user=options.text("as"),
            as_groups=tuple(options.texts("as-group")),
        )
    )
    headers = list(target.headers)
    if uid := options.text("as-uid"):
        headers.append(("Impersonate-Uid", uid))
    if user := options.text("username"):
        basic = base64.b64encode(f"{user}:{options.text('password')}".encode()).decode()
        headers = [(name, value) for name, value in headers if name != "Authorization"]
        headers.append(("Authorization", Secret(f"Basic {basic}")))
    return dataclasses.replace(target, headers=tuple(headers), proxy=options.text("proxy-url") or target.proxy)


def _token(options: Options) -> str:
    token = options.text("token") or os.environ.get("ARGO_TOKEN", "")
    if token.startswith("Basic "):
        raise UsageError("ARGO_TOKEN with Basic is not used: give a Bearer token, or --username and --password")
    return token.removeprefix("Bearer ")
