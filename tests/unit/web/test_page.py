"""The public page through its door: what is shown, what decides, and what is never told apart."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grace.errors import Refused
from grace.flow import link as flow_link
from grace.flow.link import MOST_FAILURES, open_link
from grace.flow.loading import advance, load
from grace.flow.withdrawing import withdrawn
from grace.model.approval import ApprovalStatus, LinkTries, Vote
from grace.model.base import Item
from grace.model.contract import ContractHead, ContractStatus
from grace.model.entry import Commit, EntryDraft, ref
from grace.model.link import TOKEN_LENGTH
from grace.stores import keys
from grace.web import notices, public
from tests.support.links import answer, approval_of, fields, get, minted, send
from tests.support.world import World
from tests.unit.flow.scenes import every, forge, need, run, story, ticket_of, vote
from tests.unit.web.scenes import mailed, state

# -- showing never acts


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_f24_a_scanner_that_opens_the_link_a_thousand_times_changes_nothing(method: str) -> None:
    world, contract = mailed()
    token, before = minted(world, contract, "ada"), state(*(world, contract))
    for _ in range(1000 if method == "GET" else 50):
        found = get(world, token, method, purpose="prefetch")
        assert found["statusCode"] == (204 if method == "OPTIONS" else 200)
    assert state(world, contract) == before


def test_i41_all_that_the_public_door_writes_belongs_to_a_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its role may write no other partition: a vote, a wrong answer and what comes too late need none."""
    written: list[Item] = []

    def scene(tier: int) -> tuple[World, str]:
        world, contract = mailed(tier)
        commit = world.store.commit

        def watched(asked: Commit) -> Any:
            written.extend([asked.head, *asked.items, *(change.head for change in asked.also)])
            return commit(asked)

        monkeypatch.setattr(world.store, "commit", watched)
        return world, contract

    world, contract = scene(3)
    answer(world, contract, "ada", code="0000")
    vote(world, contract, "ada")
    vote(world, contract, "bob", "reject")
    assert world.head(contract).status is ContractStatus.DENIED
    world, contract = scene(2)
    world.clock.advance(3601)
    with pytest.raises(Refused, match="expired"):
        vote(world, contract, "ada")
    assert {type(item).__name__ for item in written} == {"ContractHead", "Approval", "Vote", "LinkTries"}
    one = {keys.key(ref(ContractHead, each)).pk for each in {item.ids[0] for item in written}}
    assert {keys.key_of(item).pk for item in written} == one


def test_i15_an_expired_link_is_shown_as_such_and_nothing_is_written() -> None:
    world, contract = mailed()
    token, before = minted(world, contract, "ada"), state(world, contract)
    world.clock.advance(3600)
    assert get(world, token)["statusCode"] == 410
    assert state(world, contract) == before


def test_a_head_request_has_the_headers_and_no_body() -> None:
    world, contract = mailed()
    token = minted(world, contract, "ada")
    assert get(world, token, "HEAD")["body"] == ""
    assert get(world, token, "HEAD")["statusCode"] == get(world, token)["statusCode"] == 200


# -- who decides


@pytest.mark.parametrize(
    ("decision", "status"), [("approve", ContractStatus.APPROVED), ("reject", ContractStatus.DENIED)]
)
def test_a_person_decides_with_the_link_and_the_challenge(decision: str, status: ContractStatus) -> None:
    world, contract = mailed()
    found = answer(world, contract, "ada", decision)
    assert found["statusCode"] == 200
    assert world.head(contract).status is status
    assert need(world, Vote, contract, "ada").via == "link"
    assert [event for event, _ in world.messages.published][-1].startswith("approval.")


def test_a_fix_approved_by_link_is_done_and_measured() -> None:
    world, contract = mailed()
    answer(world, contract, "bob")
    run(world)
    assert world.head(contract).status is ContractStatus.VERIFIED


