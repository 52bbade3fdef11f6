"""The shapes the server relies on: lenses that an object must fit before any rule, column or log looks into it.

Called by `admission` for every write. Only fields that code of this package reads stand here; all others pass. What
does not fit is refused as the real server's decoder refuses it, so that nothing behind this has to expect the absurd.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tiphys.kit.clock import from_rfc3339
from tiphys.kit.codec import DecodeError, Struct, convert
from tiphys.kube.objects import status
from tiphys.kube.objects.resources import Resource

__all__ = ["check"]

_Object = dict[str, Any]
_Strings = dict[str, str | None] | None


class _ResourceRequirements(Struct):
    limits: dict[str, str | int | float] | None = None
    requests: dict[str, str | int | float] | None = None


class _FieldSource(Struct):
    fieldRef: _Object | None = None  # noqa: N815 - the field's name


class _Variable(Struct):
    name: str | None = None
    value: str | None = None
    valueFrom: _FieldSource | None = None  # noqa: N815


class _VolumeMount(Struct):
    name: str | None = None
    mountPath: str | None = None  # noqa: N815


class _Container(Struct):
    name: str | None = None
    image: str | None = None
    command: list[str] | None = None
    args: list[str] | None = None
    env: list[_Variable] | None = None
    envFrom: list[_Object] | None = None  # noqa: N815
    ports: list[_Object] | None = None
    resources: _ResourceRequirements | None = None
    volumeMounts: list[_VolumeMount] | None = None  # noqa: N815


class _DownwardVolume(Struct):
    items: list[_FieldSource] | None = None


class _Volume(Struct):
    name: str | None = None
    configMap: _Object | None = None  # noqa: N815
    downwardAPI: _DownwardVolume | None = None  # noqa: N815
    emptyDir: _Object | None = None  # noqa: N815
    projected: _Object | None = None
    secret: _Object | None = None


class _PodSpec(Struct):
    activeDeadlineSeconds: int | None = None  # noqa: N815
    automountServiceAccountToken: bool | None = None  # noqa: N815
    containers: list[_Container] | None = None
    imagePullSecrets: list[_Object] | None = None  # noqa: N815
    initContainers: list[_Container] | None = None  # noqa: N815
    nodeName: str | None = None  # noqa: N815
    restartPolicy: str | None = None  # noqa: N815
    serviceAccount: str | None = None  # noqa: N815
    serviceAccountName: str | None = None  # noqa: N815
    terminationGracePeriodSeconds: int | None = None  # noqa: N815
    tolerations: list[_Object] | None = None
    volumes: list[_Volume] | None = None


class _Waiting(Struct):
    reason: str | None = None


class _ContainerState(Struct):
    running: _Object | None = None
    terminated: _Waiting | None = None
    waiting: _Waiting | None = None


class _ContainerStatus(Struct):
    name: str | None = None
    lastState: _ContainerState | None = None  # noqa: N815
    ready: bool | None = None
    restartCount: int | None = None  # noqa: N815
    state: _ContainerState | None = None


class _PodStatus(Struct):
    conditions: list[_Object] | None = None
    containerStatuses: list[_ContainerStatus] | None = None  # noqa: N815
    initContainerStatuses: list[_ContainerStatus] | None = None  # noqa: N815
    phase: str | None = None


class _Pod(Struct):
    spec: _PodSpec | None = None
    status: _PodStatus | None = None


class _ConfigMap(Struct):
    data: _Strings = None
    binaryData: _Strings = None  # noqa: N815
    immutable: bool | None = None


class _Secret(Struct):
    data: _Strings = None
    stringData: _Strings = None  # noqa: N815
    immutable: bool | None = None
    type: str | None = None


class _ServiceAccount(Struct):
    automountServiceAccountToken: bool | None = None  # noqa: N815
    imagePullSecrets: list[_Object] | None = None  # noqa: N815
    secrets: list[_Object] | None = None


class _Finalized(Struct):
    finalizers: list[str] | None = None


class _Status(Struct):
    conditions: list[_Object] | None = None


class _Namespace(Struct):
    spec: _Finalized | None = None
    status: _Status | None = None


class _Rule(Struct):
    apiGroups: list[str] | None = None  # noqa: N815
    nonResourceURLs: list[str] | None = None  # noqa: N815
    resourceNames: list[str] | None = None  # noqa: N815
    resources: list[str] | None = None
    verbs: list[str] | None = None


class _Selector(Struct):
    matchExpressions: list[_Object] | None = None  # noqa: N815
    matchLabels: dict[str, str] | None = None  # noqa: N815


class _Aggregation(Struct):
    clusterRoleSelectors: list[_Selector] | None = None  # noqa: N815


class _Role(Struct):
    aggregationRule: _Aggregation | None = None  # noqa: N815
    rules: list[_Rule] | None = None


class _Reference(Struct):
    apiGroup: str | None = None  # noqa: N815
    kind: str | None = None
    name: str | None = None
    namespace: str | None = None


class _Binding(Struct):
    roleRef: _Reference | None = None  # noqa: N815
    subjects: list[_Reference] | None = None


class _StoreReference(Struct):
    kind: str | None = None
    name: str | None = None


class _RemoteReference(Struct):
    conversionStrategy: str | None = None  # noqa: N815
    decodingStrategy: str | None = None  # noqa: N815
    key: str | None = None
    metadataPolicy: str | None = None  # noqa: N815
    property: str | None = None
    version: str | None = None


class _ExternalData(Struct):
    extract: _RemoteReference | None = None
    remoteRef: _RemoteReference | None = None  # noqa: N815
    secretKey: str | None = None  # noqa: N815


class _TemplateItem(Struct):
    key: str
    templateAs: str | None = None  # noqa: N815


class _TemplateSource(Struct):
    items: list[_TemplateItem] | None = None
    name: str | None = None


class _TemplateFrom(Struct):
    configMap: _TemplateSource | None = None  # noqa: N815
    secret: _TemplateSource | None = None
    target: str | None = None


class _TemplateMetadata(Struct):
    annotations: dict[str, str] | None = None
    labels: dict[str, str] | None = None


class _Template(Struct):
    data: dict[str, str] | None = None
    engineVersion: str | None = None  # noqa: N815
    mergePolicy: str | None = None  # noqa: N815
    metadata: _TemplateMetadata | None = None
    templateFrom: list[_TemplateFrom] | None = None  # noqa: N815
    type: str | None = None


class _Target(Struct):
    creationPolicy: str | None = None  # noqa: N815
    deletionPolicy: str | None = None  # noqa: N815
    immutable: bool | None = None
    name: str | None = None
    template: _Template | None = None


class _ExternalSpec(Struct):
    data: list[_ExternalData] | None = None
    dataFrom: list[_ExternalData] | None = None  # noqa: N815
    refreshInterval: str | None = None  # noqa: N815
    refreshPolicy: str | None = None  # noqa: N815
    secretStoreRef: _StoreReference | None = None  # noqa: N815
    target: _Target | None = None


class _ExternalStatus(Struct):
    conditions: list[_Object] | None = None
    refreshTime: str | None = None  # noqa: N815
    syncedResourceVersion: str | None = None  # noqa: N815


class _ExternalSecret(Struct):
    spec: _ExternalSpec | None = None
    status: _ExternalStatus | None = None


class _FakeRow(Struct):
    key: str | None = None
    value: str | None = None
    valueMap: dict[str, str] | None = None  # noqa: N815
    version: str | None = None


class _FakeProvider(Struct):
    data: list[_FakeRow] | None = None


class _KubernetesServer(Struct):
    url: str | None = None


class _KubernetesAuth(Struct):
    serviceAccount: _Reference | None = None  # noqa: N815


class _KubernetesProvider(Struct):
    auth: _KubernetesAuth | None = None
    remoteNamespace: str | None = None  # noqa: N815
    server: _KubernetesServer | None = None


class _Provider(Struct):
    fake: _FakeProvider | None = None
    kubernetes: _KubernetesProvider | None = None


class _StoreCondition(Struct):
    namespaceRegexes: list[str] | None = None  # noqa: N815
    namespaceSelector: _Selector | None = None  # noqa: N815
    namespaces: list[str] | None = None


class _StoreSpec(Struct):
    conditions: list[_StoreCondition] | None = None
    provider: _Provider | None = None


class _Store(Struct):
    spec: _StoreSpec | None = None
    status: _Status | None = None


class _Custom(Struct):
    spec: _Object | None = None
    status: _Status | None = None


class _Workflow(Struct):
    spec: _Object | None = None
    status: _Object | None = None


class _Series(Struct):
    count: int | None = None
    lastObservedTime: str | None = None  # noqa: N815


class _Event(Struct):
    action: str | None = None
    deprecatedFirstTimestamp: str | None = None  # noqa: N815
    deprecatedLastTimestamp: str | None = None  # noqa: N815
    deprecatedSource: _Object | None = None  # noqa: N815
    eventTime: str | None = None  # noqa: N815
    firstTimestamp: str | None = None  # noqa: N815
    involvedObject: _Reference | None = None  # noqa: N815
    lastTimestamp: str | None = None  # noqa: N815
    message: str | None = None
    note: str | None = None
    reason: str | None = None
    regarding: _Reference | None = None
    reportingComponent: str | None = None  # noqa: N815
    reportingController: str | None = None  # noqa: N815
    reportingInstance: str | None = None  # noqa: N815
    series: _Series | None = None
    source: _Object | None = None
    type: str | None = None


class _LeaseSpec(Struct):
    acquireTime: str | None = None  # noqa: N815
    holderIdentity: str | None = None  # noqa: N815
    leaseDurationSeconds: int | None = None  # noqa: N815
    leaseTransitions: int | None = None  # noqa: N815
    renewTime: str | None = None  # noqa: N815


class _Lease(Struct):
    spec: _LeaseSpec | None = None


_SHAPES: dict[str, type[Struct]] = {
    "clusterrolebindings": _Binding,
    "clusterroles": _Role,
    "clustersecretstores": _Store,
    "configmaps": _ConfigMap,
    "events": _Event,
    "externalsecrets": _ExternalSecret,
    "leases": _Lease,
    "namespaces": _Namespace,
    "pods": _Pod,
    "rolebindings": _Binding,
    "roles": _Role,
    "secrets": _Secret,
    "secretstores": _Store,
    "serviceaccounts": _ServiceAccount,
    "workflows": _Workflow,
}


_WHOLE, _MICRO = "2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05.000000Z07:00"
"""How Go writes metav1.Time and metav1.MicroTime; of the latter it reads no other form."""

_FORMS = {
    _WHOLE: re.compile(r"[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})"),
    _MICRO: re.compile(r"[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}\.[0-9]{6}(Z|[+-][0-9]{2}:[0-9]{2})"),
}
_MOMENTS: Mapping[str, Mapping[str, str]] = {
    "events": {
        "deprecatedFirstTimestamp": _WHOLE,
        "deprecatedLastTimestamp": _WHOLE,
        "eventTime": _MICRO,
        "firstTimestamp": _WHOLE,
        "lastTimestamp": _WHOLE,
        "series.lastObservedTime": _MICRO,
    },
    "leases": {"spec.acquireTime": _MICRO, "spec.renewTime": _MICRO},
}
"""Moments that clients write: one that Go cannot read keeps its clients from every list that it is in."""


def check(resource: Resource, value: _Object, old: _Object | None = None) -> None:
    """Refuse an object whose fields are not what their names promise.

    Args:
        resource: what it is.
        value: the object.
        old: what it was made of, which did fit: the members that both share are not looked into again.

    Raises:
        ApiError: 400, in the words of the real server's decoder as far as they can be had.
    """
    if old is not None:
        value = {key: member for key, member in value.items() if member is not old.get(key)}
    try:
        convert(value, _SHAPES.get(resource.plural, _Custom))
    except DecodeError as error:
        raise status.not_decodable(resource, str(error)) from error
    for path, form in _MOMENTS.get(resource.plural, {}).items():
        first, _, second = path.partition(".")
        moment = (value.get(first) or {}).get(second) if second else value.get(first)
        if moment is not None and not _is_moment(moment, form):
            raise status.not_decodable(resource, f'parsing time "{moment}" as "{form}" - at `$.{path}`')


def _is_moment(text: str, form: str) -> bool:
    if not _FORMS[form].fullmatch(text):
        return False
    try:
        from_rfc3339(text)
    except (OverflowError, ValueError):
        return False
    return True
