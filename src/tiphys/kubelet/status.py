"""What a pod's record says, as the `status` of the Pod: phases, conditions, container states as Kubernetes shows them.

Pure. A record (`state`) is what the shim writes, see `records`; times in it are seconds since the epoch.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from tiphys.kit.clock import rfc3339

__all__ = ["UNKNOWN", "failed", "first_moment", "lost", "of_record", "qos_class", "tells_of_start", "waiting"]

UNKNOWN = "ContainerStatusUnknown"
"""Kubernetes' reason for a container whose end nobody saw."""
_LOST_EXIT_CODE = 137
_ADDRESS = "127.0.0.1"


def of_record(pod: Mapping[str, Any], state: Mapping[str, Any], start: dt.datetime) -> dict[str, Any]:
    """The status of a pod that has a record.

    Args:
        start: when the kubelet took the pod on.
    """
    records = {record["name"]: record for record in state["containers"]}
    spec = pod["spec"]
    init = [records[c["name"]] for c in spec.get("initContainers") or ()]
    mains = [records[c["name"]] for c in spec["containers"]]
    initialized = all(_succeeded(record) for record in init)
    phase = _phase(state, init, mains)
    status = _frame(pod, phase, start)
    moment = _last_moment(records.values()) or start
    status["conditions"] = _conditions(start, moment, initialized, phase, [r["state"] == "running" for r in mains])
    not_yet = ("PodInitializing", "") if init else ("ContainerCreating", "")
    if init:
        status["initContainerStatuses"] = [
            _container(c, records[c["name"]], not_yet) for c in spec.get("initContainers") or ()
        ]
    status["containerStatuses"] = [_container(c, records[c["name"]], not_yet) for c in spec["containers"]]
    if state.get("reason"):
        status["reason"], status["message"] = state["reason"], state["message"]
    return status


def first_moment(state: Mapping[str, Any]) -> dt.datetime:
    """When the first container of a record was started: of a pod whose start nobody has written down."""
    seconds = min((record["started"] for record in state["containers"] if "started" in record), default=0.0)
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def waiting(
    pod: Mapping[str, Any], start: dt.datetime, reason: str, message: str, container: str = ""
) -> dict[str, Any]:
    """The status of a pod whose containers cannot be started yet; `container` is the one the reason is about."""
    status = _frame(pod, "Pending", start)
    spec = pod["spec"]
    status["conditions"] = _conditions(start, start, not spec.get("initContainers"), "Pending", [False])
    for kind, field in (("initContainers", "initContainerStatuses"), ("containers", "containerStatuses")):
        if spec.get(kind):
            status[field] = [
                _never_started(c, (reason, message) if container in ("", c["name"]) else ("ContainerCreating", ""))
                for c in spec[kind]
            ]
    return status


def failed(pod: Mapping[str, Any], start: dt.datetime, reason: str, message: str) -> dict[str, Any]:
    """The status of a pod that is refused, or ended before anything of it ran."""
    return {**_frame(pod, "Failed", start), "reason": reason, "message": message}


def lost(pod: Mapping[str, Any], state: Mapping[str, Any] | None, reason: str, message: str, now: float) -> Any:
    """The final record of a pod whose supervision ended before it could write one.

    What had ended before is told as it was seen; what ran, or may have run, is an end that nobody saw.
    """
    known = {record["name"]: record for record in (state or {}).get("containers", ())}
    records = []
    for kind in ("initContainers", "containers"):
        for spec in pod["spec"].get(kind) or ():
            record = dict(known.get(spec["name"]) or {"name": spec["name"], "attempt": 0, "last": None, "started": now})
            if record.get("state") in (None, "running"):
                record |= {
                    "state": "terminated",
                    "reason": UNKNOWN,
                    "message": message,
                    "exit_code": _LOST_EXIT_CODE,
                    "finished": now,
                }
            records.append(record)
    return {
        "uid": pod["metadata"]["uid"],
        "final": True,
        "reason": reason,
        "message": message,
        "containers": records,
        "captured": {},
    }


def tells_of_start(pod: Mapping[str, Any]) -> bool:
    """Whether a container of the pod has run, by its status: then it must not run again, whatever became of its files
    (removed by somebody, or the database was brought to another machine).
    """
    told = pod.get("status") or {}
    every = [*(told.get("initContainerStatuses") or ()), *(told.get("containerStatuses") or ())]
    return any("containerID" in one or "running" in (one.get("state") or {}) for one in every)


