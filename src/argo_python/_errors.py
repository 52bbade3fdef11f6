"""What may go wrong, as `argo_python` exports it."""

from __future__ import annotations

__all__ = ["Denied", "KubernetesError", "NotInPod", "OwnershipError"]


class KubernetesError(Exception):
    """The Kubernetes API did not do what was asked; `status` is the HTTP status, 0 when there was no answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Denied(KubernetesError):  # noqa: N818 - what happened, as a reader of a workflow's log would say it
    """The service account lacks a right; the message ends with the rule to add, as YAML."""


class NotInPod(KubernetesError):  # noqa: N818
    """This process runs in no pod and no kubeconfig was named."""


class OwnershipError(KubernetesError):
    """The pod that should own the Secret cannot be told."""
