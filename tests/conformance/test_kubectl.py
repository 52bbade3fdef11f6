"""The real kubectl against the API: what a person does by hand, as it is typed."""

from __future__ import annotations

import base64
import json
import os
import pathlib
import subprocess
import time
import uuid

import pytest

from conftest import Cluster
from tiphys.kit import yaml

CACHE = pathlib.Path(__file__).parents[2] / ".cache" / "kubernetes-client"
DEBIAN = CACHE / "usr" / "bin" / "kubectl"
# Debian's, 1.20 in Debian 12; those beside a Google Cloud SDK; and any more that the environment names.
KUBECTLS = [
    DEBIAN,
    *sorted(pathlib.Path("/usr/lib/google-cloud-sdk/bin").glob("kubectl.1.*")),
    *(pathlib.Path(path) for path in os.environ.get("TIPHYS_KUBECTLS", "").split(":") if path),
]

WORKFLOW = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Workflow",
    "metadata": {"name": "w"},
    "spec": {
        "entrypoint": "main",
        "templates": [
            {
                "name": "main",
                "container": {"image": "python:3", "command": ["sh", "-c"], "args": ["echo one; sleep 0.2; echo two"]},
            }
        ],
    },
}


@pytest.fixture
def namespace(cluster: Cluster, kubectl: str) -> str:
    name = "t-" + uuid.uuid4().hex[:8]
    cluster.kubectl("create", "namespace", name)
    return name


def test_the_page_s_command_makes_the_configmap(cluster: Cluster, kubectl: str) -> None:
    command = ["-n", "argo", "create", "configmap", "nautobot", "--from-literal=url=https://nautobot.local"]
    assert cluster.kubectl(*command) == "configmap/nautobot created\n"
    assert cluster.get("-n", "argo", "configmap", "nautobot")["data"] == {"url": "https://nautobot.local"}
    assert '"nautobot" already exists' in cluster.kubectl(*command, code=1)
    cluster.kubectl("-n", "argo", "delete", "configmap", "nautobot")
    assert 'configmaps "nautobot" not found' in cluster.kubectl("-n", "argo", "get", "cm", "nautobot", code=1)


@pytest.fixture(params=KUBECTLS, ids=lambda path: "debian" if path == DEBIAN else path.name)
def tool(request: pytest.FixtureRequest) -> pathlib.Path:
    """Each kubectl there is."""
    if request.param == DEBIAN and not DEBIAN.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        fetch = ["apt-get", "download", "kubernetes-client"]
        try:
            subprocess.run(fetch, cwd=CACHE, check=True, capture_output=True, timeout=300)
            (package,) = CACHE.glob("kubernetes-client_*.deb")
            subprocess.run(["dpkg", "-x", str(package), str(CACHE)], check=True, capture_output=True, timeout=60)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            pytest.skip(f"Debian's kubernetes-client cannot be had here: {error}")
    return request.param


@pytest.mark.conformance
def test_every_kubectl_creates_reads_and_deletes(cluster: Cluster, namespace: str, tool: pathlib.Path) -> None:
    def run(*arguments: str, stdin: str | None = None) -> str:
        return cluster.kubectl("-n", namespace, *arguments, tool=str(tool), stdin=stdin)

    run("create", "configmap", "c", "--from-literal=a=b")
    run("create", "secret", "generic", "s", "--from-literal=token=t")
    run("create", "serviceaccount", "sa")
    run("create", "role", "r", "--verb=get,list", "--resource=pods")
    run("create", "rolebinding", "rb", "--role=r", f"--serviceaccount={namespace}:sa")
    who = f"--as=system:serviceaccount:{namespace}:sa"
    assert run("auth", "can-i", "list", "pods", who) == "yes\n"
    assert "pods" in run("auth", "can-i", "--list", who)
    assert run("get", "cm", "c", "-o", "jsonpath={.data.a}") == "b"
    assert "role.rbac.authorization.k8s.io/r" in run("get", "roles", "-o", "name")
    assert "STATUS" in run("get", "ns", "-o", "wide")
    template = {**WORKFLOW, "kind": "WorkflowTemplate"}
    for said in ("created", "unchanged"):
        assert said in run("apply", "-f", "-", stdin=json.dumps(template))
    run("patch", "wftmpl", "w", "--type", "merge", "-p", '{"spec": {"entrypoint": "other"}}')
    assert "configured" in run("apply", "-f", "-", stdin=json.dumps(template))
    assert "Data" in run("describe", "configmap", "c")
    run("delete", "configmap", "c")
    assert "workflows" in run("api-resources", "--api-group=argoproj.io")


