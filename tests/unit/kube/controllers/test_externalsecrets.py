"""ExternalSecrets against the real API in process, with the providers there are here."""

import base64
import datetime as dt
import logging
import sys
from typing import Any

import pytest

from tiphys.errors import UsageError
from tiphys.kube.client.api import Client
from tiphys.kube.controllers import externalsecrets
from tiphys.kube.controllers.localstores import local_store
from tiphys.kube.objects.resources import served
from tiphys.kube.server.api import Api
from tiphys.kube.server.inprocess import InProcessClient
from tiphys.kube.server.users import service_account

RBAC = "rbac.authorization.k8s.io"
SECRETS, ACCOUNTS = served("", "secrets"), served("", "serviceaccounts")
ROLES, BINDINGS = served(RBAC, "roles"), served(RBAC, "rolebindings")
EXTERNALS, STORES, CLUSTER_STORES = (
    served("external-secrets.io", plural) for plural in ("externalsecrets", "secretstores", "clustersecretstores")
)
VALUE = "s3cr3t-token-value"


class Clock:
    """Stands still, until it is moved."""

    def __init__(self) -> None:
        self.now = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)

    def __call__(self) -> dt.datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def resolving(beside, api: Api, clock: Clock):
    """Run a scenario beside the controller; `stores` are settings as on the command line."""

    def run(scenario, *stores: str, environment: dict[str, str] | None = None) -> None:
        local = dict(local_store(setting, environment or {}) for setting in stores)

        def client_for(namespace: str, name: str) -> Client:
            return InProcessClient(api, service_account(namespace, name))

        beside(lambda client: [externalsecrets.run(client, client_for, local, clock)], scenario)

    return run


@pytest.fixture
def ready(until):
    """Wait until an ExternalSecret says it is ready or not, with a reason; gives the object."""

    async def wait(client: Client, status: str, reason: str, after: str = "") -> dict[str, Any]:
        def accept(found: dict[str, dict[str, Any]]) -> bool:
            told = (found["es"].get("status") or {}).get("conditions") or [{}]
            fresh = (found["es"].get("status") or {}).get("syncedResourceVersion") != after
            return (told[0].get("status"), told[0].get("reason")) == (status, reason) and fresh

        return (await until(client, EXTERNALS, accept))["es"]

    return wait


def external(store: str = "nautobot", kind: str = "ClusterSecretStore", **spec: Any) -> dict[str, Any]:
    rows = [{"secretKey": "token", "remoteRef": {"key": "env", "property": "TOKEN"}}]
    wanted = {"refreshInterval": "1h", "secretStoreRef": {"kind": kind, "name": store}, "data": rows, **spec}
    return {"metadata": {"name": "es"}, "spec": wanted}


async def fake_store(client: Client, value: str = '{"TOKEN": "' + VALUE + '"}') -> None:
    provider = {"fake": {"data": [{"key": "env", "value": value}]}}
    await client.create(CLUSTER_STORES, {"metadata": {"name": "nautobot"}, "spec": {"provider": provider}})


async def data_of(client: Client, name: str = "es", namespace: str = "a") -> dict[str, str]:
    secret = (await client.get(SECRETS, name, namespace)).object
    return {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}


async def kubernetes_store(client: Client) -> None:
    """As the manifests of a cluster have it: a store that reads another namespace with an account of that namespace."""
    await client.create(ACCOUNTS, {"metadata": {"name": "reader"}}, "b")
    rules = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list", "watch"]}]
    await client.create(ROLES, {"metadata": {"name": "reader"}, "rules": rules}, "b")
    subjects = [{"kind": "ServiceAccount", "name": "reader", "namespace": "b"}]
    reference = {"apiGroup": RBAC, "kind": "Role", "name": "reader"}
    await client.create(BINDINGS, {"metadata": {"name": "reader"}, "roleRef": reference, "subjects": subjects}, "b")
    kubernetes = {
        "remoteNamespace": "b",
        "server": {"caProvider": {"type": "ConfigMap", "name": "kube-root-ca.crt", "key": "ca.crt", "namespace": "b"}},
        "auth": {"serviceAccount": {"name": "reader", "namespace": "b"}},
    }
    spec = {"provider": {"kubernetes": kubernetes}}
    await client.create(CLUSTER_STORES, {"metadata": {"name": "nautobot"}, "spec": spec})


