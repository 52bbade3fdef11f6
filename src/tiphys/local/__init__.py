"""The composition root of `tiphys up`: store, API server, controllers and kubelet in one process.

`config` is what it is told, `place` the data directory and what identifies the cluster in it; `admission` hands the
workflow's rules to the API server, which knows none; `cluster` builds everything that runs. The parts do not know each
other.
"""

from tiphys.local.cluster import Local
from tiphys.local.config import Settings

__all__ = ["Local", "Settings"]
