"""Log-ins, sessions and passwords of simulated BMCs, over TLS, as a client meets them."""

import http.client
from collections.abc import Iterator

import pytest

from tiphys_simulators import BmcHandle, BmcSpec, Simulator, running_simulator
from tiphys_simulators.probe import Answer, Probe

ACCOUNT = {
    "generic": "/redfish/v1/AccountService/Accounts/1",
    "idrac9": "/redfish/v1/AccountService/Accounts/2",
    "ilo5": "/redfish/v1/AccountService/Accounts/1",
}
SESSIONS = "/redfish/v1/SessionService/Sessions"
SYSTEMS = "/redfish/v1/Systems"
NEW = "Another-Passw0rd"


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    specs = [BmcSpec(name, name) for name in ACCOUNT]
    with running_simulator(specs, speed=0) as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh(simulator: Simulator) -> None:
    for bmc in simulator:
        bmc.reset()


@pytest.fixture(params=list(ACCOUNT))
def bmc(request: pytest.FixtureRequest, simulator: Simulator) -> BmcHandle:
    return simulator[request.param]


def log_in(bmc: BmcHandle, user: str = "", password: str = "") -> Answer:
    factory_user, factory_password = bmc.factory_credentials
    return Probe(bmc).log_in(user or factory_user, password or factory_password)


def session_of(bmc: BmcHandle) -> Probe:
    return Probe(bmc, token=log_in(bmc).headers["X-Auth-Token"])


def change_password(bmc: BmcHandle, password: str = NEW, headers: dict[str, str] | None = None) -> Answer:
    return session_of(bmc).request("PATCH", ACCOUNT[bmc.personality], {"Password": password}, headers)


# Who are you


def test_the_service_root_tells_who_it_is_without_credentials(simulator: Simulator) -> None:
    roots = {bmc.name: Probe(bmc).request("GET", "/redfish/v1").body for bmc in simulator}
    idrac, ilo = simulator["idrac9"].identity, simulator["ilo5"].identity
    assert roots["idrac9"]["Vendor"] == "Dell"
    assert roots["idrac9"]["Product"] == "Integrated Dell Remote Access Controller"
    assert roots["idrac9"]["Oem"]["Dell"]["ServiceTag"] == idrac.serial
    assert "UUID" not in roots["idrac9"]
    assert (roots["ilo5"]["Vendor"], roots["ilo5"]["UUID"]) == ("HPE", ilo.uuid)
    assert roots["generic"]["UUID"] == simulator["generic"].identity.uuid


def test_nothing_else_is_told_without_credentials(bmc: BmcHandle) -> None:
    for path in (SYSTEMS, SESSIONS, "/redfish/v1/UpdateService", "/redfish/v1/nowhere"):
        answer = Probe(bmc).request("GET", path)
        assert answer.status == 401
        assert "WWW-Authenticate" in answer.headers


# Wrong passwords


def test_an_idrac_blocks_the_address_and_then_refuses_the_right_password(simulator: Simulator) -> None:
    bmc = simulator["idrac9"]
    assert [log_in(bmc, "root", "wrong").status for _ in range(3)] == [401, 401, 401]
    refused, wrong = log_in(bmc), log_in(bmc, "root", "wrong")
    assert (refused.status, refused.body) == (wrong.status, wrong.body)  # nothing tells them apart
    simulator.advance(61)
    assert log_in(bmc).status == 201
    assert bmc.counters()["logins"] == {"total": 6, "ok": 1, "wrong": 3, "blocked": 2, "limit": 0, "unavailable": 0}


def test_an_ilo_says_how_long_it_makes_wait(simulator: Simulator) -> None:
    bmc = simulator["ilo5"]
    first, second, third = (log_in(bmc, "Administrator", "wrong") for _ in range(3))
    assert first.message_ids == ["iLO.2.18.UnauthorizedLoginAttempt"]
    assert second.message_ids == ["iLO.2.18.LoginAttemptDelayedSeconds"]
    assert third.body["error"]["@Message.ExtendedInfo"][0]["MessageArgs"] == ["10"]
    assert log_in(bmc).status == 401
    simulator.advance(10)
    assert log_in(bmc).status == 201


def test_a_locked_account_shows_and_an_administrator_unlocks_it(simulator: Simulator) -> None:
    bmc = simulator["generic"]
    bmc.set_account("second", password=NEW, role="Administrator")
    admin = session_of(bmc)
    for _ in range(5):
        log_in(bmc, "second", "wrong")
    path = "/redfish/v1/AccountService/Accounts/2"
    assert admin.request("GET", path).body["Locked"] is True
    assert log_in(bmc, "second", NEW).status == 401
    assert admin.request("PATCH", path, {"Locked": False}).status == 200
    assert log_in(bmc, "second", NEW).status == 201


