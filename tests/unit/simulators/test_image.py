"""Images and uploads are read as they arrive, in whatever portions."""

import hashlib

import pytest

from tiphys_simulators.image import ImageIntake, build_image, version_key
from tiphys_simulators.multipart import Upload, UploadError

IMAGE = build_image("Dell", "BMC", "7.10.30.00", b"\r\n--not-the-boundary\r\n" * 20)
FORM = (
    b'--edge\r\nContent-Disposition: form-data; name="UpdateParameters"\r\n\r\n{"Targets": []}\r\n'
    b'--edge\r\nContent-Disposition: form-data; name="UpdateFile"; filename="fw.bin"\r\n\r\n'
    + IMAGE
    + b"\r\n--edge--\r\n"
)


@pytest.mark.parametrize("portion", [1, 2, 7, 64, 10_000])
def test_an_image_says_what_it_is(portion: int) -> None:
    intake = ImageIntake("fw.bin")
    for start in range(0, len(IMAGE), portion):
        intake.feed(IMAGE[start : start + portion])
    image = intake.finish()
    assert image.header is not None
    assert (image.header.vendor, image.header.component, image.header.version) == ("Dell", "BMC", "7.10.30.00")
    assert image.intact
    assert (image.size, image.sha256) == (len(IMAGE), hashlib.sha256(IMAGE).hexdigest())


def test_a_bad_signature_and_no_image_at_all_are_noticed() -> None:
    unsigned, page = ImageIntake(), ImageIntake()
    unsigned.feed(build_image("Dell", "BMC", "1", b"x", signed=False))
    page.feed(b"<html>" + b"x" * 2000)
    assert unsigned.finish().header
    assert not unsigned.finish().intact
    assert page.finish().header is None


def test_words_of_a_header_hold_no_blanks() -> None:
    with pytest.raises(ValueError, match="without blanks"):
        build_image("HPE", "BMC", "2.72 Sep 04 2022")


@pytest.mark.parametrize("portion", [1, 3, 17, 100_000])
def test_a_form_gives_its_fields_and_its_file(portion: int) -> None:
    upload = Upload("multipart/form-data; boundary=edge")
    for start in range(0, len(FORM), portion):
        upload.feed(FORM[start : start + portion])
    image = upload.finish()
    assert image is not None
    assert image.sha256 == hashlib.sha256(IMAGE).hexdigest()
    assert image.name == "fw.bin"
    assert upload.fields == {"UpdateParameters": b'{"Targets": []}'}
    assert upload.filenames == {"UpdateFile": "fw.bin"}


def test_a_form_without_its_boundary_cannot_be_read() -> None:
    upload = Upload("multipart/form-data")
    upload.feed(FORM)
    with pytest.raises(UploadError, match="without a boundary"):
        upload.finish()


def test_a_form_that_breaks_off_is_an_error() -> None:
    upload = Upload("multipart/form-data; boundary=edge")
    upload.feed(FORM[:-20])
    with pytest.raises(UploadError, match="closing boundary"):
        upload.finish()


def test_a_bare_body_is_the_image() -> None:
    upload = Upload("application/octet-stream")
    upload.feed(IMAGE)
    image = upload.finish()
    assert image is not None
    assert image.intact


def test_versions_compare_by_their_numbers() -> None:
    assert version_key("6.00.30.00") < version_key("6.10.00.00") < version_key("10.0")
