"""The alarms on Grace itself, and that Grace never takes them for work."""

from __future__ import annotations

import json
from typing import Any

import pytest

from grace.gateways.messages import SOURCE
from grace.model.metric import Metric
from grace.patterns import matches
from infra.constructs.layers import ROOT
from infra.constructs.names import Names
from infra.constructs.watch import SERVICE, alarm_names
from tests.infra.template import Template, text

EVENTS = ROOT / "tests" / "events"


def _alarms(engine: Template) -> dict[str, dict[str, Any]]:
    return {each["AlarmName"]: each for each in engine.properties("AWS::CloudWatch::Alarm")}


def test_each_alarm_tells_people_and_is_known_to_the_intake(engine: Template) -> None:
    alarms = _alarms(engine)
    assert set(alarms) == set(alarm_names(Names("grace")))
    for each in alarms.values():
        assert "Notify" in text(each["AlarmActions"][0])
        assert each["AlarmDescription"]


@pytest.mark.parametrize(
    ("alarm", "metric"),
    [("grace-safe-hold", Metric.SAFE_HOLDS), ("grace-reap-failures", Metric.REAP_FAILURES)],
)
def test_one_count_is_enough(engine: Template, alarm: str, metric: Metric) -> None:
    found = _alarms(engine)[alarm]
    assert (found["Namespace"], found["MetricName"]) == ("Grace", metric.value)
    assert found["Dimensions"] == [{"Name": "service", "Value": SERVICE}]
    assert (found["Threshold"], found["ComparisonOperator"]) == (0, "GreaterThanThreshold")
    assert (found["Statistic"], found["TreatMissingData"]) == ("Sum", "notBreaching")


@pytest.mark.parametrize("alarm", ["grace-alerts-dead", "grace-wakeups-dead"])
def test_one_dead_letter_is_enough(engine: Template, alarm: str) -> None:
    found = _alarms(engine)[alarm]
    assert found["MetricName"] == "ApproximateNumberOfMessagesVisible"
    assert (found["Threshold"], found["ComparisonOperator"]) == (0, "GreaterThanThreshold")


def test_a_sweep_that_fails_and_one_that_is_silent_are_both_heard(engine: Template) -> None:
    fails, silent = _alarms(engine)["grace-reap-errors"], _alarms(engine)["grace-reap-silent"]
    assert (fails["MetricName"], fails["Threshold"], fails["ComparisonOperator"]) == (
        "Errors",
        0,
        "GreaterThanThreshold",
    )
    assert (silent["MetricName"], silent["Threshold"], silent["ComparisonOperator"]) == (
        "Invocations",
        1,
        "LessThanThreshold",
    )
    assert silent["TreatMissingData"] == "breaching"
    assert silent["Period"] == 300


def _rules(engine: Template) -> list[dict[str, Any]]:
    return [each for each in engine.properties("AWS::Events::Rule") if "EventPattern" in each]


def _takes(engine: Template, event: dict[str, Any], *, ours: bool) -> bool:
    return any(
        matches(each["EventPattern"], event)
        for each in _rules(engine)
        if (each.get("EventBusName") is not None) == ours
    )


@pytest.mark.parametrize(
    "name",
    [
        "alarm_lambda_errors.eventbridge.json",
        "alarm_lambda_errors_ok.eventbridge.json",
        "alarm_composite.eventbridge.json",
        "autoscaling_instance_refresh_failed.json",
        "autoscaling_launch_unsuccessful.json",
        "ec2_state_stopped.json",
        "ecs_deployment_failed.json",
        "ecs_service_impaired.json",
        "ecs_task_out_of_memory.json",
    ],
)
def test_what_aws_reports_reaches_the_queue(engine: Template, name: str) -> None:
    assert _takes(engine, json.loads((EVENTS / name).read_text()), ours=False)


def test_what_is_no_trouble_is_left_out(engine: Template) -> None:
    assert not _takes(engine, json.loads((EVENTS / "ecs_service_steady.json").read_text()), ours=False)


def test_what_others_report_reaches_the_queue_and_what_we_say_does_not(engine: Template) -> None:
    """I34: our own words are never an alert to us."""
    event = json.loads((EVENTS / "error_timeout.json").read_text())
    assert _takes(engine, event, ours=True)
    assert not _takes(engine, event | {"source": SOURCE}, ours=True)
    assert not _takes(engine, event | {"detail-type": "contract.closed"}, ours=True)


def test_alarms_on_grace_are_no_work_for_grace(engine: Template) -> None:
    event = json.loads((EVENTS / "alarm_lambda_errors.eventbridge.json").read_text())
    for name in alarm_names(Names("grace")):
        assert not _takes(engine, event | {"detail": event["detail"] | {"alarmName": name}}, ours=False)


def test_delivery_to_the_queue_is_retried_as_said_and_then_kept(engine: Template) -> None:
    for rule in _rules(engine):
        [target] = rule["Targets"]
        if "AskFunction" in text(target["Arn"]):
            continue  # mail that came back: nobody waits for it as long as for an alert
        assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185}
        assert target["DeadLetterConfig"]
    [subscription] = engine.properties("AWS::SNS::Subscription")
    assert subscription["RedrivePolicy"]


def returned_mail(kind: str, configuration: str) -> dict[str, Any]:
    tags = {"ses:configuration-set": [configuration], "contract": ["c-1"], "person": ["ada"]}
    return {"source": "aws.ses", "detail-type": kind, "detail": {"mail": {"tags": tags}}}


def test_f37_mail_of_ours_that_came_back_reaches_ask_and_no_other_mail_does(engine: Template) -> None:
    for kind in ("Email Bounced", "Email Complaint Received", "Email Rejected"):
        assert _takes(engine, returned_mail(kind, "grace"), ours=False)
        assert not _takes(engine, returned_mail(kind, "shop"), ours=False)
    assert not _takes(engine, returned_mail("Email Delivered", "grace"), ours=False)
    [target] = [rule["Targets"][0] for rule in _rules(engine) if rule["EventPattern"]["source"] == ["aws.ses"]]
    assert "AskFunction" in text(target["Arn"])
    assert target["DeadLetterConfig"]


def test_mail_is_not_tracked_and_travels_over_tls(engine: Template) -> None:
    [configuration] = engine.properties("AWS::SES::ConfigurationSet")
    assert configuration["DeliveryOptions"] == {"TlsPolicy": "REQUIRE"}
    assert configuration["VdmOptions"]["DashboardOptions"] == {"EngagementMetrics": "DISABLED"}
    assert "TrackingOptions" not in configuration
    [destination] = engine.properties("AWS::SES::ConfigurationSetEventDestination")
    assert set(destination["EventDestination"]["MatchingEventTypes"]) == {"bounce", "complaint", "reject"}
