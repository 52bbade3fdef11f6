"""Refusals of the API made messages for a node: what was refused, and the rule or command that mends it."""

from __future__ import annotations

from tiphys.errors import ApiError
from tiphys.kube.client.api import Client
from tiphys.kube.objects.denial import missing_rule
from tiphys.kube.objects.resources import served
from tiphys.kube.objects.status import forbidden

__all__ = ["why_not_reported", "with_rule"]

_REVIEWS = served("authorization.k8s.io", "subjectaccessreviews")
_TASK_RESULTS = served("argoproj.io", "workflowtaskresults")


def with_rule(message: str, namespace: str, service_account: str) -> str:
    """A 403 of a service account, with the rule it lacks as one line of YAML."""
    rule = next((line[2:] for line in missing_rule(message).splitlines() if line.startswith("- {apiGroups")), "")
    if not rule:
        return message
    return f"{message}; a Role of ServiceAccount {service_account} in {namespace} needs the rule {rule}"


async def why_not_reported(client: Client, namespace: str, service_account: str) -> str:
    """Why a pod that succeeded left no WorkflowTaskResult: the right that its account lacks; "" where it lacks none."""
    user = f"system:serviceaccount:{namespace}:{service_account}"
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"]
    for verb in ("create", "patch"):
        asked = {"namespace": namespace, "verb": verb, "group": _TASK_RESULTS.group, "resource": _TASK_RESULTS.plural}
        review = {"spec": {"user": user, "groups": groups, "resourceAttributes": asked}}
        try:
            answer = (await client.create(_REVIEWS, review)).object
        except ApiError:
            return ""
        if not answer["status"]["allowed"]:
            denial = forbidden(user, verb, _TASK_RESULTS, namespace).message
            # The words and the code with which Argo's wait container ends then.
            return "wait: Error (exit code 64): " + with_rule(denial, namespace, service_account)
    return ""
