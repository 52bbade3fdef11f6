"""What the API server lets in, the engine runs or refuses: no workflow is a mistake of ours."""

import contextlib
import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine_world import World, succeed, workflow
from tiphys.errors import ApiError, SpecError
from tiphys.workflow.engine.protocol import CreatePod, HttpDone, PodReport, SendHttp
from tiphys.workflow.pods.build import build
from tiphys.workflow.spec.admit import admit
from tiphys.workflow.spec.validate import problems

TEXTS = st.sampled_from(
    (
        "",
        "a",
        "leaf",
        "{{",
        "{{item}}",
        "{{=1 +}}",
        "{{inputs.parameters.p}}",
        "{{steps.s.outputs.result}}",
        "10s",
        "-1",
        "a b",
    )
)
VALUES = TEXTS | st.sampled_from((0, -1, 3, True, 1.5, {}, [], {"name": "a"}, [{}], [[]], [1, "a", {"b": 1}], None))
ARGUMENTS = {"parameters": [{"name": "p", "value": "{{workflow.parameters.p}}"}]}
LEAF = {
    "name": "leaf",
    "inputs": {"parameters": [{"name": "p", "default": "1"}]},
    "outputs": {"parameters": [{"name": "o", "globalName": "g", "valueFrom": {"path": "/o", "default": "d"}}]},
    "retryStrategy": {"limit": 1, "retryPolicy": "Always", "backoff": {"duration": "1s", "factor": 2}},
    "timeout": "10s",
    "container": {"image": "x", "args": ["{{inputs.parameters.p}}"], "env": [{"name": "A", "value": "b"}]},
    "podSpecPatch": "terminationGracePeriodSeconds: 1",
}
STEP = {
    "name": "s",
    "template": "leaf",
    "arguments": ARGUMENTS,
    "withItems": [1, {"a": 2}],
    "when": "1 == 1",
    "hooks": {name: {"template": "leaf", "arguments": ARGUMENTS, "expression": "true"} for name in ("exit", "on")},
}
SPEC: dict[str, Any] = {
    "entrypoint": "main",
    "onExit": "leaf",
    "arguments": {"parameters": [{"name": "p", "value": 1}]},
    "parallelism": 2,
    "activeDeadlineSeconds": 100,
    "podMetadata": {"labels": {"a": "{{workflow.name}}"}},
    "workflowMetadata": {"labelsFrom": {"c": {"expression": "workflow.parameters.p"}}},
    "templateDefaults": {"container": {"env": [{"name": "B", "value": "c"}]}},
    "volumes": [{"name": "v", "emptyDir": {}}],
    "podGC": {"strategy": "OnPodCompletion"},
    "templates": [
        {
            "name": "main",
            "steps": [[STEP], [{"name": "d", "template": "graph", "continueOn": {"failed": True}}]],
            "outputs": {"parameters": [{"name": "r", "valueFrom": {"expression": "steps.d.id"}}]},
        },
        {"name": "graph", "dag": {"tasks": [{"name": "h", "template": "web"}, {**STEP, "name": "t", "depends": "h"}]}},
        {"name": "web", "http": {"url": "http://x", "successCondition": "true"}},
        LEAF,
    ],
}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(inner for key, item in entries for inner in places(item, (*path, key)))]


PLACES = st.sampled_from(places(SPEC)[1:])


def damaged(changes: list[tuple[tuple[Any, ...], Any]]) -> dict[str, Any]:
    spec = copy.deepcopy(SPEC)
    for place, value in changes:
        with contextlib.suppress(KeyError, IndexError, TypeError):  # an earlier change took the place away
            holder: Any = spec
            for key in place[:-1]:
                holder = holder[key]
            holder[place[-1]] = value
    return spec


def played(obj: dict[str, Any]) -> World:
    """The workflow's run to its end, each of its pods built on the way."""

    def pod(command: CreatePod) -> PodReport:
        with contextlib.suppress(SpecError):
            build(world.object, world.run.spec, command, now=world.now, scope=world.run.variables)
        return succeed(command)

    def http(command: SendHttp) -> HttpDone:
        return HttpDone(command.node_id, "Succeeded", "", {"result": "x"})

    world = World(obj, pod, http=http, validate=problems)
    return world.play(limit=2000)


def test_as_it_stands_it_succeeds() -> None:
    world = played(workflow(SPEC))
    assert (world.run.phase, world.status.get("message")) == ("Succeeded", None)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(PLACES, VALUES), max_size=3))
def test_what_is_let_in_is_run_or_refused(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    obj = workflow(damaged(changes))
    try:
        admit("Workflow", obj)
    except ApiError:
        return
    world = played(obj)
    assert world.run.finished, changes
