"""A Python step is forked from a warm interpreter: it must see what a fresh one sees, and nothing of other steps."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import Any

import pytest

# What a program can find out about the process and the interpreter it is in.
_LOOK = """
import sys, os
seen = {"modules": sorted(set(sys.modules) - {"json", "os"}), "main": sorted(__name__ and globals())}
import gc, json, locale, resource, signal, threading
seen |= {
    "argv": sys.argv, "path": sys.path, "flags": str(sys.flags), "cwd": os.getcwd(), "orig": sys.orig_argv[1:],
    "executable": sys.executable, "name": __name__, "env": dict(os.environ), "excepthook": sys.excepthook.__name__,
    "fds": sorted(int(fd) for fd in os.listdir("/proc/self/fd")), "umask": os.umask(0o022),
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
    "handlers": {int(n): str(signal.getsignal(n)).split(" at ")[0] for n in signal.valid_signals()},
    # 32 and 33 are the C library's own: it ignores them in what it spawns.
    "signals": {k: int(v, 16) & ~(3 << 31) for k, v in (line.split(":") for line in open("/proc/self/status"))
                if k.startswith(("SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt"))},
    "limits": {n: resource.getrlimit(getattr(resource, n)) for n in dir(resource) if n.startswith("RLIMIT_")},
    "locale": locale.setlocale(locale.LC_ALL), "encoding": [sys.getfilesystemencoding(), locale.getpreferredencoding()],
    "streams": [(s.name, s.encoding, s.errors, s.line_buffering, s.write_through) for s in
                (sys.stdin, sys.stdout, sys.stderr)],
    "threads": [t.name for t in threading.enumerate()], "gc": gc.get_threshold(),
    "collects": gc.isenabled(), "recursion": sys.getrecursionlimit(), "trace": [sys.gettrace(), sys.getprofile()],
    "dump": sys.dont_write_bytecode, "switch": sys.getswitchinterval(), "session": os.getsid(0) == os.getpid(),
    "handled": str(sys.exc_info()),
}
print(json.dumps(seen))
"""
_ENV = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "ONLY": "this"}


def test_it_sees_what_a_fresh_interpreter_sees(on_node, sandbox, folder) -> None:
    async def scenario(node) -> None:
        variables = [{"name": name, "value": value} for name, value in _ENV.items()]
        text = await node.sh_of("p", [sys.executable, "-c", _LOOK, "an argument"], main={"env": variables})
        warm = json.loads(text)
        # The same from an exec, which the warm interpreter does not take: -B.
        cold = json.loads(
            await node.sh_of("q", [sys.executable, "-B", "-c", _LOOK, "an argument"], main={"env": variables})
        )
        assert warm.pop("orig") == [word for word in cold.pop("orig") if word != "-B"]
        cold["flags"] = cold["flags"].replace("dont_write_bytecode=1", "dont_write_bytecode=0")
        assert (warm.pop("dump"), cold.pop("dump")) == (False, True)
        assert not any(name.startswith("tiphys") for name in warm["modules"])
        assert set(cold.pop("modules")) <= set(warm.pop("modules"))
        for one in (warm, cold):
            one["env"].pop("TMPDIR", None)
            assert one["env"].pop("HOSTNAME") in "pq"
        different = {key: (warm.get(key), cold.get(key)) for key in warm | cold if warm.get(key) != cold.get(key)}
        assert not different

    on_node(scenario, sandbox=sandbox)


def test_nothing_of_one_step_reaches_the_next(on_node, folder) -> None:
    change = (
        "import sys, os, json, signal, random, atexit, builtins, locale, threading, resource\n"
        "sys.path.insert(0, '/left'); sys.modules['left'] = sys; os.environ['LEFT'] = '1'; os.chdir('/usr')\n"
        "signal.signal(signal.SIGUSR1, lambda *a: None); signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})\n"
        "os.umask(0o077); json.left = 1; builtins.left = 1; sys.setrecursionlimit(99999); left = 1\n"
        "resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); atexit.register(print, 'bye'); open('/tmp/left', 'w')\n"
        "threading.Thread(target=lambda: None).start(); os.dup2(1, 77)\n"
    )
    look = (
        "import sys, os, json, signal, builtins, resource\n"
        "print('/left' in sys.path, 'left' in sys.modules, os.environ.get('LEFT'), os.getcwd(), os.umask(0),\n"
        "      signal.getsignal(signal.SIGUSR1).name, signal.pthread_sigmask(signal.SIG_BLOCK, ()),\n"
        "      hasattr(json, 'left'), hasattr(builtins, 'left'), sys.getrecursionlimit(), 'left' in globals(),\n"
        "      os.path.exists('/tmp/left'), os.path.exists('/proc/self/fd/77'))\n"
    )

    async def scenario(node) -> None:
        assert await node.sh_of("one", ["python3", "-c", change]) == "bye\n"
        expected = f"False False None / 18 SIG_DFL set() False False {sys.getrecursionlimit()} False False False\n"
        assert await node.sh_of("two", ["python3", "-c", look]) == expected

    on_node(scenario)


def test_randomness_differs_from_step_to_step(on_node) -> None:
    async def scenario(node) -> None:
        script = "import random, uuid, tempfile, secrets; print(random.random(), uuid.uuid4(), secrets.token_hex())"
        texts = {await node.sh_of(f"p{number}", ["python3", "-c", script]) for number in range(3)}
        assert len({value for text in texts for value in text.split()}) == 9

    on_node(scenario)


@pytest.mark.parametrize(
    ("script", "code", "said"),
    [
        ("import sys; sys.exit(3)", 3, ""),
        ("import sys; sys.exit('why')", 1, "why\n"),
        ("raise SystemExit", 0, ""),
        ("1 / 0", 1, 'Traceback (most recent call last):\n  File "<string>", line 1, in <module>\n'),
        ("def f(: pass", 1, '  File "<string>", line 1\n'),
        ("import os; os.kill(os.getpid(), 9)", 137, ""),
        ("import os; os._exit(5)", 5, ""),
        ("raise KeyboardInterrupt", 130, "Traceback"),
        ("import atexit; atexit.register(print, 'last'); print('first')", 0, "first\nlast\n"),
        (
            "import threading, time; threading.Thread(target=lambda: (time.sleep(0.1), print('late'))).start()",
            0,
            "late\n",
        ),
        (
            "f = open('/tmp/f', 'w'); f.write('x')\nclass C:\n def __del__(self): print('deleted')\nc = C()",
            0,
            "deleted\n",
        ),
        ("import sys; print(sys.stdin.read() == '')", 0, "True\n"),
        (
            "import multiprocessing as m\nwith m.get_context('fork').Pool(2) as p: print(p.map(abs, [-1, -2]))",
            0,
            "[1, 2]\n",
        ),
        ("import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1)'], check=True)", 0, "1\n"),
        ("import asyncio; asyncio.run(asyncio.sleep(0)); print('ran')", 0, "ran\n"),
    ],
)
def test_ends(on_node, script: str, code: int, said: str) -> None:
    async def scenario(node) -> None:
        pod = await node.run("p", "python3", "-c", script)
        text = await node.log("p")
        assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == code, text
        assert text.startswith(said)

    on_node(scenario)


def test_a_script_file_runs_warm_and_is_main(on_node) -> None:
    script = (
        "import sys, __main__, inspect, pickle\n"
        "class Own: pass\n"
        "print(__file__, __name__, sys.path[0], sys.argv, inspect.getsource(Own).strip(), pickle.dumps(Own()) > b'')\n"
        "print(any('zygote' in word for word in sys.orig_argv), 'ssl' in sys.modules)\n"
    )

    async def scenario(node) -> None:
        item = {"path": "script", "fieldRef": {"fieldPath": "metadata.annotations['script']"}}
        main: dict[str, Any] = {"volumeMounts": [{"name": "s", "mountPath": "/argo/staging"}]}
        text = await node.sh_of(
            "p",
            ["python", "/argo/staging/script"],
            main=main,
            spec={"volumes": [{"name": "s", "downwardAPI": {"items": [item]}}]},
            meta={"annotations": {"script": script}},
        )
        first, second = text.splitlines()
        place = "/argo/staging" if node.supervisor().refused == "" else first.split("/script")[0]
        assert first.startswith(f"{place}/script __main__ ")
        assert first.endswith("class Own: pass True")
        assert second == "False True", "warm: what is preloaded is there"

    on_node(scenario)


def test_commands_that_need_another_interpreter_get_it(on_node, folder) -> None:
    async def scenario(node) -> None:
        env = [{"name": "PYTHONHASHSEED", "value": "0"}]
        script = "import sys; print('ssl' in sys.modules, hash('a'))"
        expected = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, env={"PYTHONHASHSEED": "0"}, check=True
        ).stdout
        assert await node.sh_of("seed", ["python", "-c", script], main={"env": env}) == expected
        isolated = "import sys; print(sys.flags.isolated)"
        assert await node.sh_of("flag", ["python", "-I", "-c", isolated]) == "1\n"
        assert await node.sh_of("shell", ["sh", "-c", "exec python -c 'print(2)'"]) == "2\n"

    on_node(scenario)


def test_signals_that_the_server_was_told_to_ignore_are_not_ignored_by_steps(on_node, folder) -> None:
    async def scenario(node) -> None:
        look = "grep SigIgn /proc/self/status"
        cold = await node.sh_of("cold", ["sh", "-c", look])
        warm = await node.sh_of("warm", ["python3", "-c", f"import os; os.system({look!r})"])
        # 32 and 33 are the C library's own; PIPE (13) and XFSZ (25) are Python's.
        assert int(cold.split()[1], 16) & ~(3 << 31) == 0
        assert int(warm.split()[1], 16) & ~(3 << 31) & ~(1 << 12 | 1 << 24) == 0

    ignored = [signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1]
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ignored}
    try:
        on_node(scenario)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
