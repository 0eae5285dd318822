"""Nothing is called a success that was not measured, and nothing good is taken back."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from grace.flow.operate import Order
from grace.model.catalogue import CataloguedPlaybook
from grace.model.contract import Contract, ContractStatus
from grace.model.metric import Metric
from grace.model.mission import MissionStatus
from grace.model.records import Evidence, Outcome, PlaybookStats
from grace.ports import SeriesRequest
from tests.support.machine import Execution
from tests.support.playbooks import catalogued, roll_back_alias
from tests.support.world import World, alarm_event, shop_metric
from tests.unit.flow.scenes import (
    GOOD,
    announced,
    approved,
    check,
    ended,
    heads,
    heals,
    holes,
    incident,
    missions,
    need,
    run,
    shop,
    stays_bad,
    story,
    vote,
)

NAN, INF = float("nan"), float("inf")


def changed(**update: Any) -> CataloguedPlaybook:
    """The usual playbook, with some of its lines changed."""
    return catalogued(roll_back_alias().spec.model_copy(update=update))


def world_of(playbook: CataloguedPlaybook, **catalogue: Any) -> World:
    world = World((playbook,), **catalogue)
    world.shop()
    world.between = heals
    return world


# -- D1: a failure is never reported as a success


@pytest.mark.parametrize("tier", [1, 2, 3])
def test_d1_what_did_not_verify_is_not_reported_as_a_success(tier: int) -> None:
    world = shop(tier)
    world.between = stays_bad
    contract = approved(world, *({1: (), 2: ("ada",), 3: ("ada", "bob")}[tier]))
    assert world.head(contract).status is ContractStatus.ROLLED_BACK
    assert announced(world) == ["agentic.action_failed"]
    assert Metric.CONTRACTS_VERIFIED not in world.telemetry.counts
    assert need(world, Outcome, contract).verdict == "failed"
    assert need(world, PlaybookStats, "roll_back_lambda_alias", "elevated_errors").verified == 0


# -- D2: every promise resolves to a real observation, or there is no contract

UNOBSERVABLE: dict[str, dict[str, Any]] = {
    "a metric that nobody publishes": {"metric": "AWS/Lambda NobodyPublishesThis sum", "is": {"below": 1}},
    "an alarm that does not exist": {"alarm": {"name": "no-such-alarm"}},
    "a state the resource does not have": {"state": {"path": "nothing_of_this", "equals": 1}},
    "a host that is not listed": {"http": {"url": "https://example.org/health"}},
    "another namespace": {"metric": "AWS/EC2 CPUUtilization avg", "is": {"below": 1}},
}


@pytest.mark.parametrize("line", UNOBSERVABLE)
def test_d2_a_promise_that_nobody_could_measure_opens_no_contract(line: str) -> None:
    playbook = changed(expect=(*roll_back_alias().spec.expect, UNOBSERVABLE[line]))
    world = world_of(playbook)
    world.fire(alarm_event())
    run(world)
    assert heads(world) == []
    assert missions(world)[0].status is MissionStatus.NEEDS_ATTENTION
    assert missions(world)[0].reason
    assert len(world.messages.notified) == 1
    assert world.lambdas.changes == 0


def test_d2_every_line_of_a_contract_names_its_observation() -> None:
    world = shop()
    contract = incident(world)
    evidence = need(world, Evidence, contract, "outcome")
    lines = {line.id for line in need(world, Contract, contract).expect}
    assert {o.id for o in evidence.observations} == lines
    for seen in evidence.observations:
        assert seen.predicate
        assert seen.expected
        assert seen.observed
        assert seen.source


def test_d2_the_alarm_that_fired_is_always_promised() -> None:
    bare = changed(expect=({"state": {"path": "function_version", "equals": "{{ plan.to }}"}},), guard=())
    world = world_of(bare)
    world.between = lambda world, execution: None
    contract = incident(world)
    kinds = [line.kind for line in need(world, Contract, contract).expect if line.must]
    assert "alarm" in kinds
    assert world.head(contract).status is ContractStatus.ROLLED_BACK, "the state alone does not make it a success"


# -- D3: good actions are never taken back


@pytest.mark.parametrize("settle", ["auto", 2400])
def test_d3_good_actions_are_never_rolled_back(settle: str | int) -> None:
    kept = 0
    for seed in range(20):
        rng = random.Random(seed)
        tier = rng.choice([1, 2, 3])
        playbook = catalogued(roll_back_alias(tier).spec.model_copy(update={"settle": settle}))
        world = world_of(playbook)
        world.between = noisy_but_good(rng)
        contract = approved(world, *({1: (), 2: ("bob",), 3: ("bob", "ada")}[tier]))
        check(world)
        kept += world.head(contract).status is ContractStatus.VERIFIED
    assert kept == 20, f"{kept} of 20"


def noisy_but_good(rng: random.Random) -> Callable[[World, Execution], None]:
    """The release helped: few errors, latency as before with its noise, the alarm in OK."""

    def between(world: World, execution: Execution) -> None:
        end = int(world.clock.now().timestamp()) // 60 * 60
        minutes = range(end - 3600, end, 60)
        if execution.state in {"Benchmark", "Ask"}:
            world.metrics.put(shop_metric("Invocations", "Sum"), [(at, float(rng.randint(80, 120))) for at in minutes])
            world.metrics.put(shop_metric("Duration", "p95"), [(at, rng.gauss(153, 4)) for at in minutes])
        if execution.state == "Benchmark":
            world.metrics.put(shop_metric("Errors", "Sum"), [(at, float(rng.random() < 0.3)) for at in minutes])
            world.alarm("OK", world.clock.now())

    return between


def test_d29_a_planted_regression_beyond_the_tolerance_is_rolled_back_and_an_improvement_never() -> None:
    ends = []
    for factor in (0.5, 1.0, 1.6):
        world = world_of(changed(settle=2400))

        def between(world: World, execution: Execution, factor: float = factor) -> None:
            if execution.state == "Benchmark":
                world.heal()
                end = int(world.clock.now().timestamp()) // 60 * 60
                after = [(at, factor * (150.0 + at // 60 % 7)) for at in range(end - 2400, end, 60)]
                world.metrics.put(shop_metric("Duration", "p95"), after)
                calls = [(at, 100.0) for at in range(end - 2400, end, 60)]
                world.metrics.put(shop_metric("Invocations", "Sum"), calls)
                world.metrics.put(shop_metric("Errors", "Sum"), [(at, 0.0) for at, _ in calls])

        world.between = between
        ends.append(world.head(incident(world)).status)
    assert ends == [ContractStatus.VERIFIED, ContractStatus.VERIFIED, ContractStatus.ROLLED_BACK]


# -- D4: the decision table

SHOULD = {"metric": "AWS/Lambda Duration avg", "should": {"below": "1.2 of before"}, "min_samples": 1}


@pytest.mark.parametrize("tier", [1, 2])
@pytest.mark.parametrize(
    ("must", "should", "status", "verdict"),
    [
        ("passed", "passed", ContractStatus.VERIFIED, "verified"),
        ("passed", "failed", ContractStatus.PARTIAL, "partial"),
        ("passed", "gap", ContractStatus.PARTIAL, "partial"),
        ("failed", "passed", ContractStatus.ROLLED_BACK, "failed"),
        ("failed", "failed", ContractStatus.ROLLED_BACK, "failed"),
        ("gap", "passed", ContractStatus.ROLLED_BACK, "inconclusive"),
        ("gap", "failed", ContractStatus.ROLLED_BACK, "inconclusive"),
        ("gap", "gap", ContractStatus.ROLLED_BACK, "inconclusive"),
    ],
)
def test_d4_the_decision_table(tier: int, must: str, should: str, status: ContractStatus, verdict: str) -> None:
    spec = roll_back_alias(tier).spec
    world = world_of(catalogued(spec.model_copy(update={"expect": (*spec.expect, SHOULD)})))

    def between(world: World, execution: Execution) -> None:
        if execution.state != "Benchmark":
            return
        world.heal()
        now = int(world.clock.now().timestamp()) // 60 * 60
        minutes = range(now - 1200, now + 60, 60)
        forget = [shop_metric("Duration", "Average")] * (should == "gap")
        forget += [shop_metric("Invocations", "Sum")] * (must == "gap")
        if must == "failed":
            world.metrics.put(shop_metric("Errors", "Sum"), [(at, 50.0) for at in minutes])
        if should == "failed":
            world.metrics.put(shop_metric("Duration", "Average"), [(at, 900.0) for at in minutes])
        for metric in forget:
            world.metrics.put(metric, [(at, NAN) for at in range(now - 1200, now + 60, 60)])

    world.between = between
    contract = approved(world, *(("ada",) if tier == 2 else ()))
    head = world.head(contract)
    assert (head.status, head.verdict) == (status, verdict)
    assert (world.lambdas.version_of("shop", "live") == "1") == (status in GOOD)
    if status is ContractStatus.PARTIAL:
        assert announced(world) == ["agentic.action_failed"], "partial is never reported as success"
        assert any("partial" in subject for _, subject, _ in world.messages.notified)
    check(world)
    ended(world)


# -- inconclusive: extended once


def test_too_little_data_extends_the_window_once_and_may_then_verify() -> None:
    world = shop()
    seen: list[str] = []

    def between(world: World, execution: Execution) -> None:
        if execution.state == "Benchmark":
            seen.append("Benchmark")
            if len(seen) == 2:
                world.heal()
            else:
                world.alarm("INSUFFICIENT_DATA", world.clock.now())
                holes(world, "Invocations")

    world.between = between
    contract = incident(world)
    head = world.head(contract)
    assert (head.status, head.extended, len(seen)) == (ContractStatus.VERIFIED, True, 2)
    assert "contract.extended" in story(world, contract)
    check(world)


def test_too_little_data_twice_is_not_verified_and_teaches_that_it_was_inconclusive() -> None:
    world = shop()

    def between(world: World, execution: Execution) -> None:
        if execution.state == "Benchmark":
            world.alarm("INSUFFICIENT_DATA", world.clock.now())
            holes(world, "Invocations")

    world.between = between
    contract = incident(world)
    head = world.head(contract)
    assert (head.status, head.verdict) == (ContractStatus.SAFE_HOLD, "inconclusive"), "its alarm says nothing"
    assert need(world, Outcome, contract).restored is True
    assert world.workflow.executions[contract].visited.count("Settle") == 2
    assert world.lambdas.version_of("shop", "live") == "2"


# -- D7, D8


def test_d7_a_playbook_whose_action_nobody_implements_opens_no_contract() -> None:
    world = world_of(changed(action={"use": "do_magic"}))
    world.fire(alarm_event())
    run(world)
    assert heads(world) == []
    assert "do_magic" in missions(world)[0].reason
    assert world.messages.notified


def test_d8_each_action_proves_its_effect_by_reading_back() -> None:
    world = shop()
    contract = incident(world)
    entries = {e.type: e.body for e in world.store.story(contract)}
    executed = entries["contract.executed"]
    assert executed["before"] != executed["after"] == world.head(contract).after_digest


def test_the_confidence_is_reported_and_decides_nothing() -> None:
    world = world_of(
        changed(expect=({"invoke": {"payload": {}, "expect": {"statusCode": 200}, "times": 1}},), guard=())
    )
    contract = incident(world)
    head = world.head(contract)
    assert head.status is ContractStatus.VERIFIED
    assert 0 < float(head.confidence) < 0.6
    assert json.loads(head.model_dump_json())["confidence"] == head.confidence


def test_d30_what_is_compared_with_is_measured_health_and_nobody_can_set_it() -> None:
    """No run becomes a reference: it is the time before the trouble, read from the series, and approved with the contract."""
    world = shop(2)
    contract = incident(world)
    drafted = need(world, Contract, contract)
    window = drafted.before
    assert window is not None
    [errors] = world.metrics.fetch([SeriesRequest(shop_metric("Errors", "Sum"), window.start, window.end)])
    assert {value for _, value in errors} == {0.0}
    shifted = window.model_copy(update={"end": window.end + 300})
    assert drafted.model_copy(update={"before": shifted}).digest() != drafted.digest()
    for order in ({"command": "baseline"}, {"command": "stop", "before": window.model_dump()}, {"command": "golden"}):
        with pytest.raises(ValidationError):
            Order.model_validate({"target": contract, "reason": "as agreed", **order})


def test_d30_without_a_healthy_time_there_is_no_reference_and_no_success() -> None:
    """A time of trouble is never taken for one: the run after it is not called good because it is no worse."""
    world = shop()
    now = world.clock.now()
    world.traffic(now - timedelta(hours=4), now, errors=20.0)
    world.between = stays_bad
    contract = incident(world)
    assert need(world, Contract, contract).before is None
    assert world.head(contract).status not in GOOD


def test_the_healthy_window_is_fixed_in_the_contract_and_ends_before_the_trouble() -> None:
    world = shop(2)
    contract = incident(world)
    before = need(world, Contract, contract).before
    assert before is not None
    assert before.end <= int((need(world, Contract, contract).created_at - timedelta(minutes=2)).timestamp())
    vote(world, contract, "ada")
    run(world)
    assert need(world, Contract, contract).before == before
