"""What a command of `argo`'s grammar works with: the cluster, the namespace, the moment, the way to print.

The connection is made when first used. `RefusalError` and `in_argos_words` give errors the words `argo` prints for
them: scripts compare these.
"""

from __future__ import annotations

import copy
import functools
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tiphys.cli.grammar import Options
from tiphys.cli.render.style import Style
from tiphys.errors import ApiError, TiphysError, UsageError
from tiphys.kit.clock import Clock, utc_now
from tiphys.kube.objects.resources import served
from tiphys.workflow.operations.labels import INSTANCE

if TYPE_CHECKING:
    from tiphys.kube.client.api import Item
    from tiphys.kube.client.http import HttpClient
    from tiphys.kube.client.kubeconfig import Target

__all__ = [
    "CLUSTER_TEMPLATES",
    "CRON_WORKFLOWS",
    "PODS",
    "TEMPLATES",
    "WORKFLOWS",
    "Object",
    "RefusalError",
    "Session",
    "in_argos_words",
    "say",
    "style_of",
    "warn",
]

Object = dict[str, Any]

WORKFLOWS = served("argoproj.io", "workflows")
TEMPLATES = served("argoproj.io", "workflowtemplates")
CLUSTER_TEMPLATES = served("argoproj.io", "clusterworkflowtemplates")
CRON_WORKFLOWS = served("argoproj.io", "cronworkflows")
PODS = served("", "pods")

LATEST = "@latest"
_LONGEST_TIMEOUT = 1e9

_CODES = {
    400: "InvalidArgument",
    401: "Unauthenticated",
    403: "PermissionDenied",
    404: "NotFound",
    409: "AlreadyExists",
    422: "InvalidArgument",
    429: "ResourceExhausted",
    501: "Unimplemented",
    503: "Unavailable",
    504: "DeadlineExceeded",
}


class RefusalError(TiphysError):
    """A no that argo's own server code would have said."""

    def __init__(self, message: str, code: str = "InvalidArgument") -> None:
        super().__init__(f"rpc error: code = {code} desc = {message}")


def in_argos_words(error: TiphysError) -> str:
    """An error as `argo` words it: an answer of the API with the code it has in gRPC."""
    if not isinstance(error, ApiError):
        return str(error)
    code = "Aborted" if error.reason == "Conflict" else _CODES.get(error.code, "Internal")
    return f"rpc error: code = {code} desc = {error.message}"


def say(text: str) -> None:
    """To standard output, as it is."""
    sys.stdout.write(text)


def warn(text: str) -> None:
    """A line on standard error."""
    sys.stdout.flush()
    sys.stderr.write(f"Warning: {text}\n")


def style_of(options: Options, names: tuple[str, ...] = ("no-color", "no-utf8")) -> Style:
    """Icons and colours for this call; `names` are the flags the command has of the two."""
    plain = "no-color" in names and options.on("no-color")
    ascii_only = "no-utf8" in names and options.on("no-utf8")
    terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("NO_COLOR")
    return Style(terminal and not plain, not ascii_only)


def _age(item: Item) -> tuple[str, int]:
    """Orders workflows, the newest last: of those made in one second, the one that changed last."""
    version = item.resource_version
    return item.object["metadata"]["creationTimestamp"], int(version) if version.isdigit() else 0


def _opened(workflow: Object) -> Object:
    status = workflow.get("status") or {}
    if not (status.get("compressedNodes") or status.get("offloadNodeStatusVersion")):
        return workflow
    from tiphys.workflow.operations.nodes import with_nodes

    return with_nodes(workflow)


def _timeout(text: str) -> float:
    """Seconds of --request-timeout; a bare number is of seconds, 0 none given."""
    from tiphys.errors import SpecError
    from tiphys.kube.objects.durations import seconds

    try:
        found = float(text) if text.isdecimal() else seconds(text)
    except SpecError:
        found = -1.0
    if not 0 <= found < _LONGEST_TIMEOUT:
        raise UsageError(
            "Invalid timeout value. Timeout must be a single integer in seconds, or an integer followed by a "
            f"corresponding time unit (e.g. 1s | 2m | 3h): --request-timeout is {text!r}"
        )
    return found


