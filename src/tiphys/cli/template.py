"""`tiphys template`: WorkflowTemplates."""

from __future__ import annotations

from tiphys.cli.session import TEMPLATES
from tiphys.cli.templates import Kind, template_group

__all__ = ["COMMAND"]

COMMAND = template_group(Kind(TEMPLATES, "workflow template", "template"))
