"""Reading logs: the last lines of one that was rotated, and long ones, which must not hold the server up."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiphys.kubelet.logs import LogOptions, read_log
from tiphys.kubelet.logwriter import LogWriter


async def _read(folder: Path, **options) -> bytes:
    asked = LogOptions(**options)
    return b"".join([chunk async for chunk in read_log(folder, "main", 0, asked, lambda: True)])


def _write(folder: Path, pieces: list[bytes], max_bytes: int) -> None:
    directory = os.open(folder, os.O_RDONLY)
    writer = LogWriter(directory, "main.0.log", max_bytes, 1000)
    for piece in pieces:
        writer.write("stdout", piece)
    writer.close()
    os.close(directory)


_PIECES = st.lists(
    st.sampled_from([b"one\n", b"two", b"\n", b"x" * 20000, b" F \n", b"P\nF\n", b"stdout F a\n", b"\xff\0"]),
    max_size=12,
)


@given(pieces=_PIECES, max_bytes=st.sampled_from([64, 300, 1 << 20]), lines=st.integers(0, 12))
def test_the_last_lines_are_those_of_the_whole_log(tmp_path_factory, pieces, max_bytes, lines) -> None:
    folder = tmp_path_factory.mktemp("log")
    _write(folder, pieces, max_bytes)
    whole = b"".join(pieces)
    assert asyncio.run(_read(folder)) == whole
    expected = b"".join(whole.splitlines(keepends=True)[-lines:]) if lines else b""
    assert asyncio.run(_read(folder, tail=lines)) == expected


@pytest.mark.parametrize("options", [{}, {"since": "2999-01-01T00:00:00Z"}, {"tail": 200000}])
def test_a_long_log_lets_others_have_their_turn(tmp_path, options) -> None:
    _write(tmp_path, [b"a line\n" * 20000], 1 << 30)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def scenario() -> None:
        task = asyncio.create_task(other())
        await _read(tmp_path, **options)
        task.cancel()

    asyncio.run(scenario())
    assert turns > 5
