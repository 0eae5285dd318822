"""Time, series and alarms: the real body and the in-memory one of each port, under the same promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from grace.errors import (
    AccessDenied,
    Unavailable,
)
from grace.gateways.alarms import CloudWatchAlarms
from grace.gateways.aws import BotoAws
from grace.gateways.clock import SystemClock
from grace.gateways.memory import (
    MemoryAlarms,
    MemoryAws,
    MemoryClock,
    MemoryMetrics,
)
from grace.gateways.metrics import QUERIES_PER_CALL, CloudWatchMetrics
from grace.model.signal import MetricRef
from grace.ports import AlarmFacts, SeriesRequest

REGION = "eu-central-1"
ACCOUNT = "123456789012"
LATENCY = MetricRef(namespace="Shop", name="Latency", stat="Average", period=60, dimensions={"Service": "cart"})
ERRORS = MetricRef(namespace="Shop", name="Errors", stat="Sum", period=60)


@pytest.fixture
def aws() -> Iterator[BotoAws]:
    with mock_aws():
        yield BotoAws(boto3.Session(region_name=REGION))


# clock


@pytest.mark.parametrize("clock", [SystemClock(), MemoryClock()])
def test_the_present_has_its_zone(clock: Any) -> None:
    assert clock.now().utcoffset() == timedelta(0)


def test_a_memory_clock_moves_only_when_told() -> None:
    clock = MemoryClock()
    first = clock.now()
    assert clock.now() == first
    clock.advance(90)
    assert clock.now() == first + timedelta(seconds=90)


# metrics

Put = Callable[[MetricRef, list[tuple[int, float]]], None]
START = int(datetime.now(UTC).timestamp()) // 60 * 60 - 1800


@pytest.fixture(params=["memory", "cloudwatch"])
def metrics(request: pytest.FixtureRequest, aws: BotoAws) -> tuple[Any, Put]:
    if request.param == "memory":
        memory = MemoryMetrics()
        return memory, memory.put

    def put(metric: MetricRef, points: list[tuple[int, float]]) -> None:
        for at, value in points:
            dimensions = [{"Name": name, "Value": text} for name, text in metric.dimensions.items()]
            datum = {
                "MetricName": metric.name,
                "Dimensions": dimensions,
                "Timestamp": datetime.fromtimestamp(at, UTC),
                "Value": value,
            }
            aws.call("cloudwatch", "put_metric_data", Namespace=metric.namespace, MetricData=[datum])

    return CloudWatchMetrics(aws), put


def test_each_request_gets_its_own_window_ascending_end_not_included(metrics: tuple[Any, Put]) -> None:
    port, put = metrics
    put(LATENCY, [(START + 120, 3.0), (START, 1.0), (START + 60, 2.0)])
    put(ERRORS, [(START + 60, 7.0)])
    found = port.fetch(
        [
            SeriesRequest(LATENCY, START, START + 120),
            SeriesRequest(ERRORS, START, START + 600),
            SeriesRequest(LATENCY, START + 120, START + 600),
            SeriesRequest(MetricRef(namespace="Shop", name="Nothing", stat="Sum", period=60), START, START + 600),
        ]
    )
    assert found == [
        [(START, 1.0), (START + 60, 2.0)],
        [(START + 60, 7.0)],
        [(START + 120, 3.0)],
        [],
    ]


def test_another_dimension_is_another_series(metrics: tuple[Any, Put]) -> None:
    port, put = metrics
    put(LATENCY, [(START, 1.0)])
    other = LATENCY.model_copy(update={"dimensions": {"Service": "search"}})
    assert port.fetch([SeriesRequest(other, START, START + 60)]) == [[]]


def test_nothing_asked_is_no_call(metrics: tuple[Any, Put]) -> None:
    assert metrics[0].fetch([]) == []
    assert CloudWatchMetrics(MemoryAws()).fetch([]) == []


def pages(*answers: dict[str, Any]) -> MemoryAws:
    left = list(answers)
    return MemoryAws({("cloudwatch", "get_metric_data"): lambda **_: left.pop(0)})


def at(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


def test_all_series_are_one_call_and_a_series_over_two_windows_is_one_query() -> None:
    aws = pages({"MetricDataResults": []})
    CloudWatchMetrics(aws).fetch(
        [
            SeriesRequest(LATENCY, 600, 1200),
            SeriesRequest(LATENCY, 6000, 7200),
            SeriesRequest(ERRORS, 6000, 7200),
        ]
    )
    [(_, _, arguments)] = aws.calls
    assert len(arguments["MetricDataQueries"]) == 2
    assert (arguments["StartTime"], arguments["EndTime"]) == (at(600), at(7200))
    assert arguments["ScanBy"] == "TimestampAscending"
    assert all(set(query) == {"Id", "MetricStat"} for query in arguments["MetricDataQueries"])


def test_periods_are_counted_from_a_start_that_is_on_the_grid_of_all_of_them() -> None:
    """CloudWatch begins its periods at the start it is given: from 12:03:20 on, a five-minute sum is of no five minutes
    that anybody else means.
    """
    aws = pages({"MetricDataResults": []})
    long = ERRORS.model_copy(update={"period": 300})
    CloudWatchMetrics(aws).fetch([SeriesRequest(LATENCY, 1000, 2000), SeriesRequest(long, 1100, 2100)])
    [(_, _, arguments)] = aws.calls
    assert (arguments["StartTime"], arguments["EndTime"]) == (at(900), at(2100))


def test_series_of_less_than_a_minute_are_asked_apart_and_each_window_for_itself() -> None:
    """From a start of three hours ago CloudWatch gives no such point at all, also none of the last minutes."""
    aws = pages({"MetricDataResults": []}, {"MetricDataResults": []}, {"MetricDataResults": []})
    short = LATENCY.model_copy(update={"period": 10})
    CloudWatchMetrics(aws).fetch(
        [
            SeriesRequest(short, 20_005, 20_100),
            SeriesRequest(LATENCY, 600, 20_100),
            SeriesRequest(short, 605, 1200),
        ]
    )
    spans = [(arguments["StartTime"], arguments["EndTime"]) for _, _, arguments in aws.calls]
    assert spans == [(at(600), at(20_100)), (at(20_000), at(20_100)), (at(600), at(1200))]
    periods = [[q["MetricStat"]["Period"] for q in arguments["MetricDataQueries"]] for _, _, arguments in aws.calls]
    assert periods == [[60], [10], [10]]


def test_pages_are_put_together() -> None:
    aws = pages(
        {"MetricDataResults": [{"Id": "m0", "Timestamps": [at(60)], "Values": [1.0], "StatusCode": "PartialData"}],
         "NextToken": "more"},
        {"MetricDataResults": [{"Id": "m0", "Timestamps": [at(120)], "Values": [2.0], "StatusCode": "Complete"}]},
    )  # fmt: skip
    assert CloudWatchMetrics(aws).fetch([SeriesRequest(LATENCY, 0, 600)]) == [[(60, 1.0), (120, 2.0)]]
    assert aws.calls[1][2]["NextToken"] == "more"


def test_more_series_than_a_call_may_ask_are_asked_in_several() -> None:
    aws = pages({"MetricDataResults": []}, {"MetricDataResults": [{"Id": "m0", "Timestamps": [at(60)], "Values": [5]}]})
    many = [LATENCY.model_copy(update={"name": f"L{n}"}) for n in range(QUERIES_PER_CALL + 1)]
    found = CloudWatchMetrics(aws).fetch([SeriesRequest(metric, 0, 600) for metric in many])
    assert [len(call[2]["MetricDataQueries"]) for call in aws.calls] == [QUERIES_PER_CALL, 1]
    assert found[-1] == [(60, 5.0)]


@pytest.mark.parametrize(("status", "error"), [("Forbidden", AccessDenied), ("InternalError", Unavailable)])
def test_a_broken_series_is_an_error_and_never_an_empty_one(status: str, error: type[Exception]) -> None:
    aws = pages({"MetricDataResults": [{"Id": "m0", "Timestamps": [], "Values": [], "StatusCode": status}]})
    with pytest.raises(error):
        CloudWatchMetrics(aws).fetch([SeriesRequest(LATENCY, 0, 600)])


# alarms


def facts(name: str, state: str) -> AlarmFacts:
    return AlarmFacts(
        arn=f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}",
        name=name,
        state=state,
        changed_at=datetime(2026, 1, 31, tzinfo=UTC),
        metric=LATENCY,
        threshold=0.5,
        comparison="GreaterThanThreshold",
        evaluation_periods=3,
        datapoints_to_alarm=2,
        treat_missing="notBreaching",
    )


@pytest.fixture(params=["memory", "cloudwatch"])
def alarms(request: pytest.FixtureRequest, aws: BotoAws) -> Any:
    if request.param == "memory":
        return MemoryAlarms([facts("slow", "ALARM"), facts("fine", "OK")])
    for name, state in (("slow", "ALARM"), ("fine", "OK")):
        aws.call(
            "cloudwatch",
            "put_metric_alarm",
            AlarmName=name,
            Namespace="Shop",
            MetricName="Latency",
            Dimensions=[{"Name": "Service", "Value": "cart"}],
            Statistic="Average",
            Period=60,
            Threshold=0.5,
            ComparisonOperator="GreaterThanThreshold",
            EvaluationPeriods=3,
            DatapointsToAlarm=2,
            TreatMissingData="notBreaching",
        )
        aws.call("cloudwatch", "set_alarm_state", AlarmName=name, StateValue=state, StateReason="test")
    return CloudWatchAlarms(aws)


def test_an_alarm_is_found_by_name_and_by_arn(alarms: Any) -> None:
    found = alarms.describe("slow")
    assert (found.name, found.state, found.metric, found.threshold) == ("slow", "ALARM", LATENCY, 0.5)
    assert (found.evaluation_periods, found.datapoints_to_alarm, found.treat_missing) == (3, 2, "notBreaching")
    assert found.comparison == "GreaterThanThreshold"
    assert found.changed_at.tzinfo is not None
    assert alarms.describe(found.arn).name == "slow"
    assert alarms.describe("nobody") is None


def test_the_sweep_sees_what_is_in_alarm(alarms: Any) -> None:
    assert [alarm.name for alarm in alarms.in_alarm()] == ["slow"]


BARE: dict[str, Any] = {"AlarmArn": "a", "AlarmName": "n", "StateValue": "ALARM", "StateUpdatedTimestamp": at(60)}
STAT = {"Metric": {"Namespace": "Shop", "MetricName": "Errors"}, "Period": 60, "Stat": "Sum"}


@pytest.mark.parametrize(
    ("alarm", "metric"),
    [
        ({"Metrics": [{"Id": "m", "MetricStat": STAT}]}, ERRORS),
        ({"Metrics": [{"Id": "m", "MetricStat": STAT}, {"Id": "e", "Expression": "m*2"}]}, None),
        ({"Metrics": [{"Id": "e", "Expression": "SELECT 1"}]}, None),
        ({"Namespace": "Shop", "MetricName": "Errors", "ExtendedStatistic": "p95", "Period": 60},
         ERRORS.model_copy(update={"stat": "p95"})),
    ],
)  # fmt: skip
def test_only_one_plain_series_is_the_alarms_metric(alarm: dict[str, Any], metric: MetricRef | None) -> None:
    aws = MemoryAws({("cloudwatch", "describe_alarms"): lambda **_: {"MetricAlarms": [BARE | alarm]}})
    found = CloudWatchAlarms(aws).describe("n")
    assert found is not None
    assert found.metric == metric


def test_defaults_and_the_transition_time_are_cloudwatchs_own() -> None:
    alarm = BARE | {"EvaluationPeriods": 4, "StateTransitionedTimestamp": at(30)}
    aws = MemoryAws({("cloudwatch", "describe_alarms"): lambda **_: {"CompositeAlarms": [alarm]}})
    found = CloudWatchAlarms(aws).describe("n")
    assert found is not None
    assert (found.datapoints_to_alarm, found.treat_missing, found.changed_at) == (4, "missing", at(30))
    assert (found.metric, found.threshold) == (None, None)


def test_the_sweep_reads_every_page() -> None:
    left: list[dict[str, Any]] = [
        {"MetricAlarms": [BARE], "NextToken": "t"},
        {"MetricAlarms": [BARE | {"AlarmName": "second"}]},
    ]
    aws = MemoryAws({("cloudwatch", "describe_alarms"): lambda **_: left.pop(0)})
    assert [alarm.name for alarm in CloudWatchAlarms(aws).in_alarm()] == ["n", "second"]


def test_the_sweep_leaves_our_own_alarms_to_people() -> None:
    topic = "arn:aws:sns:eu-west-1:123456789012:grace-notify"
    ours = BARE | {"AlarmName": "grace-dead-letters", "AlarmActions": [topic]}
    aws = MemoryAws({("cloudwatch", "describe_alarms"): lambda **_: {"MetricAlarms": [BARE, ours]}})
    assert [alarm.name for alarm in CloudWatchAlarms(aws, topic).in_alarm()] == ["n"]
    assert [alarm.name for alarm in CloudWatchAlarms(aws).in_alarm()] == ["n", "grace-dead-letters"]
