"""One log-in, and what is sent with it: to BMCs that answer otherwise than the simulators."""

import base64
import datetime as dt
import pathlib
from functools import partial
from typing import Any

import pytest

from tiphys.credentials.directory import DirectoryStore
from tiphys.kit.redact import Secret
from tiphys.obm.accounts import change_password, find_account
from tiphys.obm.entry import Target, attempt, check_system, learn
from tiphys.obm.errors import RefusedByBmc, RefusedIdentity, Unreachable
from tiphys.obm.identity import Expected
from tiphys.obm.journal import Journal, Pace
from tiphys.obm.redfish import Auth, Redfish
from tiphys.obm.transport import Answer, Transport, Trust
from tiphys.obm.verdict import Verdict

ACCOUNT = "/redfish/v1/AccountService/Accounts/admin"
SESSION_PATH = "/redfish/v1/SessionService/Sessions"
SESSIONS = {"Links": {"Sessions": {"@odata.id": "/redfish/v1/SessionService/Sessions"}}}
MESSAGE = {"MessageId": "Base.1.13.0.PasswordChangeRequired", "MessageArgs": [f"https://elsewhere{ACCOUNT}"]}
MUST_CHANGE = {"error": {"@Message.ExtendedInfo": [MESSAGE]}}
PASSWORD = Secret("Right-Passw0rd-1")
PACE = Pace(lambda: dt.datetime(2026, 1, 1, tzinfo=dt.UTC), lambda _: None)


class Scripted(Transport):
    """Answers from a table of method and path; everything else is 403; remembers what was sent."""

    def __init__(self, answers: dict[tuple[str, str], Answer]) -> None:
        super().__init__("192.0.2.1", 443, Trust())
        self.answers = answers
        self.sent: list[tuple[str, str, dict[str, Any]]] = []

    def get(self, path: str, headers: Any = None) -> Answer:
        return self.send("GET", path, None, headers)

    def send(self, method: str, path: str, body: Any, headers: Any = None, **_: Any) -> Answer:
        self.sent.append((method, path, dict(headers or {})))
        return self.answers.get((method, path), Answer(403, {}, MUST_CHANGE))


def bmc_of(answers: dict[tuple[str, str], Answer], root: dict[str, Any], auth: Auth = "session") -> Redfish:
    bmc = Redfish(Scripted(answers), auth)
    bmc.pause = lambda _: None
    bmc.root = root
    return bmc


def test_a_password_to_be_changed_without_a_session_is_changed_by_basic() -> None:
    bmc = bmc_of({("PATCH", ACCOUNT): Answer(204, {}, None)}, SESSIONS)
    verdict = bmc.log_in("admin", PASSWORD)
    assert (verdict.kind, verdict.account) == ("change-required", ACCOUNT)  # on this BMC, whatever host it names
    account = find_account(bmc, "admin", verdict)
    assert change_password(bmc, account, Secret("new")) == "accepted"
    method, path, headers = bmc.transport.sent[-1]  # type: ignore[attr-defined]
    assert (method, path) == ("PATCH", ACCOUNT)
    assert base64.b64decode(headers["Authorization"].reveal().split()[1]) == b"admin:Right-Passw0rd-1"


def test_a_password_to_be_changed_of_an_account_that_is_not_named_is_looked_for() -> None:
    required = Verdict("change-required")
    there = accounts(Answer(200, {}, {"UserName": "other"}), Answer(200, {"etag": "x"}, {"UserName": "admin"}))
    account = find_account(bmc_of(there, {}), "admin", required)
    assert (account.path, account.etag) == ("/redfish/v1/AccountService/Accounts/1", "x")
    with pytest.raises(RefusedByBmc, match="names no account"):
        find_account(bmc_of({}, {}), "admin", required)


def test_a_password_to_be_changed_is_not_that_of_another_user() -> None:
    required = Verdict("change-required", account=ACCOUNT)
    for body in ({"UserName": "admin"}, {"UserName": None}, {}, None):
        assert find_account(bmc_of({("GET", ACCOUNT): Answer(200, {}, body)}, {}), "admin", required).path == ACCOUNT
    with pytest.raises(RefusedByBmc, match="'root'"):
        find_account(bmc_of({("GET", ACCOUNT): Answer(200, {}, {"UserName": "root"})}, {}), "admin", required)


def test_a_refused_log_in_leaves_nothing_to_be_sent() -> None:
    bmc = bmc_of({("POST", "/redfish/v1/SessionService/Sessions"): Answer(401, {}, {})}, SESSIONS)
    assert bmc.log_in("admin", PASSWORD).kind == "refused"
    bmc.ask("/redfish/v1/x")
    assert bmc.transport.sent[-1][2] == {}  # type: ignore[attr-defined]


