"""From what was read of a step's files and standard output to its WorkflowTaskResult.

`report` writes as the pod's own service account, so RBAC decides as it does for Argo's executor, and may be called any
number of times. It never writes the Workflow: the controller reads the result when the pod has ended.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Protocol

from tiphys.errors import ApiError
from tiphys.kit.codec import decode
from tiphys.kube.client.api import Client
from tiphys.kube.objects.resources import served
from tiphys.workflow.pods import keys

__all__ = ["Captured", "report", "task_result"]

_log = logging.getLogger(__name__)
_RESULT_LIMIT = 256 << 10  # Argo keeps the last 256 KiB of standard output
_FOR_GOOD = frozenset((400, 403, 404, 413, 422))  # refusals that asking again does not change

TASK_RESULTS = served("argoproj.io", "workflowtaskresults")


class Captured(Protocol):
    """What the kubelet read for one entry of the pod's capture annotation."""

    @property
    def data(self) -> bytes | None:
        """The bytes; None when they could not be read."""
        ...

    @property
    def truncated(self) -> bool:
        """There was more than the limit."""
        ...

    @property
    def error(self) -> str:
        """Why there are no bytes, e.g. "no such file or directory"."""
        ...


async def report(client: Client, pod: Mapping[str, Any], captured: Mapping[str, Captured]) -> None:
    """Write the WorkflowTaskResult of a pod that has ended.

    Args:
        client: acting as `workflow.pods.reporting_account(pod)`.
        captured: by the names in the pod's capture annotation.

    Raises:
        ApiError, ConnectError: it may work later (call again). A refusal for good (RBAC, too large) is logged and not
            raised: the controller finds no result and says what is missing on the node.
    """
    result = task_result(pod, captured)
    if result is None:
        return
    name, namespace = result["metadata"]["name"], result["metadata"]["namespace"]
    try:
        await _upsert(client, result)
    except ApiError as error:
        if error.code not in _FOR_GOOD:
            raise
        _log.warning("outputs of pod %s/%s not reported: %s", namespace, pod["metadata"]["name"], error.message)
        if error.code != 403:
            await _explain(client, result, error.message)
    else:
        _log.debug("outputs of node %s/%s reported", namespace, name)


async def _upsert(client: Client, result: dict[str, Any]) -> None:
    name, namespace = result["metadata"]["name"], result["metadata"]["namespace"]
    try:
        await client.create(TASK_RESULTS, result, namespace)
    except ApiError as error:
        if error.reason != "AlreadyExists":
            raise
        # A second report of this pod, or the result of an earlier try of a retried node: nothing of that may remain.
        patch: dict[str, Any] = {"phase": None, "message": None, "outputs": {"result": None, "parameters": None}}
        for key in ("phase", "message"):
            patch[key] = result.get(key)
        patch["outputs"] |= result.get("outputs") or {}
        patch["metadata"] = {key: result["metadata"][key] for key in ("labels", "annotations", "ownerReferences")}
        await client.patch(TASK_RESULTS, name, patch, namespace)


async def _explain(client: Client, result: dict[str, Any], why: str) -> None:
    """Leave at least the reason, where the outputs themselves were refused."""
    told = {key: value for key, value in result.items() if key != "outputs"}
    told |= {"phase": "Error", "message": f"wait: the outputs could not be reported: {why}"}
    try:
        await _upsert(client, told)
    except ApiError as error:
        if error.code not in _FOR_GOOD:
            raise
        _log.warning("nor could the reason be reported: %s", error.message)


def task_result(pod: Mapping[str, Any], captured: Mapping[str, Captured]) -> dict[str, Any] | None:
    """The WorkflowTaskResult of a pod; None where it declares no outputs."""
    meta = pod["metadata"]
    annotations = meta.get("annotations") or {}
    if keys.OUTPUTS not in annotations:
        return None
    declared = decode(annotations[keys.OUTPUTS])
    outputs: dict[str, Any] = {}
    errors: list[str] = []
    parameters = [_parameter(parameter, captured, errors) for parameter in declared["parameters"]]
    if parameters:
        outputs["parameters"] = parameters
    if declared["result"]:
        outputs["result"] = _result(captured.get(keys.RESULT), errors)
    workflow = meta["labels"][keys.WORKFLOW]
    owners: list[dict[str, Any]] = meta.get("ownerReferences") or []
    owner = next((o for o in owners if o.get("kind") == "Workflow" and o.get("name") == workflow), {})
    result = {
        "apiVersion": TASK_RESULTS.api_version,
        "kind": TASK_RESULTS.kind,
        "metadata": {
            "name": annotations[keys.NODE_ID],
            "namespace": meta["namespace"],
            "labels": {keys.WORKFLOW: workflow, keys.REPORT_COMPLETED: "true"},
            "annotations": {keys.POD_UID: meta["uid"]},
            "ownerReferences": [
                {
                    "apiVersion": owner.get("apiVersion", TASK_RESULTS.api_version),
                    "kind": "Workflow",
                    "name": workflow,
                    "uid": owner.get("uid", ""),
                }
            ],
        },
        "outputs": outputs,
    }
    if errors:
        # The words of Argo's wait container, which dies of the first such error with this exit code.
        result |= {"phase": "Error", "message": f"wait: Error (exit code 64): {errors[0]}"}
    return result


def _parameter(declared: Mapping[str, Any], captured: Mapping[str, Captured], errors: list[str]) -> dict[str, Any]:
    """The parameter with its value: the file's text, else the default, else an error is noted."""
    source = declared.get("valueFrom") or {}
    path = source.get("path")
    if not path:
        return dict(declared)
    read = captured.get(keys.capture_name(declared["name"]))
    if read is not None and read.data is not None and not read.truncated:
        return {**declared, "value": _text(read.data)}
    if read is not None and read.truncated:
        errors.append(f"output parameter {declared['name']}: {path} is larger than a parameter may be")
    elif source.get("default") is not None:
        default = source["default"]
        return {**declared, "value": default if isinstance(default, str) else _plain(default)}
    else:
        errors.append(f"open {path}: {read.error if read and read.error else 'no such file or directory'}")
    return dict(declared)


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _result(read: Captured | None, errors: list[str]) -> str:
    if read is None or read.data is None:
        errors.append(f"standard output was not captured: {read.error if read and read.error else 'it is not there'}")
        return ""
    data = read.data.removesuffix(b"\n")
    return data[-_RESULT_LIMIT:].decode(errors="replace")


def _text(data: bytes) -> str:
    """One newline at the end is not part of the value; what is not UTF-8 becomes U+FFFD."""
    return data.removesuffix(b"\n").decode(errors="replace")
