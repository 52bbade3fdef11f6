"""`tiphys demo`: the main job on this machine, typed for the reader with its real output, in less than a minute.

`story` is what is typed and why; `stage` is what it needs: processes, files, a terminal to type into.
"""

from tiphys.cli.demo.story import register, run

__all__ = ["register", "run"]
