"""The flags every command of `argo`'s grammar has: which cluster, as whom, in which namespace."""

from __future__ import annotations

from collections.abc import Sequence

from tiphys.cli.grammar import HELP, Flag

__all__ = ["GLOBAL", "command_index"]

GLOBAL: tuple[Flag, ...] = (
    HELP,
    Flag("argo-base-href", "string", "Of an Argo Server; tiphys speaks to the Kubernetes API only"),
    Flag("argo-http1", "bool", "Of an Argo Server; tiphys speaks to the Kubernetes API only"),
    Flag(
        "argo-server",
        "string",
        "An Argo Server is refused: tiphys speaks to the Kubernetes API only",
        short="s",
        value="host:port",
    ),
    Flag("as", "string", "Username to impersonate for the operation"),
    Flag(
        "as-group",
        "array",
        "Group to impersonate for the operation, this flag can be repeated to specify multiple groups.",
    ),
    Flag("as-uid", "string", "UID to impersonate for the operation"),
    Flag("certificate-authority", "string", "Path to a cert file for the certificate authority"),
    Flag("client-certificate", "string", "Path to a client certificate file for TLS"),
    Flag("client-key", "string", "Path to a client key file for TLS"),
    Flag("cluster", "string", "The name of the kubeconfig cluster to use"),
    Flag("context", "string", "The name of the kubeconfig context to use"),
    Flag("disable-compression", "bool", "Taken for argo's sake: tiphys asks for no compression"),
    Flag("gloglevel", "int", "Taken for argo's sake: nothing is logged by glog"),
    Flag("header", "slice", "Of an Argo Server; tiphys speaks to the Kubernetes API only", short="H"),
    Flag(
        "insecure-skip-tls-verify",
        "bool",
        "If true, the server's certificate will not be checked for validity. This will make your HTTPS connections "
        "insecure",
    ),
    Flag("insecure-skip-verify", "bool", "Of an Argo Server; tiphys speaks to the Kubernetes API only", short="k"),
    Flag(
        "instanceid",
        "string",
        "The instance id of the controller whose workflows are meant. Defaults to the ARGO_INSTANCEID environment "
        "variable.",
    ),
    Flag("kubeconfig", "string", "Path to a kube config. Only required if out-of-cluster"),
    Flag("log-format", "string", "Taken for argo's sake: there is text only", choices=("text", "json"), default="text"),
    Flag(
        "loglevel",
        "string",
        "Taken for argo's sake: what goes wrong is always said",
        choices=("debug", "info", "warn", "warning", "error", "fatal", "panic", "trace"),
        default="info",
    ),
    Flag("namespace", "string", "If present, the namespace scope for this CLI request", short="n"),
    Flag("password", "string", "Password for basic authentication to the API server"),
    Flag("proxy-url", "string", "If provided, this URL will be used to connect via proxy"),
    Flag(
        "request-timeout",
        "string",
        "The length of time to wait before giving up on a single server request, e.g. 1s, 2m, 3h. Zero means the usual "
        "time.",
        default="0",
    ),
    Flag("secure", "bool", "Of an Argo Server; tiphys speaks to the Kubernetes API only", short="e", default="true"),
    Flag("server", "string", "The address and port of the Kubernetes API server"),
    Flag(
        "tls-server-name",
        "string",
        "If provided, this name will be used to validate server certificate. If this is not provided, hostname used to "
        "contact the server is used.",
    ),
    Flag("token", "string", "Bearer token for authentication to the API server"),
    Flag("user", "string", "The name of the kubeconfig user to use"),
    Flag("username", "string", "Username for basic authentication to the API server"),
    Flag("verbose", "bool", "Say on standard error which cluster and namespace are meant", short="v"),
)


def command_index(words: Sequence[str]) -> int:
    """Where the command's name stands: the first word that is neither a global flag nor its value."""
    with_value = {f"--{flag.name}" for flag in GLOBAL if flag.kind != "bool"}
    with_value |= {f"-{flag.short}" for flag in GLOBAL if flag.short and flag.kind != "bool"}
    index = 0
    while index < len(words) and words[index].startswith("-"):
        index += 2 if words[index] in with_value else 1
    return index
