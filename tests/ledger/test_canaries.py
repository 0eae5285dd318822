"""F67, I11: secrets planted where others write reach no entry, no tile, no proof, no log line and no event."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from grace.errors import GraceError, TransientError
from grace.gateways import translate as translating
from grace.gateways.translate import translate
from grace.model.contract import ContractStatus
from tests.support.logs import entries_of, written
from tests.support.world import World, alarm_event
from tests.unit.flow.scenes import approved, heads, incident, run, shop, stays_bad

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
