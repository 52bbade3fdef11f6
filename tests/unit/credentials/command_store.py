"""A program as `command:` takes it: documents in one JSON file. It notes how it was called.

Called as `command_store.py FILE [MODE]`, by an interpreter without site-packages: it starts in 15 ms.
"""

import fcntl
import json
import os
import sys
import time


def main(path: str, mode: str = "") -> int:
    text = sys.stdin.read()
    request = json.loads(text)
    with open(path + ".calls", "a") as calls:
        calls.write(json.dumps({"argv": sys.argv, "environ": dict(os.environ)}) + "\n")
    if mode == "fail":
        sys.stderr.write(f"\nthe safe is shut: {request.get('values', {}).get('current')}\nsecond line\n")
        return 7
    if mode == "talk":
        sys.stdout.write("password: hunter2")
        return 0
    if mode == "read-only":
        return 4
    if mode == "no-version":
        sys.stdout.write(json.dumps({"values": {"username": "root"}}))
        return 0
    if mode == "numbers":
        sys.stdout.write(json.dumps({"values": {"password": 12345}, "version": "1"}))
        return 0
    if mode == "sleep":
        with open(path + ".pid", "w") as file:
            file.write(str(os.getpid()))
        time.sleep(600)
    return answer(path, request)


def answer(path: str, request: dict) -> int:
    with open(path + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        documents = {}
        if os.path.exists(path):
            with open(path) as file:
                documents = json.load(file)
        known = documents.get(request["name"])
        if request["operation"] == "read":
            sys.stdout.write(json.dumps(known or {"values": None}))
            return 0
        if (known["version"] if known else "") != request["version"]:
            return 3
        version = str(int(request["version"] or 0) + 1)
        documents[request["name"]] = {"values": request["values"], "version": version}
        with open(path + ".new", "w") as file:
            json.dump(documents, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(path + ".new", path)
        sys.stdout.write(json.dumps({"version": version}))
        return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