def test_f25_a_scanner_that_posts_every_form_without_the_challenge_casts_no_vote_and_is_counted() -> None:
    world, contract = mailed()
    token = minted(world, contract, "ada")
    for number in range(1, MOST_FAILURES):
        found = send(world, {"token": token, "decision": "approve", "code": "", "target": "x"})
        assert found["statusCode"] == 422
        assert f"{MOST_FAILURES - number} tr" in found["body"]
    assert send(world, {"token": token, "decision": "approve"})["statusCode"] == 410
    assert not every(world, Vote)
    assert need(world, LinkTries, contract, "ada").failures == MOST_FAILURES
    assert story(world, contract).count("approval.challenge_failed") == MOST_FAILURES


def test_a_link_that_was_answered_wrongly_ten_times_is_void_and_the_others_are_not() -> None:
    world, contract = mailed()
    for _ in range(MOST_FAILURES):
        answer(world, contract, "ada", code="zzzz")
    written = world.head(contract).version
    assert answer(world, contract, "ada")["statusCode"] == 410
    assert answer(world, contract, "ada", code="zzzz")["statusCode"] == 410
    assert "This link is closed" in get(world, minted(world, contract, "ada"))["body"]
    assert world.head(contract).version == written
    assert vote(world, contract, "ada").outcome == "recorded"


def test_each_half_of_the_challenge_is_needed_in_any_case_and_with_blanks() -> None:
    world, contract = mailed()
    right = fields(world, contract, minted(world, contract, "ada"))
    assert send(world, right | {"code": "aaaa"})["statusCode"] == 422
    assert send(world, right | {"target": "shop"})["statusCode"] == 422
    assert right["code"] == contract[-4:]
    assert right["target"] == "shop:live"
    assert send(world, right | {"code": f" {contract[-4:].upper()} ", "target": "Shop:LIVE "})["statusCode"] == 200


def test_f28_the_same_link_sent_twice_is_one_vote_and_says_so() -> None:
    world, contract = mailed()
    answer(world, contract, "ada")
    entries = story(world, contract)
    again = answer(world, contract, "ada")
    assert again["statusCode"] == 200
    assert "Already recorded" in again["body"]
    assert answer(world, contract, "ada", "reject")["statusCode"] == 409
    assert story(world, contract) == entries


def test_f28_fifty_posts_at_once_are_one_vote() -> None:
    world, contract = mailed()
    form = fields(world, contract, minted(world, contract, "ada"))
    lock, inner = threading.Lock(), world.store.commit

    def commit(change: Any) -> Any:
        with lock:
            return inner(change)

    world.store.commit = commit
    with ThreadPoolExecutor(16) as pool:
        codes = [each["statusCode"] for each in pool.map(lambda _: send(world, form), range(50))]
    assert set(codes) <= {200, 503}
    assert codes.count(200) >= 1
    assert [each.person for each in every(world, Vote)] == ["ada"]
    assert story(world, contract).count("approval.approved") == 1


def test_f29_one_person_has_one_vote_by_whatever_road() -> None:
    world, contract = mailed(3)
    vote(world, contract, "ada")
    assert "Already recorded" in get(world, minted(world, contract, "ada"))["body"]
    assert answer(world, contract, "ada")["statusCode"] == 200
    assert len(every(world, Vote)) == 1
    assert world.head(contract).status is ContractStatus.AWAITING_APPROVAL


def test_f30_who_asked_for_it_decides_nothing_and_others_do() -> None:
    world, contract = mailed()
    approval = approval_of(world, contract)
    forge(world, contract, approval.model_copy(update={"excluded": ("ada",)}))
    assert get(world, minted(world, contract, "ada"))["statusCode"] == 403
    assert answer(world, contract, "ada")["statusCode"] == 403
    assert not every(world, Vote)
    assert answer(world, contract, "bob")["statusCode"] == 200


