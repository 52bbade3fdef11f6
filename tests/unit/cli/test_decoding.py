"""Manifests are read as argo reads them: nulls are nothing, all else is what it is."""

import copy

from tiphys.cli.decoding import decoded
from tiphys.cli.manifests import Source, objects

WORKFLOW = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Workflow",
    "metadata": {"name": "wf", "labels": {"done": "yes", "n": None}, "annotations": None},
    "spec": {
        "entrypoint": "main",
        "arguments": {"parameters": None},
        "templates": [
            None,
            {
                "name": "main",
                "steps": [[{"name": "one", "withItems": [None, 1]}]],
                "container": {"args": ["sh", 5, None], "terminationMessagePath": None},
                "strange": None,
            },
        ],
    },
}


def test_a_null_is_a_field_left_out():
    read = decoded(WORKFLOW)
    assert read["metadata"] == {"name": "wf", "labels": {"done": "yes", "n": ""}}
    assert read["spec"]["arguments"] == {}
    assert read["spec"]["templates"][0] == {}


def test_all_else_stays_wrong_or_right():
    main = decoded(WORKFLOW)["spec"]["templates"][1]
    assert main["container"] == {"args": ["sh", 5, ""]}
    assert main["steps"][0][0]["withItems"] == [None, 1]
    assert main["strange"] is None


def test_an_object_that_is_not_argos_stays():
    pod = {"kind": "Pod", "spec": {"containers": None}}
    assert decoded(pod) == pod


def test_an_object_has_metadata():
    assert decoded({"kind": "Workflow", "metadata": None, "spec": {}}) == {
        "kind": "Workflow",
        "metadata": {},
        "spec": {},
    }


def test_the_manifest_given_is_not_changed():
    before = copy.deepcopy(WORKFLOW)
    decoded(WORKFLOW)
    assert before == WORKFLOW


def test_the_objects_of_a_file_are_read_so():
    assert objects(Source("a.yaml", "{kind: Workflow, metadata: , spec: {entrypoint: }}")) == [
        {"kind": "Workflow", "metadata": {}, "spec": {}}
    ]
