"""The Pod of a container or script step, as Argo's controller makes it, without Argo's own init and wait containers.

What those two do on a cluster is asked of the kubelet by annotations (see `keys`): the script's source comes by a
downwardAPI volume, and what must be read when `main` has ended (output parameters, standard output) is listed in
`tiphys.io/capture`. Labels, annotations, environment and the order of overrides are Argo's.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tiphys.errors import SpecError
from tiphys.kit.clock import rfc3339
from tiphys.kit.codec import encode
from tiphys.workflow.engine.protocol import CreatePod
from tiphys.workflow.pods import keys
from tiphys.workflow.pods.overrides import patch_spec, substitute

__all__ = ["PodSettings", "build"]

_STAGING = "argo-staging"
_NEVER = "0001-01-01T00:00:00Z"  # Go's zero time: what ARGO_DEADLINE holds when there is none
_FIRST_OF_TEMPLATE_AND_SPEC = ("affinity", "nodeSelector", "schedulerName", "securityContext", "tolerations")


@dataclass(frozen=True, slots=True)
class PodSettings:
    """What a pod may hand back.

    Attributes:
        parameter_limit: bytes of an output parameter's file; a longer one is an error, not cut.
        result_limit: bytes of standard output kept as `outputs.result`, from its end, as Argo does.
    """

    parameter_limit: int = 1 << 20
    result_limit: int = 256 << 10


def build(
    workflow: Mapping[str, Any],
    spec: Mapping[str, Any],
    command: CreatePod,
    *,
    now: dt.datetime,
    scope: Mapping[str, str],
    settings: PodSettings = PodSettings(),  # noqa: B008 - frozen
) -> dict[str, Any]:
    """The Pod manifest of a node.

    Args:
        workflow: for its name, namespace, uid.
        spec: of the workflow, merged with its workflowTemplateRef.
        scope: `workflow.*` variables, for the parts of the spec that no template carries (volumes, podMetadata, …).

    Raises:
        SpecError: no such pod can be made; the message is fit for the node.
    """
    template = command.template
    scope = {**scope, **_locals(command)}
    main = _main_container(template)
    containers = [main, *_user_containers(template.get("sidecars"), main)]
    init_containers = _user_containers(template.get("initContainers"), main)
    mounted = [*init_containers, *containers]
    metadata = _metadata(workflow, spec, command, scope, settings)
    pod_spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "volumes": _volumes(template, spec, mounted, scope),
        **_account(metadata, spec, template),
        **_placement(spec, template, scope),
    }
    if (deadline := _active_deadline(command, now)) is not None:
        pod_spec["activeDeadlineSeconds"] = deadline
    if (template.get("script") or {}).get("source"):
        main["args"] = [*(main.get("args") or []), f"{keys.SCRIPT_DIR}/script"]
        main["volumeMounts"] = [*(main.get("volumeMounts") or []), {"name": _STAGING, "mountPath": keys.SCRIPT_DIR}]
        pod_spec["volumes"].append(_script_volume())
    for container in mounted:
        container["env"] = [*(container.get("env") or []), *_environment(workflow, command, container["name"])]
    pod_spec["containers"] = containers
    if init_containers:
        pod_spec["initContainers"] = init_containers
    patches = [substitute(patch, scope) for patch in (spec.get("podSpecPatch"), template.get("podSpecPatch")) if patch]
    if patches:
        pod_spec = patch_spec(pod_spec, patches)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod_spec}


def _locals(command: CreatePod) -> dict[str, str]:
    inputs = (command.template.get("inputs") or {}).get("parameters") or []
    return {"pod.name": command.pod_name} | {f"inputs.parameters.{p['name']}": str(p.get("value", "")) for p in inputs}


def _main_container(template: Mapping[str, Any]) -> dict[str, Any]:
    raw = template.get("container") or template.get("script")
    if not isinstance(raw, dict):
        raise SpecError(f"template {template.get('name', '')!r} is neither container nor script: no pod can run it")
    return {"name": keys.MAIN} | {key: value for key, value in raw.items() if key not in ("name", "source")}


def _user_containers(raw: Iterable[Mapping[str, Any]] | None, main: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Sidecars and init containers; `mirrorVolumeMounts` gives them main's mounts."""
    made = []
    for container in raw or ():
        own = {key: value for key, value in container.items() if key != "mirrorVolumeMounts"}
        if container.get("mirrorVolumeMounts"):
            own["volumeMounts"] = [*(own.get("volumeMounts") or []), *(main.get("volumeMounts") or [])]
        made.append(own)
    return made


