"""Runs the real state machine file in process: Choice, Task, Wait, Fail, Retry, Catch, task tokens. No second definition.

Only what `statemachines/remediation.asl.json` uses is understood; anything else fails loudly. Time is the world's clock:
a Wait and a retry's delay move it, so nothing sleeps.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DEFINITION = json.loads((Path(__file__).parents[2] / "statemachines/remediation.asl.json").read_text())

Document = dict[str, Any]
Door = Callable[[Document], Document]


class WorkerDied(BaseException):
    """The worker's process ended in the middle of a call: what the service answered nobody heard."""


@dataclass
class Execution:
    """One run: where it stands, what it carries, and the states it has been through."""

    name: str
    document: Document
    state: str = DEFINITION["StartAt"]
    status: str = "RUNNING"
    visited: list[str] = field(default_factory=list)
    token: str = ""
    tries: int = 0


class Machine:
    """Runs executions of the definition over doors by name."""

    def __init__(self, doors: dict[str, Door], pause: Callable[[float], None]) -> None:
        self.doors = doors
        self.pause = pause
        self.tokens = 0

    def run(self, execution: Execution) -> Execution:
        """Run until it ends or waits for a token."""
        while execution.status == "RUNNING" and not execution.token:
            self.step(execution)
        return execution

    def wake(self, execution: Execution) -> None:
        """Answer the token it waits for."""
        state = DEFINITION["States"][execution.state]
        execution.token = ""
        self._leave(execution, state)

    def step(self, execution: Execution) -> None:
        """Run one state."""
        state = DEFINITION["States"][execution.state]
        if execution.tries == 0:
            execution.visited.append(execution.state)
        match state["Type"]:
            case "Choice":
                execution.state = next(
                    (rule["Next"] for rule in state["Choices"] if _holds(rule, execution.document)), state["Default"]
                )
            case "Wait":
                self.pause(execution.document[state["SecondsPath"].removeprefix("$.")])
                self._leave(execution, state)
            case "Fail":
                execution.status = "FAILED"
            case "Task":
                self._task(execution, state)
            case other:
                raise AssertionError(f"the runner does not know {other}")

    def _task(self, execution: Execution, state: Document) -> None:
        payload = dict(state["Parameters"]["Payload"])
        call = {"ticket": execution.document, "step": payload["step"]}
        waits = state["Resource"].endswith(".waitForTaskToken")
        if waits:
            self.tokens += 1
            call["task_token"] = f"token-{execution.name}-{self.tokens}"
        door = self.doors[state["Parameters"]["FunctionName"][2:-1].removesuffix("Function").lower()]
        try:
            answer = door(json.loads(json.dumps(call)))
        except WorkerDied:
            self._failed(execution, state, "Lambda.Unknown", "the worker died")
            return
        except Exception as exc:  # noqa: BLE001  whatever a door raises, the workflow routes on its class name
            self._failed(execution, state, type(exc).__name__, json.dumps({"errorMessage": str(exc)}))
            return
        if waits:
            execution.token = call["task_token"]
            return
        execution.document = json.loads(json.dumps(answer))
        self._leave(execution, state)

    def _failed(self, execution: Execution, state: Document, error: str, cause: str) -> None:
        for retry in state["Retry"]:
            if error in retry["ErrorEquals"] and execution.tries < retry["MaxAttempts"]:
                self.pause(
                    min(retry["IntervalSeconds"] * retry["BackoffRate"] ** execution.tries, retry["MaxDelaySeconds"])
                )
                execution.tries += 1
                return
        for catch in state["Catch"]:
            if {"States.ALL", error} & set(catch["ErrorEquals"]):
                execution.document = execution.document | {"error": {"Error": error, "Cause": cause}}
                execution.state, execution.tries = catch["Next"], 0
                return
        execution.status = "FAILED"

    def _leave(self, execution: Execution, state: Document) -> None:
        execution.tries = 0
        if state.get("End"):
            execution.status = "SUCCEEDED"
        else:
            execution.state = state["Next"]


def _holds(rule: Document, document: Document) -> bool:
    if "Or" in rule:
        return any(_holds(each, document) for each in rule["Or"])
    value = document[rule["Variable"].removeprefix("$.")]
    return value == rule.get("StringEquals", rule.get("BooleanEquals", object()))
