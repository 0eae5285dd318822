"""The state machine: one definition, the doors it may call, its log and trace."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Aws
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.constructs import nag
from infra.constructs.layers import ROOT
from infra.constructs.names import Names

DEFINITION = ROOT / "statemachines" / "remediation.asl.json"


class Workflow(Construct):
    """`remediation.asl.json` with the functions put in for its placeholders (`${SnapshotFunction}` and so on)."""

    def __init__(
        self, scope: Construct, *, names: Names, functions: Mapping[str, lambda_.IFunction], log: logs.ILogGroup
    ) -> None:
        super().__init__(scope, "Workflow")
        self.role = iam.Role(
            self,
            "Role",
            role_name=names.role_name("workflow"),
            description="Grace: calls the doors of the workflow",
            assumed_by=iam.ServicePrincipal("states.amazonaws.com", conditions=self._only_ours(names)),
        )
        # A definition from a file grants nothing by itself.
        self.role.add_to_policy(
            iam.PolicyStatement(
                actions=["lambda:InvokeFunction"], resources=[each.function_arn for each in functions.values()]
            )
        )
        self.machine = sfn.StateMachine(
            self,
            "Machine",
            state_machine_name=names.of("remediation"),
            state_machine_type=sfn.StateMachineType.STANDARD,
            definition_body=sfn.DefinitionBody.from_file(str(DEFINITION)),
            definition_substitutions={
                f"{name.capitalize()}Function": function.function_arn for name, function in functions.items()
            },
            role=self.role,
            tracing_enabled=True,
            # The input of the state that asks holds the task token, so what went in and out stays out of the log.
            logs=sfn.LogOptions(destination=log, level=sfn.LogLevel.ALL, include_execution_data=False),
        )
        nag.acknowledge(self.role, nag.ROLES)
        nag.acknowledge_resource_star(self.role, nag.WORKFLOW)

    def _only_ours(self, names: Names) -> dict[str, dict[str, str]]:
        return {
            "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID},
            "ArnLike": {"aws:SourceArn": names.machine_arn},
        }