@pytest.mark.conformance
def test_every_kubectl_knows_the_fields_and_tries_without_doing(
    cluster: Cluster, namespace: str, tool: pathlib.Path
) -> None:
    def run(*arguments: str, stdin: str | None = None, code: int = 0) -> str:
        return cluster.kubectl("-n", namespace, *arguments, tool=str(tool), stdin=stdin, code=code)

    assert "is running at" in run("cluster-info")
    explained = run("explain", "workflow.spec.templates")
    assert [name for name in ("container", "http", "retryStrategy", "script", "steps") if name not in explained] == []
    assert "imagePullPolicy" in run("explain", "pod.spec.containers")
    assert run("create", "configmap", "c", "--from-literal=a=1", "--dry-run=server").startswith("configmap/c created")
    assert "not found" in run("get", "configmap", "c", code=1)
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1"}}
    run("apply", "-f", "-", stdin=json.dumps(config))
    said = run("diff", "-f", "-", stdin=json.dumps({**config, "data": {"a": "2"}}), code=1)
    assert '-  a: "1"' in said
    assert '+  a: "2"' in said
    limits = {"activeDeadlineSeconds": 10, "retryStrategy": {"limit": 2}}
    main = {**WORKFLOW["spec"]["templates"][0], **limits}
    template = {**WORKFLOW, "kind": "WorkflowTemplate", "spec": {"entrypoint": "main", "templates": [main]}}
    run("apply", "--dry-run=server", "-f", "-", stdin=json.dumps(template))
    main["retryStrateg"] = {}
    said = run("apply", "--dry-run=server", "-f", "-", stdin=json.dumps(template), code=1)
    assert "unknown field" in said
    assert "retryStrateg" in said
    port = {"tcpSocket": {"port": 80}}
    main = {"name": "main", "image": "i", "resources": {"limits": {"cpu": 1}}, "readinessProbe": port}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [main]}}
    assert "created" in run("create", "--dry-run=server", "-f", "-", stdin=json.dumps(pod))


def test_apply_creates_changes_and_takes_away(cluster: Cluster, namespace: str) -> None:
    def apply(data: dict[str, str]) -> str:
        value = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "c", "namespace": namespace},
            "data": data,
        }
        return cluster.kubectl("apply", "-f", "-", stdin=json.dumps(value))

    assert apply({"a": "1", "b": "2"}) == "configmap/c created\n"
    assert apply({"a": "1", "b": "2"}) == "configmap/c unchanged\n"
    assert apply({"a": "9"}) == "configmap/c configured\n"
    assert cluster.get("-n", namespace, "cm", "c")["data"] == {"a": "9"}


def test_apply_keeps_a_workflow_template_whole(cluster: Cluster, namespace: str) -> None:
    value = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "WorkflowTemplate",
        "metadata": {"name": "t", "namespace": namespace},
        "spec": {"entrypoint": "main", "templates": [{"name": "main", "container": {"image": "i", "command": ["x"]}}]},
    }
    assert "created" in cluster.kubectl("apply", "-f", "-", stdin=json.dumps(value))
    value["spec"]["entrypoint"] = "other"
    assert "configured" in cluster.kubectl("apply", "-f", "-", stdin=json.dumps(value))
    assert cluster.get("-n", namespace, "wftmpl", "t")["spec"] == value["spec"]
    assert cluster.get("-n", namespace, "wftmpl", "t")["metadata"]["generation"] == 2