def test_a_token_from_another_namespace_with_a_template_and_an_owner(resolving, ready, caplog):
    caplog.set_level(logging.DEBUG)

    async def scenario(client: Client) -> None:
        await kubernetes_store(client)
        await client.create(SECRETS, {"metadata": {"name": "env"}, "stringData": {"TOKEN": VALUE}}, "b")
        template = {"engineVersion": "v2", "data": {"token": "{{ .token }}", "bearer_token": "Token {{ .token }}"}}
        target = {"name": "nautobot-token", "creationPolicy": "Owner", "deletionPolicy": "Delete", "template": template}
        made = await client.create(EXTERNALS, external(target=target), "a")
        told = await ready(client, "True", "SecretSynced")
        assert told["status"]["binding"] == {"name": "nautobot-token"}
        assert told["status"]["refreshTime"] == "2026-11-23T00:00:00Z"
        assert await data_of(client, "nautobot-token") == {"token": VALUE, "bearer_token": f"Token {VALUE}"}
        secret = (await client.get(SECRETS, "nautobot-token", "a")).object
        (owner,) = secret["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["uid"], owner["controller"]) == ("ExternalSecret", made.uid, True)

    resolving(scenario)
    assert VALUE not in caplog.text


def test_the_right_to_read_is_that_of_the_account_of_the_store(resolving, ready):
    async def scenario(client: Client) -> None:
        await kubernetes_store(client)
        await client.create(SECRETS, {"metadata": {"name": "env"}, "stringData": {"TOKEN": VALUE}}, "b")
        await client.delete(BINDINGS, "reader", "b")
        await client.create(EXTERNALS, external(), "a")
        told = await ready(client, "False", "SecretSyncedError")
        message = told["status"]["conditions"][0]["message"]
        assert 'User "system:serviceaccount:b:reader" cannot get resource "secrets"' in message

    resolving(scenario)


def test_what_is_not_there_is_told_and_got_as_soon_as_it_is(resolving, ready, until):
    async def scenario(client: Client) -> None:
        await client.create(EXTERNALS, external(), "a")
        told = await ready(client, "False", "SecretSyncedError")
        assert "--secret-store nautobot=file:" in told["status"]["conditions"][0]["message"]
        await kubernetes_store(client)
        told = await until(
            client, EXTERNALS, lambda found: "does not exist" in found["es"]["status"]["conditions"][0]["message"]
        )
        await client.create(SECRETS, {"metadata": {"name": "env"}, "stringData": {"TOKEN": VALUE}}, "b")
        await ready(client, "True", "SecretSynced")
        assert await data_of(client) == {"token": VALUE}

    resolving(scenario)


def test_it_is_refreshed_when_due_when_forced_and_when_somebody_touched_the_secret(resolving, ready, until, clock):
    async def change(client: Client, value: str) -> None:
        provider = {"fake": {"data": [{"key": "env", "value": '{"TOKEN": "' + value + '"}'}]}}
        await client.patch(CLUSTER_STORES, "nautobot", {"spec": {"provider": provider}})

    async def becomes(client: Client, value: str) -> None:
        wanted = base64.b64encode(value.encode()).decode()
        await until(client, SECRETS, lambda found: found.get("es", {}).get("data") == {"token": wanted})

    async def scenario(client: Client) -> None:
        await fake_store(client)
        await client.create(EXTERNALS, external(), "a")
        first = await ready(client, "True", "SecretSynced")
        await change(client, "second")
        forced = {"metadata": {"annotations": {"force-sync": "1"}}}
        await client.patch(EXTERNALS, "es", forced, "a")
        await ready(client, "True", "SecretSynced", after=first["status"]["syncedResourceVersion"])
        await becomes(client, "second")
        await client.patch(SECRETS, "es", {"data": {"token": base64.b64encode(b"mine").decode()}}, "a")
        await becomes(client, "second")
        await client.delete(SECRETS, "es", "a")
        await becomes(client, "second")
        await change(client, "third")
        clock.now += dt.timedelta(hours=1)
        await client.patch(CLUSTER_STORES, "nautobot", {"metadata": {"labels": {"look": "again"}}})
        await becomes(client, "third")

    resolving(scenario)


@pytest.mark.parametrize(
    ("target", "reason", "secret"),
    [
        ({"creationPolicy": "Orphan"}, "SecretSynced", {"token": VALUE}),
        ({"creationPolicy": "Merge"}, "SecretMissing", None),
        ({"creationPolicy": "None"}, "SecretSynced", None),
        ({"creationPolicy": "CreateOrMerge"}, "SecretSynced", {"token": VALUE}),
        ({"template": {"mergePolicy": "Merge", "data": {"x": "{{ .token | upper }}"}}}, "SecretSynced",
         {"token": VALUE, "x": VALUE.upper()}),
    ],
)  # fmt: skip
def test_creation_policies(resolving, ready, target, reason, secret):
    async def scenario(client: Client) -> None:
        await fake_store(client)
        await client.create(EXTERNALS, external(target=target), "a")
        await ready(client, "True", reason)
        found = [item.object for item in (await client.list(SECRETS, "a")).items]
        if secret is None:
            assert not found
        else:
            assert await data_of(client) == secret
            assert bool(found[0]["metadata"].get("ownerReferences")) is ("creationPolicy" not in target)

    resolving(scenario)


def test_merge_adds_to_a_secret_that_is_there(resolving, ready):
    async def scenario(client: Client) -> None:
        await fake_store(client)
        await client.create(SECRETS, {"metadata": {"name": "es"}, "stringData": {"own": "1", "token": "old"}}, "a")
        await client.create(EXTERNALS, external(target={"creationPolicy": "Merge"}), "a")
        await ready(client, "True", "SecretSynced")
        assert await data_of(client) == {"own": "1", "token": VALUE}

    resolving(scenario)


def test_deletion_policy_delete_takes_the_secret_when_its_source_is_gone(resolving, ready, clock):
    async def scenario(client: Client) -> None:
        await fake_store(client)
        await client.create(EXTERNALS, external(target={"deletionPolicy": "Delete"}), "a")
        await ready(client, "True", "SecretSynced")
        await client.patch(CLUSTER_STORES, "nautobot", {"spec": {"provider": {"fake": {"data": []}}}})
        clock.now += dt.timedelta(hours=2)
        await client.patch(CLUSTER_STORES, "nautobot", {"metadata": {"labels": {"look": "again"}}})
        await ready(client, "True", "SecretDeleted")
        assert not (await client.list(SECRETS, "a")).items

    resolving(scenario)


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"dataFrom": [{"find": {"name": {}}}]}, "spec.dataFrom[0].find is not supported here"),
        ({"target": {"template": {"engineVersion": "v1"}}}, "spec.target.template.engineVersion: v1 is not supported"),
        ({"target": {"template": {"data": {"x": "{{ if .token }}{{ end }}"}}}}, "if is not supported here"),
        ({"target": {"template": {"data": {"x": "{{ .nope }}"}}}}, 'map has no entry for key "nope"'),
        ({"target": {"creationPolicy": "Orphan", "deletionPolicy": "Delete"}}, "needs creationPolicy Owner"),
        ({"refreshInterval": "soon"}, "'soon' is not a duration"),
        ({"data": [{"secretKey": "t", "remoteRef": {"key": "env", "metadataPolicy": "Fetch"}}]}, "Policy Fetch"),
        ({"secretStoreRef": {"kind": "SecretStore", "name": "vault"}}, "the provider vault is not available here"),
        ({"secretStoreRef": {"kind": "SecretStore", "name": "open"}}, "auth.serviceAccount must say who reads"),
        ({"secretStoreRef": {"kind": "ClusterSecretStore", "name": "narrow"}}, "is not allowed from namespace"),
    ],
)  # fmt: skip
def test_what_is_not_honoured_is_refused_by_name(resolving, ready, spec, told):
    async def scenario(client: Client) -> None:
        await fake_store(client)
        for name, provider in (("vault", {"vault": {"server": "https://v"}}), ("open", {"kubernetes": {}})):
            await client.create(STORES, {"metadata": {"name": name}, "spec": {"provider": provider}}, "a")
        narrow = {"provider": {"fake": {"data": []}}, "conditions": [{"namespaces": ["other"]}]}
        await client.create(CLUSTER_STORES, {"metadata": {"name": "narrow"}, "spec": narrow})
        await client.create(EXTERNALS, external(**spec), "a")
        found = await ready(client, "False", "SecretSyncedError")
        assert told in found["status"]["conditions"][0]["message"]
        assert VALUE not in str(found)

    resolving(scenario)