def test_basic_credentials_are_log_ins_too(bmc: BmcHandle) -> None:
    user, password = bmc.factory_credentials
    assert Probe(bmc, basic=(user, password)).request("GET", SYSTEMS).status == 200
    assert Probe(bmc, basic=(user, "wrong")).request("GET", SYSTEMS).status == 401
    counted = bmc.counters()
    assert (counted["logins_by_method"]["basic"]["ok"], counted["logins_by_method"]["basic"]["wrong"]) == (1, 1)
    assert counted["logins_by_source"] == {"127.0.0.1": counted["logins_by_method"]["basic"]}


def test_the_policy_can_be_read_where_the_vendor_keeps_it(simulator: Simulator) -> None:
    service = session_of(simulator["idrac9"]).request("GET", "/redfish/v1/AccountService").body
    assert service["AccountLockoutThreshold"] == 0  # and yet it blocks
    attributes = "/redfish/v1/Managers/iDRAC.Embedded.1/Oem/Dell/DellAttributes/iDRAC.Embedded.1"
    values = session_of(simulator["idrac9"]).request("GET", attributes).body["Attributes"]
    assert [values[f"IPBlocking.1.{name}"] for name in ("BlockEnable", "FailCount", "FailWindow", "PenaltyTime")] == [
        "Enabled", 3, 60, 60,
    ]  # fmt: skip
    oem = session_of(simulator["ilo5"]).request("GET", "/redfish/v1/AccountService").body["Oem"]["Hpe"]
    assert (oem["AuthFailuresBeforeDelay"], oem["AuthFailureDelayTimeSeconds"]) == (1, 10)


def test_an_idrac_has_sixteen_slots_and_root_in_the_second(simulator: Simulator) -> None:
    probe = session_of(simulator["idrac9"])
    members = probe.request("GET", "/redfish/v1/AccountService/Accounts").body["Members"]
    users = [probe.request("GET", member["@odata.id"]).body["UserName"] for member in members]
    assert users == ["", "root", *[""] * 14]


# Sessions


def test_a_session_ends_when_it_is_deleted(bmc: BmcHandle) -> None:
    answer = log_in(bmc)
    probe = Probe(bmc, token=answer.headers["X-Auth-Token"])
    assert probe.request("DELETE", answer.body["@odata.id"]).status == 204
    assert probe.request("GET", SYSTEMS).status == 401
    assert bmc.counters()["sessions"] == {"now": 0, "max": 1, "created": 1, "leaked": 0}


def test_a_session_that_nobody_deletes_is_counted_as_leaked(simulator: Simulator, bmc: BmcHandle) -> None:
    log_in(bmc)
    simulator.advance(1801)
    assert bmc.counters()["sessions"]["leaked"] == 1


@pytest.mark.parametrize("status", [503, 401, 400])
def test_no_session_is_free(simulator: Simulator, status: int) -> None:
    bmc = simulator["idrac9"]
    bmc.set_faults(max_sessions=2, session_limit_status=status)
    assert [log_in(bmc).status for _ in range(3)] == [201, 201, status]
    assert log_in(bmc).message_ids == ["IDRAC.2.8.RAC0218"]
    assert bmc.counters()["logins"]["limit"] == 2


@pytest.mark.parametrize("where", ["relative", "absolute", "body"])
def test_where_a_session_is(bmc: BmcHandle, where: str) -> None:
    bmc.set_faults(session_location=where)
    answer = log_in(bmc)
    path = answer.body["@odata.id"]
    assert answer.headers.get("Location") == {"relative": path, "absolute": bmc.url + path, "body": None}[where]


# Changing a password


def test_a_new_password_works_and_the_old_one_does_not(bmc: BmcHandle) -> None:
    user, old = bmc.factory_credentials
    assert change_password(bmc).status == 200
    assert bmc.accepts(user, NEW)
    assert not bmc.accepts(user, old)
    assert bmc.counters()["password_changes"] == 1


@pytest.mark.parametrize(("answer", "status"), [("200", 200), ("200-empty", 200), ("204", 204), ("202", 202)])
def test_the_forms_of_yes(bmc: BmcHandle, answer: str, status: int) -> None:
    bmc.set_faults(patch_answer=answer)
    changed = change_password(bmc)
    assert changed.status == status
    assert (changed.body == "") == (answer in ("200-empty", "204"))
    assert bmc.accepts(bmc.factory_credentials[0], NEW)
    if answer == "202":
        probe = Probe(bmc, basic=(bmc.factory_credentials[0], NEW))
        assert probe.request("GET", changed.headers["Location"]).body["TaskState"] == "Completed"


