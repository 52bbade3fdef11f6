"""Trees read from real BMCs, served from their files, and what is to be read from them.

The files are facts kept beside the repository.
"""

import datetime as dt
import json
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from tiphys.credentials.directory import DirectoryStore
from tiphys.kit.redact import Secret
from tiphys.obm.candidates import Wanted
from tiphys.obm.creds.ended import Ended, Work
from tiphys.obm.entry import Target
from tiphys.obm.identity import Expected
from tiphys.obm.journal import Journal, Pace
from tiphys.obm.record import Record
from tiphys.obm.redfish import Redfish
from tiphys.obm.transport import Answer, Transport, Trust

TREES = pathlib.Path(__file__).parents[2] / "shared" / "reference" / "redfish-trees"


class Facts(NamedTuple):
    """What is to be read from a tree: by eye, from its files.

    Attributes:
        lockout: kind, threshold, window, penalty: told, or assumed where nothing is.
        length: of passwords, least and most; 0 = not told.
        id: of the account.
        others: GETs of accounts that are not the one looked for.
    """

    vendor: str
    bmc: str
    serial: str
    user: str
    id: str
    lockout: tuple[str, int, float, float]
    length: tuple[int, int]
    classes: int = 0
    others: int = 0


FACTS = {
    "dell-idrac9-6.00.30.00": Facts(
        "iDRAC", "bmc/dell/f54p1g3", "F54P1G3", "root", "2", ("address", 3, 60, 60), (0, 40)
    ),
    "hpe-ilo5-2.72": Facts(
        "iLO",
        "bmc/uuid/9aec7545-83e2-5c89-914f-dc8d329ec957",
        "MXQ302099S",
        "root",
        "1",
        ("delay", 1, 0, 10),
        (8, 39),
    ),
    "hpe-ilo6-1.66": Facts(
        "iLO",
        "bmc/uuid/724d47b7-f6ec-5b98-bb39-6a46562d65da",
        "2M2D2J00L4",
        "Administrator",
        "1",
        ("delay", 1, 0, 10),
        (8, 39),
    ),
    "lenovo-xcc-tgbt42s-2.83": Facts(
        "XCC",
        "bmc/uuid/6173ecec-6ef5-11ee-834a-0a8fc3a58a71",
        "J105958B",
        "root",
        "1",
        ("account", 5, 3600, 3600),  # its threshold is 0: nothing to rely on
        (10, 32),
        3,
    ),
    "supermicro-11.01.01": Facts(
        "Supermicro",
        "bmc/uuid/00000000-0000-0000-0000-7cc25550a8ff",
        "S889914X3710910",
        "root",
        "2",
        ("account", 3, 30, 30),
        (8, 20),
        3,
    ),
    "supermicro-x10sdv-redfish1.0.1": Facts(
        "Supermicro",
        "bmc/uuid/00000000-0000-0000-0000-ac1f6b18a241",
        "",
        "ADMIN",
        "2",
        ("account", 5, 30, 30),
        (8, 19),
        3,
    ),
    "ami-gigabyte": Facts(
        "AMI",
        "bmc/uuid/009ea76e-debf-0010-e803-b42e99bade17",
        "GJG9NF512A000302",
        "admin",
        "1",
        ("account", 5, 30, 30),
        (8, 25),
        3,
        1,
    ),
    "openbmc-stock": Facts(
        "OpenBMC",
        "bmc/uuid/34a1c22d-3f42-4cf6-9830-1cfe1d0fdffd",
        "",
        "root",
        "root",
        ("account", 4, 600, 600),
        (8, 20),
        3,
    ),
    "openbmc-nvidia-gb200": Facts(
        "NVIDIA",
        "bmc/uuid/64f913aa-8e7b-4d75-b3df-d8be0452706e",
        "1643024000315",
        "root",
        "root",
        ("account", 4, 600, 600),
        (8, 20),
        3,
    ),
}
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
PASSWORD = Secret("Right-Passw0rd-1")


class Recorded(Transport):
    """Answers every GET from the files of one tree, lets one password in, and takes nothing else."""

    def __init__(self, name: str) -> None:
        super().__init__("192.0.2.1", 443, Trust())
        self.folder = TREES / name
        self.asked: list[str] = []

    def get(self, path: str, headers: Mapping[str, Any] | None = None) -> Answer:
        plain = path.partition("?")[0].strip("/")
        if headers:
            self.asked.append(plain)
        for file in (self.folder / plain / "index.json", self.folder / f"_{plain.replace('/', '_')}.json"):
            if file.is_file():
                return Answer(200, {}, json.loads(file.read_text()))
        return Answer(404, {}, {})

    def send(self, method: str, path: str, body: Any, headers: Any = None, **_: Any) -> Answer:
        if method == "DELETE":
            return Answer(204, {}, None)
        assert (method, path.rstrip("/")) == ("POST", "/redfish/v1/SessionService/Sessions")
        right = body["Password"] == PASSWORD
        return Answer(201, {"x-auth-token": "t", "location": f"{path}/1"}, {}) if right else Answer(401, {}, {})


class Tree:
    """A world with one tree in it."""

    def __init__(self, name: str, folder: pathlib.Path) -> None:
        self.facts = FACTS[name]
        self.transport = Recorded(name)
        self.stores = lambda device: DirectoryStore(folder, device)
        self.wanted = Wanted(self.facts.user, PASSWORD)
        self.waited: list[float] = []

    def run(self, work: Any, serial: str = "") -> Ended:
        pace = Pace(lambda: START + dt.timedelta(seconds=sum(self.waited)), self.waited.append)
        with Journal(self.stores("r1"), "r1", pace, "run", beside=self.stores, patience=100) as journal:
            target = Target("r1", Expected(serial or self.facts.serial))
            ended: Ended = work(Work(Redfish(self.transport), journal, target))
        return ended

    def record(self, device: str) -> Record:
        record = self.stores(device).load_record()
        assert record is not None
        return record