def test_without_sessions_nothing_is_sent_until_basic_is_configured() -> None:
    bmc = bmc_of({}, {"AccountService": {"@odata.id": "/redfish/v1/AccountService"}})
    with pytest.raises(RefusedByBmc, match=r"auth\.DEVICE: basic"):
        bmc.log_in("admin", PASSWORD)
    assert bmc.transport.sent == []  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("stranger", "answer", "kind", "opened"),
    [
        (401, Answer(200, {}, {}), "accepted", False),
        (200, Answer(200, {}, {}), "accepted", True),
        (401, Answer(200, {}, None), "unclear", False),  # a page of its web interface
        (200, Answer(401, {}, {}), "refused", False),
    ],
)
def test_basic_credentials_are_proved_by_what_strangers_may_not_read(
    stranger: int, answer: Answer, kind: str, opened: bool
) -> None:
    class Basic(Scripted):
        def send(self, method: str, path: str, body: Any, headers: Any = None, **_: Any) -> Answer:
            assert (method, path) == ("GET", "/redfish/v1/AccountService")
            return answer if headers else Answer(stranger, {}, {})

    bmc = Redfish(Basic({}), "basic")
    bmc.root = {"AccountService": {"@odata.id": "/redfish/v1/AccountService"}}
    verdict = bmc.log_in("admin", PASSWORD)
    assert (verdict.kind, verdict.open) == (kind, opened)


@pytest.mark.parametrize("stale", [1, 2, 3, 4])
def test_a_bmc_that_finds_no_etag_equal_gets_each_form_once(stale: int) -> None:
    class Stale(Scripted):
        def send(self, method: str, path: str, body: Any, headers: Any = None, **_: Any) -> Answer:
            answer = super().send(method, path, body, headers)
            patches = sum(sent[0] == "PATCH" for sent in self.sent)
            return Answer(412, {}, {}) if method == "PATCH" and patches <= stale else answer

    bmc = Redfish(
        Stale({("GET", ACCOUNT): Answer(200, {"etag": 'W/"7"'}, {}), ("PATCH", ACCOUNT): Answer(200, {}, {})})
    )
    bmc.root = SESSIONS
    verdict = bmc.log_in("admin", PASSWORD)
    assert change_password(bmc, find_account(bmc, "admin", verdict), Secret("new")) == "accepted"
    tags = [sent[2].get("If-Match") for sent in bmc.transport.sent if sent[0] == "PATCH"]  # type: ignore[attr-defined]
    assert tags == ['W/"7"', 'W/"7"', '"7"', "*", None][: stale + 1]


def systems(*values: dict[str, Any]) -> dict[tuple[str, str], Answer]:
    """A collection of Systems and its members."""
    paths = [f"/redfish/v1/Systems/{number}" for number in range(len(values))]
    collection = {"Members": [{"@odata.id": path} for path in paths]}
    found = {("GET", path): Answer(200, {}, dict(value)) for path, value in zip(paths, values, strict=True)}
    return {("GET", "/redfish/v1/Systems"): Answer(200, {}, collection), **found}


def checked(serial: str, *values: dict[str, Any], folder: pathlib.Path) -> Any:
    bmc = bmc_of(systems(*values), {})
    store = partial(DirectoryStore, folder)
    with Journal(store("r1"), "r1", PACE, "run", beside=store, patience=0) as journal:
        return check_system(bmc, journal, Target("r1", Expected(serial)))


def test_the_system_that_has_a_serial_number_decides(tmp_path: pathlib.Path) -> None:
    host, other = {"SerialNumber": "ABC1234", "Model": "X"}, {"SerialNumber": "BOARD1"}
    for values in ([host], [{"Id": "Capabilities"}, host], [other, host]):
        assert checked("ABC1234", *values, folder=tmp_path)["Model"] == "X"


def test_no_system_with_the_serial_number_is_another_machine(tmp_path: pathlib.Path) -> None:
    for values in ([{"SerialNumber": "OTHER"}], [{"Id": "Capabilities"}, {"SerialNumber": "OTHER"}]):
        with pytest.raises(RefusedIdentity, match="OTHER"):
            checked("ABC1234", *values, folder=tmp_path)


def test_a_system_that_cannot_be_read_is_passed_over_for_the_one_that_is_meant(tmp_path: pathlib.Path) -> None:
    store = partial(DirectoryStore, tmp_path)
    answers = systems({"Id": "UBB"}, {"SerialNumber": "ABC1234"})
    answers["GET", "/redfish/v1/Systems/0"] = Answer(500, {}, {})
    bmc = bmc_of(answers, {})
    with Journal(store("r1"), "r1", PACE, "run", beside=store, patience=0) as journal:
        assert check_system(bmc, journal, Target("r1", Expected("ABC1234")))["SerialNumber"] == "ABC1234"
        with pytest.raises(Unreachable, match="500"):  # it may be the one
            check_system(bmc, journal, Target("r1", Expected("OTHER")))


