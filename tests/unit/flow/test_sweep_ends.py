"""`reap` on rollbacks, approvals and orders that did not come to their end by themselves."""

from __future__ import annotations

import json
from typing import Any

import pytest

from grace.errors import AccessDenied, NotFound, Throttled, Unavailable
from grace.flow import reap as reap_door
from grace.flow.loading import advance, load, ticket_for
from grace.flow.reap import Swept, reap
from grace.model.approval import Approval, ApprovalStatus
from grace.model.contract import Contract, ContractStatus
from grace.model.entry import EntryDraft
from grace.model.metric import Metric
from grace.model.mission import Mission, MissionStatus
from grace.model.records import Lease, Outcome, StopOrder
from tests.support.machine import WorkerDied
from tests.support.scenes import Scene
from tests.support.world import World, shop_metric
from tests.unit.flow.scenes import (
    SHOP,
    check,
    ended,
    every,
    incident,
    missions,
    need,
    order,
    put_alarm,
    run,
    shop,
    stays_bad,
    story,
    sweep,
    until,
)

# -- rollback executions that fail themselves


def test_a_rollback_execution_that_never_started_is_started_under_its_own_name() -> None:
    world = shop()
    execution = until(world, "Benchmark")
    world.workflow.stop(execution.name, "a test")
    real = world.workflow.start
    world.workflow.start = lambda *_: (_ for _ in ()).throw(Unavailable("later"))
    assert sweep(world, 90).failed == 1
    assert world.telemetry.counts[Metric.REAP_FAILURES] == 1
    world.workflow.start = real
    assert sweep(world, 90).rolled_back == 1
    run(world)
    assert [n for n in world.workflow.executions if "-rb-" in n] == [f"{execution.name}-rb-1"]
    assert world.head(execution.name).status is ContractStatus.ROLLED_BACK
    ended(world)


def test_a_rollback_execution_that_was_stopped_is_followed_by_the_next() -> None:
    world = shop()
    execution = until(world, "Benchmark")
    order(world, "rollback", execution.name)
    world.workflow.stop(f"{execution.name}-rb-1", "a test")
    assert sweep(world, 90).rolled_back == 1
    run(world)
    assert world.workflow.status(f"{execution.name}-rb-2") == "SUCCEEDED"
    assert world.head(execution.name).status is ContractStatus.ROLLED_BACK
    ended(world)
    check(world)


@pytest.mark.parametrize("helped", [True, False])
def test_a_contract_that_ended_and_could_not_close_itself_is_closed(helped: bool) -> None:
    world = shop()
    if not helped:
        world.between = stays_bad
    execution = until(world, "Close")
    real = world.machine.doors["close"]

    def dies(_: Any) -> Any:
        raise WorkerDied

    world.machine.doors["close"] = dies
    world.machine.run(execution)
    assert execution.status == "FAILED"
    world.machine.doors["close"] = real
    before = world.head(execution.name)
    assert before.terminal
    assert not before.closed
    assert need(world, Lease, SHOP).owner == execution.name
    assert sweep(world, 90).failed == 0
    run(world)
    after = world.head(execution.name)
    assert (after.status, after.closed) == (before.status, True)
    assert need(world, Lease, SHOP).owner == ""
    assert need(world, Outcome, execution.name).status is before.status
    assert missions(world)[0].status is MissionStatus.CLOSED
    check(world)


# -- approvals


def test_an_approval_whose_time_is_over_is_expired_and_the_workflow_ends() -> None:
    world = shop(2)
    contract = incident(world)
    assert sweep(world, 1799).expired == 0
    assert sweep(world, 2).expired == 1
    run(world)
    assert world.head(contract).status is ContractStatus.EXPIRED
    assert need(world, Approval, contract, "1").status is ApprovalStatus.EXPIRED
    assert "approval.expired" in story(world, contract)
    ended(world)
    check(world)


@pytest.mark.parametrize("late", [0, 60, 121, 299, 3600])
def test_an_approval_found_late_is_expired_once_and_nothing_fails(late: int) -> None:
    """The sweep that expires it must not take the same contract for overdue."""
    world = shop(2)
    contract = incident(world)
    swept = sweep(world, 1801 + late)
    assert (swept.expired, swept.rolled_back, swept.failed) == (1, 0, 0)
    run(world)
    assert world.head(contract).status is ContractStatus.EXPIRED
    assert Metric.REAP_FAILURES not in world.telemetry.counts
    assert sweep(world, 300).failed == 0
    ended(world)


def test_an_expiry_whose_wake_up_is_lost_is_closed_by_a_later_sweep() -> None:
    world = shop(2)
    contract = incident(world)
    sweep(world, 1801)
    world.settle()  # and no stream
    assert world.workflow.status(contract) == "RUNNING"
    assert sweep(world, 600).rolled_back == 1
    run(world)
    assert world.head(contract).status is ContractStatus.EXPIRED
    ended(world)


