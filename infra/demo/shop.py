"""The demo shop as a stack: a checkout behind an alias, a search, a supplier, a group of workers, and their alarms."""

from __future__ import annotations

from typing import Any

from aws_cdk import Aws, CfnOutput, Duration, Stack, Tags
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from grace.resources.base import OPT_IN_TAG
from infra.demo import facts


class ShopStack(Stack):
    """The shop. What Grace may touch carries the tag, and nothing else does: the supplier is somebody else's."""

    def __init__(self, scope: Construct, *, topic: str, **options: Any) -> None:
        """Make the shop; `topic` is the name of the topic its alarms speak to."""
        super().__init__(scope, facts.STACK, **options)
        checkout = self._function("Checkout", facts.CHECKOUT, "checkout", {})
        live = lambda_.Alias(self, "Live", alias_name=facts.ALIAS, version=checkout.current_version)
        search = self._function(
            "Search",
            facts.SEARCH,
            "search",
            {"CATALOGUE_MB": str(facts.CATALOGUE_MB)},
            memory=facts.SEARCH_MEMORY_MB,
        )
        self._function("Supplier", facts.SUPPLIER, "supplier", {"DELAY_MS": str(facts.SUPPLIER_MS)})
        workers = self._workers()
        for part in (checkout, search, workers):
            Tags.of(part).add(OPT_IN_TAG, "true")
        for alarm in facts.ALARMS:
            self._alarm(alarm, topic)
        for person in facts.people():
            self._role(person)
        CfnOutput(self, "LiveAlias", value=live.function_arn)

    def _function(
        self, title: str, name: str, module: str, environment: dict[str, str], memory: int = 128
    ) -> lambda_.Function:
        return lambda_.Function(
            self,
            title,
            function_name=name,
            runtime=lambda_.Runtime.PYTHON_3_13,
            handler=f"{module}.handler",
            code=lambda_.Code.from_asset(str(facts.CODE), exclude=["__pycache__"]),
            memory_size=memory,
            timeout=Duration.seconds(10),
            environment=environment,
        )

    def _workers(self) -> autoscaling.CfnAutoScalingGroup:
        template = ec2.CfnLaunchTemplate(
            self,
            "WorkerTemplate",
            launch_template_name=facts.WORKERS,
            launch_template_data=ec2.CfnLaunchTemplate.LaunchTemplateDataProperty(
                image_id="resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64",
                instance_type="t4g.nano",
            ),
        )
        return autoscaling.CfnAutoScalingGroup(
            self,
            "Workers",
            auto_scaling_group_name=facts.WORKERS,
            min_size="1",
            max_size=str(facts.GROUP_MAX),
            desired_capacity=str(facts.GROUP_SIZE),
            availability_zones=[f"{Aws.REGION}a"],
            launch_template=autoscaling.CfnAutoScalingGroup.LaunchTemplateSpecificationProperty(
                launch_template_id=template.ref, version=template.attr_latest_version_number
            ),
        )

    def _alarm(self, alarm: facts.ShopAlarm, topic: str) -> None:
        arn = f"arn:{Aws.PARTITION}:sns:{Aws.REGION}:{Aws.ACCOUNT_ID}:{topic}"
        cloudwatch.CfnAlarm(
            self,
            alarm.name.title().replace("-", ""),
            alarm_name=alarm.name,
            alarm_description=f"{alarm.metric} of {alarm.namespace} in {facts.PERIODS} periods of {facts.PERIOD} s",
            namespace=alarm.namespace,
            metric_name=alarm.metric,
            statistic=alarm.statistic,
            period=facts.PERIOD,
            evaluation_periods=facts.PERIODS,
            datapoints_to_alarm=facts.PERIODS,
            threshold=alarm.threshold,
            comparison_operator="GreaterThanThreshold",
            treat_missing_data="missing",
            dimensions=[
                cloudwatch.CfnAlarm.DimensionProperty(name=name, value=value) for name, value in alarm.dimensions
            ],
            alarm_actions=[arn],
            ok_actions=[arn],
        )

    def _role(self, person: str) -> None:
        """A person's role: may call Grace's API, and nothing else. The API learns who calls from it."""
        role = iam.Role(
            self,
            f"Role{person.title()}",
            role_name=facts.ROLE.format(person=person),
            assumed_by=iam.AccountRootPrincipal(),
        )
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["execute-api:Invoke"],
                resources=[f"arn:{Aws.PARTITION}:execute-api:{Aws.REGION}:{Aws.ACCOUNT_ID}:*/*/POST/*"],
            )
        )
