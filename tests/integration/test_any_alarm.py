"""A playbook is written once and serves alarms of any period: a fix that helps is verified, one that does not is undone."""

from __future__ import annotations

import pytest

from grace.model.contract import Contract, ContractStatus, Mode, Undo
from grace.model.entry import ref
from grace.model.records import Evidence
from tests.support.life import Life
from tests.support.scenes import Scene, example, playbooks

PERIODS = [10, 30, 60, 120, 300, 600, 900]
BY_ALARM = [name for name in playbooks() if example(name)[1].metric]


def lived(name: str, period: int, *, works: bool) -> Scene:
    mode = Mode.AUTONOMOUS if playbooks()[name].spec.tier == 1 else Mode.APPROVAL
    return Life(Scene(name, works=works, mode=mode, period=period)).run()


@pytest.mark.parametrize("period", PERIODS)
@pytest.mark.parametrize("name", BY_ALARM)
def test_d3_a_good_fix_is_verified_whatever_the_alarms_period(name: str, period: int) -> None:
    """Points come a minute after their period; a window or a settle time too short for them would undo every good fix."""
    scene = lived(name, period, works=True)
    [key] = scene.contracts()
    head = scene.head(key)
    contract = scene.state.read(where := ref(Contract, key)).need(where)
    assert (head.status, head.extended) == (ContractStatus.VERIFIED, False), head.reason
    assert contract.settle >= 2 * period


@pytest.mark.parametrize("period", PERIODS)
@pytest.mark.parametrize("name", BY_ALARM)
def test_d1_one_that_does_not_help_is_not_verified(name: str, period: int) -> None:
    scene = lived(name, period, works=False)
    [key] = scene.contracts()
    undone = scene.act.undo is not Undo.NONE
    assert scene.head(key).status is (ContractStatus.ROLLED_BACK if undone else ContractStatus.SAFE_HOLD)


@pytest.mark.parametrize("name", [name for name in BY_ALARM if playbooks()[name].spec.guard])
def test_the_guards_of_a_shipped_playbook_are_judged(name: str) -> None:
    """A guard that never has its points protects nobody."""
    scene = lived(name, 60, works=True)
    [key] = scene.contracts()
    evidence = scene.state.read(where := ref(Evidence, key, "outcome")).need(where)
    contract = scene.state.read(at := ref(Contract, key)).need(at)
    for guard, reading in zip(contract.guards, evidence.guards, strict=True):
        assert reading.p_value is not None, reading.note
        assert min(reading.samples_before, reading.samples_after) >= guard.min_samples
        assert reading.result != "worse"


def test_what_could_only_be_judged_tomorrow_is_no_contract() -> None:
    scene = Life(Scene("roll_back_lambda_alias", period=6 * 3600)).run()
    assert scene.contracts() == []
    [notice] = scene.messages.notified
    assert "limit" in str(notice)
