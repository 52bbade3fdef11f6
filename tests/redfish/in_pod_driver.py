"""`tiphys obm …` several times at once in one process, configured as a pod is: by the files of a service account.

    python in_pod_driver.py FOLDER TIMES WORD…

FOLDER stands for /var/run/secrets/kubernetes.io/serviceaccount. Prints a JSON list: how each of them ended. Not a test:
`test_obm_cluster` starts it.
"""

import argparse
import contextlib
import json
import pathlib
import sys
import threading
from typing import Any

from tiphys.cli.obm import register
from tiphys.errors import TiphysError
from tiphys.kube.client import kubeconfig

kubeconfig.POD_FILES = pathlib.Path(sys.argv[1])
told: list[Any] = []


def once() -> None:
    parser = argparse.ArgumentParser()
    register(parser)
    options = parser.parse_args(sys.argv[3:])
    options.sink = told.append
    with contextlib.suppress(TiphysError):  # it has been told
        options.work(options)


threads = [threading.Thread(target=once) for _ in range(int(sys.argv[2]))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
sys.stdout.write(json.dumps(told))
