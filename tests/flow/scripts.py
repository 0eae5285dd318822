"""What the functions of the workflow do in a test: answer, fail so many times, or never call back.

A script says, for each step, what its calls bring in order; the last line holds for every further call. A step without
lines succeeds: it gives the ticket back as it came, and `verify` says verified.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from grace.model.contract import Call, Ticket

Document = dict[str, Any]

# The function that each step runs in, by its name in the definition.
FUNCTIONS: Mapping[str, str] = {
    "preflight": "SnapshotFunction",
    "ask": "AskFunction",
    "decided": "AskFunction",
    "snapshot": "SnapshotFunction",
    "baseline": "BenchmarkFunction",
    "execute": "ExecuteFunction",
    "outcome": "BenchmarkFunction",
    "verify": "VerifyFunction",
    "rollback": "RollbackFunction",
    "close": "CloseFunction",
}


@dataclass(frozen=True)
class Gives:
    """The call succeeds: the ticket comes back with this verdict, or with its own. A waiting task is called back."""

    verdict: str = ""


@dataclass(frozen=True)
class Fails:
    """The call fails with this error: a class of ours, or a name of Lambda's own."""

    error: str


@dataclass(frozen=True)
class Silence:
    """The call succeeds and nobody ever calls back."""


Line = Gives | Fails | Silence


@dataclass(frozen=True)
class Script:
    """A ticket to start with, and what becomes of each step."""

    ticket: Ticket
    lines: Mapping[str, tuple[Line, ...]]


@dataclass
class Cast:
    """Plays one script: keeps the steps that were called, in order, and what was wrong with a call."""

    script: Script
    called: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def play(self, function: str, document: Document) -> tuple[Line, Document]:
        """The line for this call and the ticket it answers with; the call must be one that a door would accept."""
        call = Call.model_validate(document)
        if FUNCTIONS[call.step] != function:
            self.wrong.append(f"{call.step} was sent to {function}")
        if bool(call.task_token) != (call.step == "ask"):
            self.wrong.append(f"{call.step} has {'a' if call.task_token else 'no'} token")
        lines = self.script.lines.get(call.step, (Gives("verified" if call.step == "verify" else ""),))
        line = lines[min(self.called.count(call.step), len(lines) - 1)]
        self.called.append(call.step)
        verdict = line.verdict if isinstance(line, Gives) else ""
        ticket = call.ticket.model_copy(update={"verdict": verdict}) if verdict else call.ticket
        return line, ticket.model_dump(mode="json")


@dataclass(frozen=True)
class Run:
    """How an execution went: its status, the states entered, the steps called, and the ticket at the end if there is one."""

    status: str
    visited: tuple[str, ...]
    called: tuple[str, ...]
    ticket: Ticket | None

    @property
    def error(self) -> str | None:
        """The name of the last error that was caught; None when there was none."""
        caught = self.ticket.error if self.ticket else None
        return str(caught["Error"]) if isinstance(caught, dict) else None

    @property
    def said(self) -> str | None:
        """What the door that failed last said about it."""
        caught = self.ticket.error if self.ticket else None
        cause = str(caught["Cause"]) if isinstance(caught, dict) else None
        return str(json.loads(cause)["errorMessage"]) if cause and cause.startswith("{") else cause
