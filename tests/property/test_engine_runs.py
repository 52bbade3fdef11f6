"""Any workflow, any order of events, any moment of a restart: the same end, and phases only move forward."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine_world import POD, START, World, ended, workflow
from tiphys.workflow.engine import Run
from tiphys.workflow.engine.names import step_of
from tiphys.workflow.engine.protocol import CreatePod, PodGone, PodReport, Tick

_ENDS = st.sampled_from(["Succeeded", "Succeeded", "Succeeded", "Failed", "Error"])
_RANK = {"Pending": 0, "Running": 1, "Succeeded": 2, "Failed": 2, "Error": 2, "Skipped": 2, "Omitted": 2}
_AGAIN = {**POD, "name": "again", "retryStrategy": {"limit": 1, "retryPolicy": "Always"}}
_WAITS = {**POD, "name": "waits", "retryStrategy": {"limit": 2, "backoff": {"duration": "10", "factor": 2}}}
_TIMED = {"name": "timed", "suspend": {"duration": "30"}}
_INNER = {"name": "inner", "steps": [[{"name": "x", "template": "pod"}, {"name": "y", "template": "again"}],
                                     [{"name": "z", "template": "pod"}]]}  # fmt: skip
_LEAVES = (POD, _AGAIN, _WAITS, _TIMED, _INNER)


@st.composite
def _step(draw: st.DrawFn, name: str, role: str) -> dict[str, Any]:
    step: dict[str, Any] = {"name": name, "template": draw(st.sampled_from([leaf["name"] for leaf in _LEAVES]))}
    match draw(st.integers(0, 6)):
        case 0:
            step["when"] = draw(st.sampled_from(["1 == 1", "1 == 2"]))
        case 1:
            step["withSequence"] = {"count": draw(st.integers(0, 3))}
        case 2:
            step["continueOn"] = {"failed": True, "error": draw(st.booleans())}
        case 3:
            step["onExit"] = "pod"
        case 4:
            step |= {"withItems": ["p", "q"], "when": "'{{item}}' == 'p'"}
        case 5:
            ends = {word: f'{role}["{name}"].status == "{word}"' for word in ("Succeeded", "Failed")}
            step["hooks"] = {word: {"template": "again", "expression": ends[word]} for word in ends}
    return step


@st.composite
def _steps(draw: st.DrawFn) -> dict[str, Any]:
    sizes = draw(st.lists(st.integers(1, 2), min_size=1, max_size=3))
    groups = [[draw(_step(f"s{at}-{n}", "steps")) for n in range(size)] for at, size in enumerate(sizes)]
    return {"name": "main", "steps": groups}


@st.composite
def _dag(draw: st.DrawFn) -> dict[str, Any]:
    tasks: list[dict[str, Any]] = []
    for at in range(draw(st.integers(1, 5))):
        task = draw(_step(f"t{at}", "tasks"))
        before = [f"t{n}" for n in range(at) if draw(st.booleans())]
        if before and draw(st.booleans()):
            suffixes = ["", ".Succeeded", ".Failed", ".Skipped", ".Omitted", ".Errored"]
            glue = draw(st.sampled_from([" && ", " || "]))
            task["depends"] = glue.join(name + draw(st.sampled_from(suffixes)) for name in before)
            task.pop("continueOn", None)
        elif before:
            task["dependencies"] = before
        tasks.append(task)
    return {"name": "main", "dag": {"tasks": tasks, "failFast": draw(st.booleans())}}


@st.composite
def _workflows(draw: st.DrawFn) -> dict[str, Any]:
    main = draw(_steps() | _dag())
    if draw(st.integers(0, 3)) == 0:
        main["parallelism"] = draw(st.integers(1, 2))
    spec: dict[str, Any] = {"entrypoint": "main", "templates": [main, *_LEAVES]}
    if draw(st.booleans()):
        spec["onExit"] = "pod"
    if draw(st.integers(0, 3)) == 0:
        spec["hooks"] = {"on": {"template": "pod", "expression": 'workflow.status != "Succeeded"'}}
    if draw(st.integers(0, 3)) == 0:
        spec["parallelism"] = draw(st.integers(1, 3))
    if draw(st.integers(0, 5)) == 0:
        spec["activeDeadlineSeconds"] = 25
    return workflow(spec)


def _end_of(command: CreatePod, ends: dict[str, str]) -> PodReport:
    """By the node's name, so that the order in which pods end does not change how they end."""
    return ended(command, ends.get(step_of(command.node_name)[-1:], "Succeeded"))


_ENDINGS = st.dictionaries(st.sampled_from(list("01xyzt")), _ENDS, max_size=4)


