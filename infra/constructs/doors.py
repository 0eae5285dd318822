"""A door: function, role, log group; and the layers all doors stand on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from aws_cdk import (
    AssetHashType,
    Aws,
    Duration,
    RemovalPolicy,
)
from aws_cdk import (
    aws_iam as iam,
)
from aws_cdk import (
    aws_kms as kms,
)
from aws_cdk import (
    aws_lambda as lambda_,
)
from aws_cdk import (
    aws_logs as logs,
)
from constructs import Construct

from infra.constructs import authority, layers, nag
from infra.constructs.floor_plan import Door
from infra.constructs.names import Names

EXTRAS: Mapping[layers.Extra, str] = {
    "cedar": "Cedar's policy engine",
    "crypto": "Signatures and tokens of others",
    "web": "Templates of mail and page",
}


LEAN = {"PYDANTIC_DISABLE_PLUGINS": "1"}
"""There are none: without this pydantic reads the metadata of every package at each cold start to look for some."""


class Floor(Construct):
    """What the doors share: code, layers, and the settings that every one gets."""

    def __init__(
        self,
        scope: Construct,
        *,
        names: Names,
        key: kms.IKey,
        retention: int,
        platform: layers.Platform,
        catalogue: str,
    ) -> None:
        super().__init__(scope, "Doors")
        self.names = names
        self.key = key
        self.retention = retention
        self.code = _code(layers.doors())
        self._extra = {
            name: self._layer(name.capitalize(), layers.dependencies(platform, name), about)
            for name, about in EXTRAS.items()
        }
        self._common = [
            self._layer("Core", layers.core(), "The package grace"),
            self._layer("Dependencies", layers.dependencies(platform), "Third-party packages, pinned by hash"),
            self._layer("Data", layers.data(catalogue), "Playbooks, rules and people of this deployment"),
        ]

    def layers_of(self, door: Door) -> list[lambda_.LayerVersion]:
        """Return what a door stands on: the common layers, and those that its row names."""
        return [*self._common, *(self._extra[name] for name in door.layers)]

    def log_group(self, scope: Construct, id_: str, name: str) -> logs.LogGroup:
        """Return an encrypted log group with the deployment's retention."""
        group = logs.LogGroup(
            scope, id_, log_group_name=name, encryption_key=self.key, removal_policy=RemovalPolicy.DESTROY
        )
        cast("logs.CfnLogGroup", group.node.default_child).retention_in_days = self.retention
        return group

    def _layer(self, title: str, asset: layers.Asset, about: str) -> lambda_.LayerVersion:
        return lambda_.LayerVersion(
            self,
            title,
            code=_code(asset),
            description=about,
            compatible_runtimes=[lambda_.Runtime.PYTHON_3_13],
            compatible_architectures=[lambda_.Architecture.ARM_64],
        )


class DoorFunction(Construct):
    """One door of the floor plan, with exactly the rights of its row."""

    def __init__(
        self,
        floor: Floor,
        door: Door,
        *,
        statements: list[iam.PolicyStatement],
        environment: Mapping[str, str],
        boundary: iam.IManagedPolicy | None,
    ) -> None:
        super().__init__(floor, door.title)
        name = floor.names.of(door.name)
        rights = [*_telling(name), *statements]
        group = floor.log_group(self, "Log", f"/aws/lambda/{name}")
        self.role = iam.Role(
            self,
            "Role",
            role_name=floor.names.role_name(door.name),
            description=f"Grace: {door.about}",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            permissions_boundary=boundary,
            inline_policies={
                "rights": iam.PolicyDocument(statements=rights, minimize=True),
            },
        )
        nag.acknowledge(self.role, nag.ROLES)
        nag.acknowledge_wildcards(self.role, rights, authority.declared())
        self.function = lambda_.Function(
            self,
            "Function",
            function_name=name,
            description=door.about,
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            code=floor.code,
            handler=f"{door.name}.handler",
            layers=floor.layers_of(door),
            memory_size=door.memory,
            timeout=Duration.seconds(door.timeout),
            # The row of the floor plan is the whole role: nothing that is attached later may widen it.
            role=self.role.without_policy_updates(),
            environment={
                **environment,
                "POWERTOOLS_SERVICE_NAME": floor.names.prefix,
                "POWERTOOLS_LOG_LEVEL": "INFO",
                **LEAN,
            },
            log_group=group,
            logging_format=lambda_.LoggingFormat.JSON,
            tracing=lambda_.Tracing.ACTIVE,
        )
        nag.acknowledge(self.function, nag.FUNCTIONS)


def _telling(name: str) -> list[iam.PolicyStatement]:
    """Return the rights to write one's own log and trace."""
    group = f"arn:{Aws.PARTITION}:logs:{Aws.REGION}:{Aws.ACCOUNT_ID}:log-group:/aws/lambda/{name}:*"
    return [
        iam.PolicyStatement(actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[group]),
        iam.PolicyStatement(actions=["xray:PutTelemetryRecords", "xray:PutTraceSegments"], resources=["*"]),
    ]


def _code(asset: layers.Asset) -> lambda_.AssetCode:
    return lambda_.Code.from_asset(str(asset.path), asset_hash=asset.digest, asset_hash_type=AssetHashType.CUSTOM)
