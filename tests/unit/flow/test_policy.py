"""Policy in the flow: asked when a contract is drafted, recorded with it, and asked again directly before the act."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from pydantic import ValidationError

from grace.errors import AccessDenied, PolicyUnreadable
from grace.flow import permit, remind
from grace.model.approval import Approval, ApprovalStatus, Directory, Person
from grace.model.contract import Contract, ContractStatus, Mode
from grace.model.mission import MissionStatus
from grace.model.policy import Calendar, Freeze, PolicyFile
from grace.policy import ruling
from grace.resources.base import CHANGED_BY_TAG
from tests.support.links import answer, approval_of
from tests.support.world import ACCOUNT, PEOPLE, START, World, alarm_event, policies
from tests.unit.flow.scenes import (
    SHOP,
    approved,
    every,
    first_time,
    incident,
    missions,
    need,
    refusal,
    run,
    shop,
    until,
    vote,
)
from tests.unit.flow.test_mail import wait
from tests.unit.web.scenes import mailed

FREEZE = Calendar(freezes=(Freeze(start=START, end=START + timedelta(days=1), reason="year end"),))


def own(text: str) -> PolicyFile:
    return PolicyFile(name="team.cedar", text=text)


def forbid(condition: str, action: str = 'action in Grace::Action::"act"') -> PolicyFile:
    return own(
        f'@id("team.rule") @reason("the team says so") forbid (principal, {action}, resource) when {{ {condition} }};'
    )


def frozen(world: World) -> None:
    world.catalogue = world.catalogue.model_copy(update={"calendar": FREEZE})


def untagged(world: World) -> None:
    world.lambdas.functions["shop"]["tags"].pop("grace:managed")


def stricter(world: World) -> None:
    world.policy = policies(forbid("context.tier < 3"))


class Unreadable:
    digest = ""
    looks_at_reach = False

    def visible(self, tags: dict[str, str]) -> dict[str, str]:
        return tags

    def ask(self, question: object) -> object:
        raise PolicyUnreadable("the policies cannot be read")


def unreadable(world: World) -> None:
    world.policy = Unreadable()


def test_what_policy_said_is_on_the_contract_and_in_the_log() -> None:
    world = shop()
    contract = need(world, Contract, incident(world))
    assert contract.policy is not None
    assert (contract.policy.by, contract.policy.digest) == (("default.managed",), world.policy.digest)
    [entry] = [each for each in world.store.story(contract.contract_id) if each.type == "contract.drafted"]
    assert entry.digest == contract.digest()


def test_d19_every_decision_is_logged_with_its_policies_and_their_set() -> None:
    """At the draft, at the gate under whatever set is deployed then, and of whom policy bars."""
    world = shop(2)
    ada = forbid('principal == Grace::Person::"ada"', 'action == Grace::Action::"approve"')
    world.policy = policies(ada)
    contract = incident(world)
    vote(world, contract, "bob")
    first, world.policy = world.policy.digest, policies()
    run(world)
    said = {entry.type: entry.body.get("policy") for entry in world.store.story(contract)}
    drafted, acted = said["contract.drafted"], said["contract.executing"]
    assert (drafted["barred"], drafted["barred_by"], drafted["digest"]) == (["ada"], ["team.rule"], first)
    assert acted == {"by": ["default.managed"], "digest": world.policy.digest}
    assert first != world.policy.digest


@pytest.mark.parametrize("at", ["draft", "gate"])
def test_d19_a_refusal_names_the_policy_set_it_is_by(at: str) -> None:
    world = shop()
    if at == "draft":
        stricter(world)
        world.policy = policies(forbid("true"))
        world.fire(alarm_event())
        run(world)
        reason = missions(world)[0].reason
    else:
        world.between = first_time("Execute", lambda world: setattr(world, "policy", policies(forbid("true"))))
        reason = world.head(incident(world)).reason
    assert "[team.rule]" in reason
    assert f"policy set {world.policy.digest[:16]}" in reason


def test_the_digest_that_people_approve_covers_what_policy_said() -> None:
    world = shop(2)
    contract = need(world, Contract, incident(world))
    assert contract.policy is not None
    other = contract.model_copy(update={"policy": contract.policy.model_copy(update={"by": ("else.where",)})})
    assert other.digest() != contract.digest()


def test_i25_production_raised_by_policy_waits_for_a_person() -> None:
    world = shop()
    world.lambdas.functions["shop"]["tags"]["env"] = "prod"
    world.policy = policies(forbid("resource.production && context.tier < 2"))
    contract = incident(world)
    assert world.head(contract).status is ContractStatus.AWAITING_APPROVAL
    assert world.lambdas.changes == 0
    ruling = need(world, Contract, contract).policy
    assert ruling is not None
    assert (need(world, Contract, contract).tier, ruling.raised_by) == (2, ("team.rule",))
    [entry] = [each for each in world.store.story(contract) if each.type == "contract.drafted"]
    said = entry.body["policy"]
    assert (said["raised_by"], said["by"], said["digest"]) == (["team.rule"], list(ruling.by), world.policy.digest)
    vote(world, contract, "ada")
    run(world)
    assert world.head(contract).status is ContractStatus.VERIFIED


def by_reach(polled: int) -> World:
    """A policy that lets tier 1 act where at most three depend on it; `polled` queues do, or (-1) nobody may look."""
    world = shop()
    rule = forbid("context.tier < 2").text.replace(
        "};", "} unless { context has dependents && context.dependents <= 3 };"
    )
    world.policy = policies(own(rule))
    if polled < 0:
        world.aws.handlers["lambda", "list_event_source_mappings"] = barred
    world.lambdas.sources[SHOP] = [f"arn:aws:sqs:eu-west-1:123456789012:orders-{n}" for n in range(polled)]
    return world


def barred(**_: object) -> dict[str, object]:
    raise AccessDenied("no")


def looked(world: World) -> int:
    return sum(operation == "list_event_source_mappings" for _, operation, _ in world.aws.calls)


@pytest.mark.parametrize(("polled", "known"), [(4, 4), (-1, None)])
def test_how_far_an_act_is_felt_raises_its_tier_and_so_does_that_nobody_knows(polled: int, known: int | None) -> None:
    world = by_reach(polled)
    contract = incident(world)
    ruling = need(world, Contract, contract).policy
    assert ruling is not None
    assert (need(world, Contract, contract).tier, ruling.raised_by) == (2, ("team.rule",))
    assert (ruling.seen.dependents, ruling.seen.reach) == (known, 1 if known else None)
    vote(world, contract, "ada")
    run(world)
    assert world.head(contract).status is ContractStatus.VERIFIED


def test_what_little_depends_on_is_done_alone_and_the_gate_asks_with_what_was_known() -> None:
    world = by_reach(3)
    contract = incident(world)
    run(world)
    assert world.head(contract).status is ContractStatus.VERIFIED
    assert need(world, Contract, contract).tier == 1
    assert looked(world) == 1


def test_where_no_policy_names_it_nobody_looks_how_far_an_act_is_felt() -> None:
    world = shop()
    contract = need(world, Contract, incident(world))
    assert contract.policy is not None
    assert (contract.policy.seen.reach, contract.policy.seen.dependents, looked(world)) == (None, None, 0)


def test_i25_no_field_of_a_vote_lowers_the_tier() -> None:
    world, contract = mailed(3)
    before = approval_of(world, contract)
    wanted = {
        "tier": "1",
        "need": "1",
        "status": "approved",
        "digest": before.digest,
        "policy": "",
        "mode": "autonomous",
    }
    assert answer(world, contract, "ada", **wanted)["statusCode"] == 403
    assert approval_of(world, contract) == before
    with pytest.raises(ValidationError):
        vote(world, contract, "ada", tier=1)
    vote(world, contract, "ada")
    assert world.head(contract).status is ContractStatus.AWAITING_APPROVAL


def test_i25_without_asking_policy_from_the_playbooks_tier_upward_it_would_be_lowered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The mutant: the lowest tier of all is asked about first."""
    whole = ruling.decide
    monkeypatch.setattr(ruling, "decide", lambda *asked, tier, mode: whole(*asked, tier=1, mode=mode))
    world = shop(3)
    assert need(world, Contract, incident(world)).tier == 1
    assert world.lambdas.changes == 1


