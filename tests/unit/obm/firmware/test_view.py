"""Which of several entries of an inventory is what runs."""

from collections.abc import Mapping
from typing import Any

import pytest

from tiphys.obm.firmware.view import View
from tiphys.obm.redfish import Redfish
from tiphys.obm.transport import Answer, Transport, Trust
from tiphys.obm.vendors import vendor_of

MANAGER = "/redfish/v1/Managers/1"
INVENTORY = "/redfish/v1/UpdateService/FirmwareInventory"


class Tree(Transport):
    """A BMC by the specification whose Manager and inventory are as given; `asked`: the paths read."""

    def __init__(self, manager: str | None, **entries: str | None) -> None:
        super().__init__("192.0.2.1", 443, Trust())
        self.manager, self.entries = manager, entries
        self.asked: list[str] = []

    def get(self, path: str, headers: Mapping[str, Any] | None = None) -> Answer:
        self.asked.append(path)
        bodies: dict[str, Any] = {
            "/redfish/v1/Managers": {"Members": [{"@odata.id": MANAGER}]},
            MANAGER: {"@odata.id": MANAGER, "ManagerType": "BMC", "FirmwareVersion": self.manager},
            "/redfish/v1/UpdateService": {"FirmwareInventory": {"@odata.id": INVENTORY}},
            INVENTORY: {"Members": [{"@odata.id": f"{INVENTORY}/{name}"} for name in self.entries]},
        }
        for name, version in self.entries.items():
            link = [{"@odata.id": MANAGER}]
            bodies[f"{INVENTORY}/{name}"] = {"Id": name, "Version": version, "RelatedItem": link}
        body = bodies.get(path.partition("?")[0])
        return Answer(404, {}, {}) if body is None else Answer(200, {}, {"@odata.id": path, **body})


def view_of(tree: Tree) -> View:
    bmc = Redfish(tree)
    bmc.vendor = vendor_of(bmc.root)
    return View(bmc)


@pytest.mark.parametrize(
    ("manager", "entries", "runs"),
    [
        ("1.0", {"a": "2.0", "b": "1.0"}, "1.0"),  # the other bank has the new image and does not run yet
        ("2.0", {"a": "2.0", "b": "1.0"}, "2.0"),
        ("1.0", {"a": "2.0"}, "2.0"),  # one that lags (DGX H100)
        (None, {"a": "2.0", "b": "1.0"}, "2.0"),
        ("1.0", {}, "1.0"),
        ("1.0", {"a": None}, ""),  # not yet, after a restart
    ],
)
def test_of_several_entries_the_manager_says_which_runs(
    manager: str | None, entries: dict[str, str | None], runs: str
) -> None:
    assert view_of(Tree(manager, **entries)).version() == runs


def test_an_entry_that_appears_later_is_found_when_it_runs() -> None:
    tree = Tree("1.0", a="1.0")
    view = view_of(tree)
    assert view.version() == "1.0"
    tree.entries["b"] = "2.0"
    assert view.version() == "1.0"
    tree.manager = "2.0"
    assert view.version() == "2.0"


def test_an_inventory_is_searched_once() -> None:
    tree = Tree("1.0", a="1.0", b="0.9")
    view = view_of(tree)
    view.version()
    tree.asked.clear()
    assert view.version() == "1.0"
    assert INVENTORY not in tree.asked
