"""What must still be so directly before a side effect: kill switch, lease and fence, limits, snapshot, the resource."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from grace.errors import (
    AccessDenied,
    Busy,
    GraceError,
    IntegrityError,
    NotFound,
    StaleFence,
    Throttled,
    Unavailable,
)
from grace.flow import gate
from grace.flow.execute import execute
from grace.flow.rollback import rollback
from grace.flow.snapshot import lease_seconds
from grace.flow.snapshot import snapshot as take_snapshot
from grace.model.contract import Contract, ContractStatus, Pointer
from grace.model.entry import Commit, EntryDraft
from grace.model.records import KillSwitch, Lease, Step
from grace.stores.memory import MemoryStore
from grace.stores.rows import row_of
from tests.support.machine import Execution
from tests.support.world import START, World, alarm_event, shop_metric
from tests.unit.flow.scenes import (
    SHOP,
    call_of,
    check,
    ended,
    every,
    first_time,
    heads,
    heals,
    incident,
    missions,
    need,
    order,
    put_alarm,
    read,
    run,
    second_release,
    shop,
    stays_bad,
    sweep,
    until,
)

AFTER_THE_ACTION = ("Settle", "Benchmark", "Verify", "Verdict")
BEFORE_THE_ACTION = ("Mode", "NeedsApproval", "Snapshot", "Baseline", "Execute")


# -- F60, I36: the kill switch


@pytest.mark.parametrize("state", BEFORE_THE_ACTION)
def test_f60_the_kill_switch_thrown_before_the_action_lets_nothing_new_happen(state: str) -> None:
    world = shop()
    world.between = first_time(state, lambda world: order(world, "stop"))
    contract = incident(world)
    assert world.head(contract).status is ContractStatus.REFUSED
    assert "kill switch" in world.head(contract).reason
    assert world.lambdas.changes == 0
    ended(world)
    check(world)


@pytest.mark.parametrize("state", AFTER_THE_ACTION)
def test_f60_thrown_after_the_action_the_rollback_still_runs(state: str) -> None:
    world = shop()
    world.between = first_time(state, lambda world: order(world, "stop"), then=stays_bad)
    contract = incident(world)
    assert world.head(contract).status is ContractStatus.ROLLED_BACK
    assert world.lambdas.version_of("shop", "live") == "2"
    ended(world)
    check(world)


def test_f60_thrown_between_the_gate_and_the_intent_it_is_seen_by_the_transaction() -> None:
    """The gate read it as absent; the intent's transaction requires that it still is."""
    world = shop()
    execution = until(world, "Execute")
    real = world.aws.handlers["lambda", "get_alias"]
    thrown: list[int] = []

    def between_gate_and_intent(**arguments: Any) -> dict[str, Any]:
        if not thrown:
            thrown.append(1)
            order(world, "stop")
        return dict(real(**arguments))

    world.aws.handlers["lambda", "get_alias"] = between_gate_and_intent
    world.machine.run(execution)
    assert thrown
    assert world.lambdas.changes == 0
    assert world.head(execution.name).status is ContractStatus.REFUSED


