"""Every path of the real definition, on moto's interpreter; and the fast runner takes the same ones."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from tests.flow.interpreters import run_on_moto, run_on_ours
from tests.flow.scenarios import PASSING, SCENARIOS, TICKET, Scenario, scripted
from tests.flow.scripts import Fails, Run
from tests.flow.test_definition import STATES, targets

HAPPY = {"verified": 10, "verified after approval": 13}


def _check(run: Run, scenario: Scenario) -> None:
    assert run.visited == scenario.visited
    assert (run.status, run.error) == (scenario.status, scenario.error)
    assert {step: run.called.count(step) for step in scenario.calls} == scenario.calls
    if run.ticket:
        # Everything else of the ticket is as it came: no state drops, renames or adds anything.
        assert run.ticket.model_copy(update={"error": None}) == scenario.script.ticket.model_copy(
            update={"verdict": scenario.verdict}
        )


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_definition_takes_this_path_and_the_fast_runner_takes_it_too(name: str) -> None:
    scenario = SCENARIOS[name]
    theirs = run_on_moto(scenario.script)
    ours, _ = run_on_ours(scenario.script)
    _check(theirs, scenario)
    _check(ours, scenario)
    assert ours.called == theirs.called
    assert ours.said == theirs.said


@pytest.mark.parametrize(("name", "most"), HAPPY.items())
def test_a_good_end_takes_no_more_transitions_than_budgeted(name: str, most: int) -> None:
    """P4: 10 states without an approval, 13 with one."""
    assert len(SCENARIOS[name].visited) == most


@pytest.mark.parametrize("name", SCENARIOS)
def test_an_undo_adds_three_transitions_at_most(name: str) -> None:
    """P4: on whichever path. An extension is one more look at the world, of four states, and not part of the undo."""
    scenario = SCENARIOS[name]
    happy = HAPPY["verified after approval" if scenario.script.ticket.needs_approval else "verified"]
    extended = 4 * (scenario.visited.count("Verdict") - 1) if "Verdict" in scenario.visited else 0
    assert len(scenario.visited) - extended <= happy + 3


def test_the_scenarios_walk_every_arrow_of_the_definition() -> None:
    arrows = {(name, target) for name in STATES for target in targets(name)}
    walked = {pair for each in SCENARIOS.values() for pair in pairwise(each.visited)}
    # A ticket's mode is one of two words: its model refuses any other before the Choice could.
    assert arrows - walked == {("Mode", "Close")}
    assert walked <= arrows


def test_settling_takes_what_the_ticket_says() -> None:
    _, pauses = run_on_ours(replace(scripted(), ticket=TICKET.model_copy(update={"settle": 345})))
    assert pauses == [345]


@pytest.mark.parametrize("error", PASSING)
def test_a_retry_waits_longer_each_time_and_never_longer_than_its_limit(error: str) -> None:
    """The delays as the file has them, before jitter: moto's run has them shortened."""
    ours, pauses = run_on_ours(scripted(snapshot=Fails(error)))
    assert pauses[0] == 2
    assert all(later == min(2 * earlier, 60) for earlier, later in pairwise(pauses))
    assert ours.visited[-2:] == ("Rollback", "Close")
