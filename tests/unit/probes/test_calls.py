"""The time that calls have: slow ones are made some at a time, and what is not made is no sample and no success."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from grace.errors import Throttled
from grace.gateways.memory import MemoryAws
from grace.probes import _calls
from grace.probes._calls import AT_ONCE, CALLS_SECONDS
from grace.probes.measure import compile_promises, measure
from tests.unit.probes.world import NOW, Ports, context, reading, spec

URL = "https://shop.example.com/health"
WAIT = 20.0
"""So long a call waits for others that never come; only a failing test does."""


class Calling(Ports):
    """Ports whose function and URL do `call` before each good answer."""

    def __init__(self, call: Callable[[], None]) -> None:
        super().__init__()
        self.call = call
        self.fetch = self

    @property
    def aws(self) -> Any:
        def invoke(**_: Any) -> dict[str, Any]:
            self.call()
            return {"Payload": b'{"statusCode": 200}'}

        return MemoryAws({("lambda", "invoke"): invoke})

    def get(self, url: str) -> tuple[int, bytes]:
        assert url == URL
        self.call()
        return 200, b""


class Slow(Calling):
    """Each call takes so many seconds. Only the first is made alone: the others need as many at once to come back."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.calls = seconds, 0
        self.together = threading.Barrier(AT_ONCE, action=self._pass)
        super().__init__(self._alone_or_together)

    def _alone_or_together(self) -> None:
        self.calls += 1
        if self.calls == 1:
            self._pass()
        else:
            self.together.wait(WAIT)

    def _pass(self) -> None:
        self.clock.advance(self.seconds)


def line(kind: str, times: int) -> dict[str, Any]:
    if kind == "http":
        return {"http": {"url": URL, "times": times}}
    return {"invoke": {"payload": {}, "expect": {"statusCode": 200}, "times": times}}


def measured(ports: Ports, *lines: dict[str, Any]) -> Any:
    expect, _ = compile_promises(spec(*lines), context())
    return measure(expect, [], reading(ports)).observations


@pytest.mark.parametrize(("kind", "times", "seconds"), [("invoke", 21, 3.0), ("invoke", 21, 9.9), ("http", 16, 5.0)])
def test_slow_calls_are_made_some_at_a_time_and_fit(kind: str, times: int, seconds: float) -> None:
    ports = Slow(seconds)
    [seen] = measured(ports, line(kind, times))
    assert (seen.result, seen.samples, seen.supporting) == ("passed", times, times)
    assert ports.clock.now().timestamp() - NOW < CALLS_SECONDS + seconds


@pytest.mark.parametrize("kind", ["invoke", "http"])
def test_quick_calls_are_made_one_after_another(kind: str) -> None:
    threads: set[str] = set()
    ports = Calling(lambda: threads.add(threading.current_thread().name))
    [seen] = measured(ports, line(kind, 20))
    assert (seen.result, seen.samples) == ("passed", 20)
    assert threads == {threading.current_thread().name}


@pytest.mark.parametrize("kind", ["invoke", "http"])
def test_what_there_was_no_time_for_is_no_sample_and_no_success(kind: str) -> None:
    ports = Calling(lambda: ports.clock.advance(CALLS_SECONDS))
    [seen] = measured(ports, line(kind, 20))
    assert (seen.result, seen.samples, seen.supporting) == ("inconclusive", 1, 1)
    assert seen.note == "out of time: 19 of 20 calls were not made"


def test_all_lines_share_the_time_of_the_measurement() -> None:
    ports = Calling(lambda: ports.clock.advance(CALLS_SECONDS))
    first, second = measured(ports, line("invoke", 1), line("http", 2))
    assert (first.result, second.result) == ("passed", "inconclusive")
    assert (second.samples, second.note) == (0, "out of time: 2 of 2 calls were not made")


def test_time_that_was_spent_before_the_calls_is_gone() -> None:
    ports = Calling(lambda: None)
    ports.clock.advance(CALLS_SECONDS)
    [seen] = measured(ports, line("invoke", 1))
    assert (seen.result, seen.samples) == ("inconclusive", 0)


def test_a_bad_answer_fails_whatever_else_was_not_made() -> None:
    ports = Ports(answers=[{"statusCode": 200}, {"statusCode": 500}])
    [seen] = measured(ports, line("invoke", 20))
    assert (seen.result, seen.samples, seen.supporting) == ("failed", 2, 1)


def test_what_was_throttled_for_our_own_haste_is_called_again_by_fewer() -> None:
    """A function that bears one call at a time: of those that are made beside each other all but one are refused."""
    together, calls, later = threading.Barrier(AT_ONCE), [0], set[str]()
    count = threading.Lock()

    def call() -> None:
        with count:
            calls[0] += 1
            mine = calls[0]
        if mine == 1:
            ports.clock.advance(3.0)
        elif mine <= 1 + AT_ONCE:
            if together.wait(WAIT):
                raise Throttled("TooManyRequestsException")
        else:
            later.add(threading.current_thread().name)

    ports = Calling(call)
    [seen] = measured(ports, line("invoke", 20))
    assert (seen.result, seen.samples, calls[0]) == ("passed", 20, 20 + AT_ONCE - 1)
    assert len(later) <= 2


def test_a_call_that_is_throttled_alone_is_the_workflows_to_repeat() -> None:
    def call() -> None:
        ports.clock.advance(3.0)
        raise Throttled("TooManyRequestsException")

    ports = Calling(call)
    with pytest.raises(Throttled):
        measured(ports, line("invoke", 20))


def test_the_limit_is_what_ends_the_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: without the limit a slow function is called until the door itself is ended."""
    monkeypatch.setattr(_calls, "CALLS_SECONDS", 10**6)
    ports = Calling(lambda: ports.clock.advance(30))
    [seen] = measured(ports, line("invoke", 20))
    assert seen.result == "passed"
    assert ports.clock.now().timestamp() - NOW > 60
