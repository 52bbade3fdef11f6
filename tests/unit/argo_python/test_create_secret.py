"""argo_python against a small API server of the test's own, over plain HTTP by a kubeconfig."""

import base64
import http.server
import json
import pathlib
import threading
from collections.abc import Iterator

import pytest

from argo_python import ArgoWorkflow, Denied, KubernetesError, NotInPod, OwnershipError

UID = "0f3c5a52-0d3c-4b67-a6a1-4e3c9a9c1234"


class Api(http.server.BaseHTTPRequestHandler):
    """Keeps Secrets, knows one pod; `denied` holds the verbs that are refused."""

    secrets: dict[str, dict]
    denied: set[str]

    def answer(self, status: int, value: dict) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self) -> dict:
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def refuse(self, verb: str, resource: str) -> bool:
        if verb not in self.denied:
            return False
        who = 'User "system:serviceaccount:argo-events:workflow"'
        what = (
            f'{resource} is forbidden: {who} cannot {verb} resource "{resource}" in API group "" in the namespace "x"'
        )
        self.answer(403, {"kind": "Status", "message": what})
        return True

    def do_GET(self) -> None:
        if self.refuse("get", "pods"):
            return
        name = self.path.rsplit("/", 1)[1]
        self.answer(200, {"metadata": {"name": name, "uid": UID}})

    def do_POST(self) -> None:
        secret = self.body()
        if self.refuse("create", "secrets"):
            return
        name = secret["metadata"]["name"]
        if name in self.secrets:
            self.answer(409, {"kind": "Status", "message": f'secrets "{name}" already exists'})
            return
        self.secrets[name] = secret
        self.answer(201, secret)

    def do_PATCH(self) -> None:
        name = self.path.rsplit("/", 1)[1]
        assert self.headers["Content-Type"] == "application/merge-patch+json"
        self.secrets[name] = {**self.secrets[name], **self.body()}
        self.answer(200, self.secrets[name])

    def log_message(self, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def api() -> Iterator[tuple[type[Api], str]]:
    handler = type("Handler", (Api,), {"secrets": {}, "denied": set()})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield handler, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def workflow(api: tuple[type[Api], str], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> ArgoWorkflow:
    config = tmp_path / "config"
    config.write_text(
        f"current-context: c\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n"
        f"clusters: [{{name: c, cluster: {{server: '{api[1]}'}}}}]\nusers: [{{name: u, user: {{token: t}}}}]\n"
    )
    monkeypatch.setenv("HOSTNAME", "step-1")
    monkeypatch.delenv("KUBERNETES_POD_UID", raising=False)
    return ArgoWorkflow(config_file=str(config))


def test_the_secret_belongs_to_the_pod_whose_uid_is_asked(workflow: ArgoWorkflow, api: tuple[type[Api], str]) -> None:
    name = workflow.create_secret("creds", {"password": base64.b64encode(b"x").decode()})
    assert name == f"creds-{UID}"
    (owner,) = api[0].secrets[name]["metadata"]["ownerReferences"]
    assert owner == {
        "apiVersion": "v1", "kind": "Pod", "name": "step-1", "uid": UID, "controller": True, "blockOwnerDeletion": True,
    }  # fmt: skip


def test_the_uid_in_the_environment_needs_no_right_on_pods(
    workflow: ArgoWorkflow, api: tuple[type[Api], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    api[0].denied.add("get")
    monkeypatch.setenv("KUBERNETES_POD_UID", "u-1")
    assert workflow.create_secret("creds", {}) == "creds-u-1"


def test_without_the_right_the_message_has_the_rule(workflow: ArgoWorkflow, api: tuple[type[Api], str]) -> None:
    api[0].denied.add("get")
    with pytest.raises(Denied, match=r'resources: \["pods"\], verbs: \["get"\]'):
        workflow.create_secret("creds", {})


def test_persist_has_no_owner_and_keeps_its_name(workflow: ArgoWorkflow, api: tuple[type[Api], str]) -> None:
    assert workflow.create_secret("creds", {}, persist=True, string_data={"a": "b"}, labels={"l": "v"}) == "creds"
    secret = api[0].secrets["creds"]
    assert "ownerReferences" not in secret["metadata"]
    assert secret["stringData"] == {"a": "b"}
    assert secret["metadata"]["labels"] == {"l": "v"}


def test_a_secret_that_is_there_is_patched(workflow: ArgoWorkflow, api: tuple[type[Api], str]) -> None:
    workflow.create_secret("creds", {"a": "MQ=="}, persist=True)
    workflow.create_secret("creds", {"a": "Mg=="}, persist=True)
    assert api[0].secrets["creds"]["data"] == {"a": "Mg=="}


def test_no_hostname_no_owner(workflow: ArgoWorkflow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOSTNAME")
    with pytest.raises(OwnershipError, match=r"Unable to determine ownership of secret\."):
        workflow.create_secret("creds", {})


def test_outside_a_pod_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(NotInPod, match="config_file="):
        ArgoWorkflow()


def test_a_server_that_is_gone_is_a_kubernetes_error(tmp_path: pathlib.Path) -> None:
    config = tmp_path / "config"
    config.write_text(
        json.dumps(
            {
                "current-context": "c",
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
                "users": [{"name": "u", "user": {"token": "t"}}],
            }
        )
    )
    with pytest.raises(KubernetesError, match="no answer"):
        ArgoWorkflow(config_file=str(config)).get_pod("x")
