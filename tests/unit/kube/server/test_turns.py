"""How many requests of a user are answered at a time."""

import asyncio
from contextlib import AsyncExitStack

from tiphys.kit.codec import decode
from tiphys.kube.server.turns import Turns

AT_ONCE = 3
CONFIGMAPS = "/api/v1/namespaces/ns/configmaps"


def test_who_takes_no_answers_gets_no_more_and_others_do(serving):
    async def scenario(http) -> None:
        for n in range(3):
            await http("POST", CONFIGMAPS, {"metadata": {"name": f"c{n}"}, "data": {"a": "x" * 50_000}})
        token = await account(http)
        async with AsyncExitStack() as stack:
            unread = []
            for _ in range(AT_ONCE):
                unread.append(await stack.enter_async_context(http.stream(CONFIGMAPS)))
                unread[-1].reads.clear()
            await asyncio.gather(*(stream.begun.wait() for stream in unread))
            refused = await http("GET", CONFIGMAPS)
            assert (refused.code, refused.value["reason"]) == (429, "TooManyRequests")
            assert refused.header("retry-after") == ["1"]
            assert "requests of admin are under way" in refused.message
            assert (await http("GET", CONFIGMAPS, token=token)).code == 403  # answered
            # A watch takes no turn; what only looks like one does.
            async with http.stream(CONFIGMAPS + "?watch=1") as watch:
                assert (await watch.line())["type"] == "ADDED"
            assert (await http("GET", CONFIGMAPS + "?follow=1")).code == 429
            unread[0].reads.set()
            assert len(decode(await unread[0].whole())["items"]) == 3
            assert (await http("GET", CONFIGMAPS)).code == 200

    serving(scenario, turns=Turns(AT_ONCE, seconds=0.05))


def test_more_than_may_be_answered_at_a_time_wait_for_their_turns(serving):
    async def scenario(http) -> None:
        bodies = [{"metadata": {"name": f"c{n}"}} for n in range(20 * AT_ONCE)]
        answers = await asyncio.gather(*(http("POST", CONFIGMAPS, body) for body in bodies))
        assert {answer.code for answer in answers} == {201}

    serving(scenario, turns=Turns(AT_ONCE, seconds=30))


async def account(http) -> str:
    asked = await http("POST", "/api/v1/namespaces/ns/serviceaccounts/default/token", {"spec": {}})
    return asked.value["status"]["token"]
