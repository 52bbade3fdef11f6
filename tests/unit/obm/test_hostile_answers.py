"""Whatever a BMC answers, of whatever form: it ends in an outcome, never in a crash."""

import contextlib
from collections.abc import Mapping
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiphys.errors import TiphysError
from tiphys.kit.clock import utc_now
from tiphys.kit.redact import Secret
from tiphys.obm.accounts import check_policy, find_account
from tiphys.obm.firmware.checks import Rules
from tiphys.obm.firmware.decide import Sending, decide
from tiphys.obm.firmware.source import Firmware
from tiphys.obm.firmware.task import busy, handle_of, of_monitor, of_task
from tiphys.obm.firmware.vendors import MAKERS, Maker, maker_of
from tiphys.obm.firmware.vendors.base import Component, Wish
from tiphys.obm.firmware.view import View
from tiphys.obm.identity import of_root, of_system
from tiphys.obm.journal import Pace
from tiphys.obm.redfish import Redfish
from tiphys.obm.transport import Answer, Transport, Trust
from tiphys.obm.transport import _json as read_json
from tiphys.obm.vendors import vendor_of
from tiphys.obm.verdict import Verdict, explain, judge

NAMES = st.sampled_from(
    """
    error @Message.ExtendedInfo MessageId MessageArgs Message Severity Members @odata.id Members@odata.nextLink Oem Dell
    Hpe ServiceTag Vendor UUID SerialNumber SKU DellSystem TaskState TaskStatus Messages Accepted UserName Enabled Id
    Accounts Tasks Links Sessions UpdateService FirmwareInventory Version RelatedItem SoftwareId Description Name target
    FirmwareVersion AccountLockoutThreshold AccountLockoutDuration Attributes IPBlocking.1.BlockEnable State Result
    IPBlocking.1.FailCount AuthFailureDelayTimeSeconds AuthFailuresBeforeDelay MaxPasswordLength MinPasswordLength
    JobState PercentComplete MultipartHttpPushUri HttpPushUri Actions #UpdateService.SimpleUpdate TaskMonitor
    """.split()  # noqa: SIM905 - a list of these is a screen long
)
WORDS = st.sampled_from(
    ["/redfish/v1/x", "Completed", "Critical", "Enabled", "25227", "Dell", "x.PasswordChangeRequired"]
)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**20) | st.floats(allow_nan=False) | WORDS | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=25,
)
OBJECTS = st.dictionaries(NAMES, JSON, max_size=8)
STATUS = st.sampled_from([200, 201, 202, 204, 400, 401, 403, 404, 410, 428, 500, 503])


@given(STATUS, OBJECTS | JSON)
def test_the_rules_take_any_answer(status: int, body: Any) -> None:
    judge(status, body)
    explain(status, body)
    busy(body)


@given(STATUS, OBJECTS)
def test_the_rules_take_any_resource(status: int, body: dict[str, Any]) -> None:
    of_root(body)
    of_system(body)
    of_monitor(status, body)
    handle_of({"location": str(body)}, body)
    for vendor in (vendor_of(body), vendor_of({"Vendor": "Dell"}), vendor_of({"Vendor": "HPE"}), vendor_of({})):
        vendor.policy(body, body, utc_now())
    for maker in (maker_of(body, body), Maker(), *MAKERS):
        maker.made(body, body)
        maker.is_of("BMC", body, "/x")
        maker.is_of("BIOS", body, "/x")
        maker.version_in("BMC", str(body))
        for way in maker.ways(body):
            wish = Wish()
            maker.form(wish, maker.learnt(way, body))
            maker.request(wish, way, "http://x/y")
        maker.job_paths(str(body))
        maker.job_progress(body)
        maker.task_progress(body, of_task(body))
        maker.service_progress(body)
        maker.locked_down(body)
        maker.downgrades(body)
        maker.previous([body, body], body, body)
    with contextlib.suppress(TiphysError):
        check_policy(vendor_of({}).rules(body, body), Secret("x"), "there")


class Scripted(Transport):
    """Answers every GET with the next of some bodies."""

    def __init__(self, bodies: list[dict[str, Any]]) -> None:
        super().__init__("127.0.0.1", 1, Trust())
        self.bodies = bodies

    def get(self, path: str, headers: Mapping[str, Any] | None = None) -> Answer:
        self.bodies = self.bodies[1:] + self.bodies[:1]
        return Answer(200, {"etag": '"x"'}, self.bodies[0])


@given(st.lists(OBJECTS, min_size=1, max_size=4), OBJECTS)
def test_the_walks_take_any_tree(bodies: list[dict[str, Any]], root: dict[str, Any]) -> None:
    bmc = Redfish(Scripted(bodies))
    bmc.root, bmc.vendor = root, vendor_of(root)
    views = [View(bmc, component) for component in get_args(Component)]
    for walk in (
        *(view.version for view in views),
        views[0].tasks,
        views[0].unfinished,
        lambda: views[0].new_task(()),
        views[0].progress_told,
        lambda: decide(views[0], Firmware("", "2", ""), Sending(), Rules(), Pace(utc_now, lambda _: None)),
        lambda: find_account(bmc, "root", Verdict("accepted")),
        lambda: find_account(bmc, "root", Verdict("change-required")),
    ):
        with contextlib.suppress(TiphysError):
            walk()


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff", b'{"a":' * 100_000, b"<html>", b"1"])
def test_a_body_that_is_no_json_object_is_none(data: bytes) -> None:
    assert read_json(data) is None
