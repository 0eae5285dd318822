"""From alerts to missions: duplicates, order, flapping, our own effects, and what only a person may look at."""

from __future__ import annotations

import json
import random
from datetime import timedelta
from typing import Any

import pytest

from grace.errors import Conflict, Throttled
from grace.flow import grouping
from grace.flow.loading import advance
from grace.model.approval import Approval, ApprovalStatus
from grace.model.contract import ContractStatus, Mode
from grace.model.ids import correlation_id
from grace.model.mission import MissionStatus, OpenGroup
from grace.model.records import Lease, Outcome, PlaybookStats
from grace.signals import parse
from tests.support.world import ALARM, START, alarm_event, shop_metric
from tests.unit.flow.scenes import (
    GROUP,
    SECOND,
    SHOP,
    check,
    ended,
    first_time,
    heads,
    incident,
    missions,
    need,
    put_alarm,
    reported,
    run,
    shop,
    story,
    vote,
)

# -- F41: the same alert again and again, and out of order


@pytest.mark.parametrize("seed", range(5))
def test_f41_duplicates_and_reordered_alerts_are_one_group_and_one_contract(seed: int) -> None:
    world = shop()
    before = alarm_event("OK", START - timedelta(hours=1))
    alerts = [alarm_event()] * 100 + [before] * 50
    random.Random(seed).shuffle(alerts)
    while alerts:
        batch, alerts = alerts[:7], alerts[7:]
        assert world.fire(*batch) == []
        world.draft()
    run(world)
    assert [m.status for m in missions(world)] == [MissionStatus.CLOSED]
    assert [h.status for h in heads(world)] == [ContractStatus.VERIFIED]
    assert missions(world)[0].signals <= 2, "a repeated alert is counted once"
    assert world.lambdas.changes == 1
    check(world)