def _metadata(
    workflow: Mapping[str, Any],
    spec: Mapping[str, Any],
    command: CreatePod,
    scope: Mapping[str, str],
    settings: PodSettings,
) -> dict[str, Any]:
    meta = workflow["metadata"]
    labels = {keys.WORKFLOW: meta["name"], keys.COMPLETED: "false"}
    if command.on_exit:
        labels[keys.ON_EXIT] = "true"
    annotations = {
        keys.NODE_NAME: command.node_name,
        keys.NODE_ID: command.node_id,
        keys.DEFAULT_CONTAINER: keys.MAIN,
        **_asked_of_kubelet(command, settings),
    }
    if strategy := (pod_gc := spec.get("podGC") or {}).get("strategy"):
        annotations[keys.POD_GC_STRATEGY] = f"{strategy}/{pod_gc.get('deleteDelayDuration') or ''}"
    for given in (substitute(spec.get("podMetadata"), scope), command.template.get("metadata")):
        labels |= (given or {}).get("labels") or {}
        annotations |= (given or {}).get("annotations") or {}
    return {
        "name": command.pod_name,
        "namespace": meta.get("namespace", ""),
        "labels": labels,
        "annotations": annotations,
        "ownerReferences": [
            {
                "apiVersion": workflow.get("apiVersion", "argoproj.io/v1alpha1"),
                "kind": "Workflow",
                "name": meta["name"],
                "uid": meta.get("uid", ""),
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }


def _asked_of_kubelet(command: CreatePod, settings: PodSettings) -> dict[str, str]:
    template, asked = command.template, {}
    if source := (template.get("script") or {}).get("source"):
        asked[keys.SCRIPT] = str(source)
    declared = (template.get("outputs") or {}).get("parameters") or []
    capture: list[dict[str, Any]] = [
        {
            "name": keys.capture_name(parameter["name"]),
            "container": keys.MAIN,
            "file": parameter["valueFrom"]["path"],
            "limit": settings.parameter_limit,
        }
        for parameter in declared
        if (parameter.get("valueFrom") or {}).get("path")
    ]
    if command.capture_result:
        # One byte more than is kept: a last newline does not count.
        limit = settings.result_limit + 1
        capture.append({"name": keys.RESULT, "container": keys.MAIN, "stdout": True, "limit": limit})
    if capture:
        asked[keys.CAPTURE] = encode(capture).decode()
        asked[keys.OUTPUTS] = encode({"parameters": declared, "result": command.capture_result}).decode()
    if template.get("sidecars"):
        asked[keys.ENDS_WITH] = keys.MAIN
    return asked


def _volumes(
    template: Mapping[str, Any], spec: Mapping[str, Any], containers: list[dict[str, Any]], scope: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The template's volumes, and those of the spec that a container mounts."""
    volumes = {volume["name"]: volume for volume in template.get("volumes") or []}
    shared = {volume["name"]: volume for volume in spec.get("volumes") or []}
    for container in containers:
        for mount in container.get("volumeMounts") or []:
            name = mount["name"]
            if name in volumes:
                continue
            if name not in shared:
                raise SpecError(f"volume '{name}' not found in workflow spec")
            volumes[name] = substitute(shared[name], scope)
    return list(volumes.values())


def _script_volume() -> dict[str, Any]:
    field = {"apiVersion": "v1", "fieldPath": f"metadata.annotations['{keys.SCRIPT}']"}
    return {"name": _STAGING, "downwardAPI": {"items": [{"path": "script", "fieldRef": field}]}}


def _account(metadata: dict[str, Any], spec: Mapping[str, Any], template: Mapping[str, Any]) -> dict[str, Any]:
    account: dict[str, Any] = {}
    if name := template.get("serviceAccountName") or spec.get("serviceAccountName"):
        account["serviceAccountName"] = name
    executor = (template.get("executor") or {}).get("serviceAccountName") or (spec.get("executor") or {}).get(
        "serviceAccountName"
    )
    if executor:
        metadata["annotations"][keys.EXECUTOR_SERVICE_ACCOUNT] = executor
    automount = template.get("automountServiceAccountToken")
    if automount is None:
        automount = spec.get("automountServiceAccountToken")
    if automount is False:
        if not executor:
            # Argo refuses it too: there its wait container would have no token to report outputs with.
            raise SpecError("executor.serviceAccountName must not be empty if automountServiceAccountToken is false")
        account["automountServiceAccountToken"] = False
    return account


def _placement(spec: Mapping[str, Any], template: Mapping[str, Any], scope: Mapping[str, str]) -> dict[str, Any]:
    """Scheduling, network and priority: the template's word, else the spec's; host aliases add up."""
    placed: dict[str, Any] = {}
    for name in _FIRST_OF_TEMPLATE_AND_SPEC:
        if value := template.get(name) or substitute(spec.get(name), scope):
            placed[name] = value
    for name in ("dnsConfig", "dnsPolicy", "hostNetwork", "imagePullSecrets"):
        if value := substitute(spec.get(name), scope):
            placed[name] = value
    if priority_class := template.get("priorityClassName") or spec.get("podPriorityClassName"):
        placed["priorityClassName"] = priority_class
    priority = template.get("priority")
    if priority is None:
        priority = spec.get("podPriority")
    if priority is not None:
        placed["priority"] = priority
    if aliases := [*(substitute(spec.get("hostAliases"), scope) or []), *(template.get("hostAliases") or [])]:
        placed["hostAliases"] = aliases
    return placed


def _active_deadline(command: CreatePod, now: dt.datetime) -> int | None:
    """Seconds from the pod's start; a template's own limit and the node's deadline, whichever comes first."""
    own = command.template.get("activeDeadlineSeconds")
    limits = []
    if own is not None:
        try:
            limits.append(int(own))
        except (TypeError, ValueError) as error:
            raise SpecError(f"value '{own}' cannot be resolved to an int", "activeDeadlineSeconds") from error
    if command.deadline is not None:
        limits.append(max(1, math.ceil((command.deadline - now).total_seconds())))
    return min(limits, default=None)


def _environment(workflow: Mapping[str, Any], command: CreatePod, container: str) -> list[dict[str, Any]]:
    meta = workflow["metadata"]
    return [
        {"name": "ARGO_CONTAINER_NAME", "value": container},
        {"name": "ARGO_NODE_ID", "value": command.node_id},
        {"name": "ARGO_INCLUDE_SCRIPT_OUTPUT", "value": "true" if command.capture_result else "false"},
        {"name": "ARGO_DEADLINE", "value": rfc3339(command.deadline) if command.deadline else _NEVER},
        {"name": "ARGO_WORKFLOW_NAME", "value": meta["name"]},
        {"name": "ARGO_WORKFLOW_UID", "value": meta.get("uid", "")},
        {"name": "ARGO_POD_NAME", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}},
        {"name": "ARGO_POD_UID", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.uid"}}},
    ]
