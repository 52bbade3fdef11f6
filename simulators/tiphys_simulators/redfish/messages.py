"""Redfish messages: the errors that handlers raise and the texts that go with them.

The texts are our own words for the messages of the DMTF's Base and Update registries; vendors' messages stand with
their personality.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["BASE_REGISTRY", "Message", "RedfishError", "extended_info"]

BASE_REGISTRY = "Base.1.18"

_TEXTS: dict[str, tuple[str, str, str]] = {
    # key: (text with %1 …, severity, resolution)
    "Success": ("The request completed successfully.", "OK", "None."),
    "Created": ("The resource was created successfully.", "OK", "None."),
    "AccountModified": ("The account was modified successfully.", "OK", "None."),
    "GeneralError": ("A general error has occurred.", "Critical", "See the service's log."),
    "InternalError": ("The service failed inside.", "Critical", "Send the request again."),
    "ResourceMissingAtURI": ("The resource at %1 was not found.", "Critical", "Correct the URI."),
    "OperationNotAllowed": ("This method is not allowed on this resource.", "Critical", "See the Allow header."),
    "MalformedJSON": ("The body of the request is not valid JSON.", "Critical", "Correct the body."),
    "UnrecognizedRequestBody": ("The body of the request cannot be used.", "Warning", "Correct the body."),
    "EmptyJSON": ("The body of the request is an empty JSON object.", "Warning", "Add a property."),
    "NoOperation": ("Nothing in the body of the request can be changed.", "Warning", "Add a property."),
    "PropertyUnknown": ("The property %1 is not known to this resource.", "Warning", "Remove the property."),
    "PropertyNotWritable": ("The property %1 is read-only.", "Warning", "Remove the property."),
    "PropertyMissing": ("The property %1 is required.", "Warning", "Add the property."),
    "PropertyValueTypeError": ("The value of %2 is of the wrong type.", "Warning", "Correct the value."),
    "PropertyValueNotInList": ("The value %1 of %2 is not in the list.", "Warning", "Choose from the list."),
    "PropertyValueFormatError": ("The value %1 of %2 is not of a form that is accepted.", "Warning", "Correct it."),
    "PropertyValueOutOfRange": ("The value %1 of %2 is out of range.", "Warning", "Correct the value."),
    "ActionParameterMissing": ("The action %1 needs the parameter %2.", "Critical", "Add the parameter."),
    "ActionParameterValueFormatError": ("The value %1 of the parameter %2 is not accepted.", "Warning", "Correct it."),
    "ActionParameterNotSupported": ("The parameter %1 is not supported by %2.", "Warning", "Remove it."),
    "ActionNotSupported": ("The action %1 is not supported.", "Critical", "See Actions of the resource."),
    "NoValidSession": ("There is no valid session.", "Critical", "Log in first."),
    "ResourceAtUriUnauthorized": ("Access to %1 was denied.", "Critical", "Check the credentials."),
    "AccessDenied": ("The credentials are missing or wrong.", "Critical", "Check the credentials."),
    "InsufficientPrivilege": ("The account lacks a privilege that this needs.", "Critical", "Use another account."),
    "PasswordChangeRequired": ("The password of this account must be changed first: PATCH %1.", "Critical", "Do so."),
    "SessionLimitExceeded": ("The limit of simultaneous sessions is reached.", "Critical", "Close a session."),
    "ServiceTemporarilyUnavailable": (
        "The service is not available for now; retry in %1 seconds.",
        "Critical",
        "Wait.",
    ),
    "PreconditionFailed": ("The ETag does not match the resource as it is now.", "Critical", "GET it again."),
    "PreconditionRequired": ("This needs an If-Match header.", "Critical", "Send the ETag of a GET."),
    "ResourceAlreadyExists": ("A %1 with %2 = %3 exists already.", "Critical", "Choose another value."),
    "ResourceCannotBeDeleted": ("This resource cannot be deleted.", "Critical", "Leave it."),
    "ResourceInUse": ("The resource is in use.", "Warning", "Try again later."),
    "CreateLimitReachedForResource": ("No more of these can be created.", "Critical", "Delete one first."),
    "QueryNotSupportedOnResource": ("The query parameter %1 does not fit this resource.", "Warning", "Remove it."),
    "QueryParameterValueFormatError": (
        "The value %1 of the query parameter %2 cannot be read.",
        "Warning",
        "Correct it.",
    ),
    "QueryNotSupported": ("Query parameters are not supported here.", "Warning", "Remove them."),
    "MissingOrMalformedPart": ("A part of the body is missing or malformed.", "Critical", "Correct the body."),
    "PayloadTooLarge": ("The body of the request is too large.", "Critical", "Send less."),
    "OperationFailed": ("An operation inside the service failed.", "Critical", "See the task."),
    "TaskCompletedOK": ("The task %1 has completed.", "OK", "None."),
}


@dataclass(frozen=True, slots=True)
class Message:
    """One message of `@Message.ExtendedInfo`.

    Attributes:
        key: of the Base registry, or a whole MessageId such as `IDRAC.2.8.RAC0679`.
        args: MessageArgs.
        text, severity: instead of the Base registry's, or of a message that is not in it.
        related: RelatedProperties, as JSON pointers.
    """

    key: str
    args: tuple[str, ...] = ()
    text: str = ""
    severity: str = ""
    related: tuple[str, ...] = ()


class RedfishError(Exception):
    """An answer other than success; the personality writes it in its vendor's way."""

    def __init__(self, status: int, *messages: Message, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{status} {', '.join(message.key for message in messages)}")
        self.status = status
        self.messages = messages
        self.headers = headers or {}


def extended_info(message: Message, registry: str = BASE_REGISTRY) -> dict[str, Any]:
    """A message as it stands in a body."""
    text, severity, resolution = _TEXTS.get(message.key, (message.text, message.severity or "OK", "None."))
    text = message.text or text
    for number, argument in enumerate(message.args, start=1):
        text = text.replace(f"%{number}", argument)
    info: dict[str, Any] = {
        "@odata.type": "#Message.v1_1_1.Message",
        "MessageId": f"{registry}.{message.key}" if message.key in _TEXTS else message.key,
        "Message": text,
        "MessageArgs": list(message.args),
        "Severity": message.severity or severity,
        "MessageSeverity": message.severity or severity,
        "Resolution": resolution,
    }
    if message.related:
        info["RelatedProperties"] = list(message.related)
    return info
