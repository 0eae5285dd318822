"""What `grace missions`, `grace show` and `grace why` tell: all of it, from the records, and in words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from grace.model.contract import Contract, ContractHead, ContractStatus
from grace.model.mission import Mission
from grace.model.records import Evidence, Step
from infra.cli import wording
from infra.cli.dossier import dossier
from tests.support.scenes import Scene
from tests.support.world import World, alarm_event
from tests.unit.cli.conftest import Command, Deployed
from tests.unit.flow.scenes import (
    approved,
    first_time,
    heads,
    incident,
    missions,
    need,
    order,
    run,
    shop,
    stays_bad,
    vote,
)


def shown(grace: Command, world: World, deployed: Deployed, contract: str) -> str:
    deployed(world)
    ran = grace("show", contract)
    assert (ran.code, ran.err) == (0, "")
    return ran.words


def test_show_tells_every_promise_with_predicate_expected_observed_and_source(
    grace: Command, deployed: Deployed
) -> None:
    world = shop()
    contract = incident(world)
    text = shown(grace, world, deployed, contract)
    body = need(world, Contract, contract)
    seen = need(world, Evidence, contract, "outcome").observations
    assert {each.id for each in seen} == {line.id for line in body.expect}
    for each in seen:
        for part in (each.predicate, f"expected {each.expected}", f"observed {each.observed}", f"asked: {each.source}"):
            assert " ".join(part.split()) in text


def test_show_tells_what_a_series_was_directly_before_the_action(grace: Command, deployed: Deployed) -> None:
    world = shop()
    contract = incident(world)
    text = shown(grace, world, deployed, contract)
    kept = need(world, Step, contract, "execute").baseline
    assert kept is not None
    measured = [line for line in kept.lines if line.samples]
    assert measured
    for line in measured:
        assert f"directly before the action {line.observed}; observed" in text


def test_show_tells_what_happened_to_what_whether_it_is_safe_and_what_next(grace: Command, deployed: Deployed) -> None:
    world = shop()
    contract = incident(world)
    text = shown(grace, world, deployed, contract)
    head, body = need(world, ContractHead, contract), need(world, Contract, contract)
    assert head.status is ContractStatus.VERIFIED
    assert text.startswith(f"verified {contract}")
    assert head.snapshot
    for part in (
        body.reason,
        body.resource.path,
        "safe now?",
        "What was promised was measured and holds.",
        "what next",
        head.snapshot.sha256,
        "shift_alias to 1 at",
        "put back function_version = 2",
    ):
        assert part in text
    for entry in world.store.story(contract):
        assert entry.type in text


def test_show_takes_the_mission_as_well(grace: Command, deployed: Deployed) -> None:
    world = shop()
    contract = incident(world)
    [mission] = missions(world)
    assert shown(grace, world, deployed, mission.mission_id) == shown(grace, world, deployed, contract)


def test_show_of_an_undone_contract_says_that_it_was_measured_and_how_to_go_on(
    grace: Command, deployed: Deployed
) -> None:
    world = shop()
    world.between = stays_bad
    contract = incident(world)
    text = shown(grace, world, deployed, contract)
    assert text.startswith("rolled_back")
    assert "measured to be as it was before" in text
    assert "every field of the snapshot is back: passed, 2 of 2 fields" in text
    assert "alarm shop-errors is no worse than when the action was decided: passed, then ALARM, now ALARM" in text
    assert "undone? yes, measured" in text
    [mission] = missions(world)
    assert f"grace retry {mission.mission_id}" in text
    assert "grace why 'shop-errors'" in text


def test_show_of_a_restoration_whose_alarm_says_nothing_says_what_is_back_and_what_is_not_known(
    grace: Command, deployed: Deployed
) -> None:
    world = shop()
    world.between = first_time(
        "Rollback", lambda world: world.alarm("INSUFFICIENT_DATA", world.clock.now()), then=stays_bad
    )
    text = shown(grace, world, deployed, incident(world))
    assert text.startswith("safe_hold")
    assert "every field of the snapshot is back: passed, 2 of 2 fields" in text
    assert "inconclusive, then ALARM, now INSUFFICIENT_DATA (it has too little data to be in any state)" in text
    assert "undone? not shown" in text
    assert "measured to be as it was before, but its alarm is worse or says nothing" in text


def test_while_people_are_asked_it_says_who_until_when_and_the_command(grace: Command, deployed: Deployed) -> None:
    world = shop(tier=3)
    contract = incident(world)
    text = shown(grace, world, deployed, contract)
    assert text.startswith("awaiting_approval")
    assert f"(ada, bob; 2 needed): grace decide {contract} approve|reject" in text
    assert "not measured yet" in text
    vote(world, contract, "ada")
    assert "ada: approve at" in shown(grace, world, deployed, contract)


def test_the_sealed_token_is_nowhere_in_what_show_says(grace: Command, deployed: Deployed) -> None:
    world = shop(tier=2)
    contract = incident(world)
    deployed(world)
    ran = grace("show", contract, "--json")
    document = json.loads(ran.out)
    approval = dossier(contract, world).approval
    assert approval is not None
    assert approval.task_token
    assert approval.task_token not in ran.out
    assert "task_token" not in document["approval"]
    assert document["head"]["status"] == "awaiting_approval"


def test_json_is_the_whole_dossier(grace: Command, deployed: Deployed) -> None:
    world = shop()
    contract = incident(world)
    deployed(world)
    document = json.loads(grace("show", contract, "--json").out)
    assert document == dossier(contract, world).document()
    assert [entry["type"] for entry in document["story"]] == [entry.type for entry in world.store.story(contract)]
    assert set(document["evidence"]) == {"outcome"}
    assert document["steps"][0]["baseline"]["lines"]
    assert document["outcome"]["status"] == "verified"


@pytest.mark.parametrize("status", ContractStatus)
def test_every_status_says_whether_it_is_safe_and_what_next(status: ContractStatus) -> None:
    world = shop(tier=2)
    found = dossier(approved(world, "ada"), world)
    found = type(found)(**{**vars(found), "head": found.head.model_copy(update={"status": status})})
    steps = wording.next_steps(found)
    assert wording.safe(found).endswith(".")
    assert steps
    assert not any("{" in step for step in steps)
    if status is ContractStatus.SAFE_HOLD:
        assert wording.safe(found).startswith("Not known")
        assert f"grace release '{found.head.resource}'" in steps[1]
    else:
        assert not wording.safe(found).startswith("Not known")


def test_missions_lists_what_is_open_and_nothing_else(grace: Command, deployed: Deployed) -> None:
    world = shop(tier=2)
    contract = incident(world)
    deployed(world)
    ran = grace("missions")
    assert f"grace show {contract}" in ran.out
    assert "awaiting_approval shop-errors: elevated_errors, high" in ran.words
    [line] = json.loads(grace("missions", "--json").out)
    assert (line["contract"]["contract_id"], line["mission"]["contract_id"]) == (contract, contract)
    vote(world, contract, "ada")
    run(world)
    assert grace("missions").words == "No mission is open: nothing needs you."


def test_missions_begins_with_the_kill_switch_while_it_is_on(grace: Command, deployed: Deployed) -> None:
    world = shop()
    deployed(world)
    order(world, "stop", reason="the region is on fire")
    said = grace("missions").words
    assert said.startswith("The kill switch is on: the region is on fire (ada, since ")
    assert "what next: grace resume" in said
    assert said.endswith("No mission is open.")
    order(world, "resume")
    assert grace("missions").words == "No mission is open: nothing needs you."


def test_a_mission_that_needs_a_person_says_why_and_how_to_go_on(grace: Command, deployed: Deployed) -> None:
    world = shop()
    world.lambdas.functions["shop"]["tags"].clear()
    world.fire(alarm_event())
    run(world)
    deployed(world)
    [mission] = missions(world)
    ran = grace("missions")
    assert "needs_attention" in ran.out
    assert "grace:managed=true" in ran.out
    assert f"what next: grace why 'shop-errors', then grace retry {mission.mission_id} --reason '…'" in ran.out


def test_a_command_to_copy_is_never_folded(grace: Command, deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr("infra.cli.main.PIPE_WIDTH", 40)
    world = shop()
    world.between = stays_bad
    contract = incident(world)
    deployed(world)
    [mission] = missions(world)
    lines = [line.strip() for line in grace("show", contract).out.splitlines()]
    assert f"Draft it again: grace retry {mission.mission_id} --reason '…'" in lines


def test_why_names_the_first_thing_in_the_way(grace: Command, deployed: Deployed) -> None:
    world = shop()
    incident(world)
    world.lambdas.functions["shop"]["tags"]["grace:managed"] = "false"
    deployed(world)
    text = grace("why", "shop-errors").words
    assert "Grace would not act: it is OK" in text
    checks = {check["name"]: check for check in json.loads(grace("why", "shop-errors", "--json").out)}
    assert checks["diagnosed"]["ok"]
    assert not checks["tag"]["ok"]
    assert "grace:managed=true" in checks["tag"]["says"]


def test_why_finds_a_group_that_its_alarm_names_without_its_id(grace: Command, deployed: Deployed) -> None:
    scene = Scene("scale_out_group")
    deployed(scene)
    checks: dict[str, Any] = {
        check["name"]: check for check in json.loads(grace("why", scene.signal.subject, "--json").out)
    }
    assert checks["tag"] == {"name": "tag", "ok": True, "says": f"{scene.resource.arn} is in Grace's hands"}


def test_nothing_that_reads_writes(grace: Command, deployed: Deployed) -> None:
    world = shop(tier=2)
    contract = incident(world)
    deployed(world)

    def state() -> list[Any]:
        return [
            heads(world),
            missions(world),
            world.store.members(Evidence, contract),
            need(world, Mission, missions(world)[0].mission_id),
        ]

    before = state()
    for argv in (["missions"], ["show", contract], ["why", "shop-errors"]):
        assert grace(*argv).code == 0
    assert state() == before
