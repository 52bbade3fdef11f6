"""Where an image comes from, and all that can be wrong with that: nothing reaches the BMC but the image on record."""

import contextlib
import gzip
import hashlib
import http.server
import os
import pathlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from obm_world import ObmWorld, obm_world
from tiphys.errors import UsageError
from tiphys.obm.errors import ChecksumMismatch, ImageRefused, ImageUnavailable, ObmError
from tiphys.obm.firmware.plan import look, plan
from tiphys.obm.firmware.source import Source
from tiphys.obm.firmware.update import Plan
from tiphys_simulators import build_image

IMAGE = build_image("Generic", "BMC", "99.1", b"x" * 300_000)
SHA256 = hashlib.sha256(IMAGE).hexdigest()

Handler = http.server.BaseHTTPRequestHandler
Answer = Callable[[Handler], None]


@pytest.fixture
def world(tmp_path: pathlib.Path) -> Iterator[ObmWorld]:
    with obm_world("generic", tmp_path) as made:
        yield made


@contextlib.contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """A server that answers each GET of /fw.bin so; gives its URL."""

    class Served(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.close_connection = True
            with contextlib.suppress(ConnectionError):
                answer(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Served)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/fw.bin"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)


def page(status: int, body: bytes = b"", **headers: str) -> Answer:
    def answer(handler: Handler) -> None:
        handler.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def garbage(handler: Handler) -> None:
    handler.wfile.write(b"\x00\xff no\nHTTP\r\n\r\n")


UNAVAILABLE = {
    "breaks off": (page(200, IMAGE[:1000], Content_Length=str(len(IMAGE))), f"broke off after 1000 of {len(IMAGE)}"),
    "is not there": (page(404), "answers 404 Not Found"),
    "is compressed": (page(200, gzip.compress(IMAGE), Content_Encoding="gzip"), "Content-Encoding gzip"),
    "leads to FTP": (page(302, Location="ftp://127.0.0.1/x"), "unknown url type: ftp"),
    "leads to a file": (page(302, Location="file:///etc/passwd"), "is not allowed"),
    "leads round and round": (page(302, Location="/fw.bin"), "infinite loop"),
    "is no HTTP": (garbage, "cannot be fetched"),
}


@pytest.mark.parametrize("trouble", UNAVAILABLE)
def test_an_image_that_cannot_be_fetched_is_told_in_one_line_and_not_sent(trouble: str, world: ObmWorld) -> None:
    answer, words = UNAVAILABLE[trouble]
    with serving(answer) as url, pytest.raises(ImageUnavailable, match=words) as caught:
        update(world, url)
    assert str(caught.value).isprintable()
    assert caught.value.version_before == "1.0.0"
    assert world.bmc.counters()["update_posts"] == 0


def test_a_page_in_place_of_the_image_is_called_so(world: ObmWorld) -> None:
    answer = page(200, b"<html>", Content_Type="text/html; charset=utf-8")
    with serving(answer) as url, pytest.raises(ChecksumMismatch, match="a page of HTML"):
        update(world, url)
    assert world.bmc.counters()["update_posts"] == 0


def test_a_redirect_to_the_image_is_followed(world: ObmWorld) -> None:
    with serving(page(200, IMAGE)) as there, serving(page(302, Location=there)) as url:
        assert update(world, url).outcome == "updated"


def test_a_password_in_a_redirect_is_not_told(world: ObmWorld) -> None:
    moved = page(302, Location="http://user:hunter2@127.0.0.1:1/x")
    with serving(moved) as url, pytest.raises(ImageUnavailable) as caught:
        update(world, url)
    assert "hunter2" not in str(caught.value)


def test_a_server_that_drips_holds_nobody_beyond_the_time_given(world: ObmWorld) -> None:
    """And each drop is a sign of life: a portion that never gets full must not cost the hold on the BMC."""
    taken = threading.Event()

    def drip(handler: Handler) -> None:
        page(200, IMAGE[:1], Content_Length=str(len(IMAGE)))(handler)
        taken.wait(20)  # until the run has given up

    with serving(drip) as url, contextlib.ExitStack() as stack:
        stack.callback(taken.set)
        with pytest.raises(ImageUnavailable, match="the time given is over"):
            update(world, url, timeout=0)
    assert world.bmc.counters()["update_posts"] == 0


@pytest.mark.parametrize("url", ["http://127.0.0.1/fw ü.bin", "http://127.0.0.1/a b"])
def test_a_url_that_is_none_is_refused_before_the_bmc_is_asked(url: str, world: ObmWorld) -> None:
    with pytest.raises(UsageError, match="percent-encoded"):
        update(world, url)
    assert world.logins() == 0


def update(world: ObmWorld, url: str, **options: Any) -> Any:
    return world.update(world.image(), source=Source(url, "99.1", SHA256), **options)


# A file on this machine


def files(folder: pathlib.Path) -> dict[str, tuple[pathlib.Path, str, type[Exception], str]]:
    """Path, digest on record, and what comes of it."""
    (folder / "empty").write_bytes(b"")
    (folder / "whole").write_bytes(IMAGE)
    os.mkfifo(folder / "pipe")
    return {
        "empty": (folder / "empty", "", ImageRefused, "is empty; it was not sent"),
        "folder": (folder, "", UsageError, "is no file"),
        "pipe": (folder / "pipe", "", UsageError, "is no file"),
        "endless": (pathlib.Path("/dev/zero"), "", UsageError, "is no file"),
        "missing": (folder / "none", "", UsageError, "cannot be read: No such file"),
        "another": (folder / "whole", "0" * 64, ChecksumMismatch, "on record is 000"),
    }


@pytest.mark.parametrize("kind", ["empty", "folder", "pipe", "endless", "missing", "another"])
def test_a_file_that_is_no_image_is_refused_and_not_sent(kind: str, world: ObmWorld, tmp_path: pathlib.Path) -> None:
    path, sha256, error, words = files(tmp_path)[kind]
    with pytest.raises(error, match=words):
        world.update(world.image(), source=Source(version="99.1", file=str(path), sha256=sha256))
    assert world.bmc.counters()["update_posts"] == 0


@pytest.mark.parametrize(("kind", "reason"), [("empty", "image"), ("another", "checksum")])
def test_a_plan_tells_what_is_wrong_with_a_file(
    kind: str, reason: str, world: ObmWorld, tmp_path: pathlib.Path
) -> None:
    path, sha256, _, words = files(tmp_path)[kind]
    wanted = Plan(Source(version="99.1", file=str(path), sha256=sha256), tmp_path / "images")
    told = world.access(lambda access: look(access, lambda: plan(access, wanted)))
    assert (told["action"], [one["reason"] for one in told["obstacles"]]) == ("refuse", [reason])
    assert words in told["message"] or words.partition(";")[0] in told["message"]


def test_a_plan_tells_the_size_of_a_file(world: ObmWorld, tmp_path: pathlib.Path) -> None:
    path = files(tmp_path)["another"][0]
    world.bmc.set_faults(max_image_bytes=len(IMAGE) - 1)
    wanted = Plan(Source(version="99.1", file=str(path)), tmp_path / "images")
    told = world.access(lambda access: look(access, lambda: plan(access, wanted)))
    assert (told["action"], told["image"]["size"]) == ("refuse", len(IMAGE))
    assert "at most" in told["message"]


@pytest.mark.parametrize("name", ["idrac#1.d9", "50%25?.d9", "a:b.d9"])
def test_a_file_is_sent_under_its_own_name_whatever_that_would_be_in_a_url(
    name: str, world: ObmWorld, tmp_path: pathlib.Path
) -> None:
    (tmp_path / name).write_bytes(IMAGE)
    world.update(world.image(), source=Source(version="99.1", file=str(tmp_path / name)))
    assert world.bmc.counters()["images"][0]["name"] == name


def test_an_image_that_shrinks_while_it_is_sent_is_no_success(
    world: ObmWorld, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = files(tmp_path)["another"][0]
    real = os.pread
    monkeypatch.setattr(os, "pread", lambda file, size, start: real(file, size, start) if start == 0 else b"")
    with pytest.raises(ObmError) as caught:
        world.update(world.image(), source=Source(version="99.1", file=str(path)))
    assert caught.value.outcome == "unknown-outcome"
    monkeypatch.undo()
    assert world.bmc.counters()["updates_accepted"] == 0
