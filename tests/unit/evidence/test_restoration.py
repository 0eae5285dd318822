"""The rollback's verdict, over every state an alarm can be in and every result of the comparison of fields."""

from __future__ import annotations

from itertools import product
from typing import get_args

import pytest

from grace.evidence.restoration import Result, judge, no_worse
from tests.support.alarm_rules import AlarmState

STATES = [*(state.value for state in AlarmState), ""]
RESULTS = get_args(Result)
TABLE = {
    ("OK", "OK"): "passed",
    ("OK", "ALARM"): "failed",
    ("ALARM", "OK"): "passed",
    ("ALARM", "ALARM"): "passed",
    ("INSUFFICIENT_DATA", "OK"): "passed",
    ("INSUFFICIENT_DATA", "ALARM"): "failed",
    ("", "OK"): "passed",
    ("", "ALARM"): "inconclusive",
}
"""By how it stood when the action was decided and how it stands now; whatever is not here was not measured."""


@pytest.mark.parametrize(("before", "after"), list(product(STATES, STATES)))
def test_no_worse_over_every_pair_of_states(before: str, after: str) -> None:
    result, note = no_worse(before, after)
    assert result == TABLE.get((before, after), "inconclusive")
    assert bool(note) == (result != "passed"), "what is not shown has its reason"


@pytest.mark.parametrize(("fields", "alarm"), list(product(RESULTS, [*RESULTS, None])))
def test_it_is_proven_only_when_everything_was_measured_and_passed(fields: Result, alarm: Result | None) -> None:
    results = [each for each in (fields, alarm) if each is not None]
    expected = "failed" if "failed" in results else "verified" if set(results) == {"passed"} else "inconclusive"
    assert judge(fields, alarm) == expected
    assert (judge(fields, alarm) == "verified") == all(each == "passed" for each in results)
