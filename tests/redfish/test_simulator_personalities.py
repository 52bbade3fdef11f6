"""The accounts of all fourteen personalities, held against the facts that were read from real machines."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tiphys_simulators import BmcHandle, BmcSpec, Simulator, running_simulator
from tiphys_simulators.probe import Answer, Probe

ACCOUNTS = "/redfish/v1/AccountService/Accounts"
IDRAC8 = "/redfish/v1/Managers/iDRAC.Embedded.1/Accounts"
ATTRIBUTES = "/redfish/v1/Managers/iDRAC.Embedded.1/Oem/Dell/DellAttributes/iDRAC.Embedded.1"
NEW = "Wr0ng-Horse-Battery"  # fits every policy but a shorter one


@dataclass(frozen=True)
class Facts:
    """What a personality must do.

    Attributes:
        free: misses after which the right password still works.
        penalty: seconds for which the next one blocks.
        etag: how an ETag starts; "" = there is none.
        lengths: the longest password that is taken, and the shortest.
    """

    user: str
    password: str
    account: str
    free: int
    penalty: int
    etag: str
    lengths: tuple[int, int]
    needs_if_match: bool = False
    expired: bool = False
    vendor: str | None = None
    registry: str = "Base."
    shown_password: str | None = None


FACTS = {
    "generic": Facts("admin", "", f"{ACCOUNTS}/1", 4, 30, '"', (8, 40), vendor="Tiphys"),
    "idrac8": Facts("root", "calvin", f"{IDRAC8}/2", 2, 600, "", (1, 20), vendor="Dell"),
    "idrac9": Facts("root", "calvin", f"{ACCOUNTS}/2", 2, 60, "", (1, 40), vendor="Dell"),
    "idrac10": Facts("root", "calvin", f"{ACCOUNTS}/2", 2, 60, 'W/"gen-', (1, 127), expired=True, vendor="Dell"),
    "ilo5": Facts("Administrator", "", f"{ACCOUNTS}/1", 1, 10, 'W/"', (8, 39), vendor="HPE"),
    "ilo6": Facts("Administrator", "", f"{ACCOUNTS}/1", 1, 10, 'W/"', (8, 39), vendor="HPE"),
    "ilo7": Facts("Administrator", "", f"{ACCOUNTS}/65536", 1, 10, 'W/"', (8, 39), vendor="HPE"),
    "smc-x12": Facts("ADMIN", "", f"{ACCOUNTS}/2", 2, 30, '"', (8, 20)),
    "smc-x10": Facts("ADMIN", "ADMIN", f"{ACCOUNTS}/2", 4, 30, "", (8, 19), shown_password="null"),
    "xcc": Facts("USERID", "PASSW0RD", f"{ACCOUNTS}/1", 4, 3600, '"', (10, 32), True, True, "Lenovo"),
    "ami": Facts("admin", "admin", f"{ACCOUNTS}/1", 4, 30, 'W/"', (8, 25), True, vendor="AMI", shown_password=""),
    "openbmc": Facts("root", "0penBmc", f"{ACCOUNTS}/root", 9, 600, "", (8, 20), expired=True),
    "bluefield": Facts("root", "0penBmc", f"{ACCOUNTS}/root", 9, 600, "", (12, 20), expired=True, vendor="Nvidia"),
    "gb200": Facts("root", "0penBmc", f"{ACCOUNTS}/root", 9, 600, "", (8, 20), expired=True, vendor="NVIDIA"),
}
EXPIRED = [name for name, facts in FACTS.items() if facts.expired]


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with running_simulator([BmcSpec(name, name) for name in FACTS], speed=0) as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh(simulator: Simulator) -> None:
    for bmc in simulator:
        bmc.reset()


@pytest.fixture(params=list(FACTS))
def bmc(request: pytest.FixtureRequest, simulator: Simulator) -> BmcHandle:
    return simulator[request.param]


def in_use(bmc: BmcHandle, password: str = NEW) -> Probe:
    """The factory's days are over: a password was set."""
    user = bmc.factory_credentials[0]
    bmc.set_account(user, password=password)
    return Probe(bmc, basic=(user, password))


def change(probe: Probe, path: str, password: str) -> Answer:
    return probe.request("PATCH", path, {"Password": password}, {"If-Match": "*"})


