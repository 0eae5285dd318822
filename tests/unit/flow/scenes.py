"""Scenes for the tests of the flow: incidents, people, many services, and what must hold in any world at any moment."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

import pytest

from grace.errors import Refused
from grace.flow.answer import Answer, answer
from grace.flow.loading import advance, load, ticket_for
from grace.flow.operate import Order, operate
from grace.flow.reap import Swept, reap
from grace.flow.resolve import react
from grace.ledger.replay import replay
from grace.model.approval import Approval, Decision
from grace.model.base import Item
from grace.model.contract import TERMINAL, Call, Contract, ContractHead, ContractStatus, Ticket
from grace.model.entry import EntryDraft, ref
from grace.model.mission import Mission
from grace.model.records import Evidence, KillSwitch, Lease, Step, StopOrder
from grace.model.signal import MetricRef
from grace.ports import AlarmFacts
from grace.stores import keys
from grace.stores.rows import item_of
from tests.support.machine import Execution
from tests.support.playbooks import roll_back_alias
from tests.support.world import ACCOUNT, REGION, START, World, alarm_event, shop_metric

T = TypeVar("T", bound=Item)
Between = Callable[[World, Execution], None]

SHOP = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:shop:live"
GROUP = f"{ACCOUNT}/{REGION}/lambda/shop/errors"
SECOND = timedelta(seconds=1)
GOOD = frozenset({ContractStatus.VERIFIED, ContractStatus.PARTIAL})


def shop(tier: int = 1, *, bad: bool = True, **catalogue: Any) -> World:
    """A world with the shop in it, its release bad, one playbook, and a fix that will help."""
    world = World((roll_back_alias(tier),), **catalogue)
    world.shop(bad=bad)
    world.between = heals
    return world


def heals(world: World, execution: Execution) -> None:
    """What reality does after a good fix: the alarm's series is good again by the time it is measured."""
    if execution.state == "Benchmark":
        world.heal()


def stays_bad(world: World, execution: Execution) -> None:
    """What reality does after a fix that does not help: the errors go on."""
    if execution.state == "Benchmark":
        now = world.clock.now()
        world.traffic(now - timedelta(minutes=20), now + timedelta(minutes=1), errors=20.0)


def first_time(state: str, do: Callable[[World], object], then: Between = heals) -> Between:
    """Do something the first time an execution comes to a state; for the rest reality goes as `then` says."""
    done: list[str] = []

    def between(world: World, execution: Execution) -> None:
        then(world, execution)
        if execution.state == state and not done:
            done.append(state)
            do(world)

    return between


def run(world: World) -> None:
    """Run everything that can run, the table's stream included, until nothing moves any more."""
    while True:
        world.settle()
        before = [(e.name, e.state, e.status, e.token) for e in world.workflow.executions.values()]
        stream(world)
        if before == [(e.name, e.state, e.status, e.token) for e in world.workflow.executions.values()]:
            return


def stream(world: World) -> None:
    """Deliver every change of an approval and every order to stop to `resolve`, as the table's stream does: what it took
    is not given again."""
    for approval in every(world, Approval):
        change = (approval.ids, approval.version)
        if change not in world.streamed and world.decided(approval.contract_id, approval.generation):
            world.streamed.add(change)
    for stop in every(world, StopOrder):
        assert react([("1", ref(StopOrder, stop.contract_id))], world) == []


def incident(world: World, event: dict[str, Any] | None = None) -> str:
    """Fire the shop's alarm and run all that can run; the contract's id."""
    assert world.fire(event or alarm_event()) == []
    run(world)
    return str(world.contracts()[-1])


def until(world: World, state: str, contract: str = "") -> Execution:
    """Fire the shop's alarm if nothing runs yet, and let its execution come up to a state, not through it."""
    if not world.workflow.executions:
        assert world.fire(alarm_event()) == []
        world.draft()
    execution: Execution = world.workflow.executions[contract or world.contracts()[-1]]
    while execution.state != state:
        assert execution.status == "RUNNING", f"{execution.name} ended in {execution.state}: {execution.document}"
        world.between(world, execution)
        world.machine.step(execution)
    return execution


def approved(world: World, *people: str) -> str:
    """Fire, ask, and let people approve; the contract's id, its workflow run to its end."""
    contract = incident(world)
    for person in people:
        vote(world, contract, person)
    run(world)
    return contract


def principal(person: str) -> str:
    """A session of the person's role, as API Gateway names it."""
    return f"arn:aws:sts::{ACCOUNT}:assumed-role/{person}/session"


