"""What create, update and delete do to metadata."""

import copy
import datetime as dt
from typing import Any

import pytest

from tiphys.errors import ApiError
from tiphys.kube.objects import meta
from tiphys.kube.objects.resources import Resource, by_plural

NOW = dt.datetime(2026, 11, 23, 12, 26, 2, tzinfo=dt.UTC)


def resource(plural: str, group: str = "") -> Resource:
    found = by_plural(group, plural)
    assert found is not None
    return found


CONFIGMAPS, PODS, NAMESPACES = resource("configmaps"), resource("pods"), resource("namespaces")
WORKFLOWS, ES = resource("workflows", "argoproj.io"), resource("externalsecrets", "external-secrets.io")


def created(what: Resource = CONFIGMAPS, namespace: str = "ns", /, **metadata: Any) -> dict[str, Any]:
    value = {"metadata": metadata, "spec": {"a": 1}}
    before = copy.deepcopy(value)
    new = meta.for_create(what, value, namespace=namespace, now=NOW, uid="u1", suffix="x7z2k")
    assert value == before
    return new


def test_create_gives_what_only_the_server_gives() -> None:
    sent = {"name": "a", "uid": "mine", "resourceVersion": "9", "creationTimestamp": "x", "managedFields": []}
    assert created(CONFIGMAPS, **sent)["metadata"] == {
        "name": "a", "namespace": "ns", "uid": "u1", "creationTimestamp": "2026-11-23T12:26:02Z",
    }  # fmt: skip
    assert created(WORKFLOWS, name="a")["metadata"]["generation"] == 1


def test_a_name_is_generated_from_a_base_of_at_most_58_characters() -> None:
    assert created(generateName="get-")["metadata"]["name"] == "get-x7z2k"
    assert created(generateName="g" * 70)["metadata"]["name"] == "g" * 58 + "x7z2k"
    assert created(generateName="get-", name="given")["metadata"]["name"] == "given"


@pytest.mark.parametrize(
    ("what", "metadata", "message"),
    [
        (CONFIGMAPS, {}, 'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required'),
        (PODS, {"name": "A_b"}, 'Pod "A_b" is invalid: metadata.name: Invalid value: "A_b": a lowercase RFC 1123 '
         "subdomain must consist of lower case alphanumeric characters, '-' or '.'"),
        (NAMESPACES, {"name": "a.b"}, 'Invalid value: "a.b": a lowercase RFC 1123 label must consist of'),
        (CONFIGMAPS, {"name": "a" * 254}, "must be no more than 253 characters"),
        (CONFIGMAPS, {"name": "a", "labels": {"a/b/c": ""}}, 'metadata.labels: Invalid value: "a/b/c": a'),
        (CONFIGMAPS, {"name": "a", "labels": {"k": "-"}}, 'metadata.labels: Invalid value: "-": a valid label must be'),
        (CONFIGMAPS, {"name": "a", "annotations": {"k": "x" * 262145}}, "metadata.annotations: Too long"),
        (CONFIGMAPS, {"name": "a", "finalizers": ["no good"]}, "metadata.finalizers: Invalid value"),
        (CONFIGMAPS, {"name": "a", "ownerReferences": [{"kind": "Pod", "name": "p", "apiVersion": "v1"}]},
         'metadata.ownerReferences[0].uid: Invalid value: "": uid must not be empty'),
        (CONFIGMAPS, {"name": "a", "labels": {"k": 1}},
         "json: cannot unmarshal number into Go struct field .metadata.labels of type string"),
        (CONFIGMAPS, {"name": "a", "namespace": "other"},
         "the namespace of the provided object does not match the namespace sent on the request"),
    ],
)  # fmt: skip
def test_what_create_refuses(what: Resource, metadata: dict[str, Any], message: str) -> None:
    with pytest.raises(ApiError) as caught:
        created(what, "" if what is NAMESPACES else "ns", **metadata)
    assert message in caught.value.message


def test_roles_may_have_names_that_others_may_not() -> None:
    assert created(resource("roles", "rbac.authorization.k8s.io"), name="system:Tiphys")


