"""What a test may do to a BMC behind its back; both the Python API and the control port go through here.

Called on the event loop only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tiphys_simulators.clock import iso
from tiphys_simulators.redfish.accounts import Account
from tiphys_simulators.redfish.behaviour import as_json, merged
from tiphys_simulators.redfish.bmc import Bmc
from tiphys_simulators.redfish.counters import Counters
from tiphys_simulators.redfish.service import BmcService

__all__ = ["Admin", "AdminError"]

_PROPERTIES: dict[str, type] = {"password": str, "role": str, "enabled": bool, "must_change": bool, "unlock": bool}


class AdminError(ValueError):
    """Something that cannot be done to this BMC."""


class Admin:
    """The back door of one BMC.

    Args:
        service: the BMC.
        as_new: makes the state it starts with.
    """

    def __init__(self, service: BmcService, as_new: Callable[[], Bmc]) -> None:
        self.service = service
        self._as_new = as_new

    @property
    def _bmc(self) -> Bmc:
        return self.service.bmc

    def counters(self) -> dict[str, Any]:
        """What it has seen."""
        self._bmc.settle()
        return self._bmc.counters.as_json(len(self._bmc.sessions))

    def reset_counters(self) -> None:
        """Count from zero again."""
        self._bmc.counters = Counters()

    def faults(self) -> dict[str, Any]:
        """Its whole behaviour."""
        return as_json(self._bmc.behaviour)

    def set_faults(self, faults: dict[str, Any]) -> None:
        """Lay these over its behaviour; a `rules` list replaces the one before."""
        self._bmc.behaviour = merged(self._bmc.behaviour, faults)
        self.service.refresh()

    def clear_faults(self) -> None:
        """Back to its personality's behaviour."""
        self._bmc.behaviour = self._bmc.personality.behaviour
        self.service.refresh()

    def set_account(self, user: str, properties: dict[str, Any]) -> None:
        """Make or change an account, past every rule."""
        for name, value in properties.items():
            if name not in _PROPERTIES or not isinstance(value, _PROPERTIES[name]):
                known = ", ".join(f"{known} ({kind.__name__})" for known, kind in _PROPERTIES.items())
                raise AdminError(f"account {user}: {name!r} cannot be set to that; there are {known}")
        account = self._bmc.account_of(user) or self._new_account(user)
        if "password" in properties:
            account.set_password(properties["password"])
            account.must_change = False
        account.role = properties.get("role", account.role)
        account.enabled = properties.get("enabled", account.enabled)
        account.must_change = properties.get("must_change", account.must_change)
        if properties.get("unlock"):
            self._bmc.lockout.unlock(user)
        account.version += 1
        self._bmc.touch()
        self.service.refresh()

    def accepts(self, user: str, password: str) -> bool:
        """Whether these credentials are right, without a log-in."""
        account = self._bmc.account_of(user)
        return account is not None and account.accepts(password, self._bmc.behaviour.password)

    def set_firmware(self, component: str, version: str) -> None:
        """Install a version, past every rule."""
        if component not in self._bmc.firmware:
            raise AdminError(f"no component {component!r}; there are {', '.join(self._bmc.firmware)}")
        self._bmc.firmware[component].version = version
        self._bmc.touch()
        self.service.refresh()

    def state(self) -> dict[str, Any]:
        """How it is now."""
        bmc = self._bmc
        bmc.settle()
        return {
            "name": bmc.name,
            "personality": bmc.personality.id,
            "url": self.service.url,
            "address": self.service.address,
            "port": self.service.port,
            "fingerprint": self.service.certificate.fingerprint,
            "uuid": bmc.identity.uuid,
            "serial": bmc.identity.serial,
            "time": iso(bmc.clock.now()),
            "stage": bmc.stage(),
            "power": bmc.power,
            "sessions": len(bmc.sessions),
            "firmware": {
                name: {
                    "version": firmware.version,
                    "previous": firmware.previous,
                    "pending": firmware.pending,
                    "installed_at": iso(firmware.installed_at) if firmware.installed_at else None,
                }
                for name, firmware in bmc.firmware.items()
            },
            "accounts": [
                {
                    "id": account.id,
                    "user": account.user,
                    "role": account.role,
                    "enabled": account.enabled,
                    "must_change": account.must_change,
                    "locked": bmc.locked(account),
                    "factory_password": bmc.uses_factory_password(account),
                }
                for account in bmc.accounts.values()
                if account.user
            ],
            "tasks": [
                {
                    "id": update.id,
                    "state": update.step.state,
                    "status": update.step.status,
                    "percent": update.percent(bmc.clock.now()),
                    "component": update.component,
                    "waits_for": update.waits_for,
                    "ended": update.ended is not None,
                }
                for update in bmc.updates.values()
            ],
        }

    def label(self) -> dict[str, str]:
        """What is printed on the machine."""
        user, password = self._bmc.factory_credentials
        return {"username": user, "password": password, "serial": self._bmc.identity.serial}

    def reboot(self) -> None:
        """Restart the BMC."""
        self._bmc.reboot()
        self.service.refresh()

    def reset_host(self) -> None:
        """Restart the server."""
        self._bmc.reset_host()
        self.service.refresh()

    def factory_reset(self) -> None:
        """Factory accounts and a new certificate."""
        self._bmc.factory_reset()
        self.service.refresh()

    def new_certificate(self) -> None:
        """Show another TLS certificate from now on."""
        self._bmc.certificate_generation += 1
        self.service.refresh()

    def reset(self) -> None:
        """As at the start."""
        self.service.replace(self._as_new())

    def _new_account(self, user: str) -> Account:
        bmc = self._bmc
        empty = next((account for account in bmc.accounts.values() if not account.user and account.id != "1"), None)
        if empty is None:
            if bmc.personality.account_slots:
                raise AdminError(f"account {user}: no slot is free")
            identity = bmc.new_account_id(user)
            empty = bmc.accounts[identity] = Account(identity)
        empty.user, empty.role, empty.enabled = user, "Administrator", True
        return empty
