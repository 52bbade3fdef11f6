"""Every way of firmware into every personality, to the version that is read back in the vendor's own spelling."""

import datetime as dt
import hashlib
import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tiphys_simulators import BmcHandle, BmcSpec, Simulator, build_image, running_simulator
from tiphys_simulators.probe import Answer, Probe

SERVICE = "/redfish/v1/UpdateService"
INVENTORY = f"{SERVICE}/FirmwareInventory"
START = f"{SERVICE}/Actions/UpdateService.StartUpdate"
SIMPLE = f"{SERVICE}/Actions/UpdateService.SimpleUpdate"
INSTALL = f"{SERVICE}/Actions/Oem/DellUpdateService.Install"
PASSWORD = "Wr0ng-Horse-Battery"
NEW = "98.7.6"


@dataclass(frozen=True)
class Facts:
    """What an UpdateService offers, and how the new version is written after the update.

    Attributes:
        bmc: the inventory's id of what runs; a callable where the id holds the version.
        resets: the BMC restarts by itself.
    """

    image: str
    manager: str
    bmc: str
    version: str
    manager_version: str
    multipart: str | None
    push: str | None
    simple: str | None
    largest: int | None
    resets: bool = True


IDRAC = "/redfish/v1/Managers/iDRAC.Embedded.1"
DELL_ID = f"Installed-25227-{NEW}__iDRAC.Embedded.1-1"
STOCK_ID = hashlib.sha256(f"BMC {NEW}".encode()).hexdigest()[:8]
UPLOAD, PUSH, FORM = f"{SERVICE}/upload", f"{SERVICE}/update", "/cgi-bin/uploadFile"
DGX, NVIDIA = 419_627_008, 209_715_200
MULTI = f"{SERVICE}/update-multipart"
DELL_MULTI = f"{SERVICE}/MultipartUpload"

FACTS = {
    "generic": Facts("Generic", "/redfish/v1/Managers/1", "BMC", NEW, NEW, MULTI, PUSH, SIMPLE, None),
    "idrac8": Facts("Dell", IDRAC, DELL_ID, NEW, NEW, None, INVENTORY, SIMPLE, None),
    "idrac9": Facts("Dell", IDRAC, DELL_ID, NEW, NEW, DELL_MULTI, INVENTORY, SIMPLE, None),
    "idrac10": Facts("Dell", IDRAC, DELL_ID, NEW, NEW, DELL_MULTI, INVENTORY, SIMPLE, None),
    "ilo5": Facts("HPE", "/redfish/v1/Managers/1", "1", f"{NEW} %b %d %Y", f"iLO 5 v{NEW}", None, FORM, SIMPLE, None),
    "ilo6": Facts("HPE", "/redfish/v1/Managers/1", "1", f"{NEW} %b %d %Y", f"iLO 6 v{NEW}", None, FORM, SIMPLE, None),
    "ilo7": Facts("HPE", "/redfish/v1/Managers/1", "1", f"{NEW} %b %d %Y", f"iLO 7 v{NEW}", None, FORM, SIMPLE, None),
    "smc-x12": Facts("Supermicro", "/redfish/v1/Managers/1", "BMC", NEW, NEW, UPLOAD, None, SIMPLE, None),
    "xcc": Facts(
        "Lenovo", "/redfish/v1/Managers/1", "BMC-Primary", f"42S-{NEW}", f"TGBT42S {NEW} %Y-%m-%d",
        "/mfwupdate", "/fwupdate", SIMPLE, 250_000_000, resets=False,
    ),
    "ami": Facts(
        "AMI", "/redfish/v1/Managers/Self", "BMC", NEW, NEW, UPLOAD, None, f"{SERVICE}/Actions/SimpleUpdate", DGX
    ),
    "openbmc": Facts("OpenBMC", "/redfish/v1/Managers/bmc", STOCK_ID, NEW, NEW, PUSH, PUSH, None, 419_430_400),
    "bluefield": Facts(
        "NVIDIA", "/redfish/v1/Managers/Bluefield_BMC", "BMC_Firmware", f"BF-{NEW}", f"BF-{NEW}",
        MULTI, PUSH, SIMPLE, NVIDIA, resets=False,
    ),
    "gb200": Facts(
        "NVIDIA", "/redfish/v1/Managers/BMC_0", "FW_BMC_0", f"GB200Nvl-{NEW}", f"GB200Nvl-{NEW}",
        MULTI, PUSH, None, NVIDIA,
    ),
}  # fmt: skip
MULTIPART = [name for name, facts in FACTS.items() if facts.multipart]


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with running_simulator([BmcSpec(name, name) for name in [*FACTS, "smc-x10"]], speed=0) as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh(simulator: Simulator) -> None:
    for bmc in simulator:
        bmc.reset()
        bmc.set_account(bmc.factory_credentials[0], password=PASSWORD)