# -- orders that nobody heard


def test_an_order_to_stop_that_nobody_heard_is_carried_out() -> None:
    """The stream's event was lost: the head says stop, and no rollback was started."""
    world = shop()
    execution = until(world, "Settle")
    real = world.workflow.start
    world.workflow.start = lambda *_: (_ for _ in ()).throw(Unavailable("later"))
    with pytest.raises(Unavailable):
        order(world, "rollback", execution.name)
    world.workflow.start = real
    assert world.head(execution.name).stop
    sweep(world, 90)
    run(world)
    assert world.head(execution.name).status is ContractStatus.ROLLED_BACK
    ended(world)


def guard_breached(world: World, contract: str) -> None:
    """What triage writes when a guard alarm goes off; the stream that would carry it out is not run."""
    loaded = load(ticket_for(need(world, Contract, contract), needs_approval=False), world)
    advance(
        world,
        loaded,
        loaded.head.model_copy(update={"stop": "the guard alarm went off"}),
        door="triage",
        command=("guard", "x"),
        entries=[EntryDraft(type="contract.guard_breached")],
        items=[StopOrder(contract_id=contract, reason="the guard alarm went off", at=loaded.at)],
    )


def test_an_order_to_stop_that_nobody_heard_is_heeded_by_the_verdict() -> None:
    world = shop()
    execution = until(world, "Benchmark")
    guard_breached(world, execution.name)
    world.settle()  # and no stream
    assert world.head(execution.name).status is ContractStatus.ROLLED_BACK
    assert "guard alarm" in world.head(execution.name).reason


def test_an_order_to_stop_that_nobody_heard_is_carried_out_by_the_next_sweep_though_all_is_in_time() -> None:
    world = shop()
    execution = until(world, "Settle")
    guard_breached(world, execution.name)
    world.clock.advance(61)
    assert world.clock.now() < world.head(execution.name).deadline
    assert sweep(world).rolled_back == 1
    assert world.workflow.status(execution.name) == "ABORTED"
    world.settle()
    assert world.head(execution.name).status is ContractStatus.ROLLED_BACK
    assert world.head(execution.name).reason == "the guard alarm went off"
    ended(world)


# -- one that fails stops no other


def test_one_thing_that_fails_stops_no_other_and_is_counted() -> None:
    world = shop()
    execution = until(world, "Benchmark")
    world.workflow.stop(execution.name, "a test")
    put_alarm(world, "other", shop_metric("Duration", "p95"))
    real = world.workflow.status
    failed: list[str] = []

    def fails(name: str) -> Any:
        if not failed:
            failed.append(name)
            raise Throttled("slow down")
        return real(name)

    world.workflow.status = fails
    swept = sweep(world, 90)
    assert (swept.failed, swept.found) == (1, 1)
    assert world.telemetry.counts[Metric.REAP_FAILURES] == 1
    assert sweep(world).rolled_back == 1


def test_two_sweeps_at_once_start_one_rollback() -> None:
    world = shop()
    execution = until(world, "Benchmark")
    world.workflow.stop(execution.name, "a test")
    world.clock.advance(90)
    head = world.head(execution.name)
    assert reap_door._contract(head, world.clock.now(), world) == "rolled_back"
    assert reap_door._contract(head, world.clock.now(), world) == "", "it has just moved on"
    assert [n for n in world.workflow.executions if "-rb-" in n] == [f"{execution.name}-rb-1"]
    assert world.head(execution.name).rollbacks == 1


def test_a_sweep_over_a_quiet_world_writes_nothing() -> None:
    world = shop(bad=False)
    before = json.dumps(sorted(world.store._partitions))
    assert sweep(world, 300) == Swept()
    assert json.dumps(sorted(world.store._partitions)) == before
    assert every(world, Mission) == []


# -- a time to live that cannot be kept


@pytest.mark.parametrize("trouble", ["gone", "denied", "the snapshot is lost"])
def test_a_change_that_can_never_be_put_back_is_told_once_and_not_tried_for_ever(trouble: str) -> None:
    scene = Scene("increase_logging")
    scene.fire(scene.body)
    scene.settle()
    [contract] = scene.contracts()
    if trouble == "the snapshot is lost":
        scene.vault._objects.clear()
    else:
        error = NotFound("no such function") if trouble == "gone" else AccessDenied("no")
        scene.aws.handlers = dict.fromkeys(scene.aws.handlers, lambda **_: (_ for _ in ()).throw(error))
    for _ in range(6):
        scene.clock.advance(1000)
        reap(scene, lambda: scene.rulebook)
        scene.settle()
    executions = [name for name in scene.workflow.executions if "-rb-" in name]
    assert len(executions) == 1
    assert sum("not put back" in subject for _, subject, _ in scene.messages.notified) == 1
    assert scene.head(contract).status is ContractStatus.VERIFIED
