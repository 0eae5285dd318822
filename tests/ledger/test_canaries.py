"""F67, I11: secrets planted where others write reach no entry, no tile, no proof, no log line and no event."""

from __future__ import annotations

import itertools
import json
import logging
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError
from pydantic import ValidationError

from grace.errors import GraceError, Refused, TransientError
from grace.gateways import translate as translating
from grace.gateways.addresses import check_listed, check_public
from grace.gateways.memory import MemoryFetch
from grace.gateways.translate import translate
from grace.model.contract import Contract, ContractStatus, Mode
from grace.model.mission import Mission
from grace.model.playbook import PlaybookSpec
from grace.model.records import Evidence
from grace.model.wording import address, promise
from grace.probes import invoke
from tests.support.logs import entries_of, written
from tests.support.playbooks import catalogued, roll_back_alias
from tests.support.world import World, alarm_event
from tests.unit.flow.scenes import (
    approved,
    every,
    heads,
    heals,
    incident,
    run,
    shop,
    stays_bad,
    vote,
)

SECRET = "hunter2-wJalrXUtnFEMI/K7MDENG"


def planted(**changed: Any) -> dict[str, Any]:
    """The shop's alarm with a secret in every text that another may have written."""
    event = alarm_event()
    event["detail"]["state"] |= {"reason": f"Threshold Crossed: {SECRET}", "reasonData": json.dumps({"key": SECRET})}
    event["detail"]["configuration"] |= {"description": f"call with {SECRET}"}
    event["detail"]["previousState"] |= {"reason": SECRET}
    return event | changed


def said(world: World, log: str) -> dict[str, bytes]:
    """Everything that was written to be read by others, by name."""
    published = written(entries_of(world.store), 3)
    found = {f"object {path}": data for path, data in published.objects.items()}
    found |= {f"entry {number}": data for number, data in enumerate(published.entries)}
    found |= {f"proof {number}": published.prove(number).data for number in range(published.edge.size)}
    found |= {"log": log.encode(), "troubles": repr(vars(world.telemetry)).encode()}
    found |= {f"told {number}": repr(each).encode() for number, each in enumerate(world.messages.notified)}
    found |= {f"event {number}": repr(each).encode() for number, each in enumerate(world.messages.published)}
    return found | {f"mail {number}": repr(each).encode() for number, each in enumerate(world.mail.sent)}


def spoken(world: World, log: str) -> list[str]:
    return [name for name, data in said(world, log).items() if SECRET.encode() in data]


def test_a_secret_in_an_alarms_texts_goes_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for tier in (1, 2):
        world = shop(tier)
        incident(world, planted())
        if tier == 2:
            approved(world, "ada")
        assert spoken(world, caplog.text) == []


def test_a_secret_in_a_message_that_cannot_be_read_goes_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    world = shop()
    world.fire(json.dumps({"source": "nobody", "detail": {"password": SECRET}}), f"{{not json {SECRET}")
    run(world)
    assert spoken(world, caplog.text) == []


def test_a_secret_in_a_functions_variables_goes_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    world = shop()
    world.lambdas.functions["shop"]["variables"] = {"TOKEN": SECRET}
    world.between = stays_bad
    incident(world, planted())
    [head] = heads(world)
    assert head.status is ContractStatus.ROLLED_BACK
    assert spoken(world, caplog.text) == []


URL = f"https://shop.example/health?token={SECRET}"
ANSWERS: dict[str, tuple[int, bytes] | Refused | None] = {
    "as promised": (200, f"all is {SECRET}".encode()),
    "without it": (200, b"all is well"),
    "another status": (500, SECRET.encode()),
    "refused": Refused("address", f"{address(URL)} leads to no public address"),
    "silent": None,
}


SAID_BACK: tuple[dict[str, Any], ...] = ({"key": SECRET}, {"key": f"not {SECRET}"}, {"key": [SECRET]}, {})


def promising(tier: int, mode: Mode, **catalogue: Any) -> World:
    """A shop whose playbook sends a secret, and promises one, by both kinds of call."""
    document = roll_back_alias(tier).spec.model_dump(mode="json", exclude_unset=True)
    document["expect"] += [
        {"http": {"url": URL, "contains": SECRET}, "must": False},
        {"invoke": {"payload": {"key": [SECRET]}, "expect": {"statusCode": 200, "key": SECRET}}},
    ]
    world = World((catalogued(PlaybookSpec.model_validate(document)),), mode, **catalogue)
    world.shop()
    return world


