"""The kinds this API server serves: one row a resource; paths, discovery and names in RBAC follow from it."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["RESOURCES", "Resource", "by_kind", "by_plural", "served"]

_ALL = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class Resource:
    """One API resource, as discovery describes it.

    Attributes:
        subresources: e.g. ("status",); "status" splits writes as Kubernetes does.
        stored: False for those that are only asked (SelfSubjectAccessReview, TokenRequest).
        versions: every version served; objects are kept as the first.
        selectable: fields a field selector may name besides metadata.name and metadata.namespace.
        shows: the group and plural of another resource whose objects this one shows in its own words (`views`).
    """

    group: str
    versions: tuple[str, ...]
    plural: str
    singular: str
    kind: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    verbs: tuple[str, ...] = field(default=_ALL)
    stored: bool = True
    selectable: tuple[str, ...] = ()
    shows: tuple[str, str] | None = None

    @property
    def kept(self) -> tuple[str, str]:
        """The group and plural its objects are kept under."""
        return self.shows or (self.group, self.plural)

    @property
    def custom(self) -> bool:
        """Whether a cluster has it by a CustomResourceDefinition, with the rules that follow."""
        return self.group in (_ARGO, _ESO)

    @property
    def version(self) -> str:
        """The version objects are kept and shown in."""
        return self.versions[0]

    @property
    def api_version(self) -> str:
        """As `apiVersion` of an object."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """As messages name it: `pods`, `workflows.argoproj.io`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def list_kind(self) -> str:
        """Kind of a list of them."""
        return self.kind + "List"


_ARGO = "argoproj.io"
_ESO = "external-secrets.io"
_RBAC = "rbac.authorization.k8s.io"
_AUTHZ = "authorization.k8s.io"
_EVENTS = "events.k8s.io"

