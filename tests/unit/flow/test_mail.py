"""F35, F37, F38, F40, I16, I21, I23: who is written to, what stands in it, and when people are asked again."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from grace.errors import Unavailable
from grace.flow.remind import remind, undelivered
from grace.ledger.replay import stands
from grace.model.approval import Approval, ApprovalStatus, Directory, Person, Reminder, Rota, Undelivered, Urgency
from grace.model.contract import Contract, ContractStatus
from grace.model.link import approver_bytes, decode, message
from grace.model.log import AuditPin
from grace.ports import Letter
from grace.stores.rows import row_of
from tests.support.world import ACCOUNT, PEOPLE, START, World, alarm_event
from tests.unit.flow.scenes import every, incident, missions, need, order, refusal, run, shop, sweep, vote

LINK = re.compile(r"https://grace\.example/a/([A-Za-z0-9_-]{103})")
CAROL = Person(
    id="carol",
    name="Carol",
    mail="carol@example.org",
    groups=("leads", "operators"),
    principals=(f"arn:aws:iam::{ACCOUNT}:role/carol",),
)
DAVE = Person(id="dave", name="Dave", mail="dave@example.org")


def crew(world: World, *more: Person, rotas: tuple[Rota, ...] = (), escalation: tuple[str, ...] = ()) -> World:
    """The same world with more people, rotas and an escalation."""
    directory = Directory(people=(*PEOPLE.people, *more), rotas=rotas)
    world.catalogue = world.catalogue.model_copy(update={"directory": directory, "escalation": escalation})
    return world


def manned(tier: int = 2) -> World:
    """A shop whose approvals go on to the leads, and then to whoever is on call."""
    week = Rota(name="week", people=("dave", "carol"), starts=START)
    return crew(shop(tier), CAROL, DAVE, rotas=(week,), escalation=("leads", "week"))


def to(world: World) -> list[str]:
    return [letter.to.partition("@")[0] for letter in world.mail.sent]


def token(letter: Letter) -> str:
    [found] = set(LINK.findall(letter.text))
    assert set(LINK.findall(letter.html)) == {found}
    return str(found)


def authentic(world: World, letter: Letter) -> bool:
    """Whether a letter's link is proved against the approval as it stands: what `answer` checks."""
    link, mac = decode(token(letter))
    head = world.head(link.contract_id)
    approval = need(world, Approval, link.contract_id, str(head.generation))
    return bool(world.macs.verify(message(link, approval.generation), mac, approval.key_id))


def entries(world: World, contract: str, kind: str) -> list[dict[str, Any]]:
    return [entry.body for entry in world.store.story(contract) if entry.type == kind]


def wait(world: World, minutes: float) -> None:
    """Let time pass, let the sweep look, and let `ask` do what the sweep asks of it."""
    world.clock.advance(minutes * 60)
    sweep(world)
    reminders, world.messages.reminders[:] = list(world.messages.reminders), []
    for reminder in reminders:
        remind(reminder, world)


# -- who is written to


def test_each_who_may_decide_has_one_letter_with_one_link_of_their_own() -> None:
    world = shop(2)
    contract = incident(world)
    assert to(world) == ["ada", "bob"]
    links = [decode(token(letter))[0] for letter in world.mail.sent]
    assert {link.contract_id for link in links} == {contract}
    assert [link.approver for link in links] == [approver_bytes("ada"), approver_bytes("bob")]
    body, approval = need(world, Contract, contract), need(world, Approval, contract, "1")
    assert {link.digest for link in links} == {bytes.fromhex(body.digest())[:16]}
    assert {link.expires_at for link in links} == {approval.expires_at.replace(microsecond=0)}
    assert all(authentic(world, letter) for letter in world.mail.sent)


def test_d11_who_is_excluded_has_no_link() -> None:
    world = shop(2)
    first = incident(world)
    vote(world, first, "bob", "reject")
    run(world)
    world.mail.sent.clear()
    order(world, "retry", missions(world)[0].mission_id, "ada")
    run(world)
    assert to(world) == ["bob"]


