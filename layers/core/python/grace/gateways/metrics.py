"""Plain series of CloudWatch, as published: no expressions, because ratios, gaps and alignment are ours to decide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from grace.errors import AccessDenied, Unavailable
from grace.model.signal import MetricRef, SeriesKey
from grace.ports import Aws, SeriesRequest

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

        Raises:
            AccessDenied: CloudWatch may not read a series.
            Unavailable: CloudWatch reports an internal error for a series; its part of the answer cannot be trusted.
        """
        if not requests:
            return []
        wanted = {request.metric.key: request.metric for request in requests}
        found: dict[SeriesKey, dict[int, float]] = {key: {} for key in wanted}
        start, end = min(request.start for request in requests), max(request.end for request in requests)
        keys = list(wanted)
        for first in range(0, len(keys), QUERIES_PER_CALL):
            chunk = keys[first : first + QUERIES_PER_CALL]
            queries = [_query(number, wanted[key]) for number, key in enumerate(chunk)]
            for result in self._results(queries, start, end):
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
