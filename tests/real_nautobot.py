"""A real Nautobot for tests: installed, filled and served on loopback, without root, PostgreSQL or Redis.

The first use of a version installs it from PyPI into a virtual environment of its own and makes a database (a minute);
both are kept under `.cache/nautobot`. Each server works on a copy of that database.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import pathlib
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

VERSIONS = ("2.4.44", "3.2.7")

_REPOSITORY = pathlib.Path(__file__).parent.parent
_CACHE = _REPOSITORY / ".cache" / "nautobot"
_LITE = pathlib.Path(__file__).parent / "nautobot" / "lite"


@dataclass
class Nautobot:
    """One that answers.

    Attributes:
        url: without a slash at the end.
        tokens: by user: `admin` may do all, `viewer` see what the workflows ask for, `stranger` nothing.
        ids: of the devices that `seed` made, by the names it calls them.
    """

    version: str
    url: str
    tokens: dict[str, str]
    ids: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: Any = None, user: str = "admin") -> Any:
        """One request to its REST API; the answer's object."""
        headers = {"Authorization": f"Token {self.tokens[user]}", "Accept": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + "/api" + path, data, headers, method=method)
        if data is not None:
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                text = response.read()
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read()[:500]!r}") from error
        return json.loads(text) if text else None


@contextmanager
def serve(version: str, folder: pathlib.Path) -> Iterator[Nautobot]:
    """Serve a Nautobot with the data of `seed` from a fresh folder."""
    home = _built(version)
    shutil.copy(home / "nautobot.db", folder / "nautobot.db")
    kept = json.loads((home / "kept.json").read_text())
    with _server(version, folder) as url:
        yield Nautobot(version, url, kept["tokens"], kept["ids"])


@contextmanager
def _server(version: str, root: pathlib.Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = root / "server.log"
    with log.open("wb") as output:
        command = [_tool(version), "runserver", "--noreload", f"127.0.0.1:{port}"]
        process = subprocess.Popen(command, env=_env(root), stdout=output, stderr=subprocess.STDOUT)
    try:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 120
        while not _answers(url):
            assert process.poll() is None, f"Nautobot {version} ended: {log.read_text()[-2000:]}"
            assert time.monotonic() < deadline, f"Nautobot {version} does not answer: {log.read_text()[-2000:]}"
            time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url + "/api/", timeout=60):
            return True
    except urllib.error.HTTPError as error:
        return error.code == 403  # what it says to everybody without a token
    except OSError:
        return False


