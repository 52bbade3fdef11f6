"""What is said of a pod's fields holds for the kubelet: what is let in at create is not refused when the pod starts."""

from typing import Any

import pytest

from tiphys.errors import SpecError
from tiphys.kubelet import fields as kubelet
from tiphys.workflow.spec import fields
from tiphys.workflow.spec.support import Support, rows

# A value of each type that asks for something.
VALUES: dict[str, Any] = {
    "boolean": True,
    "int32": 1000,
    "integer": 1000,
    "string": "x",
    "any": {"x": "y"},
    "quantity": "1",
}
# Taken by Argo's controller before there is a pod.
NOT_OF_A_POD = {"mirrorVolumeMounts", "source"}
# Decided by its value: the user pods run as, the capabilities by their names.
BY_VALUE = {"capabilities", "runAsUser", "runAsGroup"}


def value_of(type_: str) -> Any:
    base = type_.lstrip("[{")
    value = VALUES.get(base, {"name": "x"})
    for wrap in reversed(type_.removesuffix(base)):
        value = [value] if wrap == "[" else {"key": value}
    return value


def accepts(pod: dict[str, Any]) -> bool:
    try:
        kubelet.check({"containers": [], **pod}, 1000, 1000, namespaces=True)
    except SpecError:
        return False
    return True


def cases(type_: str) -> list[Any]:
    judged = rows()[type_].items()
    return [pytest.param(name, row.support, id=name) for name, row in judged if name not in NOT_OF_A_POD | BY_VALUE]


@pytest.mark.parametrize(("name", "support"), cases("UserContainer"))
def test_containers(name: str, support: Support) -> None:
    value = value_of(fields.type_of("UserContainer", name) or "")
    if name == "securityContext":
        value = {"runAsNonRoot": True}
    assert accepts({"containers": [{name: value}]}) == (support is not Support.REFUSED)


@pytest.mark.parametrize(("name", "support"), cases("VolumeMount"))
def test_mounts(name: str, support: Support) -> None:
    value = value_of(fields.type_of("VolumeMount", name) or "")
    assert accepts({"containers": [{"volumeMounts": [{name: value}]}]}) == (support is not Support.REFUSED)


@pytest.mark.parametrize(("name", "support"), cases("SecurityContext"))
def test_the_security_of_a_container(name: str, support: Support) -> None:
    value = value_of(fields.type_of("SecurityContext", name) or "")
    assert accepts({"containers": [{"securityContext": {name: value}}]}) == (support is not Support.REFUSED)


@pytest.mark.parametrize(("name", "support"), cases("PodSecurityContext"))
def test_the_security_of_a_pod(name: str, support: Support) -> None:
    value = value_of(fields.type_of("PodSecurityContext", name) or "")
    assert accepts({"securityContext": {name: value}}) == (support is not Support.REFUSED)


@pytest.mark.parametrize(
    ("name", "of_pod"),
    [
        ("affinity", "affinity"),
        ("automountServiceAccountToken", "automountServiceAccountToken"),
        ("dnsConfig", "dnsConfig"),
        ("dnsPolicy", "dnsPolicy"),
        ("hostAliases", "hostAliases"),
        ("hostNetwork", "hostNetwork"),
        ("imagePullSecrets", "imagePullSecrets"),
        ("nodeSelector", "nodeSelector"),
        ("podPriority", "priority"),
        ("podPriorityClassName", "priorityClassName"),
        ("schedulerName", "schedulerName"),
        ("serviceAccountName", "serviceAccountName"),
        ("tolerations", "tolerations"),
    ],
)
def test_what_goes_from_the_workflow_to_its_pods(name: str, of_pod: str) -> None:
    value = value_of(fields.type_of("WorkflowSpec", name) or "")
    assert accepts({of_pod: value}) == (rows()["WorkflowSpec"][name].support is not Support.REFUSED)


def test_volumes() -> None:
    from tiphys.kubelet.volumes import kind_of

    for name, row in rows()["Volume"].items():
        if name == "name":
            continue
        if row.support is Support.REFUSED:
            with pytest.raises(SpecError):
                kind_of({"name": "v", name: {}})
        else:
            assert kind_of({"name": "v", name: {}}) == name
