"""JSONPath as `jsonpath(text, path)` of Argo's expressions has it: `$.a['b'][0].*..c[1:3][?(@.d > 10)][(@.length-1)]`.

A path that can lead to one value only gives that value, any other a list. Filters and scripts are expressions of the
language around it, in which `@` and `$` begin paths of their own. Called by `argofunctions`.
"""

from __future__ import annotations

import functools
from typing import Any

from tiphys.workflow.expr.lang.jsonpath.reader import Reader
from tiphys.workflow.expr.lang.jsonpath.steps import Path
from tiphys.workflow.expr.lang.jsonpath.walk import Walk

__all__ = ["query"]


def query(path: str, root: Any) -> Any:
    """What the path leads to.

    Raises:
        FaultError: it is no path, or leads nowhere, or would visit too much.
    """
    return Walk(root).follow(_compiled(path).steps, root)


@functools.lru_cache(maxsize=512)
def _compiled(source: str) -> Path:
    reader = Reader(source.strip(), within=False)
    path = reader.path()
    if reader.at < len(reader.text):
        raise reader.fault()
    return path