def of_length(length: int) -> str:
    """A password of so many characters that no policy finds too simple."""
    return "aQ7-sK2_"[:length].ljust(length, "x")


def test_the_label_and_the_service_root_are_those_of_the_vendor(bmc: BmcHandle) -> None:
    facts = FACTS[bmc.personality]
    user, password = bmc.factory_credentials
    assert (user, password) == (facts.user, facts.password or bmc.identity.label_password)
    root = Probe(bmc).request("GET", "/redfish/v1").body
    assert root.get("Vendor") == facts.vendor
    if facts.vendor is None and bmc.personality == "smc-x12":
        assert "Supermicro" in root["Oem"]
    if bmc.personality.startswith("idrac"):
        assert (root["Oem"]["Dell"]["ServiceTag"], "UUID" in root) == (bmc.identity.serial, False)
    else:
        assert root["UUID"].lower() == bmc.identity.uuid.lower()


def test_the_account_is_where_the_vendor_keeps_it(bmc: BmcHandle) -> None:
    facts, probe = FACTS[bmc.personality], in_use(bmc)
    service = probe.request("GET", "/redfish/v1/AccountService").body
    collection = service["Accounts"]["@odata.id"]
    members = [member["@odata.id"] for member in probe.request("GET", collection).body["Members"]]
    found = [path for path in members if probe.request("GET", path).body["UserName"] == facts.user]
    assert found == [facts.account]
    account = probe.request("GET", facts.account)
    assert account.body["Password"] == facts.shown_password
    assert account.headers.get("ETag", "").startswith(facts.etag)
    assert ("ETag" in account.headers) == bool(facts.etag)
    assert account.body.get("@odata.etag", "") == account.headers.get("ETag", "")
    if bmc.personality == "idrac8":
        assert probe.request("GET", ACCOUNTS).status == 404


def test_misses_block_as_the_vendor_does_it_and_the_right_password_with_them(
    simulator: Simulator, bmc: BmcHandle
) -> None:
    facts = FACTS[bmc.personality]
    in_use(bmc)
    for _ in range(facts.free):
        assert Probe(bmc).log_in(facts.user, "wrong").status == 401
    assert Probe(bmc).log_in(facts.user, NEW).status == 201
    for _ in range(facts.free + 1):
        assert Probe(bmc).log_in(facts.user, "wrong").status == 401
    simulator.advance(facts.penalty - 1)
    assert Probe(bmc).log_in(facts.user, NEW).status == 401
    assert bmc.counters()["logins"]["blocked"] == 1
    simulator.advance(1)
    assert Probe(bmc).log_in(facts.user, NEW).status == 201


def test_the_precondition_of_a_patch(bmc: BmcHandle) -> None:
    facts, probe = FACTS[bmc.personality], in_use(bmc)
    later = NEW.replace("Horse", "Camel")
    answer = probe.request("PATCH", facts.account, {"Password": later})
    if not facts.needs_if_match:
        assert answer.status == 200
        return
    assert answer.status == 428
    ids = {"xcc": "Base.1.14.PreconditionRequired", "ami": "Ami.1.0.PreconditionHeaderMissing"}
    assert answer.message_ids == [ids[bmc.personality]]
    stale = probe.request("PATCH", facts.account, {"Password": later}, {"If-Match": '"0"'})
    assert stale.status == 412
    assert not bmc.accepts(facts.user, later)
    etag = probe.request("GET", facts.account).headers["ETag"]
    assert probe.request("PATCH", facts.account, {"Password": later}, {"If-Match": etag}).status in (200, 204)
    assert bmc.accepts(facts.user, later)


def test_the_lengths_of_a_password(bmc: BmcHandle) -> None:
    facts, probe = FACTS[bmc.personality], in_use(bmc)
    shortest, longest = facts.lengths
    if shortest > 1:
        assert change(probe, facts.account, of_length(shortest - 1)).status == 400
    assert change(probe, facts.account, of_length(longest + 1)).status == 400
    assert bmc.accepts(facts.user, NEW)
    assert change(probe, facts.account, of_length(longest)).status in (200, 204)
    assert bmc.accepts(facts.user, of_length(longest))
    policy = Probe(bmc, basic=(facts.user, of_length(longest))).request("GET", "/redfish/v1/AccountService").body
    assert policy.get("MaxPasswordLength", longest) == longest
    assert policy.get("MinPasswordLength", shortest) in (shortest, 0)