@pytest.mark.parametrize("mode", [Mode.AUTONOMOUS, Mode.SHADOW])
@pytest.mark.parametrize("answer", ANSWERS)
def test_a_secret_in_a_promises_calls_and_their_answers_goes_nowhere(
    answer: str, mode: Mode, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for tier, said_back in itertools.product((1, 2), SAID_BACK):
        world = promising(tier, mode, http_hosts=("shop.example",))
        found = ANSWERS[answer]
        world.fetch = MemoryFetch(("shop.example",), {URL: found} if found else {})
        world.between = heals
        answers = {"Payload": json.dumps({"statusCode": 200, **said_back}).encode()}
        world.aws.handlers["lambda", "invoke"] = lambda _answers=answers, **_: _answers
        assert world.fire(planted()) == []
        run(world)
        if tier == 2 and mode is Mode.AUTONOMOUS:
            vote(world, world.contracts()[-1], "ada")
            run(world)
        assert heads(world)
        shown = [promise(line) for body in every(world, Contract) for line in body.expect]
        seen = [each.model_dump_json() for each in every(world, Evidence)]
        assert mode is Mode.SHADOW or seen
        assert SECRET not in repr(shown + seen)
        assert spoken(world, caplog.text) == []


def test_i11_with_the_words_of_promised_calls_a_secret_is_written(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant: what is sent and answered, as it is."""
    monkeypatch.setattr(invoke, "plain", json.dumps)
    world = promising(1, Mode.AUTONOMOUS, http_hosts=("shop.example",))
    incident(world)
    assert any(name.startswith("entry") for name in spoken(world, caplog.text))


@pytest.mark.parametrize("hosts", [(), ("other.example",)])
def test_a_secret_in_an_address_that_may_not_be_asked_goes_nowhere(
    hosts: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    world = promising(1, Mode.AUTONOMOUS, http_hosts=hosts)
    assert world.fire(planted()) == []
    run(world)
    assert "https://shop.example/health?...: " in repr(every(world, Mission))
    assert spoken(world, caplog.text) == []
    for refuse in (lambda: check_listed(URL, hosts), lambda: check_public(URL, ["10.0.0.1"])):
        with pytest.raises(Refused) as refused:
            refuse()
        assert SECRET not in str(refused.value)


def test_a_secret_in_an_actions_parameter_goes_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    """A parameter has a strict form, and what has another is refused without its words."""
    caplog.set_level(logging.DEBUG)
    document = roll_back_alias().spec.model_dump(mode="json", exclude_unset=True)
    document["action"] = {"use": "shift_alias", "to": SECRET}
    world = World((catalogued(PlaybookSpec.model_validate(document)),))
    world.shop()
    with suppress(GraceError, ValidationError):
        world.fire(planted())
        run(world)
    assert every(world, Mission)
    assert heads(world) == []
    assert spoken(world, caplog.text) == []


def client_error(code: str, status: int) -> Callable[[str], GraceError]:
    error = {"Error": {"Code": code, "Message": f"Value '{SECRET}' at 'environment.variables' failed to satisfy"}}
    answer = error | {"ResponseMetadata": {"HTTPStatusCode": status}}
    return lambda operation: translate(ClientError(answer, operation), "lambda", operation)


def bad_parameter(operation: str) -> GraceError:
    report = f'Invalid type for parameter Environment.Variables.TOKEN, value: {SECRET}, type: <class "str">'
    return translate(ParamValidationError(report=report), "lambda", operation)


def told_everywhere(operation: str, error: Callable[[str], GraceError], log: pytest.LogCaptureFixture) -> list[str]:
    """Let an incident take its way while a service answers one operation so; return where its words then stand."""
    log.set_level(logging.DEBUG)
    world = shop()
    real = world.aws.call
    met: list[str] = []

    def call(service: str, name: str, /, **arguments: Any) -> Any:
        if name == operation and len(met) < 40:
            met.append(name)
            raise error(name)
        return real(service, name, **arguments)

    world.aws.call = call
    world.between = stays_bad
    assert world.fire(planted()) == []
    for _ in range(50):
        with suppress(TransientError):  # a door that raises one is called again
            run(world)
            break
    assert met, f"{operation} was never called"
    return spoken(world, log.text)


@pytest.mark.parametrize(
    "error",
    [
        client_error("InvalidParameterValueException", 400),
        client_error("AccessDeniedException", 403),
        client_error("ResourceNotFoundException", 404),
        client_error("TooManyRequestsException", 429),
        client_error("ServiceException", 500),
        bad_parameter,
    ],
    ids=["refused", "denied", "absent", "throttled", "broken", "shape"],
)
@pytest.mark.parametrize("operation", ["update_alias", "get_alias", "list_tags", "list_versions_by_function"])
def test_a_secret_in_what_a_service_says_goes_nowhere(
    operation: str, error: Callable[[str], GraceError], caplog: pytest.LogCaptureFixture
) -> None:
    assert told_everywhere(operation, error, caplog) == []


def test_i11_without_the_filter_on_what_services_say_a_secret_is_written(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant: their words as they came."""
    monkeypatch.setattr(translating, "_QUOTED", re.compile("(?!)"))
    error = client_error("InvalidParameterValueException", 400)
    assert any(name.startswith("entry") for name in told_everywhere("update_alias", error, caplog))
