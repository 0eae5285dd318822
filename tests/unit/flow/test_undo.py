"""Putting back: never over somebody else's change, never for nothing, and never given up in silence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from grace.errors import AccessDenied, AnswerLost, GraceError, Mismatch, NotFound, Throttled, Unavailable
from grace.flow import rollback as rollback_door
from grace.flow.rollback import rollback
from grace.model.contract import Call, ContractStatus
from grace.model.records import Evidence, Lease, Outcome, Step, StepStatus
from tests.support.machine import WorkerDied
from tests.support.world import World
from tests.unit.flow.scenes import (
    SHOP,
    check,
    ended,
    first_time,
    incident,
    need,
    order,
    run,
    shop,
    stays_bad,
    story,
    sweep,
    until,
)

UPDATE = ("lambda", "update_alias")


def fail_times(world: World, call: tuple[str, str], times: int, error: Exception | type[BaseException]) -> list[int]:
    """Let a call fail so often before it takes effect; the list counts how often it was tried."""
    real = world.aws.handlers[call]
    tried: list[int] = []

    def fails(**arguments: Any) -> Any:
        tried.append(1)
        if len(tried) <= times:
            raise error
        return real(**arguments)

    world.aws.handlers[call] = fails
    return tried


def third_party(world: World) -> None:
    """Somebody publishes version 3 and points the alias at it."""
    if "3" not in world.lambdas.functions["shop"]["versions"]:
        world.lambdas.functions["shop"]["versions"].append("3")
    world.lambdas.alias("shop", "live", "3")


# -- the promise does not hold


def test_what_did_not_help_is_put_back_and_the_putting_back_is_measured() -> None:
    world = shop()
    world.between = stays_bad
    contract = incident(world)
    head = world.head(contract)
    assert (head.status, head.verdict) == (ContractStatus.ROLLED_BACK, "failed")
    assert world.lambdas.version_of("shop", "live") == "2"
    step, restore = need(world, Step, contract, "execute"), need(world, Step, contract, "restore")
    evidence = need(world, Evidence, contract, "rollback")
    assert restore.status is StepStatus.DONE
    assert evidence.state_digest == step.before_digest == restore.after_digest
    assert evidence.verdict == "verified"
    assert [seen.result for seen in evidence.observations] == ["passed", "passed"]
    assert need(world, Outcome, contract).restored is True
    assert [severity for severity, _, _ in world.messages.notified] == ["high"]
    ended(world)
    check(world)


# -- F51: somebody else


@pytest.mark.parametrize("state", ["Snapshot", "Baseline", "Execute"])
def test_f51_changed_by_somebody_else_before_the_action_it_is_left_alone(state: str) -> None:
    world = shop()
    world.between = first_time(state, third_party)
    contract = incident(world)
    assert world.lambdas.version_of("shop", "live") == "3"
    assert world.lambdas.changes == 0
    assert world.head(contract).status is ContractStatus.REFUSED
    assert "somebody else" in world.head(contract).reason or "not as it was" in world.head(contract).reason
    ended(world)
    check(world)


def test_f51_changed_between_our_look_and_our_call_nothing_of_theirs_is_overwritten() -> None:
    world = shop()
    real = world.aws.handlers[UPDATE]

    def loses_the_race(**arguments: Any) -> Any:
        if not world.lambdas.changes:
            third_party(world)
        return real(**arguments)

    world.aws.handlers[UPDATE] = loses_the_race
    contract = incident(world)
    assert world.lambdas.version_of("shop", "live") == "3"
    assert world.lambdas.changes == 0
    assert world.head(contract).status is ContractStatus.SAFE_HOLD
    assert "somebody else" in world.head(contract).reason
    check(world)


def test_f51_somebody_else_who_does_just_what_we_wanted_to_is_not_undone() -> None:
    """Between our look and our call they point the alias back themselves: the call is refused, and nothing is ours."""
    world = shop()
    real = world.aws.handlers[UPDATE]
    raced: list[int] = []

    def loses_the_race(**arguments: Any) -> Any:
        if not raced:
            raced.append(1)
            world.lambdas.alias("shop", "live", "1")
        return real(**arguments)

    world.aws.handlers[UPDATE] = loses_the_race
    contract = incident(world)
    assert world.lambdas.version_of("shop", "live") == "1"
    assert world.lambdas.changes == 0
    assert world.head(contract).status is ContractStatus.SAFE_HOLD
    check(world)


@pytest.mark.parametrize("state", ["Settle", "Benchmark", "Verify", "Verdict", "Rollback"])
def test_f51_changed_after_the_action_it_is_never_overwritten(state: str) -> None:
    world = shop()
    world.between = first_time(state, third_party, then=stays_bad)
    contract = incident(world)
    assert world.lambdas.version_of("shop", "live") == "3"
    assert world.lambdas.changes == 1, "our own action and no restore"
    head = world.head(contract)
    assert head.status is ContractStatus.SAFE_HOLD
    assert "somebody else changed the resource after us" in head.reason
    assert "'3' instead of '2'" in head.reason
    assert need(world, Lease, SHOP).hold == contract
    assert world.messages.notified[-1][0] == "critical"
    assert need(world, Outcome, contract).restored is False
    ended(world)
    check(world)


def test_f51_changed_in_the_middle_of_the_restore_it_is_never_overwritten() -> None:
    world = shop()
    world.between = stays_bad
    real = world.aws.handlers[UPDATE]

    def loses_the_race(**arguments: Any) -> Any:
        if world.lambdas.changes == 1 and world.lambdas.version_of("shop", "live") == "1":
            third_party(world)
        return real(**arguments)

    world.aws.handlers[UPDATE] = loses_the_race
    contract = incident(world)
    assert world.lambdas.version_of("shop", "live") == "3"
    assert world.head(contract).status is ContractStatus.SAFE_HOLD


def test_f51_without_the_comparison_their_change_would_be_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: the rollback takes whatever it finds for our own doing."""
    monkeypatch.setattr(rollback_door, "_foreign", lambda *_: False)
    world = shop()
    world.between = first_time("Verify", third_party, then=stays_bad)
    incident(world)
    assert world.lambdas.version_of("shop", "live") == "2"


