"""What is not written: nothing that the next transaction can carry, and no deadline that need not move."""

from __future__ import annotations

from datetime import timedelta

import pytest

from grace.model.base import canonical
from grace.model.contract import Baseline, BeforeLine, Contract, ContractStatus, Ticket
from grace.model.records import Evidence, Lease, Step
from tests.support.world import START
from tests.unit.flow.scenes import ended, incident, need, run, shop, story, until, vote


def test_the_time_before_the_action_is_kept_in_the_transaction_of_the_intent() -> None:
    world = shop()
    execution = until(world, "Execute")
    written = story(world, execution.name)
    assert "baseline" in execution.document
    assert "contract.measured" not in written

    until(world, "Settle", execution.name)
    kept = need(world, Step, execution.name, "execute").baseline
    entry = next(e for e in world.store.story(execution.name) if e.type == "contract.executing")
    assert kept
    assert kept.lines
    assert entry.body["before"] == {line.id: line.result for line in kept.lines}
    assert {line.id for line in kept.lines} <= {line.id for line in need(world, Contract, execution.name).expect}
    assert execution.document["baseline"] is None


@pytest.mark.parametrize("tier", [1, 2])
def test_a_deadline_does_not_move_on_the_way_from_the_start_to_the_verdict(tier: int) -> None:
    world = shop(tier)
    contract = incident(world)
    if tier > 1:
        vote(world, contract, "ada")
    start = world.head(contract).deadline
    run(world)
    assert world.head(contract).status is ContractStatus.VERIFIED
    assert world.head(contract).deadline == start


def test_a_deadline_moves_when_the_action_is_late_so_that_the_verdict_has_its_time() -> None:
    world = shop()
    execution = until(world, "Execute")
    start = world.head(execution.name).deadline
    world.clock.advance(400)
    until(world, "Settle", execution.name)
    head, settle = world.head(execution.name), need(world, Contract, execution.name).settle
    assert head.acted_at is not None
    assert head.deadline > start
    assert head.deadline >= head.acted_at + timedelta(seconds=2 * settle + 600)


def test_a_contract_is_overdue_before_its_lease_ends() -> None:
    world = shop()
    execution = until(world, "Benchmark")
    head = world.head(execution.name)
    assert head.deadline <= need(world, Lease, head.resource).until
    world.settle()
    ended(world)


def test_a_ticket_with_all_lines_it_may_carry_stays_small() -> None:
    world = shop(2)
    ticket = Ticket.model_validate(until(world, "Ask").document)
    line = BeforeLine(id="e12", result="inconclusive", observed="-1.23457e+06", samples=300, supporting=300)
    full = ticket.model_copy(update={"baseline": Baseline(taken_at=START, lines=(line,) * 12)})
    assert full.preflight
    assert len(canonical(full.model_dump(mode="json"))) <= 2048


def test_the_preflight_is_kept_with_the_question_to_people() -> None:
    world = shop(2)
    execution = until(world, "Ask")
    assert story(world, execution.name) == ["contract.drafted"]

    run(world)
    kept, head = need(world, Evidence, execution.name, "preflight"), world.head(execution.name)
    assert head.status is ContractStatus.AWAITING_APPROVAL
    assert head.preflight == kept.state_digest == need(world, Contract, execution.name).state_digest
    assert kept.observations[0].result == "passed"


@pytest.mark.parametrize("proof", [None, {"taken_at": "2026-01-31T12:00:00Z", "state": "another"}])
def test_nobody_is_asked_without_a_preflight_of_this_contract(proof: dict[str, str] | None) -> None:
    world = shop(2)
    execution = until(world, "Ask")
    execution.document["preflight"] = proof
    run(world)
    assert world.head(execution.name).status is ContractStatus.REFUSED
    assert "approval.requested" not in story(world, execution.name)
