"""Firmware updates of simulated BMCs: the ways in, the task to its end, the restart, and the lies on the way."""

import asyncio
import hashlib
import http.server
import json
import threading
from collections.abc import Iterator

import pytest

from tiphys_simulators import BmcHandle, BmcSpec, Simulator, build_image, running_simulator
from tiphys_simulators.probe import Answer, Probe

VENDORS = {"generic": "Generic", "idrac9": "Dell", "ilo5": "HPE"}
MULTIPART = {
    "generic": "/redfish/v1/UpdateService/update-multipart",
    "idrac9": "/redfish/v1/UpdateService/MultipartUpload",
}
INVENTORY = "/redfish/v1/UpdateService/FirmwareInventory"
SIMPLE_UPDATE = "/redfish/v1/UpdateService/Actions/UpdateService.SimpleUpdate"
NEW = "8.1.0"


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with running_simulator([BmcSpec(name, name) for name in VENDORS], speed=0) as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh(simulator: Simulator) -> None:
    for bmc in simulator:
        bmc.reset()


def client(bmc: BmcHandle) -> Probe:
    return Probe(bmc, basic=bmc.factory_credentials)


def image_for(bmc: BmcHandle, version: str = NEW, component: str = "BMC") -> bytes:
    return build_image(VENDORS[bmc.personality], component, version, b"\x00\xff" * 5000)


def push(bmc: BmcHandle, image: bytes) -> Answer:
    """The way of each vendor to push an image."""
    if bmc.personality == "ilo5":
        token = Probe(bmc).log_in(*bmc.factory_credentials).headers["X-Auth-Token"]
        fields = {"sessionKey": token, "parameters": json.dumps({"UpdateRepository": False, "UpdateTarget": True})}
        return Probe(bmc).upload(
            "/cgi-bin/uploadFile", image, fields=fields, file_field="file", cookie=f"sessionKey={token}"
        )
    fields = {"UpdateParameters": json.dumps({"Targets": [], "Oem": {}})}
    return client(bmc).upload(MULTIPART[bmc.personality], image, fields=fields, file_field="UpdateFile")


def task_of(bmc: BmcHandle, answer: Answer) -> dict[str, object]:
    body: dict[str, object] = client(bmc).request("GET", answer.body["@odata.id"]).body
    return body


def versions(bmc: BmcHandle) -> dict[str, str | None]:
    members = client(bmc).request("GET", INVENTORY).body["Members"]
    found = [client(bmc).request("GET", member["@odata.id"]).body for member in members]
    return {software["Id"]: software["Version"] for software in found}


@pytest.fixture(params=["generic", "idrac9"])
def redfish(request: pytest.FixtureRequest, simulator: Simulator) -> BmcHandle:
    return simulator[request.param]


# The whole way


def test_an_image_is_pushed_installed_and_seen_after_the_restart(simulator: Simulator, redfish: BmcHandle) -> None:
    image = image_for(redfish)
    answer = push(redfish, image)
    assert answer.status == 202
    assert "Location" in answer.headers
    assert task_of(redfish, answer)["TaskState"] == "Starting"
    simulator.advance(60)
    assert task_of(redfish, answer)["TaskState"] == "Running"
    simulator.advance(73)
    task = task_of(redfish, answer)
    assert (task["TaskState"], task["TaskStatus"], task["PercentComplete"]) == ("Completed", "OK", 100)
    assert NEW not in versions(redfish).values()  # not before the restart
    simulator.advance(600)
    assert NEW in versions(redfish).values()
    counted = redfish.counters()
    assert counted["images"] == [
        {
            "via": "MultipartHttpPush",
            "name": "firmware.bin",
            "bytes": len(image),
            "sha256": hashlib.sha256(image).hexdigest(),
        }
    ]
    assert (counted["update_posts"], counted["updates_accepted"], counted["bmc_reboots"]) == (1, 1, 1)