def test_a_mode_is_lowered_by_policy() -> None:
    world = shop()
    world.policy = policies(forbid('context.mode == "autonomous"'))
    contract = incident(world)
    assert need(world, Contract, contract).mode is Mode.APPROVAL
    assert world.head(contract).status is ContractStatus.AWAITING_APPROVAL


@pytest.mark.parametrize(
    ("change", "says"),
    [(frozen, "a freeze is on (year end) [calendar.freeze]"), (unreadable, "cannot be read")],
)
def test_what_policy_denies_when_it_is_drafted_goes_to_a_person(change: Callable[[World], None], says: str) -> None:
    world = shop()
    change(world)
    world.fire(alarm_event())
    run(world)
    [mission] = missions(world)
    assert mission.status is MissionStatus.NEEDS_ATTENTION
    assert says in mission.reason
    assert (world.contracts(), world.lambdas.changes) == ([], 0)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (frozen, "a freeze is on (year end)"),
        (untagged, "given into Grace's hands"),
        (stricter, "the team says so [team.rule]"),
        (unreadable, "cannot be read"),
    ],
)
@pytest.mark.parametrize("tier", [1, 2])
def test_i20_policy_is_asked_again_directly_before_the_act(
    change: Callable[[World], None], says: str, tier: int
) -> None:
    world = shop(tier)
    world.between = first_time("Baseline", change)
    contract = incident(world) if tier == 1 else approved(world, "ada")
    head = world.head(contract)
    assert head.status is ContractStatus.REFUSED
    assert says in head.reason
    assert world.lambdas.changes == 0


