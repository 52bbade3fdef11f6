"""What is asked but not kept: tokens, and who may do what."""

import pytest

from tiphys.kube.objects.resources import served

TOKEN = "/api/v1/namespaces/ns/serviceaccounts/default/token"
ACCESS = "/apis/authorization.k8s.io/v1"
GROUP = "rbac.authorization.k8s.io"


def asked(verb: str, resource: str, **more: str):
    return {"spec": {"resourceAttributes": {"verb": verb, "resource": resource, "namespace": "ns", **more}}}


async def reader(http) -> str:
    """A token of an account that may list pods."""
    account = (await http("GET", "/api/v1/namespaces/ns/serviceaccounts/default")).value
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]
    await http.admin.create(served(GROUP, "roles"), {"metadata": {"name": "r"}, "rules": rules}, "ns")
    binding = {
        "metadata": {"name": "b"},
        "roleRef": {"apiGroup": GROUP, "kind": "Role", "name": "r"},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "ns"}],
    }
    await http.admin.create(served(GROUP, "rolebindings"), binding, "ns")
    token: str = http.tokens.make("ns", ("default", account["metadata"]["uid"]), 3600)[0].reveal()
    return token


@pytest.mark.parametrize(
    ("spec", "code", "says"),
    [
        ({"expirationSeconds": 10}, 422, "may not specify a duration less than 10 minutes"),
        ({"expirationSeconds": 2**33}, 422, "larger than 2^32 seconds"),
        ({"expirationSeconds": "x"}, 400, "cannot be handled"),
        ({"audiences": "x"}, 400, "cannot be handled"),
        ({"boundObjectRef": {"kind": "ConfigMap", "name": "c"}}, 400, "cannot bind token"),
        ({"boundObjectRef": {"kind": "Pod", "name": "nope"}}, 404, 'pods "nope" not found'),
    ],
)
def test_a_token_that_cannot_be_had(serving, spec, code, says):
    async def scenario(http) -> None:
        answer = await http("POST", TOKEN, {"spec": spec})
        assert answer.code == code
        assert says in answer.message
        assert (await http("POST", TOKEN.replace("default", "nobody"), {})).code == 404

    serving(scenario)


def test_a_token_request_is_answered_as_kubectl_reads_it(serving):
    async def scenario(http) -> None:
        value = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 900}}
        made = (await http("POST", TOKEN, value)).value
        assert (made["kind"], made["spec"]["expirationSeconds"]) == ("TokenRequest", 900)
        assert made["metadata"]["name"] == "default"
        review = await http("POST", "/apis/authentication.k8s.io/v1/tokenreviews", {"spec": made["status"]})
        assert review.code == 201, "what stands beside the token is no matter"
        assert review.value["status"]["user"]["username"] == "system:serviceaccount:ns:default"

    serving(scenario)


def test_may_i(serving):
    async def scenario(http) -> None:
        token = await reader(http)
        path = ACCESS + "/selfsubjectaccessreviews"
        for question, allowed in (
            (asked("list", "pods"), True),
            (asked("list", "pods", namespace="default"), False),
            (asked("get", "pods"), False),
            (asked("list", "pods", subresource="log"), False),
            ({"spec": {"nonResourceAttributes": {"verb": "get", "path": "/version"}}}, True),
            ({"spec": {"nonResourceAttributes": {"verb": "get", "path": "/metrics"}}}, False),
        ):
            found = (await http("POST", path, question, token=token)).value
            assert found["status"]["allowed"] is allowed, question
            assert found["spec"] == question["spec"]
        for nonsense in ({}, {"spec": {}}, {"spec": {"resourceAttributes": {}, "nonResourceAttributes": {}}}):
            assert (await http("POST", path, nonsense, token=token)).code == 422

    serving(scenario)


def test_may_he_is_a_question_for_those_who_may_ask(serving):
    async def scenario(http) -> None:
        token = await reader(http)
        path = ACCESS + "/subjectaccessreviews"
        question = asked("list", "pods")
        question["spec"]["user"] = "system:serviceaccount:ns:default"
        assert (await http("POST", path, question)).value["status"]["allowed"] is True
        assert (await http("POST", path, question, token=token)).code == 403
        del question["spec"]["user"]
        assert (await http("POST", path, question)).code == 422

    serving(scenario)


def test_all_that_i_may(serving):
    async def scenario(http) -> None:
        token = await reader(http)
        path, body = ACCESS + "/selfsubjectrulesreviews", {"spec": {"namespace": "ns"}}
        found = (await http("POST", path, body, token=token)).value["status"]
        assert {"verbs": ["list"], "apiGroups": [""], "resources": ["pods"]} in found["resourceRules"]
        assert found["incomplete"] is False
        found = (await http("POST", path, body)).value["status"]
        assert found["resourceRules"] == [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]
        assert (await http("POST", path, {})).code == 400

    serving(scenario)
