"""From a denial of the API (403) to the rule that would allow it, as YAML to apply. Pure.

The message of a 403 is Kubernetes' own and the same everywhere; all that the rule needs stands in it:
`secrets "x" is forbidden: User "U" cannot get resource "secrets" in API group "" in the namespace "N"`.
"""

from __future__ import annotations

import re

__all__ = ["missing_rule"]

_DENIED = re.compile(
    r'(?:"(?P<name>[^"]*)" )?is forbidden: User "(?P<user>[^"]+)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]+)"'
    r' in API group "(?P<group>[^"]*)"(?: in the namespace "(?P<namespace>[^"]+)"| at the cluster scope)'
)


def missing_rule(message: str) -> str:
    """The Role (or ClusterRole) and its binding that would allow what `message` denies, as YAML; "" if it is no denial.

    The rule is as narrow as RBAC can say it: one verb, one resource and, where the request named one, one object.
    """
    found = _DENIED.search(message)
    if found is None:
        return ""
    verb, resource, group = found["verb"], found["resource"], found["group"]
    name, namespace, user = found["name"], found["namespace"], found["user"]
    role = f"allow-{verb}-{resource.replace('/', '-')}"
    kind = "Role" if namespace else "ClusterRole"
    where = f", namespace: {namespace}" if namespace else ""
    # create has no name to compare with: resourceNames would never match it.
    named = f', resourceNames: ["{name}"]' if name and verb in ("get", "update", "patch", "delete") else ""
    parts = user.split(":")
    if parts[:2] == ["system", "serviceaccount"] and len(parts) == 4:
        subject = f"- {{kind: ServiceAccount, namespace: {parts[2]}, name: {parts[3]}}}"
    else:
        subject = f'- {{kind: User, apiGroup: rbac.authorization.k8s.io, name: "{user}"}}'
    return (
        f"apiVersion: rbac.authorization.k8s.io/v1\n"
        f"kind: {kind}\n"
        f"metadata: {{name: {role}{where}}}\n"
        f"rules:\n"
        f'- {{apiGroups: ["{group}"], resources: ["{resource}"]{named}, verbs: ["{verb}"]}}\n'
        f"---\n"
        f"apiVersion: rbac.authorization.k8s.io/v1\n"
        f"kind: {kind}Binding\n"
        f"metadata: {{name: {role}{where}}}\n"
        f"roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: {kind}, name: {role}}}\n"
        f"subjects:\n"
        f"{subject}\n"
    )