def test_f41_without_the_memory_of_what_was_seen_a_repeated_alert_counts_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The mutant of the test above."""
    monkeypatch.setattr(grouping, "_fresh", lambda signals, opened: list(signals))
    world = shop()
    world.fire(alarm_event(), alarm_event(), alarm_event())
    assert missions(world)[0].signals == 3


def test_f41_a_recovery_that_arrives_before_its_alarm_leads_to_no_contract() -> None:
    world = shop()
    world.alarm("OK", START + SECOND)
    world.fire(alarm_event("OK", START + SECOND))
    assert missions(world) == [], "a recovery alone is no incident"
    world.fire(alarm_event("ALARM", START))
    run(world)
    assert heads(world) == []
    assert [m.status for m in missions(world)] == [MissionStatus.CLOSED]
    assert "recovered" in missions(world)[0].reason
    assert world.lambdas.changes == 0


def test_two_resources_of_one_group_in_one_batch_with_a_recovery_first() -> None:
    """The lease that is looked at is that of the alarm that leads, not of whichever alert is oldest."""
    world = shop()
    world.lambdas.alias("shop", "beta", "2")
    beta = shop_metric("Errors", "Sum").model_copy(
        update={"dimensions": {"FunctionName": "shop", "Resource": "shop:beta"}}
    )
    recovered = alarm_event("OK", START - SECOND, name="shop-beta", metric=beta)
    assert world.fire(recovered, alarm_event()) == []
    run(world)
    assert [h.resource for h in heads(world)] == [SHOP]


# -- who leads, who attaches


def test_later_alerts_of_the_group_attach_to_the_mission_and_draft_nothing() -> None:
    world = shop(2)
    contract = incident(world)
    for n in range(3):
        put_alarm(world, f"other-{n}", shop_metric("Errors", "Sum"))
        world.fire(alarm_event("ALARM", START + n * SECOND, name=f"other-{n}"))
        run(world)
    assert [m.signals for m in missions(world)] == [4]
    assert [h.contract_id for h in heads(world)] == [contract]


def test_alerts_of_a_group_at_work_attach_even_after_the_window() -> None:
    world = shop(2)
    incident(world)
    world.clock.advance(900)
    put_alarm(world, "other", shop_metric("Errors", "Sum"))
    world.fire(alarm_event("ALARM", world.clock.now(), name="other"))
    run(world)
    assert len(missions(world)) == 1


@pytest.mark.parametrize(("later", "expected"), [(299, 1), (301, 2)])
def test_a_mission_that_waits_for_a_person_takes_alerts_for_the_window_alone(later: int, expected: int) -> None:
    world = shop()
    world.fire(reported("NobodyKnowsThis"))
    world.clock.advance(later)
    world.fire(reported("NobodyKnowsThis", at=world.clock.now().isoformat()))
    assert len(missions(world)) == expected
    assert len(world.messages.notified) == expected


def test_alerts_of_another_alarm_join_a_mission_that_ended_in_a_refusal_and_are_no_second_story() -> None:
    """A storm of a hundred alarms on one service is one contract and one mail, also when the contract ended at once."""
    world = shop()
    world.lambdas.functions["shop"]["tags"].clear()
    world.fire(alarm_event())
    run(world)
    put_alarm(world, "other", shop_metric("Errors", "Sum"))
    world.fire(alarm_event("ALARM", START + SECOND, name="other"))
    run(world)
    assert [m.signals for m in missions(world)] == [2]
    assert len(world.messages.notified) == 1


def test_in_shadow_a_storm_on_one_service_is_judged_once() -> None:
    world = shop(mode=Mode.SHADOW)
    for n in range(20):
        put_alarm(world, f"other-{n}", shop_metric("Errors", "Sum"))
        world.fire(alarm_event("ALARM", START, name=f"other-{n}"))
        run(world)
    assert [h.status for h in heads(world)] == [ContractStatus.SHADOWED]
    assert [m.signals for m in missions(world)] == [20]
    assert world.lambdas.changes == 0


def test_another_alarm_after_a_success_is_a_new_incident_though_the_window_is_open() -> None:
    """It must not vanish into a mission that is over and that nobody looks at."""
    world = shop(group_window=1800)
    incident(world)
    world.clock.advance(1)
    assert world.clock.now() < missions(world)[0].attach_until
    put_alarm(world, "other", shop_metric("Errors", "Sum"), at=world.clock.now())
    world.fire(alarm_event("ALARM", world.clock.now(), name="other"))
    assert len(missions(world)) == 2


# -- unknown goes to a person


def test_d39_what_no_rule_knows_goes_to_a_person_with_an_event_and_an_entry() -> None:
    world = shop()
    world.fire(reported("NobodyKnowsThis", message="invalid resource connection unavailable"))
    run(world)
    mission = missions(world)[0]
    assert mission.status is MissionStatus.NEEDS_ATTENTION
    assert heads(world) == []
    [(event, detail)] = world.messages.published
    assert (event, detail["mission"], detail["corr"]) == ("mission.needs_attention", mission.mission_id, mission.corr)
    assert len(world.messages.notified) == 1
    assert story(world, mission.mission_id) == ["mission.opened"]


@pytest.mark.parametrize("failure", ["notify", "publish"])
def test_a_person_is_told_though_telling_failed_the_first_time(failure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice rather than never: the message is given back, and the second delivery tells."""
    world = shop()
    real = getattr(world.messages, failure)
    failed: list[int] = []

    def flaky(*arguments: Any) -> None:
        if not failed:
            failed.append(1)
            raise Throttled("slow down")
        real(*arguments)

    monkeypatch.setattr(world.messages, failure, flaky)
    alert = reported("NobodyKnowsThis")
    assert world.fire(alert) == ["0"]
    assert world.fire(alert) == []
    assert world.messages.notified
    assert [m.status for m in missions(world)] == [MissionStatus.NEEDS_ATTENTION]
    assert {event for event, _ in world.messages.published} == {"mission.needs_attention"}


# -- recovery by itself


def test_an_alarm_that_recovered_before_the_draft_leads_to_no_contract() -> None:
    world = shop()
    world.fire(alarm_event())
    world.alarm("OK", START + SECOND)
    world.fire(alarm_event("OK", START + SECOND))
    run(world)
    assert heads(world) == []
    assert [m.status for m in missions(world)] == [MissionStatus.CLOSED]


def test_a_recovery_while_a_person_is_asked_supersedes_contract_and_approval_and_frees_the_workflow() -> None:
    world = shop(2)
    contract = incident(world)
    assert world.head(contract).status is ContractStatus.AWAITING_APPROVAL
    world.alarm("OK", START + SECOND)
    world.fire(alarm_event("OK", START + SECOND))
    approval = need(world, Approval, contract, "1")
    assert approval.status is ApprovalStatus.SUPERSEDED
    run(world)
    assert world.head(contract).status is ContractStatus.SUPERSEDED
    assert world.workflow.status(contract) == "SUCCEEDED"
    assert world.lambdas.changes == 0
    with pytest.raises(Exception, match="superseded already"):
        vote(world, contract, "ada")
    ended(world)
    check(world)


