"""Merging: a workflow over its WorkflowTemplate over the controller's defaults; a template over templateDefaults."""

import pytest

from tiphys.errors import SpecError
from tiphys.workflow.spec.resolve import kinds_of, merge_workflow_spec, with_template_defaults


def merged(own: dict, template: dict | None = None, defaults: dict | None = None) -> dict:
    return merge_workflow_spec({"spec": own}, template, defaults)


def test_the_workflow_wins_over_its_template_and_that_over_the_defaults() -> None:
    spec = merged(
        {"parallelism": 1}, {"parallelism": 2, "priority": 2}, {"parallelism": 3, "priority": 3, "onExit": "x"}
    )
    assert spec == {"parallelism": 1, "priority": 2, "onExit": "x"}


def test_parameters_templates_and_volumes_merge_by_name_the_workflows_own_first() -> None:
    own = {"arguments": {"parameters": [{"name": "b", "value": "mine"}]}, "volumes": [{"name": "v", "emptyDir": {}}]}
    theirs = {
        "arguments": {"parameters": [{"name": "a", "value": "1"}, {"name": "b", "value": "2", "description": "of b"}]},
        "templates": [{"name": "main", "suspend": {}}],
        "volumes": [{"name": "w", "emptyDir": {}}],
    }
    spec = merged(own, theirs)
    assert spec["arguments"]["parameters"] == [
        {"name": "a", "value": "1"},
        {"name": "b", "value": "mine", "description": "of b"},
    ]
    assert [volume["name"] for volume in spec["volumes"]] == ["v", "w"]
    assert spec["templates"] == theirs["templates"]


def test_hooks_and_labels_from_are_taken_whole_by_their_names() -> None:
    own = {
        "hooks": {"exit": {"template": "mine"}},
        "workflowMetadata": {"labelsFrom": {"a": {"expression": "1"}}},
    }
    theirs = {
        "hooks": {"exit": {"template": "theirs", "expression": "true"}, "more": {"expression": "x"}},
        "workflowMetadata": {"labels": {"l": "1"}, "labelsFrom": {"b": {"expression": "2"}}},
    }
    spec = merged(own, theirs)
    assert spec["hooks"] == {"exit": {"template": "mine"}, "more": {"expression": "x"}}
    assert spec["workflowMetadata"]["labelsFrom"] == {"a": {"expression": "1"}, "b": {"expression": "2"}}
    assert spec["workflowMetadata"]["labels"] == {"l": "1"}


def test_whether_it_is_suspended_is_the_workflows_own_matter() -> None:
    assert "suspend" not in merged({}, {"suspend": True})
    assert merged({"suspend": True}, {"suspend": False})["suspend"] is True


def test_the_inputs_of_the_merge_stay_as_they_are() -> None:
    own, theirs = {"arguments": {"parameters": [{"name": "a"}]}}, {"arguments": {"parameters": [{"name": "b"}]}}
    merged(own, theirs)
    assert own == {"arguments": {"parameters": [{"name": "a"}]}}
    assert theirs == {"arguments": {"parameters": [{"name": "b"}]}}


def test_an_item_without_the_name_it_merges_by_is_refused() -> None:
    with pytest.raises(SpecError, match="cannot merge the workflow with its template"):
        merged({"arguments": {"parameters": [{"value": "1"}]}}, {"arguments": {"parameters": [{"name": "b"}]}})


def test_defaults_for_templates_go_under_each_and_those_of_other_kinds_fall_away() -> None:
    defaults = {
        "timeout": "30s",
        "container": {"image": "x", "env": [{"name": "A", "value": "1"}]},
        "script": {"image": "y"},
    }
    template = {"name": "t", "container": {"command": ["c"], "env": [{"name": "B", "value": "2"}]}}
    assert with_template_defaults(template, defaults) == {
        "name": "t",
        "timeout": "30s",
        "container": {
            "image": "x",
            "command": ["c"],
            "env": [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}],
        },
    }
    assert with_template_defaults({"suspend": {}}, defaults) == {"suspend": {}, "timeout": "30s"}
    assert with_template_defaults(template, None) == template


def test_what_a_template_is() -> None:
    assert kinds_of({"name": "a", "suspend": {}, "dag": None}) == ["suspend"]
    assert kinds_of({"name": "a"}) == []
