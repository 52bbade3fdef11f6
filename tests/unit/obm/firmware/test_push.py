"""The bodies in which an image goes to a BMC."""

import email.parser
import email.policy
import pathlib
from collections.abc import Iterator

import pytest

from tiphys.kit.redact import Secret
from tiphys.obm.firmware.image import Image, local
from tiphys.obm.firmware.push import ImageBody, dell_form, hpe_form, multipart, raw

DATA = b"\x00\r\n--" * 200_000


@pytest.fixture
def image(tmp_path: pathlib.Path) -> Iterator[Image]:
    (tmp_path / "fw.d9").write_bytes(DATA)
    with local(tmp_path / "fw.d9", "") as opened:
        yield opened


@pytest.fixture
def signature(tmp_path: pathlib.Path) -> Iterator[Image]:
    (tmp_path / "fw.compsig").write_bytes(b"signed")
    with local(tmp_path / "fw.compsig", "") as opened:
        yield opened


def parts(body: ImageBody) -> list[tuple[str, str, bytes]]:
    """Name, file name and content of each part, as another parser reads them."""
    data = b"".join(body)
    assert len(data) == body.length
    head = f"Content-Type: {body.content_type}\r\n\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + data)
    found = []
    for part in message.iter_parts():
        disposition = part["Content-Disposition"].params
        found.append((disposition["name"], disposition.get("filename", ""), part.get_payload(decode=True)))
    return found


def test_multipart(image: Image) -> None:
    first, second = parts(multipart(image, {"Targets": []}, lambda: None))
    assert first == ("UpdateParameters", "", b'{"Targets":[]}')
    assert second == ("UpdateFile", "fw.d9", DATA)


def test_the_form_of_an_idrac(image: Image) -> None:
    assert parts(dell_form(image, lambda: None)) == [("file", "fw.d9", DATA)]


def test_the_form_of_an_ilo(image: Image, signature: Image) -> None:
    names = [(name, file) for name, file, _ in parts(hpe_form(image, Secret("key"), lambda: None))]
    assert names == [("sessionKey", ""), ("parameters", ""), ("file", "fw.d9")]
    found = parts(hpe_form(image, Secret("key"), lambda: None, signature))
    assert found[2:] == [("compsig", "fw.compsig", b"signed"), ("file", "fw.d9", DATA)]


def test_the_bare_image_in_portions(image: Image) -> None:
    ticks: list[int] = []
    body = raw(image, lambda: ticks.append(1))
    assert max(len(portion) for portion in body) <= 1 << 18
    assert len(ticks) == -(-len(DATA) // (1 << 18))
    assert b"".join(body) == DATA
