"""What Argo's executor does after a step: hand its outputs on as a WorkflowTaskResult, with the step's own rights.

Called by the kubelet's callback, which the composition root ties to a client of the pod's service account.
"""

from tiphys.workflow.executor.report import Captured, report, task_result

__all__ = ["Captured", "report", "task_result"]
