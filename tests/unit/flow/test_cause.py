"""What a person is told of an error: its own words, whatever stands in them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from grace.flow.cause import why
from grace.flow.loading import load
from grace.model.contract import Ticket
from tests.unit.flow.scenes import incident, shop


@pytest.mark.parametrize("said", ["plain", 'a "quoted" name', 'two, "parts", "of it"', "C:\\temp", "zu spät – leider"])
@pytest.mark.parametrize("compact", [True, False])
def test_the_words_of_an_error_are_told_as_they_were_said(said: str, compact: bool) -> None:
    separators = (",", ":") if compact else (", ", ": ")
    cause = json.dumps({"errorMessage": said, "errorType": "X", "stackTrace": ["at"]}, separators=separators)
    assert told({"Error": "X", "Cause": cause}) == f"X: {said}"


@pytest.mark.parametrize("cause", ["the state ran out of time", "", "[1]", '{"errorMessage":"cut of'])
def test_what_is_no_answer_of_a_function_is_told_as_it_stands(cause: str) -> None:
    assert told({"Error": "States.Timeout", "Cause": cause}) == f"States.Timeout: {cause}"


def told(error: dict[str, Any]) -> str:
    world = shop()
    contract = incident(world)
    ticket = Ticket.model_validate(world.workflow.executions[contract].document).model_copy(update={"error": error})
    return why(ticket, load(ticket, world))