def test_f60_without_the_condition_on_what_the_gate_saw_it_would_act(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant of the test above."""
    monkeypatch.setattr(MemoryStore, "_check", lambda self, transaction: None)
    world = shop()
    execution = until(world, "Execute")
    real = world.aws.handlers["lambda", "get_alias"]
    thrown: list[int] = []

    def between_gate_and_intent(**arguments: Any) -> dict[str, Any]:
        if not thrown:
            thrown.append(1)
            order(world, "stop")
        return dict(real(**arguments))

    world.aws.handlers["lambda", "get_alias"] = between_gate_and_intent
    world.machine.step(execution)
    assert world.lambdas.changes == 1


@pytest.mark.parametrize("error", [Throttled, Unavailable, AccessDenied, NotFound, IntegrityError])
def test_f60_an_unreadable_kill_switch_counts_as_thrown(error: type[GraceError]) -> None:
    world = shop()
    break_reads_of(world, KillSwitch, error)
    contract = incident(world)
    assert world.head(contract).status is ContractStatus.REFUSED
    assert world.lambdas.changes == 0
    ended(world)


def test_f60_an_unreadable_kill_switch_does_not_hinder_the_rollback() -> None:
    world = shop()
    world.between = first_time("Settle", lambda world: break_reads_of(world, KillSwitch, AccessDenied), then=stays_bad)
    contract = incident(world)
    assert world.head(contract).status is ContractStatus.ROLLED_BACK


def break_reads_of(world: World, kind: type[Any], error: type[GraceError]) -> None:
    """From now on every read that asks for such an item fails."""
    real = world.store.read

    def reads(*refs: Any, stream: str = "") -> Any:
        if any(each.kind is kind for each in refs):
            raise error(f"{kind.__name__} cannot be read")
        return real(*refs, stream=stream)

    world.store.read = reads


def test_the_kill_switch_is_lifted_by_resume_and_contracts_run_again() -> None:
    world = shop()
    order(world, "stop", reason="a drill")
    assert "is on" in order(world, "stop")
    first = incident(world)
    assert world.head(first).status is ContractStatus.REFUSED
    order(world, "resume")
    order(world, "retry", missions(world)[0].mission_id)
    run(world)
    assert world.head(world.contracts()[-1]).status is ContractStatus.VERIFIED
    assert "operator.stop" in [e.type for e in world.store.story("sys:kill")]
    check(world)


# -- F49, I28: no snapshot, no side effect


@pytest.mark.parametrize("fault", ["vault refuses", "vault loses it", "bytes differ", "another contract's"])
def test_f49_without_a_whole_snapshot_nothing_is_done(fault: str) -> None:
    world = shop()
    match fault:
        case "vault refuses":
            world.vault.put = failing(AccessDenied("no"))
        case "vault loses it":
            world.between = first_time("Execute", lambda world: world.vault._objects.clear())
        case "bytes differ":
            world.between = first_time("Execute", spoil)
        case _:
            world.vault.get = lambda pointer: swapped(world, pointer)
    contract = incident(world)
    assert world.lambdas.changes == 0
    assert world.head(contract).status is ContractStatus.REFUSED
    assert read(world, Step, contract, "execute") is None
    ended(world)
    check_lease_is_free(world)


def spoil(world: World) -> None:
    [key] = world.vault._objects
    world.vault._objects[key] = world.vault._objects[key].replace(b'"2"', b'"7"')


def swapped(world: World, pointer: Pointer) -> bytes:
    """A snapshot that is whole, and was taken for another contract."""
    body: bytes = world.vault._objects[pointer.key]
    return body.replace(world.contracts()[0].encode(), b"c-" + b"a" * 26)


def failing(error: GraceError) -> Callable[..., Any]:
    def fails(*_: Any, **__: Any) -> Any:
        raise error

    return fails


def check_lease_is_free(world: World) -> None:
    assert not [lease.resource for lease in every(world, Lease) if lease.owner]


def test_f49_without_the_check_of_the_snapshot_it_would_act(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: the gate takes the snapshot's existence for granted."""
    world = shop()
    execution = until(world, "Execute")
    kept = gate.read_snapshot(world.head(execution.name), world)
    world.vault._objects.clear()
    monkeypatch.setattr(gate, "read_snapshot", lambda head, services: kept)
    execute(call_of(execution, "execute"), world)
    assert world.lambdas.changes == 1


# -- F50, I26, I32: lease and fence


def rival(world: World) -> Execution:
    """A second contract on the same alias, from another alarm of another group, drafted while the first is at work."""
    down = shop_metric("HealthCheckFailed", "Sum")
    put_alarm(world, "shop-down", down, at=world.clock.now())
    world.metrics.put(down, [(int(START.timestamp()) - 60 * n, 9.0) for n in range(40)])
    assert world.fire(alarm_event("ALARM", world.clock.now(), name="shop-down", metric=down)) == []
    world.draft()
    execution: Execution = world.workflow.executions[world.contracts()[-1]]
    return execution


def test_f50_a_resource_at_work_is_busy_for_another_contract() -> None:
    world = shop()
    world.fire(alarm_event())
    world.draft()
    second = rival(world)
    first = until(world, "Execute", world.contracts()[0])
    assert second.name != first.name
    until(world, "Snapshot", second.name)
    with pytest.raises(Busy, match=first.name):
        take_snapshot(call_of(second, "snapshot"), world)
    assert need(world, Lease, SHOP).owner == first.name


def test_f50_after_a_lapse_the_second_worker_acts_and_the_first_ones_fence_is_refused() -> None:
    world = shop()
    world.fire(alarm_event())
    world.draft()
    second = rival(world)
    first = until(world, "Execute", world.contracts()[0])
    seconds = lease_seconds(need(world, Contract, first.name))
    world.clock.advance(seconds)
    until(world, "Baseline", second.name)
    lease = need(world, Lease, SHOP)
    assert (lease.owner, lease.fence) == (second.name, 2)
    with pytest.raises(StaleFence):
        execute(call_of(first, "execute"), world)
    world.machine.run(first)
    assert world.head(first.name).status is ContractStatus.REFUSED
    assert need(world, Lease, SHOP).owner == second.name, "the loser's close leaves the winner's lease alone"
    assert world.lambdas.changes == 0
    run(world)
    assert world.lambdas.changes >= 1
    ended(world)
    check(world)


def test_f50_a_lapsed_lease_of_a_contract_that_began_to_act_frees_nothing() -> None:
    world = shop()
    world.fire(alarm_event())
    world.draft()
    second = rival(world)
    first = until(world, "Settle", world.contracts()[0])
    world.workflow.stop(first.name, "a test")
    world.clock.advance(20_000)
    until(world, "Snapshot", second.name)
    with pytest.raises(Busy):
        take_snapshot(call_of(second, "snapshot"), world)
    sweep(world)
    world.between = lambda world, execution: None
    run(world)
    assert world.head(first.name).status is ContractStatus.ROLLED_BACK
    check(world)


def test_f50_a_lease_that_ends_too_soon_starts_nothing() -> None:
    world = shop()
    execution = until(world, "Execute")
    seconds = lease_seconds(need(world, Contract, execution.name))
    world.clock.advance(seconds - 30)
    world.machine.run(execution)
    assert world.head(execution.name).status is ContractStatus.REFUSED
    assert "ends too soon" in world.head(execution.name).reason
    assert world.lambdas.changes == 0


@pytest.mark.parametrize("taken", [{"owner": "c-other", "fence": 9}, {"fence": 9}], ids=["another", "a later fence"])
def test_f50_who_does_not_hold_the_present_fence_neither_acts_nor_rolls_back(taken: dict[str, Any]) -> None:
    acting, undoing = shop(), shop()
    for world, state in ((acting, "Execute"), (undoing, "Settle")):
        until(world, state)
        lease = need(world, Lease, SHOP)
        changed = lease.model_copy(update={**taken, "version": lease.version + 1})
        world.store._partitions[f"R#{SHOP}"]["lease"] = row_of(changed)
    with pytest.raises(StaleFence):
        execute(call_of(until(acting, "Execute"), "execute"), acting)
    with pytest.raises(StaleFence):
        rollback(call_of(until(undoing, "Settle"), "rollback"), undoing)
    assert acting.lambdas.changes == 0
    assert undoing.lambdas.version_of("shop", "live") == "1"


def test_i32_the_store_refuses_a_smaller_fence() -> None:
    world = shop()
    contract = incident(world)
    head = world.head(contract)
    lease = need(world, Lease, SHOP)
    with pytest.raises(StaleFence):
        world.store.commit(
            Commit(
                command="k-smaller",
                head=head.model_copy(update={"updated_at": head.updated_at}),
                was=head,
                entries=(EntryDraft(type="contract.forged"),),
                at=world.clock.now(),
                actor="nobody",
                subsystem="test",
                items=(lease.model_copy(update={"fence": 0}),),
            )
        )


def test_safe_hold_keeps_everybody_of_ours_away_until_a_person_releases_it() -> None:
    world = shop()
    world.lambdas.functions["shop"]["versions"].append("3")

    def third_party(world: World) -> None:
        world.lambdas.alias("shop", "live", "3")

    world.between = first_time("Settle", third_party, then=stays_bad)
    contract = incident(world)
    assert world.head(contract).status is ContractStatus.SAFE_HOLD
    assert need(world, Lease, SHOP).hold == contract
    world.clock.advance(7200)
    world.between = heals
    second_release(world)
    second = world.contracts()[-1]
    assert world.head(second).status is ContractStatus.REFUSED
    assert "safe-hold" in world.head(second).reason
    assert "out of safe-hold" in order(world, "release", SHOP)
    order(world, "retry", missions(world)[-1].mission_id)
    run(world)
    assert world.head(world.contracts()[-1]).status is ContractStatus.VERIFIED
    ended(world)
    check(world)


# -- the resource itself


@pytest.mark.parametrize("tier", [1, 2])
def test_a_resource_that_is_not_opted_in_any_more_is_not_touched(tier: int) -> None:
    world = shop(tier)
    world.lambdas.functions["shop"]["tags"].clear()
    world.fire(alarm_event())
    run(world)
    assert heads(world) == []
    assert "grace:managed=true" in world.messages.notified[0][2]
    assert world.lambdas.changes == 0