def test_who_has_no_mail_is_told_through_the_topic_alone() -> None:
    world = shop(2)
    people = tuple(person.model_copy(update={"mail": ""}) for person in PEOPLE.people)
    world.catalogue = world.catalogue.model_copy(update={"directory": Directory(people=people)})
    contract = incident(world)
    assert world.mail.sent == []
    assert world.head(contract).status is ContractStatus.AWAITING_APPROVAL
    assert [subject for _, subject, _ in world.messages.notified if "approval needed" in subject]


def test_without_a_sender_nobody_is_written_to_and_no_proof_is_made() -> None:
    world = shop(2)
    world.mail.base_url = ""
    contract = incident(world)
    assert world.mail.sent == []
    assert need(world, Approval, contract, "1").key_id == ""


def test_nobody_is_written_to_about_what_could_not_run() -> None:
    """What preflight finds missing is said to the operator instead."""
    world = shop(2)
    world.permissions.denied = {"lambda:UpdateAlias"}
    contract = incident(world)
    assert world.mail.sent == []
    assert world.head(contract).status is ContractStatus.REFUSED
    assert any("lambda:UpdateAlias" in text for _, _, text in world.messages.notified)


def test_a_group_of_its_own_decides_for_a_playbook_or_a_tier() -> None:
    for key in ("2", "roll_back_alias"):
        world = crew(shop(2), CAROL)
        name = next(iter(world.catalogue.modes))
        chosen = {"2": "leads"} if key == "2" else {name: "leads"}
        world.catalogue = world.catalogue.model_copy(update={"approvers_for": chosen})
        contract = incident(world)
        assert to(world) == ["carol"]
        assert refusal(partial(vote, world, contract, "ada")) == "not_yours"


# -- what stands in it


def test_a_letter_says_what_where_why_and_cannot_decide() -> None:
    world = shop(2)
    world.store._put(row_of(AuditPin(version=1, at=world.clock.now(), note="grace.example/log\n12\nroot=\n\n\u2014")))
    contract = incident(world)
    [letter, _] = world.mail.sent
    body = need(world, Contract, contract)
    for text in (letter.text, letter.html):
        assert body.resource.arn in text
        assert contract in text
        assert body.digest()[:16] in text
        assert "12:30 UTC" in text
        assert "grace.example/log" in text
        assert len(re.findall(r"https?://", text)) == len(LINK.findall(text)) == 1
        assert "approve" not in text.lower().replace("approval", "").replace("approvers", "")
    assert letter.html.count("<a ") == 1
    assert not re.search(r"<(script|img|form|iframe|link)\b", letter.html)
    assert letter.tags == {"contract": contract, "person": "ada"}


def test_f38_what_others_wrote_is_escaped_stripped_and_cut() -> None:
    world = shop(2)
    contract = incident(world)
    body, approval = need(world, Contract, contract), need(world, Approval, contract, "1")
    foul = "<img src=x onerror=alert(1)>\u202egpj.exe\u200b\x00\x1b[31m\r\nBcc: eve@example.org {{7*7}}" + "A" * 10_240
    from grace.flow.inviting import invite  # noqa: PLC0415  beside what it is tried with

    spoiled = body.model_copy(
        update={
            "reason": foul,
            "undo_text": foul,
            "action": body.action.model_copy(update={"parameters": {foul: foul}}),
        }
    )
    person = Person.model_construct(id="ada", name=foul[:128], mail="ada@example.org", groups=(), principals=())
    world.mail.sent.clear()
    invite(spoiled, approval, [person], world, at=world.clock.now())
    [letter] = world.mail.sent
    assert "<img" not in letter.html
    assert "&lt;img" in letter.html
    assert "{{7*7}}" in letter.html
    for text in (letter.subject, letter.text, letter.html):
        assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\x00\x1b\r]", text)
        assert len(text) < 12_000
    assert "\nBcc:" not in letter.text
    assert "\n" not in letter.subject


# -- when mail does not go


def test_a_letter_that_is_refused_stops_no_other_and_the_next_are_asked_at_once() -> None:
    world = manned()
    world.mail.refused.add("ada@example.org")
    contract = incident(world)
    assert to(world) == ["bob", "carol"]
    approval = need(world, Approval, contract, "1")
    assert approval.unreached == ("ada",)
    assert approval.approvers == ("ada", "bob", "carol")
    assert entries(world, contract, "approval.requested")[0]["unreached"] == ["ada"]