def client(bmc: BmcHandle) -> Probe:
    return Probe(bmc, basic=(bmc.factory_credentials[0], PASSWORD))


def image_for(bmc: BmcHandle, component: str = "BMC", version: str = NEW) -> bytes:
    return build_image(FACTS[bmc.personality].image, component, version, b"\x00\xff" * 5000)


def multipart(bmc: BmcHandle, image: bytes, **parameters: Any) -> Answer:
    path = FACTS[bmc.personality].multipart or ""
    fields = {"UpdateParameters": json.dumps({"Targets": [], **parameters})}
    return client(bmc).upload(path, image, fields=fields, file_field="UpdateFile")


def claim(bmc: BmcHandle, busy: bool) -> Answer:
    return client(bmc).request("PATCH", SERVICE, {"HttpPushUriTargetsBusy": busy}, {"If-Match": "*"})


def raw(bmc: BmcHandle, image: bytes) -> Answer:
    headers = {"Content-Type": "application/octet-stream"}
    return client(bmc).request("POST", FACTS[bmc.personality].push or "", image, headers)


def get(bmc: BmcHandle, path: str) -> dict[str, Any]:
    found: dict[str, Any] = client(bmc).request("GET", path).body
    return found


def tasks(bmc: BmcHandle) -> list[dict[str, Any]]:
    members = get(bmc, "/redfish/v1/TaskService/Tasks")["Members"]
    return [get(bmc, member["@odata.id"]) for member in members]


def restart(bmc: BmcHandle) -> Answer:
    return client(bmc).request(
        "POST", f"{FACTS[bmc.personality].manager}/Actions/Manager.Reset", {"ResetType": "GracefulRestart"}
    )


def read_back(simulator: Simulator, bmc: BmcHandle) -> tuple[str | None, str | None]:
    """Inventory and Manager, or None where the new version's entry is not there."""
    facts = FACTS[bmc.personality]
    return get(bmc, f"{INVENTORY}/{facts.bmc}").get("Version"), get(bmc, facts.manager).get("FirmwareVersion")


def expected(simulator: Simulator, bmc: BmcHandle) -> tuple[str, str]:
    """With the day of the installation, where a vendor writes it into the version: midnight may have passed since."""
    installed = bmc.state()["firmware"]["BMC"]["installed_at"]
    day = dt.datetime.fromisoformat(installed) if installed else dt.datetime.fromtimestamp(simulator.now(), dt.UTC)
    facts = FACTS[bmc.personality]
    return day.strftime(facts.version), day.strftime(facts.manager_version)


def finish(simulator: Simulator, bmc: BmcHandle) -> None:
    """Let the update end, with the steps that its vendor asks for."""
    simulator.advance(140)
    if bmc.personality == "smc-x12":
        assert client(bmc).request("POST", START).status == 202
        simulator.advance(140)
    if not FACTS[bmc.personality].resets:
        assert read_back(simulator, bmc) != expected(simulator, bmc)
        assert restart(bmc).status == 204
    simulator.advance(600)


