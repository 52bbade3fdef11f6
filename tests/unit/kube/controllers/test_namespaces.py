"""Namespaces: what they hold, and their end."""

from tiphys.kube.client.api import Client
from tiphys.kube.controllers import namespaces
from tiphys.kube.objects.resources import served

NAMESPACES, ACCOUNTS, CONFIGMAPS, SECRETS = (
    served("", plural) for plural in ("namespaces", "serviceaccounts", "configmaps", "secrets")
)
AUTHORITY = "-----BEGIN CERTIFICATE-----\n"


def controllers(client: Client):
    return [namespaces.run(client, AUTHORITY)]


def test_a_namespace_has_its_account_and_the_authority_and_gets_them_again(beside, until):
    async def scenario(client: Client) -> None:
        await client.create(NAMESPACES, {"metadata": {"name": "new"}})
        await until(client, ACCOUNTS, lambda found: "default" in found, "new")
        found = await until(client, CONFIGMAPS, lambda found: "kube-root-ca.crt" in found, "new")
        first = found["kube-root-ca.crt"]["metadata"]["uid"]
        assert found["kube-root-ca.crt"]["data"] == {"ca.crt": AUTHORITY}
        await client.delete(CONFIGMAPS, "kube-root-ca.crt", "new")
        await until(client, CONFIGMAPS, lambda f: [c for c in f.values() if c["metadata"]["uid"] != first], "new")
        await client.patch(CONFIGMAPS, "kube-root-ca.crt", {"data": {"ca.crt": "other"}}, "new")
        await until(client, CONFIGMAPS, lambda f: f["kube-root-ca.crt"]["data"] == {"ca.crt": AUTHORITY}, "new")

    beside(controllers, scenario)


def test_a_namespace_is_emptied_before_it_goes_and_says_what_it_waits_for(beside, until):
    async def scenario(client: Client) -> None:
        await client.create(NAMESPACES, {"metadata": {"name": "old"}})
        held = {"metadata": {"name": "held", "finalizers": ["test.io/hold"]}}
        await client.create(CONFIGMAPS, held, "old")
        await client.create(SECRETS, {"metadata": {"name": "s"}}, "old")
        await client.delete(NAMESPACES, "old")
        found = await until(client, NAMESPACES, lambda found: (found["old"]["status"]).get("conditions"))
        assert found["old"]["status"]["phase"] == "Terminating"
        (condition,) = found["old"]["status"]["conditions"]
        assert condition["type"] == "NamespaceContentRemaining"
        assert condition["message"] == "Some resources are remaining: configmaps has 1 resource instances"
        assert not (await client.list(SECRETS, "old")).items
        await client.patch(CONFIGMAPS, "held", {"metadata": {"finalizers": None}}, "old")
        await until(client, NAMESPACES, lambda found: "old" not in found)
        assert not (await client.list(CONFIGMAPS, "old")).items

    beside(controllers, scenario)