def test_mail_that_is_not_taken_for_a_while_is_tried_again_by_the_workflow() -> None:
    world = shop(2)
    send, failures = world.mail.send, [Unavailable("ses"), Unavailable("ses")]

    def slow(letter: Letter) -> str:
        if failures:
            raise failures.pop()
        return str(send(letter))

    world.mail.send = slow
    incident(world)
    assert to(world) == ["ada", "bob"]


def test_f40_without_a_key_people_are_asked_without_links() -> None:
    world = shop(2)
    world.macs.keys.clear()
    contract = incident(world)
    assert world.mail.sent == []
    assert need(world, Approval, contract, "1").unreached == (), "nothing is known of their mailboxes"
    vote(world, contract, "ada")
    run(world)
    assert world.head(contract).status is ContractStatus.VERIFIED


# -- escalation


def test_at_half_and_at_four_fifths_those_who_have_not_voted_and_the_next_are_asked() -> None:
    world = manned(3)
    contract = incident(world)
    vote(world, contract, "ada")
    first = list(world.mail.sent)
    wait(world, 29)
    assert world.mail.sent == first
    wait(world, 1)
    assert to(world)[2:] == ["bob", "carol"]
    wait(world, 10)
    assert len(world.mail.sent) == 4
    wait(world, 8)
    assert to(world)[4:] == ["bob", "carol", "dave"]
    wait(world, 5)
    assert len(world.mail.sent) == 7
    told = entries(world, contract, "approval.escalated")
    assert [(each["why"], each["generation"], each["asked"]) for each in told] == [
        ("half", 2, ["carol"]),
        ("late", 3, ["dave"]),
    ]
    assert [subject for severity, subject, _ in world.messages.notified if severity == "high"]


def test_i16_a_new_generation_voids_every_link_before_it_and_no_vote() -> None:
    world = manned(3)
    contract = incident(world)
    vote(world, contract, "ada")
    wait(world, 31)
    old, new = world.mail.sent[:2], world.mail.sent[2:]
    assert [authentic(world, letter) for letter in (*old, *new)] == [False, False, True, True]
    assert need(world, Approval, contract, "1").status is ApprovalStatus.SUPERSEDED
    vote(world, contract, "carol")
    run(world)
    assert world.head(contract).status is ContractStatus.VERIFIED


def test_i16_without_the_generation_in_the_proof_an_old_link_would_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    covers = message
    for module in ("grace.flow.inviting", __name__):
        monkeypatch.setattr(f"{module}.message", lambda link, generation: covers(link, 0 * generation))
    world = manned(3)
    incident(world)
    wait(world, 31)
    assert authentic(world, world.mail.sent[0])


def test_asking_again_wakes_no_workflow_and_the_decision_does() -> None:
    world = manned()
    contract = incident(world)
    wait(world, 16)
    run(world)
    assert world.head(contract).status is ContractStatus.AWAITING_APPROVAL
    assert world.workflow.executions[contract].status == "RUNNING"
    vote(world, contract, "bob")
    run(world)
    assert world.head(contract).status is ContractStatus.VERIFIED


def test_the_time_to_decide_does_not_grow() -> None:
    world = manned()
    contract = incident(world)
    before = need(world, Approval, contract, "1")
    wait(world, 16)
    after = need(world, Approval, contract, "2")
    assert (after.asked_at, after.expires_at) == (before.asked_at, before.expires_at)
    wait(world, 15)
    run(world)
    assert world.head(contract).status is ContractStatus.EXPIRED
    assert [event for event, _ in world.messages.published if event.startswith("approval.")] == [
        "approval.requested",
        "approval.expired",
    ]


def test_two_sweeps_ask_again_once() -> None:
    world = manned()
    contract = incident(world)
    world.clock.advance(16 * 60)
    reminder = Reminder(contract_id=contract, urgency=Urgency.HALF)
    assert [remind(reminder, world), remind(reminder, world)] == [True, False]
    assert world.head(contract).generation == 2


def test_nothing_is_asked_again_once_it_is_decided_or_over() -> None:
    world = manned()
    contract = incident(world)
    vote(world, contract, "ada")
    run(world)
    for urgency in Urgency:
        assert remind(Reminder(contract_id=contract, urgency=urgency), world) is False
    assert undelivered(Undelivered(contract_id=contract, person="bob", what="bounce"), world) is False
    assert remind(Reminder(contract_id="c-unknown", urgency=Urgency.HALF), world) is False


