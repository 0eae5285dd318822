"""How alerts come in: one queue behind EventBridge rules, our own bus and the topic for alarm actions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aws_cdk import (
    Aws,
    Duration,
)
from aws_cdk import (
    aws_events as events,
)
from aws_cdk import (
    aws_events_targets as targets,
)
from aws_cdk import (
    aws_iam as iam,
)
from aws_cdk import (
    aws_kms as kms,
)
from aws_cdk import (
    aws_sns as sns,
)
from aws_cdk import (
    aws_sns_subscriptions as subscriptions,
)
from aws_cdk import (
    aws_sqs as sqs,
)
from constructs import Construct

from grace.gateways.messages import SOURCE
from infra.constructs import nag
from infra.constructs.names import Names

MAX_RECEIVES = 5
RETRY_ATTEMPTS = 185
MAX_EVENT_AGE = Duration.hours(24)
"""EventBridge's longest; said aloud because a custom bus may have shorter defaults."""


def patterns(our_alarms: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the EventBridge patterns of the default bus by rule name.

    What is no trouble by its own words (an instance that starts, a task that runs) is left out here, where it costs
    nothing. So is an instance that is terminated: nobody does that by accident, groups do it all day (ours too, when a
    scale-out is put back), and where it is trouble another event says so: a launch that failed, Health, a status check.
    One that is stopped is still wanted by somebody and does no work. Alarms on Grace itself go to people, never back
    into Grace.
    """
    return {
        "Alarms": {
            "source": ["aws.cloudwatch"],
            "detail-type": ["CloudWatch Alarm State Change"],
            "detail": {
                "alarmName": [{"anything-but": list(our_alarms)}],
                "state": {"value": ["ALARM", "OK"]},
            },
        },
        "Health": {"source": ["aws.health"], "detail-type": ["AWS Health Event"]},
        "Instances": {
            "source": ["aws.ec2"],
            "detail-type": ["EC2 Instance State-change Notification"],
            "detail": {"state": ["stopped"]},
        },
        "Tasks": {
            "source": ["aws.ecs"],
            "detail-type": ["ECS Task State Change"],
            "detail": {"lastStatus": ["STOPPED"]},
        },
        "Services": {
            "source": ["aws.ecs"],
            "detail-type": ["ECS Service Action", "ECS Deployment State Change"],
            "detail": {"eventType": ["ERROR", "WARN"]},
        },
        "Databases": {
            "source": ["aws.rds"],
            "detail-type": ["RDS DB Instance Event", "RDS DB Cluster Event"],
            "detail": {"EventCategories": ["availability", "failover", "failure", "low storage"]},
        },
        "Scaling": {
            "source": ["aws.autoscaling"],
            "detail-type": [
                "EC2 Instance Launch Unsuccessful",
                "EC2 Instance Terminate Unsuccessful",
                "EC2 Auto Scaling Instance Refresh Failed",
                "EC2 Auto Scaling Instance Refresh Rollback Failed",
            ],
        },
    }


class Intake(Construct):
    """Queue, dead-letter queue, topic, bus and the rules between them."""

    def __init__(
        self,
        scope: Construct,
        *,
        names: Names,
        key: kms.IKey,
        our_alarms: Sequence[str],
        accounts: Sequence[str],
        visibility: Duration,
    ) -> None:
        super().__init__(scope, "Intake")
        self.dead = sqs.Queue(
            self,
            "DeadLetters",
            queue_name=names.of("alerts-dead"),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )
        nag.acknowledge(self.dead, nag.DEAD_LETTERS)
        self.queue = sqs.Queue(
            self,
            "Alerts",
            queue_name=names.of("alerts"),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(4),
            visibility_timeout=visibility,
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead, max_receive_count=MAX_RECEIVES),
        )
        self.topic = self._topic(names, key)
        self.bus = events.EventBus(self, "Bus", event_bus_name=names.prefix, description="What Grace says and hears")
        for account in accounts:
            self._admit(account)
        for name, pattern in patterns(our_alarms).items():
            self._rule(name, pattern, None)
        # Our own words never come back to us.
        reported = {"source": events.Match.anything_but(SOURCE), "detail-type": ["error.detected"]}
        self._rule("Reported", reported, self.bus)

    def _topic(self, names: Names, key: kms.IKey) -> sns.Topic:
        """The topic an alarm may name as its action; only alarms of this account may speak to it."""
        topic = sns.Topic(self, "Topic", topic_name=names.of("alarms"), master_key=key, enforce_ssl=True)
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsOfThisAccount",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={
                    "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID},
                    "ArnLike": {
                        "aws:SourceArn": f"arn:{Aws.PARTITION}:cloudwatch:{Aws.REGION}:{Aws.ACCOUNT_ID}:alarm:*"
                    },
                },
            )
        )
        topic.add_subscription(subscriptions.SqsSubscription(self.queue, dead_letter_queue=self.dead))
        return topic

    def _admit(self, account: str) -> None:
        """Let one other account put `error.detected` on our bus, and nothing else."""
        events.CfnEventBusPolicy(
            self,
            f"Admit{account}",
            event_bus_name=self.bus.event_bus_name,
            statement_id=f"Account{account}",
            statement={
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:{Aws.PARTITION}:iam::{account}:root"},
                "Action": "events:PutEvents",
                "Resource": self.bus.event_bus_arn,
                "Condition": {"StringEquals": {"events:detail-type": "error.detected"}},
            },
        )

    def _rule(self, name: str, pattern: dict[str, Any], bus: events.IEventBus | None) -> None:
        rule = events.Rule(
            self,
            f"{name}Rule",
            event_bus=bus,
            description=f"Grace: {name.lower()} to the alert queue",
            event_pattern=events.EventPattern(
                source=pattern["source"], detail_type=pattern["detail-type"], detail=pattern.get("detail")
            ),
        )
        rule.add_target(
            targets.SqsQueue(
                self.queue,
                dead_letter_queue=self.dead,
                retry_attempts=RETRY_ATTEMPTS,
                max_event_age=MAX_EVENT_AGE,
            )
        )
