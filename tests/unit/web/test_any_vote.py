"""An approval in whatever order people, scanners, forgers, time and crashes come: I15 to I20 hold after every step."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from grace.errors import AnswerLost, Conflict, Refused, Unavailable
from grace.flow import answer as flow_answer
from grace.flow import ask as flow_ask
from grace.flow import gate, snapshot
from grace.flow import link as flow_link
from grace.flow.link import Challenge
from grace.flow.remind import remind
from grace.gateways.memory import MemoryMacs
from grace.model.approval import Approval, ApprovalStatus, Vote
from grace.model.contract import TERMINAL, Call, Ticket
from grace.model.link import decode, message
from grace.stores import plan
from grace.web import public
from tests.support.links import approval_of, fields, get, minted, send
from tests.support.world import alarm_event
from tests.unit.flow.scenes import every, run, stream, sweep, vote
from tests.unit.web.scenes import mailed, state

PEOPLE = st.sampled_from(["ada", "bob"])
DECISIONS = st.sampled_from(["approve", "approve", "reject"])
FINAL = set(ApprovalStatus) - {ApprovalStatus.PENDING}


class AnyVote(RuleBasedStateMachine):
    """One contract that waits for people, every letter that was ever sent about it, and the times people come back."""

    def __init__(self) -> None:
        super().__init__()
        self.world, self.contract = mailed()
        self.letters: list[tuple[str, str, int]] = []
        self.ends: dict[int, ApprovalStatus] = {}
        self.acted_on: list[ApprovalStatus] = []
        self.crash = ""

    @initialize(tier=st.sampled_from([2, 2, 3]))
    def begin(self, tier: int) -> None:
        self.world, self.contract = mailed(tier)
        inner, moves = self.world.store.commit, self.world.aws.handlers["lambda", "update_alias"]

        def commit(change: Any) -> Any:
            crash, self.crash = self.crash, ""
            if crash == "before":
                raise Unavailable("the store is away")
            done = inner(change)
            if crash == "after":
                raise AnswerLost("nobody heard the answer")
            return done

        def moved(**arguments: Any) -> Any:
            self.acted_on.append(approval_of(self.world, self.contract).status)
            return moves(**arguments)

        self.world.store.commit = commit
        self.world.aws.handlers["lambda", "update_alias"] = moved
        self.write_letters()

    def write_letters(self) -> None:
        generation = self.world.head(self.contract).generation
        if generation not in {each[2] for each in self.letters}:
            self.letters += [(minted(self.world, self.contract, p), p, generation) for p in ("ada", "bob")]

    def letter(self, index: int) -> tuple[str, str, int]:
        return self.letters[index % len(self.letters)]

    # -- what happens

    @rule(index=st.integers(0, 9), method=st.sampled_from(["GET", "HEAD", "OPTIONS"]))
    def opens(self, index: int, method: str) -> None:
        before = state(self.world, self.contract)
        get(self.world, self.letter(index)[0], method)
        assert state(self.world, self.contract) == before, "I15"

    @rule(index=st.integers(0, 9), decision=DECISIONS, right=st.booleans(), forged=st.none() | st.integers(0, 102))
    def sends(self, index: int, decision: str, right: bool, forged: int | None) -> None:
        token, person, generation = self.letter(index)
        good = forged is None
        if forged is not None:
            token = token[:forged] + ("A" if token[forged] != "A" else "B") + token[forged + 1 :]
        approval, had = approval_of(self.world, self.contract), every(self.world, Vote)
        form = fields(self.world, self.contract, token, decision, **({} if right else {"code": "zzzz"}))
        send(self.world, form)
        new = [each for each in every(self.world, Vote) if each not in had]
        assert len(new) <= 1, "I17"
        if new:
            authentic = good and right and generation == approval.generation and new[0].person == person
            in_time = self.world.clock.now() < approval.expires_at
            assert authentic and in_time and approval.tier == 2, "I16"  # noqa: PT018  one rule

    @rule(person=st.sampled_from(["ada", "bob", "eve"]), decision=DECISIONS)
    def decides_at_a_terminal(self, person: str, decision: str) -> None:
        try:
            vote(self.world, self.contract, person, decision)
        except (Refused, Conflict, Unavailable, AnswerLost):
            return

    @rule(seconds=st.sampled_from([1, 600, 901, 1800]))
    def waits(self, seconds: int) -> None:
        self.world.clock.advance(seconds)

    @rule()
    def sweeps(self) -> None:
        """Who has not voted is asked again at half of the time, and later once more: another generation, other letters."""
        sweep(self.world)
        reminders, self.world.messages.reminders[:] = list(self.world.messages.reminders), []
        for reminder in reminders:
            with suppress(Unavailable, AnswerLost):
                remind(reminder, self.world)
        self.write_letters()

    @rule()
    def recovers(self) -> None:
        at = self.world.clock.now()
        self.world.alarm("OK", at)
        self.world.fire(alarm_event("OK", at))

    @rule(when=st.sampled_from(["before", "after"]))
    def will_crash(self, when: str) -> None:
        self.crash = when

    @rule()
    def streams(self) -> None:
        self.crash = ""
        stream(self.world)

    @rule()
    def works(self) -> None:
        self.crash = ""
        run(self.world)

    @rule()
    def a_token_is_stolen(self) -> None:
        self.crash = ""
        for execution in list(self.world.workflow.executions.values()):
            if execution.token and execution.status == "RUNNING":
                self.world.machine.wake(execution)
        run(self.world)

    # -- what must hold

    @invariant()
    def i17_one_vote_for_each_person_who_may(self) -> None:
        people = [each.person for each in every(self.world, Vote)]
        assert len(people) == len(set(people)), "I17"
        assert set(people) <= {"ada", "bob"}, "I17"

    @invariant()
    def i18_approved_by_enough_people_on_one_digest_in_time(self) -> None:
        for approval in every(self.world, Approval):
            if approval.status is ApprovalStatus.APPROVED:
                votes = [v for v in every(self.world, Vote) if v.decision == "approve" and v.digest == approval.digest]
                good = {v.person for v in votes if v.at < approval.expires_at} - set(approval.excluded)
                assert len(good) >= approval.need, "I18"

    @invariant()
    def i19_a_decision_is_final(self) -> None:
        for approval in every(self.world, Approval):
            was = self.ends.setdefault(approval.generation, approval.status) if approval.status in FINAL else None
            assert was in {None, approval.status}, "I19"
            assert approval.status in FINAL or approval.generation not in self.ends, "I19"

    @invariant()
    def i20_nothing_is_done_on_a_wake_up_alone(self) -> None:
        assert set(self.acted_on) <= {ApprovalStatus.APPROVED}, "I20"

    def teardown(self) -> None:
        """Whatever happened, it ends."""
        self.crash = ""
        for _ in range(4):
            run(self.world)
            sweep(self.world, 4000)
        run(self.world)
        assert self.world.head(self.contract).status in TERMINAL, "I29"

    def holds(self) -> None:
        """Check all of it now."""
        self.i17_one_vote_for_each_person_who_may()
        self.i18_approved_by_enough_people_on_one_digest_in_time()
        self.i19_a_decision_is_final()
        self.i20_nothing_is_done_on_a_wake_up_alone()


SETTINGS = settings(
    max_examples=150, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
TestAnyVote = AnyVote.TestCase
TestAnyVote.settings = SETTINGS


# -- what each invariant stands on, taken away, and the walk on which it is missed


def acts_on_opening(patch: pytest.MonkeyPatch) -> None:
    shown = public._show

    def show(request: Any, token: str, services: Any) -> Any:
        found = shown(request, token, services)
        link, _ = decode(token)
        if found["statusCode"] == 200:
            services.messages.publish("approval.opened", {"contract": link.contract_id})
        return found

    patch.setattr(public, "_show", show)


def believes_every_proof(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(MemoryMacs, "verify", lambda *_: True)


def asks_for_no_challenge(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Challenge, "answered", lambda *_: True)


def signs_nobody_in(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(public, "_unsigned", lambda *_: None)


def forgets_the_generation(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(flow_link, "message", lambda link, _generation: message(link, 1))


def takes_votes_after_the_end(patch: pytest.MonkeyPatch) -> None:
    """The page and the one who writes both look at the time."""
    stands, may = flow_link._standing, flow_answer._may_decide

    def later(approval: Approval) -> Approval:
        return approval.model_copy(update={"expires_at": approval.expires_at + timedelta(days=1)})

    def standing(opened: Any) -> Any:
        link = replace(opened.link, expires=opened.link.expires + 86_400)
        return stands(replace(opened, link=link, approval=later(opened.approval)))

    def for_ever(decision: Any, person: Any, loaded: Any, approval: Approval, services: Any) -> None:
        may(decision, person, loaded, later(approval), services)

    patch.setattr(flow_link, "_standing", standing)
    patch.setattr(flow_answer, "_may_decide", for_ever)


def lets_anybody_decide(patch: pytest.MonkeyPatch) -> None:
    whole = flow_answer._may_decide

    def for_all(decision: Any, person: Any, loaded: Any, approval: Approval, services: Any) -> None:
        wider = approval.model_copy(update={"approvers": (*approval.approvers, person.id)})
        whole(decision, person, loaded, wider, services)

    patch.setattr(flow_answer, "_may_decide", for_all)


def counts_one_as_enough(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(flow_answer, "counted", lambda _votes, approval, _directory: set(range(approval.need)))


def takes_votes_on_what_is_decided(patch: pytest.MonkeyPatch) -> None:
    """The one who writes and the store's own rule both know that an end is an end."""
    patch.setattr(flow_answer, "_may_decide", lambda *_: None)
    patch.setattr(plan, "check_transition", lambda *_: None)


