"""What one run reads of a BMC's firmware: whose it is, its update service, its versions, its tasks.

Called by all operations; sends GETs only. A resource that is missing counts as empty; a BMC that does not answer raises
Unreachable.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence

from tiphys.obm.errors import RefusedByBmc, Unreachable
from tiphys.obm.firmware.vendors import Maker, maker_of
from tiphys.obm.firmware.vendors.base import Component, Progress
from tiphys.obm.firmware.versions import same
from tiphys.obm.redfish import Redfish
from tiphys.obm.shapes import Json, line, part
from tiphys.obm.transport import path_of
from tiphys.obm.verdict import explain

__all__ = ["View", "finished", "standing"]

_log = logging.getLogger(__name__)

_UPDATE_SERVICE = "/redfish/v1/UpdateService"
_TASK_SERVICE = "/redfish/v1/TaskService"
_MANAGERS = "/redfish/v1/Managers"
_SYSTEMS = "/redfish/v1/Systems"
_ENDED = ("Completed", "Exception", "Killed", "Cancelled", "Canceled", "Interrupted", "Failed", "CompletedWithErrors")
_IN_QUEUE = ("Pending", "InProgress")
_OUT_OF_QUEUE = ("Complete", "Canceled")
_NOT_LOOKED_AT = 30
# Gigabyte makes a task of every event it posts; others make tasks of resets.
_OTHER_WORK = re.compile(r"event|reset|power|log|session|subscription", re.IGNORECASE)
_OUR_WORK = re.compile(r"update|firmware|flash|upload|verify|image|install|bmc|bios|idrac", re.IGNORECASE)


class View:
    """The firmware of one component of one BMC.

    Attributes:
        component: `BMC` or `BIOS`.
    """

    def __init__(self, bmc: Redfish, component: Component = "BMC") -> None:
        self.bmc = bmc
        self.component: Component = component
        self._maker: Maker | None = None
        self._manager = ""
        self._entries: Sequence[str] = ()

    @property
    def service_path(self) -> str:
        """Where the update service is."""
        return self.bmc.link("UpdateService", _UPDATE_SERVICE)

    @property
    def maker(self) -> Maker:
        """Whose BMC this is; read once."""
        if self._maker is None:
            self.service()
        return self._maker or maker_of(self.bmc.root, {})

    def service(self) -> Json:
        """UpdateService; empty where there is none.

        Raises:
            Unreachable: it cannot tell.
        """
        answer = self.bmc.ask(self.service_path)
        if answer.status >= 500 and answer.status != 501:
            said = explain(answer.status, answer.body)
            raise Unreachable(f"{self.bmc.transport.where} answers {said} to GET {self.service_path}")
        service = answer.body if answer.status == 200 and answer.body is not None else {}
        if service and self._maker is None:
            self._maker = maker_of(self.bmc.root, service)
        return service

    def manager(self) -> Json:
        """The Manager that provides this service: the one the root names, else the first that is a BMC."""
        if self._manager:
            return self.bmc.maybe(self._manager)
        named = path_of(part(self.bmc.root, "Links", "ManagerProvidingService").get("@odata.id"))
        first: Json = {}
        for path in [named] if named else self._members(self.bmc.link("Managers", _MANAGERS)):
            manager = self.bmc.maybe(path)
            first = first or manager
            if manager.get("ManagerType") == "BMC":
                self._manager = path
                return manager
        return first

    def system(self) -> Json:
        """The first ComputerSystem."""
        members = self._members(self.bmc.link("Systems", _SYSTEMS))
        return self.bmc.maybe(members[0]) if members else {}

    # Versions

    def inventory(self) -> Iterator[Json]:
        """The entries of the firmware inventory, read as they are asked for."""
        path = path_of(part(self.service(), "FirmwareInventory").get("@odata.id"))
        for member in self._members(path) if path else []:
            yield self.bmc.maybe(member)

    def version(self) -> str:
        """The version that runs, "" while the BMC does not tell.

        The inventory wins over the Manager, which can lag behind it (DGX H100: 23.11.21 beside 23.11.20). But where it
        has several entries for the component, as of two banks, the Manager says which of them runs.
        """
        owner = self.manager() if self.component == "BMC" else self.system()
        told = self._written(owner, "FirmwareVersion" if self.component == "BMC" else "BiosVersion")
        found = self._installed(owner, self._entries)
        if not found or (told and told not in found):
            found = self._installed(owner) or found
        return told if not found or told in found else found[0]

    def same(self, one: str, other: str) -> bool:
        """Whether two versions, written in any of the maker's ways, are equal."""
        return same(self.plain(one), self.plain(other))

    def plain(self, version: str) -> str:
        """A version as it is compared."""
        return self.maker.version_in(self.component, version)

    def _installed(self, owner: Json, known: Sequence[str] | None = None) -> list[str]:
        """The versions of the entries that are of the component.

        Args:
            known: their paths; None = the inventory is searched.
        """
        active = path_of(part(owner, "Links", "ActiveSoftwareImage").get("@odata.id"))
        entry = self.bmc.maybe(active) if active else {}
        if entry:
            return [self._written(entry, "Version")]
        path, found = path_of(owner.get("@odata.id")).rstrip("/"), []
        for entry in self.inventory() if known is None else map(self.bmc.maybe, known):
            if entry and self.maker.is_of(self.component, entry, path):
                found.append(entry)
                if self.maker.one_entry:
                    break
        self._entries = [path_of(entry.get("@odata.id")) for entry in found]
        return [self._written(entry, "Version") for entry in found]

    def _written(self, resource: Json, name: str) -> str:
        """A version in a resource, as it is compared."""
        text = resource.get(name)
        return line(self.plain(text), 100) if isinstance(text, str) else ""

    # Work

    def tasks(self) -> tuple[str, ...]:
        """The paths of the tasks that there are, and of the maker's jobs."""
        found: list[str] = []
        for path in (path_of(part(self._task_service(), "Tasks").get("@odata.id")), self.maker.jobs):
            if path and (path != self.maker.jobs or self.bmc.maybe(path)):
                found += self._members(path)
        return tuple(found)

    def new_task(self, before: tuple[str, ...]) -> str:
        """The work that was not there before and is an update by its name; "" = there is none."""
        nameless = ""
        for path in [path for path in reversed(self.tasks()) if path not in before][:_NOT_LOOKED_AT]:
            task = self.bmc.maybe(path)
            words = _words(task)
            if _OUR_WORK.search(words) and not _OTHER_WORK.search(words):
                return path
            if task and not _OTHER_WORK.search(words):
                nameless = nameless or path
        return nameless

    def unfinished(self) -> list[str]:
        """What the BMC is at, for a person: its unfinished tasks and jobs, but those of no consequence."""
        found = []
        for path in self.tasks()[-_NOT_LOOKED_AT:]:
            task = self.bmc.maybe(path)
            if task and not finished(task) and not _OTHER_WORK.search(_words(task)):
                found.append(f"{line(task.get('Name') or task.get('Id'), 80)} ({_state(task)})")
        return found

    def queued(self, service: Json) -> list[str]:
        """The updates that will run when their turn comes, and what has ended badly before them, for a person."""
        path = self.maker.queue(service)
        entries = [self.bmc.maybe(member) for member in (self._members(path)[:_NOT_LOOKED_AT] if path else ())]
        states = [line(entry.get("State"), 40) for entry in entries]
        if not any(state in _IN_QUEUE for state in states):
            return []
        return [
            f"{line(entry.get('Name') or entry.get('Id'), 80)} ({state})"
            for entry, state in zip(entries, states, strict=True)
            if state not in _OUT_OF_QUEUE
        ]

    def progress_told(self, before: str = "") -> Progress:
        """What UpdateService itself says of an update.

        Args:
            before: what it said of an earlier one, which may still stand.
        """
        told = self.maker.service_progress(self.service())
        if told is None or (told.state != "running" and standing(told) == before):
            return Progress("lost", None, "the BMC gives nothing to follow it by")
        return told

    def standing(self) -> str:
        """What is recorded of `progress_told` before a request, to tell an old end from the new one."""
        return standing(self.progress_told())

    def _members(self, path: str) -> list[str]:
        """Of a collection that may be missing, although something links to it (sushy-tools; X10's UpdateService)."""
        try:
            return self.bmc.members(path)
        except RefusedByBmc as error:
            _log.debug("%s", error)
            return []

    def _task_service(self) -> Json:
        return self.bmc.maybe(self.bmc.link("Tasks", _TASK_SERVICE))


def standing(progress: Progress) -> str:
    """A progress as text."""
    return f"{progress.state} {progress.detail}"


def finished(task: Json) -> bool:
    """Whether a task or a job has ended."""
    return _state(task) in _ENDED or (task.get("TaskState") is None and task.get("JobState") is None)


def _state(task: Json) -> str:
    return line(task.get("TaskState") or task.get("JobState"), 40)


def _words(task: Json) -> str:
    return f"{task.get('Name') or ''} {task.get('Description') or ''} {task.get('JobType') or ''}"
