"""What a door says: ids and outcomes in every line, never what it was given; counts as one series each."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel

from grace import telemetry
from grace.errors import BadRequest, Refused
from grace.model.metric import Metric

SECRET = "planted-secret"
CONTEXT = SimpleNamespace(aws_request_id="req-1")
TICKET = {"contract_id": "c-1", "mission_id": "m-1", "corr": "corr-1", "resource": SECRET}
CALL = {"ticket": TICKET, "step": "verify", "task_token": SECRET}
IDS = {"contract_id": "c-1", "mission_id": "m-1", "corr": "corr-1", "step": "verify", "request": "req-1"}


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    said = capsys.readouterr().out
    assert SECRET not in said
    return [json.loads(line) for line in said.splitlines()]


def test_a_line_carries_the_ids_and_the_outcome_and_nothing_that_was_given(capsys: pytest.CaptureFixture[str]) -> None:
    @telemetry.door
    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        return {"verdict": "verified", "said": SECRET}

    assert handler(CALL, CONTEXT)["verdict"] == "verified"
    [line] = lines(capsys)
    assert IDS.items() <= line.items()
    assert (line["level"], line["message"], line["verdict"]) == ("INFO", "done", "verified")


def test_the_next_event_of_a_warm_function_does_not_carry_the_last_ones_ids(capsys: pytest.CaptureFixture[str]) -> None:
    @telemetry.door
    def handler(event: dict[str, Any], context: Any) -> None:
        return None

    handler(CALL, CONTEXT)
    handler({"Records": [SECRET]}, CONTEXT)
    _, second = lines(capsys)
    assert not IDS.keys() & second.keys() - {"request"}


def test_an_error_is_named_and_let_through(capsys: pytest.CaptureFixture[str]) -> None:
    @telemetry.door
    def handler(event: dict[str, Any], context: Any) -> None:
        raise Refused("cooldown", "it was acted on recently")

    with pytest.raises(Refused):
        handler(CALL, CONTEXT)
    [line] = lines(capsys)
    assert IDS.items() <= line.items()
    assert (line["level"], line["error"], line["why"]) == ("WARNING", "Refused", "it was acted on recently")


def test_a_payload_of_another_shape_is_a_bad_request_that_names_the_field(capsys: pytest.CaptureFixture[str]) -> None:
    class Shape(BaseModel):
        count: int

    @telemetry.door
    def handler(event: dict[str, Any], context: Any) -> None:
        Shape.model_validate({"count": SECRET})

    with pytest.raises(BadRequest, match="count") as caught:
        handler(CALL, CONTEXT)
    assert SECRET not in str(caught.value)
    [line] = lines(capsys)
    assert (line["error"], line["why"]) == ("BadRequest", "wrong fields: count")


def test_counts_are_written_once_as_one_series_in_the_embedded_format(capsys: pytest.CaptureFixture[str]) -> None:
    @telemetry.door
    def handler(event: dict[str, Any], context: Any) -> None:
        telemetry.telemetry().count(Metric.SAFE_HOLDS)
        telemetry.telemetry().count(Metric.REAP_FAILURES, 3)

    handler(CALL, CONTEXT)
    handler_line, counts = lines(capsys)
    assert handler_line["message"] == "done"
    [directive] = counts["_aws"]["CloudWatchMetrics"]
    assert (directive["Namespace"], directive["Dimensions"]) == ("Grace", [["service"]])
    assert {each["Name"] for each in directive["Metrics"]} == {Metric.SAFE_HOLDS.value, Metric.REAP_FAILURES.value}
    assert (counts["service"], counts[Metric.SAFE_HOLDS.value], counts[Metric.REAP_FAILURES.value]) == (
        "grace",
        [1.0],
        [3.0],
    )


def test_counts_of_an_invocation_that_failed_are_written_too(capsys: pytest.CaptureFixture[str]) -> None:
    @telemetry.door
    def handler(event: dict[str, Any], context: Any) -> None:
        telemetry.telemetry().count(Metric.REFUSED)
        raise Refused("cooldown", "it was acted on recently")

    with pytest.raises(Refused):
        handler(CALL, CONTEXT)
    assert lines(capsys)[-1][Metric.REFUSED.value] == [1.0]


def test_what_was_met_and_dealt_with_is_a_line_with_its_class(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.telemetry().trouble("reap", Refused("limit", "x" * 1000), contract="c-1")
    [line] = lines(capsys)
    assert (line["level"], line["message"], line["error"], line["contract"]) == ("WARNING", "reap", "Refused", "c-1")
    assert len(line["why"]) == 500
