"""What docs/how-to/simulated.md shows, run as it stands there, on BMCs that are ten times as fast."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "how-to" / "simulated.md"


def blocks() -> list[str]:
    """The commands of each console block, without the prompts."""
    found = re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL)
    text = [re.sub(r"^\$ ", "", block, flags=re.MULTILINE) for block in found]
    return [block.replace("--speed 20", "--speed 200").replace("echo 20 >", "echo 200 >") for block in text]


def test_the_page_does_what_it_says(tmp_path: pathlib.Path) -> None:
    environ = {**os.environ, "PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"}
    first, *rest = blocks()
    command = ["bash", "-ec", first.replace("tiphys simulate", "exec tiphys simulate")]
    with subprocess.Popen(command, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, text=True) as served:
        try:
            assert served.stdout is not None
            assert '"ready": true' in served.stdout.readline()
            script = ["bash", "-ec", "\n".join(rest)]
            done = subprocess.run(script, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60)
        finally:
            served.terminate()
    assert done.returncode == 0, done.stderr
    ends = re.findall(r"^(127\.0\.77\.\d+): ([a-z-]+):", done.stdout, re.MULTILINE)
    one = [end for address, end in ends if address == "127.0.77.1"]
    assert one == ["drift", "changed", "in-sync", "dry-run", "dry-run", "updated", "in-sync", "dry-run"]
    assert "20 of 20: 1 in-sync, 19 changed" in done.stdout
    assert ends[-3:] == [("127.0.77.2", "changed"), ("127.0.77.3", "dry-run"), ("127.0.77.3", "recorded")]
    assert "shows another certificate" in done.stderr