def test_the_three_patches_label_and_annotate(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("-n", namespace, "create", "configmap", "c", "--from-literal=a=b")
    for kind, patch in (
        ("merge", {"data": {"m": "1"}}),
        ("strategic", {"data": {"s": "1"}}),
        ("json", [{"op": "add", "path": "/data/j", "value": "1"}]),
    ):
        cluster.kubectl("-n", namespace, "patch", "cm", "c", "--type", kind, "-p", json.dumps(patch))
    cluster.kubectl("-n", namespace, "label", "cm", "c", "x=y")
    cluster.kubectl("-n", namespace, "annotate", "cm", "c", "note=hello")
    found = cluster.get("-n", namespace, "cm", "c")
    assert found["data"] == {"a": "b", "m": "1", "s": "1", "j": "1"}
    assert found["metadata"]["labels"] == {"x": "y"}
    assert cluster.get("-n", namespace, "cm", "-l", "x=y")["items"][0]["metadata"]["annotations"] == {"note": "hello"}
    assert cluster.get("-n", namespace, "cm", "-l", "x in (a, b)")["items"] == []


def test_a_stale_replace_is_a_conflict(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("-n", namespace, "create", "configmap", "c", "--from-literal=a=b")
    stale = cluster.kubectl("-n", namespace, "get", "cm", "c", "-o", "json")
    cluster.kubectl("-n", namespace, "label", "cm", "c", "x=y")
    said = cluster.kubectl("replace", "-f", "-", stdin=stale, code=1)
    assert "the object has been modified; please apply your changes to the latest version and try again" in said


def test_a_watch_shows_what_happens(cluster: Cluster, namespace: str) -> None:
    env = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig), "HOME": str(cluster.folder)}
    command = ["kubectl", "-n", namespace, "get", "secrets", "-w", "--output-watch-events"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as watch:
        assert watch.stdout is not None
        try:
            cluster.kubectl("-n", namespace, "create", "secret", "generic", "w", "--from-literal=a=b")
            cluster.kubectl("-n", namespace, "delete", "secret", "w")
            lines = [watch.stdout.readline().split()[0] for _ in range(3)]
        finally:
            watch.kill()
    assert lines == ["EVENT", "ADDED", "DELETED"]


def test_a_service_account_may_do_what_its_role_says_and_no_more(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("-n", namespace, "create", "serviceaccount", "sa")
    cluster.kubectl("-n", namespace, "create", "role", "r", "--verb=get", "--resource=configmaps", "--resource-name=c")
    cluster.kubectl("-n", namespace, "create", "rolebinding", "rb", "--role=r", f"--serviceaccount={namespace}:sa")
    cluster.kubectl("-n", namespace, "create", "configmap", "c", "--from-literal=a=b")
    token = cluster.kubectl("-n", namespace, "create", "token", "sa").strip()

    def as_account(*arguments: str, code: int = 0) -> str:
        config = yaml.load(cluster.kubeconfig.read_text())["clusters"][0]["cluster"]
        authority = cluster.folder / "pki" / "ca.crt"
        flags = [f"--server={config['server']}", f"--token={token}", f"--certificate-authority={authority}"]
        return cluster.kubectl("--kubeconfig=/dev/null", *flags, "-n", namespace, *arguments, code=code)

    assert as_account("get", "cm", "c", "-o", "name") == "configmap/c\n"
    who = f'User "system:serviceaccount:{namespace}:sa" cannot'
    said = as_account("get", "secrets", code=1)
    assert f'{who} list resource "secrets" in API group "" in the namespace "{namespace}"' in said
    said = as_account("create", "role", "own", "--verb=*", "--resource=*", code=1)
    assert f'{who} create resource "roles" in API group "rbac.authorization.k8s.io"' in said
    cluster.kubectl("-n", namespace, "delete", "serviceaccount", "sa")
    assert "Unauthorized" in as_account("get", "cm", "c", code=1)


def test_what_is_not_there_is_said_as_kubernetes_says_it(cluster: Cluster, kubectl: str) -> None:
    said = cluster.kubectl("-n", "nowhere", "create", "configmap", "c", "--from-literal=a=b", code=1)
    assert 'namespaces "nowhere" not found' in said
    assert "the server doesn't have a resource type" in cluster.kubectl("get", "deployments", code=1)
    bad = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "Not_Valid"}}
    said = cluster.kubectl("create", "--validate=false", "-f", "-", stdin=json.dumps(bad), code=1)
    assert "a lowercase RFC 1123 subdomain must consist of" in said


