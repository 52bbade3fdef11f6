"""Long work apart from the event loop."""

import asyncio
import subprocess
import sys
import threading

import pytest

from tiphys.errors import UsageError
from tiphys.kube.server.apart import apart


def test_the_loop_goes_on_and_gets_what_comes_of_it():
    async def scenario() -> None:
        go_on = threading.Event()
        working = asyncio.ensure_future(apart(lambda: go_on.wait(10)))
        await asyncio.sleep(0)
        assert not working.done()
        go_on.set()
        assert await working is True

    for _ in range(2):  # more loops than one
        asyncio.run(scenario())


def test_what_goes_wrong_is_told_to_who_waits():
    def wrong() -> None:
        raise UsageError("no")

    async def scenario() -> None:
        with pytest.raises(UsageError, match="no"):
            await apart(wrong)
        assert await apart(lambda: 1) == 1

    asyncio.run(scenario())


def test_who_no_longer_waits_is_not_worked_for():
    done = []

    async def scenario() -> None:
        go_on = threading.Event()
        busy = [asyncio.ensure_future(apart(lambda: go_on.wait(10))) for _ in range(2)]
        gone = asyncio.ensure_future(apart(lambda: done.append(1)))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(*busy)
        await apart(lambda: done.append(2))

    asyncio.run(scenario())
    assert done == [2]


def test_a_program_that_ends_does_not_wait_for_it():
    program = """
import asyncio, threading
from tiphys.kube.server.apart import apart
async def main():
    working = asyncio.ensure_future(apart(threading.Event().wait))
    await asyncio.sleep(0)
asyncio.run(main())
print("ended")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "ended\n"
