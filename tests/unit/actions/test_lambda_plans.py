"""What each action on a function or its alias makes of what is asked: absolute values, or a refusal that says why."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from grace.actions.base import action
from grace.gateways.memory import MemoryAws
from grace.model.resource import ResourceRef
from tests.support.actions import check, plan, refused
from tests.support.aws import MotoAws
from tests.support.resources import make_alias, make_function

# shift_alias


@pytest.mark.parametrize(
    ("versions", "at", "ask", "to"),
    [
        (3, "3", "previous_version", "2"),
        (12, "12", "previous_version", "11"),  # by number, not by letter
        (12, "10", "previous_version", "9"),
        (3, "2", "previous_version", "1"),
        (3, "1", "3", "3"),
    ],
)
def test_the_version_to_shift_to(aws: MotoAws, versions: int, at: str, ask: str, to: str) -> None:
    assert plan("shift_alias", make_alias(aws, versions, at), aws, to=ask) == {"to": to}


def test_deleted_versions_are_passed_over(aws: MotoAws) -> None:
    ref = make_alias(aws, 4, "4")
    aws.call("lambda", "delete_function", FunctionName="shop", Qualifier="3")
    assert plan("shift_alias", ref, aws, to="previous_version") == {"to": "2"}
    with refused("no_such_version"):
        plan("shift_alias", ref, aws, to="3")
    with refused("no_such_version"):
        check("shift_alias", ref, aws, to="3")


@pytest.mark.parametrize(
    ("at", "to", "code"),
    [
        ("1", "previous_version", "no_previous_version"),
        ("$LATEST", "previous_version", "no_previous_version"),
        ("2", "2", "nothing_to_do"),
        ("2", "99", "no_such_version"),
    ],
)
def test_a_shift_that_makes_no_sense(aws: MotoAws, at: str, to: str, code: str) -> None:
    ref = make_alias(aws, 2, at)
    with refused(code):
        plan("shift_alias", ref, aws, to=to)


def test_every_page_of_versions_is_read() -> None:
    pages: dict[str | None, dict[str, Any]] = {
        None: {"Versions": [{"Version": "$LATEST"}, {"Version": "1"}], "NextMarker": "m"},
        "m": {"Versions": [{"Version": "2"}, {"Version": "7"}]},
    }
    alias = ResourceRef(type="AWS::Lambda::Alias", arn="arn:aws:lambda:eu-central-1:123456789012:function:shop:live")
    aws = MemoryAws(
        {
            ("lambda", "get_alias"): lambda **_: {"FunctionVersion": "7", "RevisionId": "r"},
            ("lambda", "list_versions_by_function"): lambda **asked: pages[asked.get("Marker")],
        }
    )
    assert plan("shift_alias", alias, aws) == {"to": "2"}


def test_a_version_that_cannot_be_called_is_refused(aws: MotoAws) -> None:
    ref = make_alias(aws)
    original = aws._get_function_configuration
    aws._get_function_configuration = lambda arguments: {  # type: ignore[method-assign]
        **original(arguments),
        "State": "Failed",
        "StateReason": "the image is gone",
    }
    with refused("version_not_active"):
        check("shift_alias", ref, aws, to="2")


# A function's configuration


@pytest.mark.parametrize(
    ("name", "ask", "parameters"),
    [
        ("set_memory", {"mb": 512}, {"memory_size": 512}),
        ("set_memory", {"factor": 2}, {"memory_size": 512}),
        ("set_memory", {"factor": 1.001}, {"memory_size": 257}),  # rounded up, so a factor always does something
        ("set_memory", {"factor": 8, "max": 1024}, {"memory_size": 1024}),
        ("set_memory", {"mb": 128}, {"memory_size": 128}),
        ("set_timeout", {"seconds": 5}, {"timeout": 5}),
        ("set_timeout", {"factor": 3}, {"timeout": 30}),
        ("set_timeout", {"factor": 8, "max": 60}, {"timeout": 60}),
        ("set_log_level", {"level": "ERROR"}, {"level": "ERROR", "ttl": 900}),
        ("set_log_level", {"level": "WARN", "ttl": "2h"}, {"level": "WARN", "ttl": 7200}),
        ("set_reserved_concurrency", {"to": 1}, {"reserved_concurrency": 1}),
    ],
)
def test_values_for_a_function(aws: MotoAws, name: str, ask: dict[str, Any], parameters: dict[str, Any]) -> None:
    assert plan(name, make_function(aws), aws, **ask) == parameters


@pytest.mark.parametrize(
    ("name", "ask", "code"),
    [
        ("set_memory", {"mb": 256}, "nothing_to_do"),
        ("set_memory", {"factor": 2, "max": 256}, "nothing_to_do"),
        ("set_memory", {"factor": 2, "max": 128}, "nothing_to_do"),  # a factor never lowers
        ("set_memory", {"mb": 4096}, "out_of_bounds"),
        ("set_timeout", {"seconds": 10}, "nothing_to_do"),
        ("set_timeout", {"seconds": 100, "max": 60}, "out_of_bounds"),
        ("set_log_level", {"level": "INFO"}, "nothing_to_do"),
        ("set_reserved_concurrency", {"add": 10}, "unreserved"),
        ("set_reserved_concurrency", {"to": 2000}, "out_of_bounds"),
    ],
)
def test_refusals_for_a_function(aws: MotoAws, name: str, ask: dict[str, Any], code: str) -> None:
    ref = make_function(aws)
    with refused(code):
        plan(name, ref, aws, **ask)


@pytest.mark.parametrize(
    ("name", "ask"),
    [
        ("set_memory", {}),
        ("set_memory", {"mb": 256, "factor": 2}),
        ("set_memory", {"mb": 64}),
        ("set_memory", {"mb": 20480}),
        ("set_memory", {"factor": 0.5}),
        ("set_timeout", {}),
        ("set_timeout", {"seconds": 901}),
        ("set_timeout", {"seconds": 0}),
        ("set_log_level", {"level": "TRACE"}),
        ("set_log_level", {"level": "DEBUG", "ttl": "59s"}),
        ("set_log_level", {"level": "DEBUG", "ttl": "121m"}),
        ("set_reserved_concurrency", {}),
        ("set_reserved_concurrency", {"to": 0}),  # that would stop the function
        ("set_reserved_concurrency", {"add": 0}),
        ("set_reserved_concurrency", {"to": 5, "add": 5}),
        ("set_capacity", {"add": 0}),
        ("set_capacity", {"add": 4}),
        ("set_capacity", {"add": -4}),
        ("set_capacity", {"add": 1, "max_fleet_share": 1.5}),
        ("set_desired_count", {"add": 1}),  # without a maximum ECS has none
        ("set_desired_count", {"add": 0, "max": 5}),
        ("shift_alias", {"to": "$LATEST"}),
        ("shift_alias", {"to": "0"}),
        ("shift_alias", {"to": "1; rm -rf /"}),
        ("roll_back_task_definition", {"to": "web:1"}),
        ("reboot_instance", {"force": True}),
    ],
)
def test_what_a_playbook_may_not_ask(name: str, ask: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        action(name).ask.model_validate(ask)


def test_a_function_without_a_level_has_none_to_set(aws: MotoAws) -> None:
    ref = make_function(aws, Environment={"Variables": {}})
    with refused("no_log_level"):
        plan("set_log_level", ref, aws, level="DEBUG")
    with refused("no_log_level"):
        check("set_log_level", ref, aws, level="DEBUG", ttl=900)


@pytest.mark.parametrize("word", ["WARNING", "warn", "Warning"])
def test_two_words_for_one_level(aws: MotoAws, word: str) -> None:
    ref = make_function(aws, Environment={"Variables": {"LOG_LEVEL": word}})
    with refused("nothing_to_do"):
        plan("set_log_level", ref, aws, level="WARN")


@pytest.mark.parametrize(
    ("unreserved", "now", "wanted", "allowed"),
    [(900, None, 800, True), (900, None, 801, False), (100, 50, 50, True), (100, 50, 51, False), (50, None, 1, False)],
)
def test_lambda_keeps_a_hundred_unreserved(
    aws: MotoAws, unreserved: int, now: int | None, wanted: int, allowed: bool
) -> None:
    ref = make_function(aws)
    if now:
        aws.call("lambda", "put_function_concurrency", FunctionName="shop", ReservedConcurrentExecutions=now)
    aws.unreserved = unreserved
    if allowed:
        check("set_reserved_concurrency", ref, aws, reserved_concurrency=wanted)
    else:
        with refused("quota"):
            check("set_reserved_concurrency", ref, aws, reserved_concurrency=wanted)


def test_more_of_a_reservation(aws: MotoAws) -> None:
    ref = make_function(aws)
    aws.call("lambda", "put_function_concurrency", FunctionName="shop", ReservedConcurrentExecutions=10)
    assert plan("set_reserved_concurrency", ref, aws, add=5) == {"reserved_concurrency": 15}
    with refused("at_maximum"):
        plan("set_reserved_concurrency", ref, aws, add=5, max=12)
    with refused("at_minimum"):
        plan("set_reserved_concurrency", ref, aws, add=-10)