def vote(world: World, contract: str, person: str, decision: str = "approve", **changed: Any) -> Answer:
    """Decide as a person, on the contract as it stands."""
    wanted = {"contract_id": contract, "decision": decision, "digest": world.head(contract).digest} | changed
    return answer(Decision.model_validate(wanted), principal(person), world)


def order(world: World, command: str, target: str = "", person: str = "ada", reason: str = "as agreed") -> str:
    """Order as a person."""
    wanted = Order.model_validate({"command": command, "target": target, "reason": reason})
    return operate(wanted, principal(person), world)


def sweep(world: World, after: float = 0.0) -> Swept:
    """Let time pass, and let `reap` look."""
    world.clock.advance(after)
    return reap(world, lambda: world.rulebook)


def read(world: World, kind: type[T], *ids: str) -> T | None:
    """One stored item, or nothing."""
    where = ref(kind, *ids)
    found: T | None = world.store.read(where).get(where)
    return found


def need(world: World, kind: type[T], *ids: str) -> T:
    """One stored item."""
    found = read(world, kind, *ids)
    assert found is not None, f"no {kind.__name__} {ids}"
    return found


def every(world: World, kind: type[T]) -> list[T]:
    """Every stored item of a class."""
    found: list[T] = []
    for rows in world.store._partitions.values():
        for row in rows.values():
            where = keys.parse(row.key.pk, row.key.sk)
            if where is not None and where.kind is kind:
                found.append(item_of(kind, row))
    return found


def missions(world: World) -> list[Mission]:
    """Every mission there is, oldest first."""
    return sorted(every(world, Mission), key=lambda m: (m.opened_at, m.mission_id))


def heads(world: World) -> list[ContractHead]:
    """Every contract there is, oldest first."""
    return sorted(every(world, ContractHead), key=lambda h: (h.created_at, h.contract_id))


def story(world: World, stream: str) -> list[str]:
    """The types of a stream's entries, oldest first."""
    return [entry.type for entry in world.store.story(stream)]


# -- small tools


def refusal(work: Callable[[], object]) -> str:
    """The short code of the refusal that some work ends in."""
    with pytest.raises(Refused) as caught:
        work()
    return caught.value.code


def ticket_of(world: World, contract: str) -> Ticket:
    return ticket_for(need(world, Contract, contract), needs_approval=True)


def forge(world: World, contract: str, *items: Any) -> None:
    """Write items as somebody with the table in hand could."""
    loaded = load(ticket_of(world, contract), world)
    advance(
        world,
        loaded,
        loaded.head,
        door="forger",
        command=("forged", str(loaded.head.version)),
        entries=[EntryDraft(type="contract.forged")],
        items=items,
    )


def call_of(execution: Execution, step: str) -> Call:
    return Call.model_validate({"ticket": execution.document, "step": step})


def second_release(world: World) -> None:
    """A second bad release, and its alarm."""
    at = world.clock.now()
    world.lambdas.functions["shop"]["versions"].append("3")
    world.lambdas.alias("shop", "live", "3")
    world.lambdas.broken = {"3"}
    world.alarm("ALARM", at)
    assert world.fire(alarm_event("ALARM", at)) == []
    run(world)


def reported(code: str, **detail: Any) -> dict[str, Any]:
    """An application's own `error.detected`."""
    return {
        "version": "0",
        "id": "7a2f6f0e-8f4e-4f0c-9b57-0d1f6c1f0001",
        "detail-type": "error.detected",
        "source": "shop.checkout",
        "account": ACCOUNT,
        "time": "2026-01-31T12:00:00Z",
        "region": REGION,
        "resources": [],
        "detail": {"service": "checkout", "code": code, "severity": "high"} | detail,
    }


def announced(world: World) -> list[str]:
    """The names of the events that announced an end."""
    return [event for event, _ in world.messages.published if event.startswith("agentic.")]


def holes(world: World, metric: str) -> None:
    """The series of the last hours gets holes: every point is no number."""
    now = int(world.clock.now().timestamp()) // 60 * 60
    world.metrics.put(shop_metric(metric, "Sum"), [(at, float("nan")) for at in range(now - 3600, now + 60, 60)])


# -- services beside the shop


def service_metric(name: str, metric: str, stat: str) -> MetricRef:
    """One series of the alias `live` of a service's function."""
    return MetricRef(
        namespace="AWS/Lambda",
        name=metric,
        stat=stat,
        period=60,
        dimensions={"FunctionName": name, "Resource": f"{name}:live"},
    )