def test_a_store_says_whether_it_can_be_used(resolving, until):
    def is_ready(status: str, reason: str):
        def accept(found: dict[str, Any]) -> bool:
            told = (found["nautobot"].get("status") or {}).get("conditions") or [{}]
            return (told[0].get("status"), told[0].get("reason")) == (status, reason)

        return accept

    async def scenario(client: Client) -> None:
        await fake_store(client)
        await until(client, CLUSTER_STORES, is_ready("True", "Valid"))
        provider = {"fake": None, "kubernetes": {"auth": {"serviceAccount": {"name": "reader", "namespace": "b"}}}}
        await client.patch(CLUSTER_STORES, "nautobot", {"spec": {"provider": provider}})
        found = await until(client, CLUSTER_STORES, is_ready("False", "InvalidProviderConfig"))
        told = found["nautobot"]["status"]["conditions"][0]["message"]
        assert told == 'ClusterSecretStore "nautobot": its service account "b/reader" is not there'
        await client.create(ACCOUNTS, {"metadata": {"name": "reader"}}, "b")
        await until(client, CLUSTER_STORES, is_ready("True", "Valid"))

    resolving(scenario)


def test_extract_takes_all_members_under_names_a_secret_may_have(resolving, ready):
    async def scenario(client: Client) -> None:
        await fake_store(client, '{"a b": "1", "n": 2, "c": "aGk="}')
        rows = [{"extract": {"key": "env", "decodingStrategy": "Auto"}}]
        await client.create(EXTERNALS, external(data=[], dataFrom=rows), "a")
        await ready(client, "True", "SecretSynced")
        assert await data_of(client) == {"a_b": "1", "n": "2", "c": "hi"}

    resolving(scenario)


