"""The page's two commands and what they print, character by character but for the name and the times."""

from __future__ import annotations

import re
from typing import Any

import pytest

from templates_world import WORKFLOWS, ScriptedNautobot, Templates

SUBMITTED = ["submit", "--from", "workflowtemplate/get-device-nautobot", "--parameter", "hostname=host.domain.local"]
SUBMIT = """\
Name:                get-device-nautobot-g5wlz
Namespace:           argo-events
ServiceAccount:      unset
Status:              Pending
Created:             Tue Apr 23 13:50:57 -0400 (now)
Progress:
Parameters:
  hostname:          host.domain.local
"""

GET = """\
Name:                get-device-nautobot-g5wlz
Namespace:           argo-events
ServiceAccount:      workflow
Status:              Succeeded
Conditions:
 PodRunning          False
 Completed           True
Created:             Tue Apr 23 13:50:57 -0400 (38 seconds ago)
Started:             Tue Apr 23 13:50:57 -0400 (38 seconds ago)
Finished:            Tue Apr 23 13:51:27 -0400 (8 seconds ago)
Duration:            30 seconds
Progress:            1/1
Parameters:
  hostname:          host.domain.local

STEP                          TEMPLATE           PODNAME  DURATION  MESSAGE
 ✔ get-device-nautobot-g5wlz  main
 └───✔ nautobot-query         nautobot-api/main
     └───✔ send-request       http
"""


def plain(text: str) -> str:
    """Without what differs from run to run, the colours, and the blanks that the page's lines do not end with."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    text = re.sub(r"get-device-nautobot-[a-z0-9]{5}\b", "NAME", text)
    text = re.sub(r"\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d [+-]\d{4} \((now|\d+ seconds? ago)\)", "TIME", text)
    text = re.sub(r"(Duration: +)\d+ seconds?", r"\1TIME", text)
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")


@pytest.mark.usefixtures("nautobot", "templates")
def test_submit_and_get_latest(cluster: Any) -> None:
    assert plain(cluster.tiphys("-n", "argo-events", *SUBMITTED)) == plain(SUBMIT)
    cluster.tiphys("-n", "argo-events", "wait", "@latest")
    assert plain(cluster.tiphys("-n", "argo-events", "get", "@latest")) == plain(GET)


@pytest.mark.conformance
@pytest.mark.usefixtures("nautobot", "templates")
def test_the_real_argo_prints_the_same(cluster: Any) -> None:
    """The page's own command, v3.6.0, against `tiphys up`; the binary is the one that tests/conformance builds."""
    binary = WORKFLOWS.parent / ".cache" / "argo" / "argo"
    if not binary.exists():
        pytest.skip(f"{binary} is not built yet: run tests/conformance/test_argo.py first")
    for arguments, printed in ((SUBMITTED, SUBMIT), (["wait", "@latest"], None), (["get", "@latest"], GET)):
        said = cluster.kubectl("-n", "argo-events", *arguments, tool=str(binary))
        assert printed is None or plain(said) == plain(printed)


def test_the_pages_config_map_is_told_to_be_labelled(
    cluster: Any, templates: Templates, nautobot: ScriptedNautobot
) -> None:
    """The page's command makes a ConfigMap that Argo does not read: the message has the command that mends it."""
    templates.remove("ConfigMap", "nautobot")
    create = ("-n", "argo-events", "create", "configmap", "nautobot", f"--from-literal=url={nautobot.url}")
    cluster.kubectl(*create)
    said = templates.run("get-device-nautobot", hostname="host.domain.local").failed().messages()
    found = re.search(r"kubectl (-n argo-events label configmap nautobot \S+)", said)
    assert found, said
    cluster.kubectl(*found[1].split())
    templates.run("get-device-nautobot", hostname="host.domain.local").succeeded()
