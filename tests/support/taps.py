"""Stands between the verbs and every port: counts each outbound call, and lets one of them go wrong.

A call is known by the step it is made in, which time that step ran, its name, and which call of that name it was. Up to
the fault a faulty run is the clean run again, so what was counted there is hit here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from grace.errors import AccessDenied, AnswerLost, Throttled, Unavailable
from tests.support.machine import WorkerDied

PORTS = (
    "store",
    "vault",
    "aws",
    "metrics",
    "alarms",
    "workflow",
    "messages",
    "sealer",
    "macs",
    "mail",
    "sessions",
    "issuer",
    "permissions",
    "fetch",
)


@dataclass(frozen=True)
class Site:
    """One outbound call of a run."""

    step: str
    run: int
    call: str
    nth: int
    whose: str = field(default="", compare=False)
    """Who made it, where a test marks that (`Wire.marked`)."""

    def __str__(self) -> str:
        again = f" (run {self.run})" if self.run > 1 else ""
        return f"{self.step}{again}: {self.call}#{self.nth}"


@dataclass(frozen=True)
class Fault:
    """What goes wrong at a call: `error` instead of it, or, with `after`, once it has taken effect; so many times."""

    name: str
    error: Callable[[], BaseException]
    after: bool
    times: int = 1


def died() -> BaseException:
    return WorkerDied("the worker's process ended")


def lost() -> BaseException:
    return AnswerLost("the answer was lost")


DEATHS = (Fault("died before", died, after=False), Fault("died after", died, after=True))
DOUBLES = (
    Fault("died before, twice", died, after=False, times=2),
    Fault("died after, twice", died, after=True, times=2),
)
ERRORS = (
    Fault("answer lost, not done", lost, after=False),
    Fault("answer lost, done", lost, after=True),
    Fault("throttled", lambda: Throttled("slow down"), after=False),
    Fault("unavailable", lambda: Unavailable("no answer"), after=False),
    Fault("access denied", lambda: AccessDenied("not allowed"), after=False),
)


@dataclass
class Wire:
    """The recording, and the fault to come. Nothing is counted outside a step: that is the test looking on."""

    sites: list[Site] = field(default_factory=list)
    at: Site | None = None
    fault: Fault | None = None
    struck: int = 0
    whose: str = ""
    _step: str = ""
    _runs: Counter[str] = field(default_factory=Counter)
    _calls: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """A door is at work: its calls are recorded under this name."""
        assert not self._step, f"{name} inside {self._step}"
        self._step = name
        self._runs[name] += 1
        self._calls.clear()
        try:
            yield
        finally:
            self._step = ""

    def marked(self, whose: str, do: Callable[..., Any]) -> Callable[..., Any]:
        """Return the same function; what it calls is recorded as its own."""

        def run(*arguments: Any, **named: Any) -> Any:
            before, self.whose = self.whose, whose
            try:
                return do(*arguments, **named)
            finally:
                self.whose = before

        return run

    def through(self, call: str, do: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Make the call, unless it is the one that goes wrong."""
        if not self._step:
            return do(*arguments, **named)
        self._calls[call] += 1
        here = Site(self._step, self._runs[self._step], call, self._calls[call], self.whose)
        self.sites.append(here)
        fault = self.fault
        if fault is None or not self._hits(here) or self.struck >= fault.times:
            return do(*arguments, **named)
        self.struck += 1
        if fault.after:
            do(*arguments, **named)
        raise fault.error()

    def _hits(self, here: Site) -> bool:
        at = self.at
        return at is not None and (at.step, at.call, at.nth) == (here.step, here.call, here.nth) and at.run <= here.run


class Tap:
    """One port with the wire before it. What is not a call (a test's own attribute) passes."""

    def __init__(self, name: str, port: Any, wire: Wire) -> None:
        self._name, self._port, self._wire = name, port, wire

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if not callable(found):
            return found
        if self._name == "aws" and name == "call":
            return self._aws
        return partial(self._wire.through, f"{self._name}.{name}", found)

    def _aws(self, service: str, operation: str, /, **arguments: Any) -> Any:
        return self._wire.through(f"aws.{service}.{operation}", self._port.call, service, operation, **arguments)