def test_a_restart_goes_through_all_its_stages(simulator: Simulator) -> None:
    bmc = simulator["idrac9"]
    pushed = push(bmc, image_for(bmc))
    before = Probe(bmc).request("GET", "/redfish/v1")
    simulator.advance(132 + 5 + 1)
    with pytest.raises(ConnectionRefusedError):
        Probe(bmc).request("GET", "/redfish/v1")
    simulator.advance(60)
    assert Probe(bmc).request("GET", "/redfish/v1").status == 503
    simulator.advance(20)
    assert Probe(bmc).request("GET", "/redfish/v1").body == before.body
    assert client(bmc).request("GET", INVENTORY).status == 401  # and the password is right
    simulator.advance(60)
    assert set(versions(bmc).values()) == {None}
    simulator.advance(30)
    assert versions(bmc)[f"Installed-25227-{NEW}__iDRAC.Embedded.1-1"] == NEW
    assert versions(bmc)["Previous-25227-6.00.30.00__iDRAC.Embedded.1-1"] == "6.00.30.00"
    assert client(bmc).request("GET", pushed.body["@odata.id"]).status == 404  # the task is gone, the job is not
    job = f"/redfish/v1/Managers/iDRAC.Embedded.1/Oem/Dell/Jobs/{pushed.body['Id']}"
    assert client(bmc).request("GET", job).body["JobState"] == "Completed"
    assert bmc.counters()["authenticated_requests_during_reboot"] >= 2
    assert bmc.counters()["logins"]["unavailable"] == 1
    assert bmc.counters()["logins"]["wrong"] == 0


def test_an_ilo_tells_by_the_state_of_its_update_service(simulator: Simulator) -> None:
    bmc = simulator["ilo5"]

    def state() -> dict[str, object]:
        oem: dict[str, object] = client(bmc).request("GET", "/redfish/v1/UpdateService").body["Oem"]["Hpe"]
        return oem

    assert state()["State"] == "Idle"
    assert push(bmc, image_for(bmc, "2.78")).status == 200
    seen = [state()["State"]]
    for _ in range(3):
        simulator.advance(44)
        seen.append(state()["State"])
    assert seen == ["Uploading", "Verifying", "Writing", "Complete"]
    simulator.advance(600)
    assert versions(bmc)["1"].startswith("2.78 ")  # type: ignore[union-attr]
    manager = client(bmc).request("GET", "/redfish/v1/Managers/1").body
    assert manager["FirmwareVersion"] == "iLO 5 v2.78"
    assert state()["State"] == "Idle"


def test_a_bios_of_dell_waits_for_the_host(simulator: Simulator) -> None:
    bmc = simulator["idrac9"]
    answer = push(bmc, image_for(bmc, "1.9.0", "BIOS"))
    simulator.advance(3600)
    assert task_of(bmc, answer)["TaskState"] == "Pending"
    assert task_of(bmc, answer)["Oem"]["Dell"]["JobState"] == "Scheduled"  # type: ignore[index]
    reset = "/redfish/v1/Systems/System.Embedded.1/Actions/ComputerSystem.Reset"
    assert client(bmc).request("POST", reset, {"ResetType": "ForceRestart"}).status == 204
    simulator.advance(133)
    assert versions(bmc)["Installed-159-1.9.0__BIOS.Setup.1-1"] == "1.9.0"
    assert bmc.counters()["bmc_reboots"] == 0


def test_a_generic_bios_shows_only_after_the_host_was_reset(simulator: Simulator) -> None:
    bmc = simulator["generic"]
    push(bmc, image_for(bmc, "2.5.0", "BIOS"))
    simulator.advance(133)
    assert versions(bmc)["BIOS"] == "2.0.0"
    bmc.reset_host()
    assert versions(bmc)["BIOS"] == "2.5.0"


# Tasks that do not end well


@pytest.mark.parametrize(
    ("task", "state", "status"),
    [
        ("false-success", "Completed", "Critical"),
        ("no-change", "Completed", "OK"),
        ("exception", "Exception", "Critical"),
        ("exception-status-ok", "Exception", "OK"),
        ("stuck", "Running", "OK"),
    ],
)
def test_the_version_stays_whatever_the_task_says(
    simulator: Simulator, redfish: BmcHandle, task: str, state: str, status: str
) -> None:
    redfish.set_faults(task=task)
    before = versions(redfish)
    answer = push(redfish, image_for(redfish))
    simulator.advance(4000)
    told = task_of(redfish, answer)
    assert (told["TaskState"], told["TaskStatus"]) == (state, status)
    assert told["PercentComplete"] == (100 if state == "Completed" else 98)
    assert versions(redfish) == before
    assert redfish.counters()["bmc_reboots"] == 0


def test_dells_false_success_has_dells_message(simulator: Simulator) -> None:
    bmc = simulator["idrac9"]
    bmc.set_faults(task="false-success")
    answer = push(bmc, image_for(bmc))
    simulator.advance(200)
    assert task_of(bmc, answer)["Messages"][0]["MessageId"] == "IDRAC.2.8.JCP052"  # type: ignore[index]


