"""A real HTTP server on loopback that answers as a test says; a cluster in memory with the controller on it."""

import asyncio
import contextlib
import datetime as dt
import ipaddress
import ssl
import tempfile
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tiphys.errors import ApiError
from tiphys.kit.clock import from_rfc3339, rfc3339, utc_now
from tiphys.kit.redact import Secret
from tiphys.kube.client.api import list_watch
from tiphys.kube.objects.resources import served
from tiphys.kube.server.api import Api
from tiphys.kube.server.inprocess import InProcessClient
from tiphys.kube.server.reviews import Reviews
from tiphys.kube.server.tokens import Tokens
from tiphys.kube.server.users import ADMIN, User, service_account
from tiphys.kube.store.memory import MemoryStore
from tiphys.workflow.controller import rbac
from tiphys.workflow.controller.cleanup import WORKFLOWS
from tiphys.workflow.controller.controller import WorkflowController
from tiphys.workflow.controller.launcher import PODS
from tiphys.workflow.controller.settings import ControllerSettings
from tiphys.workflow.engine.protocol import (
    Begin,
    Changes,
    CreatePod,
    Fetch,
    Fetched,
    HttpDone,
    PodGone,
    PodReport,
    SendHttp,
    Tick,
    WakeAt,
)

RBAC = "rbac.authorization.k8s.io"
NAMESPACES, SERVICE_ACCOUNTS = served("", "namespaces"), served("", "serviceaccounts")


class Asked:
    """A request as it came over the wire."""

    def __init__(self, head: bytes, body: bytes) -> None:
        first, *lines = head.decode().split("\r\n")
        self.method, self.target, _ = first.split(" ")
        self.headers = [tuple(line.split(": ", 1)) for line in lines if line]
        self.body = body

    def header(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]


def answer(status=200, body=b"", *, close=False, **headers):
    """A response; underscores in header names are hyphens."""
    lines = [f"HTTP/1.1 {status} x", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    lines += ["Connection: close"] if close else []
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class HttpServer:
    """`reply(asked)` gives bytes to write, an awaitable of them, or None to close without a word."""

    def __init__(self, reply, context=None):
        self.reply, self.context = reply, context
        self.asked = []
        self.connections = 0
        self.writers = []

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.context, backlog=2048)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc_info):
        self._server.close()
        self.cut()
        await self._server.wait_closed()

    def url(self, path="/"):
        return f"{'https' if self.context else 'http'}://127.0.0.1:{self.port}{path}"

    def cut(self):
        for writer in self.writers:
            writer.transport.abort()

    async def _serve(self, reader, writer):
        self.connections += 1
        self.writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n"))[:-4]
                asked = Asked(head, b"")
                if length := asked.header("Content-Length"):
                    asked.body = await reader.readexactly(int(length[0]))
                self.asked.append(asked)
                said = self.reply(asked)
                said = await said if asyncio.iscoroutine(said) else said
                if said is None:
                    break
                writer.write(said)
                await writer.drain()
        writer.close()


@pytest.fixture
def http_server():
    """The class, to be entered in the test's own loop."""
    return HttpServer


@pytest.fixture
def http_answer():
    """Makes a response."""
    return answer


