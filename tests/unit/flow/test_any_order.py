"""Whatever happens in whatever order: after every step the invariants hold, and in the end everything has ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from grace.errors import AnswerLost, Conflict, NotFound, Refused
from grace.evidence.verdict import Verdict, VerdictKind
from grace.flow import contract, execute, gate, reap, snapshot, verify
from grace.ledger.replay import difference
from grace.model.contract import TERMINAL, ContractHead, ContractStatus
from grace.model.records import Lease
from grace.stores import plan
from grace.stores.memory import MemoryStore
from tests.support.machine import Execution, WorkerDied
from tests.support.world import World, alarm_event
from tests.unit.flow.scenes import SHOP, check, ended, heads, missions, need, order, run, shop, stream, sweep, vote

whole = MemoryStore.story
PEOPLE = st.sampled_from(["ada", "bob", "eve"])


class AnyOrder(RuleBasedStateMachine):
    """The shop's alias, everybody who may meddle with it, and time."""

    def __init__(self) -> None:
        super().__init__()
        self.world = shop()
        self.ends: dict[str, ContractStatus] = {}
        self.effects: list[tuple[str, str]] = []
        self.at_work = ("", "")
        self.helps = True
        self.lost = 0
        self.deaths: list[tuple[str, bool]] = []

    @initialize(tier=st.sampled_from([1, 1, 1, 2, 3]), helps=st.booleans(), begun=st.integers(0, 12))
    def begin(self, tier: int, helps: bool, begun: int) -> None:
        """An alarm, drafted on, and at tier 1 at any state of its way."""
        self.world, self.helps = shop(tier), helps
        self.world.between = self.reality
        self.count_effects()
        self.mortal()
        self.alarm()
        self.world.draft()
        self.works(begun)

    def count_effects(self) -> None:
        """Every change that our workers make, with the contract and the door it was made for."""
        real = self.world.aws.handlers["lambda", "update_alias"]

        def counted(**arguments: Any) -> Any:
            answered = real(**arguments)
            self.effects.append(self.at_work)
            if self.lost:
                self.lost -= 1
                raise AnswerLost("nobody heard the answer")
            return answered

        self.world.aws.handlers["lambda", "update_alias"] = counted

    def mortal(self) -> None:
        """Doors remember for whom they work, and die when it is their turn."""
        for name, door in dict(self.world.machine.doors).items():

            def work(event: dict[str, Any], name: str = name, door: Any = door) -> dict[str, Any]:
                self.at_work = (str(event["ticket"]["contract_id"]), name)
                if (name, True) in self.deaths:
                    self.deaths.remove((name, True))
                    raise WorkerDied
                answered: dict[str, Any] = door(event)
                if (name, False) in self.deaths:
                    self.deaths.remove((name, False))
                    raise WorkerDied
                return answered

            self.world.machine.doors[name] = work

    def reality(self, world: World, execution: Execution) -> None:
        """Where the good version is in place the errors end, unless the release was not the cause."""
        if execution.state == "Benchmark" and self.helps and world.lambdas.version_of("shop", "live") == "1":
            world.heal()

    # -- what happens

    @rule(again=st.booleans())
    def alarm(self, again: bool = False) -> None:
        at = self.world.clock.now()
        if self.world.alarms.describe("shop-errors").state != "ALARM":
            self.world.alarm("ALARM", at)
        facts = self.world.alarms.describe("shop-errors")
        self.world.fire(*([alarm_event("ALARM", facts.changed_at)] * (1 + again)))

    @rule()
    def recovers(self) -> None:
        at = self.world.clock.now()
        self.world.alarm("OK", at)
        self.world.fire(alarm_event("OK", at))

    @rule()
    def drafts(self) -> None:
        self.world.draft()

    @rule(steps=st.integers(1, 12))
    def works_on(self, steps: int) -> None:
        self.works(steps)

    @rule(steps=st.integers(1, 4))
    def works(self, steps: int) -> None:
        for _ in range(steps):
            for execution in list(self.world.workflow.executions.values()):
                if execution.status == "RUNNING" and not execution.token:
                    self.world.between(self.world, execution)
                    self.world.machine.step(execution)

    @rule(person=PEOPLE, decision=st.sampled_from(["approve", "approve", "reject"]))
    def votes(self, person: str, decision: str) -> None:
        for head in heads(self.world):
            try:
                vote(self.world, head.contract_id, person, decision)
            except (Refused, Conflict):
                continue

    @rule()
    def streams(self) -> None:
        stream(self.world)

    @rule(seconds=st.sampled_from([1, 59, 130, 700, 2000, 7300]))
    def waits(self, seconds: int) -> None:
        self.world.clock.advance(seconds)

    @rule(version=st.sampled_from(["1", "2", "3"]))
    def somebody_else(self, version: str) -> None:
        if "3" not in self.world.lambdas.functions["shop"]["versions"]:
            self.world.lambdas.functions["shop"]["versions"].append("3")
        self.world.lambdas.alias("shop", "live", version)

    @rule(helps=st.booleans())
    def the_fix(self, helps: bool) -> None:
        self.helps = helps

    @rule(command=st.sampled_from(["stop", "resume", "resume"]))
    def kill_switch(self, command: str) -> None:
        order(self.world, command)

    @precondition(lambda self: self.world.workflow.executions)
    @rule(status=st.sampled_from(["ABORTED", "TIMED_OUT", "FAILED"]))
    def ends_an_execution(self, status: str) -> None:
        for execution in self.world.workflow.executions.values():
            if execution.status == "RUNNING":
                execution.status, execution.token = status, ""
                return

    @rule(
        door=st.sampled_from(["snapshot", "benchmark", "execute", "verify", "rollback", "close", "ask"]),
        before=st.booleans(),
    )
    def a_worker_will_die(self, door: str, before: bool) -> None:
        self.deaths.append((door, before))

    @rule()
    def an_answer_will_be_lost(self) -> None:
        self.lost = 1

    @rule()
    def sweeps(self) -> None:
        sweep(self.world)

    @rule(command=st.sampled_from(["rollback", "release", "retry"]), person=PEOPLE)
    def orders(self, command: str, person: str) -> None:
        targets = {
            "rollback": [h.contract_id for h in heads(self.world)],
            "retry": [m.mission_id for m in missions(self.world)],
            "release": [SHOP],
        }[command]
        for target in targets[-1:]:
            try:
                order(self.world, command, target, person)
            except (Refused, NotFound, Conflict):
                continue

    @precondition(lambda self: any(e.token for e in self.world.workflow.executions.values()))
    @rule()
    def a_token_is_stolen(self) -> None:
        for execution in self.world.workflow.executions.values():
            if execution.token and execution.status == "RUNNING":
                self.world.machine.wake(execution)
                return

    # -- what must hold

    @invariant()
    def i1_i3_i10_i28_i30_d9_after_every_step(self) -> None:
        check(self.world)

    @invariant()
    def i19_what_has_ended_stays_ended(self) -> None:
        for head in heads(self.world):
            if head.contract_id in self.ends:
                assert head.status is self.ends[head.contract_id], "I19"
            if head.status in TERMINAL:
                self.ends[head.contract_id] = head.status

    @invariant()
    def i26_one_live_action_per_resource(self) -> None:
        acting = [
            h.contract_id
            for h in heads(self.world)
            if h.status in {ContractStatus.EXECUTING, ContractStatus.VERIFYING, ContractStatus.ROLLING_BACK}
        ]
        assert len(acting) <= 1, "I26"
        if acting:
            assert need(self.world, Lease, SHOP).owner == acting[0], "I26: who acts holds the lease"

    @invariant()
    def i27_each_effect_at_most_once(self) -> None:
        assert len(self.effects) == len(set(self.effects)), f"I27: {self.effects}"

    def teardown(self) -> None:
        """Given time and sweeps, everything ends: I29."""
        self.deaths.clear()
        for _ in range(6):
            run(self.world)
            self.world.clock.advance(4000)
            assert sweep(self.world).failed == 0
        run(self.world)
        ended(self.world)
        check(self.world)
        self.i19_what_has_ended_stays_ended()
        self.i27_each_effect_at_most_once()


