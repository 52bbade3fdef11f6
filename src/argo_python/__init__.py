"""Writes Kubernetes Secrets from inside a workflow step, so that the next step can mount them.

::

    from argo_python import ArgoWorkflow

    workflow = ArgoWorkflow()
    name = workflow.create_secret("obm-creds", {}, string_data={"username": "root", "password": password})

By default the Secret belongs to the pod that made it and is collected with it; with `podGC: OnWorkflowCompletion` it
lives as long as the workflow. Standard library only: a step that imports this starts in 60 ms.
"""

from argo_python._errors import Denied, KubernetesError, NotInPod, OwnershipError
from argo_python._workflow import ArgoWorkflow, Pod

__all__ = ["ArgoWorkflow", "Denied", "KubernetesError", "NotInPod", "OwnershipError", "Pod"]
