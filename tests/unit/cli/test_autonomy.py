"""`grace autonomy`: how far each playbook may go, what it has shown, and why."""

from __future__ import annotations

import json
from typing import Any

from grace.evidence.confidence import confidence
from grace.flow.standing import bad_end
from grace.model.contract import Mode
from grace.model.diagnosis import DiagnosisCode
from grace.model.records import PlaybookStats, Standing
from tests.support.world import START, World, alarm_event
from tests.unit.cli.conftest import Command, Deployed
from tests.unit.flow.scenes import forge, heads, incident, need, order, run, shop, stays_bad, sweep

PLAYBOOK = "roll_back_lambda_alias"


def shown(grace: Command, deployed: Deployed, world: World) -> dict[str, Any]:
    deployed(world)
    ran = grace("autonomy", "--json")
    assert (ran.code, ran.err) == (0, "")
    [found] = json.loads(ran.out)
    return dict(found)


def recorded(world: World, **counts: Any) -> None:
    """Write a record for another diagnosis of the playbook."""
    stats = PlaybookStats(playbook=PLAYBOOK, diagnosis=DiagnosisCode("service_down"), **counts)
    forge(world, world.contracts()[0], stats)


def test_without_a_record_there_is_no_bound_which_is_not_nought(grace: Command, deployed: Deployed) -> None:
    world = shop()
    world.catalogue = world.catalogue.model_copy(update={"modes": {}})
    found = shown(grace, deployed, world)
    assert (found["acted"], found["bound"], found["mode"]) == (0, None, "shadow")
    said = grace("autonomy").words
    assert "no record; nobody has configured more" in said
    assert "in shadow:" not in said


def test_the_record_is_summed_over_diagnoses_and_what_did_not_last_is_no_success(
    grace: Command, deployed: Deployed
) -> None:
    world = shop()
    incident(world)
    recorded(world, verified=9, partial=1, rolled_back=2, safe_hold=1, relapsed=3)
    found = shown(grace, deployed, world)
    assert (found["acted"], found["verified"], found["lasted"]) == (14, 10, 7)
    assert found["bound"] == confidence(7, 14)
    said = grace("autonomy").words
    assert "10 of 14 verified, 3 did not last, 1 in part, 2 undone, 1 in safe-hold: at least 29 %" in said
    assert 0.298 < found["bound"] < 0.3, "a lower bound is never rounded up"
    assert "autonomous" in said


def test_what_was_judged_in_shadow_is_told_apart(grace: Command, deployed: Deployed) -> None:
    world = shop(mode=Mode.SHADOW)
    world.fire(alarm_event())
    run(world)
    world.alarm("OK", START)
    sweep(world, 3600)
    found = shown(grace, deployed, world)
    assert (found["acted"], found["shadow"], found["speaks"]) == (0, {"recovered": 1}, {"against": 1})
    assert "1 against (1 recovered alone)" in grace("autonomy").words
    judged = grace("show", heads(world)[0].contract_id).words
    assert "judged recovered, which speaks against acting: the alarm is OK since" in judged


def test_a_demotion_and_its_reason_are_shown_and_so_they_are_by_why(grace: Command, deployed: Deployed) -> None:
    world = shop()
    order(world, "demote", PLAYBOOK, reason="it made things worse")
    found = shown(grace, deployed, world)
    assert (found["configured"], found["mode"]) == ("autonomous", "shadow")
    assert "ada demoted roll_back_lambda_alias to shadow" in found["because"]
    assert "it made things worse" in grace("autonomy").words
    said = grace("why", "shop-errors").words
    assert "mode shadow: ada demoted roll_back_lambda_alias to shadow" in said
    assert "Grace would not act" in said


def test_an_open_breaker_is_shown_with_the_contracts_that_opened_it(grace: Command, deployed: Deployed) -> None:
    world = shop()
    world.between = stays_bad
    contract = incident(world)
    run(world)
    standing = need(world, Standing, PLAYBOOK)
    for other in ("c-a", "c-b"):
        standing = bad_end(standing, PLAYBOOK, other, world.clock.now())
    forge(world, contract, standing)
    found = shown(grace, deployed, world)
    assert found["mode"] == "shadow"
    assert f"{contract}, c-a, c-b" in found["because"]
    assert "grace close-breaker" in grace("autonomy").words
