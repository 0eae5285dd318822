"""What the definition says where no script can go: its calls, its retries by name, its longest ways."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import pytest

from grace.model.contract import Call
from tests.flow.scenarios import PASSING
from tests.flow.scripts import FUNCTIONS
from tests.support.machine import DEFINITION

STATES: dict[str, dict[str, Any]] = DEFINITION["States"]
TASKS = [name for name, state in STATES.items() if state["Type"] == "Task"]


def targets(name: str) -> set[str]:
    """The states that a state may lead to."""
    state = STATES[name]
    rules = (*state.get("Choices", ()), *state.get("Catch", ()))
    return {target for target in (state.get("Next"), state.get("Default"), *(rule["Next"] for rule in rules)) if target}


def _ways(start: str, seen: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every way from a state to an end that enters no state twice, so without an extension."""
    way = (*seen, start)
    ends = STATES[start].get("End") or STATES[start]["Type"] == "Fail"
    if ends:
        yield way
    for target in targets(start) - set(way):
        yield from _ways(target, way)


def test_each_step_of_a_call_is_one_task_of_its_function() -> None:
    called = {
        STATES[name]["Parameters"]["Payload"]["step"]: STATES[name]["Parameters"]["FunctionName"] for name in TASKS
    }
    assert called == {step: f"${{{function}}}" for step, function in FUNCTIONS.items()}
    assert set(called) == set(get_args(Call.model_fields["step"].annotation))
    assert len(called) == len(TASKS)


@pytest.mark.parametrize("name", TASKS)
def test_a_task_hands_over_the_whole_ticket_and_only_the_one_that_asks_a_token(name: str) -> None:
    payload = STATES[name]["Parameters"]["Payload"]
    token = {"task_token.$": "$$.Task.Token"} if name == "Ask" else {}
    assert payload == {"ticket.$": "$", "step": payload["step"]} | token
    assert STATES[name]["Resource"].endswith(".waitForTaskToken") == (name == "Ask")
    # The answer is the next ticket; a wake-up carries nothing, so its output never becomes the document.
    assert ("ResultPath" in STATES[name], STATES[name].get("OutputPath")) == (
        (True, None) if name == "Ask" else (False, "$.Payload")
    )


@pytest.mark.parametrize("name", TASKS)
def test_a_task_repeats_what_may_pass_and_nothing_else(name: str) -> None:
    """Nobody's answer in time is no failure to repeat: the people would be asked again."""
    repeated = [error for retry in STATES[name]["Retry"] for error in retry["ErrorEquals"]]
    assert sorted(repeated) == sorted((*PASSING, *(() if name == "Ask" else ("States.Timeout",))))


@pytest.mark.parametrize(("first", "happy"), [("Snapshot", 10), ("Preflight", 13)])
def test_no_way_is_longer_than_a_good_one_and_three(first: str, happy: int) -> None:
    """P4, over every way there is and not only those that are scripted."""
    ways = list(_ways(first, ("Mode", "NeedsApproval")))
    good = [way for way in ways if way[-2:] == ("Verdict", "Close")]
    assert [len(way) for way in good] == [happy]
    assert max(len(way) for way in ways) <= happy + 3
