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
    tries: dict[int, int] = field(default_factory=dict)
    """How often each of the state's retry rules, by its place, has repeated it."""


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

    def expire(self, execution: Execution) -> None:
        """Let the time to answer the token run out."""
        execution.token = ""
        self._failed(execution, DEFINITION["States"][execution.state], "States.Timeout", "")

    def step(self, execution: Execution) -> None:
        """Run one state."""
        state = DEFINITION["States"][execution.state]
        if not execution.tries:
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
        # The first rule that names the error decides, by its own count: a rule that is used up hides those behind it.
        place = next((n for n, retry in enumerate(state["Retry"]) if error in retry["ErrorEquals"]), None)
        if place is not None:
            retry, done = state["Retry"][place], execution.tries.get(place, 0)
            if done < retry["MaxAttempts"]:
                self.pause(min(retry["IntervalSeconds"] * retry["BackoffRate"] ** done, retry["MaxDelaySeconds"]))
                execution.tries[place] = done + 1
                return
        for catch in state["Catch"]:
            if {"States.ALL", error} & set(catch["ErrorEquals"]):
                execution.document = execution.document | {"error": {"Error": error, "Cause": cause}}
                execution.state, execution.tries = catch["Next"], {}
                return
        execution.status = "FAILED"

    def _leave(self, execution: Execution, state: Document) -> None:
        execution.tries = {}
        if state.get("End"):
            execution.status = "SUCCEEDED"
        else:
            execution.state = state["Next"]


def _holds(rule: Document, document: Document) -> bool:
    if "Or" in rule:
        return any(_holds(each, document) for each in rule["Or"])
    value = document[rule["Variable"].removeprefix("$.")]
    return bool(value == rule.get("StringEquals", rule.get("BooleanEquals", object())))