def test_put_back_by_somebody_else_is_put_back() -> None:
    world = shop()
    world.between = first_time("Rollback", lambda world: world.lambdas.alias("shop", "live", "2"), then=stays_bad)
    contract = incident(world)
    assert world.head(contract).status is ContractStatus.ROLLED_BACK
    assert world.lambdas.changes == 1


def test_deleted_under_us_it_is_held_and_told() -> None:
    world = shop()
    world.between = first_time("Settle", lambda world: world.lambdas.aliases.clear(), then=stays_bad)
    contract = incident(world)
    assert world.head(contract).status is ContractStatus.SAFE_HOLD
    assert "does not exist" in world.head(contract).reason
    ended(world)


# -- F54: the restore itself fails


@pytest.mark.parametrize("error", [Throttled("slow"), Unavailable("later"), AnswerLost("lost"), WorkerDied])
def test_f54_a_restore_that_fails_twice_and_then_works_is_a_rollback(error: Exception | type[BaseException]) -> None:
    world = shop()
    world.between = first_time("Rollback", lambda world: fail_times(world, UPDATE, 2, error), then=stays_bad)
    contract = incident(world)
    assert world.head(contract).status is ContractStatus.ROLLED_BACK
    assert world.lambdas.version_of("shop", "live") == "2"
    assert world.lambdas.changes == 2
    ended(world)
    check(world)


@pytest.mark.parametrize(
    "error", [Throttled("slow"), AnswerLost("lost"), AccessDenied("no"), NotFound("gone"), WorkerDied]
)
def test_f54_a_restore_that_fails_for_ever_is_held_with_its_lease_and_a_person_is_told(
    error: Exception | type[BaseException],
) -> None:
    world = shop()
    tried: list[list[int]] = []
    world.between = first_time(
        "Rollback", lambda world: tried.append(fail_times(world, UPDATE, 10_000, error)), then=stays_bad
    )
    contract = incident(world)
    assert world.head(contract).status is ContractStatus.SAFE_HOLD
    assert need(world, Lease, SHOP).hold == contract
    assert need(world, Lease, SHOP).owner == contract
    assert world.messages.notified[-1][0] == "critical"
    assert "Nobody of ours will touch it" in world.messages.notified[-1][2]
    assert len(tried[0]) <= 9, "I37: bounded"
    assert world.lambdas.version_of("shop", "live") == "1"
    ended(world)
    check(world)
    before = world.lambdas.changes
    sweep(world, 86_400)
    run(world)
    assert world.lambdas.changes == before, "terminal is terminal"


