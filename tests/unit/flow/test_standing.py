"""Modes at run time: a person's demotion and the playbook's breaker only ever lower, and the gate looks again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grace.errors import Refused
from grace.flow import standing as room
from grace.flow.close import close
from grace.flow.operate import Order, operate
from grace.flow.standing import THRESHOLD, WINDOW, bad_end, effective, lowest
from grace.model.approval import Directory
from grace.model.contract import Call, ContractStatus, Mode
from grace.model.records import Demotion, Standing
from tests.support.world import PEOPLE, START, World, alarm_event
from tests.unit.flow.scenes import (
    approved,
    check,
    first_time,
    forge,
    heads,
    heals,
    incident,
    need,
    order,
    principal,
    read,
    refusal,
    run,
    shop,
    stays_bad,
    story,
    until,
    vote,
)

PLAYBOOK = "roll_back_lambda_alias"
MODES = st.sampled_from(list(Mode))


def demote(world: World, to: str = "shadow", person: str = "ada") -> str:
    wanted = Order.model_validate({"command": "demote", "target": PLAYBOOK, "to": to, "reason": "not today"})
    return operate(wanted, principal(person), world)


def configured(world: World, **changed: object) -> None:
    """Deploy another configuration."""
    world.catalogue = world.catalogue.model_copy(update=changed)


def again(world: World, minutes: float = 61, *, fixed: bool = False) -> str:
    """Let the alarm fire anew, and run what follows; the contract's status."""
    world.clock.advance(minutes * 60)
    now = world.clock.now()
    world.lambdas.alias("shop", "live", "2")
    world.traffic(now - timedelta(minutes=40), now - timedelta(minutes=3), errors=0.0)
    world.traffic(now - timedelta(minutes=3), now + timedelta(minutes=1), errors=20.0)
    world.alarm("ALARM", now)
    world.between = heals if fixed else stays_bad
    assert world.fire(alarm_event("ALARM", now)) == []
    run(world)
    return heads(world)[-1].status.value


def broken(world: World) -> World:
    """Three contracts of the playbook that had to be undone."""
    assert [again(world) for _ in range(THRESHOLD)] == ["rolled_back"] * THRESHOLD
    return world


# -- the breaker


def test_three_rollbacks_open_it_with_the_third_ones_closing_and_a_person_is_told() -> None:
    world = broken(shop())
    standing = need(world, Standing, PLAYBOOK)
    assert standing.opened_at is not None
    third = standing.undone[-1].contract_id
    assert story(world, third)[-2:] == ["playbook.breaker_opened", "contract.closed"]
    assert [told[0] for told in world.messages.notified if told[1] == f"breaker open: {PLAYBOOK}"] == ["critical"]
    check(world)


def test_i36_while_it_is_open_nothing_new_is_done_and_only_a_person_closes_it() -> None:
    world = broken(shop())
    changes = world.lambdas.changes
    assert again(world, 60 * 24 * 3, fixed=True) == "shadowed"
    assert world.lambdas.changes == changes
    told = order(world, "close-breaker", PLAYBOOK, reason="the release is mended")
    assert "closed" in told
    assert story(world, "sys:operate") == ["operator.close_breaker"]
    assert refusal(lambda: order(world, "close-breaker", PLAYBOOK)) == "breaker_closed"
    assert again(world, fixed=True) == "verified"
    check(world)


