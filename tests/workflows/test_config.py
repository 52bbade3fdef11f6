"""workflows/config: the Secret for Nautobot's token comes from wherever a SecretStore says."""

from __future__ import annotations

import base64
import json
from typing import Any

from templates_world import WORKFLOWS, ScriptedNautobot, Templates


def test_the_external_secret_becomes_the_token_that_the_templates_use(
    cluster: Any, kubectl: str, templates: Templates, nautobot: ScriptedNautobot
) -> None:
    good = templates.get("Secret", "nautobot-token")
    token = base64.b64decode(good["data"]["token"]).decode()
    value = json.dumps({"NAUTOBOT_SUPERUSER_API_TOKEN": token})
    store = {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ClusterSecretStore",
        "metadata": {"name": "nautobot"},
        "spec": {"provider": {"fake": {"data": [{"key": "nautobot-env", "value": value}]}}},
    }
    templates.remove("Secret", "nautobot-token")
    try:
        cluster.kubectl("apply", "-f", "-", stdin=json.dumps(store))
        cluster.kubectl("apply", "-f", str(WORKFLOWS / "config" / "nautobot-token.yaml"))
        ready = ("wait", "--for=condition=Ready", "externalsecret/nautobot-token", "--timeout=20s")
        cluster.kubectl("-n", "argo-events", *ready)
        secret = templates.get("Secret", "nautobot-token")
        assert base64.b64decode(secret["data"]["bearer_token"]).decode() == f"Token {token}"
        templates.run("get-device-nautobot", hostname="host.domain.local").succeeded()
    finally:
        cluster.kubectl("delete", "--ignore-not-found", "clustersecretstore/nautobot")
        cluster.kubectl("-n", "argo-events", "delete", "--ignore-not-found", "externalsecret/nautobot-token")
        templates.gone("Secret", "nautobot-token")
        templates.put(
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "nautobot-token"}, "data": good["data"]}
        )
