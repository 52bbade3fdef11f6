"""`tiphys cluster-template`: ClusterWorkflowTemplates."""

from __future__ import annotations

from tiphys.cli.session import CLUSTER_TEMPLATES
from tiphys.cli.templates import Kind, template_group

__all__ = ["COMMAND"]

COMMAND = template_group(Kind(CLUSTER_TEMPLATES, "cluster workflow template", "cluster-template", ("cwftmpl", "cwft")))
