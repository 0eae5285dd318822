"""An approval in whatever order people, scanners, forgers, time and crashes come: I15 to I20 hold after every step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from grace.errors import AnswerLost, Conflict, Refused, Unavailable
from grace.flow import answer as flow_answer
from grace.flow.link import Challenge
from grace.gateways.memory import MemoryMacs
from grace.model.approval import Approval, ApprovalStatus, Vote
from grace.model.contract import TERMINAL
from grace.model.link import decode
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
            assert approval_of(self.world, self.contract).status is ApprovalStatus.APPROVED, "I20"
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

    @rule(index=st.integers(0, 9), decision=DECISIONS, right=st.booleans(), forged=st.integers(0, 150))
    def sends(self, index: int, decision: str, right: bool, forged: int) -> None:
        token, person, generation = self.letter(index)
        good = forged >= len(token)
        if not good:
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
        sweep(self.world)
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

    def teardown(self) -> None:
        """Whatever happened, it ends."""
        self.crash = ""
        for _ in range(4):
            run(self.world)
            sweep(self.world, 4000)
        run(self.world)
        assert self.world.head(self.contract).status in TERMINAL, "I29"


SETTINGS = settings(
    max_examples=50, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
TestAnyVote = AnyVote.TestCase
TestAnyVote.settings = SETTINGS


def believes_every_proof(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(MemoryMacs, "verify", lambda *_: True)


def asks_for_no_challenge(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Challenge, "answered", lambda *_: True)


def signs_nobody_in(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(public, "_unsigned", lambda *_: None)


def lets_anybody_decide(patch: pytest.MonkeyPatch) -> None:
    whole = flow_answer._may_decide

    def for_all(decision: Any, person: Any, loaded: Any, approval: Approval, services: Any) -> None:
        wider = approval.model_copy(update={"approvers": (*approval.approvers, person.id)})
        whole(decision, person, loaded, wider, services)

    patch.setattr(flow_answer, "_may_decide", for_all)


def acts_on_opening(patch: pytest.MonkeyPatch) -> None:
    shown = public._show

    def show(request: Any, token: str, services: Any) -> Any:
        found = shown(request, token, services)
        link, _ = decode(token)
        if found["statusCode"] == 200:
            services.messages.publish("approval.opened", {"contract": link.contract_id})
        return found

    patch.setattr(public, "_show", show)


MUTANTS: list[tuple[Callable[[pytest.MonkeyPatch], None], str]] = [
    (acts_on_opening, "I15"),
    (believes_every_proof, "I16"),
    (asks_for_no_challenge, "I16"),
    (signs_nobody_in, "I16"),
    (lets_anybody_decide, "I17"),
]


@pytest.mark.parametrize(("mutant", "told"), MUTANTS, ids=[mutant.__name__ for mutant, _ in MUTANTS])
def test_without_its_mechanism_an_invariant_breaks_and_is_seen(
    mutant: Callable[[pytest.MonkeyPatch], None], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant(monkeypatch)
    hunt = settings(SETTINGS, max_examples=200, phases=[Phase.generate], derandomize=True, report_multiple_bugs=False)
    with pytest.raises(AssertionError, match=told):
        run_state_machine_as_test(AnyVote, settings=hunt)