def test_a_change_whose_answer_is_lost_is_done(bmc: BmcHandle) -> None:
    bmc.set_faults(rules=[{"action": "lose-answer", "method": "PATCH", "path": "/Accounts/"}])
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        change_password(bmc)
    assert bmc.accepts(bmc.factory_credentials[0], NEW)


def test_a_change_whose_request_is_lost_is_not_done(bmc: BmcHandle) -> None:
    bmc.set_faults(rules=[{"action": "lose-request", "method": "PATCH"}])
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        change_password(bmc)
    assert bmc.accepts(*bmc.factory_credentials)


def test_an_idrac_ends_the_session_that_changed_its_own_password(simulator: Simulator) -> None:
    bmc = simulator["idrac9"]
    answer = log_in(bmc)
    probe = Probe(bmc, token=answer.headers["X-Auth-Token"])
    assert probe.request("PATCH", ACCOUNT["idrac9"], {"Password": NEW}).status == 200
    assert probe.request("DELETE", answer.body["@odata.id"]).status == 401
    assert bmc.counters()["sessions"]["leaked"] == 0


def test_precondition_required_stale_and_right(bmc: BmcHandle) -> None:
    bmc.set_faults(etag="strong", if_match_required=True)
    probe, path = session_of(bmc), ACCOUNT[bmc.personality]
    etag = probe.request("GET", path).headers["ETag"]
    change = {"Password": NEW}
    assert probe.request("PATCH", path, change).status == 428
    assert probe.request("PATCH", path, change, {"If-Match": '"stale"'}).status == 412
    assert bmc.accepts(*bmc.factory_credentials)
    assert probe.request("PATCH", path, change, {"If-Match": etag}).status == 200
    assert change_password_with(bmc, NEW, {"If-Match": "*"}) == 200


def change_password_with(bmc: BmcHandle, password: str, headers: dict[str, str]) -> int:
    probe = Probe(bmc, basic=(bmc.factory_credentials[0], password))
    return probe.request("PATCH", ACCOUNT[bmc.personality], {"Password": NEW + "2"}, headers).status


@pytest.mark.parametrize(("kind", "starts"), [("weak", 'W/"'), ("strong", '"'), ("time", '"')])
def test_kinds_of_etags(simulator: Simulator, kind: str, starts: str) -> None:
    bmc = simulator["generic"]
    bmc.set_faults(etag=kind)
    probe = session_of(bmc)
    first = probe.request("GET", ACCOUNT["generic"])
    assert first.headers["ETag"].startswith(starts)
    assert first.headers["ETag"] == first.body["@odata.etag"]
    simulator.advance(2)
    again = probe.request("GET", ACCOUNT["generic"]).headers["ETag"]
    assert (again == first.headers["ETag"]) == (kind != "time")


@pytest.mark.parametrize(
    ("policy", "password"),
    [
        ({"min_length": 12}, "Short-1"),
        ({"max_length": 16}, "x" * 17),
        ({"classes": 3}, "alllowercase"),
        ({"history": 1}, "factory"),
        ({"min_interval": 3600}, "Second-Passw0rd"),
    ],
)
def test_a_password_that_breaks_the_policy_is_refused_and_nothing_changes(
    bmc: BmcHandle, policy: dict[str, int], password: str
) -> None:
    bmc.set_faults(password=policy)
    user, factory = bmc.factory_credentials
    present = factory
    if "min_interval" in policy:
        assert change_password(bmc).status == 200
        present = NEW
    probe = Probe(bmc, basic=(user, present))
    answer = probe.request(
        "PATCH", ACCOUNT[bmc.personality], {"Password": factory if password == "factory" else password}
    )
    assert answer.status == 400
    assert "******" in str(answer.body) or bmc.personality == "ilo5"
    assert password not in str(answer.body)
    assert bmc.accepts(user, present)


def test_an_ilo_names_what_is_wrong_with_a_password(simulator: Simulator) -> None:
    bmc = simulator["ilo5"]
    assert change_password(bmc, "short").message_ids == ["iLO.2.18.InvalidPasswordLength"]
    bmc.set_faults(password={"classes": 3})
    assert change_password(bmc, "alllowercase").message_ids == ["iLO.2.18.InvalidPasswordComplexity"]


def test_a_password_that_is_cut_without_a_word(simulator: Simulator) -> None:
    bmc = simulator["generic"]
    bmc.set_faults(password={"max_length": 20, "truncates": True})
    assert change_password(bmc, "A" * 10 + "b" * 20).status == 200
    assert bmc.accepts("admin", "A" * 10 + "b" * 10)


