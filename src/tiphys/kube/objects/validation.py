"""What names, labels and annotations may look like, with the sentences Kubernetes prints about those that may not.

Used by `meta` for objects and by `selectors` for queries. Pure; every function returns complaints, [] if all is well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from tiphys.kube.objects import status
from tiphys.kube.objects.resources import Resource
from tiphys.kube.objects.status import Cause

__all__ = [
    "annotation_errors",
    "dns_label",
    "dns_subdomain",
    "label_errors",
    "label_value",
    "name_rule",
    "path_segment",
    "qualified_name",
]

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = f"({_QUALIFIED})?"

_label = re.compile(_LABEL)
_subdomain = re.compile(_SUBDOMAIN)
_qualified = re.compile(_QUALIFIED)
_value = re.compile(_VALUE)

_ENDS = "and must start and end with an alphanumeric character"
_LABEL_SAYS = (
    f"a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', {_ENDS}"
    f" (e.g. 'my-name',  or '123-abc', regex used for validation is '{_LABEL}')"
)
_SUBDOMAIN_SAYS = (
    f"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', {_ENDS}"
    f" (e.g. 'example.com', regex used for validation is '{_SUBDOMAIN}')"
)
_QUALIFIED_SAYS = (
    f"must consist of alphanumeric characters, '-', '_' or '.', {_ENDS}"
    f" (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{_QUALIFIED}')"
)
_VALUE_SAYS = (
    f"a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', {_ENDS}"
    f" (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '{_VALUE}')"
)
_ANNOTATIONS_LIMIT = 256 * 1024


def _too_long(limit: int) -> str:
    return f"must be no more than {limit} characters"


def dns_label(name: str) -> list[str]:
    """Names of namespaces."""
    found = [_too_long(63)] if len(name) > 63 else []
    return found if _label.fullmatch(name) else [*found, _LABEL_SAYS]


def dns_subdomain(name: str) -> list[str]:
    """Names of most objects."""
    found = [_too_long(253)] if len(name) > 253 else []
    return found if _subdomain.fullmatch(name) else [*found, _SUBDOMAIN_SAYS]


def path_segment(name: str) -> list[str]:
    """Names of roles and bindings: whatever can stand in a URL's path."""
    if name in (".", ".."):
        return [f"may not be '{name}'"]
    return [f"may not contain '{character}'" for character in "/%" if character in name]


@lru_cache(1024)
def qualified_name(key: str) -> tuple[str, ...]:
    """Keys of labels and annotations, names of finalizers: `[prefix/]name`. The same few come with every object."""
    prefix, slash, name = key.rpartition("/")
    if prefix.count("/"):
        return (
            f"a qualified name {_QUALIFIED_SAYS} with an optional DNS subdomain prefix and '/'"
            " (e.g. 'example.com/MyName')",
        )
    found = []
    if slash:
        found = (
            [f"prefix part {text}" for text in dns_subdomain(prefix)] if prefix else ["prefix part must be non-empty"]
        )
    if not name:
        found.append("name part must be non-empty")
    elif len(name) > 63:
        found.append("name part " + _too_long(63))
    if not _qualified.fullmatch(name):
        found.append(f"name part {_QUALIFIED_SAYS}")
    return tuple(found)


def label_value(value: str) -> list[str]:
    """Values of labels."""
    found = [_too_long(63)] if len(value) > 63 else []
    return found if _value.fullmatch(value) else [*found, _VALUE_SAYS]


def name_rule(resource: Resource) -> Callable[[str], list[str]]:
    """The rule for names of a resource's objects."""
    if resource.group == "rbac.authorization.k8s.io":
        return path_segment
    return dns_label if resource.plural == "namespaces" else dns_subdomain


def label_errors(labels: Mapping[str, Any], path: str = "metadata.labels") -> list[Cause]:
    """Complaints about labels."""
    found = []
    for key, value in labels.items():
        found += [status.invalid_field(path, key, text) for text in qualified_name(key)]
        found += [status.invalid_field(path, value, text) for text in label_value(value)]
    return found


def annotation_errors(annotations: Mapping[str, Any], path: str = "metadata.annotations") -> list[Cause]:
    """Complaints about annotations: their keys, and 256 KiB for all of them."""
    found = []
    for key in annotations:
        # Kubernetes lets the prefix of an annotation's key be in upper case.
        found += [status.invalid_field(path, key, text) for text in qualified_name(key.lower())]
    if sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items()) > _ANNOTATIONS_LIMIT:
        found.append(status.too_long_field(path, _ANNOTATIONS_LIMIT))
    return found