def _owned(cluster: Cluster, namespace: str, name: str, owner: str, *, block: bool = True) -> None:
    uid = cluster.get("-n", namespace, "cm", owner)["metadata"]["uid"]
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": owner, "uid": uid, "blockOwnerDeletion": block}
    meta = {"name": name, "namespace": namespace, "ownerReferences": [reference]}
    cluster.kubectl("create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta}))


@pytest.mark.parametrize("cascade", ["background", "foreground"])
def test_what_an_owner_owns_goes_with_it(cluster: Cluster, namespace: str, cascade: str) -> None:
    cluster.kubectl("-n", namespace, "create", "configmap", "owner")
    _owned(cluster, namespace, "child", "owner")
    _owned(cluster, namespace, "grandchild", "child")
    cluster.kubectl("-n", namespace, "delete", "cm", "owner", f"--cascade={cascade}", "--timeout=20s")
    for name in ("child", "grandchild"):
        cluster.kubectl("-n", namespace, "wait", "--for=delete", f"cm/{name}", "--timeout=20s")


def test_orphans_stay_and_lose_their_owner(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("-n", namespace, "create", "configmap", "owner")
    _owned(cluster, namespace, "child", "owner")
    cluster.kubectl("-n", namespace, "delete", "cm", "owner", "--cascade=orphan", "--timeout=20s")
    assert "ownerReferences" not in cluster.get("-n", namespace, "cm", "child")["metadata"]


def test_an_owner_that_is_not_there_is_no_owner(cluster: Cluster, namespace: str) -> None:
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "never", "uid": "no-such-uid"}
    meta = {"name": "child", "namespace": namespace, "ownerReferences": [reference]}
    value = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta}
    cluster.kubectl("create", "-f", "-", stdin=json.dumps(value))
    cluster.kubectl("-n", namespace, "wait", "--for=delete", "cm/child", "--timeout=20s")


def test_a_namespace_is_furnished_and_emptied(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("-n", namespace, "wait", "--for=create", "sa/default", "--timeout=20s")
    cluster.kubectl("-n", namespace, "wait", "--for=create", "cm/kube-root-ca.crt", "--timeout=20s")
    cluster.kubectl("-n", namespace, "create", "configmap", "c")
    cluster.kubectl("delete", "namespace", namespace, "--timeout=20s")
    assert "not found" in cluster.kubectl("get", "ns", namespace, code=1)


@pytest.fixture
def finished(cluster: Cluster, namespace: str) -> str:
    """The namespace of a workflow `w` that has run."""
    cluster.kubectl("-n", namespace, "create", "-f", "-", stdin=json.dumps(WORKFLOW))
    cluster.kubectl("-n", namespace, "wait", "--for=condition=Completed", "wf/w", "--timeout=30s")
    return namespace


def test_logs_are_followed_from_the_first_line_to_the_last(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("-n", namespace, "create", "-f", "-", stdin=json.dumps(WORKFLOW))
    cluster.kubectl("-n", namespace, "wait", "--for=create", "pod/w", "--timeout=20s")
    cluster.kubectl("-n", namespace, "wait", "--for=jsonpath={.status.phase}", "pod/w", "--timeout=20s")
    deadline = time.monotonic() + 20
    while "waiting to start" in (said := _logs(cluster, namespace, "-f")) and time.monotonic() < deadline:
        pass
    assert said == "one\ntwo\n"
    assert _logs(cluster, namespace, "--tail=1") == "two\n"
    stamped = _logs(cluster, namespace, "--timestamps", "-c", "main").splitlines()
    assert [line.split()[1] for line in stamped] == ["one", "two"]
    assert "container nope is not valid for pod w" in _logs(cluster, namespace, "-c", "nope")
    assert 'pods "x" not found' in cluster.kubectl("-n", namespace, "logs", "x", code=1)


def _logs(cluster: Cluster, namespace: str, *flags: str) -> str:
    env = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig), "HOME": str(cluster.folder)}
    command = ["kubectl", "-n", namespace, "logs", "w", *flags]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=30)
    return done.stdout + done.stderr


