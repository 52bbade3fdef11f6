"""`obm creds check`, `sync`, `rotate` on every kind of BMC and with every fault: the right outcome, no log-in too many,
one change of the password at most, none lost, and no secret in anything that is said."""

import logging
import pathlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from obm_world import NEW, OLD, ObmWorld, image_server
from tiphys.kit.redact import Secret
from tiphys.obm.creds.ended import Ended
from tiphys.obm.errors import ObmError
from tiphys.obm.journal import Pace
from tiphys_simulators import BmcSpec, Simulator, running_simulator
from tiphys_simulators.personalities import PERSONALITIES
from tiphys_simulators.probe import Probe

WRONG = "Wrong-Passw0rd-9"
SPEED = 300
DELLS = ("idrac8", "idrac9", "idrac10")
OPERATIONS = ("check", "sync", "rotate")
NOTHING_SENT = ("policy-rejected", "refused", "wrong-credentials")


@dataclass(frozen=True)
class Fault:
    """What is done to a BMC, and how each operation is to end.

    Attributes:
        ends: outcome of check, sync, rotate, separated by blanks.
        again: outcome of sync and rotate when run once more, without the fault; "" = not run.
        arrives: how often the password is changed by the first run of sync and rotate.
        password: on the BMC at the start, instead of OLD.
        others: sessions that are not ours, or that we do not know of.
        later: seconds until it is run once more: an XCC locks for an hour, so its allowance is for an hour.
    """

    ends: str
    do: Callable[[ObmWorld], object] = lambda world: None
    again: str = ""
    arrives: int = 1
    on: tuple[str, ...] = tuple(PERSONALITIES)
    password: str = OLD
    values: dict[str, str] = field(default_factory=dict)
    others: int = 0
    later: float = 700


def faults(**changes: Any) -> Callable[[ObmWorld], object]:
    return lambda world: world.bmc.set_faults(**changes)


def rule(action: str, method: str = "", path: str = "", **more: Any) -> Callable[[ObmWorld], object]:
    return faults(rules=[{"action": action, "method": method, "path": path, **more}])


def must_change(world: ObmWorld) -> None:
    world.bmc.set_account(world.user, must_change=True)


def must_change_unsaid(told: str) -> Callable[[ObmWorld], None]:
    def unsaid(world: ObmWorld) -> None:
        must_change(world)
        world.bmc.set_faults(must_change_told=told)

    return unsaid


def default_in_use(world: ObmWorld) -> None:
    world.bmc.set_faults(refuses_default_password=True)
    world.bmc.set_account("root", password="calvin")


def policy(**rules: Any) -> Callable[[ObmWorld], object]:
    return lambda world: world.bmc.set_faults(password={**world.bmc.faults()["password"], **rules})


def no_session_is_free(status: int) -> Callable[[ObmWorld], object]:
    """Somebody else holds the only one there is."""

    def do(world: ObmWorld) -> None:
        world.bmc.set_faults(max_sessions=1, session_limit_status=status)
        world.bmc.set_account("somebody", password=OLD, role="Administrator", enabled=True)
        assert Probe(world.bmc).log_in("somebody", OLD).status in (200, 201)

    return do


def answer_401(*, every: int, times: int) -> Callable[[ObmWorld], object]:
    """To some log-ins, whatever their password."""
    return rule("answer", "POST", "Sessions", status=401, every=every, times=times)