def test_an_ilo_flash_that_fails_says_so_in_its_result(simulator: Simulator) -> None:
    bmc = simulator["ilo5"]
    bmc.set_faults(task="exception")
    push(bmc, image_for(bmc))
    simulator.advance(200)
    oem = client(bmc).request("GET", "/redfish/v1/UpdateService").body["Oem"]["Hpe"]
    assert (oem["State"], oem["Result"]["MessageId"]) == ("Error", "iLO.2.18.UpdateFailed")


def test_a_task_is_forgotten_after_its_end(simulator: Simulator) -> None:
    bmc = simulator["generic"]
    bmc.set_faults(task="no-change", task_forgotten_after=60)
    answer = push(bmc, image_for(bmc))
    simulator.advance(133)
    assert client(bmc).request("GET", answer.headers["Location"]).status == 200
    simulator.advance(60)
    assert client(bmc).request("GET", answer.headers["Location"]).status == 404
    assert client(bmc).request("GET", answer.body["@odata.id"]).status == 404


@pytest.mark.parametrize("kind", ["task", "monitor", "body", "none"])
def test_how_the_handle_is_told(simulator: Simulator, redfish: BmcHandle, kind: str) -> None:
    redfish.set_faults(task_answer=kind)
    answer = push(redfish, image_for(redfish))
    (task,) = redfish.state()["tasks"]
    path = f"/redfish/v1/TaskService/Tasks/{task['id']}"
    monitor = f"/redfish/v1/TaskService/TaskMonitors/{task['id']}"
    assert answer.status == 202
    assert answer.headers.get("Location") == {"task": path, "monitor": monitor}.get(kind)
    if kind == "body":
        assert answer.body["Accepted"]["@Message.ExtendedInfo"][0]["MessageArgs"] == [path]
    assert (answer.body == "") == (kind == "none")
    assert client(redfish).request("GET", monitor).status == 202
    simulator.advance(133)
    assert client(redfish).request("GET", monitor).status == 200


# Images that are refused


@pytest.mark.parametrize("fault", ["not-an-image", "signature", "model", "component", "same", "older", "large"])
def test_a_bad_image_is_refused_and_nothing_starts(redfish: BmcHandle, fault: str) -> None:
    redfish.set_faults(same_version=False, downgrade=False, max_image_bytes=50_000)
    installed = redfish.state()["firmware"]["BMC"]["version"]
    vendor = VENDORS[redfish.personality]
    images = {
        "not-an-image": b"<html></html>",
        "signature": build_image(vendor, "BMC", NEW, signed=False),
        "model": build_image("Acme", "BMC", NEW),
        "component": build_image(vendor, "NIC", NEW),
        "same": image_for(redfish, installed),
        "older": image_for(redfish, "0.1"),
        "large": build_image(vendor, "BMC", NEW, b"x" * 60_000),
    }
    answer = push(redfish, images[fault])
    assert answer.status == (413 if fault == "large" else 400)
    assert redfish.state()["tasks"] == []
    counted = redfish.counters()
    assert (counted["update_posts"], counted["updates_accepted"]) == (1, 0)


def test_an_ilo_finds_out_later_that_an_image_is_bad(simulator: Simulator) -> None:
    bmc = simulator["ilo5"]
    assert push(bmc, build_image("Dell", "BMC", NEW)).status == 200
    simulator.advance(20)
    oem = client(bmc).request("GET", "/redfish/v1/UpdateService").body["Oem"]["Hpe"]
    assert (oem["State"], oem["Result"]["MessageId"]) == ("Error", "iLO.2.18.UpdateNotApplicable")


def test_one_update_at_a_time(redfish: BmcHandle) -> None:
    assert push(redfish, image_for(redfish)).status == 202
    refused = push(redfish, image_for(redfish))
    assert (refused.status, refused.message_ids) == {
        "generic": (503, ["Base.1.18.ServiceTemporarilyUnavailable"]),
        "idrac9": (409, ["IDRAC.2.8.RAC0679"]),
    }[redfish.personality]


def test_forms_that_cannot_be_read_are_refused(simulator: Simulator) -> None:
    idrac, ilo = simulator["idrac9"], simulator["ilo5"]
    headers = {"Content-Type": "multipart/form-data"}
    assert client(idrac).request("POST", MULTIPART["idrac9"], image_for(idrac), headers).status == 400
    missing = client(idrac).upload(MULTIPART["idrac9"], image_for(idrac), fields={}, file_field="UpdateFile")
    assert missing.status == 400
    anonymous = Probe(ilo).upload("/cgi-bin/uploadFile", image_for(ilo), fields={}, file_field="file")
    assert anonymous.status == 401
    assert not idrac.state()["tasks"]
    assert not ilo.state()["tasks"]


