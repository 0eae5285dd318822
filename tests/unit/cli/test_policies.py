"""`grace policy check | explain`: what is wrong, what is allowed, what decided, and what would change it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from grace.model.policy import PolicyFile
from tests.support.world import alarm_event, policies
from tests.unit.cli.conftest import Command, Deployed
from tests.unit.flow.scenes import heads, incident, run, shop

RAISED = (
    '@id("team.people") @reason("people first")\n'
    'forbid (principal, action in Grace::Action::"act", resource) when { context.tier < 2 };'
)


def test_check_says_what_each_playbook_may_do(grace: Command) -> None:
    ran = grace("policy", "check", "--json")
    assert ran.code == 0
    found = {each["playbook"]: each for each in json.loads(ran.out)["playbooks"]}
    assert found["roll_back_lambda_alias"] == {
        "playbook": "roll_back_lambda_alias",
        "tier": 1,
        "allowed": "tier 1, autonomous",
        "by": "default.managed",
    }
    assert found["reboot_instance"]["allowed"] == "tier 2, autonomous"
    assert all(each["allowed"] != "not at all" for each in found.values())


def test_check_shows_what_a_policy_of_ones_own_changes(grace: Command, tmp_path: Path) -> None:
    (tmp_path / "team.cedar").write_text(RAISED)
    ran = grace("policy", "check", tmp_path)
    assert ran.code == 0
    assert "scale_out_group 1 tier 2, autonomous default.managed, team.people" in ran.words


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("permit (", "team.cedar: it cannot be read"),
        (RAISED.replace('@reason("people first")', ""), "team.cedar: team.people: a forbid says why"),
        (RAISED.replace("context.tier", "context.tear"), "attribute `tear`"),
    ],
)
def test_a_wrong_policy_is_a_sentence_and_no_stack_trace(grace: Command, tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "team.cedar").write_text(text)
    ran = grace("policy", "check", tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert says in ran.err
    assert "Traceback" not in ran.err


def test_a_folder_that_is_not_there_is_refused(grace: Command, tmp_path: Path) -> None:
    ran = grace("policy", "check", tmp_path / "nowhere")
    assert (ran.code, "is no folder" in ran.err) == (2, True)


def test_explain_says_who_what_by_which_policy_and_what_would_change_it(grace: Command, deployed: Deployed) -> None:
    world = shop()
    world.policy = policies(PolicyFile(name="team.cedar", text=RAISED))
    contract = incident(world)
    deployed(world)
    ran = grace("policy", "explain", contract)
    assert (ran.code, ran.err) == (0, "")
    for part in (
        "at tier 2, autonomous, by default.managed",
        "less was forbidden by team.people",
        "may not decide it nobody is barred by policy",
        "weekday 6, 12:00",
        "the kill switch on: refused: the kill switch is on [constitution.kill_switch]",
        "without the tag grace:managed=true: refused:",
    ):
        assert part in ran.words


def test_explain_says_how_far_the_act_is_felt_and_what_else_would_follow(grace: Command, deployed: Deployed) -> None:
    world = shop()
    rule = RAISED.replace("};", "} unless { context has dependents && context.dependents <= 3 };")
    world.policy = policies(PolicyFile(name="team.cedar", text=rule))
    contract = incident(world)
    deployed(world)
    ran = grace("policy", "explain", contract)
    for part in (
        "at tier 1, autonomous",
        "felt by targets: 1; what depends on them: 0",
        "a dozen things depending on it: tier 2, autonomous",
        "not known by what it is felt: tier 2, autonomous",
    ):
        assert part in ran.words


def test_explain_as_json_has_the_whole_ruling(grace: Command, deployed: Deployed) -> None:
    world = shop()
    contract = incident(world)
    deployed(world)
    found = json.loads(grace("policy", "explain", contract, "--json").out)
    assert found["ruling"]["by"] == ["default.managed"]
    assert (found["tier"], found["mode"]) == (1, "autonomous")
    assert ["a freeze", "refused: a freeze is on (a freeze) [calendar.freeze]"] in found["would_change"]


def test_what_was_drafted_in_shadow_was_asked_of_no_policy(grace: Command, deployed: Deployed) -> None:
    world = shop()
    world.catalogue = world.catalogue.model_copy(update={"modes": {}})
    deployed(world)
    world.fire(alarm_event())
    run(world)
    [head] = heads(world)
    ran = grace("policy", "explain", head.contract_id)
    assert (ran.code, "never acts" in ran.err) == (2, True)