SETTINGS = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = SETTINGS


def forgets_fields(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        plan, "difference", lambda was, head: {k: v for k, v in difference(was, head).items() if k != "reason"}
    )


def skips_an_entry(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(MemoryStore, "story", lambda self, stream: whole(self, stream)[:-1])


def rewrites_ends(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(plan, "check_transition", lambda *_: None)
    patch.setattr(ContractHead, "terminal", property(lambda self: False))


def repeats_blindly(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(execute, "_happened_before", lambda *_: False)


def asks_nobody(patch: pytest.MonkeyPatch) -> None:
    for module in (contract, gate, snapshot):
        patch.setattr(module, "asks", lambda _: False)


def believes_everything(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(verify, "judge", lambda *_: Verdict(VerdictKind.VERIFIED, 0.9, (), ()))


def never_sweeps(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reap, "_contract", lambda *_: "")


MUTANTS = [
    (forgets_fields, "I10"),
    (skips_an_entry, "I1, I3"),
    (rewrites_ends, "I19"),
    (repeats_blindly, "I27"),
    (asks_nobody, "D9"),
    (believes_everything, "I30"),
    (never_sweeps, "I29"),
]


@pytest.mark.parametrize(("mutant", "told"), MUTANTS, ids=[mutant.__name__ for mutant, _ in MUTANTS])
def test_without_its_mechanism_an_invariant_breaks_and_is_seen(
    mutant: Callable[[pytest.MonkeyPatch], None], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each check above is one that can fail."""
    mutant(monkeypatch)
    hunt = settings(SETTINGS, max_examples=300, phases=[Phase.generate], derandomize=True, report_multiple_bugs=False)
    with pytest.raises(AssertionError, match=told):
        run_state_machine_as_test(AnyOrder, settings=hunt)
