"""Every action, on real calls: it does exactly what was predicted, again according to its class, and can be undone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from grace.actions.base import Action, action
from grace.errors import AnswerLost, Mismatch, Throttled
from grace.model.base import Model, canonical
from grace.model.contract import EffectClass, Undo
from grace.model.resource import ResourceRef
from grace.resources.base import Captured, Restorable, digest_of, resource_type
from tests.support.actions import CASES
from tests.support.aws import MotoAws

ALL = sorted(CASES)


def of_class(*effects: EffectClass) -> list[str]:
    return [name for name in ALL if action(name).effect in effects]


@dataclass(frozen=True, slots=True)
class Ready:
    """An action planned on a resource as it stands."""

    act: Action[Model, Model, Model]
    kind: Restorable[Model]
    ref: ResourceRef
    before: Captured[Model]
    parameters: Model
    aws: MotoAws

    def run(self) -> None:
        self.act.run(self.ref, self.parameters, self.before, self.aws, "token")

    def state(self) -> Model:
        return self.kind.capture(self.ref, self.aws).state

    def predicted(self) -> Model:
        return self.act.predict(self.before.state, self.parameters)


def ready(name: str, aws: MotoAws) -> Ready:
    act, case = action(name), CASES[name]
    ref = case.make(aws)
    kind = resource_type(act.on)
    before = kind.capture(ref, aws)
    parameters = act.plan(ref, before, act.ask.model_validate(case.ask), aws)
    aws.calls.clear()
    return Ready(act, kind, ref, before, parameters, aws)


@pytest.mark.parametrize("name", ALL)
def test_plan_gives_absolute_values_that_survive_the_contract(name: str, aws: MotoAws) -> None:
    work = ready(name, aws)
    expected = CASES[name].parameters or {"instance_id": work.ref.path.removeprefix("instance/")}
    assert work.parameters.model_dump(mode="json") == expected
    document = json.loads(canonical(expected))
    assert work.act.parse(document) == work.parameters


@pytest.mark.parametrize("name", ALL)
def test_d8_the_effect_is_exactly_what_was_predicted(name: str, aws: MotoAws) -> None:
    work = ready(name, aws)
    work.act.check(work.ref, work.before, work.parameters, aws)
    assert aws.changes() == [], "check changed something"
    work.run()
    assert tuple(aws.changes()) == CASES[name].writes
    assert work.state() == work.predicted()
    assert digest_of(work.state()) == digest_of(work.predicted())
    if work.act.undo is Undo.RESTORE:
        assert work.predicted() != work.before.state, "an action that changes nothing proves nothing"


@pytest.mark.parametrize("name", ALL)
def test_planning_twice_plans_the_same(name: str, aws: MotoAws) -> None:
    work = ready(name, aws)
    ask = work.act.ask.model_validate(CASES[name].ask)
    assert work.act.plan(work.ref, work.before, ask, aws) == work.parameters
    assert aws.changes() == []


@pytest.mark.parametrize("name", [name for name in ALL if action(name).undo is Undo.RESTORE])
def test_what_was_done_can_be_undone(name: str, aws: MotoAws) -> None:
    work = ready(name, aws)
    work.run()
    work.kind.restore(work.ref, work.before.state, work.kind.capture(work.ref, aws), aws)
    assert work.state() == work.before.state


@pytest.mark.parametrize("name", of_class(EffectClass.COMPARE_AND_SET))
def test_class_b_a_second_call_on_the_same_reading_is_refused(name: str, aws: MotoAws) -> None:
    work = ready(name, aws)
    work.run()
    once = work.kind.capture(work.ref, aws)
    with pytest.raises(Mismatch):
        work.run()
    assert work.kind.capture(work.ref, aws) == once


@pytest.mark.parametrize("name", of_class(EffectClass.COMPARE_AND_SET))
def test_class_b_somebody_elses_change_is_never_overwritten(name: str, aws: MotoAws) -> None:
    work = ready(name, aws)
    if work.act.on == "AWS::Lambda::Alias":
        aws.call("lambda", "update_alias", FunctionName="shop", Name="live", FunctionVersion="1")
    else:
        aws.call("lambda", "update_function_configuration", FunctionName="shop", Description="theirs")
    theirs = work.kind.capture(work.ref, aws)
    with pytest.raises(Mismatch):
        work.run()
    assert work.kind.capture(work.ref, aws) == theirs


@pytest.mark.parametrize("name", of_class(EffectClass.ABSOLUTE))
def test_class_c_twice_is_the_same_as_once(name: str, aws: MotoAws) -> None:
    work = ready(name, aws)
    work.run()
    work.run()
    assert work.state() == work.predicted()


@pytest.mark.parametrize("name", of_class(EffectClass.COMPARE_AND_SET, EffectClass.ABSOLUTE))
def test_a_lost_answer_can_be_told_from_no_effect_by_looking(name: str, aws: MotoAws) -> None:
    """The step repeats only when the resource still is as before; here the effect is there, so it does not."""
    [operation] = CASES[name].writes
    work = ready(name, aws)
    aws.after[operation] = AnswerLost(f"{operation}: no answer")
    with pytest.raises(AnswerLost):
        work.run()
    assert digest_of(work.state()) == digest_of(work.predicted())


@pytest.mark.parametrize("name", of_class(EffectClass.COMPARE_AND_SET, EffectClass.ABSOLUTE))
def test_a_call_that_never_arrived_left_everything_as_it_was(name: str, aws: MotoAws) -> None:
    [operation] = CASES[name].writes
    work = ready(name, aws)
    aws.before[operation] = Throttled(f"{operation}: slow down")
    with pytest.raises(Throttled):
        work.run()
    assert digest_of(work.state()) == work.before.digest
    work.run()
    assert work.state() == work.predicted()


@pytest.mark.parametrize("name", ALL)
def test_one_run_is_one_change(name: str, aws: MotoAws) -> None:
    """Whatever the class: a single call to the service, so there is nothing half done."""
    work = ready(name, aws)
    work.run()
    assert len(aws.changes()) == 1


@pytest.mark.parametrize("name", ALL)
def test_the_words_carry_the_absolute_values(name: str, aws: MotoAws) -> None:
    words: Any = {
        "shift_alias": "version 2",
        "set_memory": "384 MB",
        "set_timeout": "30 seconds",
        "set_log_level": "DEBUG for 15 minutes",
        "set_reserved_concurrency": "reserve 50",
        "set_capacity": "desired capacity to 3 (minimum 1, maximum 4)",
        "set_desired_count": "4 tasks",
        "roll_back_task_definition": "run web:2",
        "force_new_deployment": "web:3",
        "reboot_instance": "i-",
    }
    work = ready(name, aws)
    assert words[name] in work.act.describe(work.parameters)