@pytest.mark.parametrize("name", list(FACTS))
def test_an_update_service_offers_what_the_real_one_offers(simulator: Simulator, name: str) -> None:
    facts, service = FACTS[name], get(simulator[name], SERVICE)
    assert (service.get("MultipartHttpPushUri"), service.get("HttpPushUri")) == (facts.multipart, facts.push)
    action = service.get("Actions", {}).get("#UpdateService.SimpleUpdate", {})
    assert action.get("target") == facts.simple
    assert service.get("MaxImageSizeBytes") == facts.largest
    assert ("Actions" in service) == (name != "openbmc")


def test_an_x10_has_no_update_service_though_its_root_links_to_one(simulator: Simulator) -> None:
    bmc = simulator["smc-x10"]
    link = Probe(bmc).request("GET", "/redfish/v1/").body["UpdateService"]["@odata.id"]
    assert client(bmc).request("GET", link).status == 404
    assert client(bmc).request("GET", INVENTORY).status == 404


@pytest.mark.parametrize("name", MULTIPART)
def test_a_multipart_push_is_installed(simulator: Simulator, name: str) -> None:
    bmc = simulator[name]
    assert multipart(bmc, image_for(bmc), **{"@Redfish.OperationApplyTime": "Immediate"}).status == 202
    finish(simulator, bmc)
    assert read_back(simulator, bmc) == expected(simulator, bmc)
    counted = bmc.counters()
    assert (counted["update_posts"], counted["bmc_reboots"]) == (1, 1)
    assert bmc.accepts(bmc.factory_credentials[0], PASSWORD)


@pytest.mark.parametrize("name", ["generic", "openbmc", "bluefield", "gb200"])
def test_a_bare_push_is_installed(simulator: Simulator, name: str) -> None:
    bmc = simulator[name]
    assert raw(bmc, image_for(bmc)).status == 202
    if name == "openbmc":  # its pushes are applied on a reset
        simulator.advance(600)
        assert read_back(simulator, bmc)[1] == "2.15.0"
        assert restart(bmc).status == 204
    finish(simulator, bmc)
    assert read_back(simulator, bmc) == expected(simulator, bmc)


@pytest.mark.parametrize("name", ["ilo5", "ilo6", "ilo7"])
def test_the_form_of_an_ilo(simulator: Simulator, name: str) -> None:
    bmc = simulator[name]
    token = Probe(bmc).log_in("Administrator", PASSWORD).headers["X-Auth-Token"]

    def upload(**parameters: object) -> int:
        fields = {"sessionKey": token, "parameters": json.dumps(parameters)}
        answer = Probe(bmc).upload(FORM, image_for(bmc), fields=fields, file_field="file", cookie=f"sessionKey={token}")
        return answer.status

    assert upload(UpdateRepository=True) == 400
    assert upload(UpdateTarget=True) == 200
    simulator.advance(800)
    assert read_back(simulator, bmc) == expected(simulator, bmc)


@pytest.mark.parametrize("name", ["idrac8", "idrac9", "idrac10"])
def test_a_push_to_dells_inventory_waits_for_install(simulator: Simulator, name: str) -> None:
    bmc, probe = simulator[name], client(simulator[name])
    assert raw(bmc, image_for(bmc)).status == 428
    etag = probe.request("GET", INVENTORY).headers["ETag"]
    pushed = probe.request("POST", INVENTORY, image_for(bmc), {"Content-Type": "a/b", "If-Match": etag})
    assert pushed.status == 201
    available = pushed.headers["Location"]
    assert available == f"{INVENTORY}/Available-25227-{NEW}__iDRAC.Embedded.1-1"
    assert get(bmc, available)["Version"] == NEW
    assert bmc.state()["tasks"] == []
    wrong = {"SoftwareIdentityURIs": [f"{INVENTORY}/other"], "InstallUpon": "Now"}
    assert probe.request("POST", INSTALL, wrong).status == 400
    answer = probe.request("POST", INSTALL, {"SoftwareIdentityURIs": [available], "InstallUpon": "Now"})
    assert answer.status == 202
    assert "/JID_" in answer.headers["Location"]
    simulator.advance(800)
    assert read_back(simulator, bmc) == expected(simulator, bmc)


# SimpleUpdate


