"""`tiphys demo` from start to end, and what it leaves behind of the secrets it worked with: nothing."""

import base64
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

import pytest

from living_folder import contents

pytestmark = pytest.mark.conformance
TIPHYS = [sys.executable, "-m", "tiphys.cli.main"]


@pytest.fixture(scope="module", params=["kubectl", "bare"])
def shown(request, tmp_path_factory):
    """What the demo prints, and its folder; its cluster still runs. On the bare machine there is no kubectl."""
    folder = tmp_path_factory.mktemp("demo")
    env = {**os.environ, "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"}
    if request.param == "bare":
        env["PATH"] = str(tmp_path_factory.mktemp("bin"))
        for tool in ("env", "sh"):
            (pathlib.Path(env["PATH"]) / tool).symlink_to(shutil.which(tool))
    demo = subprocess.Popen(
        [*TIPHYS, "demo", "--keep"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env
    )
    try:
        text = "".join(_until(demo.stdout, "Ctrl-C ends it"))
        assert "Ctrl-C ends it" in text, text
        (place,) = folder.iterdir()
        yield text, place
    finally:
        demo.send_signal(signal.SIGINT)
        demo.wait(60)
        demo.stdout.close()
    assert not list(folder.iterdir())


def _until(lines, end):
    """The lines up to one with these words, or all."""
    for line in lines:
        yield line
        if end in line:
            return


@pytest.mark.timeout(300)
def test_it_shows_the_main_job(shown):
    text, place = shown
    for said in (
        f"KUBECONFIG={place}/data/kubeconfig",  # whole, to be copied
        "get-device-nautobot-",
        "Nautobot has no device called 'no-such-host'",
        '"outcome":"changed"',
        '"outcome":"updated"',
        "the BMC says that the update failed",
        "1 update POST",
    ):
        assert said in text, (said, re.findall(r".*outcome.*", text))
    counted = re.findall(r"(\d+) wrong", text)
    assert len(counted) == 3
    assert all(int(wrong) <= 1 for wrong in counted)


def test_no_secret_is_left_where_it_does_not_belong(shown):
    text, place = shown
    secrets = [(place / name).read_text() for name in ("nautobot-token", "password", "passwords")]
    admin = (place / "data" / "admin.token").read_text().strip()
    needles = [form for value in secrets for form in (value.encode(), base64.b64encode(value.encode()))]
    assert [value for value in (*secrets, admin) if value in text] == []
    found = [str(path) for path, content in contents(place / "data") if any(needle in content for needle in needles)]
    assert found == []
    for about in ("cmdline", "environ"):
        for path in pathlib.Path("/proc").glob(f"[0-9]*/{about}"):
            try:
                held = path.read_bytes()
            except OSError:
                continue
            assert not any(needle in held for needle in needles), path
    kinds = "workflows,pods,events,configmaps,workflowtaskresults,externalsecrets,workflowtemplates"
    objects = subprocess.run(
        ["kubectl", "--kubeconfig", str(place / "data" / "kubeconfig"), "get", kinds, "-A", "-o", "json"],
        capture_output=True,
        timeout=60,
        check=True,
    ).stdout
    assert [needle for needle in needles if needle in objects] == []
