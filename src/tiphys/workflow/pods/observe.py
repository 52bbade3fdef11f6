"""What a pod's status says of its node: phase and message by Argo's rules, outputs, host, resources used. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tiphys.kit.clock import from_rfc3339
from tiphys.kube.objects.quantities import milli
from tiphys.workflow.engine.protocol import LeafPhase, PodReport
from tiphys.workflow.pods import keys

__all__ = ["observe", "outputs_expected", "reporting_account", "resources_duration"]

# A sidecar that was told to end once main had ended is no failure: SIGKILL, SIGTERM.
_ENDED_BY_US = (137, 143)
# Kubernetes' word for a container whose end nobody saw.
_NOBODY_SAW = "ContainerStatusUnknown"
_NO_INTERPRETER = f'"{keys.SCRIPT_DIR}/script": permission denied'
_MI_100 = 100 * 1024 * 1024 * 1000  # 100Mi, in thousandths of a byte
_GI_10 = 10 * 1024**3 * 1000
_UNIT = {"memory": _MI_100, "storage": _GI_10, "ephemeral-storage": _GI_10}


def outputs_expected(pod: Mapping[str, Any]) -> bool:
    """Whether the pod has ended and its outputs must be looked for in a WorkflowTaskResult."""
    phase = (pod.get("status") or {}).get("phase")
    return phase in ("Succeeded", "Failed") and keys.CAPTURE in (pod["metadata"].get("annotations") or {})


def reporting_account(pod: Mapping[str, Any]) -> tuple[str, str]:
    """Namespace and name of the service account that reports a pod's outputs."""
    annotations = pod["metadata"].get("annotations") or {}
    name = annotations.get(keys.EXECUTOR_SERVICE_ACCOUNT) or (pod.get("spec") or {}).get("serviceAccountName")
    return pod["metadata"]["namespace"], name or "default"


def observe(pod: Mapping[str, Any], task_result: Mapping[str, Any] | None) -> PodReport:
    """The report of a pod.

    Args:
        task_result: the WorkflowTaskResult of the node, where `outputs_expected`; None when there is none (then a pod
            that succeeded is an Error: its outputs are lost). One that speaks of another pod counts as none.
    """
    meta, status = pod["metadata"], pod.get("status") or {}
    node_id = meta["annotations"][keys.NODE_ID]
    host, pod_ip = (pod.get("spec") or {}).get("nodeName", ""), status.get("podIP", "")
    pod_phase = status.get("phase") or "Pending"
    if pod_phase == "Pending":
        return PodReport(node_id, "Pending", _pending_reason(status), host=host, pod_ip=pod_ip)
    if pod_phase == "Running":
        return PodReport(node_id, "Running", host=host, pod_ip=pod_ip)
    phase, message = _ended(meta, status, pod_phase)
    outputs: dict[str, Any] = {}
    if outputs_expected(pod):
        if task_result is not None and _speaks_of(task_result, meta):
            outputs |= task_result.get("outputs") or {}
            if phase == "Succeeded" and task_result.get("phase") in ("Failed", "Error"):
                phase, message = task_result["phase"], task_result.get("message", "")
        elif phase == "Succeeded":
            phase, message = "Error", f"wait: the outputs of pod {meta['name']} were not reported"
    if (exit_code := _exit_code(status)) is not None:
        outputs["exitCode"] = str(exit_code)
    return PodReport(
        node_id, phase, message, outputs or None, host, pod_ip, resources_duration(pod.get("spec") or {}, status)
    )


def _speaks_of(task_result: Mapping[str, Any], meta: Mapping[str, Any]) -> bool:
    uid = (task_result["metadata"].get("annotations") or {}).get(keys.POD_UID)
    return uid is None or uid == meta.get("uid")