def test_every_kind_can_be_got_and_described(cluster: Cluster, finished: str) -> None:
    def run(*arguments: str) -> str:
        return cluster.kubectl("-n", finished, *arguments)

    run("create", "role", "r", "--verb=get", "--resource=pods")
    run("create", "rolebinding", "rb", "--role=r", "--user=jane", f"--serviceaccount={finished}:default")
    run("create", "secret", "generic", "s", "--from-literal=k=v")
    kinds = [line.split()[0] for line in run("api-resources", "--verbs=list", "--no-headers").splitlines()]
    assert {"pods", "workflows", "externalsecrets", "clusterrolebindings"} <= set(kinds)
    for form in ("wide", "name", "yaml", "json"):
        run("get", ",".join(kinds), "-o", form)
    run("describe", ",".join(kinds))
    assert "k:  1 bytes" in run("describe", "secret", "s")
    described = run("describe", "pod", "w")
    assert "Controlled By:  Workflow/w" in described
    assert "Exit Code:    0" in described
    assert "WorkflowSucceeded" in run("describe", "workflow", "w")
    assert "WorkflowSucceeded" in run("get", "events", "-o", "wide")
    assert run("get", "pods", "-o", "name") == "pod/w\n"
    assert run("get", "rolebinding", "rb", "-o", "wide").split()[-2:] == ["jane", f"{finished}/default"]
    assert run("get", "wf", "w", "-o", "custom-columns=P:.status.phase", "--no-headers") == "Succeeded\n"
    assert (
        run("get", "pods", "--sort-by=.metadata.name", "--show-labels").count("workflows.argoproj.io/workflow=w") == 1
    )


def test_what_is_there_and_what_it_has_is_explained(cluster: Cluster, kubectl: str) -> None:
    assert "templates\t<[]Template>" in cluster.kubectl("explain", "workflow.spec")
    assert "successCondition\t<string>" in cluster.kubectl("explain", "workflowtemplate.spec.templates.http")
    assert "persistentVolumeClaim" in cluster.kubectl("explain", "pod.spec.volumes")
    assert 'field "nope" does not exist' in cluster.kubectl("explain", "cm.nope", code=1)


def test_a_misspelt_field_is_refused_or_warned_about(cluster: Cluster, namespace: str) -> None:
    template = {**WORKFLOW, "kind": "WorkflowTemplate", "spec": {**WORKFLOW["spec"], "entripoint": "x"}}
    command = ("-n", namespace, "apply", "-f", "-")
    said = cluster.kubectl(*command, stdin=json.dumps(template), code=1)
    assert 'strict decoding error: unknown field "spec.entripoint"' in said
    assert "created" in cluster.kubectl(*command, "--validate=warn", stdin=json.dumps(template))
    said = cluster.kubectl("-n", namespace, "replace", "-f", "-", stdin=json.dumps(template), code=1)
    assert 'unknown field "spec.entripoint"' in said


def test_apply_goes_over_to_the_server_s_side_and_prunes(cluster: Cluster, namespace: str) -> None:
    def config(data: dict[str, str]) -> str:
        meta = {"name": "c", "namespace": namespace, "labels": {"app": "x"}}
        return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data})

    def run(*arguments: str, data: dict[str, str], code: int = 0) -> str:
        return cluster.kubectl("-n", namespace, "apply", "-f", "-", *arguments, stdin=config(data), code=code)

    run(data={"a": "1", "b": "2"})
    assert run("--server-side", data={"a": "1", "b": "2"}) == "configmap/c serverside-applied\n"
    run("--server-side", data={"a": "3"})
    assert cluster.get("-n", namespace, "cm", "c")["data"] == {"a": "3"}
    cluster.kubectl("-n", namespace, "patch", "cm", "c", "-p", '{"data": {"a": "4"}}')
    said = run("--server-side", data={"a": "5"}, code=1)
    assert 'Apply failed with 1 conflict: conflict with "kubectl-patch" using v1' in said
    assert ".data.a" in said
    run("--server-side", "--force-conflicts", data={"a": "5"})
    assert cluster.get("-n", namespace, "cm", "c")["data"] == {"a": "5"}
    template = {**WORKFLOW, "kind": "WorkflowTemplate"}
    assert "created" in cluster.kubectl("-n", namespace, "apply", "-f", "-", stdin=json.dumps(template))
    cluster.kubectl("-n", namespace, "label", "wftmpl", "w", "app=x")
    kinds = [f"--prune-allowlist={kind}" for kind in ("core/v1/ConfigMap", "argoproj.io/v1alpha1/WorkflowTemplate")]
    assert "workflowtemplate.argoproj.io/w pruned" in run("--prune", "-l", "app=x", *kinds, data={"a": "5"})


