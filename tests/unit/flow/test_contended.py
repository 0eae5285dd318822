"""What all contracts count in is written by many at once: a door that lost that race begins again by itself."""

from __future__ import annotations

import pytest

from grace.errors import Conflict
from grace.model.contract import ContractStatus
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