@pytest.fixture
def serve() -> Iterator[Callable[[bytes], str]]:
    images: dict[str, bytes] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(images[self.path])

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()

    def offer(image: bytes) -> str:
        images["/fw.bin"] = image
        return f"http://127.0.0.1:{server.server_port}/fw.bin"

    yield offer
    server.shutdown()
    thread.join()
    server.server_close()


def fetched(bmc: BmcHandle) -> None:
    """Return once the image is there; that takes real time, not simulated."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if all(task["waits_for"] != "download" for task in bmc.state()["tasks"]):
            return
        threading.Event().wait(0.01)
    raise AssertionError("the image was not fetched")


@pytest.mark.parametrize("name", [name for name, facts in FACTS.items() if facts.simple])
def test_simple_update_is_installed(simulator: Simulator, serve: Callable[[bytes], str], name: str) -> None:
    bmc, target = simulator[name], FACTS[name].simple or ""
    body = {"ImageURI": serve(image_for(bmc)), "TransferProtocol": "HTTP"}
    assert client(bmc).request("POST", target, body).status == 202
    fetched(bmc)
    finish(simulator, bmc)
    assert read_back(simulator, bmc) == expected(simulator, bmc)
    assert bmc.counters()["downloads"] == 1


def test_amis_simple_update_has_parameters_of_its_own(simulator: Simulator) -> None:
    bmc, target = simulator["ami"], FACTS["ami"].simple or ""
    uri = {"ImageURI": "http://127.0.0.1:1/fw.bin"}
    answer = client(bmc).request("POST", target, uri)
    assert (answer.status, answer.message_ids) == (400, ["Base.1.12.ActionParameterMissing"])
    standard = {**uri, "TransferProtocol": "HTTP", "Username": "u"}
    assert client(bmc).request("POST", target, standard).message_ids == ["Base.1.12.ActionParameterNotSupported"]
    info = get(bmc, get(bmc, SERVICE)["Actions"]["#UpdateService.SimpleUpdate"]["@Redfish.ActionInfo"])
    required = [parameter["Name"] for parameter in info["Parameters"] if parameter["Required"]]
    assert required == ["ImageURI", "TransferProtocol"]


def test_an_xccs_spare_image_is_the_only_target_of_its_simple_update(
    simulator: Simulator, serve: Callable[[bytes], str]
) -> None:
    bmc = simulator["xcc"]
    body = {"ImageURI": serve(image_for(bmc)), "Targets": [f"{INVENTORY}/BMC-Primary"]}
    assert client(bmc).request("POST", SIMPLE, body).status == 400
    assert client(bmc).request("POST", SIMPLE, {**body, "Targets": [f"{INVENTORY}/BMC-Backup"]}).status == 202
    fetched(bmc)
    simulator.advance(140)
    restart(bmc)
    simulator.advance(600)
    assert get(bmc, f"{INVENTORY}/BMC-Backup")["Version"] == f"42S-{NEW}"
    assert get(bmc, f"{INVENTORY}/BMC-Primary")["Version"] == "42S-2.83"


# Steps that are one vendor's


def test_an_x12_verifies_in_one_task_and_installs_in_another(simulator: Simulator) -> None:
    bmc, probe = simulator["smc-x12"], client(simulator["smc-x12"])
    assert probe.request("POST", START).status == 400
    answer = multipart(bmc, image_for(bmc))
    assert "Location" not in answer.headers
    (info,) = answer.body["Accepted"]["@Message.ExtendedInfo"]
    verify = get(bmc, info["MessageArgs"][0])
    assert (verify["Name"], verify["TaskState"]) == ("BMC Verify", "Starting")
    assert verify["TaskMonitor"].startswith("/redfish/v1/TaskMonitor/")
    assert verify["TaskMonitor"] != f"/redfish/v1/TaskMonitor/{verify['Id']}"
    assert probe.request("GET", verify["TaskMonitor"]).status == 202
    simulator.advance(3600)
    assert probe.request("GET", verify["TaskMonitor"]).status == 200
    assert get(bmc, f"{INVENTORY}/BMC")["Version"] == "11.01.01"
    assert bmc.counters()["bmc_reboots"] == 0
    started = probe.request("POST", START)
    update = get(bmc, started.body["Accepted"]["@Message.ExtendedInfo"][0]["MessageArgs"][0])
    assert (update["Id"], update["Name"]) == ("2", "BMC Update")
    simulator.advance(800)
    assert get(bmc, f"{INVENTORY}/BMC")["Version"] == NEW
    counted = bmc.counters()
    assert (counted["update_posts"], counted["start_requests"]) == (1, 2)


def test_an_x12_finds_a_bad_image_in_the_task(simulator: Simulator) -> None:
    bmc = simulator["smc-x12"]
    assert multipart(bmc, build_image("Dell", "BMC", NEW)).status == 202
    simulator.advance(60)
    assert [task["TaskState"] for task in tasks(bmc)] == ["Exception"]
    assert client(bmc).request("POST", START).status == 400


def test_an_x12_that_preserves_nothing_loses_its_accounts(simulator: Simulator) -> None:
    bmc = simulator["smc-x12"]
    multipart(bmc, image_for(bmc), Oem={"Supermicro": {"BMC": {"PreserveCfg": False}}})
    finish(simulator, bmc)
    assert bmc.accepts(*bmc.factory_credentials)
    assert not bmc.accepts("ADMIN", PASSWORD)


def test_an_x12_without_its_licence_takes_no_update(simulator: Simulator) -> None:
    bmc = simulator["smc-x12"]
    bmc.set_faults(licensed=False)
    answer = multipart(bmc, image_for(bmc))
    assert (answer.status, answer.message_ids) == (403, ["SMC.1.0.OemLicenseNotPassed"])
    assert bmc.state()["tasks"] == []


def test_an_xcc_takes_a_bare_push_only_from_who_has_claimed_it(simulator: Simulator) -> None:
    bmc = simulator["xcc"]
    assert raw(bmc, image_for(bmc)).status == 409
    assert client(bmc).request("PATCH", SERVICE, {"HttpPushUriTargetsBusy": True}).status == 428
    assert claim(bmc, True).body["HttpPushUriTargetsBusy"] is True
    assert raw(bmc, image_for(bmc)).status == 202
    assert claim(bmc, False).body["HttpPushUriTargetsBusy"] is False
    simulator.advance(600)
    pending = get(bmc, f"{INVENTORY}/BMC-Primary-Pending")
    assert pending["Version"] == f"42S-{NEW}"
    assert bmc.counters()["bmc_reboots"] == 0  # it never restarts by itself


def test_an_amis_failed_task_says_that_its_status_is_ok(simulator: Simulator) -> None:
    bmc = simulator["ami"]
    bmc.set_faults(task="exception")
    answer = multipart(bmc, image_for(bmc))
    simulator.advance(60)
    information = get(bmc, SERVICE)["Oem"]["AMIUpdateService"]["UpdateInformation"]
    assert (information["UpdateStatus"], information["UpdateTarget"]) == ("Flashing", "BMC")
    simulator.advance(80)
    task = get(bmc, answer.body["@odata.id"])
    assert (task["TaskState"], task["TaskStatus"]) == ("Exception", "OK")
    assert task["Messages"][-1]["Severity"] == "Critical"


def test_an_openbmcs_new_image_stands_beside_the_old_one_until_the_reset(simulator: Simulator) -> None:
    bmc = simulator["openbmc"]
    raw(bmc, image_for(bmc))
    simulator.advance(140)
    versions = [get(bmc, member["@odata.id"])["Version"] for member in get(bmc, INVENTORY)["Members"]]
    assert versions == ["2.15.0", NEW, "1.0.0"]
    assert tasks(bmc)[0]["TaskMonitor"] == f"/redfish/v1/TaskService/Tasks/{tasks(bmc)[0]['Id']}/Monitor"
    restart(bmc)
    simulator.advance(600)
    assert tasks(bmc) == []  # they live in memory


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (build_image("OpenBMC", "BMC", "2.15.0"), "ResourceAlreadyExists"),
        (build_image("OpenBMC", "BMC", NEW, signed=False), "MissingOrMalformedPart"),
    ],
)
def test_bmcwebs_words_for_a_bad_image(simulator: Simulator, image: bytes, message: str) -> None:
    answer = raw(simulator["openbmc"], image)
    assert (answer.status, answer.message_ids) == (400, [f"Base.1.13.0.{message}"])


# When, and to what


def test_an_apply_time_that_is_not_known_is_refused(simulator: Simulator) -> None:
    for name in MULTIPART:
        bmc = simulator[name]
        answer = multipart(bmc, image_for(bmc), **{"@Redfish.OperationApplyTime": "AtMaintenanceWindowStart"})
        assert answer.status == 400, name
        assert bmc.state()["tasks"] == []


@pytest.mark.parametrize("name", ["generic", "ami"])
def test_on_reset_the_bmc_does_not_restart_by_itself(simulator: Simulator, name: str) -> None:
    bmc = simulator[name]
    multipart(bmc, image_for(bmc), **{"@Redfish.OperationApplyTime": "OnReset"})
    simulator.advance(3600)
    assert [task["TaskState"] for task in tasks(bmc)] == ["Completed"]
    assert bmc.counters()["bmc_reboots"] == 0
    assert read_back(simulator, bmc) != expected(simulator, bmc)
    restart(bmc)
    simulator.advance(600)
    assert read_back(simulator, bmc) == expected(simulator, bmc)


def test_on_reset_a_dell_job_waits_for_the_server(simulator: Simulator) -> None:
    bmc = simulator["idrac9"]
    multipart(bmc, image_for(bmc), **{"@Redfish.OperationApplyTime": "OnReset"})
    simulator.advance(3600)
    assert tasks(bmc)[0]["TaskState"] == "Pending"
    bmc.reset_host()
    simulator.advance(800)
    assert read_back(simulator, bmc) == expected(simulator, bmc)


@pytest.mark.parametrize("name", ["generic", "idrac9"])
def test_on_start_request_nothing_goes_on_before_it(simulator: Simulator, name: str) -> None:
    bmc = simulator[name]
    multipart(bmc, image_for(bmc), **{"@Redfish.OperationApplyTime": "OnStartUpdateRequest"})
    simulator.advance(3600)
    assert tasks(bmc)[0]["TaskState"] == "Pending"
    assert client(bmc).request("POST", START).status == 202
    simulator.advance(800)
    assert read_back(simulator, bmc) == expected(simulator, bmc)


def test_an_image_for_another_target_is_refused(simulator: Simulator) -> None:
    bmc = simulator["generic"]
    bios = "/redfish/v1/Systems/1"
    assert multipart(bmc, image_for(bmc), Targets=[bios]).status == 400
    assert multipart(bmc, image_for(bmc), Targets=["/redfish/v1/Systems/7"]).status == 400
    assert multipart(bmc, image_for(bmc, "BIOS"), Targets=[bios]).status == 202


def test_an_upload_without_its_length_is_refused_where_it_is_needed(simulator: Simulator) -> None:
    bmc = simulator["generic"]
    chunked = {"Transfer-Encoding": "chunked", "Content-Type": "application/octet-stream"}
    image = image_for(bmc)
    body = f"{len(image):x}\r\n".encode() + image + b"\r\n0\r\n\r\n"
    assert client(bmc).request("POST", PUSH, body, chunked).status == 202
    bmc.reset()
    bmc.set_account("admin", password=PASSWORD)
    bmc.set_faults(length_required=True)
    assert client(bmc).request("POST", PUSH, body, chunked).status == 411
    assert raw(bmc, image).status == 202


def test_a_manager_may_lag_behind_its_inventory(simulator: Simulator) -> None:
    bmc = simulator["ami"]
    bmc.set_faults(manager_lags=True)
    multipart(bmc, image_for(bmc))
    simulator.advance(800)
    assert read_back(simulator, bmc) == (NEW, "12.84.13")
