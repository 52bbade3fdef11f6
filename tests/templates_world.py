"""The six WorkflowTemplates on a `tiphys up`, with a Nautobot that a test can make misbehave.

Used by tests/workflows, and by tests/nautobot with real Nautobots.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import pathlib
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from typing import Any

import yaml

from tiphys.kube.client.http import HttpClient
from tiphys.kube.client.kubeconfig import Overrides, load
from tiphys.kube.objects.resources import Resource, served
from tiphys_simulators.http import Request, Response
from tiphys_simulators.nautobot import NautobotService

NAMESPACE = "argo-events"
WORKFLOWS = pathlib.Path(__file__).parent.parent / "workflows"
VARIANTS = WORKFLOWS.parent / "deploy" / "get-obm-creds"

_WORKFLOWS = served("argoproj.io", "workflows")
_REVIEWS = served("authorization.k8s.io", "subjectaccessreviews")
_KINDS = {
    kind: served(group, plural)
    for kind, group, plural in (
        ("ConfigMap", "", "configmaps"),
        ("Role", "rbac.authorization.k8s.io", "roles"),
        ("RoleBinding", "rbac.authorization.k8s.io", "rolebindings"),
        ("Secret", "", "secrets"),
        ("ServiceAccount", "", "serviceaccounts"),
        ("WorkflowTemplate", "argoproj.io", "workflowtemplates"),
    )
}


def manifests() -> list[dict[str, Any]]:
    """All that `kubectl apply -f workflows` applies."""
    return in_order(document for file in WORKFLOWS.glob("*.yaml") for document in yaml.safe_load_all(file.read_text()))


def in_order(objects: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """By kind and name."""
    return sorted(objects, key=lambda value: (value["kind"], value["metadata"]["name"]))


class Templates:
    """The templates installed in `argo-events`, and what a test does with them."""

    def __init__(self, kubeconfig: pathlib.Path) -> None:
        self.client = HttpClient(load(Overrides(kubeconfig=str(kubeconfig)), {}))
        for document in manifests():
            self.put(document)

    def put(self, value: dict[str, Any]) -> None:
        """Create an object, or replace the one of its name."""
        resource, name = _KINDS[value["kind"]], value["metadata"]["name"]
        value["metadata"].setdefault("namespace", NAMESPACE)
        self.remove(value["kind"], name)
        self.client.create(resource, value, value["metadata"]["namespace"])

    def remove(self, kind: str, name: str) -> None:
        """Delete an object that may not be there."""
        if any(item.object["metadata"]["name"] == name for item in self.client.list(_KINDS[kind], NAMESPACE).items):
            self.client.delete(_KINDS[kind], name, NAMESPACE)

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """An object that is there."""
        return self.client.get(_KINDS[kind], name, NAMESPACE).object

    def resource(self, kind: str) -> Resource:
        """For the client."""
        return _KINDS[kind]

    def names(self, kind: str) -> list[str]:
        """Of the objects of a kind."""
        return [item.object["metadata"]["name"] for item in self.client.list(_KINDS[kind], NAMESPACE).items]

    def config_map(self, name: str, labelled: bool = True, **data: str) -> None:
        """Put a ConfigMap."""
        labels = {"workflows.argoproj.io/configmap-type": "Parameter"} if labelled else {}
        self.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels}, "data": data})

    def secret(self, name: str, **values: str) -> None:
        """Put a Secret."""
        self.secret_bytes(name, {key: value.encode() for key, value in values.items()})

    def secret_bytes(self, name: str, values: dict[str, bytes]) -> None:
        """Put a Secret that holds any bytes."""
        data = {key: base64.b64encode(value).decode() for key, value in values.items()}
        self.put({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data})

    def nautobot(self, url: str, token: str) -> None:
        """Say where Nautobot is."""
        self.config_map("nautobot", url=url)
        self.secret("nautobot-token", token=token, bearer_token=f"Token {token}")

    def run(self, template: str, **parameters: str) -> Outcome:
        """Submit a template as `submit --from` does, and wait for its end."""
        given = [{"name": name.replace("_", "-"), "value": value} for name, value in parameters.items()]
        return self.submit(
            {"workflowTemplateRef": {"name": template}, "arguments": {"parameters": given}}, f"{template}-"
        )

    def submit(self, spec: dict[str, Any], prefix: str = "test-") -> Outcome:
        """Run a workflow to its end."""
        value = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Workflow",
            "metadata": {"generateName": prefix, "namespace": NAMESPACE},
            "spec": spec,
        }
        name = self.client.create(_WORKFLOWS, value, NAMESPACE).object["metadata"]["name"]
        return Outcome(self._wait(_WORKFLOWS, name, lambda found: bool(found.get("status", {}).get("finishedAt"))))

    def may(self, account: str, verb: str, resource: str, namespace: str) -> bool:
        """Whether a ServiceAccount of `argo-events` may do this."""
        plural, _, group = resource.partition(".")
        asked = {"namespace": namespace, "verb": verb, "group": group, "resource": plural}
        user = f"system:serviceaccount:{NAMESPACE}:{account}"
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{NAMESPACE}", "system:authenticated"]
        review = {"spec": {"user": user, "groups": groups, "resourceAttributes": asked}}
        answer: dict[str, Any] = self.client.create(_REVIEWS, review).object
        return bool(answer["status"]["allowed"])

    def gone(self, kind: str, name: str) -> None:
        """Wait until an object has been deleted."""
        resource, selector = _KINDS[kind], f"metadata.name={name}"
        listed = self.client.list(resource, NAMESPACE, field_selector=selector)
        if not listed.items:
            return
        watched = self.client.watch(
            resource, NAMESPACE, field_selector=selector, resource_version=listed.resource_version
        )
        with contextlib.closing(watched):
            assert any(event.type == "DELETED" for event in watched)

    def _wait(self, resource: Resource, name: str, until: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The object once it is as wanted; pytest's own time limit is the deadline."""
        watched = self.client.watch(resource, NAMESPACE, field_selector=f"metadata.name={name}", resource_version="0")
        with contextlib.closing(watched):
            for event in watched:
                if event.item is not None and until(event.item.object):
                    return event.item.object
        raise AssertionError(f"the watch of {name} ended")


