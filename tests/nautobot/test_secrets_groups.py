"""What a real Nautobot says of secrets: never their values, so `nautobot:` looks them up by their parameters."""

from __future__ import annotations

import json
import pathlib
import uuid
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from real_nautobot import Nautobot
from templates_world import VARIANTS, WORKFLOWS, Templates, read_by_environment
from tiphys.credentials.given import Given
from tiphys.credentials.on_record import read_on_record
from tiphys.credentials.provider import Provider
from tiphys.credentials.stores import open_provider
from tiphys.errors import StoreError
from tiphys.kit.redact import Secret

DEVICE = "host2.domain.local"


@dataclass
class World:
    """A Nautobot, a folder with secrets, and what a test makes of them."""

    nautobot: Nautobot
    folder: pathlib.Path

    def group(self, access: str = "REST", **secrets: dict[str, Any]) -> tuple[str, str]:
        """Id and name of a group of secrets, each given as its provider's parameters, by their types."""
        name = f"bmc {uuid.uuid4().hex[:8]}"
        group = self.nautobot.ask("POST", "/extras/secrets-groups/", {"name": name})["id"]
        for kind, (provider, parameters) in secrets.items():
            body = {"name": f"{name} {kind}", "provider": provider, "parameters": parameters}
            secret = self.nautobot.ask("POST", "/extras/secrets/", body)["id"]
            association = {"secrets_group": group, "secret": secret, "access_type": access, "secret_type": kind}
            self.nautobot.ask("POST", "/extras/secrets-groups-associations/", association)
        return group, name

    def of_device(self, group: str | None, device: str = "hpe") -> None:
        self.nautobot.ask("PATCH", f"/dcim/devices/{self.nautobot.ids[device]}/", {"secrets_group": group})

    def store(self, more: str = "", user: str = "admin", **environ: str) -> Provider:
        token = self.folder / f"token-{user}"
        token.write_text(self.nautobot.tokens[user] + "\n")
        place = self.nautobot.url.removeprefix("http://")
        return open_provider(f"nautobot+http://{place}?token-file={token}{more}", environ)


@pytest.fixture
def world(nautobot: Nautobot, tmp_path: pathlib.Path) -> World:
    return World(nautobot, tmp_path)


def test_the_api_gives_no_values(world: World) -> None:
    """If this fails one day, the values can be read by the API, and need not be looked up here."""
    (world.folder / "password").write_text("hunter2")
    group, _ = world.group(password=("text-file", {"path": f"{world.folder}/password"}))
    ask = world.nautobot.ask
    rows = ask("GET", f"/extras/secrets-groups-associations/?secrets_group={group}&depth=1")
    secret = rows["results"][0]["secret"]["id"]
    assert ask("GET", f"/extras/secrets/{secret}/check/")["result"] is True  # it could
    query = {"query": '{ secrets { name provider parameters } __type(name: "SecretType") { fields { name } } }'}
    graphql = ask("POST", "/graphql/", query)
    told = [
        rows,
        ask("GET", f"/extras/secrets/{secret}/?depth=1"),
        ask("GET", f"/extras/secrets-groups/{group}/?depth=1"),
        graphql,
    ]
    assert "hunter2" not in json.dumps(told)
    assert not {"value", "get_value", "rendered_parameters"} & {
        one["name"] for one in graphql["data"]["__type"]["fields"]
    }


def test_the_secrets_of_the_devices_group(world: World) -> None:
    (world.folder / DEVICE).write_text(" p4ss'\"$ wörd \n")
    group, _ = world.group(
        username=("environment-variable", {"variable": "BMC_USER"}),
        password=("text-file", {"path": f"{world.folder}/{{{{ obj.name }}}}"}),
    )
    world.of_device(group)
    store = world.store(f"&files={world.folder}&variables=BMC_", BMC_USER="root")
    assert read_on_record(store, DEVICE) == Given("root", Secret("p4ss'\"$ wörd"))  # stripped, as Nautobot does