@pytest.mark.parametrize("what", ["bounce", "complaint", "reject"])
def test_f37_mail_that_came_back_escalates_at_once_and_once(what: Any) -> None:
    world = manned()
    contract = incident(world)
    returned = Undelivered(contract_id=contract, person="ada", what=what)
    assert [undelivered(returned, world), undelivered(returned, world)] == [True, False]
    assert to(world)[2:] == ["bob", "carol"]
    [told] = entries(world, contract, "approval.escalated")
    assert (told["person"], told["mail"], told["unreached"], told["asked"]) == ("ada", what, ["ada"], ["carol"])
    assert undelivered(Undelivered(contract_id=contract, person="eve", what=what), world) is False


def test_f37_with_nobody_left_to_ask_it_is_told_and_the_others_links_stay_good() -> None:
    world = shop(2)
    contract = incident(world)
    assert undelivered(Undelivered(contract_id=contract, person="ada", what="bounce"), world) is True
    assert len(world.mail.sent) == 2
    assert authentic(world, world.mail.sent[1])
    assert any("Not reached by mail: ada" in text for _, _, text in world.messages.notified)


def test_excluded_people_are_not_reached_by_an_escalation() -> None:
    world = manned()
    first = incident(world)
    vote(world, first, "bob", "reject")
    run(world)
    order(world, "retry", missions(world)[0].mission_id, "carol")
    run(world)
    world.mail.sent.clear()
    wait(world, 16)
    assert to(world) == ["ada", "bob"]
    assert need(world, Approval, world.contracts()[-1], "2").approvers == ("ada", "bob")


def test_i10_the_log_alone_tells_every_generation_and_how_it_stands() -> None:
    world = manned(3)
    contract = incident(world)
    vote(world, contract, "ada")
    undelivered(Undelivered(contract_id=contract, person="bob", what="bounce"), world)
    wait(world, 50)
    vote(world, contract, "carol")
    run(world)
    assert world.head(contract).status is ContractStatus.VERIFIED
    held = {one.generation: one for one in every(world, Approval)}
    told = stands(world.store.story(contract))
    assert sorted(held) == sorted(told) == [1, 2, 3]
    for generation, one in held.items():
        stand = told[generation]
        assert (one.status.value, one.approvers, one.votes) == (stand.status, stand.approvers, stand.votes)


# -- keys and edits


def test_f40_a_rotated_key_leaves_links_good_and_one_that_is_gone_has_them_sent_anew() -> None:
    world = shop(2)
    contract = incident(world)
    world.macs.rotate()
    wait(world, 5)
    assert len(world.mail.sent) == 2
    assert all(authentic(world, letter) for letter in world.mail.sent)
    del world.macs.keys["key-1"]
    assert not any(authentic(world, letter) for letter in world.mail.sent)
    wait(world, 5)
    assert to(world)[2:] == ["ada", "bob"]
    assert all(authentic(world, letter) for letter in world.mail.sent[2:])
    assert entries(world, contract, "approval.reissued")[0]["why"] == "key"
    wait(world, 1)
    assert len(world.mail.sent) == 4


def test_i21_f35_what_is_drafted_anew_has_another_digest_and_no_vote_of_before() -> None:
    world = crew(shop(3), CAROL)
    first = incident(world)
    vote(world, first, "ada")
    vote(world, first, "bob", "reject")
    run(world)
    old = list(world.mail.sent)
    order(world, "retry", missions(world)[0].mission_id, "carol")
    run(world)
    second = world.contracts()[-1]
    assert second != first
    assert {decode(token(letter))[0].contract_id for letter in world.mail.sent[2:]} == {second}
    assert {decode(token(letter))[0].digest for letter in world.mail.sent[2:]} != {decode(token(old[0]))[0].digest}
    assert need(world, Approval, second, "1").votes == ()
    vote(world, second, "ada")
    run(world)
    assert world.head(second).status is ContractStatus.AWAITING_APPROVAL


def test_a_letter_is_for_one_mission_only() -> None:
    world = shop(2)
    contract = incident(world)
    world.fire(alarm_event(at=START + timedelta(seconds=30)))
    run(world)
    assert world.contracts() == [contract]
    assert len(world.mail.sent) == 2
