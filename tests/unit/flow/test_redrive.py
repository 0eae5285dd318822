"""F55: an execution that failed can be redriven for fourteen days, at the step it failed in. A closed contract bears it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from grace.errors import Refused
from grace.flow import gate
from grace.flow.execute import execute
from grace.flow.loading import load, ticket_for
from grace.flow.rollback import rollback
from grace.flow.snapshot import snapshot
from grace.model.contract import Call, Contract, ContractStatus
from grace.model.entry import ref
from tests.support.machine import Execution
from tests.support.matrix import HELD, NOT_HELD, lives
from tests.support.world import World
from tests.unit.flow.scenes import check, ended, heals, run, shop, stays_bad, sweep, until

Look = tuple[Any, ...]


def look(world: World, contract: str) -> Look:
    """Return all that a redrive could change."""
    return (
        world.head(contract),
        len(world.store.story(contract)),
        world.lambdas.changes,
        world.lambdas.version_of("shop", "live"),
        len(world.messages.notified),
        len(world.messages.published),
    )


def redrive(world: World, execution: Execution, state: str) -> None:
    """Let Step Functions go on with the same input at the step that failed."""
    execution.state, execution.status, execution.token, execution.tries = state, "RUNNING", "", {}
    execution.visited.clear()
    run(world)


STATES = ("Snapshot", "Baseline", "Execute", "Settle", "Benchmark", "Verify", "Rollback", "Close")


@pytest.mark.parametrize("state", STATES)
def test_f55_redriven_after_the_sweep_closed_it_nothing_more_happens(state: str) -> None:
    """Stopped, undone or refused by the sweep, closed; and then somebody redrives what was stopped."""
    world = shop()
    world.between = stays_bad if state == "Rollback" else heals
    execution = until(world, state)
    world.workflow.stop(execution.name, "somebody pressed the button")
    sweep(world, 90)
    run(world)
    before = look(world, execution.name)
    assert before[0].closed

    redrive(world, execution, state)

    assert look(world, execution.name) == before
    assert execution.status != "RUNNING"
    ended(world)
    check(world)


@pytest.mark.parametrize("reality", [heals, stays_bad])
@pytest.mark.parametrize("state", ["Snapshot", "Execute", "Rollback"])
def test_f55_redriven_after_its_own_end_nothing_more_happens(
    state: str, reality: Callable[[World, Execution], None]
) -> None:
    world = shop()
    world.between = reality
    execution = until(world, "Execute")
    run(world)
    before = look(world, execution.name)
    assert before[0].status is (ContractStatus.VERIFIED if reality is heals else ContractStatus.ROLLED_BACK)

    redrive(world, execution, state)

    assert look(world, execution.name) == before
    assert "Settle" not in execution.visited, "what has ended is not carried on"


def closed(status: ContractStatus) -> tuple[Any, Call]:
    """Return a world whose one contract has ended so, and the call of a step of it."""
    playbook = "reboot_instance" if status is ContractStatus.SAFE_HOLD else "roll_back_lambda_alias"
    scene = lives(playbook, HELD if status is ContractStatus.VERIFIED else NOT_HELD).run()
    [contract] = scene.contracts()
    assert scene.head(contract).status is status
    body = scene.state.read(where := ref(Contract, contract)).need(where)
    ticket = ticket_for(body, needs_approval=False)
    assert load(ticket, scene).head.closed
    return scene, Call.model_validate({"ticket": ticket, "step": "execute"})


ENDS = (ContractStatus.VERIFIED, ContractStatus.ROLLED_BACK, ContractStatus.SAFE_HOLD)


@pytest.mark.parametrize("status", ENDS)
def test_f55_execute_and_snapshot_of_a_closed_contract_are_refused_and_its_rollback_does_nothing(
    status: ContractStatus,
) -> None:
    scene, call = closed(status)
    made, head = len(scene.effects.made), scene.head(call.ticket.contract_id)
    for step in (execute, snapshot):
        with pytest.raises(Refused) as refused:
            step(call, scene)
        assert refused.value.code == status.value
    assert rollback(call, scene) == call.ticket
    assert (len(scene.effects.made), scene.head(call.ticket.contract_id)) == (made, head)


def test_f55_without_the_look_at_the_end_a_redrive_would_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: what was done is taken for what this execution did, and the workflow carries on."""
    world = shop()
    execution = until(world, "Execute")
    run(world)
    monkeypatch.setattr(gate, "not_ended", lambda _head: None)
    redrive(world, execution, "Execute")
    assert "Settle" in execution.visited