def believes_a_wake_up(patch: pytest.MonkeyPatch) -> None:
    """Four look at the record: the state behind the wake-up, the snapshot, the gate, the store's own rule. All are blind."""

    def unread(call: Call, _services: Any) -> Ticket:
        return call.ticket.model_copy(update={"needs_approval": False})

    patch.setattr(flow_ask, "decided", unread)
    patch.setattr(gate, "_standing", lambda _: None)
    for module in (gate, snapshot):
        patch.setattr(module, "asks", lambda _: False)
    patch.setattr(plan, "check_transition", lambda *_: None)


def opening(story: AnyVote) -> None:
    story.opens(0, "GET")


def a_forgery(story: AnyVote) -> None:
    # Any of the proof but the last letter: of that one only every fourth is a spelling at all.
    story.sends(0, "approve", right=True, forged=100)


def a_machine_that_follows_forms(story: AnyVote) -> None:
    story.sends(0, "approve", right=False, forged=None)


def the_link_and_the_challenge(story: AnyVote) -> None:
    story.sends(0, "approve", right=True, forged=None)


def the_first_letter_after_the_second(story: AnyVote) -> None:
    story.waits(901)
    story.sweeps()
    assert len(story.letters) > 2, "nobody was asked again"
    story.sends(0, "approve", right=True, forged=None)


