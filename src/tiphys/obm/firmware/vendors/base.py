"""Firmware as the Redfish specification describes it; the other makers override what they do differently. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from tiphys.obm.shapes import Json, mappings, part, texts
from tiphys.obm.transport import path_of

__all__ = ["Component", "Json", "Maker", "Previous", "Progress", "Push", "Way", "Wish", "action_of"]

Component = Literal["BMC", "BIOS"]

Push = Literal["multipart", "raw", "form", "stage", "pull", "inside"]
"""How an image gets to the BMC: Redfish multipart, the bare image, HPE's form, Dell's FirmwareInventory (staged there,
installed by a second request), fetched by the BMC from us, or it is inside already (a rollback)."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an update has come.

    Attributes:
        state: `waiting`: it goes on when something else has happened, e.g. the host was restarted. `lost`: nothing is
            known of it any more; the installed version decides.
        detail: what the BMC says, for a person.
        moved_to: the path by which it is followed from here on; "" = as before.
    """

    state: Literal["running", "waiting", "succeeded", "failed", "lost"]
    percent: int | None = None
    detail: str = ""
    moved_to: str = ""


@dataclass(frozen=True, slots=True)
class Way:
    """A way for an image that UpdateService offers.

    Attributes:
        path: of the POST.
        start: of the POST that starts what was uploaded; "" = it starts by itself.
        protocols: that a BMC fetches by, as it spells them; () = it does not tell.
        info: path of the ActionInfo that tells more about it; "" = none.
        applies: the OperationApplyTime values it takes; None = it does not tell.
        claim: whether the service is to be reserved first, and released afterwards.
        parameters: names of the action's parameters; () = it does not tell.
    """

    kind: Push
    path: str
    start: str = ""
    protocols: tuple[str, ...] = ()
    info: str = ""
    applies: tuple[str, ...] | None = None
    claim: bool = False
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wish:
    """What a request is to say beside the image.

    Attributes:
        apply: `Immediate` or `OnReset`.
        preserve: the BMC's settings (accounts!) are kept where the maker lets one choose.
        manager, system: their paths.
    """

    component: Component = "BMC"
    apply: str = "Immediate"
    preserve: bool = True
    manager: str = ""
    system: str = ""

    @property
    def target(self) -> str:
        """The path of what is updated."""
        return self.manager if self.component == "BMC" else self.system


@dataclass(frozen=True, slots=True)
class Previous:
    """An image inside the BMC to which it can go back: the version, and the request that does it."""

    version: str
    method: Literal["POST", "PATCH"]
    path: str
    body: Mapping[str, Any]


class Maker:
    """What differs from maker to maker.

    Attributes:
        name: for messages.
        reset_after: seconds after a success at which the BMC is to be restarted if it has not done so itself; None: it
            always does.
        reset_of_host: whether `OnReset` of the BMC's own firmware means the next restart of the host.
        jobs: a collection whose unfinished jobs stand against an update; "" = there is none beside the tasks.
        one_entry: whether no more than one entry of the inventory can be what runs as a component, by its name.
        chooses_preserve: whether the request can say that settings are not kept.
    """

    name: ClassVar[str] = "generic"
    reset_after: ClassVar[float | None] = None
    reset_of_host: ClassVar[bool] = False
    jobs: ClassVar[str] = ""
    one_entry: ClassVar[bool] = False
    chooses_preserve: ClassVar[bool] = False

    def made(self, root: Json, service: Json) -> bool:
        """Whether a BMC with this service root and UpdateService is of this maker."""
        return False

    # Versions

    def is_of(self, component: Component, entry: Json, owner: str) -> bool:
        """Whether an entry of the inventory is what runs as this component.

        Args:
            owner: path of the Manager or ComputerSystem.
        """
        identity = str(entry.get("Id") or "")
        if part(entry, "Status").get("State") in ("StandbySpare", "Disabled"):
            return False
        if identity == component:
            return True
        related = [str(link.get("@odata.id") or "").removesuffix("/") for link in mappings(entry.get("RelatedItem"))]
        if component == "BIOS":
            return f"{owner}/Bios" in related
        return bool(owner) and owner in related

    def version_in(self, component: Component, text: str) -> str:
        """The version in what an inventory, a Manager or a person writes of it."""
        return text

    # Sending

    def ways(self, service: Json) -> tuple[Way, ...]:
        """The ways that UpdateService offers, the best first; the digest is compared before any of them."""
        found = []
        multipart = service.get("MultipartHttpPushUri")
        if path_of(multipart):
            applies = _applies(service.get("MultipartHttpPushUri@Redfish.OperationApplyTimeSupport"))
            found.append(Way("multipart", path_of(multipart), applies=applies))
        if path_of(service.get("HttpPushUri")):
            found.append(Way("raw", path_of(service.get("HttpPushUri")), applies=("Immediate",)))
        action = part(service, "Actions", "#UpdateService.SimpleUpdate")
        if path_of(action.get("target")):
            found.append(
                Way(
                    "pull",
                    path_of(action.get("target")),
                    protocols=tuple(texts(action.get("TransferProtocol@Redfish.AllowableValues"))),
                    info=path_of(action.get("@Redfish.ActionInfo")),
                    applies=_applies(action.get("@Redfish.OperationApplyTimeSupport")),
                )
            )
        return tuple(found)

    def learnt(self, way: Way, info: Json) -> Way:
        """A way with what its ActionInfo tells."""
        named = {str(entry.get("Name") or ""): entry for entry in mappings(info.get("Parameters"))}
        protocols = tuple(texts(named.get("TransferProtocol", {}).get("AllowableValues")))
        return replace(way, protocols=way.protocols or protocols, parameters=tuple(named))

    def form(self, wish: Wish, way: Way) -> dict[str, Any]:
        """`UpdateParameters` of a multipart push."""
        return {"Targets": [], "@Redfish.OperationApplyTime": wish.apply}

    def request(self, wish: Wish, way: Way, url: str) -> dict[str, Any]:
        """The body of SimpleUpdate. TransferProtocol is always told: AMI requires it."""
        body: dict[str, Any] = {"ImageURI": url, "TransferProtocol": url.partition(":")[0].upper()}
        if wish.apply != "Immediate":
            body["@Redfish.OperationApplyTime"] = wish.apply
        return body

    def start(self, handle: str) -> dict[str, Any]:
        """The body of the request that starts what was uploaded.

        Args:
            handle: what the upload was answered with.
        """
        return {}

    def starts_itself(self, task: Json) -> bool:
        """Whether the task of an upload is the update itself, though the maker's BMCs mostly want a second request."""
        return False

    # Following

    def job_paths(self, handle: str) -> tuple[str, ...]:
        """Where else an update can be followed when its task is gone."""
        return ()

    def job_progress(self, job: Json) -> Progress:
        """What such a job says."""
        return Progress("lost")

    def task_progress(self, task: Json, progress: Progress) -> Progress:
        """What a task's own part of this maker adds to its state."""
        return progress

    def service_progress(self, service: Json) -> Progress | None:
        """What UpdateService itself says of the update, on BMCs without tasks for it; None = it does not."""
        return None

    # What stands against it

    def queue(self, service: Json) -> str:
        """The path of a collection of updates that wait for their turn; "" = there is none."""
        return ""

    def host_must_be(self, component: Component) -> str:
        """The PowerState the host must be in; "" = any."""
        return ""

    def attributes(self) -> str:
        """A resource that tells of a lockdown; "" = none. Its content is never logged."""
        return ""

    def locked_down(self, attributes: Json) -> bool:
        """Whether it says that changes are refused."""
        return False

    def downgrades(self, service: Json) -> bool:
        """Whether the BMC's own policy lets an older version in."""
        return True

    # Back

    def previous(self, inventory: Sequence[Json], manager: Json, service: Json) -> Previous | str:
        """The image to which the BMC can go back, or why it cannot.

        By the specification: the other one of Manager.Links.SoftwareImages becomes ActiveSoftwareImage (bmcweb does so
        and restarts).
        """
        links = part(manager, "Links")
        active = path_of(part(links, "ActiveSoftwareImage").get("@odata.id"))
        images = [path_of(link.get("@odata.id")) for link in mappings(links.get("SoftwareImages"))]
        others = [entry for entry in inventory if entry.get("@odata.id") in images and entry.get("@odata.id") != active]
        if not active or len(others) != 1 or not others[0].get("Version"):
            return "its Manager does not name exactly one other image beside the active one"
        link = {"ActiveSoftwareImage": {"@odata.id": others[0]["@odata.id"]}}
        version = self.version_in("BMC", str(others[0]["Version"]))
        return Previous(version, "PATCH", path_of(manager.get("@odata.id")), {"Links": link})


def action_of(service: Json, name: str) -> str:
    """The path of an action of UpdateService; "" = it has none."""
    return path_of(part(service, "Actions", name).get("target"))


def _applies(support: Any) -> tuple[str, ...] | None:
    values = texts(part({"x": support}, "x").get("SupportedValues"))
    return tuple(values) or None