def test_the_named_group_where_the_device_has_none(world: World) -> None:
    world.of_device(None)
    _, name = world.group(
        "Generic",
        username=("environment-variable", {"variable": "BMC_USER"}),
        password=("environment-variable", {"variable": "BMC_{{ obj.location.name | replace('-', '_') }}"}),
    )
    environ = {"BMC_USER": "root", "BMC_DC_A": "of the site"}
    store = world.store(f"&variables=BMC_&group={name.replace(' ', '%20')}", **environ)
    assert read_on_record(store, DEVICE) == Given("root", Secret("of the site"))
    with pytest.raises(StoreError, match=f"no credentials of {DEVICE} are on record: neither the secrets group of"):
        read_on_record(world.store("&variables=BMC_", **environ), DEVICE)
    with pytest.raises(StoreError, match="has no username and password of the access type SSH"):
        read_on_record(world.store(f"&access-type=SSH&group={name.replace(' ', '%20')}", **environ), DEVICE)
    with pytest.raises(StoreError, match="no secrets group 'nothing'"):
        read_on_record(world.store("&group=nothing", **environ), DEVICE)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"path": "/etc/hostname"}, "is file /etc/hostname and may not be read here; allow it with files=FOLDER"),
        ({"path": "FOLDER/none"}, "none, which is not here"),
        ({"path": "FOLDER/{{ obj.nothing }}"}, "cannot be rendered: 'dict object' has no attribute 'nothing'"),
        ({"path": "FOLDER/{{ '.' }}{{ '.' }}/x"}, "may not be read here"),
        ({"path": "FOLDER/link"}, "a link, and may not be read here"),
    ],
)
def test_what_nautobot_may_not_make_us_read(world: World, parameters: dict[str, str], said: str) -> None:
    (world.folder / "link").symlink_to("/etc/hostname")
    password = {"path": parameters["path"].replace("FOLDER", str(world.folder))}
    group, _ = world.group(
        username=("environment-variable", {"variable": "BMC_USER"}), password=("text-file", password)
    )
    world.of_device(group)
    store = world.store(f"&files={world.folder}&variables=BMC_", BMC_USER="root")
    with pytest.raises(StoreError) as caught:
        read_on_record(store, DEVICE)
    assert said in str(caught.value)


def test_a_device_that_is_not_there_or_there_twice(world: World) -> None:
    with pytest.raises(StoreError, match="no device is called 'nobody' in the Nautobot at"):
        read_on_record(world.store(), "nobody")
    with pytest.raises(StoreError, match=r"2 devices are called 'dup\.domain\.local'"):
        read_on_record(world.store(), "dup.domain.local")


def test_a_token_without_the_right(world: World) -> None:
    group, _ = world.group(username=("environment-variable", {"variable": "BMC_USER"}))
    world.of_device(group)
    with pytest.raises(StoreError, match="refuses /extras/secrets-groups-associations/: You do not have permission"):
        read_on_record(world.store(user="viewer"), DEVICE)
    with pytest.raises(StoreError, match=r"refuses /dcim/devices/: .*see the token's rights"):
        read_on_record(world.store(user="stranger"), DEVICE)


def test_the_template_for_it(world: World, templates: Templates) -> None:
    group, _ = world.group(
        username=("text-file", {"path": "/run/obm/secrets/user"}),
        password=("text-file", {"path": "/run/obm/secrets/{{ obj.name }}"}),
    )
    world.of_device(group)
    place = world.nautobot.url.removeprefix("http://")
    url = f"nautobot+http://{place}?token-file=/run/obm/nautobot/token&files=/run/obm/secrets"
    templates.config_map("obm", credentials=url)
    templates.secret("nautobot-token", token=world.nautobot.tokens["admin"])
    templates.secret("obm-secrets", **{"user": "root", DEVICE: "p4ss w\u00f6rd"})
    templates.put(yaml.safe_load((VARIANTS / "nautobot.yaml").read_text()))
    try:
        read_by_environment(templates, '[ "$OBM_USERNAME/$OBM_PASSWORD" = "root/p4ss wörd" ]', DEVICE).succeeded()
        templates.run("get-obm-creds", hostname="nobody").failed("no device is called 'nobody' in the Nautobot at")
    finally:
        templates.put(yaml.safe_load((WORKFLOWS / "get-obm-creds.yaml").read_text()))
        templates.remove("ConfigMap", "obm")
