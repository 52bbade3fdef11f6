"""Templates with a retryStrategy: a Retry node, one attempt after another under it."""

from __future__ import annotations

import datetime as dt
import math
import re
from dataclasses import replace
from typing import Any, Final

from tiphys.errors import ExpressionError
from tiphys.kit.clock import from_rfc3339
from tiphys.kit.codec import DecodeError, convert
from tiphys.workflow.engine import names
from tiphys.workflow.engine.arguments import POD_KINDS, scope_within
from tiphys.workflow.engine.launch import begin
from tiphys.workflow.engine.nodes import Node
from tiphys.workflow.engine.state import Execution, State, Task
from tiphys.workflow.engine.substitution import Pattern
from tiphys.workflow.engine.templates import TemplateError
from tiphys.workflow.engine.values import humanize
from tiphys.workflow.expr import duration, lang
from tiphys.workflow.expr.golang import format_value
from tiphys.workflow.spec.types import Backoff, RetryStrategy

__all__ = ["RetryExecution", "start_retry"]

# What the messages of errors hold that may be gone the next time (Argo's list; there the controller's environment can
# add to it).
_TRANSIENT: Final = re.compile(
    r"Connection closed by foreign host|net/http: TLS handshake timeout|i/o timeout|connection timed out"
    r"|connection reset by peer|http2: client connection lost|connect: connection refused|invalid connection"
    r"|exceeded quota|etcdserver: leader changed|etcdserver: request timed out"
)


_FOREVER: Final = 10 * 365 * 86400.0


def start_retry(state: State, node: Node, task: Task) -> None:
    """A Retry node, new or taken up again."""
    RetryExecution(state, node, task).begin()