def test_f31_when_others_have_decided_the_page_says_so() -> None:
    world, contract = mailed()
    answer(world, contract, "bob", "reject")
    found = get(world, minted(world, contract, "ada"))
    assert found["statusCode"] == 409
    assert "Bob rejected" in found["body"]
    assert answer(world, contract, "ada")["statusCode"] == 409
    assert world.head(contract).status is ContractStatus.DENIED


def test_f31_a_vote_that_loses_the_race_is_told_how_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    world, contract = mailed()
    form = fields(world, contract, minted(world, contract, "ada"))
    inner = world.store.commit
    done: list[bool] = []

    def commit(change: Any) -> Any:
        if not done:
            done.append(True)
            world.store.commit = inner
            vote(world, contract, "bob", "reject")
        return inner(change)

    world.store.commit = commit
    found = send(world, form)
    assert found["statusCode"] == 409
    assert approval_of(world, contract).status is ApprovalStatus.REJECTED
    assert [each.person for each in every(world, Vote)] == ["bob"]


@pytest.mark.parametrize(("early", "status"), [(0.001, 200), (0.0, 410), (-0.001, 410)])
def test_f32_the_end_is_judged_by_the_clock_of_the_condition(early: float, status: int) -> None:
    world, contract = mailed()
    form = fields(world, contract, minted(world, contract, "ada"))
    approval = approval_of(world, contract)
    world.clock.advance((approval.expires_at - world.clock.now() - timedelta(seconds=early)).total_seconds())
    assert send(world, form)["statusCode"] == status
    assert (approval_of(world, contract).status is ApprovalStatus.APPROVED) == (status == 200)


def test_f33_a_vote_after_the_workflow_has_ended_is_too_late() -> None:
    world, contract = mailed()
    form = fields(world, contract, minted(world, contract, "ada"))
    world.machine.expire(world.workflow.executions[contract])
    run(world)
    found = send(world, form)
    assert found["statusCode"] == 410
    assert not every(world, Vote)


def test_what_recovered_by_itself_needs_nobody() -> None:
    world, contract = mailed()
    token = minted(world, contract, "ada")
    loaded = load(ticket_of(world, contract), world)
    advance(
        world,
        loaded,
        loaded.head.model_copy(update={"status": ContractStatus.SUPERSEDED, "reason": "the alarm recovered by itself"}),
        door="triage",
        command=("superseded",),
        entries=[EntryDraft(type="contract.superseded")],
        items=withdrawn(loaded.head, world),
    )
    found = get(world, token)
    assert found["statusCode"] == 410
    assert "The alarm recovered by itself" in found["body"]


def test_i16_a_newer_mail_closes_the_link_before_it() -> None:
    world, contract = mailed()
    old = fields(world, contract, minted(world, contract, "ada"))
    approval, loaded = approval_of(world, contract), load(ticket_of(world, contract), world)
    advance(
        world,
        loaded,
        loaded.head.model_copy(update={"generation": 2}),
        door="ask",
        command=("again", "2"),
        entries=[EntryDraft(type="approval.reissued")],
        items=[approval.model_copy(update={"generation": 2, "version": 0})],
    )
    assert "There is a newer mail" in get(world, old["token"])["body"]
    assert send(world, old)["statusCode"] == 410
    assert not every(world, Vote)
    assert answer(world, contract, "ada")["statusCode"] == 200


def test_i16_a_generation_that_ends_between_reading_and_voting_takes_no_vote() -> None:
    world, contract = mailed()
    opened = open_link(minted(world, contract, "ada"), world)
    from grace.flow.link import decide_by_link  # noqa: PLC0415  beside its one use

    stale = opened.approval.model_copy(update={"generation": 7})
    from dataclasses import replace  # noqa: PLC0415  as above

    from grace.errors import Refused  # noqa: PLC0415  as above

    with pytest.raises(Refused, match="newest mail"):
        decide_by_link(replace(opened, approval=stale), "approve", world, via="link")
    assert not every(world, Vote)


# -- what is nothing


