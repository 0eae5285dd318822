"""Percentiles and series as the probes ask for them, from an engine that computes them: moto does not."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from grace.gateways.aws import BotoAws
from grace.gateways.metrics import CloudWatchMetrics
from grace.model.signal import MetricRef
from grace.ports import SeriesRequest

PERIOD = 10
VALUES = [float(n) for n in range(1, 101)]
DIMENSIONS = {"FunctionName": "shop", "Resource": "shop:live"}


class _Sessions:
    """The SDK's session over the engine's clients, as `BotoAws` takes it."""

    def __init__(self, aws: Callable[[str], Any]) -> None:
        self._aws = aws

    def client(self, service: str, **_: Any) -> Any:
        return self._aws(service)


@pytest.mark.engine
@pytest.mark.parametrize(("stat", "expected"), [("p95", 95.0), ("p50", 50.0), ("Average", 50.5), ("Maximum", 100.0)])
def test_a_statistic_is_that_of_the_values_published(aws: Callable[[str], Any], stat: str, expected: float) -> None:
    start = int(time.time()) // PERIOD * PERIOD - 6 * PERIOD
    namespace = f"Measures/{stat}"
    aws("cloudwatch").put_metric_data(
        Namespace=namespace,
        MetricData=[
            {
                "MetricName": "Duration",
                "Dimensions": [{"Name": key, "Value": value} for key, value in DIMENSIONS.items()],
                "Timestamp": datetime.fromtimestamp(start + 1, UTC),
                "Value": value,
                "StorageResolution": 1,
            }
            for value in VALUES
        ],
    )
    metric = MetricRef(namespace=namespace, name="Duration", stat=stat, period=PERIOD, dimensions=DIMENSIONS)

    [points] = CloudWatchMetrics(BotoAws(_Sessions(aws))).fetch([SeriesRequest(metric, start - PERIOD, start + PERIOD)])

    [(at, value)] = points
    assert at == start
    assert value == pytest.approx(expected, abs=1.0)
