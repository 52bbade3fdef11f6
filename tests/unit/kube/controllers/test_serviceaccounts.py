"""Token Secrets of service accounts."""

import base64

from tiphys.kit.redact import Secret
from tiphys.kube.client.api import Client
from tiphys.kube.controllers import serviceaccounts
from tiphys.kube.objects.resources import served

ACCOUNTS, SECRETS = served("", "serviceaccounts"), served("", "secrets")
TYPE, NAME = "kubernetes.io/service-account-token", "kubernetes.io/service-account.name"


def make_token(namespace: str, account: tuple[str, str], secret: tuple[str, str]) -> Secret:
    assert all((*account, *secret))
    return Secret(f"{namespace}/{account[0]}/{secret[0]}")


def controllers(client: Client):
    return [serviceaccounts.run(client, make_token, "the authority")]


def token_secret(name: str, account: str) -> dict:
    return {"metadata": {"name": name, "annotations": {NAME: account}}, "type": TYPE}


def test_a_token_secret_is_filled_and_goes_with_its_account(beside, until):
    async def scenario(client: Client) -> None:
        account = await client.create(ACCOUNTS, {"metadata": {"name": "robot"}}, "a")
        await client.create(SECRETS, token_secret("robot.token", "robot"), "a")
        await client.create(SECRETS, {"metadata": {"name": "other"}, "stringData": {"k": "v"}}, "a")
        found = await until(client, SECRETS, lambda found: (found.get("robot.token") or {}).get("data"))
        data = {key: base64.b64decode(value).decode() for key, value in found["robot.token"]["data"].items()}
        assert data == {"token": "a/robot/robot.token", "ca.crt": "the authority", "namespace": "a"}
        assert found["robot.token"]["metadata"]["annotations"]["kubernetes.io/service-account.uid"] == account.uid
        await client.delete(ACCOUNTS, "robot", "a")
        await until(client, SECRETS, lambda found: set(found) == {"other"})

    beside(controllers, scenario)


def test_a_token_secret_of_no_account_is_deleted(beside, until):
    async def scenario(client: Client) -> None:
        await client.create(SECRETS, token_secret("t", "nobody"), "a")
        await until(client, SECRETS, lambda found: not found)

    beside(controllers, scenario)