def _outcome(world: World) -> dict[str, Any]:
    """What must be the same whatever the order: every node, but for moments and the order of links."""
    nodes = {}
    for node in world.status.get("nodes", {}).values():
        kept = {key: value for key, value in node.items() if not key.endswith("At")}
        kept["children"] = sorted(kept.get("children") or [])
        kept["outboundNodes"] = sorted(kept.get("outboundNodes") or [])
        if kept["type"] in ("StepGroup", "Steps", "DAG", "Retry"):
            kept.pop("message", None)  # names the first that failed
        nodes[node["name"]] = kept
    return {"phase": world.status["phase"], "progress": world.status.get("progress"), "nodes": nodes}


def _progress(world: World) -> dict[str, str]:
    """Of what is going on."""
    return {node_id: node["progress"] for node_id, node in world.run.nodes.items() if node["phase"] == "Running"
            and node.get("progress")}  # fmt: skip


def _play(manifest: dict[str, Any], ends: dict[str, str], choose: random.Random, *, cut: bool = False) -> World:
    """To the end, in an order of its own: pods end as they like, timers when nothing else is left to do."""
    world = World(manifest, lambda command: _end_of(command, ends))
    world.begin()
    while not world.run.finished:
        if world.pods:
            node_id = choose.choice(list(world.pods))
            report = world.answer(world.pods.pop(node_id))
            if choose.random() < 0.5:
                world.handle(PodReport(node_id, "Running", host="local"))
            world.handle(report)
        elif not world.step():
            break
        world.begin()
        if cut and not world.run.finished and choose.random() < 0.4:
            known = _progress(world)
            world.reopen()
            assert known.items() <= _progress(world).items()
    return world


@settings(max_examples=120, deadline=None)
@given(_workflows(), _ENDINGS, st.integers(0, 2**32))
def test_the_order_in_which_pods_end_does_not_matter(manifest: dict[str, Any], ends: dict[str, str], seed: int) -> None:
    if "activeDeadlineSeconds" in manifest["spec"]:
        del manifest["spec"]["activeDeadlineSeconds"]  # then the order does matter
    first, second = (_play(manifest, ends, random.Random(n)) for n in (seed, seed + 1))
    assert first.run.finished
    assert _outcome(first) == _outcome(second)


@settings(max_examples=120, deadline=None)
@given(_workflows(), _ENDINGS, st.integers(0, 2**32))
def test_a_restart_anywhere_leads_to_the_same_end(manifest: dict[str, Any], ends: dict[str, str], seed: int) -> None:
    manifest["spec"].pop("activeDeadlineSeconds", None)
    whole, cut = (_play(manifest, ends, random.Random(seed), cut=cut) for cut in (False, True))
    assert cut.run.finished
    assert _outcome(whole) == _outcome(cut)
    assert {command.node_id for command in whole.created} == {command.node_id for command in cut.created}


@settings(max_examples=100, deadline=None)
@given(_workflows(), _ENDINGS, st.integers(0, 2**32), st.lists(st.integers(0, 9), max_size=40))
def test_phases_only_move_forward_whatever_comes(
    manifest: dict[str, Any], ends: dict[str, str], seed: int, noise: list[int]
) -> None:
    choose = random.Random(seed)
    world = World(manifest, lambda command: _end_of(command, ends))
    seen: dict[str, str] = {}
    was = ""

    def check() -> None:
        nonlocal was
        for node_id, node in world.status.get("nodes", {}).items():
            before, phase = seen.get(node_id), node["phase"]
            if before is not None and before != phase:
                assert _RANK[phase] > _RANK[before], (node["name"], before, phase)
            seen[node_id] = phase
        now = world.status.get("phase", "")
        assert was in ("", "Running") or was == now
        was = now

    world.begin()
    check()
    for kind in noise:
        ids = [node_id for node_id in world.status.get("nodes", {})] or ["wf"]
        node_id = choose.choice(ids)
        command = next((c for c in reversed(world.created) if c.node_id == node_id), None)
        match kind:
            case 0 | 1 | 2 | 3 if world.pods:
                world.handle(world.answer(world.pods.pop(choose.choice(list(world.pods)))))
            case 4:
                world.handle(PodReport(node_id, choose.choice(["Pending", "Running"])))
            case 5 if command is not None:
                world.handle(world.answer(command))
            case 6 if command is not None:
                world.handle(PodGone(node_id))
            case 7:
                world.tick(choose.randint(1, 40))
            case 8:
                world.handle(Tick())
            case 9 if not world.run.finished:
                world.reopen()
        world.begin()
        check()
        if not world.run.finished:
            assert world.status["phase"] == "Running"