def test_a_file_stands_in_for_a_store(resolving, ready, tmp_path):
    path = tmp_path / "store.yaml"
    path.write_text(f"env:\n  TOKEN: {VALUE}\n")
    path.chmod(0o644)

    async def scenario(client: Client) -> None:
        await client.create(EXTERNALS, external(), "a")
        told = await ready(client, "False", "SecretSyncedError")
        assert f"{path} can be read by others: chmod 600 it" in told["status"]["conditions"][0]["message"]
        path.chmod(0o600)
        await ready(client, "True", "SecretSynced")
        assert await data_of(client) == {"token": VALUE}

    resolving(scenario, f"nautobot=file:{path}")


def test_a_command_stands_in_for_a_store(resolving, ready, tmp_path):
    program = tmp_path / "say.py"
    program.write_text("import sys; print(' '.join(sys.argv[1:]))")

    async def by_command(client: Client) -> None:
        await client.create(EXTERNALS, external(), "a")
        await ready(client, "True", "SecretSynced")
        assert await data_of(client) == {"token": "env TOKEN"}

    resolving(by_command, f"nautobot=exec:{sys.executable} {program}")


def test_variables_stand_in_for_a_store(resolving, ready):
    async def scenario(client: Client) -> None:
        await client.create(EXTERNALS, external(), "a")
        await ready(client, "True", "SecretSynced")
        assert await data_of(client) == {"token": VALUE}

    resolving(scenario, "nautobot=env:NB_", environment={"NB_ENV_TOKEN": VALUE})


def test_a_command_that_fails_tells_its_exit_code_and_nothing_else(resolving, ready, tmp_path):
    program = tmp_path / "fail.py"
    program.write_text(f"import sys; print({VALUE!r}); print({VALUE!r}, file=sys.stderr); sys.exit(7)")

    async def scenario(client: Client) -> None:
        await client.create(EXTERNALS, external(), "a")
        told = await ready(client, "False", "SecretSyncedError")
        assert "ended with exit code 7" in told["status"]["conditions"][0]["message"]
        assert VALUE not in str(told)

    resolving(scenario, f"nautobot=exec:{sys.executable} {program}")


@pytest.mark.parametrize("setting", ["nautobot", "=file:/x", "n=vault:x", "n=file:"])
def test_a_setting_that_means_nothing_is_refused(setting):
    with pytest.raises(UsageError, match=r"write NAME=file:/path\.yaml"):
        local_store(setting, {})
