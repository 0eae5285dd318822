"""D24 and F59: a service that does not answer is left alone, one contract at a time asks whether it is back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from grace.errors import AnswerLost, Refused, Throttled
from grace.flow import breaker as room
from grace.flow import gate, standing
from grace.flow.breaker import PROBE, RECOVERY, THRESHOLD, answered, failed, may_call, probing
from grace.model.contract import ContractStatus
from grace.model.entry import ref
from grace.model.records import Breaker
from tests.support.playbooks import ROLL_BACK_ALIAS
from tests.support.world import START, World, alarm_event

CLOSED = Breaker(service="lambda")


def after_failures(count: int) -> Breaker:
    breaker = CLOSED
    for _ in range(count):
        breaker = failed(breaker, "c-1", START)
    return breaker


def test_d24_five_failures_in_a_row_open_it() -> None:
    assert after_failures(THRESHOLD - 1).opened_at is None
    opened = after_failures(THRESHOLD)
    assert opened.opened_at == START
    with pytest.raises(Refused, match="left alone"):
        may_call(opened, "c-2", START, begun=False)


def test_d24_a_success_starts_the_count_again() -> None:
    almost = after_failures(THRESHOLD - 1)
    closed = answered(almost)
    assert closed is not None
    assert failed(closed, "c-1", START).opened_at is None
    assert answered(CLOSED) is None


def test_d24_after_the_recovery_time_one_contract_probes_and_its_end_decides() -> None:
    opened, later = after_failures(THRESHOLD), START + RECOVERY
    may_call(opened, "c-2", later, begun=False)
    probed = probing(opened, "c-2", later)
    assert probed is not None
    may_call(probed, "c-2", later, begun=True)
    with pytest.raises(Refused, match="c-2 is finding out"):
        may_call(probed, "c-3", later, begun=False)
    may_call(probed, "c-3", later + PROBE, begun=False)
    assert failed(probed, "c-2", later).opened_at == later
    back = answered(probed)
    assert back is not None
    may_call(back, "c-3", later, begun=False)


def test_a_contract_that_began_before_it_opened_does_not_probe() -> None:
    with pytest.raises(Refused):
        may_call(after_failures(THRESHOLD), "c-2", START + RECOVERY + PROBE, begun=True)


class Throttling:
    """`ports.Aws` whose changes are refused while `on`; `tried` counts them."""

    def __init__(self, world: World, error: Exception) -> None:
        self.aws, self.error, self.on, self.tried = world.aws, error, True, 0
        world.aws = self

    def call(self, service: str, operation: str, /, **arguments: Any) -> dict[str, Any]:
        if operation == "update_alias" and self.on:
            self.tried += 1
            raise self.error
        found: dict[str, Any] = self.aws.call(service, operation, **arguments)
        return found


def service(world: World) -> Breaker | None:
    where = ref(Breaker, "lambda")
    found: Breaker | None = world.store.read(where).get(where)
    return found


def again(world: World, minutes: int) -> str:
    """Let the alarm fire anew after the cooldown, and run what follows; the contract's status."""
    known = set(world.contracts())
    world.clock.advance(minutes * 60)
    now = world.clock.now()
    world.traffic(now - timedelta(minutes=40), now - timedelta(minutes=3), errors=0.0)
    world.traffic(now - timedelta(minutes=3), now + timedelta(minutes=1), errors=20.0)
    world.alarm("ALARM", now)
    world.fire(alarm_event("ALARM", now))
    world.settle()
    [fresh] = set(world.contracts()) - known
    return world.head(fresh).status.value


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The playbook's own breaker stays out of it: it would open before the service's has shown what it does."""
    monkeypatch.setattr(standing, "THRESHOLD", 10_000)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("error", [Throttled("slow down"), AnswerLost("no answer")], ids=["throttled", "lost"])
def test_f59_a_service_that_answers_nobody_is_not_stormed(error: Exception) -> None:
    world = World((ROLL_BACK_ALIAS,))
    world.shop()
    wall = Throttling(world, error)
    world.fire(alarm_event())
    world.settle()
    first = world.head(world.contracts()[0])
    assert first.status is ContractStatus.ROLLED_BACK
    assert world.lambdas.changes == 0
    tries = wall.tried

    statuses = [again(world, 20) for _ in range(4)]

    opened = service(world)
    assert opened is not None
    assert opened.opened_at is not None
    assert set(statuses) <= {"rolled_back", "refused"}
    assert wall.tried - tries <= THRESHOLD + 4, "open, each further contract may try once, as the probe"

    wall.on = False
    world.between = lambda here, execution: here.heal() if execution.state == "Benchmark" else None
    assert again(world, 61) == "verified"
    closed = service(world)
    assert closed is not None
    assert (closed.failures, closed.opened_at) == (0, None)


@pytest.mark.usefixtures("patient")
def test_without_the_breaker_every_contract_storms_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: nothing is ever refused, and each contract brings all its retries."""
    monkeypatch.setattr(room, "THRESHOLD", 10_000)
    world = World((ROLL_BACK_ALIAS,))
    world.shop()
    wall = Throttling(world, Throttled("slow down"))
    world.fire(alarm_event())
    world.settle()
    tries = wall.tried
    for _ in range(4):
        again(world, 61)
    assert wall.tried - tries > THRESHOLD + 4


def test_the_rollback_runs_while_it_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    def open_for_all(*_: Any, **__: Any) -> None:
        raise Refused("breaker_open", "left alone")

    world = World((ROLL_BACK_ALIAS,))
    world.shop()
    world.between = lambda _world, execution: (
        monkeypatch.setattr(gate, "may_call", open_for_all) if execution.state == "Settle" else None
    )
    world.fire(alarm_event())
    world.settle()
    assert world.head(world.contracts()[0]).status is ContractStatus.ROLLED_BACK
    assert (world.lambdas.version_of("shop", "live"), world.lambdas.changes) == ("2", 2)
