"""The alarms on Grace itself. They go to people, through the topic `grace-notify`."""

from __future__ import annotations

from aws_cdk import (
    Duration,
)
from aws_cdk import (
    aws_cloudwatch as cloudwatch,
)
from aws_cdk import (
    aws_cloudwatch_actions as actions,
)
from aws_cdk import (
    aws_lambda as lambda_,
)
from aws_cdk import (
    aws_sns as sns,
)
from aws_cdk import (
    aws_sqs as sqs,
)
from constructs import Construct

from grace.model.metric import Metric
from grace.telemetry import NAMESPACE
from infra.constructs.names import Names

SERVICE = "grace"
"""The one dimension of our metrics: every door counts under the same name, so each metric is one series."""

PARTS = ("safe-hold", "alerts-dead", "wakeups-dead", "reap-errors", "reap-failures", "reap-silent")


def alarm_names(names: Names) -> list[str]:
    """Return the names of every alarm here; the intake leaves them out."""
    return [names.of(part) for part in PARTS]


def _ours(metric: Metric) -> cloudwatch.Metric:
    """Return one of our own metrics, summed by the minute."""
    return cloudwatch.Metric(
        namespace=NAMESPACE,
        metric_name=metric.value,
        dimensions_map={"service": SERVICE},
        statistic="Sum",
        period=Duration.minutes(1),
    )


class Watch(Construct):
    """Safe-hold, both dead-letter queues, and the sweep: that it fails, and that it is silent."""

    def __init__(
        self,
        scope: Construct,
        *,
        names: Names,
        notify: sns.ITopic,
        alerts_dead: sqs.IQueue,
        wakeups_dead: sqs.IQueue,
        reap: lambda_.IFunction,
        reap_minutes: int,
    ) -> None:
        super().__init__(scope, "Watch")
        self.names = names
        self.notify = notify
        every = Duration.minutes(reap_minutes)
        for part, metric, about in (
            (
                "safe-hold",
                Metric.SAFE_HOLDS,
                "A resource could not be put back: nobody acts on it until it is released",
            ),
            ("reap-failures", Metric.REAP_FAILURES, "The sweep found something it could not mend"),
        ):
            self._above_zero(part, _ours(metric), about)
        for part, queue, about in (
            ("alerts-dead", alerts_dead, "Alerts could not be taken in"),
            ("wakeups-dead", wakeups_dead, "Workflows could not be told of a decision; the sweep will"),
        ):
            depth = queue.metric_approximate_number_of_messages_visible(period=Duration.minutes(1), statistic="Maximum")
            self._above_zero(part, depth, about)
        self._above_zero("reap-errors", reap.metric_errors(period=every), "The sweep fails: stuck contracts stay stuck")
        self._alarm(
            "reap-silent",
            reap.metric_invocations(period=every),
            "The sweep does not run: nobody finds what got stuck",
            threshold=1,
            comparison=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            periods=3,
            missing=cloudwatch.TreatMissingData.BREACHING,
        )

    def _above_zero(self, part: str, metric: cloudwatch.IMetric, about: str) -> None:
        self._alarm(
            part,
            metric,
            about,
            threshold=0,
            comparison=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            periods=1,
            missing=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    def _alarm(
        self,
        part: str,
        metric: cloudwatch.IMetric,
        about: str,
        *,
        threshold: float,
        comparison: cloudwatch.ComparisonOperator,
        periods: int,
        missing: cloudwatch.TreatMissingData,
    ) -> None:
        alarm = cloudwatch.Alarm(
            self,
            part.title().replace("-", ""),
            alarm_name=self.names.of(part),
            alarm_description=about,
            metric=metric,
            threshold=threshold,
            comparison_operator=comparison,
            evaluation_periods=periods,
            treat_missing_data=missing,
        )
        alarm.add_alarm_action(actions.SnsAction(self.notify))
        alarm.add_ok_action(actions.SnsAction(self.notify))