def test_without_asking_again_it_would_act(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant."""
    monkeypatch.setattr(permit, "still", lambda *_: None)
    world = shop()
    world.between = first_time("Baseline", frozen)
    assert world.head(incident(world)).status is ContractStatus.VERIFIED
    assert world.lambdas.changes == 1


def test_whom_policy_bars_is_not_asked_and_cannot_decide() -> None:
    world = shop(2)
    world.policy = policies(forbid('principal == Grace::Person::"ada"', 'action == Grace::Action::"approve"'))
    contract = incident(world)
    [approval] = every(world, Approval)
    assert "ada" in approval.excluded
    assert refusal(lambda: vote(world, contract, "ada")) == "not_yours"
    assert world.head(contract).status is ContractStatus.AWAITING_APPROVAL


NEW = Person(
    id="new",
    name="New",
    mail="new@example.org",
    groups=("leads", "approvers"),
    principals=(f"arn:aws:iam::{ACCOUNT}:role/new",),
)
BARRED = forbid('principal == Grace::Person::"new"', 'action == Grace::Action::"approve"')


def joins(world: World) -> None:
    """A later deploy, whose people file has one person more."""
    directory = Directory(people=(*PEOPLE.people, NEW))
    world.catalogue = world.catalogue.model_copy(update={"directory": directory, "escalation": ("leads",)})


def joined_later(*files: PolicyFile, caused_by: str = "") -> tuple[World, str]:
    """Somebody joins after people were asked, and the escalation comes to them."""
    world = shop(2)
    world.policy = policies(*files)
    if caused_by:
        world.lambdas.functions["shop"]["tags"][CHANGED_BY_TAG] = caused_by
    contract = incident(world)
    joins(world)
    wait(world, 16)
    return world, contract


def test_who_joins_later_is_called_when_policy_lets_them() -> None:
    world, contract = joined_later()
    assert "new" in approval_of(world, contract).approvers
    assert vote(world, contract, "new").status is ApprovalStatus.APPROVED


@pytest.mark.parametrize(("files", "caused_by"), [((BARRED,), ""), ((), "new@example.org"), ((), "new")])
def test_who_joins_later_and_may_not_decide_is_never_called(files: tuple[PolicyFile, ...], caused_by: str) -> None:
    world, contract = joined_later(*files, caused_by=caused_by)
    assert world.head(contract).generation == 2
    assert "new" not in approval_of(world, contract).approvers
    assert not [letter for letter in world.mail.sent if letter.to == NEW.mail]
    assert refusal(lambda: vote(world, contract, "new")) == "not_yours"


def test_without_asking_policy_when_they_are_called_they_would_approve_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remind, "admitted", lambda people, *_: people)
    world, contract = joined_later(BARRED)
    assert vote(world, contract, "new").status is ApprovalStatus.APPROVED


def test_who_joins_between_draft_and_question_is_asked_about_too() -> None:
    world = shop(2)
    world.policy = policies(BARRED)
    contract = until(world, "Preflight").name
    joins(world)
    run(world)
    approval = approval_of(world, contract)
    assert ("new" in approval.approvers, "new" in approval.excluded) == (True, True)
    assert refusal(lambda: vote(world, contract, "new")) == "not_yours"


def test_under_policies_that_came_later_nobody_else_is_called_and_nothing_is_asked_anew() -> None:
    """Nobody knows which tags of the resource they would name."""
    world = shop(2)
    contract = incident(world)
    joins(world)
    world.policy = policies(BARRED)
    wait(world, 16)
    assert "new" not in approval_of(world, contract).approvers
    world = shop(2)
    contract = until(world, "Preflight").name
    world.policy = policies(BARRED)
    run(world)
    assert world.head(contract).status is ContractStatus.REFUSED
    assert world.mail.sent == []


def test_in_shadow_policy_refuses_nothing_because_nothing_is_done() -> None:
    world = shop()
    world.catalogue = world.catalogue.model_copy(update={"modes": {}, "calendar": FREEZE})
    world.fire(alarm_event())
    run(world)
    assert world.lambdas.changes == 0
    assert [each.status for each in missions(world)] == [MissionStatus.CLOSED]