class Outcome:
    """How a workflow ended."""

    def __init__(self, workflow: dict[str, Any]) -> None:
        self.workflow = workflow
        self.name: str = workflow["metadata"]["name"]
        self.status: dict[str, Any] = workflow["status"]
        self.phase: str = self.status["phase"]
        self.message: str = self.status.get("message", "")
        self.nodes: dict[str, dict[str, Any]] = self.status.get("nodes", {})

    def succeeded(self) -> Outcome:
        """It did, else say what happened."""
        assert self.phase == "Succeeded", self.told()
        return self

    def failed(self, *words: str) -> Outcome:
        """It did, put out nothing, and these words are told to a person."""
        assert self.phase in ("Failed", "Error"), self.told()
        assert not self.outputs
        for word in words:
            assert word in self.messages(), self.told()
        return self

    def told(self) -> str:
        """All of it, for a failing test."""
        nodes = sorted(self.nodes.values(), key=lambda node: node["name"])
        rows = [f"{node['name']} {node['phase']} {node.get('message', '')}" for node in nodes]
        return "\n".join([f"{self.name} {self.phase} {self.message}", *rows])

    @property
    def outputs(self) -> dict[str, str]:
        """Of the entry node."""
        found = self.nodes.get(self.name, {}).get("outputs", {}).get("parameters", [])
        return {parameter["name"]: parameter["value"] for parameter in found}

    def nodes_outputs(self, name: str) -> str:
        """An output parameter of any node; the same wherever it is."""
        found = [
            parameter["value"]
            for node in self.nodes.values()
            for parameter in node.get("outputs", {}).get("parameters", [])
            if parameter["name"] == name
        ]
        assert len(set(found)) == 1, self.told()
        return str(found[0])

    def messages(self) -> str:
        """All that a person is told."""
        return "\n".join([self.message, *(node.get("message", "") for node in self.nodes.values())])

    def node(self, display_name: str) -> dict[str, Any]:
        """The node that is shown under a name."""
        (found,) = [node for node in self.nodes.values() if node["displayName"] == display_name]
        return found


def read_by_environment(templates: Templates, consumer: str, hostname: str) -> Outcome:
    """A workflow that uses get-obm-creds as others do: by templateRef, then an environment from its Secret."""
    env = [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": "{{inputs.parameters.secret}}", "key": key}}}
        for name, key in (("OBM_USERNAME", "username"), ("OBM_PASSWORD", "password"))
    ]
    get: dict[str, Any] = {"name": "get", "templateRef": {"name": "get-obm-creds", "template": "main"}}
    get["arguments"] = {"parameters": [{"name": "hostname", "value": hostname}]}
    use: dict[str, Any] = {"name": "use", "template": "use"}
    use["arguments"] = {"parameters": [{"name": "secret", "value": "{{steps.get.outputs.parameters.secret}}"}]}
    container = {"image": "tiphys:0.1.0", "command": ["sh", "-c", consumer], "env": env}
    spec = {
        "serviceAccountName": "workflow",
        "entrypoint": "main",
        "podGC": {"strategy": "OnWorkflowCompletion"},
        "templates": [
            {"name": "main", "steps": [[get], [use]]},
            {"name": "use", "inputs": {"parameters": [{"name": "secret"}]}, "container": container},
        ],
    }
    return templates.submit(spec)


class ScriptedNautobot(NautobotService):
    """The stand-in, but a test may put its own answer in place of the stand-in's, and sees the requests."""

    script: Callable[[Request], Response | None]

    def __init__(self, tables: dict[str, list[dict[str, Any]]], token: str) -> None:
        super().__init__(tables, token)
        self.token = token
        self._late: set[asyncio.Task[None]] = set()
        self.reset()

    def respond(self, request: Request) -> Response:
        """The script's answer, else the stand-in's."""
        self.requests.append(request)
        return self.script(request) or super().respond(request)

    def rows(self, table: str) -> list[dict[str, Any]]:
        """What it knows."""
        return self._tables[table]

    def reset(self) -> None:
        """Behave, and forget."""
        self.script = lambda request: None
        self.requests: list[Request] = []

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Here answers may be late."""
        task = asyncio.get_running_loop().create_task(work)
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def stop(self) -> None:
        """Late answers are not waited for."""
        await super().stop()
        for task in self._late:
            task.cancel()
        await asyncio.gather(*self._late, return_exceptions=True)


@contextlib.contextmanager
def scripted_nautobot(fleet: dict[str, Any], token: str) -> Iterator[ScriptedNautobot]:
    """Serve a fleet on loopback from a thread."""
    service = ScriptedNautobot.from_yaml(json.dumps(fleet), token)
    assert isinstance(service, ScriptedNautobot)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(service.start("127.0.0.1", 0), loop).result(10)
        yield service
        asyncio.run_coroutine_threadsafe(service.stop(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
