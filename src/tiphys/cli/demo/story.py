"""The demonstration, scene by scene: the page's commands on one machine, with simulated BMCs that misbehave."""

from __future__ import annotations

import argparse
import hashlib
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Any

from tiphys.cli.demo.stage import SPEED, Stage, free_port, manifests

__all__ = ["register", "run"]

DEVICE, OTHER = "host.domain.local", "host2.domain.local"
VERSION = "7.20.10.00"
_RUN = "tiphys -n argo-events submit --wait --from workflowtemplate"


def register(parser: argparse.ArgumentParser) -> None:
    """Arguments of `tiphys demo`."""
    parser.add_argument("--keep", action="store_true", help="go on running at the end, to look around, until Ctrl-C")


def run(options: argparse.Namespace) -> int:
    """Show everything, then stop and remove it, unless it is to be kept."""
    folder = Path(tempfile.mkdtemp(prefix="tiphys-demo-"))
    stage = Stage(folder)
    try:
        _tell(stage)
        if options.keep:
            stage.chapter("It goes on running", "Look around in it with your own commands:")
            stage.lines(f"export KUBECONFIG={folder}/data/kubeconfig", "Ctrl-C ends it.")
            signal.pause()
    finally:
        stage.end()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _tell(stage: Stage) -> None:
    control = _set_up(stage)
    _inventory(stage)
    _credentials(stage)
    _synchronize(stage, control)
    _update(stage, control)
    _refused(stage, control)
    stage.chapter("All that ran")
    stage.type("tiphys -n argo-events list")
    stage.chapter(
        "How to go on",
        f"""In a clone `. .venv/bin/activate` first. Start a cluster of your own with `tiphys up -d`, apply
        {manifests()} and tell it where your Nautobot is: docs/tutorial.md does it step by step. On a Kubernetes
        cluster with Argo Workflows the same manifests run unchanged: deploy/README.md.""",
    )


def _set_up(stage: Stage) -> str:
    stage.chapter(
        "Set up",
        """One process stands in for Kubernetes and Argo Workflows. Beside it, simulated: two BMCs (an iDRAC 9 and an
        iLO 5) and a Nautobot.""",
    )
    port = free_port()
    simulator = stage.bmcs({DEVICE: "idrac9", OTHER: "ilo5"}, port)
    token = stage.secret("nautobot-token")
    url = stage.nautobot(_devices(simulator["bmcs"]), token)
    stage.file("secrets.yaml", f"nautobot-env:\n  NAUTOBOT_SUPERUSER_API_TOKEN: {token.read_text()}\n")
    stage.type("tiphys up -d --secret-store nautobot=file:secrets.yaml")
    stage.kubectl("apply -f workflows/", *stage.manifests("workflows"))
    labelled = {"workflows.argoproj.io/configmap-type": "Parameter"}
    stage.kubectl(
        f"-n argo-events create configmap nautobot '--from-literal=url={url}'", _configmap("nautobot", {"url": url})
    )
    stage.kubectl(
        "-n argo-events label configmap nautobot workflows.argoproj.io/configmap-type=Parameter",
        _configmap("nautobot", {"url": url}, labelled),
    )
    external = "workflows/config/nautobot-token.yaml"
    stage.kubectl(f"apply -f {external}  # an ExternalSecret", *stage.manifests(external))
    settings = {"port": str(port), "simulated-speed": str(SPEED)}
    given = " ".join(f"--from-literal={key}={value}" for key, value in settings.items())
    stage.kubectl(f"-n argo-events create configmap obm {given}", _configmap("obm", settings))
    return str(simulator["control"])


def _configmap(name: str, data: dict[str, str], labels: dict[str, str] | None = None) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels or {}}, "data": data}


def _secret(stage: Stage, name: str, *files: str, **values: str) -> None:
    """A Secret, as kubectl makes one of files (the content of which is shown nowhere) and values."""
    given = [f"--from-literal={key}={value}" for key, value in values.items()]
    given += [f"--from-file={file}" for file in files]
    data = {**values, **{file: (stage.folder / file).read_text() for file in files}}
    value = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}
    stage.kubectl(f"-n argo-events create secret generic {name} {' '.join(given)}", value)


def _devices(bmcs: list[dict[str, Any]]) -> str:
    models = {"idrac9": ("Dell", "PowerEdge R7615", "iDRAC"), "ilo5": ("HPE", "ProLiant DL360 Gen10", "iLO")}
    lines = ["devices:"]
    for bmc in bmcs:
        manufacturer, model, interface = models[bmc["personality"]]
        lines += [
            f"- name: {bmc['name']}",
            f"  serial: {bmc['serial']}",
            f"  manufacturer: {manufacturer}",
            f"  model: {model}",
            "  location: DC-A",
            f"  interfaces: {{{interface}: [{bmc['address']}/8]}}",
        ]
    return "\n".join(lines) + "\n"