def spoiled(world: World, contract: str) -> dict[str, str]:
    """Tokens that are none of ours, each wrong in one way."""
    good = minted(world, contract, "ada")
    flipped = ("A" if good[-5] != "A" else "B").join((good[:-5], good[-4:]))
    other_world, other = mailed()
    other_world.macs.rotate()
    foreign = minted(other_world, other, "ada")
    return {
        "empty": "",
        "short": good[:-1],
        "long": good + "A",
        "padded": good + "=",
        "spelled": good[:-1] + chr(ord(good[-1]) + 1),
        "alphabet": good[:-1] + "+",
        "mac": flipped,
        "version": "B" + good[1:],
        "digest": good[:40] + ("A" if good[40] != "A" else "B") + good[41:],
        "expiry": good[:57] + ("A" if good[57] != "A" else "B") + good[58:],
        "unknown": minted(world, contract, "ada").replace(good[2:20], "A" * 18),
        "nobody": minted(world, contract, "mallory"),
        "no approver": minted(world, contract, "eve"),
        "foreign key": foreign,
        "random": "A" * TOKEN_LENGTH,
        "percent": "%2e%2e%2f",
        "unicode": "\u202e" * TOKEN_LENGTH,
    }


def told_apart(world: World, contract: str) -> set[str]:
    """Spoiled tokens, opened and sent, whose answer is another than the one to no token at all."""
    answers = {name: get(world, token) for name, token in spoiled(world, contract).items()}
    answers |= {
        f"post {name}": send(world, fields(world, contract, token)) for name, token in spoiled(world, contract).items()
    }
    missing = answers["empty"]
    assert missing["statusCode"] == 404
    return {name for name, found in answers.items() if found != missing}


def test_f26_i22_what_is_no_link_of_ours_is_one_and_the_same_404() -> None:
    world, contract = mailed()
    before = state(world, contract)
    assert told_apart(world, contract) == set()
    assert state(world, contract) == before


def says_what_is_wrong(patch: pytest.MonkeyPatch) -> None:
    """A proof that fails is refused as that, and not as nothing."""

    def proved(link: Any, mac: bytes, approval: Any, services: Any) -> bool:
        if not whole(link, mac, approval, services):
            raise Refused("forged", "the proof is wrong")
        return True

    whole = flow_link._proved
    patch.setattr(flow_link, "_proved", proved)


def tells_the_end_before_the_proof(patch: pytest.MonkeyPatch) -> None:
    """Whoever guesses a contract's id learns that there is one."""
    patch.setattr(flow_link, "_proved", lambda *_: True)


def makes_each_answer_anew(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(public, "_missing", lambda: public._shown(404, notices.MISSING))


@pytest.mark.parametrize("mutant", [says_what_is_wrong, tells_the_end_before_the_proof, makes_each_answer_anew])
def test_i22_without_its_mechanism_they_are_told_apart(
    mutant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant(monkeypatch)
    assert told_apart(*mailed())


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_f26_any_other_token_is_nothing(data: st.DataObject) -> None:
    world, contract = SHARED
    good = minted(world, contract, "ada")
    at = data.draw(st.integers(0, TOKEN_LENGTH - 1))
    other = data.draw(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/ %"))
    token = good[:at] + other + good[at + 1 :]
    assert (get(world, token)["statusCode"] == 200) == (token == good)


SHARED = mailed()


def test_i22_an_expired_forgery_is_as_unknown_as_any_other() -> None:
    world, contract = mailed()
    tokens = spoiled(world, contract)
    world.clock.advance(10_000)
    assert {get(world, token)["statusCode"] for token in tokens.values()} == {404}


def test_f40_a_link_of_a_rotated_key_holds_and_of_a_disabled_key_is_nothing() -> None:
    world, contract = mailed()
    token = minted(world, contract, "ada")
    key = approval_of(world, contract).key_id
    world.macs.rotate()
    assert get(world, token)["statusCode"] == 200
    del world.macs.keys[key]
    assert get(world, token)["statusCode"] == 404
