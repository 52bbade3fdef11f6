"""A denial must end in a rule that can be applied."""

from tiphys.kit import yaml
from tiphys.kube.objects.denial import missing_rule


def test_a_service_account_is_given_one_verb_on_one_object() -> None:
    message = (
        'secrets "nautobot-token" is forbidden: User "system:serviceaccount:argo-events:workflow" cannot get resource '
        '"secrets" in API group "" in the namespace "argo-events"'
    )
    role, binding = yaml.load_all(missing_rule(message))
    assert role["kind"] == "Role"
    assert role["metadata"]["namespace"] == "argo-events"
    assert role["rules"] == [
        {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["nautobot-token"], "verbs": ["get"]}
    ]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "namespace": "argo-events", "name": "workflow"}]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]


def test_create_and_cluster_scope_have_no_names_in_the_rule() -> None:
    message = (
        'clusterworkflowtemplates.argoproj.io is forbidden: User "eve" cannot create resource '
        '"clusterworkflowtemplates" in API group "argoproj.io" at the cluster scope'
    )
    role, binding = yaml.load_all(missing_rule(message))
    assert (role["kind"], binding["kind"]) == ("ClusterRole", "ClusterRoleBinding")
    assert "resourceNames" not in role["rules"][0]
    assert binding["subjects"] == [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "eve"}]


def test_another_message_gives_no_rule() -> None:
    assert missing_rule('pods "x" not found') == ""
