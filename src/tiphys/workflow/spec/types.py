"""Lenses over workflow manifests: frozen, read-only, only the fields the engine reads. The raw object stays the truth.

Field names are Argo's, in Python's spelling (`rename="camel"` turns them back). A field that is no template, step or
parameter business of the engine (volumes, resources, …) is not listed here; `workflow.pods` reads it from the raw one.
"""

from __future__ import annotations

from typing import Any

from tiphys.kit.codec import Struct, convert, field

__all__ = [
    "Arguments",
    "Backoff",
    "ContinueOn",
    "DAGTask",
    "DAGTemplate",
    "Inputs",
    "LifecycleHook",
    "Metadata",
    "Outputs",
    "Parameter",
    "PodGC",
    "RetryStrategy",
    "Sequence",
    "SuspendTemplate",
    "TTLStrategy",
    "Template",
    "TemplateRef",
    "ValueFrom",
    "WorkflowSpec",
    "WorkflowStep",
    "WorkflowTemplateRef",
    "template_of",
]


class _Lens(Struct, frozen=True, rename="camel", omit_defaults=True):
    pass


class KeyRef(_Lens, frozen=True):
    """configMapKeyRef, secretKeyRef."""

    name: str = ""
    key: str = ""
    optional: bool = False


class ValueFrom(_Lens, frozen=True):
    """Where a parameter's value comes from."""

    path: str | None = None
    parameter: str | None = None
    expression: str | None = None
    event: str | None = None
    json_path: str | None = None
    jq_filter: str | None = None
    supplied: dict[str, Any] | None = None
    config_map_key_ref: KeyRef | None = None
    default: Any = None


class Parameter(_Lens, frozen=True):
    """Of inputs, outputs or arguments; values are AnyString: numbers and booleans are allowed in manifests."""

    name: str
    value: Any = None
    default: Any = None
    value_from: ValueFrom | None = None
    global_name: str = ""
    description: str = ""
    enum: list[Any] | None = None


class Arguments(_Lens, frozen=True):
    """Parameters and artifacts handed to a template."""

    parameters: list[Parameter] = []
    artifacts: list[dict[str, Any]] = []


class Inputs(_Lens, frozen=True):
    """What a template takes."""

    parameters: list[Parameter] = []
    artifacts: list[dict[str, Any]] = []


class Outputs(_Lens, frozen=True):
    """What a template gives."""

    parameters: list[Parameter] = []
    artifacts: list[dict[str, Any]] = []
    result: str | None = None
    exit_code: str | None = None


class TemplateRef(_Lens, frozen=True):
    """A template of a WorkflowTemplate or ClusterWorkflowTemplate."""

    name: str = ""
    template: str = ""
    cluster_scope: bool = False


class WorkflowTemplateRef(_Lens, frozen=True):
    """A whole WorkflowTemplate run as a workflow."""

    name: str = ""
    cluster_scope: bool = False


class Backoff(_Lens, frozen=True):
    """Waits between attempts: Go durations or numbers of seconds."""

    duration: Any = ""
    factor: Any = None
    max_duration: Any = ""
    cap: Any = ""


class RetryStrategy(_Lens, frozen=True):
    """`limit` None: no limit."""

    limit: Any = None
    retry_policy: str = ""
    backoff: Backoff | None = None
    expression: str = ""
    affinity: dict[str, Any] | None = None


class ContinueOn(_Lens, frozen=True):
    """Go on although a step failed or errored."""

    error: bool = False
    failed: bool = False


class Sequence(_Lens, frozen=True):
    """withSequence; numbers may be strings with tags."""

    count: Any = None
    start: Any = None
    end: Any = None
    format: str = ""


class LifecycleHook(_Lens, frozen=True):
    """A hook: `exit`, or any name with an expression."""

    template: str = ""
    template_ref: TemplateRef | None = None
    arguments: Arguments = Arguments()
    expression: str = ""


class WorkflowStep(_Lens, frozen=True):
    """A step, and all a DAG task has in common with one."""

    name: str = ""
    template: str = ""
    template_ref: TemplateRef | None = None
    inline: dict[str, Any] | None = None
    arguments: Arguments = Arguments()
    when: str = ""
    with_items: list[Any] | None = None
    with_param: str = ""
    with_sequence: Sequence | None = None
    continue_on: ContinueOn | None = None
    on_exit: str = ""
    hooks: dict[str, LifecycleHook] = {}


class DAGTask(WorkflowStep, frozen=True):
    """A task of a DAG."""

    dependencies: list[str] = []
    depends: str = ""


class DAGTemplate(_Lens, frozen=True):
    """`target`: names split on spaces."""

    tasks: list[DAGTask] = []
    target: str = ""
    fail_fast: bool | None = None


class SuspendTemplate(_Lens, frozen=True):
    """Waits for a resume, or for `duration`."""

    duration: Any = ""


class Metadata(_Lens, frozen=True):
    """Labels and annotations for pods or workflows."""

    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class Template(_Lens, frozen=True):
    """A template. The leaf kinds (container, script, http, …) stay raw: the engine passes them on."""

    name: str = ""
    inputs: Inputs = Inputs()
    outputs: Outputs = Outputs()
    metadata: Metadata = Metadata()
    steps: list[list[WorkflowStep]] | None = None
    dag: DAGTemplate | None = None
    suspend: SuspendTemplate | None = None
    container: dict[str, Any] | None = None
    script: dict[str, Any] | None = None
    http: dict[str, Any] | None = None
    container_set: dict[str, Any] | None = None
    resource: dict[str, Any] | None = None
    data: dict[str, Any] | None = None
    plugin: dict[str, Any] | None = None
    retry_strategy: RetryStrategy | None = None
    parallelism: int | None = None
    fail_fast: bool | None = None
    timeout: str = ""
    active_deadline_seconds: Any = None
    daemon: bool = False


class PodGC(_Lens, frozen=True):
    """When pods are deleted."""

    strategy: str = ""
    label_selector: dict[str, Any] | None = None
    delete_delay_duration: str | None = None


class TTLStrategy(_Lens, frozen=True):
    """When the workflow is deleted, in seconds after its end."""

    seconds_after_completion: int | None = None
    seconds_after_success: int | None = None
    seconds_after_failure: int | None = None


class WorkflowSpec(_Lens, frozen=True):
    """What the engine and controller read of a spec; templates stay raw, `template_of` makes a lens of one."""

    entrypoint: str = ""
    templates: list[dict[str, Any]] = []
    arguments: Arguments = Arguments()
    workflow_template_ref: WorkflowTemplateRef | None = None
    service_account_name: str = ""
    on_exit: str = ""
    hooks: dict[str, LifecycleHook] = {}
    parallelism: int | None = None
    active_deadline_seconds: int | None = None
    retry_strategy: RetryStrategy | None = None
    shutdown: str = ""
    suspend: bool | None = None
    priority: int | None = None
    pod_gc: PodGC | None = field(default=None, name="podGC")
    ttl_strategy: TTLStrategy | None = None
    template_defaults: dict[str, Any] | None = None
    workflow_metadata: dict[str, Any] | None = None


def template_of(raw: dict[str, Any]) -> Template:
    """The lens over one raw template.

    Raises:
        DecodeError: a field has another type; the message names its path.
    """
    return convert(raw, Template)
