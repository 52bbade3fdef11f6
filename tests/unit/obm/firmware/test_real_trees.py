"""Trees read from real BMCs, served from their files: whose they are, the ways, and the versions.

The files are facts kept beside the repository; where they are not, these tests are left out.
"""

import json
import pathlib
from collections.abc import Mapping
from typing import Any

import pytest

from tiphys.kit.clock import utc_now
from tiphys.obm.firmware.checks import Rules
from tiphys.obm.firmware.decide import Sending, compliance, decide
from tiphys.obm.firmware.source import Firmware
from tiphys.obm.firmware.vendors.base import Previous
from tiphys.obm.firmware.view import View
from tiphys.obm.journal import Pace
from tiphys.obm.redfish import Redfish
from tiphys.obm.transport import Answer, Transport, Trust
from tiphys.obm.vendors import vendor_of

TREES = pathlib.Path(__file__).parents[5] / "shared" / "reference" / "redfish-trees"
pytestmark = pytest.mark.skipif(not TREES.is_dir(), reason="the trees are not here")
PACE = Pace(utc_now, lambda _: None)

FACTS: dict[str, tuple[str, list[str], str, str]] = {
    "dell-idrac9-6.00.30.00": ("iDRAC", ["multipart", "stage", "pull"], "6.00.30.00", "1.8.2"),
    "hpe-ilo5-2.72": ("iLO", ["form", "pull"], "2.72", "2.60"),
    "hpe-ilo6-1.66": ("iLO", ["form", "pull"], "1.66", "2.44"),
    "lenovo-xcc-tgbt42s-2.83": ("XCC", ["multipart", "raw"], "2.83", "1.51"),
    "supermicro-11.01.01": ("Supermicro", ["multipart", "pull"], "11.01.01", "1.4"),
    "ami-gigabyte": ("MegaRAC", ["pull"], "12.84.13", "C27"),
    "openbmc-stock": ("OpenBMC", ["multipart", "raw"], "2.15.0-dev-686-g100c36de90", ""),
    "openbmc-nvidia-gb200": ("NVIDIA OpenBMC", ["multipart", "raw"], "24.12-8", ""),
    "supermicro-x10sdv-redfish1.0.1": ("generic", [], "", ""),
}
"""Maker, ways, version of the BMC, of the BIOS."""


class Recorded(Transport):
    """Answers every GET from the files of one tree."""

    def __init__(self, name: str) -> None:
        super().__init__("192.0.2.1", 443, Trust())
        self.folder = TREES / name

    def get(self, path: str, headers: Mapping[str, Any] | None = None) -> Answer:
        plain = path.partition("?")[0].strip("/")
        for file in (self.folder / plain / "index.json", self.folder / f"_{plain.replace('/', '_')}.json"):
            if file.is_file():
                return Answer(200, {}, json.loads(file.read_text()))
        return Answer(404, {}, {})


def view_of(name: str, component: Any = "BMC") -> View:
    bmc = Redfish(Recorded(name))
    bmc.root = bmc.transport.get("/redfish/v1/").body or {}
    bmc.vendor = vendor_of(bmc.root)
    return View(bmc, component)


@pytest.mark.parametrize("name", FACTS)
def test_maker_ways_and_versions(name: str) -> None:
    maker, ways, bmc, bios = FACTS[name]
    view = view_of(name)
    assert (view.maker.name, [way.kind for way in view.maker.ways(view.service())]) == (maker, ways)
    if bmc:
        assert view.version() == bmc
    assert view_of(name, "BIOS").version() == bios or not bios


def test_an_x10_tells_its_version_by_the_manager() -> None:
    assert view_of("supermicro-x10sdv-redfish1.0.1").version()


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("hpe-ilo5-2.72", ["iLO 5 v2.72", "2.72 Sep 04 2022", "2.72"]),
        ("lenovo-xcc-tgbt42s-2.83", ["TGBT42S 2.83 2023-07-05", "42S-2.83", "TGBT42S-2.83", "2.83"]),
        ("openbmc-nvidia-gb200", ["GB200Nvl-24.12-8", "24.12-8"]),
        ("dell-idrac9-6.00.30.00", ["6.00.30.00", "6.0.30.0"]),
    ],
)
def test_a_version_is_the_same_however_it_is_written(name: str, written: list[str]) -> None:
    view = view_of(name)
    assert all(view.same(view.version(), text) for text in written)
    assert not view.same(view.version(), "1.1")