def test_a_restore_whose_effect_is_not_to_be_seen_is_no_rollback() -> None:
    world = shop()

    def pretends(world: World) -> None:
        world.aws.handlers[UPDATE] = lambda **arguments: {"FunctionVersion": arguments["FunctionVersion"]}

    world.between = first_time("Rollback", pretends, then=stays_bad)
    contract = incident(world)
    assert world.head(contract).status is ContractStatus.SAFE_HOLD
    assert "the restore did not take" in world.head(contract).reason
    evidence = need(world, Evidence, contract, "rollback")
    assert evidence.verdict == "failed"
    fields = evidence.observations[0]
    assert (fields.id, fields.result, fields.supporting) == ("restored", "failed", fields.samples - 1)
    assert "instead of" in fields.note
    assert need(world, Outcome, contract).restored is False
    assert need(world, Step, contract, "restore").status is StepStatus.INTENT


def test_d32_a_rollback_is_only_called_so_when_it_was_measured() -> None:
    """Whatever goes wrong at the restore: rolled_back stands beside evidence of the snapshot's own state, or not at all."""
    ends = []
    for error in (None, Throttled("slow"), AccessDenied("no"), Mismatch("other")):
        for times in (1, 3, 99):
            world = shop()
            break_it = fail_restore(error, times)
            world.between = first_time("Rollback", break_it, then=stays_bad)
            contract = incident(world)
            check(world)
            ended(world)
            restored = world.lambdas.version_of("shop", "live") == "2"
            assert (world.head(contract).status is ContractStatus.ROLLED_BACK) == restored
            ends.append(restored)
    assert set(ends) == {True, False}


def fail_restore(error: GraceError | None, times: int) -> Callable[[World], object]:
    return lambda world: fail_times(world, UPDATE, times, error) if error else None


# -- F48: done, and the answer lost


@pytest.mark.parametrize("error", [AnswerLost("lost"), WorkerDied])
@pytest.mark.parametrize("helped", [True, False])
def test_f48_done_and_the_answer_lost_is_seen_and_not_done_again(
    error: Exception | type[BaseException], helped: bool
) -> None:
    world = shop()
    if not helped:
        world.between = stays_bad
    real = world.aws.handlers[UPDATE]
    lost: list[int] = []

    def loses(**arguments: Any) -> Any:
        answered = real(**arguments)
        if not lost:
            lost.append(1)
            raise error
        return answered

    world.aws.handlers[UPDATE] = loses
    contract = incident(world)
    assert world.head(contract).status is (ContractStatus.VERIFIED if helped else ContractStatus.ROLLED_BACK)
    assert world.lambdas.changes == (1 if helped else 2)
    check(world)


def test_f48_not_done_and_the_answer_lost_is_done_once() -> None:
    world = shop()
    fail_times(world, UPDATE, 1, AnswerLost("lost"))
    contract = incident(world)
    assert world.head(contract).status is ContractStatus.VERIFIED
    assert world.lambdas.changes == 1


def test_d8_an_action_whose_effect_is_not_to_be_seen_is_no_success() -> None:
    world = shop()
    world.aws.handlers[UPDATE] = lambda **arguments: {"FunctionVersion": arguments["FunctionVersion"]}
    contract = incident(world)
    head = world.head(contract)
    assert head.status is ContractStatus.ROLLED_BACK, "it is as it was, and that was measured"
    assert "not to be seen" in head.reason
    assert "contract.executed" not in story(world, contract)


# -- F59: throttled for ten minutes


def test_f59_a_target_that_throttles_for_ten_minutes_sees_no_storm_and_no_half_done_work() -> None:
    world = shop()
    tried = fail_times(world, UPDATE, 10_000, Throttled("slow down"))
    contract = incident(world)
    assert world.head(contract).status is ContractStatus.ROLLED_BACK
    assert world.lambdas.changes == 0
    assert len(tried) <= 5, "I37: bounded"
    ended(world)


# -- by order


@pytest.mark.parametrize("state", ["Settle", "Benchmark", "Verify"])
def test_a_rollback_by_order_skips_the_analysis_and_is_measured(state: str) -> None:
    world = shop()
    execution = until(world, state)
    told = order(world, "rollback", execution.name, reason="customers complain")
    assert "rollback 1" in told
    run(world)
    head = world.head(execution.name)
    assert head.status is ContractStatus.ROLLED_BACK
    assert head.reason == "ada ordered the rollback: customers complain"
    assert world.lambdas.version_of("shop", "live") == "2"
    assert "contract.judged" not in story(world, execution.name)
    assert world.workflow.status(execution.name) == "ABORTED"
    ended(world)
    check(world)


def test_a_rollback_that_has_ended_is_not_undone_by_a_second_call() -> None:
    world = shop()
    world.between = stays_bad
    contract = incident(world)
    execution = world.workflow.executions[contract]
    before = world.lambdas.changes
    rollback(Call.model_validate({"ticket": execution.document, "step": "rollback"}), world)
    assert world.lambdas.changes == before