GONE = "unreachable unreachable unreachable"
REFUSED_FIRST = "drift unreachable unreachable"  # what is on record is wrong: that is told before all else
FAULTS = {
    "none": Fault("drift changed changed", again="in-sync changed"),
    "200-empty": Fault("drift changed changed", faults(patch_answer="200-empty")),
    "204": Fault("drift changed changed", faults(patch_answer="204")),
    "202": Fault("drift changed changed", faults(patch_answer="202")),
    "answer-lost": Fault("drift changed changed", rule("lose-answer", "PATCH"), again="in-sync changed"),
    "request-lost": Fault(
        "drift unknown-outcome unknown-outcome", rule("lose-request", "PATCH"), again="changed changed", arrives=0
    ),
    "patch-500": Fault(
        "drift unknown-outcome unknown-outcome", rule("answer", "PATCH", status=500), again="changed changed", arrives=0
    ),
    "patch-503": Fault(
        "drift unreachable unreachable", rule("answer", "PATCH", status=503), again="changed changed", arrives=0
    ),
    "patch-401": Fault(
        "drift unreachable unreachable", rule("answer", "PATCH", status=401), again="changed changed", arrives=0
    ),
    "stale-etag": Fault("drift changed changed", rule("answer", "PATCH", status=412, times=2)),
    "etag-none": Fault("drift changed changed", faults(etag="none", if_match_required=False)),
    "etag-none-required": Fault("drift changed changed", faults(etag="none", if_match_required=True)),
    "etag-weak-required": Fault("drift changed changed", faults(etag="weak", if_match_required=True)),
    "etag-strong-required": Fault("drift changed changed", faults(etag="strong", if_match_required=True)),
    "etag-time-required": Fault("drift changed changed", faults(etag="time", if_match_required=True)),
    "must-change": Fault("drift changed changed", must_change, again="in-sync changed"),
    "must-change-by-403s": Fault("drift changed changed", must_change_unsaid("refusals"), again="in-sync changed"),
    "must-change-by-account": Fault("drift changed changed", must_change_unsaid("account"), again="in-sync changed"),
    "default-in-use": Fault("drift changed changed", default_in_use, on=DELLS, password="calvin"),
    "log-in-503": Fault(GONE, rule("answer", "POST", "Sessions", status=503, times=0), arrives=0),
    "log-in-500-html": Fault(GONE, rule("answer", "POST", "Sessions", status=500, html=True, times=0), arrives=0),
    "log-in-404": Fault(GONE, rule("answer", "POST", "Sessions", status=404, times=0), arrives=0),
    "log-in-unanswered": Fault(  # whoever opens a session without hearing of it cannot close it
        GONE, rule("lose-answer", "POST", "Sessions"), again="changed changed", arrives=0, others=1, later=4000
    ),
    "no-answer": Fault(GONE, rule("lose-request", times=0), arrives=0),
    "html": Fault(GONE, rule("answer", status=200, html=True, times=0), arrives=0),
    "restart": Fault(GONE, lambda world: world.bmc.reboot(), arrives=0),
    "no-session-free": Fault(REFUSED_FIRST, no_session_is_free(503), again="changed changed", arrives=0, others=1),
    "no-session-free-401": Fault(REFUSED_FIRST, no_session_is_free(401), again="changed changed", arrives=0, others=1),
    # A 401 although the password is right, once in a while: to the first log-in of all, to the one that verifies the
    # change, to what is read.
    "log-in-401": Fault("drift changed wrong-credentials", answer_401(every=1, times=1), again="in-sync changed"),
    "verify-401": Fault(
        "drift unknown-outcome changed", answer_401(every=3, times=1), again="changed changed", later=4000
    ),
    "read-401": Fault(
        REFUSED_FIRST, rule("answer", "GET", "Systems", status=401, times=1), again="changed changed", arrives=0
    ),
    "session-in-body": Fault("drift changed changed", faults(session_location="body")),
    "session-absolute": Fault("drift changed changed", faults(session_location="absolute")),
    "sessions-end-with-the-change": Fault("drift changed changed", faults(own_change_ends_sessions=True)),
    "redirects": Fault("drift changed changed", faults(redirects_trailing_slash=True)),
    "no-sessions": Fault(GONE, faults(session_log_in="absent"), arrives=0),
    "basic": Fault("drift changed changed", faults(session_log_in="absent"), values={"auth": "basic"}),
    "basic-for-sessions": Fault("drift changed changed", faults(session_log_in="basic"), values={"auth": "basic"}),
    "locked-down": Fault("drift refused refused", faults(locked_down=True), arrives=0),
    "min-14": Fault("drift changed changed", policy(min_length=14)),
    "max-12": Fault("drift policy-rejected changed", policy(min_length=8, max_length=12)),
    "cut-at-12": Fault(  # not on iLOs: they do not tell how long a password may be, and do not cut it either
        "drift policy-rejected changed",
        policy(min_length=8, max_length=12, truncates=True),
        password=OLD[:12],
        on=tuple(kind for kind in PERSONALITIES if not kind.startswith("ilo")),
    ),
    "four-kinds": Fault("drift changed changed", policy(classes=4)),
    "history": Fault("drift changed changed", policy(history=5), again="in-sync changed"),
    "wrong": Fault(
        "wrong-credentials wrong-credentials wrong-credentials",
        arrives=0,
        password=WRONG,
    ),
}


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    specs = [BmcSpec(kind, kind, "127.0.0.2") for kind in PERSONALITIES]
    with running_simulator(specs, speed=0) as running:
        yield running


def cases(names: tuple[str, ...]) -> list[Any]:
    return [
        pytest.param(kind, operation, fault, id=f"{kind}-{operation}-{fault}")
        for fault in names
        for kind in FAULTS[fault].on
        for operation in OPERATIONS
    ]


QUICK = ("none", "answer-lost", "must-change", "default-in-use", "wrong", "log-in-unanswered")