RESOURCES: tuple[Resource, ...] = (
    Resource(
        "",
        ("v1",),
        "namespaces",
        "namespace",
        "Namespace",
        False,
        ("ns",),
        subresources=("status", "finalize"),
        # As in Kubernetes, nobody empties a cluster by one request.
        verbs=tuple(verb for verb in _ALL if verb != "deletecollection"),
        selectable=("status.phase",),
    ),
    Resource("", ("v1",), "configmaps", "configmap", "ConfigMap", short_names=("cm",)),
    Resource("", ("v1",), "secrets", "secret", "Secret", selectable=("type",)),
    Resource(
        "", ("v1",), "serviceaccounts", "serviceaccount", "ServiceAccount", short_names=("sa",), subresources=("token",)
    ),
    Resource(
        "",
        ("v1",),
        "pods",
        "pod",
        "Pod",
        short_names=("po",),
        categories=("all",),
        subresources=("status", "log"),
        selectable=(
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "status.nominatedNodeName",
            "status.phase",
            "status.podIP",
        ),
    ),
    Resource(
        "",
        ("v1",),
        "events",
        "event",
        "Event",
        short_names=("ev",),
        selectable=(
            "involvedObject.apiVersion",
            "involvedObject.fieldPath",
            "involvedObject.kind",
            "involvedObject.name",
            "involvedObject.namespace",
            "involvedObject.resourceVersion",
            "involvedObject.uid",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ),
    ),
    # Nothing routes to a Service here, so none can be made. That there are none is what `kubectl cluster-info` asks.
    Resource(
        "",
        ("v1",),
        "services",
        "service",
        "Service",
        short_names=("svc",),
        categories=("all",),
        verbs=("get", "list", "watch"),
    ),
    Resource(
        _EVENTS,
        ("v1",),
        "events",
        "event",
        "Event",
        short_names=("ev",),
        selectable=(
            "reason",
            "regarding.apiVersion",
            "regarding.fieldPath",
            "regarding.kind",
            "regarding.name",
            "regarding.namespace",
            "regarding.resourceVersion",
            "regarding.uid",
            "reportingController",
            "type",
        ),
        shows=("", "events"),
    ),
    Resource(_RBAC, ("v1",), "roles", "role", "Role"),
    Resource(_RBAC, ("v1",), "rolebindings", "rolebinding", "RoleBinding"),
    Resource(_RBAC, ("v1",), "clusterroles", "clusterrole", "ClusterRole", False),
    Resource(_RBAC, ("v1",), "clusterrolebindings", "clusterrolebinding", "ClusterRoleBinding", False),
    Resource("coordination.k8s.io", ("v1",), "leases", "lease", "Lease"),
    Resource(
        "authentication.k8s.io",
        ("v1",),
        "tokenreviews",
        "tokenreview",
        "TokenReview",
        False,
        verbs=("create",),
        stored=False,
    ),
    Resource(
        "authentication.k8s.io",
        ("v1",),
        "selfsubjectreviews",
        "selfsubjectreview",
        "SelfSubjectReview",
        False,
        verbs=("create",),
        stored=False,
    ),
    Resource(
        _AUTHZ,
        ("v1",),
        "selfsubjectaccessreviews",
        "selfsubjectaccessreview",
        "SelfSubjectAccessReview",
        False,
        verbs=("create",),
        stored=False,
    ),
    Resource(
        _AUTHZ,
        ("v1",),
        "selfsubjectrulesreviews",
        "selfsubjectrulesreview",
        "SelfSubjectRulesReview",
        False,
        verbs=("create",),
        stored=False,
    ),
    Resource(
        _AUTHZ,
        ("v1",),
        "subjectaccessreviews",
        "subjectaccessreview",
        "SubjectAccessReview",
        False,
        verbs=("create",),
        stored=False,
    ),
    Resource(_ARGO, ("v1alpha1",), "workflows", "workflow", "Workflow", short_names=("wf",)),
    Resource(
        _ARGO, ("v1alpha1",), "workflowtemplates", "workflowtemplate", "WorkflowTemplate", short_names=("wftmpl",)
    ),
    Resource(
        _ARGO,
        ("v1alpha1",),
        "clusterworkflowtemplates",
        "clusterworkflowtemplate",
        "ClusterWorkflowTemplate",
        False,
        ("clusterwftmpl", "cwft"),
    ),
    Resource(_ARGO, ("v1alpha1",), "cronworkflows", "cronworkflow", "CronWorkflow", short_names=("cwf", "cronwf")),
    Resource(_ARGO, ("v1alpha1",), "workflowtaskresults", "workflowtaskresult", "WorkflowTaskResult"),
    Resource(
        _ARGO,
        ("v1alpha1",),
        "workflowtasksets",
        "workflowtaskset",
        "WorkflowTaskSet",
        short_names=("wfts",),
        subresources=("status",),
    ),
    Resource(
        _ESO,
        ("v1", "v1beta1"),
        "externalsecrets",
        "externalsecret",
        "ExternalSecret",
        short_names=("es",),
        categories=("external-secrets",),
        subresources=("status",),
    ),
    Resource(
        _ESO,
        ("v1", "v1beta1"),
        "secretstores",
        "secretstore",
        "SecretStore",
        short_names=("ss",),
        categories=("external-secrets",),
        subresources=("status",),
    ),
    Resource(
        _ESO,
        ("v1", "v1beta1"),
        "clustersecretstores",
        "clustersecretstore",
        "ClusterSecretStore",
        False,
        ("css",),
        ("external-secrets",),
        ("status",),
    ),
)

_BY_PLURAL = {(r.group, r.plural): r for r in RESOURCES}
_BY_KIND = {(r.group, r.kind): r for r in RESOURCES}


def by_plural(group: str, plural: str) -> Resource | None:
    """The resource of a path, e.g. ("argoproj.io", "workflows"); None where it is not served."""
    return _BY_PLURAL.get((group, plural))


def by_kind(group: str, kind: str) -> Resource | None:
    """The resource of a manifest's apiVersion group and kind; None where it is not served."""
    return _BY_KIND.get((group, kind))


def served(group: str, plural: str) -> Resource:
    """A resource known to be in the table: for the constants of those who work with it."""
    return _BY_PLURAL[group, plural]