def qos_class(spec: Mapping[str, Any]) -> str:
    """Guaranteed, Burstable or BestEffort, as Kubernetes reckons."""
    every = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    asked = [container.get("resources") or {} for container in every]
    if not any((r.get("requests") or {}) or (r.get("limits") or {}) for r in asked):
        return "BestEffort"
    for resources in asked:
        limits = resources.get("limits") or {}
        requests = {**limits, **(resources.get("requests") or {})}
        if any(name not in limits or str(requests[name]) != str(limits[name]) for name in ("cpu", "memory")):
            return "Burstable"
    return "Guaranteed"


def _phase(state: Mapping[str, Any], init: Iterable[Mapping[str, Any]], mains: Iterable[Mapping[str, Any]]) -> str:
    if state["final"]:
        whole = all(_succeeded(record) for record in (*init, *mains)) and not state.get("reason")
        return "Succeeded" if whole else "Failed"
    return "Running" if all(_succeeded(record) for record in init) else "Pending"


def _succeeded(record: Mapping[str, Any]) -> bool:
    return bool(record["state"] == "terminated" and record["exit_code"] == 0)


def _frame(pod: Mapping[str, Any], phase: str, start: dt.datetime) -> dict[str, Any]:
    return {
        "phase": phase,
        "hostIP": _ADDRESS,
        "hostIPs": [{"ip": _ADDRESS}],
        "podIP": _ADDRESS,
        "podIPs": [{"ip": _ADDRESS}],
        "startTime": rfc3339(start),
        "qosClass": qos_class(pod["spec"]),
    }


def _last_moment(records: Iterable[Mapping[str, Any]]) -> dt.datetime | None:
    moments = [record[key] for record in records for key in ("started", "finished") if record.get(key) is not None]
    return dt.datetime.fromtimestamp(max(moments), dt.UTC) if moments else None


def _conditions(
    start: dt.datetime, moment: dt.datetime, initialized: bool, phase: str, running: list[bool]
) -> list[dict[str, Any]]:
    why = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(phase, "ContainersNotReady")
    ready = all(running) and phase == "Running"

    def condition(kind: str, holds: bool, when: dt.datetime, reason: str = "") -> dict[str, Any]:
        made: dict[str, Any] = {
            "type": kind,
            "status": "True" if holds else "False",
            "lastProbeTime": None,
            "lastTransitionTime": rfc3339(when),
        }
        return made | ({"reason": reason} if reason else {})

    init_reason = "PodCompleted" if phase == "Succeeded" else "" if initialized else "ContainersNotInitialized"
    return [
        condition("Initialized", initialized, start, init_reason),
        condition("Ready", ready, moment, "" if ready else why),
        condition("ContainersReady", ready, moment, "" if ready else why),
        condition("PodScheduled", True, start),
    ]


def _never_started(spec: Mapping[str, Any], why: tuple[str, str]) -> dict[str, Any]:
    reason, message = why
    waits = {"reason": reason} | ({"message": message} if message else {})
    return {
        "name": spec["name"],
        "image": spec.get("image", ""),
        "imageID": "",
        "ready": False,
        "started": False,
        "restartCount": 0,
        "state": {"waiting": waits},
        "lastState": {},
    }


def _container(spec: Mapping[str, Any], record: Mapping[str, Any], not_yet: tuple[str, str]) -> dict[str, Any]:
    if record["state"] == "waiting" and record["attempt"] < 0:
        return _never_started(spec, not_yet)
    running = record["state"] == "running"
    status = _never_started(spec, (record["reason"], record["message"]))
    status |= {
        "imageID": spec.get("image", ""),
        "ready": running or (record.get("init", False) and _succeeded(record)),
        "started": running,
        "restartCount": record["attempt"] + (1 if record["state"] == "waiting" else 0),
    }
    if record.get("id"):
        status["containerID"] = f"tiphys://{record['id']}"
    if running:
        status["state"] = {"running": {"startedAt": _when(record["started"])}}
    elif record["state"] == "terminated":
        status["state"] = {"terminated": _terminated(record)}
    if record.get("last"):
        status["lastState"] = {"terminated": _terminated(record["last"])}
    return status


def _terminated(record: Mapping[str, Any]) -> dict[str, Any]:
    ended: dict[str, Any] = {"exitCode": record["exit_code"], "reason": record["reason"]}
    if record.get("message"):
        ended["message"] = record["message"]
    ended |= {"startedAt": _when(record["started"]), "finishedAt": _when(record["finished"])}
    if record.get("id"):
        ended["containerID"] = f"tiphys://{record['id']}"
    return ended


def _when(seconds: float) -> str:
    return rfc3339(dt.datetime.fromtimestamp(seconds, dt.UTC))
