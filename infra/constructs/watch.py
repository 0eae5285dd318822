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

FIVE_MINUTES = Duration.minutes(5)
AUDITED = Duration.minutes(15)
SERVICE = "grace"
"""The one dimension of our metrics: every door counts under the same name, so each metric is one series."""

PARTS = (
    "safe-hold",
    "alerts-dead",
    "wakeups-dead",
    "reap-errors",
    "reap-failures",
    "reap-silent",
    "log-errors",
    "log-silent",
    "audit-errors",
    "audit-silent",
)


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
    """Safe-hold, both dead-letter queues; of the sweep, the log and its verifier that one fails, and that it is silent."""

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
        integrate: lambda_.IFunction,
        audit: lambda_.IFunction,
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
        self._silent("reap-silent", reap, every, "The sweep does not run: nobody finds what got stuck", periods=3)
        self._alarm(
            "log-errors",
            integrate.metric_errors(period=FIVE_MINUTES),
            "The log is halted, or cannot be signed: what happens now is in no signed checkpoint",
            threshold=3,
            comparison=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            periods=1,
            missing=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        self._above_zero(
            "audit-errors", audit.metric_errors(period=FIVE_MINUTES), "The verifier found something, or could not look"
        )
        self._silent(
            "audit-silent",
            audit,
            AUDITED,
            "The verifier does not run: nobody would notice what happens to the log",
            periods=2,
        )
        self._silent("log-silent", integrate, FIVE_MINUTES, "The log is not integrated: nothing new is signed")

    def _silent(self, part: str, function: lambda_.IFunction, every: Duration, about: str, *, periods: int = 1) -> None:
        """Raise when a function has not run for so many periods; that nothing is known of it counts as silence."""
        self._alarm(
            part,
            function.metric_invocations(period=every),
            about,
            threshold=1,
            comparison=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            periods=periods,
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