def test_without_the_breaker_the_fourth_contract_would_act(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: nothing ever opens it."""
    monkeypatch.setattr(room, "THRESHOLD", 10_000)
    world = broken(shop())
    assert again(world, fixed=True) == "verified"


def test_i36_opened_in_mid_flight_the_gate_refuses_and_after_the_action_the_rollback_still_runs() -> None:
    for state, ends in (("Execute", ContractStatus.REFUSED), ("Settle", ContractStatus.ROLLED_BACK)):
        world = shop()
        world.between = first_time(state, open_it, stays_bad)
        head = world.head(incident(world))
        assert head.status is ends
        assert world.lambdas.changes == (0 if ends is ContractStatus.REFUSED else 2)
        assert world.lambdas.version_of("shop", "live") == "2"


def open_it(world: World) -> None:
    """Open the playbook's breaker as three others' ends would."""
    ends: Standing | None = None
    for name in "abc":
        ends = bad_end(ends, PLAYBOOK, f"c-{name}", world.clock.now())
    forge(world, world.contracts()[0], ends)


def test_two_rollbacks_at_the_same_moment_both_count() -> None:
    """The second to write reads the first one's count, and opens the breaker with it."""
    world = shop()
    first = bad_end(bad_end(None, PLAYBOOK, "c-a", START), PLAYBOOK, "c-b", START)
    done: list[Standing] = []
    whole = world.store.commit

    def beside(commit: Any) -> Any:
        if any(each.type == "contract.closed" for each in commit.entries) and not done:
            done.append(first)
            forge(world, world.contracts()[0], first)
        return whole(commit)

    world.between = stays_bad
    world.store.commit = beside
    contract = incident(world)
    standing = need(world, Standing, PLAYBOOK)
    assert [end.contract_id for end in standing.undone] == ["c-a", "c-b", contract]
    assert standing.opened_at is not None


def test_closed_again_after_a_crash_a_contract_counts_once() -> None:
    world = shop()
    world.between = stays_bad
    contract = incident(world)
    before = need(world, Standing, PLAYBOOK)
    execution = world.workflow.executions[contract]
    close(Call.model_validate({"ticket": execution.document, "step": "close"}), world)
    assert need(world, Standing, PLAYBOOK) == before
    assert len(before.undone) == 1


def test_a_relapse_counts_as_a_rollback_does() -> None:
    world = shop()
    incident(world)
    assert read(world, Standing, PLAYBOOK) is None
    again(world, 16)
    assert len(need(world, Standing, PLAYBOOK).undone) == 2, "the relapse of the first, the rollback of the second"


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40 * 60), st.integers(0, 5)), max_size=12))
def test_it_opens_exactly_when_three_contracts_ended_badly_within_24_hours(ends: list[tuple[int, int]]) -> None:
    """The window slides and each contract counts once, checked against the sentence itself."""
    standing: Standing | None = None
    latest: dict[str, datetime] = {}
    expected: datetime | None = None
    for minutes, name in sorted(ends):
        at = START + timedelta(minutes=minutes)
        latest[f"c-{name}"] = at
        standing = bad_end(standing, PLAYBOOK, f"c-{name}", at)
        if expected is None and sum(at - end < WINDOW for end in latest.values()) >= THRESHOLD:
            expected = at
    assert (standing.opened_at if standing else None) == expected


# -- demotion


@given(MODES, st.sampled_from([Mode.SHADOW, Mode.APPROVAL]), st.booleans(), st.booleans())
def test_the_effective_mode_is_never_above_any_of_its_parts(mode: Mode, to: Mode, demoted: bool, opened: bool) -> None:
    world = shop()
    configured(world, modes={PLAYBOOK: mode})
    order_ = Demotion.model_validate({"id": "d-" + "a" * 12, "to": to, "by": "ada", "reason": "so", "at": START})
    standing = Standing(playbook=PLAYBOOK, demotion=order_ if demoted else None, opened_at=START if opened else None)
    parts = [mode, *([to] if demoted else []), *([Mode.SHADOW] if opened else [])]
    found = effective(PLAYBOOK, standing, world.catalogue)
    assert found.mode is lowest(parts)
    assert bool(found.why) is (found.mode is not mode)


def test_demoted_to_shadow_it_drafts_and_does_not_act_and_says_why() -> None:
    world = shop()
    demote(world)
    assert story(world, "sys:operate") == ["operator.demote"]
    assert world.fire(alarm_event()) == []
    run(world)
    assert world.contracts() == []
    assert world.lambdas.changes == 0
    assert any(told[0] == "high" and "ada demoted" in told[2] for told in world.messages.notified)
    check(world)


def test_demoted_to_approval_an_autonomous_playbook_asks_first() -> None:
    world = shop()
    demote(world, "approval")
    contract = incident(world)
    assert world.head(contract).status is ContractStatus.AWAITING_APPROVAL
    vote(world, contract, "bob")
    run(world)
    assert world.head(contract).status is ContractStatus.VERIFIED


