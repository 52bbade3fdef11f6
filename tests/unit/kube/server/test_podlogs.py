"""`…/log`: whose, and what is said where there is none; the text itself is the kubelet's."""

import asyncio

import pytest

from tiphys.errors import ApiError

PODS = "/api/v1/namespaces/ns/pods"
RUNNING = {"state": {"running": {}}}


class Source:
    """A kubelet's logs."""

    def __init__(self, *chunks: bytes, fails: ApiError | None = None, follows: bool = False) -> None:
        self.chunks, self.fails, self.follows = chunks, fails, follows
        self.asked = []
        self.closed = asyncio.Event()

    async def read(self, pod, container, options):
        self.asked.append((pod["metadata"]["name"], container, dict(options)))
        if self.fails:
            raise self.fails
        try:
            for chunk in self.chunks:
                yield chunk
            if self.follows:
                await asyncio.Event().wait()
        finally:
            self.closed.set()


async def run_pod(http, *containers: str, **status) -> None:
    spec = {"containers": [{"name": name, "image": "i"} for name in containers or ("main",)]}
    await http("POST", PODS, {"metadata": {"name": "p"}, "spec": {**spec, "initContainers": []}})
    shown = {"containerStatuses": [{"name": name, **(status or RUNNING)} for name in containers or ("main",)]}
    body = {"status": shown}
    assert (await http("PATCH", PODS + "/p/status", body, kind="application/merge-patch+json")).code == 200


def test_the_text_and_the_options_pass_through(serving):
    async def scenario(http) -> None:
        await run_pod(http)
        http.logs.source = source = Source(b"one\n", b"two\n")
        answer = await http("GET", PODS + "/p/log?tailLines=2&timestamps=true")
        assert (answer.code, answer.body, answer.header("content-type")) == (200, b"one\ntwo\n", ["text/plain"])
        assert source.asked == [("p", "main", {"tailLines": "2", "timestamps": "true"})]

    serving(scenario)


@pytest.mark.parametrize(
    ("containers", "status", "query", "code", "says"),
    [
        (("a", "b"), {}, "", 400, "a container name must be specified for pod p, choose one of: [a b]"),
        (("a",), {}, "?container=x", 400, "container x is not valid for pod p"),
        (("a",), {"state": {"waiting": {"reason": "ErrImagePull"}}}, "", 400, "is waiting to start: ErrImagePull"),
        (("a",), {}, "?previous=true", 400, 'previous terminated container "a" in pod "p" not found'),
        (("a",), {}, "?tailLines=-1", 422, "must be greater than or equal to 0"),
        (("a",), {}, "?tailLines=x", 400, "invalid syntax"),
        (("a",), {}, "?limitBytes=0", 422, "must be greater than 0"),
        (("a",), {}, "?sinceSeconds=1&sinceTime=2026-01-01T00:00:00Z", 422, "at most one of"),
    ],
)
def test_a_log_that_cannot_be_shown(serving, containers, status, query, code, says):
    async def scenario(http) -> None:
        http.logs.source = Source(b"x")
        await run_pod(http, *containers, **status)
        answer = await http("GET", f"{PODS}/p/log{query}")
        assert answer.code == code
        assert says in answer.message
        assert (await http("GET", PODS + "/nope/log")).message == 'pods "nope" not found'

    serving(scenario)


def test_without_a_kubelet_and_with_one_that_refuses(serving):
    async def scenario(http) -> None:
        await run_pod(http)
        assert (await http("GET", PODS + "/p/log")).code == 503
        http.logs.source = Source(fails=ApiError(404, "NotFound", "the log is gone"))
        answer = await http("GET", PODS + "/p/log")
        assert (answer.code, answer.message) == (404, "the log is gone")

    serving(scenario)


def test_a_reader_who_goes_ends_the_following(serving):
    async def scenario(http) -> None:
        await run_pod(http)
        http.logs.source = source = Source(b'{"n": 1}\n', follows=True)
        async with http.stream(PODS + "/p/log?follow=true") as stream:
            assert await stream.line() == {"n": 1}
            assert not source.closed.is_set()
        assert source.closed.is_set()

    serving(scenario)
