"""A CloudWatch alarm's change of state, by each of the three roads it may take.

EventBridge ("CloudWatch Alarm State Change"), SNS (wrapped or raw) and a direct Lambda alarm action carry the same
transition in three shapes. All three become the same Signal, fingerprint included: alarm ARN, state, and the time of
the state change in milliseconds. Shapes: CloudWatch user guide, "Alarm events and EventBridge", "Invoke a Lambda
function from an alarm", "Notifying users on alarm changes".
"""

from __future__ import annotations

import math
import re
from datetime import datetime
from typing import NamedTuple

from pydantic import ValidationError

from grace.errors import InvalidSignal
from grace.model.signal import MetricRef, Severity, Signal, SignalState
from grace.signals import subjects
from grace.signals.building import build, first_problem
from grace.signals.reading import Fields, clean_name

SOURCE = "aws.cloudwatch"

_ALARM_ARN = re.compile(
    r"arn:(aws[a-z-]*):cloudwatch:([a-z]{2}(?:-[a-z]+)+-[0-9]):([0-9]{12}):alarm:(.{1,255})", re.DOTALL
)
_TOPIC_ARN = re.compile(r"arn:(aws[a-z-]*):sns:([a-z]{2}(?:-[a-z]+)+-[0-9]):[0-9]{12}:[A-Za-z0-9_.-]{1,256}")
_STATS = {
    "SAMPLECOUNT": "SampleCount",
    "SAMPLE_COUNT": "SampleCount",
    "AVERAGE": "Average",
    "SUM": "Sum",
    "MINIMUM": "Minimum",
    "MAXIMUM": "Maximum",
}

# The reason is CloudWatch's own sentence, for example: Threshold Crossed: 1 out of the last 1 datapoints
# [99.5 (02/10/19 16:59:00)] was greater than the threshold (50.0) (minimum 1 datapoint for OK -> ALARM transition).
_NUMBER = r"(-?[0-9]+(?:\.[0-9]+)?(?:E-?[0-9]+)?)"
_OBSERVED = re.compile(r"\[" + _NUMBER + r" \([0-9]{2}/[0-9]{2}/[0-9]{2} ")
_THRESHOLD = re.compile(r"(greater|less) than (or equal to )?the threshold \(" + _NUMBER + r"\)")


class _Measure(NamedTuple):
    """What an alarm watches. `plain` is false for metric math, whose value is not that of the series named."""

    metric: MetricRef | None = None
    plain: bool = True
    threshold: float | None = None
    comparison: str | None = None


def from_eventbridge(event: Fields) -> Signal:
    """Return the Signal of an EventBridge event "CloudWatch Alarm State Change"."""
    detail = event.below("detail")
    arns = event.array("resources")
    if not arns or not isinstance(arns[0], str):
        raise event.wrong("resources", "must begin with the alarm's ARN")
    measure = _measure_of(detail.maybe_below("configuration").objects("metrics"))
    signal = _signal(
        arn=arns[0],
        where="resources[0]",
        state=_state(detail.below("state"), "value"),
        at=detail.below("state").instant("timestamp"),
        reason=detail.below("state").prose("reason"),
        measure=measure,
    )
    return _consistent(signal, event, "account", "region")


def from_direct_action(event: Fields) -> Signal:
    """Return the Signal of a payload an alarm sends when it invokes a Lambda function itself."""
    data = event.below("alarmData")
    signal = _signal(
        arn=event.text("alarmArn"),
        where="alarmArn",
        state=_state(data.below("state"), "value"),
        at=data.below("state").instant("timestamp"),
        reason=data.below("state").prose("reason"),
        measure=_measure_of(data.maybe_below("configuration").objects("metrics")),
    )
    return _consistent(signal, event, "accountId", "region")


def from_sns(message: Fields, topic: str | None) -> Signal:
    """Return the Signal of the message an alarm publishes to SNS.

    Old messages lack the ARN; then the topic's region, or a region's code in `Region`, stands in for it. `topic` is
    None for raw delivery.
    """
    arn, where = message.maybe("AlarmArn"), "AlarmArn"
    if not arn:
        partition, region = _topic(topic) if topic else ("aws", message.region("Region"))
        name = message.text("AlarmName")
        arn, where = f"arn:{partition}:cloudwatch:{region}:{message.account('AWSAccountId')}:alarm:{name}", "AlarmName"
    signal = _signal(
        arn=arn,
        where=where,
        state=_state(message, "NewStateValue"),
        at=message.instant("StateChangeTime"),
        reason=message.prose("NewStateReason"),
        measure=_measure_of_trigger(message.maybe_below("Trigger")),
    )
    return _consistent(signal, message, "AWSAccountId", None)


def from_description(
    *, arn: str, state: SignalState, at: datetime, metric: MetricRef | None, threshold: float | None, comparison: str
) -> Signal:
    """Return the Signal of an alarm as DescribeAlarms shows it: the same, fingerprint included, as its event's."""
    return _signal(
        arn=arn,
        where="AlarmArn",
        state=state,
        at=at,
        reason="",
        measure=_Measure(metric=metric, threshold=threshold, comparison=comparison or None, plain=metric is not None),
    )


def _signal(
    *,
    arn: str,
    where: str,
    state: SignalState,
    at: datetime,
    reason: str,
    measure: _Measure,
) -> Signal:
    partition, region, account, name = _parts(arn, where)
    metric = measure.metric
    measure = _completed(measure, reason)
    trouble = subjects.alarm_class(metric.name, measure.comparison) if metric else "composite"
    observed = _OBSERVED.search(reason) if metric and measure.plain else None
    return build(
        subject=arn,
        state_word=state.value,
        at=at,
        source=SOURCE,
        kind="alarm",
        name=name,
        account=account,
        region=region,
        service=subjects.service(metric) if metric else f"alarm/{name}"[:256],
        alarm_class=trouble,
        state=state,
        severity=_severity(name, state, trouble),
        metric=metric,
        observed=_finite(observed.group(1)) if observed else None,
        threshold=measure.threshold,
        comparison=measure.comparison,
        resources=subjects.resources(metric, partition, region, account) if metric else (),
        message=reason,
    )