@pytest.mark.parametrize("to", ["shadow", "approval"])
def test_a_demotion_between_the_gate_of_the_snapshot_and_the_action_refuses_before_any_effect(to: str) -> None:
    world = shop()
    world.between = first_time("Execute", lambda here: demote(here, to))
    contract = incident(world)
    assert world.head(contract).status is ContractStatus.REFUSED
    assert "demoted" in world.head(contract).reason
    assert world.lambdas.changes == 0


def test_a_demotion_after_the_approval_refuses_before_any_effect() -> None:
    world = shop(2)
    world.between = first_time("Execute", demote)
    contract = approved(world, "bob")
    assert world.head(contract).status is ContractStatus.REFUSED
    assert world.lambdas.changes == 0


def test_without_the_second_look_a_demoted_playbook_would_act(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: the gate does not ask for the mode again."""
    monkeypatch.setattr("grace.flow.gate.may_act", lambda *_, **__: None)
    world = shop()
    world.between = first_time("Execute", demote)
    assert world.head(incident(world)).status is ContractStatus.VERIFIED


def test_only_a_configuration_that_names_the_demotion_ends_it() -> None:
    world = shop()
    demote(world)
    first = need(world, Standing, PLAYBOOK).demotion
    assert first is not None
    modes = {PLAYBOOK: Mode.AUTONOMOUS}
    for lifted, mode in (
        ({}, Mode.SHADOW),
        ({PLAYBOOK: "d-" + "b" * 12}, Mode.SHADOW),
        ({PLAYBOOK: first.id}, "autonomous"),
    ):
        configured(world, modes=modes, lifted=lifted)
        assert effective(PLAYBOOK, need(world, Standing, PLAYBOOK), world.catalogue).mode == mode
    demote(world, "approval")
    second = need(world, Standing, PLAYBOOK)
    assert effective(PLAYBOOK, second, world.catalogue).mode is Mode.APPROVAL, "the old line lifts no new demotion"


def test_bus_and_people_hear_of_each_order() -> None:
    world = broken(shop())
    heard = len(world.messages.published)
    order(world, "close-breaker", PLAYBOOK, reason="the release is mended")
    demote(world)
    standing = need(world, Standing, PLAYBOOK).demotion
    assert standing is not None
    closed, lowered = world.messages.published[heard:]
    assert (closed[0], closed[1]["playbook"], closed[1]["by"]) == ("playbook.breaker_closed", PLAYBOOK, "ada")
    assert (lowered[0], lowered[1]["to"], lowered[1]["was"]) == ("playbook.demoted", "shadow", "autonomous")
    assert lowered[1]["demotion"] == standing.id
    assert [told[1] for told in world.messages.notified[-2:]] == [
        f"close breaker: {PLAYBOOK}",
        f"demote: {PLAYBOOK}",
    ]


def test_an_order_never_raises() -> None:
    world = shop()
    demote(world)
    assert refusal(lambda: demote(world)) == "no_demotion"
    assert refusal(lambda: demote(world, "approval")) == "no_demotion"
    with pytest.raises(ValueError, match="to"):
        demote(world, "autonomous")
    assert refusal(lambda: order(world, "demote", "no_such")) == "no_playbook"
    nobody = shop()
    configured(
        nobody,
        directory=Directory(people=tuple(p.model_copy(update={"groups": ("operators",)}) for p in PEOPLE.people)),
    )
    assert refusal(lambda: demote(nobody, "approval")) == "nobody_to_ask"


def test_a_deploy_that_lowers_the_mode_holds_for_what_was_drafted_before() -> None:
    world = shop()
    execution = until(world, "Execute")
    configured(world, modes={})
    run(world)
    assert world.head(execution.name).status is ContractStatus.REFUSED


# -- who may order


@pytest.mark.parametrize(
    "command", ["stop", "resume", "rollback", "release", "retry", "dismiss", "demote", "close-breaker"]
)
def test_only_operators_orders_are_carried_out(command: str) -> None:
    world = shop()
    with pytest.raises(Refused, match="eve is not in the group 'operators'"):
        order(world, command, PLAYBOOK, person="eve")
    assert read(world, Standing, PLAYBOOK) is None
