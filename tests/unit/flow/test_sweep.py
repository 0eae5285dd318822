"""`reap`: what nobody wakes, ends or delivers, it finds, and what needs nothing it leaves alone."""

from __future__ import annotations

from typing import Any

import pytest

from grace.errors import Throttled
from grace.flow import reap as reap_door
from grace.flow.loading import ticket_for
from grace.flow.reap import Swept
from grace.model.contract import Contract, ContractStatus, Mode
from grace.model.mission import DraftRequest
from grace.model.records import InFlight, Lease
from tests.support.machine import Execution, WorkerDied
from tests.support.playbooks import ROLL_BACK_ALIAS
from tests.support.world import START, World, alarm_event, shop_metric
from tests.unit.flow.scenes import (
    SECOND,
    check,
    ended,
    every,
    heads,
    incident,
    missions,
    need,
    put_alarm,
    read,
    run,
    shop,
    stays_bad,
    sweep,
    until,
    vote,
)

STATES = (
    "Mode",
    "NeedsApproval",
    "Snapshot",
    "Baseline",
    "Execute",
    "Settle",
    "Benchmark",
    "Verify",
    "Verdict",
    "Close",
)
ACTED = STATES[STATES.index("Execute") + 1 :]
NOTHING = Swept()


# -- F43: an alarm that nobody delivered


def test_f43_an_alarm_that_nobody_delivered_is_found_and_acted_on() -> None:
    world = shop()
    assert sweep(world).found == 1
    run(world)
    assert [h.status for h in heads(world)] == [ContractStatus.VERIFIED]
    check(world)


def test_f43_found_by_the_sweep_first_and_delivered_late_it_is_one_story() -> None:
    world = shop()
    sweep(world)
    world.fire(alarm_event())
    sweep(world)
    run(world)
    assert len(missions(world)) == 1
    assert missions(world)[0].signals == 1
    assert len(heads(world)) == 1


@pytest.mark.parametrize("end", ["at work", "verified", "rolled back", "refused", "a person's"])
def test_f43_an_alarm_that_was_delivered_changes_nothing(end: str) -> None:
    world = shop(2 if end == "at work" else 1)
    if end in {"rolled back", "refused"}:
        world.between = stays_bad
    if end == "refused":
        world.between = lambda world, e: world.lambdas.alias("shop", "live", "1") if e.state == "Execute" else None
    if end == "a person's":
        world.lambdas.functions["shop"]["tags"].clear()
    world.fire(alarm_event())
    run(world)
    world.alarm("ALARM", START)
    before = state_of(world)
    assert sweep(world, 90) == NOTHING
    for _ in range(5):
        assert sweep(world, 300).found == 0
    assert state_of(world) == before or end == "at work"


def state_of(world: World) -> Any:
    return [(m.mission_id, m.status, m.signals, m.version) for m in missions(world)]


