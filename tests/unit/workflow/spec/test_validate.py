"""What is refused before a workflow runs: each in the words that Argo's own lint (v3.6.0) has for the same manifest."""

import os
import pathlib
from collections.abc import Mapping
from typing import Any

import pytest

from tiphys.kit.yaml import load, load_all
from tiphys.workflow.spec.validate import problems

SHARED = pathlib.Path(os.environ.get("TIPHYS_SHARED") or pathlib.Path(__file__).parents[5] / "shared")
EXAMPLES = SHARED / "reference" / "argo-examples"

PRINT = """
- name: print
  inputs: {parameters: [{name: message}]}
  container: {image: busybox, command: [echo, "{{inputs.parameters.message}}"]}
"""
RULE = "name must consist of alpha-numeric characters or '-', and must start with an alpha-numeric character"
EXAMPLE = "(e.g. My-name1-2, 123-NAME)"
PARAMETER_RULE = (
    "Parameter/Artifact name must consist of alpha-numeric characters, '_' or '-' e.g. my_param_1, MY-PARAM-1"
)


def nothing(kind: str, name: str) -> str:
    return f'{kind.lower()}s.argoproj.io "{name}" not found'


def workflow(spec: str | dict[str, Any], **meta: Any) -> dict[str, Any]:
    body = load(spec) if isinstance(spec, str) else spec
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "wf", **meta}, "spec": body}


def templates(main: str, more: str = PRINT) -> dict[str, Any]:
    """A spec whose entrypoint is `main`, a template of this body."""
    return {"entrypoint": "main", "templates": [{"name": "main", **load(main)}, *load(more)]}


def first(obj: Mapping[str, Any], lookup: Any = nothing, *, lint: bool = False) -> str:
    found = problems(obj, lookup, lint=lint)
    return found[0].message if found else ""


def said(main: str, more: str = PRINT) -> str:
    return first(workflow(templates(main, more)))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("templates: [{name: a, container: {image: x}}]", "spec.entrypoint is required"),
        ("{entrypoint: b, templates: [{name: a, container: {image: x}}]}", "template name 'b' undefined"),
        ("{entrypoint: a, templates: [{container: {image: x}}]}", "spec.templates[0].name is required"),
        (
            "{entrypoint: a, templates: [{name: a, container: {image: x}}, {name: a, container: {image: x}}]}",
            "spec.templates[1].name 'a' is not unique",
        ),
        (
            "{entrypoint: a_b, templates: [{name: a_b, container: {image: x}}]}",
            f"spec.templates[0].name: 'a_b' is invalid: {RULE} {EXAMPLE}",
        ),
        ("{entrypoint: a, templates: [{name: a}]}", "template 'a' type is unknown"),
        (
            "{entrypoint: a, templates: [{name: a, container: {image: x}, suspend: {}}]}",
            "templates.a multiple template types specified. choose one of: container, containerSet, steps, script, "
            "resource, dag, suspend, template, template ref",
        ),
        (
            "{entrypoint: a, templates: [{name: a, suspend: {}}, {name: b, container: {image: x}, parallelism: 1}]}",
            "templates.b templates.b.parallelism is only valid for steps and dag templates",
        ),
        (
            "{entrypoint: a, arguments: {parameters: [{name: p}]}, templates: [{name: a, container: {image: x}}]}",
            "spec.arguments.p.value or spec.arguments.p.valueFrom is required",
        ),
        (
            "{entrypoint: a, arguments: {parameters: [{name: p q, value: 1}]}, templates: [{name: a, suspend: {}}]}",
            f"spec.arguments.parameters[0].name: 'p q' is invalid: {PARAMETER_RULE}",
        ),
        (
            "{entrypoint: a, arguments: {parameters: [{name: p, value: 1, enum: [2]}]}, }",
            "spec.arguments.p.value should be present in spec.arguments.p.enum list",
        ),
        (
            "{entrypoint: a, arguments: {parameters: [{name: p, valueFrom: {path: /x}}]}}",
            "spec.arguments.p.valueFrom only allows: default, configMapKeyRef and supplied",
        ),
        (
            "{entrypoint: a, podGC: {strategy: Never}, templates: [{name: a, suspend: {}}]}",
            "podGC.strategy unknown strategy 'Never'",
        ),
        (
            "{entrypoint: a, hooks: {running: {template: a}}, templates: [{name: a, suspend: {}}]}",
            "hooks.running Expression required",
        ),
        ("{entrypoint: a, onExit: b, templates: [{name: a, suspend: {}}]}", "template name 'b' undefined"),
        (
            "{entrypoint: a, templates: [{name: a, retryStrategy: {retryPolicy: Never}, container: {image: x}}]}",
            "Never is not a valid RetryPolicy",
        ),
    ],
)
def test_the_workflow_as_a_whole(spec: str, message: str) -> None:
    assert first(workflow(spec)) == message


