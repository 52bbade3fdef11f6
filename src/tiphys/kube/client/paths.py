"""Where a resource lives under the API server's address. Pure."""

from __future__ import annotations

from urllib.parse import quote

from tiphys.errors import UsageError
from tiphys.kube.objects.resources import Resource

__all__ = ["object_path", "path_of"]


def path_of(resource: Resource, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """E.g. `/apis/argoproj.io/v1alpha1/namespaces/argo-events/workflows/NAME/status`; without a name, of all.

    Raises:
        UsageError: a namespace or name that cannot stand in a path (the rule and the words are client-go's).
    """
    if why := _unfit(namespace):
        raise UsageError(f'invalid namespace "{namespace}": [{why}]')
    if why := _unfit(name):
        raise UsageError(f'invalid resource name "{name}": [{why}]')
    parts = ["apis", resource.group, resource.version] if resource.group else ["api", resource.version]
    if resource.namespaced and namespace:
        parts += ["namespaces", namespace]
    parts.append(resource.plural)
    if name:
        parts.append(name)
    if subresource:
        parts.append(subresource)
    return "/" + "/".join(quote(part, safe=":") for part in parts)


def object_path(resource: Resource, namespace: str, name: str, subresource: str = "") -> str:
    """As `path_of`, of one object: without its name a DELETE would be of all there are.

    Raises:
        UsageError: the name is empty, or see `path_of`.
    """
    if not name:
        raise UsageError(f"resource name may not be empty: say which of the {resource.plural} is meant")
    return path_of(resource, namespace, name, subresource)


def _unfit(segment: str) -> str:
    """Why a word cannot be one part of a path."""
    if segment in (".", ".."):
        return f"may not be '{segment}'"
    return next((f"may not contain '{sign}'" for sign in "/%" if sign in segment), "")
