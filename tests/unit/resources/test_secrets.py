"""The log level may live among a function's variables; the other variables are carried through and never kept."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from grace.errors import Refused
from grace.resources.base import Captured, resource_type
from grace.resources.lambda_function import LambdaFunction, LambdaFunctionState
from tests.support.aws import MotoAws
from tests.support.resources import make_function

CANARY = "hunter2-canary"


def variables(aws: MotoAws) -> dict[str, str]:
    found = aws.call("lambda", "get_function_configuration", FunctionName="shop")
    return dict(found["Environment"]["Variables"])


def test_no_value_of_the_environment_is_in_a_snapshot(aws: MotoAws, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="grace")
    kind = resource_type("AWS::Lambda::Function")
    captured = kind.capture(make_function(aws), aws)
    assert CANARY in variables(aws).values()
    assert CANARY not in captured.state.model_dump_json() + repr(captured) + caplog.text


@pytest.mark.parametrize("value", ["hunter2-canary", "", "info please", "1"])
def test_a_variable_that_holds_no_level_is_not_looked_at(aws: MotoAws, value: str) -> None:
    ref = make_function(aws, Environment={"Variables": {"LOG_LEVEL": value}})
    state = LambdaFunction().capture(ref, aws).state
    assert (state.log_level, state.log_level_in) == (None, "")


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({"LOG_LEVEL": "debug"}, ("debug", "LOG_LEVEL")),
        ({"LOG_LEVEL": "DEBUG", "POWERTOOLS_LOG_LEVEL": "ERROR"}, ("ERROR", "POWERTOOLS_LOG_LEVEL")),
        ({}, (None, "")),
    ],
)
def test_where_the_level_of_plain_text_is_set(
    aws: MotoAws, found: dict[str, str], expected: tuple[str | None, str]
) -> None:
    ref = make_function(aws, Environment={"Variables": found})
    state = LambdaFunction().capture(ref, aws).state
    assert (state.log_level, state.log_level_in) == expected


def test_lambdas_own_setting_counts_where_json_is_logged(aws: MotoAws) -> None:
    ref = make_function(aws)
    aws.logging["shop"] = {"LogFormat": "JSON", "ApplicationLogLevel": "WARN", "SystemLogLevel": "INFO"}
    state = LambdaFunction().capture(ref, aws).state
    assert (state.log_level, state.log_level_in) == ("WARN", "LoggingConfig")


def with_level(captured: Captured[LambdaFunctionState], level: str) -> LambdaFunctionState:
    return captured.state.model_copy(update={"log_level": level})


def test_the_other_variables_stay_as_they_are(aws: MotoAws) -> None:
    ref = make_function(aws)
    captured = LambdaFunction().capture(ref, aws)
    LambdaFunction().put(ref, with_level(captured, "DEBUG"), captured, aws)
    assert variables(aws) == {"LOG_LEVEL": "DEBUG", "DATABASE_PASSWORD": CANARY}


def test_the_other_logging_settings_stay_as_they_are(aws: MotoAws) -> None:
    ref = make_function(aws)
    settings = {"LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "WARN", "LogGroup": "/shop"}
    aws.logging["shop"] = settings
    captured = LambdaFunction().capture(ref, aws)
    LambdaFunction().put(ref, with_level(captured, "DEBUG"), captured, aws)
    assert aws.logging["shop"] == {**settings, "ApplicationLogLevel": "DEBUG"}
    assert variables(aws)["LOG_LEVEL"] == "INFO"


def test_a_variable_changed_meanwhile_is_never_overwritten(aws: MotoAws) -> None:
    """The variables are read and sent together: `RevisionId` refuses it when somebody rotated the password between."""
    ref = make_function(aws)
    captured = LambdaFunction().capture(ref, aws)
    rotated = {"LOG_LEVEL": "INFO", "DATABASE_PASSWORD": "rotated"}
    aws.call("lambda", "update_function_configuration", FunctionName="shop", Environment={"Variables": rotated})
    with pytest.raises(Exception, match="RevisionId"):
        LambdaFunction().put(ref, with_level(captured, "DEBUG"), captured, aws)
    assert variables(aws) == rotated


def test_unreadable_variables_are_not_replaced_by_one(aws: MotoAws) -> None:
    ref = make_function(aws)
    captured = LambdaFunction().capture(ref, aws)
    aws.environment_error = True
    aws.calls.clear()
    with pytest.raises(Refused, match="cannot be read"):
        LambdaFunction().put(ref, with_level(captured, "DEBUG"), captured, aws)
    assert aws.changes() == []
    aws.environment_error = False
    assert variables(aws)["DATABASE_PASSWORD"] == CANARY


@pytest.mark.parametrize("reserved", [None, 0, 5])
def test_reserved_concurrency_is_restored_also_to_none(aws: MotoAws, reserved: int | None) -> None:
    ref = make_function(aws)
    if reserved is not None:
        aws.call("lambda", "put_function_concurrency", FunctionName="shop", ReservedConcurrentExecutions=reserved)
    kept = LambdaFunction().capture(ref, aws)
    assert kept.state.reserved_concurrency == reserved
    aws.call("lambda", "put_function_concurrency", FunctionName="shop", ReservedConcurrentExecutions=50)
    now: Captured[Any] = LambdaFunction().capture(ref, aws)
    aws.calls.clear()
    LambdaFunction().restore(ref, kept.state, now, aws)
    assert LambdaFunction().capture(ref, aws).state.reserved_concurrency == reserved
    assert aws.changes() == ["delete_function_concurrency" if reserved is None else "put_function_concurrency"]
