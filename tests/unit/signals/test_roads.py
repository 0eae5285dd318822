"""The same alarm transition is the same Signal by every road; what AWS services say becomes typed events."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from grace.errors import InvalidSignal
from grace.model.ids import fingerprint
from grace.model.signal import Severity, SignalState
from grace.signals import parse

EVENTS = Path(__file__).parents[2] / "events"
ROADS = ("eventbridge", "sns", "sns_raw", "direct")
ALARMS = sorted({path.name.split(".")[0] for path in EVENTS.glob("alarm_*.direct.json")})


def read(name: str) -> Any:
    return json.loads((EVENTS / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("alarm", ALARMS)
def test_one_transition_is_one_signal_by_every_road(alarm: str) -> None:
    signals = [parse((EVENTS / f"{alarm}.{road}.json").read_bytes()) for road in ROADS]
    assert len({signal.fingerprint for signal in signals}) == 1
    assert signals[0] == signals[1] == signals[2] == signals[3]


def test_the_fields_of_an_alarm() -> None:
    signal = parse((EVENTS / "alarm_lambda_errors.sns.json").read_bytes())
    arn = "arn:aws:cloudwatch:eu-central-1:111122223333:alarm:shop-errors"
    at = datetime(2026, 1, 31, 12, 0, 3, 417000, tzinfo=UTC)
    assert signal.fingerprint == fingerprint(arn, "ALARM", 1769860803417)
    assert (signal.subject, signal.name, signal.at) == (arn, "shop-errors", at)
    assert (signal.account, signal.region) == ("111122223333", "eu-central-1")
    assert (signal.state, signal.severity) == (SignalState.ALARM, Severity.HIGH)
    assert (signal.service, signal.alarm_class) == ("lambda/shop", "errors")
    assert signal.group == "111122223333/eu-central-1/lambda/shop/errors"
    assert signal.metric is not None
    assert signal.metric.model_dump() == {
        "namespace": "AWS/Lambda",
        "name": "Errors",
        "stat": "Sum",
        "period": 60,
        "dimensions": {"FunctionName": "shop", "Resource": "shop:live"},
    }
    assert (signal.observed, signal.threshold, signal.comparison) == (6.0, 5.0, "GreaterThanThreshold")
    assert signal.resources == ("arn:aws:lambda:eu-central-1:111122223333:function:shop:live",)
    assert signal.is_alarm


def test_state_and_time_make_another_signal() -> None:
    document = read("alarm_lambda_errors.sns_raw.json")
    original = parse(json.dumps(document))
    changes = ({"NewStateValue": "OK"}, {"StateChangeTime": "2026-01-31T12:00:03.418+0000"})
    assert (
        len({original.fingerprint, *(parse(json.dumps({**document, **change})).fingerprint for change in changes)}) == 3
    )


@pytest.mark.parametrize(
    "time", ["2026-01-31T12:00:03.417Z", "2026-01-31T13:00:03.417+01:00", "2026-01-31T12:00:03.417999Z"]
)
def test_the_same_millisecond_written_otherwise_is_the_same_signal(time: str) -> None:
    document = read("alarm_lambda_errors.sns_raw.json")
    assert parse(json.dumps({**document, "StateChangeTime": time})) == parse(json.dumps(document))


def test_an_alarm_name_is_one_name_however_its_accents_are_encoded() -> None:
    document = read("alarm_lambda_errors.sns_raw.json")
    signals = []
    for name in ("caf\u00e9", "cafe\u0301"):
        arn = f"arn:aws:cloudwatch:eu-central-1:111122223333:alarm:{name}"
        signals.append(parse(json.dumps({**document, "AlarmName": name, "AlarmArn": arn})))
    assert signals[0] == signals[1]


def test_an_old_message_without_the_arn_takes_its_region_from_the_topic() -> None:
    document = read("alarm_lambda_errors.sns.json")
    message = json.loads(document["Message"])
    del message["AlarmArn"]
    assert parse(json.dumps({**document, "Message": json.dumps(message)})) == parse(json.dumps(document))
    with pytest.raises(InvalidSignal, match=r"Region: must be a region's code"):
        parse(json.dumps(message))
    assert parse(json.dumps({**message, "Region": "eu-central-1"})) == parse(json.dumps(document))


def test_metric_math_keeps_its_first_series_but_not_its_value() -> None:
    signal = parse((EVENTS / "alarm_metric_math.eventbridge.json").read_bytes())
    assert signal.metric is not None
    assert (signal.metric.name, signal.observed, signal.threshold) == ("Errors", None, 0.05)
    assert signal.service == "lambda/shop"


def test_a_composite_alarm_has_no_metric() -> None:
    signal = parse((EVENTS / "alarm_composite.eventbridge.json").read_bytes())
    assert (signal.metric, signal.alarm_class, signal.service) == (None, "composite", "alarm/shop-unhealthy")


@pytest.mark.parametrize(
    ("dimensions", "resources"),
    [
        ({"FunctionName": "shop", "Resource": "shop"}, ("arn:aws:lambda:{}:function:shop",)),
        ({"FunctionName": "shop", "Resource": "other:live"}, ("arn:aws:lambda:{}:function:shop",)),
        ({"InstanceId": "i-1"}, ("arn:aws:ec2:{}:instance/i-1",)),
        ({"ClusterName": "c", "ServiceName": "s"}, ("arn:aws:ecs:{}:service/c/s",)),
        ({"DBInstanceIdentifier": "d"}, ("arn:aws:rds:{}:db:d",)),
        ({"QueueName": "q", "TableName": "t"}, ("arn:aws:dynamodb:{}:table/t", "arn:aws:sqs:{}:q")),
        ({"AutoScalingGroupName": "g"}, ()),
        ({"FunctionName": "not a function's name"}, ()),
    ],
)
def test_resources_follow_from_the_dimensions(dimensions: dict[str, str], resources: tuple[str, ...]) -> None:
    document = read("alarm_lambda_errors.sns_raw.json")
    document["Trigger"]["Dimensions"] = [{"name": name, "value": value} for name, value in dimensions.items()]
    signal = parse(json.dumps(document))
    assert signal.resources == tuple(arn.format("eu-central-1:111122223333") for arn in resources)


@pytest.mark.parametrize(
    ("metric", "comparison", "expected"),
    [
        ("Errors", "GreaterThanThreshold", "errors"),
        ("error_rate", "GreaterThanOrEqualToThreshold", "errors"),
        ("HTTP 5xx Rate", "GreaterThanThreshold", "errors"),
        ("CPUUtilization", "GreaterThanThreshold", "saturation"),
        ("CPUUtilization", "LessThanThreshold", "CPUUtilization"),
        ("FreeStorageSpace", "LessThanOrEqualToThreshold", "exhaustion"),
        ("FreeStorageSpace", "GreaterThanThreshold", "FreeStorageSpace"),
        ("ErrorsOfTaste", "GreaterThanThreshold", "ErrorsOfTaste"),
    ],
)
def test_the_class_of_trouble_is_exact_and_has_a_direction(metric: str, comparison: str, expected: str) -> None:
    document = read("alarm_lambda_errors.sns_raw.json")
    document["Trigger"].update(MetricName=metric, ComparisonOperator=comparison)
    assert parse(json.dumps(document)).alarm_class == expected


@pytest.mark.parametrize(
    ("name", "kind", "service", "code", "severity"),
    [
        ("health_lambda_issue", "health", "health/LAMBDA", "AWS_LAMBDA_OPERATIONAL_ISSUE", "high"),
        ("ec2_state_stopped", "ec2_state", "ec2/i-0123456789abcdef0", "stopped", "low"),
        ("ecs_task_out_of_memory", "ecs_task", "ecs/shop/web", "OutOfMemoryError", "high"),
        ("ecs_service_impaired", "ecs_service", "ecs/shop/web", "SERVICE_TASK_START_IMPAIRED", "medium"),
        ("ecs_service_steady", "ecs_service", "ecs/shop/web", "SERVICE_STEADY_STATE", "info"),
        ("ecs_deployment_failed", "ecs_deployment", "ecs/shop/web", "SERVICE_DEPLOYMENT_FAILED", "high"),
        ("rds_failure", "rds", "rds/shop-orders", "RDS-EVENT-0031", "critical"),
        ("autoscaling_launch_unsuccessful", "autoscaling", "autoscaling/shop-web", "launch_unsuccessful", "high"),
        ("autoscaling_instance_refresh_failed", "autoscaling", "autoscaling/shop-web", "instance_refresh_failed", "high"),
        ("error_database_locked", "error", "checkout", "SQLITE_BUSY", "high"),
    ],
)  # fmt: skip
def test_events(name: str, kind: str, service: str, code: str, severity: str) -> None:
    signal = parse((EVENTS / f"{name}.json").read_bytes())
    assert (signal.kind, signal.service, signal.code, signal.severity) == (kind, service, code, severity)
    assert (signal.state, signal.is_alarm) == (SignalState.EVENT, False)


def test_a_closed_health_event_is_ok_and_another_signal() -> None:
    document = read("health_lambda_issue.json")
    opened = parse(json.dumps(document))
    document["detail"]["statusCode"] = "closed"
    closed = parse(json.dumps(document))
    assert (closed.state, opened.is_problem, closed.is_problem) == (SignalState.OK, True, False)
    assert closed.fingerprint != opened.fingerprint


def test_two_states_of_one_second_are_two_signals() -> None:
    document = read("ec2_state_stopped.json")
    stopped = parse(json.dumps(document))
    document["detail"]["state"] = "stopping"
    assert parse(json.dumps(document)).fingerprint != stopped.fingerprint


def test_an_instance_that_is_stopped_is_a_problem_and_one_that_ends_or_starts_is_none() -> None:
    document = read("ec2_state_stopped.json")
    found = {}
    for state in ("pending", "running", "stopping", "stopped", "shutting-down", "terminated"):
        document["detail"]["state"] = state
        found[state] = parse(json.dumps(document)).is_problem
    assert [state for state, problem in found.items() if problem] == ["stopped"]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("alarm_lambda_errors.sns.json", True),
        ("alarm_lambda_errors_ok.sns.json", False),
        ("alarm_ecs_cpu_low.sns.json", False),
        ("ecs_service_steady.json", False),
        ("ec2_state_stopped.json", True),
        ("error_unknown.json", True),
    ],
)
def test_what_is_a_problem(name: str, problem: bool) -> None:
    assert parse((EVENTS / name).read_bytes()).is_problem is problem


def test_our_own_events_carry_correlation_and_hop() -> None:
    document = read("error_timeout.json")
    document["detail"].update(corr="r-abc", cause="c-def", hop=1)
    signal = parse(json.dumps(document))
    assert (signal.corr, signal.hop) == ("r-abc", 1)
    assert parse((EVENTS / "error_timeout.json").read_bytes()).hop == 0


def test_a_notification_may_wrap_an_event_as_well() -> None:
    event = read("ecs_deployment_failed.json")
    topic = "arn:aws:sns:eu-central-1:111122223333:events"
    wrapped = {"Type": "Notification", "TopicArn": topic, "Message": json.dumps(event)}
    assert parse(json.dumps(wrapped)) == parse(json.dumps(event))