@pytest.mark.parametrize("name", EXPIRED)
def test_a_factory_password_is_expired(simulator: Simulator, name: str) -> None:
    bmc, facts = simulator[name], FACTS[name]
    answer = Probe(bmc).log_in(facts.user, facts.password)
    assert answer.status == 201
    (info,) = answer.body["@Message.ExtendedInfo"]
    assert info["MessageId"].endswith(".PasswordChangeRequired")
    assert info["MessageArgs"] == [facts.account]
    probe = Probe(bmc, token=answer.headers["X-Auth-Token"])
    refused = probe.request("GET", "/redfish/v1/Systems")
    assert refused.status == 403
    assert refused.message_ids[0].endswith(".PasswordChangeRequired")
    assert probe.request("GET", facts.account).status == (403 if name == "xcc" else 200)
    assert change(probe, facts.account, NEW).status == 200
    assert Probe(bmc, basic=(facts.user, NEW)).request("GET", "/redfish/v1/Systems").status == 200


def test_an_administrator_who_is_named_at_the_start_has_nothing_to_change_first() -> None:
    spec = BmcSpec("mine", "openbmc", username="root", password=NEW)
    with running_simulator([spec]) as simulator:
        assert Probe(simulator["mine"], basic=("root", NEW)).request("GET", "/redfish/v1/Systems").status == 200


def test_an_idrac_with_an_expired_password_takes_it_by_its_attributes_too(simulator: Simulator) -> None:
    bmc = simulator["idrac10"]
    probe = Probe(bmc, basic=bmc.factory_credentials)
    assert probe.request("GET", ATTRIBUTES).status == 403
    assert probe.request("PATCH", ATTRIBUTES, {"Attributes": {"Users.2.Password": NEW}}).status == 200
    assert bmc.accepts("root", NEW)


def test_later_ilos_do_not_advertise_basic(simulator: Simulator) -> None:
    headers = {name: Probe(simulator[name]).request("GET", "/redfish/v1/Systems").headers for name in FACTS}
    without = {name for name, found in headers.items() if "WWW-Authenticate" not in found}
    assert without == {"ilo6", "ilo7"}


def test_etags_of_the_second_are_equal_for_everything_and_change_with_anything(simulator: Simulator) -> None:
    bmc, probe = simulator["ami"], in_use(simulator["ami"])
    etags = {probe.request("GET", f"{ACCOUNTS}/{number}").headers["ETag"] for number in (1, 4)}
    assert len(etags) == 1
    simulator.advance(60)
    assert probe.request("GET", f"{ACCOUNTS}/1").headers["ETag"] in etags
    bmc.set_account("root", enabled=False)
    assert probe.request("GET", f"{ACCOUNTS}/1").headers["ETag"] not in etags


@pytest.mark.parametrize("password", ["abcd-1234-Efgh", "Gfedcba-Zy987"])
def test_a_bluefield_refuses_too_many_consecutive_pairs(simulator: Simulator, password: str) -> None:
    bmc, probe = simulator["bluefield"], in_use(simulator["bluefield"])
    assert change(probe, f"{ACCOUNTS}/root", password).status == 400
    assert change(probe, f"{ACCOUNTS}/root", "ab-12-Xy-89-Qq").status == 200
    assert bmc.accepts("root", "ab-12-Xy-89-Qq")


def test_accounts_of_openbmc_are_named_by_their_users(simulator: Simulator) -> None:
    bmc, probe = simulator["openbmc"], in_use(simulator["openbmc"])
    made = probe.request("POST", ACCOUNTS, {"UserName": "second", "Password": NEW, "RoleId": "Operator"})
    assert (made.status, made.headers["Location"]) == (201, f"{ACCOUNTS}/second")
    assert probe.request("PATCH", f"{ACCOUNTS}/second", {"UserName": "third"}).status == 200
    assert probe.request("GET", f"{ACCOUNTS}/second").status == 404
    assert probe.request("GET", f"{ACCOUNTS}/third").body["Id"] == "third"
    assert bmc.accepts("third", NEW)


