"""Every door's lines name what it works on: contract, mission and correlation, and nothing that may be used by a reader."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import pytest

from grace import telemetry
from grace.errors import Unavailable
from grace.model.approval import Approval
from grace.model.entry import ref
from infra.constructs.floor_plan import DOORS
from tests.support.world import World, alarm_event
from tests.unit.doors.test_functions import change, functions, request, returned_mail
from tests.unit.flow.scenes import shop
from tests.unit.flow.test_mail import token

IDS = ("contract_id", "mission_id", "corr")
LOG_DOORS = {"integrate", "sign", "audit"}
"""They work on the log as a whole; their lines say how large it is, and their findings are entries."""


class Logged:
    """A world whose doors write real lines, and the lines by door."""

    def __init__(self, world: World, capsys: pytest.CaptureFixture[str]) -> None:
        world.telemetry = telemetry.telemetry()
        self.world, self._capsys = world, capsys
        self.lines: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._called = functions(world)
        world.machine.doors = {name: self._door(name) for name in world.machine.doors}
        self.text = ""

    def call(self, name: str, event: dict[str, Any]) -> Any:
        self._capsys.readouterr()
        try:
            return self._called[name](event)
        finally:
            said = self._capsys.readouterr().out
            self.text += said
            self.lines[name] += [json.loads(line) for line in said.splitlines() if "_aws" not in line]

    def _door(self, name: str) -> Any:
        return lambda event: self.call(name, event)

    def alert(self) -> None:
        self.call("triage", {"Records": [{"messageId": "one", "body": json.dumps(alarm_event())}]})

    def settle(self) -> str:
        while self.world.messages.drafts:
            self.call("contract", self.world.messages.drafts.pop(0).model_dump(mode="json"))
        self.world.settle()
        return self.world.contracts()[0]

    def named(self, door: str) -> list[dict[str, str]]:
        """The ids in each of a door's lines."""
        return [{name: line[name] for name in IDS if name in line} for line in self.lines[door]]


def ids_of(world: World, contract: str) -> dict[str, str]:
    head = world.head(contract)
    return {"contract_id": contract, "mission_id": head.mission_id, "corr": head.corr}


def asked(capsys: pytest.CaptureFixture[str]) -> tuple[Logged, str]:
    logged = Logged(shop(2), capsys)
    logged.alert()
    return logged, logged.settle()


def test_every_door_names_contract_mission_and_correlation_and_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    logged, contract = asked(capsys)
    world, ids = logged.world, ids_of(logged.world, contract)
    [execution] = world.workflow.executions.values()
    links = [token(letter) for letter in world.mail.sent]
    secrets = [execution.token, *links]
    assert links
    logged.call("ask", returned_mail(contract))
    logged.call("answer", {"rawPath": f"/a/{links[0]}", "requestContext": {"http": {"method": "GET"}}})
    decision = {"contract_id": contract, "decision": "approve", "digest": world.head(contract).digest}
    assert logged.call("answer", request(decision, "ada"))["statusCode"] == 200
    generation = str(world.head(contract).generation)
    logged.call("resolve", {"Records": [change(ref(Approval, contract, generation), "7")]})
    world.machine.wake(execution)
    world.between = lambda _world, _execution: None
    logged.settle()
    logged.call("operate", request({"command": "retry", "target": ids["mission_id"], "reason": "once more"}, "bob"))
    world.clock.advance(60 * 60)
    logged.call("reap", {})
    logged.call("integrate", {})
    for door in {door.name for door in DOORS} - LOG_DOORS:
        assert logged.lines[door], door
        whole = [line for line in logged.named(door) if line.items() <= ids.items()]
        if door == "triage":  # there is no contract yet
            assert {k: v for k, v in ids.items() if k != "contract_id"} in whole, logged.lines[door]
        elif door == "reap":
            assert any("mission_id" in line for line in whole), logged.lines[door]
        else:
            assert ids in whole, (door, logged.lines[door])
    assert int(logged.lines["integrate"][-1]["size"]) > 0
    assert [secret for secret in secrets if secret[-40:] in logged.text] == []


def test_what_fails_in_a_batch_is_named_each_for_itself(capsys: pytest.CaptureFixture[str]) -> None:
    logged, contract = asked(capsys)
    world, ids = logged.world, ids_of(logged.world, contract)
    decision = {"contract_id": contract, "decision": "reject", "digest": world.head(contract).digest}
    logged.call("answer", request(decision, "ada"))

    def away(*_: Any, **__: Any) -> Any:
        raise Unavailable("no answer")

    world.workflow.wake = away
    told = logged.call("resolve", {"Records": [change(ref(Approval, contract, "1"), "7")]})
    assert told == {"batchItemFailures": [{"itemIdentifier": "7"}]}
    [trouble, done] = logged.lines["resolve"]
    assert (trouble["message"], trouble["error"]) == ("resolve", "Unavailable")
    assert ids.items() <= trouble.items()
    assert IDS[0] not in done, "a line about the whole batch is about none of its parts"


def test_the_sweep_names_what_it_could_not_do(capsys: pytest.CaptureFixture[str]) -> None:
    logged, contract = asked(capsys)
    world = logged.world

    def away(*_: Any, **__: Any) -> Any:
        raise Unavailable("no answer")

    world.messages.remind = away
    world.clock.advance(16 * 60)
    assert logged.call("reap", {})["failed"] == 1
    [trouble] = [line for line in logged.lines["reap"] if line["message"] == "reap"]
    assert (trouble["error"], trouble["contract_id"]) == ("Unavailable", contract)


def test_triage_names_the_group_that_could_not_be_taken(capsys: pytest.CaptureFixture[str]) -> None:
    logged = Logged(shop(), capsys)

    def away(*_: Any, **__: Any) -> Any:
        raise Unavailable("no answer")

    logged.world.store.commit = away
    logged.alert()
    trouble, done = logged.lines["triage"]
    assert (trouble["message"], trouble["error"]) == ("triage", "Unavailable")
    assert trouble["mission_id"]
    assert trouble["corr"]
    assert not {"mission_id", "corr", "group"} & done.keys()


def test_a_line_is_about_ids_and_names_only() -> None:
    with pytest.raises(ValueError, match="not about token; it may be about contract_id"):
        telemetry.telemetry().about(token="x")
