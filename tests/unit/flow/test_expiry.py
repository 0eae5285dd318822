"""A change with a time to live: the value from before comes back when it is over, measured, and nobody else's is touched."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from grace.flow import expiry as expiry_room
from grace.flow import rollback as rollback_room
from grace.flow.reap import reap
from grace.model.contract import ContractStatus
from grace.model.entry import ref
from grace.model.records import Expiry, Lease
from tests.support.scenes import Scene

LIFE = 15 * 60


def kept() -> tuple[Scene, str]:
    """A verified contract that has raised the log level for a quarter of an hour."""
    scene = Scene("increase_logging")
    assert scene.fire(scene.body) == []
    scene.settle()
    contract = scene.contracts()[0]
    assert scene.head(contract).status is ContractStatus.VERIFIED
    assert level(scene) == "DEBUG"
    return scene, contract


def level(scene: Scene) -> Any:
    return scene.capture().state.model_dump()["log_level"]


def somebody_sets(scene: Scene, **changes: Any) -> None:
    scene.lambdas.update_configuration(scene.resource.path.split(":")[1], **changes)


def pass_time(scene: Scene, seconds: int) -> None:
    scene.clock.advance(seconds)
    reap(scene, scene.rulebook)
    scene.settle()


def expiry(scene: Scene, contract: str) -> Expiry:
    return scene.state.read(ref(Expiry, contract)).need(ref(Expiry, contract))


def test_the_level_from_before_comes_back_when_its_time_is_over() -> None:
    scene, contract = kept()
    before = scene.before.state.model_dump()["log_level"]

    pass_time(scene, LIFE + 1)

    assert level(scene) == before
    assert (expiry(scene, contract).done, expiry(scene, contract).says) == (True, "")
    assert scene.head(contract).status is ContractStatus.VERIFIED
    assert scene.state.story(contract)[-1].type == "contract.expired_back"
    lease = scene.state.read(ref(Lease, scene.resource.arn)).need(ref(Lease, scene.resource.arn))
    assert lease.owner == ""


def test_before_its_time_nothing_happens_and_afterwards_nothing_more() -> None:
    scene, contract = kept()
    left = expiry(scene, contract).until - scene.clock.now()
    pass_time(scene, int(left.total_seconds()) - 5)
    assert level(scene) == "DEBUG"
    pass_time(scene, LIFE)
    changes = len(scene.effects.made)
    executions = len(scene.workflow.executions)
    pass_time(scene, LIFE)
    assert (len(scene.effects.made), len(scene.workflow.executions)) == (changes, executions)
    assert expiry(scene, contract).done


def test_what_somebody_else_set_meanwhile_stays_and_people_are_told() -> None:
    scene, contract = kept()
    somebody_sets(scene, LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "ERROR"})

    pass_time(scene, LIFE + 1)

    assert level(scene) == "ERROR"
    assert "somebody else" in expiry(scene, contract).says
    assert any("not put back" in subject for _, subject, _ in scene.messages.notified)


def test_other_fields_that_changed_meanwhile_are_left_as_they_are() -> None:
    scene, _ = kept()
    somebody_sets(scene, MemorySize=777)

    pass_time(scene, LIFE + 1)

    state = scene.capture().state.model_dump()
    assert (state["log_level"], state["memory_size"]) == (scene.before.state.model_dump()["log_level"], 777)


def test_without_the_comparison_somebody_elses_value_would_be_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: putting back whatever is there overwrites the level that somebody set."""
    monkeypatch.setattr(expiry_room, "_wanted", lambda _contract, _kind, before, _now: before)
    scene, _ = kept()
    somebody_sets(scene, LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "ERROR"})
    pass_time(scene, LIFE + 1)
    assert level(scene) != "ERROR"


def test_a_resource_at_work_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    scene, contract = kept()
    where = ref(Lease, scene.resource.arn)
    taken = {"owner": "c-other", "until": scene.clock.now() + timedelta(hours=9)}
    put_back = expiry_room.put_back
    monkeypatch.setattr(
        rollback_room,
        "put_back",
        lambda loaded, due, lease, services: put_back(loaded, due, lease.model_copy(update=taken), services),
    )

    pass_time(scene, LIFE + 1)

    assert level(scene) == "DEBUG"
    assert not expiry(scene, contract).done
    monkeypatch.undo()
    pass_time(scene, LIFE)
    assert expiry(scene, contract).done
    assert scene.state.read(where).need(where).owner == ""
