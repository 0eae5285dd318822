"""The alarms of the account and region."""

from __future__ import annotations

from typing import Any

from grace.model.signal import MetricRef
from grace.ports import AlarmFacts, Aws


class CloudWatchAlarms:
    """`ports.Alarms` over DescribeAlarms."""

    def __init__(self, aws: Aws, own_topic: str = "") -> None:
        """Keep the port, and the topic that our own alarms tell people by; nothing is called."""
        self._aws = aws
        self._own_topic = own_topic

    def describe(self, name: str) -> AlarmFacts | None:
        """Return the alarm with that name or ARN, or None. A composite alarm has no metric and no threshold."""
        _, _, after = name.partition(":alarm:")
        answer = self._aws.call(
            "cloudwatch",
            "describe_alarms",
            AlarmNames=[after or name],
            AlarmTypes=["MetricAlarm", "CompositeAlarm"],
        )
        found = [*answer.get("MetricAlarms", []), *answer.get("CompositeAlarms", [])]
        return _facts(found[0]) if found else None

    def in_alarm(self) -> list[AlarmFacts]:
        """Return every metric alarm in state ALARM, but those that watch Grace itself: they are for people."""
        found: list[AlarmFacts] = []
        arguments: dict[str, Any] = {"StateValue": "ALARM", "AlarmTypes": ["MetricAlarm"], "MaxRecords": 100}
        while True:
            answer = self._aws.call("cloudwatch", "describe_alarms", **arguments)
            found.extend(_facts(alarm) for alarm in answer.get("MetricAlarms", []) if not self._ours(alarm))
            if not answer.get("NextToken"):
                return found
            arguments["NextToken"] = answer["NextToken"]

    def _ours(self, alarm: dict[str, Any]) -> bool:
        return bool(self._own_topic) and self._own_topic in alarm.get("AlarmActions", [])


def _facts(alarm: dict[str, Any]) -> AlarmFacts:
    periods = int(alarm.get("EvaluationPeriods", 1))
    return AlarmFacts(
        arn=alarm["AlarmArn"],
        name=alarm["AlarmName"],
        state=alarm["StateValue"],
        # The transition is what alerts report; the other time also moves when only the evaluation's own state does.
        changed_at=alarm.get("StateTransitionedTimestamp") or alarm["StateUpdatedTimestamp"],
        metric=_metric(alarm),
        threshold=alarm.get("Threshold"),
        comparison=alarm.get("ComparisonOperator", ""),
        evaluation_periods=periods,
        datapoints_to_alarm=int(alarm.get("DatapointsToAlarm") or periods),
        treat_missing=alarm.get("TreatMissingData") or "missing",
    )


def _metric(alarm: dict[str, Any]) -> MetricRef | None:
    """Return the alarm's one plain series; an alarm over an expression or several series has none."""
    if alarm.get("MetricName"):
        return MetricRef(
            namespace=alarm["Namespace"],
            name=alarm["MetricName"],
            stat=alarm.get("Statistic") or alarm["ExtendedStatistic"],
            period=alarm["Period"],
            dimensions=_dimensions(alarm),
        )
    queries = alarm.get("Metrics") or []
    if len(queries) != 1 or "MetricStat" not in queries[0]:
        return None
    stat = queries[0]["MetricStat"]
    return MetricRef(
        namespace=stat["Metric"]["Namespace"],
        name=stat["Metric"]["MetricName"],
        stat=stat["Stat"],
        period=stat["Period"],
        dimensions=_dimensions(stat["Metric"]),
    )


def _dimensions(holder: dict[str, Any]) -> dict[str, str]:
    return {dimension["Name"]: dimension["Value"] for dimension in holder.get("Dimensions") or []}