def test_a_recovery_seen_by_the_baseline_supersedes_an_approved_contract() -> None:
    world = shop(2)
    contract = incident(world)
    vote(world, contract, "ada")
    world.alarm("OK", START + SECOND)
    run(world)
    assert world.head(contract).status is ContractStatus.SUPERSEDED
    assert world.lambdas.changes == 0
    lease = need(world, Lease, SHOP)
    assert lease.owner == ""
    ended(world)


def test_a_recovery_is_not_lost_when_somebody_writes_the_contract_at_the_same_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first try loses a race; the second must still find the recovery, so it may not be marked as seen before."""
    world = shop(2)
    contract = incident(world)
    lost: list[int] = []

    def contended(*arguments: Any, **named: Any) -> Any:
        if named["door"] == "triage" and not lost:
            lost.append(1)
            raise Conflict("somebody else wrote first")
        return advance(*arguments, **named)

    monkeypatch.setattr(grouping, "advance", contended)
    assert world.fire(alarm_event("OK", START + SECOND)) == []
    assert lost
    assert world.head(contract).status is ContractStatus.SUPERSEDED


def test_an_old_recovery_does_not_supersede() -> None:
    world = shop(2)
    contract = incident(world)
    world.fire(alarm_event("OK", START - SECOND))
    assert world.head(contract).status is ContractStatus.AWAITING_APPROVAL


def test_the_recovery_of_another_alarm_does_not_supersede() -> None:
    world = shop(2)
    contract = incident(world)
    world.fire(alarm_event("OK", START + SECOND, name="another"))
    assert world.head(contract).status is ContractStatus.AWAITING_APPROVAL


def test_a_recovery_after_the_action_changes_nothing() -> None:
    world = shop()
    world.between = first_time("Settle", lambda world: world.fire(alarm_event("OK", world.clock.now() + SECOND)))
    contract = incident(world)
    assert world.head(contract).status is ContractStatus.VERIFIED


# -- relapse


def test_a_relapse_is_written_into_the_outcome_and_opens_a_new_mission_linked_by_cause() -> None:
    world = shop()
    first = incident(world)
    world.clock.advance(600)
    world.alarm("ALARM", world.clock.now())
    world.fire(alarm_event("ALARM", world.clock.now()))
    outcome = need(world, Outcome, first)
    assert outcome.relapsed
    assert outcome.status is ContractStatus.VERIFIED, "a status is never rewritten"
    assert world.head(first).status is ContractStatus.VERIFIED
    assert [m.cause for m in missions(world)] == [None, first]
    stats = need(world, PlaybookStats, "roll_back_lambda_alias", "elevated_errors")
    assert (stats.verified, stats.relapsed) == (1, 1)


@pytest.mark.parametrize(("seconds", "relapsed"), [(1799, True), (1800, False)])
def test_a_relapse_counts_inside_the_playbooks_window_alone(seconds: int, relapsed: bool) -> None:
    world = shop()
    first = incident(world)
    world.clock.advance(seconds)
    world.fire(alarm_event("ALARM", world.clock.now()))
    assert need(world, Outcome, first).relapsed is relapsed


def test_a_relapse_is_counted_once() -> None:
    world = shop()
    first = incident(world)
    for _ in range(3):
        world.clock.advance(60)
        world.fire(alarm_event("ALARM", world.clock.now()))
    assert need(world, PlaybookStats, "roll_back_lambda_alias", "elevated_errors").relapsed == 1
    assert need(world, Outcome, first).relapsed


def test_another_alarm_of_the_group_is_no_relapse() -> None:
    world = shop()
    first = incident(world)
    world.clock.advance(600)
    world.fire(alarm_event("ALARM", world.clock.now(), name="another"))
    assert not need(world, Outcome, first).relapsed


def test_a_rolled_back_fix_cannot_relapse() -> None:
    world = shop()
    world.between = lambda world, execution: None
    first = incident(world)
    assert world.head(first).status is ContractStatus.ROLLED_BACK
    world.clock.advance(600)
    world.fire(alarm_event("ALARM", world.clock.now()))
    assert not need(world, Outcome, first).relapsed


# -- the rest


def test_the_correlation_id_follows_from_the_alert_that_opened_the_mission() -> None:
    world = shop()
    contract = incident(world)
    mission = missions(world)[0]
    group = need(world, OpenGroup, GROUP)
    assert group.mission_id == mission.mission_id
    assert world.head(contract).corr == mission.corr
    assert mission.alarm == ALARM
    assert mission.corr == correlation_id(parse(json.dumps(alarm_event())).fingerprint)
