"""After a run with passwords: none in the workflow, its events, or anything that is kept on the disk."""

from __future__ import annotations

import base64
import contextlib
import pathlib
import secrets
from typing import Any

from living_folder import contents
from templates_world import Templates
from tiphys_simulators import BmcHandle


def found_in(folder: pathlib.Path, needles: list[bytes]) -> list[str]:
    """Files on a disk that hold one of them; a tmpfs is no disk."""
    device = folder.stat().st_dev
    hits = []
    for path, content in contents(folder):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_dev == device:
                hits += [f"{path}: {needle[:4]!r}…" for needle in needles if needle in content]
    return hits


def test_no_password_is_kept_in_the_clear(
    cluster: Any, templates: Templates, bmcs: list[BmcHandle], tmp_path: pathlib.Path
) -> None:
    bmc = bmcs[0]
    user, _ = bmc.factory_credentials
    wanted, earlier = f"N3w-{secrets.token_urlsafe(12)}", f"0ld-{secrets.token_urlsafe(12)}"
    bmc.set_account(user, password=earlier)
    templates.secret(f"obm-creds-{bmc.name}", username=user, password=wanted)
    templates.secret("obm-legacy-passwords", passwords=earlier)
    outcome = templates.run("obm-sync-creds", hostname=bmc.name, legacy_user=user).succeeded()
    assert outcome.outputs["outcome"] == "changed"

    needles = [
        form
        for password in (wanted, earlier)
        for form in (password.encode(), base64.b64encode(password.encode()).rstrip(b"="))
    ]
    events = cluster.kubectl("-n", "argo-events", "get", "events,workflows,pods,configmaps", "-o", "json").encode()
    assert not [needle for needle in needles if needle in events or needle in str(outcome.workflow).encode()]
    assert found_in(cluster.folder, needles) == []

    (tmp_path / "seen").write_bytes(b"before" + needles[0] + b"after")  # it would be found
    assert len(found_in(tmp_path, needles)) == 1
