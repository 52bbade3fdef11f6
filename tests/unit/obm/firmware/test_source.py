"""Which image is chosen, and what is refused."""

import pytest

from tiphys.errors import UsageError
from tiphys.obm.firmware.source import Firmware, Source, entries_of

SHA = "ab" * 32
URL = "https://firmware.local/fw.bin"
ENTRY = f"model: PowerEdge R7*\nurl: {URL}\nversion: '7.10'\nsha256: {SHA}\n"


def test_an_url_brings_its_version_and_digest_from_the_options_its_fragment_or_an_entry() -> None:
    wanted = Firmware(URL, "7.10", SHA)
    assert Source(URL, "7.10", SHA.upper()).named() == wanted
    assert Source(f"{URL}#version=7.10&sha256={SHA}").named() == wanted
    assert Source(URL, entries=entries_of({"a": ENTRY})).named() == wanted
    assert Source().named() is None


@pytest.mark.parametrize(
    "source",
    [
        Source(URL), Source(URL, "1"), Source(URL, "", SHA), Source("ftp://x/y", "1", SHA),
        Source("/etc/passwd", "1", SHA), Source("https://user:secret@x/y", "1", SHA), Source(URL, "1", "abc"),
        Source("https://user:secret@[x/y", "1", SHA), Source("https://user:secret@x/y"),
        Source("https://[x]/y", "1", SHA),
    ],
)  # fmt: skip
def test_an_url_that_cannot_be_used(source: Source) -> None:
    with pytest.raises(UsageError) as caught:
        source.named()
    assert "secret" not in str(caught.value)


def test_the_entry_of_a_model() -> None:
    source = Source(entries=entries_of({"a": ENTRY}))
    assert source.of_model("poweredge r7615").version == "7.10"
    with pytest.raises(UsageError, match="'ProLiant'"):
        source.of_model("ProLiant")
    with pytest.raises(UsageError, match=r"several entries .*: a, b"):
        Source(entries=entries_of({"a": ENTRY, "b": ENTRY})).of_model("PowerEdge R740")


@pytest.mark.parametrize(
    "text",
    [
        "[",
        "text",
        ENTRY.replace("'7.10'", "7.10"),
        ENTRY.replace("version", "revision"),
        ENTRY + "more: x\n",
        "model: x\n",
    ],
)
def test_an_entry_that_cannot_be_used_is_named_by_its_key(text: str) -> None:
    with pytest.raises(UsageError, match="key 'a' of the ConfigMap obm-firmware"):
        entries_of({"a": text})