@pytest.mark.parametrize(
    ("main", "message"),
    [
        ("container: {image: ''}", "templates.main.container.image may not be empty"),
        ("script: {image: '', source: x}", "templates.main.script.image may not be empty"),
        (
            "container: {image: x, args: ['{{inputs.parameters.p}}']}",
            "templates.main: failed to resolve {{inputs.parameters.p}}",
        ),
        (
            "container: {image: x, args: ['{{workflow.parameters.p}}']}",
            "templates.main: failed to resolve {{workflow.parameters.p}}",
        ),
        (
            "container: {image: x, args: ['{{workflow.failures}}']}",
            "templates.main: failed to resolve {{workflow.failures}}",
        ),
        (
            "{inputs: {parameters: [{name: p}]}, container: {image: x}}",
            "templates.main inputs.parameters.p was not supplied",
        ),
        (
            "{inputs: {parameters: [{name: p, value: 1}, {name: p, value: 2}]}, container: {image: x}}",
            "templates.main.inputs.parameters[1].name 'p' is not unique",
        ),
        (
            "{activeDeadlineSeconds: soon, container: {image: x}}",
            "templates.main.activeDeadlineSeconds must be a positive integer > 0 or an argo variable",
        ),
        ("{timeout: '10', container: {image: x}}", "main has invalid duration format in timeout."),
        ("{timeout: 10s, dag: {tasks: []}}", "DAG template doesn't support timeout field."),
        (
            "{initContainers: [{name: '', image: x}], container: {image: x}}",
            "initContainers must all have container name",
        ),
        (
            "{container: {image: x, volumeMounts: [{name: a, mountPath: /a}, {name: b, mountPath: /a}]}}",
            "templates.main.container.volumeMounts[1].mountPath '/a' already mounted in container.volumeMounts.a",
        ),
        (
            "{container: {image: x}, outputs: {parameters: [{name: p, valueFrom: {}}]}}",
            "valueFrom type unspecified. choose one of: path, jqFilter, jsonPath, parameter, raw, expression",
        ),
        (
            "{container: {image: x}, outputs: {parameters: [{name: p, valueFrom: {path: a, expression: b}}]}}",
            "multiple valueFrom types specified. choose one of: path, jqFilter, jsonPath, parameter, raw",
        ),
        (
            "{container: {image: x}, outputs: {parameters: [{name: p, valueFrom: {expression: b}}]}}",
            "templates.main.outputs.parameters.p.path must be specified for Container templates",
        ),
        (
            "{container: {image: x}, outputs: {parameters: [{name: p}]}}",
            "templates.main.outputs.parameters.p does not have valueFrom or value specified",
        ),
        (
            "{container: {image: x}, outputs: {parameters: [{name: p, globalName: a b, valueFrom: {path: /x}}]}}",
            f"templates.main.outputs.parameters.p.globalName: {PARAMETER_RULE}",
        ),
        (
            "{resource: {action: look, manifest: 'a: 1'}}",
            "templates.main.resource.action must be one of: get, create, apply, delete, replace, patch",
        ),
        ("{resource: {action: create, manifest: 'a: {'}}", "templates.main.resource.manifest must be a valid yaml"),
    ],
)
def test_leaves(main: str, message: str) -> None:
    assert said(main) == message


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ("- - {template: print}", "templates.main.steps[0].name is required"),
        ("- - {name: a b, template: print}", f"templates.main.steps[0].name 'a b' is invalid: {RULE} {EXAMPLE}"),
        (
            "- - {name: a, template: print, arguments: &m {parameters: [{name: message, value: x}]}}\n"
            "- - {name: a, template: print, arguments: *m}",
            "templates.main.steps[1].name 'a' is not unique",
        ),
        ("- - {name: a, template: nope}", "templates.main.steps[0].a template name 'nope' undefined"),
        ("- - {name: a}", "templates.main.steps[0].a failed to get a template"),
        (
            "- - {name: a, template: print}",
            "templates.main.steps[0].a templates.print inputs.parameters.message was not supplied",
        ),
        (
            "- - {name: a, template: print, arguments: {parameters: [{name: message}]}}",
            "templates.main.steps[0].a.arguments.message.value or "
            "templates.main.steps[0].a.arguments.message.valueFrom is required",
        ),
        (
            "- - {name: a, template: print, arguments: "
            "{parameters: [{name: message, value: '{{steps.b.outputs.result}}'}]}}",
            "templates.main.steps failed to resolve {{steps.b.outputs.result}}",
        ),
        (
            "- - {name: a, template: print, withItems: [1], withParam: '[1]'}",
            "templates.main.steps[0].a only one of withItems, withParam, withSequence can be specified",
        ),
        (
            "- - {name: a, template: print, withSequence: {count: 1, end: 2}}",
            "templates.main.steps[0].a only one of count or end can be defined in withSequence",
        ),
        (
            "- - {name: a, template: print, withItems: [{x: 1}], arguments: "
            "{parameters: [{name: message, value: '{{item.y}}'}]}}",
            "templates.main.steps failed to resolve {{item.y}}",
        ),
        (
            "- - {name: a, template: print, hooks: {running: {template: print}}}",
            "templates.main.steps[0].a.running Expression required",
        ),
        (
            "- - {name: a, template: print, templateRef: {name: t, template: x}}",
            "templates.main.steps[0].a template name cannot be specified with templateRef.",
        ),
        ("- - {name: a, templateRef: {template: x}}", "templates.main.steps[0].a resource name is required"),
        ("- - {name: a, templateRef: {name: t}}", "templates.main.steps[0].a template name is required"),
        (
            "- - {name: a, templateRef: {name: t, template: x}}",
            "templates.main.steps[0].a template reference t.x not found",
        ),
    ],
)
def test_steps(steps: str, message: str) -> None:
    body = "\n".join(f"  {line}" for line in steps.splitlines())
    assert said(f"steps:\n{body}") == message


