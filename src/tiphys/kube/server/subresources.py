"""What is asked of the server but not kept: tokens, reviews of rights, logs.

Called by `http` and `inprocess`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol

from tiphys.kit.clock import rfc3339
from tiphys.kit.codec import decode
from tiphys.kube.objects import status
from tiphys.kube.objects.resources import by_plural
from tiphys.kube.server.api import Api, Request
from tiphys.kube.server.tokens import AUDIENCE, Tokens
from tiphys.kube.server.users import User
from tiphys.kube.store.api import Key

__all__ = ["LogSource", "Subresources"]

_LONGEST = 365 * 24 * 3600


class LogSource(Protocol):
    """Who keeps the logs of pods: the kubelet."""

    def read(self, pod: dict[str, Any], container: str, options: Mapping[str, str]) -> AsyncIterator[bytes]:
        """The log of one container of a pod; options as in the query of `…/log`."""
        ...


class Subresources:
    """See the module; `logs` is set when a kubelet is there."""

    def __init__(self, api: Api, tokens: Tokens) -> None:
        self._api, self._tokens = api, tokens
        self.logs: LogSource | None = None

    async def create(self, request: Request, value: dict[str, Any]) -> dict[str, Any]:
        """POST to serviceaccounts/NAME/token or to a review; gives it with its status.

        Raises:
            ApiError: 403, 404, 400.
        """
        self._api.authorize(request, "create")
        kind = request.resource.kind
        value["apiVersion"] = request.resource.api_version
        if kind == "ServiceAccount" and request.subresource == "token":
            return self._token(request, value)
        value["kind"] = kind
        review = {
            "SelfSubjectAccessReview": self._access,
            "SubjectAccessReview": self._access,
            "SelfSubjectRulesReview": self._rules,
            "TokenReview": self._review,
            "SelfSubjectReview": self._self,
        }.get(kind)
        if review is None:
            raise status.method_not_allowed()
        value["status"] = review(request, value.get("spec") or {})
        value.setdefault("metadata", {})
        return value

    def _token(self, request: Request, value: dict[str, Any]) -> dict[str, Any]:
        record = self._api.store.get(Key("", "serviceaccounts", request.namespace, request.name))
        if record is None:
            raise status.not_found(request.resource, request.name)
        spec = value.setdefault("spec", {})
        seconds = min(max(int(spec.get("expirationSeconds") or 3600), 600), _LONGEST)
        audiences = spec.setdefault("audiences", [AUDIENCE]) or [AUDIENCE]
        reference = spec.get("boundObjectRef")
        bound = self._bound(request, reference) if reference else None
        token, until = self._tokens.make(request.namespace, (request.name, record.uid), seconds, bound, audiences[0])
        spec["expirationSeconds"] = seconds
        value["apiVersion"], value["kind"] = "authentication.k8s.io/v1", "TokenRequest"
        value["status"] = {"token": token, "expirationTimestamp": rfc3339(until)}
        value.setdefault("metadata", {}).update(name=request.name, namespace=request.namespace)
        return value

    def _bound(self, request: Request, reference: Mapping[str, str]) -> tuple[str, str, str]:
        kind, name = reference.get("kind", ""), reference.get("name", "")
        plural = {"Pod": "pods", "Secret": "secrets"}.get(kind)
        resource = by_plural("", plural or "")
        if plural is None or resource is None:
            raise status.bad_request(f"cannot bind token for serviceaccount to object of kind {kind!r}: Pod or Secret")
        record = self._api.store.get(Key("", plural, request.namespace, name))
        if record is None:
            raise status.not_found(resource, name)
        wanted = reference.get("uid") or record.uid
        if wanted != record.uid:
            why = f"the UID in the bound object reference ({wanted}) does not match the UID in record ({record.uid})"
            raise status.conflict(resource, name, why)
        return kind, name, record.uid

    def _access(self, request: Request, spec: Mapping[str, Any]) -> dict[str, Any]:
        user = request.user
        if request.resource.kind == "SubjectAccessReview":
            user = User(spec.get("user", ""), tuple(spec.get("groups") or ()))
        path = spec.get("nonResourceAttributes")
        if path:
            allowed = self._api.authorizer.allows_path(user, path.get("verb", ""), path.get("path", ""))
            return {"allowed": allowed}
        asked = spec.get("resourceAttributes") or {}
        what = asked.get("resource", "")
        if asked.get("subresource"):
            what += "/" + asked["subresource"]
        allowed = self._api.authorizer.allows(
            user, asked.get("verb", ""), asked.get("group", ""), what, asked.get("namespace", ""), asked.get("name", "")
        )
        return {"allowed": allowed}

    def _rules(self, request: Request, spec: Mapping[str, Any]) -> dict[str, Any]:
        rules = list(self._api.authorizer.rules(request.user, spec.get("namespace", "")))
        if "system:masters" in request.user.groups:
            rules = [
                {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
                {"verbs": ["*"], "nonResourceURLs": ["*"]},
            ]
        paths = ("verbs", "nonResourceURLs")
        fields = ("verbs", "apiGroups", "resources", "resourceNames")
        return {
            "resourceRules": [{k: r[k] for k in fields if k in r} for r in rules if r.get("resources")],
            "nonResourceRules": [{k: r[k] for k in paths} for r in rules if r.get("nonResourceURLs")],
            "incomplete": False,
        }

    def _review(self, request: Request, spec: Mapping[str, Any]) -> dict[str, Any]:
        user = self._tokens.user(spec.get("token", ""))
        if user is None:
            return {"authenticated": False, "error": "the token is not valid"}
        return {"authenticated": True, "audiences": [AUDIENCE], "user": _user_info(user)}

    def _self(self, request: Request, spec: Mapping[str, Any]) -> dict[str, Any]:
        return {"userInfo": _user_info(request.user)}

    async def log(self, user: User, pod: str, namespace: str, options: Mapping[str, str]) -> AsyncIterator[bytes]:
        """The log of a container; the only container, or the one the annotation names, when none is asked for."""
        resource = by_plural("", "pods")
        assert resource is not None  # noqa: S101 - the table has it
        self._api.authorize(Request(user, resource, namespace, pod, "log"), "get")
        record = self._api.store.get(Key("", "pods", namespace, pod))
        if record is None:
            raise status.not_found(resource, pod)
        value = decode(record.value)
        names = [c["name"] for kind in ("containers", "initContainers") for c in value["spec"].get(kind) or ()]
        container = options.get("container", "")
        if not container:
            main = value["spec"]["containers"]
            if len(main) > 1:
                known = " ".join(c["name"] for c in main)
                raise status.bad_request(f"a container name must be specified for pod {pod}, choose one of: [{known}]")
            container = main[0]["name"]
        if container not in names:
            raise status.bad_request(f"container {container} is not valid for pod {pod}")
        if self.logs is None:
            raise status.bad_request(f'container "{container}" in pod "{pod}" is waiting to start: ContainerCreating')
        async for chunk in self.logs.read(value, container, options):
            yield chunk


def _user_info(user: User) -> dict[str, Any]:
    info: dict[str, Any] = {"username": user.name, "groups": list(user.groups)}
    if user.uid:
        info["uid"] = user.uid
    if user.pod:
        info["extra"] = {
            "authentication.kubernetes.io/pod-name": [user.pod[0]],
            "authentication.kubernetes.io/pod-uid": [user.pod[1]],
        }
    return info
