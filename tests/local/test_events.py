"""A throttled event waits on the engine as in AWS's queue."""

from __future__ import annotations

import json
import re
import time
from contextlib import suppress

import pytest

from infra.local.corrections import as_event, kept_while_throttled
from infra.local.reconcile import Clients
from tests.local.test_launcher import _function


def _throttled(times: int, *, as_an_event: bool, age: int | None = None) -> tuple[list[float], bool]:
    """How long a function that is throttled so often is waited for, and whether it ran."""
    waits: list[float] = []
    answers = iter([{"throttle": True, "error": True}] * times + [{"body": "done"}] * 2)
    run = kept_while_throttled(lambda *_: next(answers), waits.append, lambda: sum(waits))
    function = {"event_invoke_config": {"MaximumEventAgeInSeconds": age}}
    result = (as_event(run) if as_an_event else run)(function, {})
    return waits, result == {"body": "done"}


def test_a_throttled_event_is_kept_until_it_is_too_old() -> None:
    waits, ran = _throttled(9, as_an_event=True)
    assert ran
    assert all(
        longest / 2 <= wait <= longest for wait, longest in zip(waits, [1, 2, 4, 8, 16, 30, 30, 30, 30], strict=True)
    )
    waits, ran = _throttled(50, as_an_event=True, age=60)
    assert not ran
    assert sum(waits) <= 60


def test_who_waits_for_the_answer_learns_of_the_first_throttle() -> None:
    assert _throttled(1, as_an_event=False) == ([], False)
    assert _throttled(0, as_an_event=False) == ([], True)


SLOW = """
import time

def handler(event, context):
    time.sleep(2)
    print("ran", event["number"])
"""


@pytest.mark.engine
def test_an_event_outlives_more_throttles_than_the_engines_three_attempts(aws: Clients) -> None:
    """What the storm rests on: a door held to few workers gets all it was asked, later."""
    functions, logs, name = aws("lambda"), aws("logs"), _function(aws, "slow", SLOW)
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    for number in range(4):
        functions.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps({"number": number}).encode())
    ran: set[str] = set()
    end = time.monotonic() + 60
    while len(ran) < 4 and time.monotonic() < end:
        time.sleep(0.2)
        with suppress(logs.exceptions.ResourceNotFoundException):  # until the first has run
            events = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
            ran = {line for each in events for line in re.findall(r"ran \d", each["message"])}
    assert ran == {"ran 0", "ran 1", "ran 2", "ran 3"}