def test_a_step_may_speak_of_those_before_it_of_its_item_and_of_inputs() -> None:
    main = """
inputs: {parameters: [{name: p, default: x}]}
outputs: {parameters: [{name: o, valueFrom: {parameter: "{{steps.a.outputs.result}}"}}]}
steps:
  - - name: a
      template: print
      arguments: {parameters: [{name: message, value: "{{inputs.parameters.p}} {{workflow.uid}}"}]}
  - - name: b
      template: print
      when: "{{steps.a.status}} == Succeeded && {{steps.a.exitCode}} == 0"
      withParam: "{{steps.a.outputs.result}}"
      arguments: {parameters: [{name: message, value: "{{item.any}} {{=item.other}} {{not.ours}}"}]}
"""
    assert said(main) == ""


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ("[]", "templates.main must have at least one task"),
        (
            "[{name: a, template: ok}, {name: a, template: ok}]",
            "templates.main sorting failed: duplicated nodeName a",
        ),
        (
            "[{name: a, template: ok, dependencies: [b]}]",
            "templates.main sorting failed: invalid dependency b",
        ),
        (
            "[{name: a, template: ok, depends: b}, {name: b, template: ok, depends: a.Succeeded}]",
            "templates.main sorting failed: graph with cycle",
        ),
        ("[{name: a b, template: ok}]", f"templates.main.tasks[0].name: 'a b' is invalid: {RULE} {EXAMPLE}"),
        (
            "[{name: a, template: ok}, {name: b, template: ok, depends: a.Done}]",
            "templates.main.tasks.b task result 'Done' for task 'a' is invalid",
        ),
        (
            "[{name: a, template: ok}, {name: b, template: ok, depends: a.AnySucceeded}]",
            "templates.main.tasks.a dependency 'a' uses an items-based condition such as .AnySucceeded or .AllFailed "
            "but does not contain any items",
        ),
        (
            "[{name: a, template: ok}, {name: 1b, template: ok, dependencies: [a]}]",
            "templates.main.tasks.1b name cannot begin with a digit when using either 'depends' or 'dependencies'",
        ),
        (
            "[{name: a, template: ok}, {name: b, template: ok, depends: a}, "
            "{name: c, template: ok, dependencies: [a]}]",
            "templates.main cannot use both 'depends' and 'dependencies' in the same DAG template",
        ),
        (
            "[{name: a, template: ok, continueOn: {failed: true}}, {name: b, template: ok, depends: a}]",
            "templates.main cannot use 'continueOn' when using 'depends'. "
            "Instead use 'dep-task.Failed'/'dep-task.Errored'",
        ),
        ("[{name: a, template: nope}]", "templates.main.tasks.a template name 'nope' undefined"),
        (
            "[{name: a, template: ok, when: '{{tasks.b.status}}'}, {name: b, template: ok}]",
            "templates.main.tasks.a failed to resolve {{tasks.b.status}}",
        ),
        (
            "[{name: a, template: ok}, {name: b, template: print, arguments: "
            "{parameters: [{name: message, value: '{{tasks.a.outputs.result}}'}]}}]",
            "templates.main.tasks.b missing dependency 'a' for parameter 'message'",
        ),
    ],
)
def test_dags(tasks: str, message: str) -> None:
    assert said(f"dag: {{tasks: {tasks}}}", f"{PRINT}- name: ok\n  container: {{image: x}}") == message