def test_dry_runs_change_nothing_and_differences_are_shown(cluster: Cluster, namespace: str) -> None:
    def value(data: str) -> str:
        return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": data}})

    said = cluster.kubectl("-n", namespace, "apply", "--dry-run=server", "-f", "-", stdin=value("1"))
    assert said == "configmap/c created (server dry run)\n"
    assert "not found" in cluster.kubectl("-n", namespace, "get", "cm", "c", code=1)
    cluster.kubectl("-n", namespace, "apply", "-f", "-", stdin=value("1"))
    said = cluster.kubectl("-n", namespace, "diff", "-f", "-", stdin=value("2"), code=1)
    assert '-  a: "1"' in said
    assert '+  a: "2"' in said
    cluster.kubectl("-n", namespace, "delete", "cm", "c", "--dry-run=server")
    assert cluster.get("-n", namespace, "cm", "c")["data"] == {"a": "1"}


def test_who_am_i_and_what_may_i(cluster: Cluster, namespace: str) -> None:
    def run(*arguments: str, code: int = 0) -> str:
        return cluster.kubectl("-n", namespace, *arguments, code=code)

    assert "admin" in run("auth", "whoami")
    run("create", "role", "r", "--verb=get,list", "--resource=pods,pods/log", "--resource=workflows.argoproj.io")
    run("create", "rolebinding", "rb", "--role=r", f"--serviceaccount={namespace}:default")
    me = f"--as=system:serviceaccount:{namespace}:default"
    assert run("auth", "can-i", "get", "pods/log", me) == "yes\n"
    assert run("auth", "can-i", "delete", "pods", me, code=1) == "no\n"
    listed = run("auth", "can-i", "--list", me)
    assert any(line.split() == ["workflows.argoproj.io", "[]", "[]", "[get", "list]"] for line in listed.splitlines())
    assert "secrets" not in listed
    said = run("get", "secrets", me, code=1)
    assert f'User "system:serviceaccount:{namespace}:default" cannot list resource "secrets"' in said
    assert run("get", "pods", me, code=0) == ""


def test_an_aggregated_role_is_filled_and_gives_rights(cluster: Cluster, namespace: str) -> None:
    def run(*arguments: str, code: int = 0) -> str:
        return cluster.kubectl("-n", namespace, *arguments, code=code)

    label, me = f"gather-{namespace}=yes", f"--as=system:serviceaccount:{namespace}:default"
    run("create", "clusterrole", f"{namespace}-whole", f"--aggregation-rule={label}")
    run("create", "rolebinding", "rb", f"--clusterrole={namespace}-whole", f"--serviceaccount={namespace}:default")
    assert run("auth", "can-i", "list", "secrets", me, code=1) == "no\n"
    run("create", "clusterrole", f"{namespace}-part", "--verb=list", "--resource=secrets")
    run("label", "clusterrole", f"{namespace}-part", label)
    wanted = "--for=jsonpath={.rules[0].resources[0]}=secrets"
    run("wait", wanted, f"clusterrole/{namespace}-whole", "--timeout=20s")
    assert run("auth", "can-i", "list", "secrets", me) == "yes\n"
    run("delete", "clusterrole", f"{namespace}-whole", f"{namespace}-part")


def test_a_pod_is_deleted_when_delete_returns(cluster: Cluster, finished: str) -> None:
    assert cluster.kubectl("-n", finished, "delete", "pod", "w", "--wait", "--timeout=20s") == 'pod "w" deleted\n'
    assert "not found" in cluster.kubectl("-n", finished, "get", "pod", "w", code=1)
    cluster.kubectl("-n", finished, "delete", "wf", "--all", "--timeout=20s")
    assert cluster.get("-n", finished, "wf")["items"] == []


def test_long_lists_come_in_chunks(cluster: Cluster, namespace: str) -> None:
    maps = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"c{n:02}"}} for n in range(25)]
    cluster.kubectl(
        "-n", namespace, "create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": maps})
    )
    names = cluster.kubectl("-n", namespace, "get", "cm", "-o", "name", "--chunk-size=10").split()
    assert sorted(name for name in names if "/c" in name) == [f"configmap/c{n:02}" for n in range(25)]