@settings(max_examples=100, deadline=None)
@given(_workflows(), _ENDINGS, st.integers(0, 2**32))
def test_the_same_events_at_the_same_moments_give_the_same_changes(
    manifest: dict[str, Any], ends: dict[str, str], seed: int
) -> None:
    world = World(manifest, lambda command: _end_of(command, ends))
    recorded = []
    handle = world.handle

    def recording(event: Any) -> Any:
        recorded.append((event, world.now))
        return handle(event)

    world.handle = recording  # type: ignore[method-assign]
    choose = random.Random(seed)
    world.begin()
    while not world.run.finished:
        if world.pods:
            world.handle(world.answer(world.pods.pop(choose.choice(list(world.pods)))))
        elif not world.step():
            break
        world.begin()
    run = Run.open(copy.deepcopy(manifest), world.validate)
    replayed = [run.handle(event, now) for event, now in recorded]
    assert json.dumps([c.patch() for c in replayed]) == json.dumps([c.patch() for c in world.changes])
    assert [c.commands for c in replayed] == [c.commands for c in world.changes]


@settings(max_examples=100, deadline=None)
@given(_workflows(), _ENDINGS, st.integers(0, 2**32), st.sampled_from(["Stop", "Terminate"]), st.integers(0, 12))
def test_a_shutdown_at_any_moment_ends_everything(
    manifest: dict[str, Any], ends: dict[str, str], seed: int, shutdown: str, after: int
) -> None:
    choose = random.Random(seed)
    world = World(manifest, lambda command: _end_of(command, ends))
    world.begin()
    for _ in range(after):
        if world.run.finished or not world.pods:
            break
        world.handle(world.answer(world.pods.pop(choose.choice(list(world.pods)))))
    if world.run.finished:
        return
    before = {command.node_id for command in world.created}
    world.edit({"spec": {"shutdown": shutdown}})
    started = [command for command in world.created if command.node_id not in before]
    assert all(command.on_exit for command in started) if shutdown == "Stop" else started == []
    world.play()
    assert world.run.finished
    assert all(_RANK[node["phase"]] == 2 for node in world.status["nodes"].values())


@settings(max_examples=60, deadline=None)
@given(_workflows(), _ENDINGS, st.integers(0, 2**32))
def test_a_pause_at_any_moment_changes_nothing_but_the_time(
    manifest: dict[str, Any], ends: dict[str, str], seed: int
) -> None:
    manifest["spec"].pop("activeDeadlineSeconds", None)
    whole = _play(manifest, ends, random.Random(seed))
    choose = random.Random(seed)
    world = World(manifest, lambda command: _end_of(command, ends))
    world.begin()
    while not world.run.finished:
        if choose.random() < 0.3:
            world.edit({"spec": {"suspend": True}})
            known = {command.node_id for command in world.created}
            for node_id in list(world.pods)[: choose.randint(0, 3)]:
                world.handle(world.answer(world.pods.pop(node_id)))
            assert {command.node_id for command in world.created} == known
            assert not world.run.finished
            world.edit({"spec": {"suspend": None}})
        elif not world.step():
            break
        world.begin()
    assert world.run.finished
    assert _outcome(world) == _outcome(whole)


@settings(max_examples=60, deadline=None)
@given(_workflows(), _ENDINGS, st.integers(0, 2**32), st.integers(1, 60))
def test_a_deadline_at_any_moment_ends_everything_but_exit_handlers(
    manifest: dict[str, Any], ends: dict[str, str], seed: int, seconds: int
) -> None:
    manifest["spec"]["activeDeadlineSeconds"] = seconds
    choose = random.Random(seed)
    world = World(manifest, lambda command: _end_of(command, ends))
    world.begin()
    while not world.run.finished and (world.now - START).total_seconds() < 200:
        if world.pods and choose.random() < 0.5:
            world.handle(world.answer(world.pods.pop(choose.choice(list(world.pods)))))
        world.tick(choose.randint(1, 20))
        if choose.random() < 0.2 and not world.run.finished:
            world.reopen()
        if (world.now - START).total_seconds() > seconds + 20:
            running = [node for node in world.run.nodes.values() if node["id"] in world.pods]
            assert all("onExit" in node["name"] for node in running)
            for node_id in list(world.pods):
                world.handle(world.answer(world.pods.pop(node_id)))
    assert world.run.finished


@settings(max_examples=100, deadline=None)
@given(_workflows(), _ENDINGS, st.integers(0, 2**32))
def test_what_is_written_is_what_the_run_knows(manifest: dict[str, Any], ends: dict[str, str], seed: int) -> None:
    world = _play(manifest, ends, random.Random(seed))
    assert world.run.nodes == world.status.get("nodes", {})
    opened = Run.open(world.object, world.validate)
    assert opened.finished
    assert opened.nodes == world.run.nodes
    assert world.now >= START