@pytest.mark.parametrize(("kind", "operation", "name"), cases(QUICK))
def test_every_kind(
    kind: str, operation: str, name: str, simulator: Simulator, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    examine(kind, operation, FAULTS[name], simulator, tmp_path, caplog)


@pytest.mark.conformance
@pytest.mark.parametrize(("kind", "operation", "name"), cases(tuple(name for name in FAULTS if name not in QUICK)))
def test_every_fault(
    kind: str, operation: str, name: str, simulator: Simulator, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    examine(kind, operation, FAULTS[name], simulator, tmp_path, caplog)


class Running(ObmWorld):
    """Time passes by itself."""

    @property
    def pace(self) -> Pace:
        return Pace(super().pace.now, lambda seconds: time.sleep(seconds / SPEED))


@pytest.mark.parametrize("operation", ["sync", "rotate"])
@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=() if kind == "generic" else pytest.mark.conformance) for kind in PERSONALITIES]
)
def test_a_change_that_takes_a_minute_is_waited_for(kind: str, operation: str, tmp_path: pathlib.Path) -> None:
    with running_simulator([BmcSpec(kind, kind, "127.0.0.2")], speed=SPEED) as simulator, image_server() as server:
        world = Running(simulator, simulator[kind], tmp_path / "state", server, timeout=30)
        world.bmc.set_account(world.user, password=OLD)
        rule("delay", "PATCH", seconds=60)(world)
        before = simulator.now()
        assert run(world, operation, OLD).split(":")[0] == "changed"
        assert simulator.now() - before > 60
        counted = world.bmc.counters()
        assert (counted["account_patches"], counted["password_changes"], counted["logins"]["blocked"]) == (1, 1, 0)
        nothing_is_lost(world, OLD)


def examine(
    kind: str,
    operation: str,
    fault: Fault,
    simulator: Simulator,
    folder: pathlib.Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    bmc = simulator[kind]
    bmc.reset()
    simulator.advance(7200)  # no block of the case before lasts that long
    with image_server() as server:
        world = ObmWorld(simulator, bmc, folder / "state", server, values=dict(fault.values))
        bmc.set_account(world.user, password=fault.password)
        fault.do(world)
        before = bmc.counters()["password_changes"]
        said = run(world, operation, fault.password if fault.password != WRONG else OLD)
        expected = dict(zip(OPERATIONS, fault.ends.split(), strict=True))[operation]
        assert said.split(":")[0] == expected, said
        changes = bmc.counters()["password_changes"] - before
        assert changes == (0 if operation == "check" or expected in NOTHING_SENT else fault.arrives)
        nothing_is_lost(world, fault.password)
        if fault.again and operation != "check":
            bmc.clear_faults()
            simulator.advance(fault.later)
            outcome = dict(zip(("sync", "rotate"), fault.again.split(), strict=True))[operation]
            assert run(world, operation, fault.password).split(":")[0] == outcome
            nothing_is_lost(world, fault.password)
        counted = bmc.counters()
        assert counted["logins"]["blocked"] == 0
        assert counted["logins"]["wrong"] <= (1 if operation == "check" else 4)
        assert counted["sessions"]["now"] <= fault.others  # theirs may have ended by itself
        nothing_is_said(world, caplog, fault.password)


def run(world: ObmWorld, operation: str, old: str) -> str:
    try:
        if operation == "check":  # what is on record is not what is on the BMC, of which nothing is known yet
            ended = world.check(NEW, *([] if old == OLD and world.bmc.accepts(world.user, WRONG) else [old]))
        elif operation == "sync":
            ended = world.sync(NEW, old)
        else:
            ended = world.rotate(old)
    except ObmError as error:
        return f"{error.outcome}: {error}"
    return described(ended)


def described(ended: Ended) -> str:
    return f"{ended.outcome}: {ended.message} {ended.facts}"


def nothing_is_lost(world: ObmWorld, old: str) -> None:
    """Whatever is in force stands in the ledger, or is what it was."""
    known = world.passwords
    there = [known.current, known.pending, known.previous, Secret(old)]
    assert any(password and world.bmc.accepts(world.user, password.reveal()) for password in there)


def nothing_is_said(world: ObmWorld, caplog: pytest.LogCaptureFixture, old: str) -> None:
    known = world.passwords
    made = [password.reveal() for password in (known.current, known.pending, known.previous) if password]
    records = "".join(path.read_text() for path in world.folder.glob("obm-record-*"))
    for secret in {*made, OLD, NEW, old} - {"ADMIN", "admin", "calvin"}:
        assert secret not in caplog.text
        assert secret not in records
