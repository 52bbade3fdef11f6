"""What Argo's lint and its controller refuse in a workflow or template before it runs, in their words. Pure.

`problems` is the one entrance: called by the engine when a workflow begins ("invalid spec: …"), and by the command line
for `lint`, `submit` and `template create`. Expressions (`{{=…}}`, `when`) are not looked into, as Argo does not either.
"""

from __future__ import annotations

from tiphys.workflow.spec.validate.objects import problems
from tiphys.workflow.spec.validate.rules import Lookup, Problem

__all__ = ["Lookup", "Problem", "problems"]