def too_late(story: AnyVote) -> None:
    story.waits(1800)
    story.sends(0, "approve", right=True, forged=None)


def a_stranger(story: AnyVote) -> None:
    story.decides_at_a_terminal("eve", "approve")


def one_of_two(story: AnyVote) -> None:
    story.decides_at_a_terminal("ada", "approve")


def no_and_then_yes(story: AnyVote) -> None:
    story.decides_at_a_terminal("ada", "reject")
    story.holds()
    story.decides_at_a_terminal("bob", "approve")


def a_wake_up(story: AnyVote) -> None:
    story.a_token_is_stolen()


Mutant = Callable[[pytest.MonkeyPatch], None]
Walk = Callable[[AnyVote], None]
MUTANTS: list[tuple[Mutant, int, Walk, str]] = [
    (acts_on_opening, 2, opening, "I15"),
    (believes_every_proof, 2, a_forgery, "I16"),
    (asks_for_no_challenge, 2, a_machine_that_follows_forms, "I16"),
    (signs_nobody_in, 3, the_link_and_the_challenge, "I16"),
    (forgets_the_generation, 2, the_first_letter_after_the_second, "I16"),
    (takes_votes_after_the_end, 2, too_late, "I16"),
    (lets_anybody_decide, 2, a_stranger, "I17"),
    (counts_one_as_enough, 3, one_of_two, "I18"),
    (takes_votes_on_what_is_decided, 2, no_and_then_yes, "I19"),
    (believes_a_wake_up, 2, a_wake_up, "I20"),
]


def walked(tier: int, walk: Walk) -> None:
    story = AnyVote()
    story.begin(tier)
    walk(story)
    story.holds()


@pytest.mark.parametrize(("mutant", "tier", "walk", "told"), MUTANTS, ids=[mutant[0].__name__ for mutant in MUTANTS])
def test_without_its_mechanism_an_invariant_breaks_and_is_seen(
    mutant: Mutant, tier: int, walk: Walk, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    walked(tier, walk)
    mutant(monkeypatch)
    with pytest.raises(AssertionError, match=told):
        walked(tier, walk)


@pytest.mark.parametrize(
    ("mutant", "told"),
    [(acts_on_opening, "I15"), (asks_for_no_challenge, "I16"), (lets_anybody_decide, "I17")],
    ids=lambda each: getattr(each, "__name__", each),
)
def test_chance_alone_finds_what_is_missing(mutant: Mutant, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant(monkeypatch)
    hunt = settings(SETTINGS, max_examples=300, phases=[Phase.generate], derandomize=True, report_multiple_bugs=False)
    with pytest.raises(AssertionError, match=told):
        run_state_machine_as_test(AnyVote, settings=hunt)


def test_every_invariant_of_a_vote_is_broken_by_a_mutant() -> None:
    assert {told for *_, told in MUTANTS} == {f"I{n}" for n in range(15, 21)}
