"""A whole incident through the functions as Lambda calls them: each parses what wakes it, and dumps what is waited for."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from grace.errors import BadRequest
from grace.model.approval import Approval
from grace.model.contract import ContractStatus
from grace.model.entry import ref
from grace.stores import keys
from infra.constructs.floor_plan import WORKFLOW_DOORS
from tests.support.world import ACCOUNT, World, alarm_event
from tests.unit.flow.scenes import check, ended, shop

FUNCTIONS = Path(__file__).parents[3] / "functions"
NAMES = sorted(path.stem for path in FUNCTIONS.glob("*.py"))
CONTEXT = SimpleNamespace(aws_request_id="req-1")
Function = Callable[[dict[str, Any]], Any]


def functions(world: World) -> dict[str, Function]:
    """Load every file of `functions/` as Lambda does, over the services of a world; answers travel as JSON."""
    found: dict[str, Function] = {}
    for name in NAMES:
        spec = importlib.util.spec_from_file_location(f"functions_{name}", FUNCTIONS / f"{name}.py")
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.services = lambda: world  # type: ignore[attr-defined]

        def call(event: dict[str, Any], handler: Any = module.handler) -> Any:
            return json.loads(json.dumps(handler(json.loads(json.dumps(event)), CONTEXT)))

        found[name] = call
    return found


def through(world: World) -> dict[str, Function]:
    """Put the functions in the place of the world's own doors."""
    called = functions(world)
    world.machine.doors = {name: called[name] for name in world.machine.doors}
    return called


def settle(world: World, called: dict[str, Function]) -> None:
    while world.messages.drafts:
        request = world.messages.drafts.pop(0)
        called["contract"](request.model_dump(mode="json"))
    world.settle()


def request(body: dict[str, Any], person: str) -> dict[str, Any]:
    """What API Gateway sends."""
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{person}/session"
    return {"requestContext": {"authorizer": {"iam": {"userArn": arn}}}, "body": json.dumps(body)}


def change(what: Any, sequence: str) -> dict[str, Any]:
    """What the state table's stream sends."""
    key = keys.key(what)
    return {
        "eventID": sequence,
        "eventName": "MODIFY",
        "dynamodb": {"SequenceNumber": sequence, "Keys": {"pk": {"S": key.pk}, "sk": {"S": key.sk}}},
    }


def test_an_incident_of_tier_2_through_every_function() -> None:
    world = shop(2)
    called = through(world)
    message = {"messageId": "one", "body": json.dumps(alarm_event())}
    poison = {"messageId": "two", "body": "{"}
    assert called["triage"]({"Records": [message, poison]}) == {"batchItemFailures": []}
    settle(world, called)
    [contract] = world.contracts()
    digest = world.head(contract).digest
    answer = called["answer"](request({"contract_id": contract, "decision": "approve", "digest": digest}, "ada"))
    assert (answer["statusCode"], json.loads(answer["body"])["outcome"]) == (200, "recorded")
    assert called["resolve"]({"Records": [change(ref(Approval, contract, "1"), "7")]}) == {"batchItemFailures": []}
    [execution] = world.workflow.executions.values()
    assert execution.woken
    world.machine.wake(execution)
    settle(world, called)
    assert world.head(contract).status is ContractStatus.VERIFIED
    swept = called["reap"]({"source": "aws.events"})
    assert set(swept.values()) == {0}
    stopped = called["operate"](request({"command": "stop", "reason": "an exercise"}, "bob"))
    assert stopped["statusCode"] == 200
    assert world.lambdas.changes == 1
    check(world)
    ended(world)


def test_an_undo_through_the_functions() -> None:
    world = shop()
    called = through(world)
    world.between = lambda _world, _execution: None
    called["triage"]({"Records": [{"messageId": "one", "body": json.dumps(alarm_event())}]})
    settle(world, called)
    [contract] = world.contracts()
    assert world.head(contract).status is ContractStatus.ROLLED_BACK
    assert world.lambdas.version_of("shop", "live") == "2"
    check(world)


@pytest.mark.parametrize("name", WORKFLOW_DOORS)
def test_a_call_of_another_shape_is_refused_and_nothing_is_called(name: str) -> None:
    world = shop()
    with pytest.raises(BadRequest, match="ticket"):
        functions(world)[name]({"step": name})
    assert world.aws.calls == []


def returned_mail(contract: str, kind: str = "Bounce") -> dict[str, Any]:
    """SES's event, as EventBridge delivers it."""
    return {
        "version": "0",
        "id": "5c5d8f0e-3c3a-4a6e-9d3b-6a1b3f7f2f10",
        "detail-type": "Email Bounced",
        "source": "aws.ses",
        "account": ACCOUNT,
        "time": "2026-01-31T12:00:05Z",
        "region": "eu-west-1",
        "resources": [f"arn:aws:ses:eu-west-1:{ACCOUNT}:configuration-set/grace"],
        "detail": {
            "eventType": kind,
            "bounce": {"bounceType": "Permanent", "bouncedRecipients": [{"emailAddress": "ada@example.org"}]},
            "mail": {
                "timestamp": "2026-01-31T12:00:00.000Z",
                "messageId": "0100019",
                "destination": ["ada@example.org"],
                "tags": {
                    "ses:configuration-set": ["grace"],
                    "ses:source-ip": ["192.0.2.1"],
                    "contract": [contract],
                    "person": ["ada"],
                },
            },
        },
    }


def test_ask_takes_mail_that_came_back_and_what_the_sweep_asks_of_it() -> None:
    world = shop(2)
    called = through(world)
    assert (
        called["triage"]({"Records": [{"messageId": "1", "body": json.dumps(alarm_event())}]})["batchItemFailures"]
        == []
    )
    settle(world, called)
    [contract] = world.contracts()
    assert called["ask"](returned_mail(contract)) == {"again": True}
    assert called["ask"](returned_mail(contract)) == {"again": False}
    world.clock.advance(16 * 60)
    called["reap"]({})
    [reminder] = world.messages.reminders
    assert called["ask"](reminder.model_dump(mode="json")) == {"again": True}
    assert world.head(contract).generation == 2


@pytest.mark.parametrize(
    "spoil",
    [
        lambda event: event["detail"].pop("mail"),
        lambda event: event["detail"]["mail"].pop("tags"),
        lambda event: event["detail"]["mail"]["tags"].pop("person"),
        lambda event: event["detail"].update(eventType="Open"),
    ],
)
def test_mail_that_is_not_ours_is_refused(spoil: Callable[[dict[str, Any]], object]) -> None:
    event = returned_mail("c-1")
    spoil(event)
    with pytest.raises(BadRequest, match="wrong fields"):
        functions(shop(2))["ask"](event)