@pytest.fixture(scope="session")
def tls(tmp_path_factory):
    """(server context, CA file) of a server at 127.0.0.1."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test server")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(certificate.public_bytes(encoding))
    (folder / "key.pem").write_bytes(
        key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return context, str(folder / "ca.pem")


# -- a cluster --------------------------------------------------------------------------------------------------------


class MiniRun:
    """The least engine that runs `spec.mini`, a list of {name, pod: {…}} or {name, http: {…}}, all at once.

    For what the shell around an engine must do; what the real engine decides is tested with the engine.
    """

    opened = 0

    def __init__(self, workflow):
        type(self).opened += 1
        self.workflow = workflow
        self.variables = {"workflow.name": workflow["metadata"]["name"]}
        self.phase = (workflow.get("status") or {}).get("phase")
        self.nodes = (workflow.get("status") or {}).get("nodes") or {}

    def handle(self, event, now):
        spec = self.workflow["spec"]
        before, commands, status = dict(self.nodes), [], {}
        match event:
            case Begin():
                if not self.phase:
                    self.phase = status["phase"] = "Running"
                    if "template" in spec:
                        commands.append(Fetch("WorkflowTemplate", spec["template"]))
                for step in [] if spec.get("suspend") or "template" in spec else spec.get("mini", []):
                    commands += self._start(step)
                if "wake" in spec and "woken" not in self.nodes:
                    commands.append(WakeAt(from_rfc3339(spec["wake"])))
            case Fetched():
                self._node("fetched", "Succeeded" if event.value else "Error", event.error)
            case Tick():
                self._node("woken", "Succeeded", "")
            case PodGone():
                self._end(event.node_id, "Error", "pod deleted", None)
            case PodReport() | HttpDone():
                self._end(event.node_id, event.phase, event.message, event.outputs)
        changed = {node_id: node for node_id, node in self.nodes.items() if before.get(node_id) is not node}
        wanted = len(spec.get("mini", [])) + ("template" in spec) + ("wake" in spec)
        phases = [node["phase"] for node in self.nodes.values()]
        finished = len(phases) == wanted and all(phase in ("Succeeded", "Failed", "Error") for phase in phases)
        labels = {}
        if finished and self.phase == "Running":
            self.phase = "Succeeded" if all(phase == "Succeeded" for phase in phases) else "Failed"
            status |= {"phase": self.phase, "finishedAt": rfc3339(now)}
            labels = {"workflows.argoproj.io/completed": "true"}
        return Changes(changed, status, labels, {}, tuple(commands), finished)

    def _start(self, step):
        node_id = f"{self.workflow['metadata']['name']}-{step['name']}"
        node = self.nodes.get(node_id)
        if node is None:
            self._node(node_id, "Pending", "", "Pod" if "pod" in step else "HTTP")
        elif node["phase"] not in ("Pending", "Running"):
            return []
        if "http" in step:
            return [SendHttp(node_id, {"http": step["http"]})]
        template = {"container": {"image": "x", "command": ["true"]}} | step["pod"]
        wanted = node is None or node["phase"] == "Pending"
        return (
            [CreatePod(node_id, step["name"], node_id, template, "t", None, False, "result" in step)] if wanted else []
        )

    def _node(self, node_id, phase, message, kind=None):
        kind = kind or self.nodes.get(node_id, {}).get("type", "Suspend")
        self.nodes[node_id] = {"id": node_id, "type": kind, "phase": phase, "message": message}

    def _end(self, node_id, phase, message, outputs):
        node = self.nodes.get(node_id)
        if node is not None and node["phase"] in ("Pending", "Running") and node["phase"] != phase:
            self._node(node_id, phase, message)
            if outputs:
                self.nodes[node_id]["outputs"] = outputs


class Cluster:
    """An API on a store in memory, a controller as its own user with its own rights, and pods that a test ends."""

    def __init__(self, open_run=MiniRun, settings=None):
        self.open_run = open_run
        self.settings = settings or ControllerSettings(retry_first=0.01, retry_longest=0.1, pod_gc_delay=0.0)
        self.wrap = lambda client: client
        self.controller = None

    async def __aenter__(self):
        self.store = MemoryStore()
        self.api = Api(self.store)
        folder = Path(tempfile.mkdtemp())
        self.tokens = Tokens(self.store, folder / "tokens.key", Secret("test"), utc_now)
        self.reviews = Reviews(self.api, self.tokens)
        self.admin = self.client(ADMIN)
        await self.admin.create(NAMESPACES, {"metadata": {"name": "ns"}})
        await self.admin.create(SERVICE_ACCOUNTS, {"metadata": {"name": "default"}}, "ns")
        role = {"metadata": {"name": rbac.USER}, "rules": list(rbac.RULES)}
        await self.admin.create(served(RBAC, "clusterroles"), role)
        reference = {"apiGroup": RBAC, "kind": "ClusterRole", "name": rbac.USER}
        subject = {"apiGroup": RBAC, "kind": "User", "name": rbac.USER}
        binding = {"metadata": {"name": rbac.USER}, "roleRef": reference, "subjects": [subject]}
        await self.admin.create(served(RBAC, "clusterrolebindings"), binding)
        await self.start()
        return self

    async def __aexit__(self, *exc_info):
        await self.stop()
        await self.store.close()

    def client(self, user):
        return InProcessClient(self.api, user, self.reviews)

    def as_account(self, namespace, name):
        return self.client(service_account(namespace, name))

    async def start(self):
        client = self.wrap(self.client(User(rbac.USER, ("system:authenticated",))))
        self.controller = WorkflowController(
            client, client_for=self.as_account, settings=self.settings, open_run=self.open_run
        )
        self.running = asyncio.create_task(self.controller.run())

    async def stop(self, *, drain=False):
        if drain:
            await self.controller.drain()
        self.running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.running

    async def submit(self, name="wf", mini=(), **spec):
        value = {"metadata": {"name": name}, "spec": {"mini": list(mini)} | spec}
        return (await self.admin.create(WORKFLOWS, value, "ns")).object

    async def until(self, what, resource, name="", namespace="ns", seconds=20.0):
        """The first state of an object (or of any, without a name) that `what` accepts; None stands for its absence."""
        async with asyncio.timeout(seconds):
            field = f"metadata.name={name}" if name else ""
            items = (await self.admin.list(resource, namespace, field_selector=field)).items
            if not items and name and what(None):
                return None
            async for event in self.admin.watch(resource, namespace, field_selector=field):
                value = event.item.object
                if event.type == "DELETED":
                    value = None if name else value
                if what(value):
                    return value
        raise AssertionError

    async def finished(self, name="wf"):
        return await self.until(lambda wf: wf and (wf.get("status") or {}).get("finishedAt"), WORKFLOWS, name)

    async def pod(self, name):
        return await self.until(lambda pod: pod is not None, PODS, name)

    async def end(self, name, exit_code=0, **status):
        """End a pod as its kubelet would."""
        phase = "Failed" if exit_code else "Succeeded"
        state = {"terminated": {"exitCode": exit_code, "reason": "Error" if exit_code else "Completed"}}
        status = {"phase": phase, "containerStatuses": [{"name": "main", "state": state}]} | status
        await self.admin.patch(PODS, name, {"status": status}, "ns", subresource="status")

    async def kubelet(self, act=None):
        """Ends every pod as it comes, for as long as the test runs."""
        async for event in list_watch(self.admin, PODS, "ns"):
            if event.item is None or event.type == "DELETED":
                continue
            pod = event.item.object
            if pod["status"]["phase"] == "Pending":
                code = await act(pod) if act else 0
                with contextlib.suppress(ApiError):
                    await self.end(pod["metadata"]["name"], code)


@pytest.fixture
def cluster():
    """The class, to be entered in the test's own loop."""
    MiniRun.opened = 0
    return Cluster


@pytest.fixture
def mini_run():
    """The engine of `Cluster`, which counts how often it was opened."""
    return MiniRun
