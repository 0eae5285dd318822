"""Plain series of CloudWatch, as published: no expressions, because ratios, gaps and alignment are ours to decide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from math import lcm
from typing import Any

from grace.errors import AccessDenied, Unavailable
from grace.model.signal import MetricRef, SeriesKey
from grace.ports import Aws, SeriesRequest

MINUTE = 60
QUERIES_PER_CALL = 500
"""What one GetMetricData may ask (CloudWatch API reference)."""

Points = list[tuple[int, float]]


class CloudWatchMetrics:
    """`ports.Metrics` over GetMetricData."""

    def __init__(self, aws: Aws) -> None:
        """Keep the port; nothing is called."""
        self._aws = aws

    def fetch(self, requests: Sequence[SeriesRequest]) -> list[Points]:
        """Return per request its points, ascending, `start <= second < end`.

        The same series over two windows is asked once, over both: CloudWatch bills by the series, not by the point.
        Series of less than a minute are asked apart, each window for itself: a start of three hours ago or more costs
        them the points of the whole time asked for.

        Raises:
            AccessDenied: CloudWatch may not read a series.
            Unavailable: CloudWatch reports an internal error for a series; its part of the answer cannot be trusted.
        """
        found: dict[SeriesKey, dict[int, float]] = {request.metric.key: {} for request in requests}
        for span, metrics in _calls(requests):
            keys = list(metrics)
            for first in range(0, len(keys), QUERIES_PER_CALL):
                chunk = keys[first : first + QUERIES_PER_CALL]
                queries = [_query(number, metrics[key]) for number, key in enumerate(chunk)]
                for result in self._results(queries, *span):
                    _refuse_broken(result)
                    points = found[chunk[int(result["Id"][1:])]]
                    for at, value in zip(result["Timestamps"], result["Values"], strict=True):
                        points[int(at.timestamp())] = float(value)
        return [
            sorted((at, value) for at, value in found[r.metric.key].items() if r.start <= at < r.end) for r in requests
        ]

    def _results(self, queries: list[dict[str, Any]], start: int, end: int) -> Iterator[dict[str, Any]]:
        arguments: dict[str, Any] = {
            "MetricDataQueries": queries,
            "StartTime": datetime.fromtimestamp(start, UTC),
            "EndTime": datetime.fromtimestamp(end, UTC),
            "ScanBy": "TimestampAscending",
        }
        while True:
            answer = self._aws.call("cloudwatch", "get_metric_data", **arguments)
            yield from answer["MetricDataResults"]
            if not answer.get("NextToken"):
                return
            arguments["NextToken"] = answer["NextToken"]


def _calls(requests: Sequence[SeriesRequest]) -> Iterator[tuple[tuple[int, int], dict[SeriesKey, MetricRef]]]:
    """Which series are asked together, and from when to when.

    CloudWatch counts periods from the start it is given, so that one is on the grid of every period asked for: it is
    moved to an earlier multiple of them all.
    """
    long = [request for request in requests if request.metric.period >= MINUTE]
    if long:
        grid = lcm(*{request.metric.period for request in long})
        start = min(request.start for request in long)
        span = (start - start % grid, max(request.end for request in long))
        yield span, {request.metric.key: request.metric for request in long}
    short: dict[tuple[int, int], dict[SeriesKey, MetricRef]] = {}
    for request in requests:
        if request.metric.period < MINUTE:
            start = request.start - request.start % request.metric.period
            short.setdefault((start, request.end), {})[request.metric.key] = request.metric
    yield from short.items()


def _query(number: int, metric: MetricRef) -> dict[str, Any]:
    dimensions = [{"Name": name, "Value": value} for name, value in sorted(metric.dimensions.items())]
    return {
        "Id": f"m{number}",
        "MetricStat": {
            "Metric": {"Namespace": metric.namespace, "MetricName": metric.name, "Dimensions": dimensions},
            "Period": metric.period,
            "Stat": metric.stat,
        },
    }


def _refuse_broken(result: dict[str, Any]) -> None:
    status = result.get("StatusCode", "Complete")
    if status == "Forbidden":
        raise AccessDenied(f"cloudwatch.get_metric_data: {result.get('Label', 'a series')} may not be read")
    if status == "InternalError":
        raise Unavailable(f"cloudwatch.get_metric_data: internal error for {result.get('Label', 'a series')}")
