"""Manifests are read as argo reads them: nulls are nothing, numbers are text where text belongs."""

import copy

from tiphys.cli.decoding import decoded
from tiphys.cli.manifests import Source, objects

WORKFLOW = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Workflow",
    "metadata": {"name": "wf", "labels": {"done": True, "n": None}, "annotations": None},
    "spec": {
        "entrypoint": "main",
        "arguments": {"parameters": None},
        "templates": [
            None,
            {
                "name": "main",
                "inputs": {"parameters": [{"name": "p", "default": 3}]},
                "steps": [[{"name": "one", "withItems": [None, 1], "when": True}]],
                "container": {"args": ["sh", 5, 1.5, None, 1e21], "terminationMessagePath": None},
                "strange": None,
            },
        ],
    },
}


def test_a_null_is_a_field_left_out():
    read = decoded(WORKFLOW)
    assert read["metadata"] == {"name": "wf", "labels": {"done": "true", "n": ""}}
    assert read["spec"]["arguments"] == {}
    assert read["spec"]["templates"][0] == {}


def test_numbers_and_truth_values_are_text_where_text_belongs():
    main = decoded(WORKFLOW)["spec"]["templates"][1]
    assert main["container"] == {"args": ["sh", "5", "1.5", "", "1e+21"]}
    assert main["steps"][0][0]["when"] == "true"


def test_values_that_may_be_anything_stay():
    main = decoded(WORKFLOW)["spec"]["templates"][1]
    assert main["inputs"]["parameters"][0]["default"] == 3
    assert main["steps"][0][0]["withItems"] == [None, 1]


def test_what_argo_does_not_know_stays():
    assert decoded(WORKFLOW)["spec"]["templates"][1]["strange"] is None
    pod = {"kind": "Pod", "spec": {"containers": None}}
    assert decoded(pod) == pod


def test_the_manifest_given_is_not_changed():
    before = copy.deepcopy(WORKFLOW)
    decoded(WORKFLOW)
    assert before == WORKFLOW


def test_json_says_what_it_means():
    text = '{"kind": "Workflow", "metadata": {"name": 5, "labels": null}}'
    assert objects(Source("a.json", text)) == [{"kind": "Workflow", "metadata": {"name": 5}}]