def test_fixed_slots_are_neither_made_nor_deleted(simulator: Simulator) -> None:
    probe = in_use(simulator["idrac9"])
    body = {"UserName": "second", "Password": NEW, "RoleId": "Operator"}
    assert probe.request("POST", ACCOUNTS, body).status == 405
    assert probe.request("DELETE", f"{ACCOUNTS}/2").status == 405
    assert probe.request("PATCH", f"{ACCOUNTS}/1", body).status == 400  # reserved
    assert probe.request("PATCH", f"{ACCOUNTS}/3", body).status == 200
    assert simulator["idrac9"].accepts("second", NEW) is False  # a filled slot is still disabled
    assert probe.request("PATCH", f"{ACCOUNTS}/3", {"Enabled": True}).status == 200
    assert simulator["idrac9"].accepts("second", NEW)


def written(probe: Probe, **values: int) -> int:
    return probe.request("PATCH", "/redfish/v1/AccountService", values, {"If-Match": "*"}).status


def test_what_may_be_written_into_the_lockout(simulator: Simulator) -> None:
    service = {name: in_use(simulator[name]) for name in FACTS}
    assert written(service["idrac9"], AccountLockoutThreshold=4) == 400
    assert written(service["ilo5"], AccountLockoutThreshold=4) == 400
    assert written(service["bluefield"], AccountLockoutThreshold=0) == 400
    assert written(service["bluefield"], AccountLockoutThreshold=4, AccountLockoutDuration=599) == 400
    assert written(service["bluefield"], AccountLockoutThreshold=4, AccountLockoutDuration=600) == 200
    assert written(service["xcc"], AccountLockoutDuration=59) == 400
    assert written(service["xcc"], AccountLockoutDuration=60) == 200
    read = service["xcc"].request("GET", "/redfish/v1/AccountService").body
    assert (read["AccountLockoutThreshold"], read["AccountLockoutDuration"]) == (5, 60)


def test_an_ami_that_is_told_never_to_lock_locks_everybody_out(simulator: Simulator) -> None:
    bmc, probe = simulator["ami"], in_use(simulator["ami"])
    zero = {"AccountLockoutThreshold": 0, "AccountLockoutDuration": 0, "AccountLockoutCounterResetAfter": 0}
    assert written(probe, **zero) == 200
    assert probe.request("GET", "/redfish/v1/Systems").status == 401
    bmc.set_account("admin", unlock=True)
    assert probe.request("GET", "/redfish/v1/Systems").status == 200


@pytest.mark.parametrize(("how", "status"), [("absent", 404), ("basic", 401)])
def test_a_session_service_that_is_not_there_or_wants_basic(simulator: Simulator, how: str, status: int) -> None:
    bmc, probe = simulator["generic"], in_use(simulator["generic"])
    bmc.set_faults(session_log_in=how)
    assert Probe(bmc).log_in("admin", NEW).status == status
    assert probe.log_in("admin", NEW).status == (404 if how == "absent" else 201)
    assert probe.request("GET", "/redfish/v1/Systems").status == 200


def test_a_system_may_keep_its_serial_number_to_itself(simulator: Simulator) -> None:
    def serial(name: str, path: str) -> str | None:
        found: str | None = in_use(simulator[name]).request("GET", path).body["SerialNumber"]
        return found

    assert serial("openbmc", "/redfish/v1/Systems/system") is None
    assert serial("openbmc", "/redfish/v1/Chassis/chassis") == simulator["openbmc"].identity.serial
    assert serial("smc-x10", "/redfish/v1/Systems/1").strip() == ""  # type: ignore[union-attr]
    assert serial("xcc", "/redfish/v1/Systems/1") == simulator["xcc"].identity.serial


def test_further_systems_and_managers_stand_beside_the_one_that_is_looked_for(simulator: Simulator) -> None:
    probe = in_use(simulator["gb200"])
    for kind, names in (("Systems", ["HGX_Baseboard_0", "System_0"]), ("Managers", ["BMC_0", "HGX_BMC_0"])):
        members = probe.request("GET", f"/redfish/v1/{kind}").body["Members"]
        assert [member["@odata.id"].rpartition("/")[2] for member in members] == names
        assert [probe.request("GET", member["@odata.id"]).status for member in members] == [200, 200]