def test_f43_without_the_sweep_of_alarms_it_would_never_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant."""
    monkeypatch.setattr(reap_door, "_alarm", lambda *_: "")
    world = shop()
    sweep(world)
    run(world)
    assert heads(world) == []


def test_f43_a_storm_of_alarms_on_one_service_is_known_again_by_every_sweep() -> None:
    """More alarms of one group than a short memory holds: the fifth sweep must not open a second story."""
    world = shop()
    for n in range(120):
        put_alarm(world, f"other-{n}", shop_metric("Errors", "Sum"))
    assert sweep(world).found == 121
    run(world)
    for _ in range(5):
        assert sweep(world, 300).found == 0
    assert len(missions(world)) == 1
    assert missions(world)[0].signals == 121


# -- lost drafts and lost starts


def test_a_draft_that_was_lost_is_asked_for_again_after_two_minutes() -> None:
    world = shop()
    world.fire(alarm_event())
    world.messages.drafts.clear()
    assert sweep(world, 119).redrafted == 0
    assert sweep(world, 2).redrafted == 1
    assert sweep(world, 300).redrafted == 1, "and again, until it is drafted"
    run(world)
    assert [h.status for h in heads(world)] == [ContractStatus.VERIFIED]
    assert sweep(world, 300).redrafted == 0


@pytest.mark.parametrize("error", [Throttled("slow"), WorkerDied])
def test_f58_a_start_that_failed_is_made_good(error: Exception | type[BaseException]) -> None:
    world = shop()
    real = world.workflow.start

    def fails(*_: Any) -> None:
        raise error

    world.workflow.start = fails
    world.fire(alarm_event())
    with pytest.raises((Throttled, WorkerDied)):
        world.draft()
    world.workflow.start = real
    assert [h.status for h in heads(world)] == [ContractStatus.DRAFTED]
    assert sweep(world, 59).restarted == 0, "it may still appear"
    assert sweep(world, 2).restarted == 1
    run(world)
    assert [h.status for h in heads(world)] == [ContractStatus.VERIFIED]
    assert world.lambdas.changes == 1


def test_f58_starting_what_runs_already_starts_nothing() -> None:
    world = shop()
    execution = until(world, "Baseline")
    body = need(world, Contract, execution.name)
    world.workflow.start(execution.name, ticket_for(body, needs_approval=False))
    world.messages.drafts.append(drafting(world))
    run(world)
    assert list(world.workflow.executions) == [execution.name]
    assert world.lambdas.changes == 1


def drafting(world: World) -> Any:
    return DraftRequest(mission_id=missions(world)[0].mission_id)


def test_a_contract_in_shadow_touches_nothing_and_people_see_what_it_would_have_done() -> None:
    here = World((ROLL_BACK_ALIAS,), Mode.SHADOW)
    here.shop()
    here.fire(alarm_event())
    here.settle()
    [(severity, subject, text)] = here.messages.notified
    assert (severity, here.contracts(), here.lambdas.changes) == ("low", [], 0)
    assert subject.startswith("shadowed: roll_back_lambda_alias")
    assert "would have done: shift_alias {'to': '1'}" in text


def test_a_contract_in_shadow_is_never_started() -> None:
    world = shop(mode=Mode.SHADOW)
    world.fire(alarm_event())
    run(world)
    world.alarm("OK", START + SECOND)
    swept = [sweep(world, 600) for _ in range(4)]
    assert [each.model_copy(update={"judged": 0}) for each in swept] == [NOTHING] * 4
    assert sum(each.judged for each in swept) == 1
    assert world.workflow.executions == {}
    assert world.lambdas.changes == 0


# -- F55: stopped in each state


@pytest.mark.parametrize("state", STATES)
def test_f55_stopped_in_any_state_it_is_undone_and_closed(state: str) -> None:
    world = shop()
    world.between = stays_bad if state in {"Settle", "Benchmark"} else world.between
    execution = until(world, state)
    world.workflow.stop(execution.name, "somebody pressed the button")
    quiet = world.clock.now() - world.head(execution.name).updated_at
    assert sweep(world, max(0.0, 59 - quiet.total_seconds())).rolled_back == (state == "Benchmark"), "not yet"
    assert sweep(world, 2).rolled_back == (state != "Benchmark")
    run(world)
    head = world.head(execution.name)
    if state == "Close":
        assert head.status is ContractStatus.VERIFIED, "a verdict is never taken back"
    elif state == "Verdict":
        assert head.status is ContractStatus.VERIFIED
    elif state in ACTED:
        assert head.status is ContractStatus.ROLLED_BACK
        assert world.lambdas.version_of("shop", "live") == "2"
    else:
        assert head.status is ContractStatus.REFUSED
        assert world.lambdas.changes == 0
    ended(world)
    check(world)
    assert [lease.owner for lease in every(world, Lease)] in ([], [""])
    assert read(world, InFlight) is None or need(world, InFlight).contracts == ()


@pytest.mark.parametrize("state", ["Preflight", "Ask", "Decided"])
def test_f55_stopped_before_or_while_people_are_asked_nothing_is_done(state: str) -> None:
    world = shop(2)
    if state == "Decided":
        contract = incident(world)
        vote(world, contract, "ada")
        world.decided(contract)
        execution: Execution = world.workflow.executions[contract]
        assert execution.state == "Decided"
    else:
        execution = until(world, state)
        if state == "Ask":
            run(world)
    world.workflow.stop(execution.name, "a test")
    sweep(world, 90)
    run(world)
    assert world.head(execution.name).status is ContractStatus.REFUSED
    assert world.lambdas.changes == 0
    ended(world)
    check(world)


@pytest.mark.parametrize("status", ["TIMED_OUT", "FAILED", "ABORTED"])
def test_f56_what_no_catch_can_catch_is_undone_by_the_sweep(status: str) -> None:
    """`States.Runtime`, `DataLimitExceeded`, a full history and the machine's own timeout end the execution, no Catch runs."""
    world = shop()
    execution = until(world, "Benchmark")
    execution.status = status
    assert sweep(world, 90).rolled_back == 1
    run(world)
    assert world.head(execution.name).status is ContractStatus.ROLLED_BACK
    assert status in world.head(execution.name).reason
    ended(world)


def test_f57_an_execution_that_is_gone_without_a_word_is_undone() -> None:
    """The status event is best effort, and ninety days later even the execution is forgotten."""
    world = shop()
    execution = until(world, "Verify")
    del world.workflow.executions[execution.name]
    assert sweep(world, 90).rolled_back == 1
    run(world)
    assert world.head(execution.name).status is ContractStatus.ROLLED_BACK
    assert "gone" in world.head(execution.name).reason
    ended(world)


def test_f55_without_the_sweep_it_would_stay_half_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant."""
    monkeypatch.setattr(reap_door, "_contract", lambda *_: "")
    world = shop()
    execution = until(world, "Benchmark")
    world.workflow.stop(execution.name, "a test")
    sweep(world, 600)
    run(world)
    with pytest.raises(AssertionError, match="I29"):
        ended(world)


def test_an_execution_that_runs_and_is_overdue_is_stopped_and_undone() -> None:
    world = shop()
    execution = until(world, "Benchmark")
    overdue = world.head(execution.name).deadline
    world.clock.advance((overdue - world.clock.now()).total_seconds() - 1)
    assert sweep(world).rolled_back == 0
    assert sweep(world, 1).rolled_back == 1
    run(world)
    assert world.workflow.status(execution.name) == "ABORTED"
    assert world.head(execution.name).status is ContractStatus.ROLLED_BACK
    assert world.head(execution.name).reason.endswith("overdue")
    ended(world)


def test_an_execution_at_work_and_in_time_is_left_alone() -> None:
    world = shop()
    until(world, "Verify")
    assert sweep(world, 61).rolled_back == 0
    run(world)
    assert [h.status for h in heads(world)] == [ContractStatus.VERIFIED]