class RetryExecution(Execution):
    """A Retry node: how many attempts there were, and whether there will be one more."""

    def __init__(self, state: State, node: Node, task: Task) -> None:
        super().__init__(state, node, task.call.owner)
        self.task = task
        self._error: str | None = None  # of the last attempt, where it came to no proper end
        self._strategy = RetryStrategy()

    def begin(self) -> None:
        """The first attempt, or the one that was going on, or what follows the last."""
        try:
            self._strategy = self._read_strategy()
        except (ExpressionError, DecodeError, TemplateError) as error:
            self.end("Error", str(error), str(error))
            return
        attempts = self.state.tree.attempts(self.node)
        if attempts and attempts[-1].fulfilled:
            self._decide()
        else:
            self._attempt(max(0, len(attempts) - 1))

    def _read_strategy(self) -> RetryStrategy:
        template = self.task.template
        raw = template.raw.get("retryStrategy")
        if raw is None:
            return template.retry or RetryStrategy()
        pattern = template.pattern("retry", raw)
        filled = pattern.fill(self._scope(pattern.names), now=self.state.now) if pattern.tagged else raw
        return convert(filled, RetryStrategy)

    def _scope(self, wanted: frozenset[str]) -> dict[str, Any]:
        task = self.task
        return scope_within(self.state.variables.values, task.template, self.node.inputs, task.locals, wanted)

    # -- attempts -----------------------------------------------------------------------------------------------------

    def _attempt(self, number: int) -> None:
        if self.over or (self.state.paused and self._named(number) is None):
            return
        if (gate := self.state.limits.closed_to_pods()) is not None and self._named(number) is None:
            gate.wait(lambda: self._attempt(number))
            return
        call, template = self.task.call, self.task.template
        name = self._name(number)
        variables = {**self.task.locals, **self._last_try(number)}
        if template.kind in POD_KINDS:
            variables["pod.name"] = names.pod_name(self.state.name, name, template.name)
        inputs = Pattern(self.node.inputs).fill(variables)
        flag = {**(call.flag or {}), "retried": True}
        again = replace(call, name=name, owner=self, parent=self.node, parents=(self.node,), flag=flag)
        begin(self.state, Task(again, template, variables, self._deadline()), inputs)

    def _name(self, number: int) -> str:
        return f"{self.node.name}({number})"

    def _named(self, number: int) -> Node | None:
        return self.state.tree.named(self._name(number))

    def _last_try(self, number: int) -> dict[str, str]:
        """`retries` and `lastRetry.*`, which before the first attempt speak of none."""
        last = self._named(number - 1) if number else None
        seconds = 0.0
        if last is not None and last.started_at and last.finished_at:
            seconds = (from_rfc3339(last.finished_at) - from_rfc3339(last.started_at)).total_seconds()
        exit_code = (last.outputs or {}).get("exitCode", "-1") if last is not None else "0"
        return {
            "retries": str(number),
            "lastRetry.exitCode": exit_code,
            "lastRetry.status": last.phase if last is not None else "",
            "lastRetry.duration": format_value(seconds),
            "lastRetry.message": last.message if last is not None else "",
        }

    def _deadline(self) -> dt.datetime | None:
        backoff = self._strategy.backoff
        if backoff is None or not backoff.max_duration:
            return None
        attempts = self.state.tree.attempts(self.node)
        started = attempts[0].started_at if attempts else self.state.stamp
        return self.state.moment(started, duration.parse(backoff.max_duration))

    def overdue(self) -> None:
        """The workflow's time is over: no waiting for one more attempt."""
        attempts = self.state.tree.attempts(self.node)
        if attempts and attempts[-1].fulfilled:
            self._decide()

    # -- decisions ----------------------------------------------------------------------------------------------------

    def child_ended(self, node: Node, error: str | None) -> None:
        """An attempt has ended."""
        if not self.over and node.retried:
            self._error = error
            self._decide()

    def _decide(self) -> None:
        if self.over:
            return
        attempts = self.state.tree.attempts(self.node)
        last = attempts[-1]
        if not last.failed:
            self.node.outputs = last.outputs
            self.end("Succeeded")
            return
        try:
            verdict = self._verdict(attempts, last)
        except (ExpressionError, TemplateError) as error:
            self.end("Error", str(error), str(error))
            return
        if verdict is None:
            self._attempt(len(attempts))
        elif isinstance(verdict, dt.datetime):
            self.state.timers.at(verdict, self._decide)
        else:
            self.node.outputs = last.outputs
            self.end(last.phase, verdict, self._error if verdict == last.message else None)

    def _verdict(self, attempts: list[Node], last: Node) -> str | dt.datetime | None:
        """None for one more attempt, a moment to wait for, or the message with which it is over."""
        strategy, limits = self._strategy, self.state.limits
        if limits.shutdown:  # of an exit handler as well
            return f"Stopped with strategy '{limits.shutdown}'"
        if limits.past_deadline(self.state.now):
            return f"retry exceeded workflow deadline {format_value(limits.deadline)}"
        limit = _whole(strategy.limit)
        exhausted = limit is not None and len(attempts) > limit
        if strategy.backoff is not None:
            waiting = self._wait(strategy.backoff, attempts, last, exhausted=exhausted)
            if waiting is not None:
                return waiting
        if not _retries(strategy, last):
            return last.message
        if exhausted:
            return "No more retries left"
        if strategy.expression and not self._expression_holds(strategy.expression, len(attempts)):
            return "retryStrategy.expression evaluated to false"
        return None

    def _expression_holds(self, expression: str, number: int) -> bool:
        scope = {**self._scope(frozenset()), **self._last_try(number), "retries": str(number - 1)}
        return lang.evaluate_bool(expression, lang.environment(scope, now=self.state.now))

    def _wait(self, backoff: Backoff, attempts: list[Node], last: Node, *, exhausted: bool) -> str | dt.datetime | None:
        now, limit = self.state.now, None
        if backoff.max_duration:
            limit = self.state.moment(attempts[0].started_at, duration.parse(backoff.max_duration))
            if now > limit:
                return "Max duration limit exceeded"
        if backoff.duration in ("", None):
            raise TemplateError("no base duration specified for retryStrategy")
        pause = _pause(backoff, len(attempts))
        until = self.state.moment(last.finished_at, pause)
        if limit is not None and until > limit:
            return "Backoff would exceed max duration limit"
        if now < until and not exhausted:
            self.state.mark(self.node, "Running", f"Backoff for {humanize(pause)}")
            return until
        self.state.mark(self.node, "Running", "")
        return None


def _pause(backoff: Backoff, attempts: int) -> dt.timedelta:
    """duration * factor^(attempts - 1), not above the cap."""
    pause = duration.parse(backoff.duration)
    factor = _whole(backoff.factor)
    if factor is not None and factor > 0:
        pause = dt.timedelta(seconds=min(_FOREVER, pause.total_seconds() * math.pow(factor, min(attempts - 1, 64))))
    return min(pause, duration.parse(backoff.cap)) if backoff.cap else pause


def _retries(strategy: RetryStrategy, last: Node) -> bool:
    """Whether the policy wants this end to be retried."""
    match strategy.retry_policy or ("Always" if strategy.expression else "OnFailure"):
        case "Always":
            return True
        case "OnError":
            return last.phase == "Error"
        case "OnFailure":
            return last.phase == "Failed"
        case "OnTransientError":
            return _TRANSIENT.search(last.message) is not None
        case other:
            raise TemplateError(f"{other} is not a valid RetryPolicy")


def _whole(value: Any) -> int | None:
    if value is None or value == "":
        return None
    try:
        return int(str(value))
    except ValueError as error:
        raise TemplateError(f"value '{value}' cannot be resolved to an int") from error
