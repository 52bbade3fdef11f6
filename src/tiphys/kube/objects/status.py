"""metav1.Status: every refusal of the API, in Kubernetes' own words. Pure.

Clients read `reason` and `code`, people read `message`; kubectl and argo compare some messages, so they are exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tiphys.errors import ApiError
from tiphys.kit.codec import encode
from tiphys.kube.objects.resources import Resource

__all__ = [
    "Cause",
    "already_exists",
    "bad_request",
    "conflict",
    "duplicate_field",
    "expired",
    "failure",
    "forbidden",
    "forbidden_field",
    "internal",
    "invalid",
    "invalid_field",
    "method_not_allowed",
    "not_acceptable",
    "not_decodable",
    "not_found",
    "not_patchable",
    "not_served",
    "required_field",
    "success",
    "too_large",
    "too_long_field",
    "too_many_requests",
    "unauthorized",
    "unavailable",
    "unprocessable",
    "unsupported_field",
    "unsupported_media_type",
]

Cause = tuple[str, str]
"""A field, and what is wrong with it, e.g. ("metadata.name", "Required value: name or generateName is required")."""

_REASONS = {
    "Duplicate value": "FieldValueDuplicate",
    "Forbidden": "FieldValueForbidden",
    "Required value": "FieldValueRequired",
    "Too long": "FieldValueTooLong",
    "Unsupported value": "FieldValueNotSupported",
}


def failure(code: int, reason: str, message: str, details: dict[str, Any] | None = None) -> ApiError:
    """Any refusal, as an error to raise; its `.status` is the answer's body."""
    status: dict[str, Any] = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }
    if details:
        status["details"] = details
    return ApiError(code, reason, message, status)


def success(resource: Resource, name: str, uid: str) -> dict[str, Any]:
    """The answer to a delete that is done."""
    details = {**_details(resource, name), "uid": uid}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def _details(resource: Resource, name: str) -> dict[str, Any]:
    details = {"name": name, "group": resource.group, "kind": resource.plural}
    return {key: value for key, value in details.items() if value}


def not_found(resource: Resource, name: str) -> ApiError:
    """404."""
    return failure(404, "NotFound", f'{resource.qualified} "{name}" not found', _details(resource, name))


def not_served(path: str, why: str = "") -> ApiError:
    """404 for a path that is nothing here; the cause is what client-go makes of a real server's answer to such."""
    cause = {"reason": "UnexpectedServerResponse", "message": "404 page not found"}
    message = f"the server could not find the requested resource: {path[:200]} is not served{': ' if why else ''}{why}"
    return failure(404, "NotFound", message, {"causes": [cause]})


def already_exists(resource: Resource, name: str) -> ApiError:
    """409 on create."""
    return failure(409, "AlreadyExists", f'{resource.qualified} "{name}" already exists', _details(resource, name))


def conflict(resource: Resource, name: str, why: str = "") -> ApiError:
    """409 on a stale resourceVersion, or a precondition that does not hold."""
    why = why or "the object has been modified; please apply your changes to the latest version and try again"
    message = f'Operation cannot be fulfilled on {resource.qualified} "{name}": {why}'
    return failure(409, "Conflict", message, _details(resource, name))


def forbidden(
    user: str, verb: str, resource: Resource, namespace: str, name: str = "", subresource: str = ""
) -> ApiError:
    """403 by RBAC."""
    what = f"{resource.plural}/{subresource}" if subresource else resource.plural
    which = f'{resource.qualified} "{name}"' if name else resource.qualified
    where = f' in the namespace "{namespace}"' if namespace else " at the cluster scope"
    message = (
        f'{which} is forbidden: User "{user}" cannot {verb} resource "{what}" in API group "{resource.group}"{where}'
    )
    return failure(403, "Forbidden", message, _details(resource, name))


def invalid(kind: str, group: str, name: str, causes: Sequence[Cause]) -> ApiError:
    """422; causes are (field, what is wrong with it)."""
    shown = [f"{field}: {what}" for field, what in causes]
    text = shown[0] if len(shown) == 1 else "[" + ", ".join(shown) + "]"
    details: dict[str, Any] = {"name": name, "kind": kind}
    if group:
        details["group"] = group
    details["causes"] = [
        {"reason": _REASONS.get(what.partition(":")[0], "FieldValueInvalid"), "message": what, "field": field}
        for field, what in causes
    ]
    qualified = f"{kind}.{group}" if group else kind
    return failure(422, "Invalid", f'{qualified} "{name}" is invalid: {text}', details)


def invalid_field(field: str, value: Any, why: str) -> Cause:
    """`Invalid value: "x": why`."""
    return field, f"Invalid value: {encode(value).decode()}: {why}"


def required_field(field: str, why: str = "") -> Cause:
    """`Required value: why`."""
    return field, "Required value" + (f": {why}" if why else "")


def forbidden_field(field: str, why: str) -> Cause:
    """`Forbidden: why`."""
    return field, f"Forbidden: {why}"


def duplicate_field(field: str, value: Any) -> Cause:
    """`Duplicate value: "x"`."""
    return field, f"Duplicate value: {encode(value).decode()}"


def unsupported_field(field: str, value: Any, supported: Sequence[str]) -> Cause:
    """`Unsupported value: "x": supported values: "a", "b"`."""
    names = ", ".join(f'"{name}"' for name in supported)
    return field, f"Unsupported value: {encode(value).decode()}: supported values: {names}"


def too_long_field(field: str, limit: int) -> Cause:
    """`Too long: may not be more than N bytes`."""
    return field, f"Too long: may not be more than {limit} bytes"


def unprocessable(why: str) -> ApiError:
    """422 for a patch that can be read but not applied."""
    return failure(422, "Invalid", f"the server rejected our request due to an error in our request: {why}")


def not_decodable(resource: Resource, why: str) -> ApiError:
    """400: the body is not what it says it is."""
    kind = resource.kind
    return bad_request(f'{kind} in version "{resource.version}" cannot be handled as a {kind}: {why}')


def not_patchable(resource: Resource, why: str) -> ApiError:
    """422: what a patch makes of an object is none of its kind."""
    # Kubernetes quotes the whole object here, which may be huge, or a Secret.
    return invalid("", "", "", [("patch", f'Invalid value: "{{...}}": {why}')])


def bad_request(message: str) -> ApiError:
    """400."""
    return failure(400, "BadRequest", message)


def unauthorized() -> ApiError:
    """401."""
    return failure(401, "Unauthorized", "Unauthorized")


def expired(message: str) -> ApiError:
    """410: a revision or a continue token that is no longer kept."""
    return failure(410, "Expired", message)


def method_not_allowed(message: str = "the server does not allow this method on the requested resource") -> ApiError:
    """405."""
    return failure(405, "MethodNotAllowed", message)


def not_acceptable(message: str) -> ApiError:
    """406."""
    return failure(406, "NotAcceptable", message)


def unsupported_media_type(message: str) -> ApiError:
    """415."""
    return failure(415, "UnsupportedMediaType", message)


def too_large(limit: int) -> ApiError:
    """413."""
    return failure(413, "RequestEntityTooLarge", f"Request entity too large: limit is {limit}")


def internal(message: str) -> ApiError:
    """500."""
    return failure(500, "InternalError", f"Internal error occurred: {message}")


def too_many_requests(message: str, retry_after: int = 1) -> ApiError:
    """429: try again after so many seconds."""
    return failure(429, "TooManyRequests", message, {"retryAfterSeconds": retry_after})


def unavailable(message: str) -> ApiError:
    """503: not now (starting, stopping, no room on the disk)."""
    return failure(503, "ServiceUnavailable", message)
