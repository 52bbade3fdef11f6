"""Who asks: tokens, and those who act as another."""

from typing import Any

import pytest

from tiphys.kube.objects.resources import served
from tiphys.kube.server.tokens import Bound

RBAC = "rbac.authorization.k8s.io"
ME = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
CONFIGMAPS = "/api/v1/namespaces/ns/configmaps"


async def account_token(http, name: str = "robot", pod: Any = None) -> str:
    account = (await http("GET", f"/api/v1/namespaces/ns/serviceaccounts/{name}")).value
    if account["kind"] == "Status":
        account = (await http("POST", "/api/v1/namespaces/ns/serviceaccounts", {"metadata": {"name": name}})).value
    bound = Bound("Pod", pod["metadata"]["name"], pod["metadata"]["uid"]) if pod else None
    return http.tokens.make("ns", (name, account["metadata"]["uid"]), 3600, bound)[0].reveal()


async def allow(http, rules: list[dict[str, Any]], account: str = "robot") -> None:
    await http.admin.create(served(RBAC, "roles"), {"metadata": {"name": "r"}, "rules": rules}, "ns")
    binding = {
        "metadata": {"name": "b"},
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "r"},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": "ns"}],
    }
    await http.admin.create(served(RBAC, "rolebindings"), binding, "ns")


@pytest.mark.parametrize("token", ["", "nonsense", "a.b.c", "admin-toke", "admin-token2", "ä", " "])
def test_without_a_token_that_is_known_nothing_is_answered(serving, token):
    async def scenario(http) -> None:
        for path in ("/api", CONFIGMAPS, "/openapi/v3"):
            answer = await http("GET", path, headers={"authorization": f"Bearer {token}"} if token else None, token="")
            assert (answer.code, answer.value["reason"]) == (401, "Unauthorized")

    serving(scenario)


def test_health_and_version_are_told_to_anybody(serving):
    async def scenario(http) -> None:
        for path in ("/healthz", "/readyz", "/livez", "/readyz/etcd", "/version"):
            assert (await http("GET", path, token="")).code == 200

    serving(scenario)


def test_a_token_is_its_account_and_dies_with_it(serving):
    async def scenario(http) -> None:
        token = await account_token(http)
        me = (await http("POST", ME, {}, token=token)).value["status"]["userInfo"]
        assert me["username"] == "system:serviceaccount:ns:robot"
        assert "system:serviceaccounts:ns" in me["groups"]
        await http("DELETE", "/api/v1/namespaces/ns/serviceaccounts/robot")
        assert (await http("POST", ME, {}, token=token)).code == 401
        await account_token(http)
        assert (await http("POST", ME, {}, token=token)).code == 401, "another account of the same name"

    serving(scenario)


def test_a_token_of_a_pod_dies_with_the_pod(serving):
    async def scenario(http) -> None:
        spec = {"containers": [{"name": "main", "image": "i"}]}
        pod = (await http("POST", "/api/v1/namespaces/ns/pods", {"metadata": {"name": "p"}, "spec": spec})).value
        token = await account_token(http, pod=pod)
        me = (await http("POST", ME, {}, token=token)).value["status"]["userInfo"]
        assert me["extra"]["authentication.kubernetes.io/pod-name"] == ["p"]
        await http("DELETE", "/api/v1/namespaces/ns/pods/p?gracePeriodSeconds=0")
        assert (await http("POST", ME, {}, token=token)).code == 401

    serving(scenario)


def test_a_token_that_was_changed_is_not_taken(serving):
    async def scenario(http) -> None:
        token = await account_token(http)
        header, body, signature = token.split(".")
        none = "eyJhbGciOiJub25lIn0"
        for forged in (f"{header}.{body}.", f"{none}.{body}.", f"{header}.{body[:-2]}xx.{signature}", token + "x"):
            assert (await http("POST", ME, {}, token=forged)).code == 401

    serving(scenario)


def test_a_token_for_another_audience_is_not_taken(serving):
    async def scenario(http) -> None:
        await account_token(http)
        body = {"spec": {"audiences": ["vault"], "expirationSeconds": 600}}
        path = "/api/v1/namespaces/ns/serviceaccounts/robot/token"
        token = (await http("POST", path, body)).value["status"]["token"]
        assert (await http("POST", ME, {}, token=token)).code == 401
        review = {"spec": {"token": token, "audiences": ["vault"]}}
        found = (await http("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review)).value["status"]
        assert found["authenticated"] is True
        assert found["audiences"] == ["vault"]

    serving(scenario)


def test_the_administrator_acts_as_another_and_has_the_others_rights(serving):
    async def scenario(http) -> None:
        await account_token(http)
        await allow(http, [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}])
        other = {"impersonate-user": "system:serviceaccount:ns:robot"}
        me = (await http("POST", ME, {}, headers=other)).value["status"]["userInfo"]
        assert me["username"] == other["impersonate-user"]
        assert me["groups"] == ["system:serviceaccounts", "system:serviceaccounts:ns", "system:authenticated"]
        assert (await http("GET", CONFIGMAPS, headers=other)).code == 200
        denied = await http("GET", "/api/v1/namespaces/ns/secrets", headers=other)
        assert 'User "system:serviceaccount:ns:robot" cannot list resource "secrets"' in denied.message
        assert (await http("GET", CONFIGMAPS, headers={"impersonate-user": "jane"})).code == 403
        masters = {"impersonate-user": "jane", "impersonate-group": "system:masters"}
        assert (await http("GET", CONFIGMAPS, headers=masters)).code == 200
        assert (await http("GET", CONFIGMAPS, headers={"impersonate-user": "system:anonymous"})).code == 401
        alone = await http("GET", CONFIGMAPS, headers={"impersonate-group": "g"})
        assert (alone.code, "no user" in alone.message) == (400, True)

    serving(scenario)


def test_to_act_as_another_is_a_right(serving):
    async def scenario(http) -> None:
        token = await account_token(http)
        for who, what in (("jane", "users"), ("system:serviceaccount:ns:default", "serviceaccounts")):
            answer = await http("GET", CONFIGMAPS, headers={"impersonate-user": who}, token=token)
            assert answer.code == 403
            assert f'cannot impersonate resource "{what}" in API group ""' in answer.message
        await allow(http, [{"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["impersonate"]}])
        me = {"impersonate-user": "system:serviceaccount:ns:default"}
        assert (await http("POST", ME, {}, headers=me, token=token)).code == 201
        group = {**me, "impersonate-group": "system:masters"}
        answer = await http("GET", CONFIGMAPS, headers=group, token=token)
        assert 'cannot impersonate resource "groups"' in answer.message

    serving(scenario)
