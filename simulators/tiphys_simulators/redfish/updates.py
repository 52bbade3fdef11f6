"""A firmware update as it goes on: a script of steps, run on the simulated clock, and what it waits for.

Pure: nothing here has effects on the BMC; `Update.settle` says when the update has ended, and the BMC draws the
consequences. Time is only looked at when somebody asks, so a thousand waiting updates cost nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tiphys_simulators.image import ReceivedImage
from tiphys_simulators.redfish.behaviour import Behaviour, TaskStep
from tiphys_simulators.redfish.messages import Message

__all__ = ["Event", "Order", "Update", "script_of"]

Event = Literal["", "download", "host-reset", "start-request"]

_STUCK = TaskStep("Running", percent=98, seconds=None)


def script_of(behaviour: Behaviour) -> tuple[tuple[TaskStep, ...], bool]:
    """The steps of the behaviour's script, and whether the image is really applied at its end."""
    if behaviour.task_steps:
        last = behaviour.task_steps[-1]
        return behaviour.task_steps, last.state == "Completed" and last.status != "Critical"
    half = behaviour.task_seconds / 2
    start = (
        TaskStep("Starting", percent=0, seconds=behaviour.task_seconds / 10, message="TargetDetermined"),
        TaskStep("Running", percent=50, seconds=half, message="TransferringToComponent"),
        TaskStep("Running", percent=98, seconds=half, message="InstallingOnComponent"),
    )
    ends = {
        "ok": (TaskStep("Completed", percent=100, message="UpdateSuccessful"), True),
        "no-change": (TaskStep("Completed", percent=100, message="UpdateSuccessful"), False),
        "false-success": (TaskStep("Completed", "Critical", 100, message="ApplyFailed"), False),
        "exception": (TaskStep("Exception", "Critical", 98, message="ApplyFailed"), False),
        "exception-status-ok": (TaskStep("Exception", "OK", 98, message="ApplyFailed"), False),
        "stuck": (_STUCK, False),
    }
    end, applies = ends[behaviour.task]
    return (*start, end), applies


@dataclass(frozen=True, slots=True)
class Order:
    """What the one who sent an image wants done with it.

    Attributes:
        apply_time: `@Redfish.OperationApplyTime`.
        components: the image must be for one of these; empty = for anything.
        spare: it goes to the BMC's second image, which does not run (XCC).
        keeps_accounts: False: the accounts go back to the factory's (Supermicro's PreserveCfg).
    """

    apply_time: str = "Immediate"
    components: frozenset[str] = frozenset()
    spare: bool = False
    keeps_accounts: bool = True


@dataclass(slots=True)
class Update:
    """One update, its task and its job.

    Attributes:
        id: of the task (and job); `monitor` is that of its task monitor.
        order: what was asked for.
        verifies: it only looks at the image, which is staged at its end.
        steps: its script.
        applies: whether the image is installed at its end.
        since: when the present step began.
        waits_for: the event without which it does not go on.
        image: what arrived; None while it is still being fetched.
        component: which firmware it is for; "" until the image is there.
        failure: why it ended in Exception, for errors outside the script.
    """

    id: str
    steps: tuple[TaskStep, ...]
    applies: bool
    started: float
    since: float
    monitor: str = ""
    order: Order = field(default_factory=Order)
    verifies: bool = False
    waits_for: Event = ""
    image: ReceivedImage | None = None
    component: str = ""
    index: int = 0
    ended: float | None = None
    failure: Message | None = None

    @property
    def step(self) -> TaskStep:
        """The step it is in."""
        return self.steps[self.index]

    def settle(self, now: float) -> bool:
        """Move on to where it is by now; True exactly once, when it has ended."""
        if self.ended is not None or self.waits_for:
            return False
        while self.index < len(self.steps) - 1 and self.step.seconds is not None:
            if now < self.since + self.step.seconds:
                return False
            self.since += self.step.seconds
            self.index += 1
        if self.step.seconds is None:
            return False
        self.ended = self.since
        return True

    def next_change(self) -> float | None:
        """When the present step ends by itself; None = never."""
        if self.ended is not None or self.waits_for or self.step.seconds is None:
            return None
        return self.since + self.step.seconds

    def percent(self, now: float) -> int:
        """PercentComplete."""
        before = self.steps[self.index - 1].percent if self.index else 0
        if self.waits_for or self.ended is not None or not self.step.seconds:
            return before if self.waits_for else self.step.percent
        share = min(1.0, (now - self.since) / self.step.seconds)
        return int(before + (self.step.percent - before) * share)

    @property
    def name(self) -> str:
        """Of its task."""
        if self.verifies:
            return f"{self.component or 'Firmware'} Verify"
        return f"{self.component} Update" if self.component else "Firmware Update"

    def release(self, event: Event, now: float) -> None:
        """What it waited for has happened."""
        if self.waits_for == event:
            self.waits_for = ""
            self.since = now

    def refuse(self, failure: Message) -> None:
        """The image is no good, and the BMC finds out only once it looks: after the first step."""
        self.steps = (self.steps[0], TaskStep("Exception", "Critical", self.steps[0].percent))
        self.applies = False
        self.failure = failure

    def fail(self, failure: Message, now: float) -> None:
        """It ends here, outside its script."""
        self.steps = (*self.steps[: self.index + 1], TaskStep("Exception", "Critical", self.step.percent))
        self.index = len(self.steps) - 1
        self.applies = False
        self.waits_for = ""
        self.failure = failure
        self.since = self.ended = now