def test_the_target_of_a_dag_is_one_of_its_tasks() -> None:
    tasks = "tasks: [{name: a, template: ok}]"
    ok = "- name: ok\n  container: {image: x}"
    assert said(f"dag: {{target: a b, {tasks}}}", ok) == "templates.main.targets: target 'b' is not defined"
    assert said(f"dag: {{target: 'a {{{{workflow.parameters.t}}}}', {tasks}}}", ok) == (
        "templates.main.targets failed to resolve {{workflow.parameters.t}}"
    )


def test_all_that_is_wrong_is_found_each_once() -> None:
    bad = "[{name: a, container: {image: ''}}, {name: b, script: {image: '', source: x}}]"
    spec = f"{{entrypoint: a, onExit: gone, templates: {bad}}}"
    found = problems(workflow(spec), nothing)
    assert [(one.path, one.message) for one in found] == [
        ("spec.entrypoint", "templates.a.container.image may not be empty"),
        ("spec.onExit", "template name 'gone' undefined"),
        ("spec.templates[1]", "templates.b templates.b.script.image may not be empty"),
    ]


def test_a_wrong_type_is_told_before_anything_else() -> None:
    (found,) = problems(workflow("{entrypoint: a, templates: 3}"), nothing)
    assert found.path == "spec.templates"
    assert found.message.endswith('spec.templates in body must be of type array: "integer"')


def test_long_names() -> None:
    spec = "{entrypoint: a, templates: [{name: a, suspend: {}}]}"
    assert first(workflow(spec, name="n" * 63)) == ""
    assert first(workflow(spec, name="n" * 64)) == (
        f'workflow name "{"n" * 64}" must not be more than 63 characters long (currently 64)'
    )


@pytest.mark.parametrize(
    ("main", "message"),
    [
        ("containerSet: {containers: []}", "templates.main.containerSet.containers must have at least one container"),
        (
            "containerSet: {containers: [{name: a, image: x}, {name: a, image: x}]}",
            "templates.main.containerSet.containers[1].name 'a' is not unique",
        ),
        (
            "containerSet: {containers: [{name: a, image: x, dependencies: [b]}]}",
            "templates.main.containerSet.containers.a dependency 'b' not defined",
        ),
        (
            "containerSet: {containers: [{name: a, image: x, dependencies: [b]}, "
            "{name: b, image: x, dependencies: [a]}]}",
            "templates.main.containerSet.containers dependency cycle detected: b->a->b",
        ),
        (
            "{containerSet: {containers: [{name: a, image: x}]}, "
            "outputs: {parameters: [{name: p, valueFrom: {path: /p}}]}}",
            'templates.main.containerSet.containers must have a container named "main" for input or output',
        ),
        (
            "{suspend: {}, metrics: {prometheus: [{name: a.b, help: x, counter: {value: '1'}}]}}",
            "templates.main metric name 'a.b' is invalid. Metric names must contain alphanumeric characters or '_'",
        ),
        (
            "{suspend: {}, metrics: {prometheus: [{name: a, help: '', counter: {value: '1'}}]}}",
            "templates.main metric 'a' must contain a help string under 'help: ' field",
        ),
        (
            "{suspend: {}, metrics: {prometheus: [{name: a, help: x, counter: {value: ''}}]}}",
            "templates.main metric 'a' error: missing counter.value",
        ),
        (
            "{suspend: {}, metrics: {prometheus: [{name: a, help: x, labels: [{key: b.c, value: d}]}]}}",
            "metric label 'b.c' is invalid: keys may only contain alphanumeric characters or '_'",
        ),
    ],
)
def test_what_only_a_cluster_runs(main: str, message: str) -> None:
    assert said(main) == message


# -- other objects ----------------------------------------------------------------------------------------------------

