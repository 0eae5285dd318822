"""F48 for each class of effect: around the call anything may go wrong, and what the contract orders happens once.

Of the classes A (a client token) and D (a name of ours) no shipped action is; here one is made of each. What it makes
does not show on the resource, so that only the class says what may be done after an answer was lost.
"""

from __future__ import annotations

from typing import Any

import pytest

from grace.actions.base import action, actions
from grace.errors import BadRequest
from grace.flow import execute as room
from grace.model.contract import ContractStatus, EffectClass
from tests.support.life import Life
from tests.support.scenes import Scene
from tests.support.taps import DEATHS, DOUBLES, ERRORS, Fault, Site

RESTART = "restart_ecs_service"
"""Its action has neither class; it is the one whose effect does not show on the resource."""
SHIPPED = {
    EffectClass.COMPARE_AND_SET: "roll_back_lambda_alias",
    EffectClass.ABSOLUTE: "scale_out_group",
    EffectClass.ONCE: RESTART,
}
MADE = (EffectClass.DEDUPLICATED, EffectClass.NATURAL_KEY)
FAULTS = (*DEATHS, *DOUBLES, *(each for each in ERRORS if each.name != "access denied"))


def of_class(effect: EffectClass, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """Return a scene whose action has that class."""
    scene = Scene(SHIPPED.get(effect, RESTART))
    if effect in MADE:
        act = type(scene.act)
        token, name = _by_token(scene), _by_name(scene)
        monkeypatch.setattr(act, "effect", effect)
        monkeypatch.setattr(act, "run", token if effect is EffectClass.DEDUPLICATED else name)
        monkeypatch.setattr(act, "happened", lambda *_: pytest.fail("only class E is looked for"))
    assert scene.act.effect is effect
    return scene


def _by_token(scene: Scene) -> Any:
    """A service that starts one task a token, and answers the same token with the same task."""
    started: set[str] = set()

    def service(clientToken: str) -> dict[str, Any]:  # noqa: N803  boto3's names
        if clientToken not in started:
            started.add(clientToken)
            scene.effects.note("ecs", "run_task", clientToken)
        return {}

    def run(_act: Any, _ref: Any, _parameters: Any, _before: Any, aws: Any, token: str) -> None:
        aws.call("ecs", "run_task", clientToken=token)

    scene.aws.handlers["ecs", "run_task"] = service
    return run


def _by_name(scene: Scene) -> Any:
    """A service that refuses a second thing of the same name."""
    made: set[str] = set()

    def service(name: str) -> dict[str, Any]:
        if name in made:
            raise BadRequest("AlreadyExists")
        made.add(name)
        scene.effects.note("rds", "create_db_snapshot", name)
        return {}

    def run(_act: Any, ref: Any, _parameters: Any, _before: Any, aws: Any, token: str) -> None:
        try:
            aws.call("rds", "create_db_snapshot", name=token)
        except BadRequest as exc:
            if "AlreadyExists" not in str(exc):
                raise

    scene.aws.handlers["rds", "create_db_snapshot"] = service
    return run


def lived(scene: Scene, site: Site | None = None, fault: Fault | None = None) -> Scene:
    scene.wire.at, scene.wire.fault = site, fault
    return Life(scene).run()


def the_call(scene: Scene) -> Site:
    """Return the one call of execute that changes something."""
    reads = ("describe", "get", "list", "lookup")
    sites = [each for each in scene.wire.sites if each.step == "execute" and each.call.startswith("aws.")]
    [site] = [each for each in sites if not each.call.split(".")[2].startswith(reads)]
    return site


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
@pytest.mark.parametrize("effect", EffectClass, ids=lambda effect: effect.name)
def test_f48_an_effect_of_each_class_happens_once(
    effect: EffectClass, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A to D: done exactly once, and kept. E: once at most; what nobody can say is held and not repeated."""
    with monkeypatch.context() as patched:
        site = the_call(lived(of_class(effect, patched)))
    scene = lived(of_class(effect, monkeypatch), site, fault)
    assert scene.wire.struck
    made, status = len(scene.effects.made), scene.head(scene.contracts()[0]).status
    if effect is EffectClass.ONCE and not made:
        assert status is ContractStatus.SAFE_HOLD
    else:
        assert (made, status) == (1, ContractStatus.VERIFIED)


@pytest.mark.parametrize("effect", MADE, ids=lambda effect: effect.name)
def test_without_its_class_a_call_that_was_never_made_would_count_as_made(
    effect: EffectClass, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant: the resource looks as it should, for it looked so before."""
    monkeypatch.setattr(room, "_SAME_CALL", frozenset())
    site = the_call(lived(of_class(effect, monkeypatch)))
    scene = lived(of_class(effect, monkeypatch), site, DEATHS[0])
    assert not scene.effects.made


def test_the_shipped_actions_are_of_the_classes_b_c_and_e() -> None:
    """Said so in the documents: an action of class A or D is the first of its kind."""
    assert {each.effect for each in actions().values()} == set(SHIPPED)
    assert action("force_new_deployment").effect is EffectClass.ONCE