def test_a_root_that_names_nothing_is_of_a_bmc_that_is_starting() -> None:
    with pytest.raises(Unreachable, match="starting"):
        bmc_of({}, {"Vendor": "AMI", "Systems": None}).log_in("admin", PASSWORD)


def test_a_service_without_systems_is_known_by_its_chassis(tmp_path: pathlib.Path) -> None:
    store = partial(DirectoryStore, tmp_path)
    chassis = "/redfish/v1/Chassis"
    answers = {
        ("GET", chassis): Answer(200, {}, {"Members": [{"@odata.id": f"{chassis}/1"}]}),
        ("GET", f"{chassis}/1"): Answer(200, {}, {"SerialNumber": "ENC1"}),
    }
    bmc = bmc_of(answers, {"Chassis": {"@odata.id": chassis}})
    with Journal(store("r1"), "r1", PACE, "run", beside=store, patience=0) as journal:
        assert check_system(bmc, journal, Target("r1", Expected("enc1")))["SerialNumber"] == "ENC1"
        with pytest.raises(RefusedIdentity, match="ENC1"):
            check_system(bmc, journal, Target("r1", Expected("OTHER")))


def test_a_serial_number_that_nobody_has_set_is_not_recorded(tmp_path: pathlib.Path) -> None:
    store = partial(DirectoryStore, tmp_path)
    with Journal(store("r1"), "r1", PACE, "run", beside=store, patience=0) as journal:
        for serial, recorded in (("Default string", ""), (["x"], ""), (" MXQ1 ", "MXQ1"), ("Default string", "MXQ1")):
            check_system(bmc_of(systems({"SerialNumber": serial}), {}), journal, Target("r1", Expected("")))
            assert journal.record.identity.serial == recorded


def test_rules_that_cannot_be_read_now_stay_as_they_were_read(tmp_path: pathlib.Path) -> None:
    store = partial(DirectoryStore, tmp_path)
    service = Answer(200, {}, {"MinPasswordLength": 11, "AccountLockoutThreshold": 7})
    with Journal(store("r1"), "r1", PACE, "run", beside=store, patience=0) as journal:
        journal.bind("bmc/x", ())
        for answer in (service, Answer(503, {}, {})):
            learn(bmc_of({("GET", "/redfish/v1/AccountService"): answer}, {}), journal)
            assert journal.bmc.policy is not None
            assert journal.bmc.policy.rules.min_length == 11


def test_a_service_that_lets_anybody_in_proves_no_password(tmp_path: pathlib.Path) -> None:
    store = partial(DirectoryStore, tmp_path)
    bmc = bmc_of(systems(), {}, "basic")
    with Journal(store("r1"), "r1", PACE, "run", beside=store, patience=0) as journal:
        journal.bind("bmc/x", ())
        with pytest.raises(RefusedByBmc, match="lets anybody read"):
            attempt(bmc, journal, "admin", PASSWORD)
        assert attempt(bmc, journal, "admin", PASSWORD, proving=False).kind == "accepted"  # enough for what is read


def test_a_service_root_is_found_without_its_slash() -> None:
    root = {"RedfishVersion": "1.5.0", "Vendor": "Dell"}
    bmc = Redfish(Rooted({("GET", "/redfish/v1"): Answer(200, {}, root)}))
    assert (bmc.look(), bmc.vendor.name) == (root, "iDRAC")


class Rooted(Scripted):
    """404 for what it does not know."""

    def send(self, method: str, path: str, body: Any, headers: Any = None, **_: Any) -> Answer:
        return super().send(method, path, body, headers) if (method, path) in self.answers else Answer(404, {}, {})


def accounts(*members: Answer) -> dict[tuple[str, str], Answer]:
    paths = [f"/redfish/v1/AccountService/Accounts/{number}" for number in range(len(members))]
    found = {("GET", path): answer for path, answer in zip(paths, members, strict=True)}
    links = [{"@odata.id": path} for path in paths]
    return {("GET", "/redfish/v1/AccountService/Accounts"): Answer(200, {}, {"Members": links}), **found}


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (Answer(503, {}, {}), Unreachable, "503"),
        (Answer(200, {}, None), Unreachable, "no JSON object"),
        (Answer(403, {}, {}), RefusedByBmc, "lets be read"),
        (Answer(404, {}, None), RefusedByBmc, "make it"),
    ],
)
def test_an_account_that_may_be_one_that_could_not_be_read_is_not_called_missing(
    answer: Answer, kind: type[Exception], said: str
) -> None:
    there = accounts(Answer(200, {}, {"UserName": "other"}), answer, Answer(200, {}, {"UserName": 5}))
    with pytest.raises(kind, match=said):
        find_account(bmc_of(there, {}), "admin", Verdict("accepted"))