class Session:
    """The cluster of one call.

    Attributes:
        found_nothing: a command looked for objects of its namespace, and there are none: the namespace may be wrong.
    """

    def __init__(self, options: Options, clock: Clock = utc_now) -> None:
        self.now = clock
        self.found_nothing = False
        self.instance = options.text("instanceid") or os.environ.get("ARGO_INSTANCEID", "")
        self._options = options
        self._within = ""

    @functools.cached_property
    def client(self) -> HttpClient:
        """The cluster's API."""
        from tiphys.kube.client.http import HttpClient

        timeout = _timeout(self._options.text("request-timeout"))
        client = HttpClient(self._target, user_agent="tiphys", timeout=timeout or 60.0)
        if self._options.on("verbose"):
            sys.stderr.write(f"API: {self._target.server}, namespace {self._target.namespace}\n")
        return client

    def close(self) -> None:
        """Let go of the connection, if there is one."""
        if "client" in self.__dict__:
            self.client.close()

    @property
    def namespace(self) -> str:
        """-n, else $ARGO_NAMESPACE, else the kubeconfig's, else "default"; or the one it is `within`."""
        return self._within or self._named_namespace or self._target.namespace

    def within(self, namespace: str) -> Session:
        """The same cluster, over the same connection, in another namespace."""
        _ = self.client  # made once, for both
        other = copy.copy(self)
        other._within = namespace
        return other

    @property
    def selector(self) -> str:
        """The label selector for the workflows of the controller meant."""
        return f"{INSTANCE}={self.instance}" if self.instance else f"!{INSTANCE}"

    def workflow(self, name: str) -> Object:
        """A workflow of the namespace; `@latest` is the newest.

        Raises:
            ApiError: 404 and others.
            RefusalError: there is none at all, or it is another controller's.
        """
        if name == LATEST:
            return self._latest()
        found = self.client.get(WORKFLOWS, name, self.namespace).object
        instance = (found["metadata"].get("labels") or {}).get(INSTANCE, "")
        if instance != self.instance:
            raise RefusalError(
                f"'{instance}' is not '{self.instance}': the workflow is another controller's, name it by --instanceid"
            )
        return _opened(found)

    def name_of(self, name: str) -> str:
        """The name itself, or that of the newest workflow for `@latest`."""
        return str(self._latest()["metadata"]["name"]) if name == LATEST else name

    def changes(self, name: str) -> Iterator[Object]:
        """A workflow as it is, and again after each change, until it is deleted; the watch is renewed as needed.

        Raises:
            ApiError: 404, it was deleted while nobody watched.
        """
        while True:
            for event in self.client.watch(
                WORKFLOWS, self.namespace, field_selector=f"metadata.name={name}", resource_version="0"
            ):
                if event.item is None or event.type == "BOOKMARK":
                    continue
                yield _opened(event.item.object)
                if event.type == "DELETED":
                    return
            self.client.get(WORKFLOWS, name, self.namespace)  # a watch of nothing would last for ever

    def _latest(self) -> Object:
        listed = self.client.list(WORKFLOWS, self.namespace).items
        if not listed:
            raise RefusalError("no workflows found", "NotFound")
        return _opened(max(listed, key=_age).object)

    @property
    def _named_namespace(self) -> str:
        return self._options.text("namespace") or os.environ.get("ARGO_NAMESPACE", "")

    @functools.cached_property
    def _target(self) -> Target:
        from tiphys.cli.target import target_of

        if server := self._options.text("argo-server") or os.environ.get("ARGO_SERVER", ""):
            raise UsageError(
                f"the Argo Server {server} is not used: tiphys speaks to the Kubernetes API only; leave out "
                "--argo-server, unset ARGO_SERVER, and name the cluster by KUBECONFIG or --context"
            )
        return target_of(self._options, self._named_namespace)