def add_service(world: World, name: str, alarms: int = 1) -> list[str]:
    """Make a function behind an alias with a bad second version, forty minutes of its traffic, and its alarms' names."""
    world.lambdas.function(name, tags={"grace:managed": "true"}, versions=2)
    world.lambdas.alias(name, "live", "2")
    world.lambdas.broken = {"2"}
    end = int(START.timestamp())
    minutes = range(end - 2400, end, 60)
    for metric, stat, good, wrong in (
        ("Invocations", "Sum", 100.0, 100.0),
        ("Errors", "Sum", 0.0, 20.0),
        ("Duration", "p95", 150.0, 150.0),
    ):
        points = [(at, wrong if at >= end - 180 else good) for at in minutes]
        world.metrics.put(service_metric(name, metric, stat), points)
    names = [f"{name}-errors-{n}" for n in range(alarms)]
    for alarm in names:
        put_alarm(world, alarm, service_metric(name, "Errors", "Sum"))
    return names


def put_alarm(
    world: World, name: str, metric: MetricRef, state: str = "ALARM", at: datetime = START, **changed: Any
) -> AlarmFacts:
    """Set an alarm over a series."""
    settings: dict[str, Any] = {
        "arn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}",
        "name": name,
        "state": state,
        "changed_at": at,
        "metric": metric,
        "threshold": 5.0,
        "comparison": "GreaterThanThreshold",
        "evaluation_periods": 2,
        "datapoints_to_alarm": 2,
        "treat_missing": "missing",
    }
    facts = AlarmFacts(**(settings | changed))
    world.alarms.put(facts)
    return facts


def service_event(name: str, alarm: str, state: str = "ALARM", at: datetime = START) -> dict[str, Any]:
    """The event of a service's error alarm."""
    return alarm_event(state, at, name=alarm, metric=service_metric(name, "Errors", "Sum"))


# -- what must hold in any world at any moment


def check(world: World) -> None:
    """I1, I3, I10: the log is whole and gives exactly the state. I19, I26-I30: no contract has done what none may."""
    check_log(world)
    for head in heads(world):
        check_contract(world, head)
    holders = [lease.owner for lease in every(world, Lease) if lease.owner]
    assert len(holders) == len(set(holders)), "I26: one contract holds one resource"


def check_log(world: World) -> None:
    """Each stream's entries are 1..n, and replayed they are the stored head, field by field."""
    for head in [*every(world, ContractHead), *every(world, Mission), *every(world, KillSwitch)]:
        entries = world.store.story(head.stream)
        assert [e.sseq for e in entries] == list(range(1, head.version + 1)), f"I1, I3: {head.stream}"
        assert replay(type(head), entries) == head, f"I10: {head.stream}"


def check_contract(world: World, head: ContractHead) -> None:
    """One contract, against what its records say."""
    step, contract = read(world, Step, head.contract_id, "execute"), need(world, Contract, head.contract_id)
    if step is not None:
        assert head.snapshot is not None, "I28: nothing is done without a snapshot"
        assert world.vault.get(head.snapshot), "I28: the snapshot is there"
        assert step.fence == head.fence, "I32"
    if step is not None and contract.tier > 1:
        assert "approval.approved" in story(world, head.contract_id), "D9: nothing of tier 2 or 3 unapproved"
    if head.status in GOOD:
        check_measured(world, head, contract)
    if head.status is ContractStatus.ROLLED_BACK:
        undone = need(world, Evidence, head.contract_id, "rollback")
        assert undone.state_digest == step_before(step), "I31"
        assert undone.verdict == "verified", "I31: the fields and the alarm"
        assert all(seen.result == "passed" for seen in undone.observations), "I31"


def step_before(step: Step | None) -> str:
    """The state the resource had before the action."""
    assert step is not None, "I31: nothing is rolled back that was never begun"
    return step.before_digest


def check_measured(world: World, head: ContractHead, contract: Contract) -> None:
    """I30: kept only when every promise that must hold was measured as passed, on real samples."""
    evidence = read(world, Evidence, head.contract_id, "extended") or need(world, Evidence, head.contract_id, "outcome")
    measured = {o.id: o for o in evidence.observations}
    for line in contract.expect:
        if line.must:
            assert line.id in measured, f"I30: {line.id} was never measured"
            assert measured[line.id].result == "passed", f"I30: {line.id} is {measured[line.id].result}"
            assert measured[line.id].samples > 0, f"I30: {line.id} has no samples"


def ended(world: World) -> None:
    """I29: every contract has ended and is closed, and no execution is left."""
    for head in heads(world):
        assert head.status in TERMINAL, f"I29: {head.contract_id} is {head.status.value}"
        assert head.closed, f"I29: {head.contract_id} was never closed"
    assert not [e.name for e in world.workflow.executions.values() if e.status == "RUNNING"]
