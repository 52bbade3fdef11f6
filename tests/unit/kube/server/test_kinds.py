"""Rules of the built-in kinds: what is completed, what is refused, in Kubernetes' words."""

import base64

import pytest

PODS, SECRETS = "/api/v1/namespaces/ns/pods", "/api/v1/namespaces/ns/secrets"
CONFIGMAPS, ROLES = "/api/v1/namespaces/ns/configmaps", "/apis/rbac.authorization.k8s.io/v1/namespaces/ns/roles"
BINDINGS = "/apis/rbac.authorization.k8s.io/v1/namespaces/ns/rolebindings"
MERGE = "application/merge-patch+json"
TYPE = "kubernetes.io/service-account-token"


def pod(**spec):
    return {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "main", "image": "i"}], **spec}}


def test_a_pod_gets_kubernetes_defaults_and_its_accounts_token(serving):
    async def scenario(http) -> None:
        made = (await http("POST", PODS, pod())).value
        spec, (main,) = made["spec"], made["spec"]["containers"]
        assert (spec["restartPolicy"], spec["terminationGracePeriodSeconds"]) == ("Always", 30)
        assert (spec["serviceAccountName"], spec["serviceAccount"]) == ("default", "default")
        assert (main["imagePullPolicy"], main["terminationMessagePath"]) == ("Always", "/dev/termination-log")
        (mount,) = main["volumeMounts"]
        assert mount["mountPath"] == "/var/run/secrets/kubernetes.io/serviceaccount"
        (volume,) = spec["volumes"]
        sources = volume["projected"]["sources"]
        assert [next(iter(source)) for source in sources] == ["serviceAccountToken", "configMap", "downwardAPI"]
        assert made["status"] == {"phase": "Pending", "qosClass": "BestEffort"}

    serving(scenario)


def test_a_pod_may_do_without_a_token(serving):
    async def scenario(http) -> None:
        made = (await http("POST", PODS, pod(automountServiceAccountToken=False))).value
        assert "volumes" not in made["spec"]

    serving(scenario)


@pytest.mark.parametrize(
    ("value", "code", "says"),
    [
        (pod(containers=[]), 422, "spec.containers: Required value"),
        (pod(serviceAccountName="nobody"), 403, 'serviceaccount "nobody" not found'),
        (pod(restartPolicy="Sometimes"), 422, 'supported values: "Always", "OnFailure", "Never"'),
        (pod(containers=[{"name": "a", "image": "i"}] * 2), 422, 'spec.containers[1].name: Duplicate value: "a"'),
        (pod(containers=[{"name": "A_b", "image": "i"}]), 422, "RFC 1123 label"),
        (pod(containers=[{"name": "a"}]), 422, "spec.containers[0].image: Required value"),
        (
            pod(containers=[{"name": "a", "image": "i", "volumeMounts": [{"name": "v", "mountPath": "/x"}]}]),
            422,
            'volumeMounts[0].name: Not found: "v"',
        ),
        (pod(containers=[{"name": "a", "image": "i", "env": [{"name": "A=B"}]}]), 422, "env[0].name: Invalid value"),
        (pod(activeDeadlineSeconds=0), 422, "must be between 1 and 2147483647, inclusive"),
    ],
)
def test_a_pod_that_cannot_be(serving, value, code, says):
    async def scenario(http) -> None:
        answer = await http("POST", PODS, value)
        assert answer.code == code
        assert says in answer.message

    serving(scenario)


def test_a_pod_is_not_changed_but_for_its_deadline(serving):
    async def scenario(http) -> None:
        await http("POST", PODS, pod())
        for patch in (
            {"spec": {"restartPolicy": "Never"}},
            {"spec": {"containers": None}},
            {"spec": {"nodeName": "x"}},
        ):
            answer = await http("PATCH", PODS + "/p", patch, kind=MERGE)
            assert (answer.code, "pod updates may not change fields" in answer.message) == (422, True)
        assert (await http("PATCH", PODS + "/p", {"spec": {"activeDeadlineSeconds": 5}}, kind=MERGE)).code == 200
        later = await http("PATCH", PODS + "/p", {"spec": {"activeDeadlineSeconds": 9}}, kind=MERGE)
        assert "must be less than or equal to previous value" in later.message

    serving(scenario)


def test_the_data_of_secrets(serving):
    async def scenario(http) -> None:
        made = await http("POST", SECRETS, {"metadata": {"name": "s"}, "stringData": {"a": "ä"}, "data": {"b": "Yg=="}})
        assert made.value["data"] == {"a": base64.b64encode("ä".encode()).decode(), "b": "Yg=="}
        assert made.value["type"] == "Opaque"
        assert "stringData" not in made.value
        for value, says in (
            ({"data": {"a": "not base64"}}, "illegal base64 data in data[a]: use stringData"),
            ({"data": {"../a": ""}}, "a valid config key must consist of"),
            ({"type": "kubernetes.io/tls"}, "data[tls.crt]: Required value"),
            ({"type": "kubernetes.io/basic-auth"}, "data[username]: Required value, data[password]: Required value"),
            ({"type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": "x"}}, "it is not JSON"),
            ({"type": TYPE}, "metadata.annotations[kubernetes.io/service-account.name]: Required value"),
            ({"stringData": {"a": "x" * (2**20 + 1)}}, "data: Too long: may not be more than 1048576 bytes"),
        ):
            answer = await http("POST", SECRETS, {"metadata": {"name": "t"}, **value})
            assert says in answer.message
            assert answer.code in (400, 422)
        other = await http("PATCH", SECRETS + "/s", {"type": "x/y"}, kind=MERGE)
        assert "type: Invalid value" in other.message

    serving(scenario)