def _built(version: str) -> pathlib.Path:
    """The folder with the version's filled database; made by whoever comes first."""
    _CACHE.mkdir(parents=True, exist_ok=True)
    with (_CACHE / f"{version}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _install(version)
        home = _CACHE / f"data-{version}-{_fingerprint()}"
        if not home.exists():
            _build(version, home)
    return home


def _install(version: str) -> None:
    home = _CACHE / version
    if (home / ".installed").exists():
        return
    # Nautobot 2.4 runs on Python 3.10 to 3.12.
    candidates = [sys.executable, *filter(None, map(shutil.which, ("python3.11", "python3.12", "python3.10")))]
    python = next((path for path in candidates if _minor(path) in (10, 11, 12)), None)
    if python is None:
        pytest.skip(f"Nautobot {version} needs Python 3.10, 3.11 or 3.12")
    shutil.rmtree(home, ignore_errors=True)
    subprocess.run([python, "-m", "venv", home], check=True, timeout=120)
    pip = [home / "bin" / "pip", "install", "-q", "--disable-pip-version-check", f"nautobot=={version}"]
    done = subprocess.run(pip, capture_output=True, text=True, timeout=900)
    if done.returncode and any(word in done.stderr for word in ("Connection", "resolve", "No matching distribution")):
        pytest.skip(f"Nautobot {version} cannot be installed: PyPI cannot be reached")
    assert done.returncode == 0, done.stderr
    (home / ".installed").touch()


def _minor(python: str) -> int:
    done = subprocess.run([python, "-c", "import sys; print(sys.version_info.minor)"], capture_output=True, timeout=30)
    return int(done.stdout) if done.returncode == 0 else 0


def _build(version: str, home: pathlib.Path) -> None:
    fresh = home.with_suffix(".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    tokens = {user: secrets.token_hex(20) for user in ("admin", "viewer", "stranger")}
    _run(version, fresh, "migrate", "--run-syncdb", "--no-input")
    _run(version, fresh, "furnish", stdin=json.dumps(tokens))
    with _server(version, fresh) as url:
        ids = seed(Nautobot(version, url, tokens))
    (fresh / "kept.json").write_text(json.dumps({"tokens": tokens, "ids": ids}))
    fresh.rename(home)


def _run(version: str, root: pathlib.Path, *arguments: str, stdin: str = "") -> None:
    done = subprocess.run(
        [_tool(version), *arguments], env=_env(root), input=stdin, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]


def _tool(version: str) -> str:
    return str(_CACHE / version / "bin" / "nautobot-server")


def _env(root: pathlib.Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(root),
        "NAUTOBOT_ROOT": str(root),
        "NAUTOBOT_CONFIG": str(_LITE / "nautobot_config.py"),
        "PYTHONPATH": str(_LITE),
    }


def _fingerprint() -> str:
    """Changes with what the data are made by."""
    digest = hashlib.sha256(pathlib.Path(__file__).read_bytes())
    for path in sorted(_LITE.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


# -- the data ---------------------------------------------------------------------------------------------------------


def seed(nautobot: Nautobot) -> dict[str, str]:
    """A small fleet with every trap that the templates must not step into; the devices' ids by the names below."""
    make = _Maker(nautobot)
    for block in ("10.46.96.0/24", "2001:db8::/64"):
        make("/ipam/prefixes/", prefix=block, namespace=make.namespace, status="Active")
    dell, hpe = make.model("Dell", "PowerEdge R7615"), make.model("HPE", "ProLiant DL360")
    ids = {
        "happy": make.device("host.domain.local", dell, "DC-A", iDRAC=["10.46.96.163/24"], eth0=["10.46.96.10/24"]),
        "hpe": make.device("host2.domain.local", hpe, "DC-A", iLO=["10.46.96.164/24"]),
        "twin-a": make.device("dup.domain.local", dell, "DC-A", iDRAC=["10.46.96.165/24"]),
        "twin-b": make.device("dup.domain.local", dell, "DC-B"),
        "no-interface": make.device("noobm.domain.local", dell, "DC-A", eth0=["10.46.96.11/24"]),
        "no-address": make.device("noip.domain.local", dell, "DC-A", iDRAC=[]),
        "dual-stack": make.device("dual.domain.local", dell, "DC-A", iDRAC=["2001:db8::166/64", "10.46.96.166/24"]),
        "v6": make.device("six.domain.local", dell, "DC-A", iDRAC=["2001:db8::167/64"]),
        "both": make.device("both.domain.local", hpe, "DC-A", iLO=["10.46.96.169/24"], iDRAC=["10.46.96.168/24"]),
        # Its eth0 bears the address of the first one's OBM, which it has none of itself.
        "sharing": make.device("sharing.domain.local", dell, "DC-A", eth0=["10.46.96.163/24"], iDRAC=[]),
        "odd": make.device("odd name&x=1 é", dell, "DC-A", iDRAC=["10.46.96.170/24"]),
    }
    make.firmware(ids["happy"], "7.10.50.00")
    return ids


class _Maker:
    """POSTs objects and remembers what devices need again."""

    def __init__(self, nautobot: Nautobot) -> None:
        self._nautobot = nautobot
        kind = self("/dcim/location-types/", name="site", content_types=["dcim.device"])
        self._locations = {
            name: self("/dcim/locations/", name=name, location_type=kind, status="Active") for name in ("DC-A", "DC-B")
        }
        self._role = self("/extras/roles/", name="test server", content_types=["dcim.device"])
        self.namespace = nautobot.ask("GET", "/ipam/namespaces/?name=Global")["results"][0]["id"]

    def __call__(self, path: str, **body: Any) -> str:
        return self._nautobot.ask("POST", path, body)["id"]

    def model(self, manufacturer: str, model: str) -> str:
        return self(
            "/dcim/device-types/", model=model, manufacturer=self("/dcim/manufacturers/", name=manufacturer), u_height=1
        )

    def device(self, name: str, model: str, location: str, **interfaces: list[str]) -> str:
        device = self(
            "/dcim/devices/",
            name=name,
            device_type=model,
            role=self._role,
            location=self._locations[location],
            status="Active",
            serial=hashlib.sha256(f"{name}{location}".encode()).hexdigest()[:7].upper(),
        )
        for interface_name, addresses in interfaces.items():
            interface = self(
                "/dcim/interfaces/",
                device=device,
                name=interface_name,
                type="1000base-t",
                status="Active",
                mgmt_only=interface_name != "eth0",
            )
            for address in addresses:
                self("/ipam/ip-address-to-interface/", ip_address=self._address(address), interface=interface)
        return device

    def _address(self, address: str) -> str:
        known = self._nautobot.ask("GET", f"/ipam/ip-addresses/?address={address}")["results"]
        if known:
            return known[0]["id"]
        return self("/ipam/ip-addresses/", address=address, namespace=self.namespace, status="Active")

    def firmware(self, device: str, version: str) -> None:
        """A software version with an image file, wanted on the device."""
        platform = self("/dcim/platforms/", name="iDRAC9")
        software = self("/dcim/software-versions/", version=version, platform=platform, status="Active")
        image = self(
            "/dcim/software-image-files/",
            software_version=software,
            image_file_name="firmware.bin",
            download_url="http://127.0.0.1/firmware.bin",
            image_file_checksum="0" * 64,
            hashing_algorithm="sha256",
            status="Active",
        )
        patch = {"software_version": software, "platform": platform, "software_image_files": [image]}
        self._nautobot.ask("PATCH", f"/dcim/devices/{device}/", patch)
