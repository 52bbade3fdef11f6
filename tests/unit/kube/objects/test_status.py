"""The words of refusals, as scripts and people know them."""

from tiphys.kube.objects import status
from tiphys.kube.objects.resources import Resource, by_plural


def resource(plural: str, group: str = "") -> Resource:
    found = by_plural(group, plural)
    assert found is not None
    return found


def test_objects_are_named_with_their_group() -> None:
    error = status.not_found(resource("workflows", "argoproj.io"), "w")
    assert error.message == 'workflows.argoproj.io "w" not found'
    assert error.status["details"] == {"name": "w", "group": "argoproj.io", "kind": "workflows"}
    assert (error.status["code"], error.status["reason"]) == (404, "NotFound")


def test_a_stale_write_says_what_to_do() -> None:
    assert status.conflict(resource("pods"), "p").message == (
        'Operation cannot be fulfilled on pods "p": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )


def test_a_denial_names_the_rule_that_is_missing() -> None:
    pods = resource("pods")
    assert status.forbidden("u", "get", pods, "ns", "p", "log").message == (
        'pods "p" is forbidden: User "u" cannot get resource "pods/log" in API group "" in the namespace "ns"'
    )
    assert status.forbidden("u", "list", pods, "").message == (
        'pods is forbidden: User "u" cannot list resource "pods" in API group "" at the cluster scope'
    )


def test_every_wrong_field_is_a_cause() -> None:
    causes = [status.required_field("spec.x"), status.invalid_field("spec.y", "v", "no")]
    error = status.invalid("ExternalSecret", "external-secrets.io", "e", causes)
    assert error.message == (
        'ExternalSecret.external-secrets.io "e" is invalid: [spec.x: Required value, spec.y: Invalid value: "v": no]'
    )
    reasons = [(cause["reason"], cause["field"]) for cause in error.status["details"]["causes"]]
    assert reasons == [("FieldValueRequired", "spec.x"), ("FieldValueInvalid", "spec.y")]
