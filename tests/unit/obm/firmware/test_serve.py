"""The server of one image."""

import contextlib
import hashlib
import http.client
import pathlib
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from tiphys.errors import UsageError
from tiphys.obm.firmware.image import Image, local
from tiphys.obm.firmware.serve import served

DATA = bytes(range(256)) * 4000


@pytest.fixture
def image(tmp_path: pathlib.Path) -> Iterator[Image]:
    path = tmp_path / "fw 1.bin"
    path.write_bytes(DATA)
    with local(path, hashlib.sha256(DATA).hexdigest()) as opened:
        yield opened


def get(url: str, **headers: str) -> tuple[int, bytes]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10, context=context) as answer:
        return answer.status, answer.read()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_image_is_served_whole_and_in_parts(image: Image, scheme: str) -> None:
    with served(image, "127.0.0.1", scheme=scheme) as url:  # type: ignore[arg-type]  # both words are schemes
        assert url.startswith(f"{scheme}://127.0.0.1:")
        assert url.endswith("/fw%201.bin")
        assert get(url) == (200, DATA)
        assert get(url, Range="bytes=10-19") == (206, DATA[10:20])
        assert get(url, Range="bytes=1000000-") == (206, DATA[1_000_000:])
        assert get(url, Range="bytes=9-3") == (200, DATA)
    with pytest.raises(urllib.error.URLError):
        get(url)


def test_only_who_knows_the_place_gets_it(image: Image) -> None:
    with served(image, "127.0.0.1") as url:
        base = url.rpartition("/")[0].rpartition("/")[0]
        for path in ("/", "/fw%201.bin", "/x/fw%201.bin"):
            with pytest.raises(urllib.error.HTTPError) as caught:
                get(base + path)
            caught.value.close()
            assert caught.value.code == 404


def test_a_head_tells_the_size(image: Image) -> None:
    with served(image, "127.0.0.1") as url:
        parts = urllib.request.Request(url)
        connection = http.client.HTTPConnection(parts.host, timeout=10)
        with contextlib.closing(connection):
            connection.request("HEAD", parts.selector)
            answer = connection.getresponse()
            assert (answer.status, answer.headers["Content-Length"], answer.read()) == (200, str(len(DATA)), b"")


def test_a_certificate_that_the_bmc_trusts(image: Image, tmp_path: pathlib.Path) -> None:
    key, pem = tmp_path / "key.pem", tmp_path / "both.pem"
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=images", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*make, "-keyout", key, "-out", pem, *names], check=True, capture_output=True)
    trusting = ssl.create_default_context(cafile=str(pem))
    pem.write_text(pem.read_text() + key.read_text())
    with (
        served(image, "127.0.0.1", scheme="https", certificate=pem) as url,
        urllib.request.urlopen(url, timeout=10, context=trusting) as answer,
    ):
        assert answer.read() == DATA


def test_what_cannot_be_is_an_error_that_names_it(image: Image, tmp_path: pathlib.Path) -> None:
    with pytest.raises(UsageError, match=r"192\.0\.2\.1:0.*--pull-address"), served(image, "192.0.2.1"):
        pass
    (tmp_path / "no.pem").write_text("no")
    wrong = {"scheme": "https", "certificate": tmp_path / "no.pem"}
    with pytest.raises(UsageError, match="no certificate with its key"), served(image, "127.0.0.1", **wrong):  # type: ignore[arg-type]
        pass
