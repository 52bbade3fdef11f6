"""The workflow engine: events in, changed nodes and commands out. Pure.

`Run` is one workflow that is going on; `protocol` has the events it takes and the commands it gives. Called by the
workflow controller, which does the I/O.
"""

from __future__ import annotations

from tiphys.workflow.engine.run import Run

__all__ = ["Run"]