GREETING = {
    "kind": "WorkflowTemplate",
    "metadata": {"name": "greeting"},
    "spec": {
        "arguments": {"parameters": [{"name": "who"}]},
        **templates("container: {image: x, args: ['{{workflow.parameters.who}}']}"),
    },
}


def with_greeting(kind: str, name: str) -> Any:
    return GREETING if (kind, name) == ("WorkflowTemplate", "greeting") else nothing(kind, name)


def test_a_template_by_itself_leaves_to_the_workflow_what_only_that_has() -> None:
    assert first(GREETING) == ""
    broken = {**GREETING, "spec": templates("container: {image: x, args: ['{{inputs.parameters.p}}']}")}
    assert first(broken) == "templates.main: failed to resolve {{inputs.parameters.p}}"


def test_a_workflow_of_a_template_is_checked_with_it() -> None:
    ref = "workflowTemplateRef: {name: greeting}"
    arguments = "arguments: {parameters: [{name: who, value: me}]}"
    assert first(workflow(f"{ref}\n{arguments}"), with_greeting) == ""
    assert first(workflow(ref), with_greeting) == "spec.arguments.who.value or spec.arguments.who.valueFrom is required"
    assert first(workflow(ref), with_greeting, lint=True) == ""
    assert first(workflow(ref)) == 'workflowtemplates.argoproj.io "greeting" not found'
    assert first(workflow(f"{ref}\n{arguments}\nentrypoint: other"), with_greeting) == (
        "template reference greeting.other not found"
    )
    assert first(workflow(f"{ref}\ntemplates: [{{name: a, suspend: {{}}}}]"), with_greeting) == (
        "Templates is invalid field in spec if workflow referred WorkflowTemplate reference"
    )


def test_who_looks_up_may_say_that_it_must_fetch_first() -> None:
    class MissingError(Exception):
        pass

    def missing(kind: str, name: str) -> str:
        raise MissingError(kind, name)

    with pytest.raises(MissingError):
        problems(workflow("workflowTemplateRef: {name: greeting}"), missing)


def test_a_cron_workflow() -> None:
    def cron(**spec: Any) -> str:
        body = {"workflowSpec": load("{entrypoint: b, templates: [{name: a, suspend: {}}]}"), **spec}
        return first({"kind": "CronWorkflow", "metadata": {"name": "nightly"}, "spec": body})

    good = load("{entrypoint: a, templates: [{name: a, suspend: {}}]}")
    assert cron(schedules=["0 4 * * *"], workflowSpec=good) == ""
    assert cron(schedules=["0 4 * * *"]) == "cannot validate Workflow: template name 'b' undefined"
    assert cron(schedules=["0 4 * *"]) == (
        "cron schedule 0 4 * * is malformed: expected exactly 5 fields, found 4: [0 4 * *]"
    )
    assert cron(schedules=["@daily"], schedule="@daily") == (
        "cron workflow cant be configured with both Spec.Schedule and Spec.Schedules"
    )
    assert cron(concurrencyPolicy="Maybe") == "'Maybe' is not a valid concurrencyPolicy"
    assert cron(startingDeadlineSeconds=-1) == "startingDeadlineSeconds must be positive"


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="no ../shared/reference/argo-examples beside the checkout")
def test_upstreams_examples_pass() -> None:
    objects = [obj for path in sorted(EXAMPLES.rglob("*.yaml")) for obj in load_all(path.read_text())]

    def any_template(kind: str, name: str) -> dict[str, Any]:
        # What they refer to is not among them: a stand-in that has every template they name.
        message = {"parameters": [{"name": "message", "default": ""}]}
        names = ("print-message", "hello-world", "inner-diamond", "inner-steps", "random-fail-template", "main")
        stand_ins = [{"name": one, "inputs": message, "container": {"image": "x"}} for one in names]
        return {
            "kind": kind,
            "metadata": {"name": name},
            "spec": {"entrypoint": "print-message", "templates": stand_ins},
        }

    for obj in objects:
        assert problems(obj, any_template) == [], obj["metadata"]


def test_an_init_container_without_a_name_is_told_as_argo_tells_it() -> None:
    main = {"name": "main", "container": {"image": "x"}, "initContainers": [{"image": "x"}]}
    assert first(workflow({"entrypoint": "main", "templates": [main]})) == "initContainers must all have container name"
    main["initContainers"] = [{"image": "x", "name": 1}]
    assert "initContainers[0].name: Invalid value" in first(workflow({"entrypoint": "main", "templates": [main]}))
