"""From a step to its Pod and back: what is asked of the kubelet, and what a pod's status says of the node. Pure.

Called by `workflow.controller` (build, observe) and `workflow.executor` (keys, declared outputs); reads no clock.
"""

from tiphys.workflow.pods.build import PodSettings, build
from tiphys.workflow.pods.observe import observe, outputs_expected, reporting_account, resources_duration

__all__ = ["PodSettings", "build", "observe", "outputs_expected", "reporting_account", "resources_duration"]