def test_what_is_immutable_stays(serving):
    async def scenario(http) -> None:
        await http("POST", CONFIGMAPS, {"metadata": {"name": "c"}, "data": {"a": "b"}, "immutable": True})
        for patch in ({"data": {"a": "c"}}, {"immutable": False}):
            answer = await http("PATCH", CONFIGMAPS + "/c", patch, kind=MERGE)
            assert "field is immutable when `immutable` is set" in answer.message
        assert (await http("PATCH", CONFIGMAPS + "/c", {"metadata": {"labels": {"x": "y"}}}, kind=MERGE)).code == 200

    serving(scenario)


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (ROLES, {"rules": [{}]}, "rules[0].verbs: Required value: verbs must contain at least one value"),
        (ROLES, {"rules": [{"verbs": ["get"], "resources": ["x"]}]}, "must supply at least one api group"),
        (ROLES, {"rules": [{"verbs": ["get"], "nonResourceURLs": ["/x"]}]}, "cannot apply to non-resource URLs"),
        (BINDINGS, {}, "roleRef.kind: Unsupported value"),
        (BINDINGS, {"roleRef": {"kind": "Role"}}, "roleRef.name: Required value"),
        (BINDINGS, {"roleRef": {"kind": "Role", "name": "r"}, "subjects": [{"kind": "Robot"}]}, "subjects[0].kind"),
    ],
)
def test_roles_and_bindings_that_mean_nothing(serving, path, value, says):
    async def scenario(http) -> None:
        answer = await http("POST", path, {"metadata": {"name": "x"}, **value})
        assert answer.code == 422
        assert says in answer.message

    serving(scenario)


@pytest.mark.parametrize(
    ("plural", "spec"),
    [
        ("externalsecrets", "x"),
        ("externalsecrets", {"secretStoreRef": "x"}),
        ("externalsecrets", {"target": {"template": {"data": {"a": 1}}}}),
        ("externalsecrets", {"data": [{"remoteRef": []}]}),
        ("externalsecrets", {"refreshInterval": 5}),
        ("secretstores", {"provider": []}),
        ("secretstores", {"provider": {"fake": {"data": {}}}}),
        ("secretstores", {"provider": {"kubernetes": {"auth": {"serviceAccount": "x"}}}}),
    ],
)
def test_what_controllers_look_into_is_what_its_name_promises(serving, plural, spec):
    async def scenario(http) -> None:
        path = f"/apis/external-secrets.io/v1/namespaces/ns/{plural}"
        answer = await http("POST", path, {"metadata": {"name": "x"}, "spec": spec})
        assert (answer.code, "cannot be handled as a" in answer.message) == (400, True)

    serving(scenario)


@pytest.mark.parametrize(
    ("path", "value", "cells"),
    [
        (CONFIGMAPS, {"data": {"a": "b"}, "binaryData": {"c": ""}}, {"Name": "x", "Data": 2}),
        (SECRETS, {"type": "a/b"}, {"Name": "x", "Type": "a/b", "Data": 0}),
        (PODS, pod(), {"Ready": "0/1", "Status": "Pending", "Restarts": "0", "IP": "<none>"}),
        ("/api/v1/namespaces", {}, {"Status": "Active"}),
        (
            "/api/v1/namespaces/ns/events",
            {"involvedObject": {"kind": "Pod", "namespace": "ns", "name": "p"}, "reason": "R"},
            {"Object": "pod/p", "Reason": "R", "Last Seen": "<unknown>"},
        ),
        (
            "/apis/argoproj.io/v1alpha1/namespaces/ns/workflows",
            {"spec": {}, "status": {"phase": "Failed", "message": "m", "nodes": {"x": {}}}},
            {"Status": "Failed", "Message": "m"},
        ),
    ],
)
def test_rows_of_kubectl_get(serving, path, value, cells):
    async def scenario(http) -> None:
        await http("POST", path, {**value, "metadata": {"name": "x"}})
        table = {"accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
        for form, shown in (("Metadata", "PartialObjectMetadata"), ("Object", None), ("None", None)):
            found = (await http("GET", f"{path}/x?includeObject={form}", headers=table)).value
            (row,) = found["rows"]
            names = [column["name"] for column in found["columnDefinitions"]]
            assert cells.items() <= dict(zip(names, row["cells"], strict=True)).items()
            assert ("object" in row) == (form != "None")
            assert shown is None or row["object"]["kind"] == shown

    serving(scenario)
