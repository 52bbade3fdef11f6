"""What a BMC has seen, for tests to assert on: log-ins, sessions, changes, images, requests at the wrong time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from tiphys_simulators.image import ReceivedImage

__all__ = ["Counters", "LoginOutcome"]

LoginOutcome = Literal["ok", "wrong", "blocked", "limit", "unavailable"]
"""`wrong`: evaluated and wrong (counts for the lockout). `blocked`: refused unread because of earlier misses. `limit`:
right, but no session was free. `unavailable`: sent while the BMC restarts."""

_OUTCOMES: tuple[LoginOutcome, ...] = ("ok", "wrong", "blocked", "limit", "unavailable")


def _by_outcome() -> dict[str, int]:
    return dict.fromkeys(_OUTCOMES, 0)


@dataclass(slots=True)
class Counters:
    """Everything since the start or the last reset of the counters."""

    requests: int = 0
    authenticated_requests_during_reboot: int = 0
    logins: dict[str, int] = field(default_factory=_by_outcome)
    logins_by_source: dict[str, dict[str, int]] = field(default_factory=dict)
    logins_by_method: dict[str, dict[str, int]] = field(default_factory=dict)
    sessions_created: int = 0
    sessions_max: int = 0
    sessions_leaked: int = 0
    account_patches: int = 0
    password_changes: int = 0
    update_posts: int = 0
    updates_accepted: int = 0
    start_requests: int = 0
    downloads: int = 0
    images: list[dict[str, Any]] = field(default_factory=list)
    bmc_reboots: int = 0
    host_resets: int = 0

    def login(self, outcome: LoginOutcome, source: str, method: str) -> None:
        """One log-in attempt: a POST to Sessions, or a request with Basic credentials."""
        self.logins[outcome] += 1
        self.logins_by_source.setdefault(source, _by_outcome())[outcome] += 1
        self.logins_by_method.setdefault(method, _by_outcome())[outcome] += 1

    def image(self, image: ReceivedImage, via: str) -> None:
        """An image has arrived, whatever becomes of it."""
        self.images.append({"via": via, "name": image.name, "bytes": image.size, "sha256": image.sha256})

    def as_json(self, sessions_now: int) -> dict[str, Any]:
        """As the control port shows it."""
        return {
            "requests": self.requests,
            "authenticated_requests_during_reboot": self.authenticated_requests_during_reboot,
            "logins": {"total": sum(self.logins.values()), **self.logins},
            "logins_by_source": self.logins_by_source,
            "logins_by_method": self.logins_by_method,
            "sessions": {
                "now": sessions_now,
                "max": self.sessions_max,
                "created": self.sessions_created,
                "leaked": self.sessions_leaked,
            },
            "account_patches": self.account_patches,
            "password_changes": self.password_changes,
            "update_posts": self.update_posts,
            "updates_accepted": self.updates_accepted,
            "start_requests": self.start_requests,
            "downloads": self.downloads,
            "images": self.images,
            "bmc_reboots": self.bmc_reboots,
            "host_resets": self.host_resets,
        }
