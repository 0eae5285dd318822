"""What all contracts count in is written by many at once: a door that lost that race begins again by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from grace.errors import Conflict
from grace.flow import execute as room
from grace.model.contract import ContractHead, ContractStatus
from grace.model.entry import Commit, EntryDraft, ref
from grace.model.records import Breaker, Step, StepStatus, Subsystem
from tests.support.matrix import HELD, lives
from tests.support.scenes import Scene
from tests.support.taps import Fault, Site

LOST = Fault("lost the race", lambda: Conflict("somebody else wrote first"), after=False)
PLAYBOOK = "roll_back_lambda_alias"


def _lived(step: str, nth: int, times: int = 1) -> Scene:
    life = lives(PLAYBOOK, HELD)
    life.scene.wire.at = Site(step, 1, "store.commit", nth)
    life.scene.wire.fault = Fault(LOST.name, LOST.error, after=False, times=times)
    scene = life.run()
    assert scene.wire.struck == times
    return scene


def _runs(scene: Scene, step: str) -> int:
    return max(site.run for site in scene.wire.sites if site.step == step)


@pytest.mark.parametrize(("step", "nth"), [("execute", 1), ("execute", 2), ("close", 1)])
def test_a_lost_race_costs_no_repetition_of_the_workflow(step: str, nth: int) -> None:
    scene = _lived(step, nth)
    [contract] = scene.contracts()
    assert scene.head(contract).status is ContractStatus.VERIFIED
    assert _runs(scene, step) == 1
    assert len(scene.effects.made) == 1


def test_the_end_is_told_once_however_often_the_race_is_lost() -> None:
    told = _lived("close", 1).messages.published
    assert [event for event, _ in told if event == "agentic.problem_resolved"] == ["agentic.problem_resolved"]


# -- once the service has answered, it is never asked again what happened


def _counts_a_failure(scene: Scene, failures: int) -> None:
    """Another contract counts a failure of the same service, in the item that all contracts share."""
    where = ref(Breaker, scene.resource.arn.split(":")[2])
    breaker = scene.state.read(where).get(where) or Breaker(service=where.ids[0])
    scene.state.commit(
        Commit(
            command=f"failure {failures}",
            head=Subsystem(name=f"other{'x' * failures}", at=scene.clock.now()),
            entries=(EntryDraft(type="contract.unanswered"),),
            at=scene.clock.now(),
            actor="grace",
            subsystem="execute",
            items=(breaker.model_copy(update={"failures": failures}),),
        )
    )


def _breached(scene: Scene) -> None:
    """A guard's breach is written on the contract's head."""
    [contract] = scene.contracts()
    head = scene.head(contract)
    scene.state.commit(
        Commit(
            command="breach",
            head=head.model_copy(update={"stop": "the guard alarm went off"}),
            was=head,
            entries=(EntryDraft(type="contract.stop_ordered"),),
            at=scene.clock.now(),
            actor="grace",
            subsystem="triage",
        )
    )


def _rebooted(monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[Scene], None]) -> tuple[Scene, Step]:
    """Reboot an instance while CloudTrail does not know of it yet; `meanwhile` happens just after the answer."""
    life = lives("reboot_instance", HELD)
    scene, act = life.scene, type(life.scene.act)
    run = act.run

    def answered(*arguments: Any) -> None:
        run(*arguments)
        meanwhile(scene)

    monkeypatch.setattr(act, "happened", lambda *_: None)
    monkeypatch.setattr(act, "run", answered)
    _counts_a_failure(scene, 1)
    life.run()
    assert len(scene.effects.made) == 1
    where = ref(Step, scene.contracts()[0], "execute")
    return scene, scene.state.read(where).need(where)


def test_what_was_answered_is_written_though_others_write_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    scene, step = _rebooted(monkeypatch, lambda scene: _counts_a_failure(scene, 2))
    assert step.status is StepStatus.DONE
    assert scene.head(scene.contracts()[0]).status is ContractStatus.VERIFIED


def test_what_was_answered_is_known_though_its_contract_was_ordered_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    scene, step = _rebooted(monkeypatch, _breached)
    head: ContractHead = scene.head(scene.contracts()[0])
    assert (step.status, head.status) == (StepStatus.DONE, ContractStatus.SAFE_HOLD)
    assert "the guard alarm went off" in head.reason


def test_without_it_what_was_answered_would_be_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: looking again finds nothing, and a person is asked about what was answered."""
    monkeypatch.setattr(room, "_again", lambda *_: (_ for _ in ()).throw(Conflict("still")))
    scene, step = _rebooted(monkeypatch, lambda scene: _counts_a_failure(scene, 2))
    assert step.status is StepStatus.UNKNOWN
    assert scene.head(scene.contracts()[0]).status is ContractStatus.SAFE_HOLD