def test_a_password_that_must_be_changed_first(bmc: BmcHandle) -> None:
    user, _ = bmc.factory_credentials
    bmc.set_account(user, must_change=True)
    path = ACCOUNT[bmc.personality]
    answer = log_in(bmc)
    (info,) = answer.body["@Message.ExtendedInfo"]
    assert answer.status == 201
    assert info["MessageId"].endswith(".PasswordChangeRequired")
    assert info["MessageArgs"] == [path]
    probe = Probe(bmc, token=answer.headers["X-Auth-Token"])
    for forbidden in (SYSTEMS, "/redfish/v1/AccountService", "/redfish/v1/AccountService/Accounts"):
        refused = probe.request("GET", forbidden)
        assert refused.status == 403
        assert refused.message_ids[0].endswith(".PasswordChangeRequired")
    assert probe.request("GET", path).body["PasswordChangeRequired"] is True
    assert probe.request("PATCH", path, {"Password": NEW}).status == 200
    assert Probe(bmc, basic=(user, NEW)).request("GET", SYSTEMS).status == 200


def test_an_idrac_with_its_default_password_takes_it_only_by_the_oem_attributes(simulator: Simulator) -> None:
    bmc = simulator["idrac9"]
    bmc.set_faults(refuses_default_password=True)
    refused = change_password(bmc)
    assert refused.status == 400
    assert refused.message_ids == ["IDRAC.2.9.SWC1908"]
    attributes = "/redfish/v1/Managers/iDRAC.Embedded.1/Oem/Dell/DellAttributes/iDRAC.Embedded.1"
    body = {"Attributes": {"Users.2.Password": NEW}}
    assert session_of(bmc).request("PATCH", attributes, body).status == 200
    assert bmc.accepts("root", NEW)


def test_lockdown_refuses_every_change(bmc: BmcHandle) -> None:
    bmc.set_faults(locked_down=True)
    assert change_password(bmc).status == 403
    assert bmc.accepts(*bmc.factory_credentials)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "EmptyJSON"),
        ({"Passwort": "x"}, "PropertyUnknown"),
        ({"Id": "7"}, "PropertyNotWritable"),
        ({"Password": 7}, "PropertyValueTypeError"),
        ({"RoleId": "King"}, "PropertyValueNotInList"),
        ([], "MalformedJSON"),
    ],
)
def test_a_body_that_cannot_be_used_is_refused(bmc: BmcHandle, body: object, message: str) -> None:
    answer = session_of(bmc).request("PATCH", ACCOUNT[bmc.personality], body)
    assert answer.status == 400
    assert answer.message_ids[0].endswith(f".{message}")


# Other faults


def test_an_unavailable_service_says_when_to_come_back(bmc: BmcHandle) -> None:
    bmc.set_faults(rules=[{"action": "answer", "path": "/Sessions", "status": 503, "retry_after": 7, "times": 2}])
    answers = [log_in(bmc) for _ in range(3)]
    assert [answer.status for answer in answers] == [503, 503, 201]
    assert answers[0].headers["Retry-After"] == "7"
    assert bmc.counters()["logins"]["total"] == 1


def test_a_page_of_html_instead_of_an_error(bmc: BmcHandle) -> None:
    bmc.set_faults(rules=[{"action": "answer", "status": 500, "html": True}])
    answer = Probe(bmc).request("GET", "/redfish/v1")
    assert answer.status == 500
    assert answer.headers["Content-Type"] == "text/html"
    assert answer.body.startswith("<!DOCTYPE html>")


def test_every_third_request_is_401(bmc: BmcHandle) -> None:
    probe = session_of(bmc)
    bmc.set_faults(rules=[{"action": "answer", "path": SYSTEMS, "status": 401, "every": 3, "times": 0}])
    assert [probe.request("GET", SYSTEMS).status for _ in range(6)] == [200, 200, 401, 200, 200, 401]


def test_a_trailing_slash_is_redirected_where_asked_for(bmc: BmcHandle) -> None:
    assert Probe(bmc).request("GET", "/redfish/v1/").status == 200
    bmc.set_faults(redirects_trailing_slash=True)
    answer = Probe(bmc).request("GET", "/redfish/v1/")
    assert (answer.status, answer.headers["Location"]) == (301, "/redfish/v1")


def test_a_role_without_the_privilege_may_not(bmc: BmcHandle) -> None:
    bmc.set_account("reader", password=NEW, role="ReadOnly")
    probe = Probe(bmc, basic=("reader", NEW))
    assert probe.request("GET", SYSTEMS).status == 200
    assert probe.request("PATCH", ACCOUNT[bmc.personality], {"Password": "Stolen-Passw0rd"}).status == 403
    assert bmc.accepts(*bmc.factory_credentials)