def _inventory(stage: Stage) -> None:
    stage.chapter("get-device-nautobot", "The page's own commands: submit, then look.")
    stage.type(
        f"tiphys -n argo-events submit --from workflowtemplate/get-device-nautobot --parameter hostname={DEVICE}"
    )
    stage.look("tiphys -n argo-events wait @latest")
    stage.type("tiphys -n argo-events get @latest")
    stage.chapter("nautobot-api and get-obm-ip", "Any query of Nautobot's API; the address of the device's BMC.")
    stage.type(f"{_RUN}/nautobot-api -p uri=/status/")
    stage.type(f"{_RUN}/get-obm-ip -p hostname={DEVICE}")
    stage.type("tiphys -n argo-events get @latest")
    stage.chapter("A device that Nautobot does not know", "An error says what is wrong; nothing is done to any server.")
    stage.type(f"{_RUN}/get-obm-ip -p hostname=no-such-host", code=1)
    stage.type("tiphys -n argo-events get @latest")


def _credentials(stage: Stage) -> None:
    stage.chapter(
        "get-obm-creds",
        """The credentials on record are in a Secret, a fleet-wide one here. The template copies them into a Secret that
        belongs to its pod, and is gone with it.""",
    )
    stage.secret("password")
    _secret(stage, "obm-creds", "password", username="root")
    stage.type(f"{_RUN}/get-obm-creds -p hostname={DEVICE}")
    stage.kubectl("-n argo-events get secrets")


def _synchronize(stage: Stage, control: str) -> None:
    stage.chapter(
        "obm-sync-creds, and a BMC that drops the answer",
        """The BMC still has the password it left the factory with. It applies the change, but its answer is lost:
        the step finds out with the one log-in that tells, and reports what it saw.""",
    )
    label = stage.control(control, "GET", f"/bmcs/{DEVICE}/label")
    stage.file("passwords", label["password"])
    _secret(stage, "obm-legacy-passwords", "passwords")
    faults = {"rules": [{"action": "lose-answer", "method": "PATCH"}]}
    stage.control(control, "PATCH", f"/bmcs/{DEVICE}/faults", faults)
    stage.type(f"{_RUN}/obm-sync-creds -p hostname={DEVICE}")
    stage.type("tiphys -n argo-events logs @latest")
    _count(stage, control, DEVICE)


def _update(stage: Stage, control: str) -> None:
    stage.chapter(
        "obm-firmware-update, through a restart of the BMC",
        f"""Which image a model is to have is in the ConfigMap obm-firmware. One POST, then its task is followed through
        the restart, and the version is read back. (The BMC's clock runs {SPEED} times as fast.)""",
    )
    url = stage.images()
    stage.look(f"tiphys simulate image --vendor Dell --version {VERSION} images/idrac.d9")
    digest = hashlib.sha256((stage.folder / "images" / "idrac.d9").read_bytes()).hexdigest()
    entry = f"model: PowerEdge*\nurl: {url}/idrac.d9\nversion: {VERSION}\nsha256: {digest}\n"
    stage.file("poweredge", entry)
    stage.kubectl(
        "-n argo-events create configmap obm-firmware --from-file=poweredge",
        _configmap("obm-firmware", {"poweredge": entry}),
    )
    stage.type(f"{_RUN}/obm-firmware-update -p hostname={DEVICE}")
    stage.type("tiphys -n argo-events logs @latest")
    _count(stage, control, DEVICE)


def _refused(stage: Stage, control: str) -> None:
    stage.chapter(
        "A wrong image is refused",
        "The iLO is given Dell's image. Nothing is reported as a success that was not seen.",
    )
    label = stage.control(control, "GET", f"/bmcs/{OTHER}/label")
    stage.file("username", label["username"])
    stage.file("password", label["password"])
    _secret(stage, f"obm-creds-{OTHER}", "username", "password")
    entry = (stage.folder / "poweredge").read_text().splitlines()
    url, digest = entry[1].split(": ")[1], entry[3].split(": ")[1]
    stage.type(
        f"{_RUN}/obm-firmware-update -p hostname={OTHER} -p firmware-url={url} -p firmware-version={VERSION} "
        f"-p firmware-sha256={digest}",
        code=1,
    )
    stage.type("tiphys -n argo-events get @latest")
    _count(stage, control, OTHER)


def _count(stage: Stage, control: str, device: str) -> None:
    """What the BMC itself counted: the proof that nothing was tried too often."""
    counters = stage.control(control, "GET", f"/bmcs/{device}/counters")
    logins = counters["logins"]
    stage.say(
        f"\nThe BMC of {device} counted: {_many(logins['ok'], 'good log-in')}, {logins['wrong']} wrong; "
        f"{_many(counters['password_changes'], 'password change')}; {_many(counters['update_posts'], 'update POST')}\n"
    )


def _many(number: int, what: str) -> str:
    return f"{number} {what}" + "s" * (number != 1)
