"""expr-lang (v1.17), the language of `{{=…}}`, of `expression:` fields and of success conditions.

    tokens -> parser -> nodes -> compiler (closures, cached by source) -> a value

Called by `expr.tags` and the engine. Bounded in depth, size and steps; reads nothing but its environment: the time
comes with `environment(scope, now=…)`. Every failure is an ExpressionError.
"""

from __future__ import annotations

from tiphys.workflow.expr.lang.evaluate import environment, evaluate, evaluate_bool
from tiphys.workflow.expr.lang.identifiers import identifiers

__all__ = ["environment", "evaluate", "evaluate_bool", "identifiers"]
