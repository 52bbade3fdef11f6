"""What is asked of the server but not kept: tokens for service accounts, and reviews of who may do what.

Called by `http` and `inprocess` with the body of a POST.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tiphys.kit.clock import rfc3339
from tiphys.kit.codec import DecodeError, Struct, convert
from tiphys.kube.objects import status
from tiphys.kube.objects.resources import Resource, served
from tiphys.kube.server.api import Api, Request
from tiphys.kube.server.tokens import AUDIENCE, Bound, Tokens
from tiphys.kube.server.users import MASTERS, User
from tiphys.kube.store.api import Key

__all__ = ["Reviews", "user_info"]

_SHORTEST, _LONGEST = 600, 2**32
_BOUND = {"Pod": served("", "pods"), "Secret": served("", "secrets")}


class _Reference(Struct):
    apiVersion: str = ""  # noqa: N815 - the field's name
    kind: str = ""
    name: str = ""
    uid: str = ""


class _TokenSpec(Struct):
    audiences: list[str] | None = None
    boundObjectRef: _Reference | None = None  # noqa: N815
    expirationSeconds: int | None = None  # noqa: N815


class _ResourceAttributes(Struct):
    group: str = ""
    name: str = ""
    namespace: str = ""
    resource: str = ""
    subresource: str = ""
    verb: str = ""


class _PathAttributes(Struct):
    path: str = ""
    verb: str = ""


class _Spec(Struct):
    """The spec of any review."""

    audiences: list[str] | None = None
    groups: list[str] | None = None
    namespace: str = ""
    nonResourceAttributes: _PathAttributes | None = None  # noqa: N815
    resourceAttributes: _ResourceAttributes | None = None  # noqa: N815
    token: str = ""
    uid: str = ""
    user: str = ""


class Reviews:
    """See the module."""

    def __init__(self, api: Api, tokens: Tokens) -> None:
        self._api, self._tokens = api, tokens

    async def create(self, request: Request, value: dict[str, Any]) -> dict[str, Any]:
        """POST to serviceaccounts/NAME/token or to a review; gives it back with its status.

        Raises:
            ApiError: 400, 403, 404, 409, 422.
        """
        self._api.authorize(request, "create")
        if request.subresource == "token":
            return self._token(request, value)
        kind = request.resource.kind
        review = {
            "SelfSubjectAccessReview": self._self_access,
            "SubjectAccessReview": self._access,
            "SelfSubjectRulesReview": self._rules,
            "TokenReview": self._review,
            "SelfSubjectReview": self._self,
        }.get(kind)
        if review is None or request.subresource:
            raise status.method_not_allowed()
        spec = _lens(value.get("spec") or {}, _Spec, request.resource)
        about = {"apiVersion": request.resource.api_version, "kind": kind, "metadata": value.get("metadata") or {}}
        given = {"spec": value["spec"]} if "spec" in value else {}
        return {**about, **given, "status": review(request, spec)}

    # -- tokens --------------------------------------------------------------------------------------------------

    def _token(self, request: Request, value: dict[str, Any]) -> dict[str, Any]:
        record = self._api.store.get(Key("", "serviceaccounts", request.namespace, request.name))
        if record is None:
            raise status.not_found(request.resource, request.name)
        spec = _lens(value.get("spec") or {}, _TokenSpec, request.resource)
        seconds = 3600 if spec.expirationSeconds is None else spec.expirationSeconds
        if not _SHORTEST <= seconds <= _LONGEST:
            low = seconds < _SHORTEST
            why = f"may not specify a duration {'less than 10 minutes' if low else 'larger than 2^32 seconds'}"
            cause = status.invalid_field("spec.expirationSeconds", seconds, why)
            raise status.invalid("TokenRequest", "authentication.k8s.io", request.name, [cause])
        audiences = spec.audiences or [AUDIENCE]
        bound = self._bound(request, spec.boundObjectRef) if spec.boundObjectRef else None
        token, until = self._tokens.make(request.namespace, (request.name, record.uid), seconds, bound, audiences)
        return {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "metadata": {
                **(value.get("metadata") or {}),
                "name": request.name,
                "namespace": request.namespace,
                "creationTimestamp": rfc3339(self._api.clock()),
            },
            "spec": {**(value.get("spec") or {}), "audiences": audiences, "expirationSeconds": seconds},
            "status": {"token": token.reveal(), "expirationTimestamp": rfc3339(until)},
        }

    def _bound(self, request: Request, reference: _Reference) -> Bound:
        resource = _BOUND.get(reference.kind)
        if resource is None:
            what = (
                f"cannot bind token for serviceaccount to object of type {reference.apiVersion}, Kind={reference.kind}"
            )
            raise status.bad_request(f"{what}: Pod or Secret")
        record = self._api.store.get(Key("", resource.plural, request.namespace, reference.name))
        if record is None:
            raise status.not_found(resource, reference.name)
        if reference.uid and reference.uid != record.uid:
            why = (
                f"the UID in the bound object reference ({reference.uid}) does not match the UID in record. "
                "The object might have been deleted and then recreated"
            )
            raise status.conflict(resource, reference.name, why)
        return Bound(reference.kind, reference.name, record.uid)

    # -- reviews -------------------------------------------------------------------------------------------------

    def _self_access(self, request: Request, spec: _Spec) -> dict[str, Any]:
        return self._judge(request, spec, request.user)

    def _access(self, request: Request, spec: _Spec) -> dict[str, Any]:
        if not spec.user and not spec.groups:
            why = "at least one of user or group must be specified"
            raise _invalid(request, "spec.user", f'Invalid value: "": {why}')
        return self._judge(request, spec, User(spec.user, tuple(spec.groups or ()), spec.uid))

    def _judge(self, request: Request, spec: _Spec, user: User) -> dict[str, Any]:
        asked, path = spec.resourceAttributes, spec.nonResourceAttributes
        if (asked is None) == (path is None):
            why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
            raise _invalid(request, "spec.resourceAttributes", f"Invalid value: null: {why}")
        authorizer = self._api.authorizer
        if path is not None:
            return {"allowed": authorizer.allows_path(user, path.verb, path.path)}
        assert asked is not None  # noqa: S101 - for mypy: one of the two is there
        what = f"{asked.resource}/{asked.subresource}" if asked.subresource else asked.resource
        allowed = authorizer.allows(user, asked.verb, asked.group, what, asked.namespace, asked.name)
        errors = () if allowed else authorizer.held(user, asked.namespace).errors
        return {"allowed": allowed, **({"evaluationError": "; ".join(errors)} if errors else {})}

    def _rules(self, request: Request, spec: _Spec) -> dict[str, Any]:
        if not spec.namespace:
            raise status.bad_request("no namespace on request")
        held = self._api.authorizer.held(request.user, spec.namespace)
        rules = list(held.rules)
        if MASTERS in request.user.groups:
            everywhere = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
            rules = [everywhere, {"verbs": ["*"], "nonResourceURLs": ["*"]}]
        fields = ("verbs", "apiGroups", "resources", "resourceNames")
        return {
            "resourceRules": [{k: rule[k] for k in fields if k in rule} for rule in rules if rule.get("resources")],
            "nonResourceRules": [
                {"verbs": rule["verbs"], "nonResourceURLs": rule["nonResourceURLs"]}
                for rule in rules
                if rule.get("nonResourceURLs")
            ],
            "incomplete": bool(held.errors),
            **({"evaluationError": "; ".join(held.errors)} if held.errors else {}),
        }

    def _review(self, request: Request, spec: _Spec) -> dict[str, Any]:
        audiences = spec.audiences or [AUDIENCE]
        found = next(((user, one) for one in audiences if (user := self._tokens.user(spec.token, one))), None)
        if found is None:
            return {"authenticated": False, "user": {}, "error": "the token is not valid"}
        return {"authenticated": True, "audiences": [found[1]], "user": user_info(found[0])}

    def _self(self, request: Request, spec: _Spec) -> dict[str, Any]:
        return {"userInfo": user_info(request.user)}


def user_info(user: User) -> dict[str, Any]:
    """authentication.k8s.io/v1 UserInfo."""
    info: dict[str, Any] = {"username": user.name, "groups": list(user.groups)}
    if user.uid:
        info["uid"] = user.uid
    if user.pod:
        info["extra"] = {
            "authentication.kubernetes.io/pod-name": [user.pod[0]],
            "authentication.kubernetes.io/pod-uid": [user.pod[1]],
        }
    return info


def _lens(spec: Mapping[str, Any], kind: type[Any], resource: Resource) -> Any:
    try:
        return convert(spec, kind)
    except DecodeError as error:
        raise status.not_decodable(resource, f"spec: {error}") from error


def _invalid(request: Request, field: str, what: str) -> Exception:
    return status.invalid(request.resource.kind, request.resource.group, "", [(field, what)])
