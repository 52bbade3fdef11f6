"""The process that forks: small, single-threaded, warm. The kubelet starts it, and has it fork the workers.

There are two: a bare one (pods of ordinary commands; its small size is what makes a fork cheap) and one with Python
modules loaded (pods whose command is this environment's Python). It knows nothing of pods: plans go from the kubelet to
the workers. It ends when the kubelet does; workers that have a pod live on. See `workers`.

Started as `python -c 'from tiphys.kubelet.zygote import main; main()' SETTINGS`; SETTINGS is JSON, see
`supervisor._command`.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import socket
import sys

from tiphys.kubelet import sandbox, syscalls, warm
from tiphys.kubelet.container import Host
from tiphys.kubelet.process import Become
from tiphys.kubelet.workers import serve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

__all__ = ["main"]


def main() -> NoReturn:
    """Serve until the kubelet closes the socket. In the fork of a Python step: run the step."""
    settings = json.loads(sys.argv[1])
    del sys.argv[1:]
    try:
        _serve(settings)
    except Become as become:
        invocation, env = become.invocation, become.env
    # Outside the except clause, so that the program sees no exception being handled.
    warm.run(invocation, env, _loaded - len(_own), _own)


_loaded = 0
_own: list[str] = []


def _serve(settings: dict[str, Any]) -> None:
    global _loaded, _own
    os.setsid()
    os.umask(0o022)
    for number in signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ}:
        if signal.getsignal(number) is signal.SIG_IGN:  # by nohup, or a shell's `&`: a step must not inherit that
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGCHLD, signal.SIGTERM))
    for name in settings["preload"]:
        importlib.import_module(name)
    refused = _separate(settings["sandbox"])
    if os.geteuid() == 0 and not refused:
        # Else a step could look into the server (its memory, its files by /proc/PID/root) or unmount what hides them.
        syscalls.bound_capabilities(syscalls.CONTAINER_CAPABILITIES)
    host = Host(settings["root"], not refused, settings["kept"], settings["hidden"], bool(settings["preload"]))
    requests = socket.socket(fileno=settings["socket"])
    requests.set_inheritable(False)
    requests.send(json.dumps({"refused": refused}).encode())
    _loaded, _own = len(sys.modules), [name for name in sys.modules if name.partition(".")[0] == "tiphys"]
    gc.collect()
    gc.freeze()
    gc.disable()
    serve(host, requests, settings["open_files"])
    os._exit(0)


def _separate(wanted: str) -> str:
    """Join a mount namespace; "" or why containers are to do without."""
    if wanted == "paths":
        return "asked for by the settings"
    refused = sandbox.allowed()
    if not refused:
        sandbox.join()
    elif wanted == "namespaces":
        sys.exit(f"mount namespaces are required by the settings, and the kernel refuses them: {refused}")
    return refused
