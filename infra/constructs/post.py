"""Our mail: the configuration set every letter leaves through, and what tells us that one did not arrive."""

from __future__ import annotations

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
    aws_lambda as lambda_,
)
from aws_cdk import (
    aws_ses as ses,
)
from aws_cdk import (
    aws_sqs as sqs,
)
from constructs import Construct

from infra.constructs.names import Names

RETURNED = ("Email Bounced", "Email Complaint Received", "Email Rejected")
MAX_EVENT_AGE = Duration.hours(1)
"""Later nobody waits for the answer any more."""


class Post(Construct):
    """A configuration set without tracking, over TLS only; its bounces and complaints reach the door `ask` at once."""

    def __init__(self, scope: Construct, *, names: Names, ask: lambda_.IFunction, dead: sqs.IQueue) -> None:
        super().__init__(scope, "Post")
        # No destination takes opens or clicks, so nothing in a letter is rewritten; insights are off as well.
        configuration = ses.CfnConfigurationSet(
            self,
            "Configuration",
            name=names.prefix,
            delivery_options=ses.CfnConfigurationSet.DeliveryOptionsProperty(tls_policy="REQUIRE"),
            reputation_options=ses.CfnConfigurationSet.ReputationOptionsProperty(reputation_metrics_enabled=False),
            suppression_options=ses.CfnConfigurationSet.SuppressionOptionsProperty(
                suppressed_reasons=["BOUNCE", "COMPLAINT"]
            ),
            vdm_options=ses.CfnConfigurationSet.VdmOptionsProperty(
                dashboard_options=ses.CfnConfigurationSet.DashboardOptionsProperty(engagement_metrics="DISABLED"),
                guardian_options=ses.CfnConfigurationSet.GuardianOptionsProperty(optimized_shared_delivery="DISABLED"),
            ),
        )
        returned = ses.CfnConfigurationSetEventDestination(
            self,
            "Returned",
            configuration_set_name=names.prefix,
            event_destination=ses.CfnConfigurationSetEventDestination.EventDestinationProperty(
                name="returned",
                enabled=True,
                matching_event_types=["bounce", "complaint", "reject"],
                event_bridge_destination=ses.CfnConfigurationSetEventDestination.EventBridgeDestinationProperty(
                    # SES speaks to the default bus alone.
                    event_bus_arn=f"arn:{Aws.PARTITION}:events:{Aws.REGION}:{Aws.ACCOUNT_ID}:event-bus/default"
                ),
            ),
        )
        returned.node.add_dependency(configuration)
        events.Rule(
            self,
            "ReturnedRule",
            description="Grace: approval mail that did not arrive",
            event_pattern=events.EventPattern(
                source=["aws.ses"],
                detail_type=list(RETURNED),
                detail={"mail": {"tags": {"ses:configuration-set": [names.prefix]}}},
            ),
            targets=[
                targets.LambdaFunction(ask, dead_letter_queue=dead, retry_attempts=10, max_event_age=MAX_EVENT_AGE)
            ],
        )