def test_an_update_keeps_what_is_given_once_and_counts_changes_of_the_spec() -> None:
    old = created(WORKFLOWS, name="a", generateName="a-")
    new = {"metadata": {"name": "a", "uid": "u1", "creationTimestamp": "2000-01-01T00:00:00Z"}, "spec": {"a": 2}}
    changed = meta.for_update(WORKFLOWS, new, old)
    assert changed["metadata"] == {**old["metadata"], "generation": 2}
    relabelled = meta.for_update(WORKFLOWS, {**old, "metadata": {"name": "a", "labels": {"l": "1"}}}, old)
    assert relabelled["metadata"]["generation"] == 1
    assert meta.for_update(WORKFLOWS, old, old, parts_changed=True)["metadata"]["generation"] == 2
    assert meta.same(meta.for_update(WORKFLOWS, old, old), old)
    assert not meta.same(relabelled, old)


def test_status_counts_as_a_generation_only_where_it_is_no_subresource() -> None:
    for what, generation in ((WORKFLOWS, 2), (ES, 1)):
        old = created(what, name="a")
        assert meta.for_update(what, {**old, "status": {"x": 1}}, old)["metadata"]["generation"] == generation


def test_another_uid_is_a_conflict_and_another_name_is_wrong() -> None:
    old = created(name="a")
    with pytest.raises(ApiError, match="Precondition failed: UID in precondition: u2, UID in object meta: u1"):
        meta.for_update(CONFIGMAPS, {"metadata": {"name": "a", "uid": "u2"}}, old)
    with pytest.raises(ApiError, match="does not match the name on the URL"):
        meta.for_update(CONFIGMAPS, {"metadata": {"name": "b"}}, old)


def deleted(old: dict[str, Any], what: Resource = CONFIGMAPS, **how: Any) -> dict[str, Any] | None:
    return meta.for_delete(what, old, now=NOW, **how)


def test_what_nothing_holds_goes_at_once() -> None:
    assert deleted(created(name="a")) is None
    assert deleted(created(name="a", finalizers=["orphan"]), propagation="Background") is None


def test_finalizers_hold_an_object_until_the_last_is_gone() -> None:
    held = deleted(created(name="a", finalizers=["x.io/f"]), propagation="Foreground")
    assert held is not None
    assert held["metadata"]["finalizers"] == ["x.io/f", "foregroundDeletion"]
    assert held["metadata"]["deletionTimestamp"] == "2026-11-23T12:26:02Z"
    assert not meta.finished(CONFIGMAPS, held)
    released = meta.for_update(CONFIGMAPS, {**held, "metadata": {"name": "a", "finalizers": []}}, held)
    assert meta.finished(CONFIGMAPS, released)
    with pytest.raises(ApiError, match="no new finalizers can be added if the object is being deleted"):
        meta.for_update(CONFIGMAPS, {**held, "metadata": {"name": "a", "finalizers": ["y.io/g"]}}, held)


def test_a_pod_on_a_node_is_given_its_grace() -> None:
    pod = created(PODS, name="p") | {"spec": {"nodeName": "local"}}
    marked = deleted(pod, PODS)
    assert marked is not None
    assert marked["metadata"]["deletionTimestamp"] == "2026-11-23T12:26:32Z"
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 30
    assert not meta.finished(PODS, marked)
    sooner = deleted(marked, PODS, grace_seconds=1)
    assert sooner is not None
    assert sooner["metadata"]["deletionGracePeriodSeconds"] == 1
    assert deleted(marked, PODS, grace_seconds=0) is None
    assert deleted(created(PODS, name="p"), PODS) is None
    assert deleted(pod | {"status": {"phase": "Failed"}}, PODS) is None


def test_a_namespace_waits_for_its_spec_finalizers() -> None:
    namespace = created(NAMESPACES, "", name="n") | {"spec": {"finalizers": ["kubernetes"]}}
    marked = deleted(namespace, NAMESPACES)
    assert marked is not None
    assert marked["status"] == {"phase": "Terminating"}
    assert not meta.finished(NAMESPACES, marked)
    assert meta.finished(NAMESPACES, {**marked, "spec": {}})
