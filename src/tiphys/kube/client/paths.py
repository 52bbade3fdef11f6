"""Where a resource lives under the API server's address. Pure."""

from __future__ import annotations

from urllib.parse import quote

from tiphys.kube.objects.resources import Resource

__all__ = ["path_of"]


def path_of(resource: Resource, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """E.g. `/apis/argoproj.io/v1alpha1/namespaces/argo-events/workflows/NAME/status`."""
    parts = ["apis", resource.group, resource.version] if resource.group else ["api", resource.version]
    if resource.namespaced and namespace:
        parts += ["namespaces", namespace]
    parts.append(resource.plural)
    if name:
        parts.append(name)
    if subresource:
        parts.append(subresource)
    return "/" + "/".join(quote(part, safe=":") for part in parts)
