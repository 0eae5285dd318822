"""A change with a time to live: the value from before comes back when it is over, measured, and nobody else's is touched."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from grace.errors import Busy
from grace.flow import expiry as expiry_room
from grace.flow import reap as reap_room
from grace.flow import rollback as rollback_room
from grace.flow import snapshot as snapshot_room
from grace.flow.loading import load, ticket_for
from grace.flow.reap import reap
from grace.flow.resolve import start_rollback
from grace.model.contract import Contract, ContractHead, ContractStatus, EffectClass
from grace.model.entry import ref
from grace.model.records import Expiry, Lease, Step, StepStatus
from grace.ports import Services
from tests.stores.builders import in_status, written
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
    reap(scene, lambda: scene.rulebook)
    scene.settle()


def expiry(scene: Scene, contract: str) -> Expiry:
    return scene.state.read(ref(Expiry, contract)).need(ref(Expiry, contract))


def body(scene: Scene, contract: str) -> Contract:
    return scene.state.read(ref(Contract, contract)).need(ref(Contract, contract))


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


# -- a resource that somebody else has


def lease_of(scene: Scene) -> Lease:
    where = ref(Lease, scene.resource.arn)
    return scene.state.read(where).need(where)


def somebodys(scene: Scene, *, status: ContractStatus = ContractStatus.EXECUTING) -> ContractHead:
    """Another contract that has begun to act on the resource, died there, and whose lease has lapsed."""
    head = in_status(scene.state, status)
    lease = lease_of(scene)
    taken = lease.model_copy(update={"owner": head.contract_id, "fence": lease.fence + 1, "until": scene.clock.now()})
    step = Step(
        contract_id=head.contract_id,
        name="execute",
        status=StepStatus.INTENT,
        attempt=1,
        fence=taken.fence,
        effect=EffectClass.ABSOLUTE,
        before_digest="0" * 64,
        expected_digest="1" * 64,
        at=scene.clock.now(),
    )
    after: ContractHead = written(scene.state, head, head, items=(taken, step))
    return after


def ends(scene: Scene, head: ContractHead) -> None:
    for step in (ContractStatus.VERIFYING, ContractStatus.VERIFIED):
        head = written(scene.state, head.model_copy(update={"status": step}), head)


def held(scene: Scene, by: str) -> None:
    """Leave the resource in safe-hold, or take it out of it."""
    head = in_status(scene.state, ContractStatus.DRAFTED, f"hold {by}")
    written(scene.state, head, head, items=(lease_of(scene).model_copy(update={"hold": by}),))


def putting_back(scene: Scene) -> list[str]:
    return [name for name in scene.workflow.executions if "-rb-" in name]


def test_a_lapsed_lease_protects_what_its_holder_has_begun_and_not_ended() -> None:
    scene, contract = kept()
    other = somebodys(scene)
    fence = lease_of(scene).fence
    pass_time(scene, LIFE + 1)
    loaded = load(ticket_for(body(scene, contract), needs_approval=False), scene)
    with pytest.raises(Busy, match=other.contract_id):
        expiry_room.put_back(loaded, expiry(scene, contract), lease_of(scene), scene)
    assert (level(scene), lease_of(scene).fence, lease_of(scene).owner) == ("DEBUG", fence, other.contract_id)
    assert not expiry(scene, contract).done

    ends(scene, other)
    pass_time(scene, 300)
    assert level(scene) == scene.before.state.model_dump()["log_level"]
    assert expiry(scene, contract).done


def test_without_the_look_at_the_holder_its_fence_would_be_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: the other contract's own rollback would find its lease gone and end in safe-hold."""
    monkeypatch.setattr(snapshot_room, "_unfinished", lambda *_: False)
    scene, _ = kept()
    somebodys(scene)
    fence = lease_of(scene).fence
    pass_time(scene, LIFE + 1)
    assert lease_of(scene).fence > fence


@pytest.mark.parametrize("why", ["safe-hold", "at work"])
def test_while_somebody_has_the_resource_no_execution_is_started_and_it_is_said_once(why: str) -> None:
    scene, contract = kept()
    other = somebodys(scene) if why == "at work" else None
    if why == "safe-hold":
        held(scene, "c-held")
    for _ in range(12):
        pass_time(scene, LIFE + 1)
    assert putting_back(scene) == []
    assert scene.head(contract).rollbacks == 0
    types = [entry.type for entry in scene.state.story(contract)]
    assert types.count("contract.expiry_waits") == 1
    assert [subject for _, subject, _ in scene.messages.notified if "put back later" in subject] == [
        "put back later: increase_logging"
    ]
    if other:
        ends(scene, other)
    else:
        held(scene, "")
    pass_time(scene, 300)
    assert (expiry(scene, contract).done, expiry(scene, contract).says) == (True, "")
    assert putting_back(scene) == [f"{contract}-rb-1"]


def test_without_the_look_at_the_lease_each_sweep_would_start_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: 288 executions, entries and counts a day."""
    scene, contract = kept()
    held(scene, "c-held")

    def blind(found: Expiry, services: Services) -> str:
        start_rollback(body(scene, found.contract_id), "its time to live is over", services)
        return "put_back"

    monkeypatch.setattr(reap_room, "begin", blind)
    for _ in range(3):
        pass_time(scene, LIFE + 1)
    assert len(putting_back(scene)) > 1
    assert scene.head(contract).rollbacks > 1