@pytest.mark.parametrize(
    ("name", "older", "newer"),
    [
        ("hpe-ilo6-1.66", "1.60", "1.70"),
        ("supermicro-11.01.01", "11.01.00", "11.02.01"),
        ("lenovo-xcc-tgbt42s-2.83", "42S-2.80", "42S-3.01"),
        ("openbmc-nvidia-gb200", "GB200Nvl-24.10-1", "GB200Nvl-25.01-1"),
        ("dell-idrac9-6.00.30.00", "5.10.00.00", "7.10.30.00"),
    ],
)
def test_compliance(name: str, older: str, newer: str) -> None:
    view = view_of(name)
    installed = view.version()
    assert compliance(view, installed, Firmware("", newer, "")) == "outdated"
    assert compliance(view, installed, Firmware("", older, "")) == "newer"
    assert compliance(view, installed, Firmware("", installed, "")) == "compliant"
    assert compliance(view, installed, None) == "unknown"


@pytest.mark.parametrize("name", [name for name in FACTS if "x10" not in name])
def test_nothing_stands_against_an_update_of_a_bmc_at_rest(name: str) -> None:
    view = view_of(name)
    decision = decide(view, Firmware("https://x/fw", "999.1", "0" * 64), Sending(), Rules(), PACE)
    assert [str(one) for one in decision.obstacles] == []
    assert decision.action == "update"
    assert decision.wish.manager.startswith("/redfish/v1/Managers/")
    if name == "lenovo-xcc-tgbt42s-2.83":
        assert decision.way is not None
        assert decision.way.claim


def test_what_an_x10_cannot_do_is_told() -> None:
    view = view_of("supermicro-x10sdv-redfish1.0.1")
    decision = decide(view, Firmware("https://x/fw", "999.1", "0" * 64), Sending(), Rules(), PACE)
    assert decision.action == "refuse"
    assert "no UpdateService" in str(decision.obstacles[0])


def test_an_ami_fetches_by_http_and_hears_the_component() -> None:
    view = view_of("ami-gigabyte")
    decision = decide(view, Firmware("https://x/fw", "13.0", "0" * 64), Sending(), Rules(), PACE)
    assert decision.way is not None
    assert (decision.scheme, decision.way.path) == ("http", "/redfish/v1/UpdateService/Actions/SimpleUpdate")
    body = view.maker.request(decision.wish, decision.way, "http://192.0.2.9/fw")
    assert body == {
        "ImageURI": "http://192.0.2.9/fw",
        "TransferProtocol": "HTTP",
        "UpdateComponent": "BMC",
        "ResetBMC": True,
    }


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("dell-idrac9-6.00.30.00", "4.40.29.00"),
        ("hpe-ilo5-2.72", ""),
        ("lenovo-xcc-tgbt42s-2.83", ""),
        ("supermicro-11.01.01", ""),
        ("openbmc-stock", ""),
    ],
)
def test_what_a_bmc_can_go_back_to(name: str, version: str) -> None:
    view = view_of(name)
    previous = view.maker.previous(list(view.inventory()), view.manager(), view.service())
    assert (previous.version if isinstance(previous, Previous) else "") == version


def test_supermicro_keeps_its_settings_unless_told_otherwise() -> None:
    view = view_of("supermicro-11.01.01")
    way = view.maker.ways(view.service())[0]
    decision = decide(view, Firmware("https://x/fw", "12.1", "0" * 64), Sending(), Rules(), PACE)
    assert way.start == "/redfish/v1/UpdateService/Actions/UpdateService.StartUpdate"
    form = view.maker.form(decision.wish, way)
    assert form["Targets"] == ["/redfish/v1/Managers/1"]
    assert form["@Redfish.OperationApplyTime"] == "OnStartUpdateRequest"
    assert form["Oem"] == {"Supermicro": {"BMC": {"PreserveCfg": True, "PreserveSdr": True, "PreserveSsl": True}}}
