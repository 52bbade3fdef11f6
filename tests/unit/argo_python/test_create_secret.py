"""argo_python against a small API server of the test's own, over plain HTTP by a kubeconfig."""

import base64
import http.server
import json
import pathlib
import threading
from collections.abc import Iterator

import pytest

from argo_python import ArgoWorkflow, Denied, KubernetesError, NotInPod, OwnershipError
from tiphys.kit.clock import utc_now
from tiphys.kube.server import pki

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
    assert secret["data"] == {"a": "Yg=="}
    assert secret["metadata"]["labels"] == {"l": "v"}


def test_values_may_be_text_or_bytes(workflow: ArgoWorkflow, api: tuple[type[Api], str]) -> None:
    given = {"a": base64.b64encode(b"x"), "b": base64.b64encode("ü".encode()).decode()}
    plain = {"c": "pä€\n", "d": b"\xff\x00", "e": "from a file name \udcff"}
    workflow.create_secret("creds", given, persist=True, string_data=plain)
    kept = {key: base64.b64decode(value) for key, value in api[0].secrets["creds"]["data"].items()}
    assert kept == {
        "a": b"x", "b": "ü".encode(), "c": "pä€\n".encode(), "d": b"\xff\x00", "e": b"from a file name \xff",
    }  # fmt: skip


@pytest.mark.parametrize("value", [5, None, ["hush"]])
def test_a_value_that_is_neither_is_named_and_not_shown(workflow: ArgoWorkflow, value: object) -> None:
    for arguments in ({"data": {"key": value}}, {"data": {}, "string_data": {"key": value}}):
        with pytest.raises(TypeError, match=r"data\['key'\] must be text or bytes") as caught:
            workflow.create_secret("creds", persist=True, **arguments)
        assert "hush" not in str(caught.value)


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


def _answering(api: tuple[type[Api], str], status: int, body: bytes) -> None:
    def answer(self: Api) -> None:
        if "Content-Length" in self.headers:
            self.body()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    for method in ("do_GET", "do_POST", "do_PATCH"):
        setattr(api[0], method, answer)


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, b"<html>Log in</html>"), (302, b""), (200, b""), (200, b"[]"), (503, b"<html>"), (304, b"{}")],
)
def test_an_answer_that_the_api_did_not_give_is_no_success(
    workflow: ArgoWorkflow, api: tuple[type[Api], str], status: int, body: bytes
) -> None:
    _answering(api, status, body)
    for call in (
        lambda: workflow.create_secret("creds", {}, persist=True),
        lambda: workflow.create_secret("creds", {}),
        lambda: workflow.get_pod("p"),
    ):
        with pytest.raises(KubernetesError, match=str(status)):
            call()


def test_an_object_that_is_no_pod_owns_nothing(workflow: ArgoWorkflow, api: tuple[type[Api], str]) -> None:
    _answering(api, 200, b"{}")
    with pytest.raises(KubernetesError, match="no pod"):
        workflow.create_secret("creds", {})


def test_an_expired_token_is_told(workflow: ArgoWorkflow, api: tuple[type[Api], str]) -> None:
    _answering(api, 401, b'{"message": "Unauthorized"}')
    with pytest.raises(Denied, match="the token is not valid"):
        workflow.create_secret("creds", {}, persist=True)


def test_a_secret_that_vanishes_before_it_is_patched_is_made(
    workflow: ArgoWorkflow, api: tuple[type[Api], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow.create_secret("creds", {"a": "MQ=="}, persist=True)

    def vanish(self: Api) -> None:
        self.body()
        self.secrets.clear()
        self.answer(404, {"kind": "Status", "message": "not found"})

    monkeypatch.setattr(api[0], "do_PATCH", vanish)
    workflow.create_secret("creds", {"a": "Mg=="}, persist=True)
    assert api[0].secrets["creds"]["data"] == {"a": "Mg=="}


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"current-context": "c", "contexts": [{"name": "c", "context": {}}]},
        {"current-context": "c", "contexts": [{"name": "c"}]},
        {"current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "x", "user": "y"}}]},
    ],
)
def test_a_kubeconfig_that_lacks_something_is_told(tmp_path: pathlib.Path, config: dict) -> None:
    (tmp_path / "config").write_text(json.dumps(config))
    with pytest.raises(KubernetesError, match="config has no"):
        ArgoWorkflow(config_file=str(tmp_path / "config"))


def _token(**pod: str) -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"kubernetes.io": {"pod": pod}}).encode()).rstrip(b"=").decode()
    return f"e30.{claims}.c2lnbmF0dXJl"


@pytest.fixture
def in_pod(
    api: tuple[type[Api], str], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[ArgoWorkflow, pathlib.Path]:
    """A workflow in a pod whose API speaks plain HTTP, and its token's file."""
    for name, text in (("token", "first"), ("namespace", "there")):
        (tmp_path / name).write_text(text)
    pki.make(tmp_path / "pki", utc_now())
    (tmp_path / "ca.crt").write_text((tmp_path / "pki" / "ca.crt").read_text())
    host, _, port = api[1].removeprefix("http://").partition(":")
    for variable, value in (
        ("TIPHYS_SERVICEACCOUNT_DIR", str(tmp_path)),
        ("KUBERNETES_SERVICE_HOST", host),
        ("KUBERNETES_SERVICE_PORT", port),
        ("KUBERNETES_POD_UID", "u-1"),
    ):
        monkeypatch.setenv(variable, value)
    made = ArgoWorkflow(namespace=None)
    monkeypatch.setattr(made._client, "_context", None)
    return made, tmp_path / "token"


def test_a_renewed_token_is_used(
    in_pod: tuple[ArgoWorkflow, pathlib.Path], api: tuple[type[Api], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    made = Api.do_POST

    def post(self: Api) -> None:
        seen.append(self.headers["Authorization"])
        made(self)

    monkeypatch.setattr(api[0], "do_POST", post)
    workflow, token = in_pod
    assert workflow.namespace == "there"
    workflow.create_secret("one", {}, persist=True)
    token.write_text("second\n")
    workflow.create_secret("two", {}, persist=True)
    assert seen == ["Bearer first", "Bearer second"]
    token.write_text("hush\nhush")
    with pytest.raises(KubernetesError, match="is none") as caught:
        workflow.create_secret("three", {}, persist=True)
    assert "hush" not in str(caught.value)


def test_a_pod_whose_name_is_longer_than_a_host_name_is_the_owner_all_the_same(
    in_pod: tuple[ArgoWorkflow, pathlib.Path], api: tuple[type[Api], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow, token = in_pod
    whole = "step-" * 14 + "1"
    monkeypatch.setenv("HOSTNAME", whole[:63].rstrip("-"))
    token.write_text(_token(name=whole, uid="u-1"))
    name = workflow.create_secret("creds", {})
    (owner,) = api[0].secrets[name]["metadata"]["ownerReferences"]
    assert (owner["name"], owner["uid"]) == (whole, "u-1")


def test_an_authority_that_is_no_certificate_is_told(
    in_pod: tuple[ArgoWorkflow, pathlib.Path], tmp_path: pathlib.Path
) -> None:
    (tmp_path / "ca.crt").write_text("no certificate")
    with pytest.raises(KubernetesError, match=r"ca\.crt holds no certificate"):
        ArgoWorkflow()
