"""Read what a pod refers to: ConfigMaps, Secrets, tokens: what the kubelet asks of the API beside the pods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tiphys.errors import ApiError
from tiphys.kube.client.api import Client
from tiphys.kube.objects.resources import Resource, served
from tiphys.kubelet.env import Sources
from tiphys.kubelet.plan import references
from tiphys.kubelet.volumes import token_requests

__all__ = ["request_tokens", "sources_of"]

_CONFIG_MAPS = served("", "configmaps")
_SECRETS = served("", "secrets")
_SERVICE_ACCOUNTS = served("", "serviceaccounts")


async def sources_of(client: Client, pod: Mapping[str, Any]) -> Sources:
    """The ConfigMaps and Secrets that a pod names.

    Raises:
        ApiError, ConnectError: one could not be read, for another reason than not being there.
    """
    namespace = pod["metadata"]["namespace"]
    config_maps, secrets = references(pod["spec"])

    async def read(resource: Resource, name: str) -> dict[str, Any] | None:
        try:
            return (await client.get(resource, name, namespace)).object
        except ApiError as error:
            if error.code != 404:
                raise
            return None

    return Sources(
        {name: await read(_CONFIG_MAPS, name) for name in config_maps},
        {name: await read(_SECRETS, name) for name in secrets},
    )


async def request_tokens(client: Client, pod: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """The service account tokens of a pod's volumes, bound to the pod: by volume and path.

    Raises:
        ApiError, ConnectError: none was given.
    """
    meta, spec = pod["metadata"], pod["spec"]
    tokens = {}
    for request in token_requests(spec):
        asked: dict[str, Any] = {
            "expirationSeconds": request.seconds,
            "boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": meta["name"], "uid": meta["uid"]},
        }
        if request.audience:
            asked["audiences"] = [request.audience]
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": asked}
        account = spec.get("serviceAccountName") or "default"
        given = await client.create(_SERVICE_ACCOUNTS, body, meta["namespace"], name=account, subresource="token")
        tokens[request.volume, request.path] = given.object["status"]["token"]
    return tokens