def test_accounts_that_may_not_be_looked_at_are_told() -> None:
    with pytest.raises(RefusedByBmc, match=r"none can be changed: .* 403"):
        find_account(bmc_of({}, {}), "admin", Verdict("accepted"))


@pytest.mark.parametrize(
    ("said", "path"),
    [("/0/", "/0/"), ("/0", "/0"), ("/1", "/0")],
)
def test_an_account_is_changed_where_it_says_it_is(said: str, path: str) -> None:
    root = "/redfish/v1/AccountService/Accounts"
    there = accounts(Answer(200, {}, {"UserName": "admin", "@odata.id": f"{root}{said}"}))
    assert find_account(bmc_of(there, {}), "admin", Verdict("accepted")).path == f"{root}{path}"


class Busy(Scripted):
    """Answers like `Scripted`, but the first so many GETs with a status and, perhaps, when to come back."""

    def __init__(self, times: int, status: int, after: str, answers: dict[tuple[str, str], Answer]) -> None:
        super().__init__(answers)
        self.left, self.status, self.after = times, status, after

    def send(self, method: str, path: str, body: Any, headers: Any = None, **_: Any) -> Answer:
        answer = super().send(method, path, body, headers)
        if self.left and method == "GET":
            self.left -= 1
            return Answer(self.status, {"retry-after": self.after} if self.after else {}, None)
        return answer


def busy(times: int, status: int, after: str = "") -> tuple[Redfish, list[float]]:
    pauses: list[float] = []
    bmc = Redfish(Busy(times, status, after, {("GET", ACCOUNT): Answer(200, {}, {"UserName": "admin"})}))
    bmc.pause = pauses.append
    return bmc, pauses


@pytest.mark.parametrize(
    ("times", "status", "after", "pauses"),
    [
        (3, 503, "", [1, 2, 4]),
        (1, 429, "20", [20]),
        (1, 502, "0", [1]),
        (1, 504, "tomorrow", [1]),
        (1, 500, "", [1]),
    ],
)
def test_what_a_busy_bmc_does_not_tell_is_asked_again_when_it_says(
    times: int, status: int, after: str, pauses: list[float]
) -> None:
    bmc, paused = busy(times, status, after)
    assert bmc.read(ACCOUNT)["UserName"] == "admin"
    assert paused == pauses


@pytest.mark.parametrize(("status", "after", "asked"), [(503, "", 4), (503, "31", 1), (503, "25", 3), (500, "", 2)])
def test_a_bmc_that_stays_busy_is_given_up(status: int, after: str, asked: int) -> None:
    bmc, _ = busy(99, status, after)
    with pytest.raises(Unreachable, match=f"answers {status} to GET"):
        bmc.read(ACCOUNT)
    assert len(bmc.transport.sent) == asked  # type: ignore[attr-defined]


def test_a_resource_that_a_busy_bmc_does_not_show_is_not_taken_for_missing() -> None:
    bmc, _ = busy(99, 503)
    with pytest.raises(Unreachable):
        bmc.maybe(ACCOUNT)
    bmc, _ = busy(99, 500)
    assert bmc.maybe(ACCOUNT) == {}


def test_no_log_in_and_no_change_is_sent_again_to_a_busy_bmc() -> None:
    answers = {(method, path): Answer(503, {}, None) for method in ("POST", "PATCH") for path in ("/x", SESSION_PATH)}
    bmc = bmc_of(answers, SESSIONS)
    assert bmc.log_in("admin", PASSWORD).kind == "unread"
    assert bmc.change("PATCH", "/x", {}).status == 503
    assert bmc.change("POST", "/x", {}).status == 503
    assert len(bmc.transport.sent) == 3  # type: ignore[attr-defined]


def test_a_service_that_does_not_tell_whether_anybody_may_read_gets_no_password() -> None:
    path = "/redfish/v1/AccountService"
    transport = Busy(99, 503, "", {("GET", path): Answer(200, {}, {})})
    bmc = Redfish(transport, "basic")
    bmc.root, bmc.pause = {"AccountService": {"@odata.id": path}}, lambda _: None
    with pytest.raises(Unreachable, match="who may read"):
        bmc.log_in("admin", PASSWORD)
    assert all("Authorization" not in headers for _, _, headers in transport.sent)
