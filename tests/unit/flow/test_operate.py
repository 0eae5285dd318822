"""What an operator orders, and the two addresses by which people reach Grace: who they are is proved, not said."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grace.errors import AccessDenied, Conflict, GraceError, IntegrityError, NotFound, Refused, Throttled
from grace.model.contract import Contract, ContractStatus
from grace.model.mission import MissionStatus
from grace.model.records import KillSwitch, Lease
from grace.web import deciding, ordering
from tests.support.world import World, alarm_event
from tests.unit.flow.scenes import (
    SHOP,
    check,
    ended,
    first_time,
    incident,
    missions,
    need,
    order,
    principal,
    read,
    run,
    shop,
    stays_bad,
    story,
    sweep,
    until,
    vote,
)
from tests.unit.flow.test_undo import third_party

# -- orders


def test_stop_and_resume_say_who_and_why_and_twice_is_once() -> None:
    world = shop()
    assert "rollbacks still run" in order(world, "stop", person="bob", reason="strange things")
    assert need(world, KillSwitch).on
    assert (need(world, KillSwitch).by, need(world, KillSwitch).reason) == ("bob", "strange things")
    told = len(world.messages.notified)
    order(world, "stop")
    assert need(world, KillSwitch).by == "bob"
    assert len(world.messages.notified) == told
    order(world, "resume")
    order(world, "resume")
    assert not need(world, KillSwitch).on
    assert story(world, "sys:kill") == ["operator.stop", "operator.resume"]
    check(world)


def test_resume_of_what_was_never_stopped_writes_nothing() -> None:
    world = shop()
    assert order(world, "resume") == "The kill switch is off."
    assert read(world, KillSwitch) is None


@pytest.mark.parametrize("command", ["rollback", "release", "retry", "dismiss"])
def test_an_order_without_its_target_is_no_order(command: str) -> None:
    with pytest.raises(ValueError, match="needs a target"):
        order(shop(), command)


@pytest.mark.parametrize("command", ["rollback", "release", "retry", "dismiss"])
@pytest.mark.parametrize("target", ["c-nothing", "m-nothing", SHOP, "*", "../..", "C#x", "\u202e", "x" * 2048])
def test_a_wrong_target_is_a_sentence_and_changes_nothing(command: str, target: str) -> None:
    world = shop()
    with pytest.raises((NotFound, Refused)):
        order(world, command, target)
    assert world.lambdas.changes == 0


def test_nobody_we_know_orders_nothing() -> None:
    world = shop()
    with pytest.raises(Refused, match="nobody in the people file"):
        order(world, "stop", person="mallory")
    assert read(world, KillSwitch) is None


@pytest.mark.parametrize("state", ["Mode", "Snapshot", "Baseline", "Execute"])
def test_a_rollback_ordered_before_the_action_ends_the_contract_untouched(state: str) -> None:
    world = shop()
    execution = until(world, state)
    order(world, "rollback", execution.name)
    run(world)
    assert world.head(execution.name).status is ContractStatus.REFUSED
    assert world.lambdas.changes == 0
    ended(world)
    check(world)


@pytest.mark.parametrize("good", [True, False])
def test_a_contract_that_has_ended_is_never_undone(good: bool) -> None:
    world = shop()
    if not good:
        world.between = stays_bad
    contract = incident(world)
    before = world.lambdas.changes
    with pytest.raises(Refused, match="never undone"):
        order(world, "rollback", contract)
    sweep(world, 600)
    run(world)
    assert world.lambdas.changes == before
    ended(world)


def test_a_rollback_ordered_twice_is_one_undo() -> None:
    world = shop()
    execution = until(world, "Settle")
    order(world, "rollback", execution.name)
    order(world, "rollback", execution.name, person="bob")
    run(world)
    assert world.head(execution.name).status is ContractStatus.ROLLED_BACK
    assert world.lambdas.changes == 2, "the action, and one restore"
    ended(world)
    check(world)


def test_release_of_what_is_not_held_says_so_and_changes_nothing() -> None:
    world = shop()
    incident(world)
    lease = need(world, Lease, SHOP)
    assert "not in safe-hold" in order(world, "release", SHOP)
    assert need(world, Lease, SHOP) == lease


def test_release_is_written_into_the_story_of_the_contract_that_held_and_its_status_stays() -> None:
    world = shop()
    world.between = first_time("Settle", third_party, then=stays_bad)
    contract = incident(world)
    order(world, "release", SHOP, reason="looked at it")
    assert story(world, contract)[-1] == "operator.release"
    assert world.head(contract).status is ContractStatus.SAFE_HOLD
    assert (need(world, Lease, SHOP).hold, need(world, Lease, SHOP).owner) == ("", "")
    assert "not in safe-hold" in order(world, "release", SHOP)
    check(world)


def test_retry_of_a_mission_at_work_is_refused() -> None:
    world = shop(2)
    incident(world)
    with pytest.raises(Refused, match="wait, or roll it back first"):
        order(world, "retry", missions(world)[0].mission_id)


def test_retry_drafts_the_next_attempt_as_another_contract_of_the_same_mission() -> None:
    world = shop(2)
    first = incident(world)
    vote(world, first, "ada", "reject")
    run(world)
    order(world, "retry", missions(world)[0].mission_id, "bob")
    assert missions(world)[0].status is MissionStatus.OPEN
    run(world)
    second = world.contracts()[-1]
    assert second != first
    assert (need(world, Contract, second).attempt, need(world, Contract, second).mission_id) == (
        2,
        need(world, Contract, first).mission_id,
    )
    assert missions(world)[0].contract_id == second
    check(world)


def test_retry_of_a_mission_whose_draft_was_lost_drafts_it() -> None:
    world = shop()
    world.fire(alarm_event())
    world.messages.drafts.clear()
    assert "is being drafted" in order(world, "retry", missions(world)[0].mission_id)
    run(world)
    assert len(world.contracts()) == 1


# -- the two addresses


def request(sent: Any, person: str = "ada", **changed: Any) -> dict[str, Any]:
    """What API Gateway sends after it has checked the signature."""
    text = sent if isinstance(sent, str) else json.dumps(sent)
    identity = {"authorizer": {"iam": {"userArn": principal(person)}}}
    return {"requestContext": identity, "body": text, "isBase64Encoded": False} | changed


def decide(world: World, body: Any, person: str = "ada", **changed: Any) -> tuple[int, dict[str, Any]]:
    answer = deciding.decide(request(body, person, **changed), world)
    return answer["statusCode"], json.loads(answer["body"])


def decision(world: World, contract: str, what: str = "approve") -> dict[str, Any]:
    return {"contract_id": contract, "decision": what, "digest": world.head(contract).digest}


def test_d13_every_saved_decision_answers_200_and_again_200() -> None:
    world = shop(3)
    contract = incident(world)
    body = decision(world, contract)
    assert decide(world, body) == (200, {"outcome": "recorded", "status": "pending", "have": 1, "need": 2})
    assert decide(world, body) == (200, {"outcome": "already", "status": "pending", "have": 1, "need": 2})
    assert decide(world, body, "bob") == (200, {"outcome": "recorded", "status": "approved", "have": 2, "need": 2})
    run(world)
    assert decide(world, body)[0] == 200


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"digest": "0" * 64}, 409, "digest"),
        ({"contract_id": "c-nothing"}, 404, "not_found"),
        ({"contract_id": ""}, 400, "bad_request"),
        ({"contract_id": "x" * 65}, 400, "bad_request"),
        ({"decision": "maybe"}, 400, "bad_request"),
        ({"as": "bob"}, 400, "bad_request"),
        ({"principal": "bob"}, 400, "bad_request"),
        ({"tier": 1}, 400, "bad_request"),
    ],
)
def test_what_is_wrong_with_a_decision_is_said_with_its_status(change: dict[str, Any], status: int, error: str) -> None:
    world = shop(2)
    contract = incident(world)
    found, answer = decide(world, decision(world, contract) | change)
    assert (found, answer["error"]) == (status, error)
    assert answer["message"]
    assert world.head(contract).status is ContractStatus.AWAITING_APPROVAL


def test_who_decides_is_what_was_proved() -> None:
    world = shop(2)
    contract = incident(world)
    assert decide(world, decision(world, contract), "eve")[0] == 403
    assert decide(world, decision(world, contract), "mallory")[0] == 403
    for context in (
        None,
        {},
        {"authorizer": None},
        {"authorizer": {"iam": None}},
        {"authorizer": {"iam": {"userArn": 7}}},
    ):
        assert decide(world, decision(world, contract), requestContext=context)[0] == 403
    assert decide(world, decision(world, contract, "reject"))[0] == 200
    assert decide(world, decision(world, contract))[0] == 409
    assert decide(world, decision(world, contract), "bob")[0] == 410


BODIES = [
    "",
    "null",
    "[]",
    "7",
    '"x"',
    "{",
    '{"contract_id": ',
    "\x00",
    "é" * 5000,
    "{" * 4000,
    json.dumps({"a": "b" * 9000}),
]


@pytest.mark.parametrize("body", BODIES)
def test_a_body_that_is_none_is_a_400_with_a_sentence(body: str) -> None:
    world = shop(2)
    for address in (deciding.decide, ordering.order):
        answer = address(request(body), world)
        assert answer["statusCode"] == 400
        assert json.loads(answer["body"])["message"]


def test_a_body_in_base64_is_read_and_a_broken_one_is_refused() -> None:
    world = shop(2)
    contract = incident(world)
    packed = base64.b64encode(json.dumps(decision(world, contract)).encode()).decode()
    assert decide(world, packed, isBase64Encoded=True)[0] == 200
    assert decide(world, packed[:-3] + "*", isBase64Encoded=True)[0] == 400
    assert deciding.decide(request({}, body=None), world)["statusCode"] == 400


@settings(max_examples=80, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_no_body_makes_an_unhandled_error(body: Any) -> None:
    world = shop(bad=False)
    for address in (deciding.decide, ordering.order):
        assert address(request(body), world)["statusCode"] in {400, 404}


def test_an_order_by_its_address() -> None:
    world = shop()
    found = ordering.order(request({"command": "stop", "reason": "a drill"}), world)
    assert found["statusCode"] == 200
    assert "is on" in json.loads(found["body"])["now"]
    assert ordering.order(request({"command": "rollback", "reason": "no target"}), world)["statusCode"] == 400
    assert (
        ordering.order(request({"command": "rollback", "target": "c-x", "reason": "as agreed"}), world)["statusCode"]
        == 404
    )
    assert ordering.order(request({"command": "explode", "reason": "as agreed"}), world)["statusCode"] == 400
    assert ordering.order(request({"command": "stop", "reason": "x"}), world)["statusCode"] == 400
    assert found["headers"]["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Conflict("x"), 503),
        (Throttled("x"), 503),
        (AccessDenied("x"), 500),
        (IntegrityError("x"), 500),
        (NotFound("x"), 404),
    ],
)
def test_f68_a_store_that_fails_is_an_answer_and_no_vote(error: GraceError, status: int) -> None:
    world = shop(2)
    contract = incident(world)
    body = decision(world, contract)
    real = world.store.commit

    def fails(_: Any) -> Any:
        raise error

    world.store.commit = fails
    found, answer = decide(world, body)
    world.store.commit = real
    assert found == status
    assert answer["message"]
    assert world.head(contract).status is ContractStatus.AWAITING_APPROVAL