def _ended(meta: Mapping[str, Any], status: Mapping[str, Any], pod_phase: str) -> tuple[LeafPhase, str]:
    for container in _containers(status):
        terminated = container["state"].get("terminated") or {}
        if terminated.get("reason") == _NOBODY_SAW:
            said = terminated.get("message") or status.get("message") or "the end of the step was not seen"
            return "Error", f"{container['name']}: {said}"
    if pod_phase == "Succeeded":
        return "Succeeded", ""
    if pod_phase == "Failed":
        return _failed(meta, status)
    if pod_phase == "Unknown":
        return "Error", status.get("message") or "the state of the step is not known any more"
    return "Error", f"Unexpected pod phase for {meta['name']}: {pod_phase}"


def _failed(meta: Mapping[str, Any], status: Mapping[str, Any]) -> tuple[LeafPhase, str]:
    """The one message of a failed pod; of several containers that failed, init containers first, then main."""
    if message := status.get("message"):
        return "Failed", message
    seen = False
    for container in _containers(status):
        seen = True
        name, state = container["name"], container["state"]
        if waiting := state.get("waiting"):
            why = f"{waiting.get('reason', '')}: {waiting.get('message', '')}"
            return "Error", f"Pod failed before {name} container starts due to {why}"
        terminated = state.get("terminated")
        if terminated is None or terminated.get("exitCode", 0) == 0:
            continue
        code = terminated["exitCode"]
        if name != keys.MAIN and not container["init"] and code in _ENDED_BY_US:
            continue
        message = f"{name}: {terminated.get('reason', '')} (exit code {code})"
        if said := terminated.get("message"):
            message += f": {said}"
            if _NO_INTERPRETER in said:
                message += ": the script has no `command:` to run it, and its image brings none here"
        return "Failed", message
    if not seen:
        return "Failed", f"can't find failed message for pod {meta['name']} namespace {meta.get('namespace', '')}"
    return "Succeeded", ""


def _containers(status: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Init containers, main, then sidecars."""
    for container in status.get("initContainerStatuses") or ():
        yield {"name": container["name"], "init": True, "state": container.get("state") or {}}
    ordered = sorted(status.get("containerStatuses") or (), key=lambda container: container["name"] != keys.MAIN)
    for container in ordered:
        yield {"name": container["name"], "init": False, "state": container.get("state") or {}}


def _pending_reason(status: Mapping[str, Any]) -> str:
    for container in status.get("containerStatuses") or ():
        if waiting := (container.get("state") or {}).get("waiting"):
            return ": ".join(filter(None, (waiting.get("reason"), waiting.get("message"))))
    for condition in status.get("conditions") or ():
        if condition.get("reason") == "Unschedulable":
            return ": ".join(filter(None, ("Unschedulable", condition.get("message"))))
    return ""


def _exit_code(status: Mapping[str, Any]) -> int | None:
    for container in status.get("containerStatuses") or ():
        terminated = (container.get("state") or {}).get("terminated")
        if container["name"] == keys.MAIN and terminated is not None:
            return int(terminated.get("exitCode", 0))
    return None


def resources_duration(spec: Mapping[str, Any], status: Mapping[str, Any]) -> dict[str, int]:
    """Seconds of each resource, as Argo counts: request (else limit, else 100m and 100Mi) by whole seconds of life.

    A unit is one CPU, 100Mi of memory, 10Gi of storage, one of anything else; every product is cut to whole seconds.
    """
    ages = {}
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        ages[container["name"]] = _age((container.get("state") or {}).get("terminated"))
    total: dict[str, int] = {}
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        age = ages.get(container["name"], 0)
        wanted = {"cpu": 100, "memory": _MI_100}
        resources = container.get("resources") or {}
        for given in (resources.get("limits"), resources.get("requests")):
            wanted |= {name: milli(quantity) for name, quantity in (given or {}).items()}
        for name, quantity in wanted.items():
            total[name] = total.get(name, 0) + quantity * age // _UNIT.get(name, 1000)
    return total


def _age(terminated: Mapping[str, Any] | None) -> int:
    if not terminated or not terminated.get("startedAt") or not terminated.get("finishedAt"):
        return 0
    return max(0, int((from_rfc3339(terminated["finishedAt"]) - from_rfc3339(terminated["startedAt"])).total_seconds()))
