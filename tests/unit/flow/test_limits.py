"""Limits hold, also under twenty workers at the same moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest

from grace.errors import (
    Conflict,
    Refused,
)
from grace.flow import gate
from grace.flow.execute import execute
from grace.flow.gate import hour_of
from grace.model.contract import ContractStatus
from grace.model.records import InFlight, Lease, Step
from tests.support.machine import Execution
from tests.support.playbooks import catalogued, roll_back_alias
from tests.support.world import START, World
from tests.unit.flow.scenes import (
    SHOP,
    add_service,
    call_of,
    check,
    ended,
    every,
    heads,
    incident,
    need,
    read,
    run,
    second_release,
    service_event,
    shop,
    until,
)

# -- limits: F61, I35


def fleet(count: int, **limits: Any) -> World:
    """So many services with a bad release each, one playbook with its limits, all alarms fired and drafted."""
    in_flight = limits.pop("in_flight", 100)
    spec = roll_back_alias().spec
    wanted = spec.model_copy(update={"limits": spec.limits.model_copy(update=limits)})
    world = World((catalogued(wanted),), global_in_flight=in_flight)
    for n in range(count):
        [alarm] = add_service(world, f"svc{n}")
        assert world.fire(service_event(f"svc{n}", alarm)) == []
    world.draft()
    assert len(world.contracts()) == count
    return world


def to_execute(world: World) -> list[Execution]:
    executions = [world.workflow.executions[name] for name in world.contracts()]
    for execution in executions:
        until(world, "Execute", execution.name)
    return executions


@pytest.mark.parametrize("per_hour", [1, 3, 7])
def test_f61_twenty_contracts_side_by_side_keep_the_playbooks_hourly_limit(per_hour: int) -> None:
    world = fleet(20, per_hour=per_hour)
    run(world)
    acted = [h for h in heads(world) if read(world, Step, h.contract_id, "execute")]
    assert len(acted) == per_hour
    assert world.lambdas.changes <= 2 * per_hour, "each acted once and was put back at most once"
    refused = [h for h in heads(world) if h.status is ContractStatus.REFUSED]
    assert len(refused) == 20 - per_hour
    assert all("which is its limit" in h.reason for h in refused)
    ended(world)
    check(world)


@pytest.mark.parametrize("limit", ["per_hour", "in_flight"])
def test_f61_twenty_workers_at_the_same_moment_keep_the_limit(limit: str) -> None:
    """Twenty threads at the gate at once: it is the transaction that counts, not what each has read."""
    world = fleet(20, **({"per_hour": 3} if limit == "per_hour" else {"per_hour": 100, "in_flight": 3}))
    executions = to_execute(world)
    barrier = Barrier(20)

    def act(execution: Execution) -> None:
        barrier.wait()
        for _ in range(50):
            try:
                execute(call_of(execution, "execute"), world)
            except Conflict:
                continue
            except Refused:
                return
            return

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(act, executions))
    assert len(every(world, Step)) == 3
    assert world.lambdas.changes == 3
    check(world)


def test_f61_without_the_count_in_the_transaction_more_would_act(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: the gate reads limits and nobody counts."""
    monkeypatch.setattr(gate, "_limits", lambda *_: None)
    world = fleet(5, per_hour=1)
    run(world)
    assert sum(step.name == "execute" for step in every(world, Step)) == 5


def test_the_global_limit_holds_and_is_given_back_at_the_end() -> None:
    world = fleet(4, per_hour=100, in_flight=2)
    executions = to_execute(world)
    for execution in executions:
        world.machine.step(execution)
    assert len(need(world, InFlight).contracts) == 2
    assert world.lambdas.changes == 2
    run(world)
    assert need(world, InFlight).contracts == ()
    assert sum(h.status is ContractStatus.REFUSED for h in heads(world)) == 2
    ended(world)


def test_the_hourly_limit_counts_by_the_clock_hour() -> None:
    world = fleet(2, per_hour=1)
    first, second = world.contracts()
    world.machine.run(world.workflow.executions[first])
    assert need(world, InFlight).used("roll_back_lambda_alias", hour_of(START)) == 1
    world.clock.advance(3600)
    until(world, "Settle", second)
    assert need(world, InFlight).acted == {"roll_back_lambda_alias": 1}
    assert need(world, InFlight).hour == hour_of(world.clock.now())


def test_a_clock_that_is_behind_counts_in_the_later_hour() -> None:
    later = (
        InFlight().joined("c-1", "p", "2026013113").joined("c-2", "p", "2026013112").joined("c-1", "q", "2026013112")
    )
    assert (later.hour, later.acted, later.contracts) == ("2026013113", {"p": 2, "q": 1}, ("c-1", "c-2"))
    assert (later.used("p", "2026013112"), later.used("p", "2026013113"), later.used("p", "2026013114")) == (2, 2, 0)
    assert later.joined("c-3", "q", "2026013114").acted == {"q": 1}


@pytest.mark.parametrize(("seconds", "acts"), [(890, False), (910, True)])
def test_a_resource_is_left_alone_for_its_cooldown(seconds: int, acts: bool) -> None:
    world = shop()
    first = incident(world)
    acted = need(world, Lease, SHOP).last_action_at
    assert acted is not None
    world.clock.advance((acted + timedelta(seconds=seconds) - world.clock.now()).total_seconds())
    second_release(world)
    second = world.contracts()[-1]
    assert second != first
    assert world.head(second).status is (ContractStatus.VERIFIED if acts else ContractStatus.REFUSED)
    assert acts or "not again before" in world.head(second).reason
    check(world)