def test_an_external_secret_as_a_cluster_has_it(cluster: Cluster, namespace: str) -> None:
    """A store that reads another namespace with an account of that namespace; the older version of the API."""
    other, store = f"{namespace}-source", f"{namespace}-store"

    def run(*arguments: str, stdin: str | None = None) -> str:
        return cluster.kubectl("-n", namespace, *arguments, stdin=stdin)

    cluster.kubectl("create", "namespace", other)
    cluster.kubectl("-n", other, "create", "serviceaccount", "reader")
    cluster.kubectl("-n", other, "create", "role", "reader", "--verb=get,list,watch", "--resource=secrets")
    cluster.kubectl("-n", other, "create", "rolebinding", "r", "--role=reader", f"--serviceaccount={other}:reader")
    cluster.kubectl("-n", other, "create", "secret", "generic", "env", "--from-literal=TOKEN=first")
    provider = {
        "remoteNamespace": other,
        "server": {
            "caProvider": {"type": "ConfigMap", "name": "kube-root-ca.crt", "key": "ca.crt", "namespace": other}
        },
        "auth": {"serviceAccount": {"name": "reader", "namespace": other}},
    }
    about = {"apiVersion": "external-secrets.io/v1beta1", "kind": "ClusterSecretStore", "metadata": {"name": store}}
    run("apply", "-f", "-", stdin=json.dumps({**about, "spec": {"provider": {"kubernetes": provider}}}))
    run("wait", "--for=condition=Ready", f"clustersecretstore/{store}", "--timeout=20s")
    template = {"engineVersion": "v2", "data": {"bearer": "Token {{ .token }}"}}
    spec = {
        "refreshInterval": "1h",
        "secretStoreRef": {"kind": "ClusterSecretStore", "name": store},
        "target": {"name": "made", "creationPolicy": "Owner", "deletionPolicy": "Delete", "template": template},
        "data": [{"secretKey": "token", "remoteRef": {"key": "env", "property": "TOKEN"}}],
    }
    about = {"apiVersion": "external-secrets.io/v1beta1", "kind": "ExternalSecret", "metadata": {"name": "es"}}
    run("apply", "-f", "-", stdin=json.dumps({**about, "spec": spec}))
    run("wait", "--for=condition=Ready", "es/es", "--timeout=20s")
    assert base64.b64decode(cluster.get("-n", namespace, "secret", "made")["data"]["bearer"]) == b"Token first"
    assert run("get", "es").splitlines()[1].split()[-2:] == ["SecretSynced", "True"]
    assert run("get", "clustersecretstore", store).splitlines()[1].split()[-3:] == ["Valid", "ReadOnly", "True"]
    changed = base64.b64encode(b"second").decode()
    cluster.kubectl("-n", other, "patch", "secret", "env", "-p", json.dumps({"data": {"TOKEN": changed}}))
    run("annotate", "es", "es", "force-sync=1")
    wanted = base64.b64encode(b"Token second").decode()
    run("wait", f"--for=jsonpath={{.data.bearer}}={wanted}", "secret/made", "--timeout=20s")
    run("delete", "es", "es")
    run("wait", "--for=delete", "secret/made", "--timeout=20s")
    cluster.kubectl("delete", "namespace", other, "--timeout=20s")
    cluster.kubectl("delete", "clustersecretstore", store)


def test_a_pod_is_run_and_watched_by_its_events(cluster: Cluster, namespace: str) -> None:
    def run(*arguments: str) -> str:
        return cluster.kubectl("-n", namespace, *arguments)

    run("wait", "--for=create", "sa/default", "--timeout=20s")
    command = ("--image=python:3", "--restart=Never", "--command", "--", "sh", "-c", "echo hi; sleep 1")
    assert run("run", "p", *command) == "pod/p created\n"
    run("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/p", "--timeout=20s")
    assert run("logs", "p") == "hi\n"
    assert "Successfully assigned" in run("events", "--for=pod/p")
    assert run("get", "pods", "--field-selector=status.phase=Succeeded", "-o", "name") == "pod/p\n"
