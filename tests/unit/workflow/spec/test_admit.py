"""What the API server is told when an object of argoproj.io is about to be written."""

import pytest

from tiphys.errors import ApiError
from tiphys.workflow.spec.admit import admit


def workflow(**spec):
    return {"kind": "Workflow", "metadata": {"name": "wf"}, "spec": spec}


def refusal(kind: str, new: dict, old: dict | None = None) -> ApiError:
    with pytest.raises(ApiError) as caught:
        admit(kind, new, old)
    return caught.value


def test_an_honoured_workflow_passes_without_a_word() -> None:
    assert admit("Workflow", workflow(entrypoint="a", templates=[{"name": "a", "container": {"image": "x"}}])) == []


def test_a_field_that_is_not_honoured_is_refused_with_its_path() -> None:
    error = refusal("Workflow", workflow(templates=[{}, {"name": "x", "containerSet": {"containers": []}}]))
    assert error.code == 422
    assert error.reason == "Invalid"
    assert error.message == 'Workflow.argoproj.io "wf" is invalid: not supported yet: spec.templates[1].containerSet'
    assert [cause["field"] for cause in error.status["details"]["causes"]] == ["spec.templates[1].containerSet"]


def test_a_wrong_type_is_refused_before_anything_else() -> None:
    error = refusal("Workflow", workflow(parallelism="x", archiveLogs=True))
    where = "spec.parallelism"
    what = f'{where}: Invalid value: "string": {where} in body must be of type integer: "string"'
    assert error.message == f'Workflow.argoproj.io "wf" is invalid: {what}'


def test_a_secret_parameter_gets_a_word() -> None:
    parameter = {"name": "token", "valueFrom": {"path": "/t"}, "secret": True}
    (warning,) = admit("WorkflowTemplate", workflow(templates=[{"name": "a", "outputs": {"parameters": [parameter]}}]))
    assert warning.startswith("spec.templates[0].outputs.parameters[0].secret: Argo has no secret parameters")


def test_a_cron_workflow_is_stored_and_its_owner_told_that_nothing_starts_it() -> None:
    cron = {"metadata": {"name": "nightly"}, "spec": {"schedules": ["0 4 * * *"], "workflowSpec": {}}}
    (warning,) = admit("CronWorkflow", cron)
    assert "nothing starts it yet" in warning
    assert "tiphys submit --from cronwf/nightly" in warning


def test_an_update_that_leaves_the_spec_alone_is_not_judged_again() -> None:
    stored = workflow(archiveLogs=True)
    assert admit("Workflow", {**stored, "status": {"phase": "Running"}}, stored) == []
    assert refusal("Workflow", workflow(archiveLogs=True, suspend=True), stored).code == 422


def test_other_kinds_pass() -> None:
    assert admit("Pod", {"spec": 3}) == []
