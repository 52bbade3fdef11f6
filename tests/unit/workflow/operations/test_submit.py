"""How a submission is formed."""

from __future__ import annotations

import pytest

from tiphys.errors import UsageError
from tiphys.workflow.operations.submit import SubmitOptions, from_cron_workflow, from_template, with_options


def test_a_template_is_referred_to_and_labelled() -> None:
    assert from_template("wt") == {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"generateName": "wt-", "labels": {"workflows.argoproj.io/workflow-template": "wt"}},
        "spec": {"arguments": {}, "workflowTemplateRef": {"name": "wt"}},
    }


def test_a_cluster_template_says_so() -> None:
    made = from_template("ct", cluster_scope=True)
    assert made["spec"]["workflowTemplateRef"] == {"name": "ct", "clusterScope": True}
    assert made["metadata"]["labels"] == {"workflows.argoproj.io/cluster-workflow-template": "ct"}


def test_given_parameters_come_first_and_replace_those_of_the_same_name() -> None:
    workflow = {
        "metadata": {"name": "w"},
        "spec": {"arguments": {"parameters": [{"name": "a", "value": "1"}, {"name": "b", "value": "2"}]}},
    }
    made = with_options(workflow, SubmitOptions(parameters=["b=x=y", "c="]))
    assert made["spec"]["arguments"]["parameters"] == [
        {"name": "b", "value": "x=y"},
        {"name": "c", "value": ""},
        {"name": "a", "value": "1"},
    ]
    assert workflow["spec"]["arguments"]["parameters"][1] == {"name": "b", "value": "2"}, "the argument is not changed"


def test_everything_a_flag_overrides() -> None:
    options = SubmitOptions("n", "g-", "e", (), "sa", "a=b,c=d", "k=v", 7)
    made = with_options({"metadata": {"labels": {"a": "old", "z": "1"}}, "spec": {"entrypoint": "old"}}, options)
    assert made["metadata"] == {
        "name": "n",
        "generateName": "g-",
        "labels": {"a": "b", "c": "d", "z": "1"},
        "annotations": {"k": "v"},
    }
    assert made["spec"] == {"entrypoint": "e", "serviceAccountName": "sa", "priority": 7}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (SubmitOptions(parameters=["novalue"]), "expected parameter of the form: NAME=VALUE. Received: novalue"),
        (SubmitOptions(labels="a"), "unexpected label spec: a"),
        (SubmitOptions(labels="a=b=c"), "unexpected label spec: a=b=c"),
        (SubmitOptions(labels="=b"), "unexpected empty label key"),
    ],
)
def test_what_is_not_name_equals_value_is_refused(options: SubmitOptions, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        with_options({"metadata": {}, "spec": {}}, options)


def test_a_cron_workflow_owns_what_it_starts() -> None:
    cron = {
        "metadata": {"name": "c", "uid": "u"},
        "spec": {"workflowSpec": {"entrypoint": "main"}, "workflowMetadata": {"labels": {"x": "y"}}},
    }
    made = from_cron_workflow(cron, "2026-11-24T04:00:00Z")
    assert made["spec"] == {"entrypoint": "main"}
    assert made["metadata"]["labels"] == {"workflows.argoproj.io/cron-workflow": "c", "x": "y"}
    assert made["metadata"]["annotations"] == {"workflows.argoproj.io/scheduled-time": "2026-11-24T04:00:00Z"}
    assert made["metadata"]["ownerReferences"][0]["uid"] == "u"