def _severity(name: str, state: SignalState, trouble: str) -> Severity:
    # A target-tracking policy's own alarms are its input, on most of the day; Auto Scaling reserves the prefix.
    if state is not SignalState.ALARM or name.startswith("TargetTracking-"):
        return Severity.INFO
    return subjects.severity(trouble)


def _parts(arn: str, where: str) -> tuple[str, str, str, str]:
    found = _ALARM_ARN.fullmatch(arn)
    if not found or clean_name(found.group(4), where) != found.group(4):
        raise Fields({}).wrong(
            where, "must be an alarm's ARN such as arn:aws:cloudwatch:eu-central-1:111122223333:alarm:shop"
        )
    partition, region, account, name = found.groups()
    return partition, region, account, name


def _topic(arn: str) -> tuple[str, str]:
    found = _TOPIC_ARN.fullmatch(arn)
    if not found:
        raise InvalidSignal("TopicArn", "must be a topic's ARN such as arn:aws:sns:eu-central-1:111122223333:alarms")
    return found.group(1), found.group(2)


def _consistent(signal: Signal, event: Fields, account: str, region: str | None) -> Signal:
    """Refuse an alarm whose ARN says other than its envelope: one of the two is not true."""
    if event.account(account) != signal.account:
        raise event.wrong(account, "is another account than the alarm's ARN names")
    if region and event.region(region) != signal.region:
        raise event.wrong(region, "is another region than the alarm's ARN names")
    return signal


def _state(fields: Fields, name: str) -> SignalState:
    value = fields.text(name)
    if value not in ("ALARM", "OK", "INSUFFICIENT_DATA"):
        raise fields.wrong(name, "must be ALARM, OK or INSUFFICIENT_DATA")
    return SignalState(value)


def _measure_of(metrics: list[Fields]) -> _Measure:
    """Return what EventBridge's or the direct action's `configuration.metrics` watches."""
    series = [metric.below("metricStat") for metric in metrics if metric.values.get("metricStat") is not None]
    if not series:
        return _Measure()
    timing, first = series[0], series[0].below("metric")
    dimensions = first.maybe_below("dimensions")
    metric = _metric(
        first.name("namespace"),
        first.name("name"),
        stat=timing.name("stat"),
        period=_seconds(timing, "period"),
        dimensions={clean_name(name, dimensions.path): dimensions.name(name) for name in dimensions.values},
    )
    return _Measure(metric=metric, plain=len(series) == len(metrics))


def _measure_of_trigger(trigger: Fields) -> _Measure:
    """Return what the `Trigger` of an SNS message watches: one metric, or a list with metric math."""
    comparison = trigger.code("ComparisonOperator") if trigger.maybe("ComparisonOperator") else None
    measure = _Measure(threshold=trigger.number("Threshold"), comparison=comparison)
    if trigger.maybe("MetricName"):
        stat = trigger.name("ExtendedStatistic" if trigger.maybe("ExtendedStatistic") else "Statistic")
        return measure._replace(metric=_metric_of(trigger, trigger, stat))
    metrics = trigger.objects("Metrics")
    series = [metric.below("MetricStat") for metric in metrics if metric.values.get("MetricStat") is not None]
    if not series:
        return measure
    metric = _metric_of(series[0].below("Metric"), series[0], series[0].name("Stat"))
    return measure._replace(metric=metric, plain=len(series) == len(metrics))


def _metric_of(named: Fields, timing: Fields, stat: str) -> MetricRef:
    return _metric(
        named.name("Namespace"),
        named.name("MetricName"),
        stat=stat,
        period=_seconds(timing, "Period"),
        dimensions=_named(named.objects("Dimensions")),
    )


def _named(dimensions: list[Fields]) -> dict[str, str]:
    # CloudWatch writes `name` and `value` in SNS messages, and `Name` and `Value` everywhere else.
    keys = ("name", "value") if any("name" in fields.values for fields in dimensions) else ("Name", "Value")
    return {fields.name(keys[0]): fields.name(keys[1]) for fields in dimensions}


def _seconds(timing: Fields, key: str) -> int:
    period = timing.number(key)
    if period is None or not period.is_integer() or not 1 <= period <= 86400:
        raise timing.wrong(key, "must be a whole number of seconds from 1 to 86400")
    return int(period)


def _metric(namespace: str, name: str, *, stat: str, period: int, dimensions: dict[str, str]) -> MetricRef:
    try:
        return MetricRef(
            namespace=namespace,
            name=name,
            stat=_STATS.get(stat.upper(), stat),
            period=period,
            dimensions=dict(sorted(dimensions.items())),
        )
    except ValidationError as exc:
        raise first_problem(exc, "metric") from exc


def _finite(digits: str) -> float | None:
    value = float(digits)
    return value if math.isfinite(value) else None


def _completed(measure: _Measure, reason: str) -> _Measure:
    """Fill in threshold and comparison from the reason; the EventBridge and direct shapes have them nowhere else."""
    found = _THRESHOLD.search(reason)
    if not found:
        return measure
    direction, equal, threshold = found.groups()
    comparison = f"{direction.capitalize()}Than{'OrEqualTo' if equal else ''}Threshold"
    return measure._replace(
        threshold=measure.threshold if measure.threshold is not None else _finite(threshold),
        comparison=measure.comparison or comparison,
    )
