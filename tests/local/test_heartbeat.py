"""Alarms of the engine wake up without anybody putting a datum."""

from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from infra.local import heartbeat
from infra.local.reconcile import Clients
from tests.local.test_launcher import _function


@pytest.mark.engine
def test_an_alarm_on_lambdas_own_metrics_fires_without_a_datum_from_us(aws: Clients) -> None:
    """The engine publishes AWS/Lambda metrics itself, but evaluates no alarm when it does: the heartbeat makes it."""
    cloudwatch = aws("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="thrower-errors",
        Namespace="AWS/Lambda",
        MetricName="Errors",
        Dimensions=[{"Name": "FunctionName", "Value": "thrower"}],
        Statistic="Sum",
        Period=10,
        EvaluationPeriods=6,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
    )
    aws("lambda").invoke(FunctionName=_function(aws), Payload=b'{"say": "no"}')
    deadline = time.monotonic() + 10 * heartbeat.INTERVAL_SECONDS
    while time.monotonic() < deadline:
        [alarm] = cloudwatch.describe_alarms(AlarmNames=["thrower-errors"])["MetricAlarms"]
        if alarm["StateValue"] == "ALARM":
            return
        time.sleep(0.1)
    pytest.fail("nobody evaluated the alarm")


def test_it_ends_when_the_engine_has_gone_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """One answer in between starts the count anew."""
    answers = iter([False] * (heartbeat.MISSES_BEFORE_END - 1) + [True] + [False] * heartbeat.MISSES_BEFORE_END)
    naps: list[float] = []

    class CloudWatch:
        def put_metric_data(self, **_: Any) -> None:
            if not next(answers):
                raise EndpointConnectionError(endpoint_url="https://127.0.0.1:1")

    monkeypatch.setattr("boto3.client", lambda *_, **__: CloudWatch())
    monkeypatch.setattr("time.sleep", naps.append)
    assert heartbeat.main() == 0
    assert len(naps) == 2 * heartbeat.MISSES_BEFORE_END
    assert next(answers, None) is None