def test_an_idrac_refuses_an_upload_without_its_length(simulator: Simulator) -> None:
    bmc = simulator["idrac9"]
    headers = {"Transfer-Encoding": "chunked", "Content-Type": "application/octet-stream"}
    body = b"5\r\nhello\r\n0\r\n\r\n"
    assert client(bmc).request("POST", INVENTORY, body, headers).status == 411


# Pull


class _ImageServer(http.server.BaseHTTPRequestHandler):
    image = b""

    def do_GET(self) -> None:
        found = self.path == "/fw.bin"
        self.send_response(200 if found else 404)
        self.end_headers()
        self.wfile.write(self.image if found else b"")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def image_url(simulator: Simulator) -> Iterator[str]:
    _ImageServer.image = image_for(simulator["generic"])
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _ImageServer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def wait_for_download(bmc: BmcHandle) -> dict[str, object]:
    """The one task, once the BMC has fetched its image or given up; that takes real time, not simulated."""

    async def wait() -> dict[str, object]:
        async with asyncio.timeout(20):
            while (task := bmc.state()["tasks"][0])["waits_for"] == "download":
                await asyncio.sleep(0.01)
        return dict(task)

    return asyncio.run(wait())


def test_simple_update_fetches_the_image(simulator: Simulator, image_url: str) -> None:
    bmc = simulator["generic"]
    body = {"ImageURI": f"{image_url}/fw.bin", "TransferProtocol": "HTTP"}
    assert client(bmc).request("POST", SIMPLE_UPDATE, body).status == 202
    wait_for_download(bmc)
    simulator.advance(600)
    assert versions(bmc)["BMC"] == NEW
    (image,) = bmc.counters()["images"]
    assert (image["via"], image["name"], image["bytes"]) == ("SimpleUpdate", "fw.bin", len(_ImageServer.image))


def test_an_image_that_is_not_there_is_an_exception(simulator: Simulator, image_url: str) -> None:
    bmc = simulator["generic"]
    answer = client(bmc).request("POST", SIMPLE_UPDATE, {"ImageURI": f"{image_url}/nothing"})
    assert answer.status == 202
    assert wait_for_download(bmc)["state"] == "Exception"
    assert "404" in str(task_of(bmc, answer)["Messages"])


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"ImageURI": "http://192.0.2.1/fw.bin"},
        {"ImageURI": "http://fw.example/fw.bin"},
        {"ImageURI": "ftp://127.0.0.1/fw.bin"},
        {"ImageURI": "http://127.0.0.1/fw.bin", "Force": True},
        {"ImageURI": "http://127.0.0.1/fw.bin", "TransferProtocol": "NFS"},
    ],
)
def test_only_loopback_is_fetched_from(simulator: Simulator, body: dict[str, object]) -> None:
    bmc = simulator["generic"]
    assert client(bmc).request("POST", SIMPLE_UPDATE, body).status == 400
    assert bmc.state()["tasks"] == []


# What an update may take with it


def test_credentials_and_certificate_may_be_lost(simulator: Simulator) -> None:
    bmc = simulator["generic"]
    user, factory = bmc.factory_credentials
    bmc.set_account(user, password="Changed-Passw0rd")
    bmc.set_faults(loses_credentials=True, changes_certificate=True)
    pinned = bmc.fingerprint
    fields = {"UpdateParameters": "{}"}
    probe = Probe(bmc, basic=(user, "Changed-Passw0rd"))
    probe.upload(MULTIPART["generic"], image_for(bmc), fields=fields, file_field="UpdateFile")
    simulator.advance(600)
    assert bmc.accepts(user, factory)
    assert not bmc.accepts(user, "Changed-Passw0rd")
    assert bmc.fingerprint != pinned
    with pytest.raises(OSError, match="certificate verify failed"):
        probe.request("GET", "/redfish/v1")
    assert Probe(bmc).request("GET", "/redfish/v1").status == 200


def test_manager_reset_ends_the_sessions(simulator: Simulator) -> None:
    bmc = simulator["generic"]
    probe = Probe(bmc, token=Probe(bmc).log_in(*bmc.factory_credentials).headers["X-Auth-Token"])
    reset = "/redfish/v1/Managers/1/Actions/Manager.Reset"
    assert probe.request("POST", reset, {"ResetType": "GracefulRestart"}).status == 204
    simulator.advance(60)
    assert probe.request("GET", "/redfish/v1/Managers/1").status == 401
    assert bmc.counters()["bmc_reboots"] == 1
